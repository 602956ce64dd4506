"""Shapes of items that were sent out again."""

from typing import Any

from rest_framework import serializers

from core.choices import RelabelTo
from core.selectors.relabel import MOST_ITEMS, RelabelProgress
from core.services.relabel import LONGEST_REASON, Skipped

Shape = serializers.Serializer[dict[str, object]]


class RelabelRequest(Shape):
    """Which items, named by their ids, why, and to whom."""

    items = serializers.ListField(child=serializers.CharField(), min_length=1, max_length=MOST_ITEMS)
    reason = serializers.CharField(max_length=LONGEST_REASON)
    to = serializers.ChoiceField(
        choices=RelabelTo.choices,
        default=RelabelTo.OTHERS,
        help_text="`others`; the same and named people are not offered yet (`not-offered`).",
    )


class SkippedItem(Shape):
    """An item that was not sent out again."""

    item = serializers.CharField()
    code = serializers.ChoiceField(choices=[one.value for one in Skipped])


class RelabelOut(Shape):
    """How far a queue is, and how many labels it has changed, by majority of the certain answers."""

    id = serializers.IntegerField()
    reason = serializers.CharField()
    to = serializers.ChoiceField(choices=RelabelTo.choices)
    created_at = serializers.DateTimeField()
    question = serializers.CharField(allow_null=True, help_text="Whose labels are compared.")
    items = serializers.IntegerField()
    answered = serializers.IntegerField(help_text="Answered again.")
    waiting = serializers.IntegerField()
    dropped = serializers.IntegerField(help_text="Withdrawn or corrected since.")
    kept = serializers.IntegerField(allow_null=True, help_text="Answered again, and the label is the same.")
    changed = serializers.IntegerField(allow_null=True, help_text="… and the label is another.")
    tied = serializers.IntegerField(allow_null=True, help_text="… and the answers are even.")


class RelabelMade(Shape):
    """The queue that was made (null where no item could be sent), and what was passed over."""

    relabel = RelabelOut(allow_null=True)
    skipped = SkippedItem(many=True)


class RelabelList(Shape):
    """A project's queues, newest first."""

    next = serializers.CharField(allow_null=True)
    results = RelabelOut(many=True)


def relabel_out(progress: RelabelProgress) -> dict[str, Any]:
    """A queue as the API tells it."""
    relabel = progress.relabel
    return {
        "id": relabel.pk,
        "reason": relabel.reason,
        "to": relabel.to,
        "created_at": relabel.created_at,
        "question": progress.question,
        "items": progress.items,
        "answered": progress.answered,
        "waiting": progress.waiting,
        "dropped": progress.dropped,
        "kept": progress.kept,
        "changed": progress.changed,
        "tied": progress.tied,
    }
