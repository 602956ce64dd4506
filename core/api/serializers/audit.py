"""Shape of the audit log."""

from typing import Any

from rest_framework import serializers

from core.models import Event
from core.selectors.audit import actor_name


class EventOut(serializers.Serializer[Any]):
    """Who did what to which thing, and when."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(allow_null=True)
    verb = serializers.CharField()
    thing = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]  # the name is the API's


class EventPage(serializers.Serializer[Any]):
    """One page of the log, the newest line first."""

    results = EventOut(many=True)
    next = serializers.URLField(allow_null=True)


def event_out(event: Event) -> dict[str, Any]:
    """A line as the API tells it."""
    return {
        "id": event.pk,
        "at": event.created_at,
        "actor": actor_name(event),
        "verb": event.verb,
        "thing": event.thing,
        "data": event.data,
    }
