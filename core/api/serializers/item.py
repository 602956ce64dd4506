"""Shapes of items, batches and images."""

from typing import Any

from rest_framework import serializers

from core.selectors.history import HistoryEvent


class ItemLine(serializers.Serializer[Any]):
    """An item with the places of its queue."""

    id = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["open", "done", "with_lead", "withdrawn"])
    data = serializers.DictField()  # type: ignore[assignment]
    meta = serializers.DictField()
    batch = serializers.IntegerField()
    row = serializers.IntegerField()
    target = serializers.IntegerField()
    done = serializers.IntegerField()
    leased = serializers.IntegerField()
    free = serializers.IntegerField()
    skips = serializers.IntegerField()
    flags = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField())
    audit = serializers.CharField(allow_null=True)


class ItemList(serializers.Serializer[Any]):
    """A page of items."""

    next = serializers.CharField(allow_null=True)
    results = ItemLine(many=True)


class ProvenanceOut(serializers.Serializer[Any]):
    """Where an item came from."""

    batch = serializers.IntegerField()
    file_name = serializers.CharField()
    file_hash = serializers.CharField()
    row = serializers.IntegerField()
    imported_at = serializers.DateTimeField()


class ItemOut(ItemLine):
    """One item with everything known about it."""

    provenance = ProvenanceOut()
    versions = serializers.ListField(child=serializers.DictField())
    hidden_because = serializers.CharField(allow_null=True)
    annotations = serializers.ListField(child=serializers.DictField())
    gold = serializers.DictField()
    notes = serializers.ListField(child=serializers.DictField())


class ItemCorrection(serializers.Serializer[Any]):
    """New data make a new version, which starts without answers; new metadata alone do not."""

    data = serializers.DictField(required=False)  # type: ignore[assignment]
    meta = serializers.DictField(required=False)


class BatchMember(serializers.Serializer[Any]):
    """Somebody that a batch was given to."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class BatchOut(serializers.Serializer[Any]):
    """The items that came in with one file. Without members, everybody gets them."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    file_hash = serializers.CharField()
    n_items = serializers.IntegerField()
    members = BatchMember(many=True)
    created_at = serializers.DateTimeField()


class BatchRequest(serializers.Serializer[Any]):
    """Who gets a batch; nobody named: everybody."""

    members = serializers.ListField(child=serializers.IntegerField(min_value=1), max_length=1000)


class AssetOut(serializers.Serializer[Any]):
    """An uploaded image."""

    name = serializers.CharField()
    content_type = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class AssetList(serializers.Serializer[Any]):
    """A page of images."""

    next = serializers.CharField(allow_null=True)
    results = AssetOut(many=True)


class ArchiveRequest(serializers.Serializer[Any]):
    """A zip of images."""

    file = serializers.FileField()


class ArchiveOut(serializers.Serializer[Any]):
    """What an archive brought."""

    count = serializers.IntegerField()
    results = AssetOut(many=True)


class HistoryEventOut(serializers.Serializer[Any]):
    """Something that happened to an item. `undo` names what could be taken back now, `undo_id` which of them."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    who = serializers.CharField(allow_null=True)
    guideline_version = serializers.IntegerField(allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]
    undo = serializers.CharField(allow_null=True)
    undo_id = serializers.IntegerField(allow_null=True)


class ItemHistoryOut(serializers.Serializer[Any]):
    """Every event of an item, oldest first; none while the reader has it in hand (`held`) or lacks a scope (`scope`)."""

    id = serializers.CharField()
    hidden_because = serializers.CharField(allow_null=True)
    events = HistoryEventOut(many=True)


def history_event_out(event: HistoryEvent) -> dict[str, Any]:
    """An event as the API tells it."""
    return {
        "at": event.at,
        "kind": event.kind,
        "who": event.who,
        "guideline_version": event.guideline,
        "data": event.data,
        "undo": event.undo or None,
        "undo_id": event.undo_id if event.undo else None,
    }
