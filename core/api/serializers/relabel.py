"""Shapes of items that were sent out again."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from core.choices import Doubt, RelabelFor, RelabelTo
from core.models import Membership
from core.selectors.item import shown_name
from core.selectors.relabel import (
    LEAST,
    MOST_DRAWN,
    MOST_ITEMS,
    PersonProgress,
    RelabelProgress,
    Skipped,
)
from core.services.relabel import LONGEST_REASON

Shape = serializers.Serializer[dict[str, object]]


class RelabelRequest(Shape):
    """Which items, why, to whom, and how.

    The list is `items` (ids), or what the `filter` leaves, or follows from the `source`: `agreement`, `guideline`, `errors`,
    `uncertain`, and of `drift` with a `validation`.
    """

    items = serializers.ListField(
        child=serializers.CharField(), min_length=1, max_length=MOST_ITEMS, required=False
    )
    filter = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="As the filters of the list of items."
    )
    source = serializers.ChoiceField(choices=RelabelFor.choices, default=RelabelFor.LIST)  # type: ignore[assignment]  # a field, not the attribute
    question = serializers.CharField(required=False, help_text="Of `agreement`; else the first that can be.")
    least = serializers.FloatField(
        default=LEAST, help_text="Of `agreement`: at least this share of the pairs of answers differ."
    )
    guideline = serializers.IntegerField(required=False, help_text="The version that made it necessary.")
    doubt = serializers.ChoiceField(
        choices=Doubt.choices, default=Doubt.CONFIDENCE, help_text="Of `errors`: which list."
    )
    validation = serializers.IntegerField(
        required=False, help_text="Of `drift`: the data check of a batch, whose answered items are meant."
    )
    most = serializers.IntegerField(default=MOST_ITEMS, min_value=1, max_value=MOST_ITEMS)
    drawn = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=MOST_DRAWN,
        help_text="So many items of the audit slice are added by chance: on them the timeline tells whether it helped.",
    )
    reason = serializers.CharField(
        max_length=LONGEST_REASON, required=False, help_text="Needed but for a dry run."
    )
    to = serializers.ChoiceField(choices=RelabelTo.choices, default=RelabelTo.OTHERS)
    members = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="The ids of those `named`."
    )
    blind = serializers.BooleanField(
        default=True, help_text="Whether people answer without seeing what was answered before."
    )
    dry_run = serializers.BooleanField(default=False, help_text="Only count: nothing is sent.")


class SkippedItem(Shape):
    """An item that was not sent out again."""

    item = serializers.CharField()
    code = serializers.ChoiceField(choices=[one.value for one in Skipped])


class PersonAsked(Shape):
    """How many of the items wait for somebody, or were answered by somebody who cannot be asked again."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    items = serializers.IntegerField()


class RelabelOut(Shape):
    """How far a queue is, and how many labels it has changed, by majority of the certain answers."""

    id = serializers.IntegerField()
    reason = serializers.CharField()
    to = serializers.ChoiceField(choices=RelabelTo.choices)
    source = serializers.ChoiceField(choices=RelabelFor.choices)  # type: ignore[assignment]  # a field, not the attribute
    blind = serializers.BooleanField()
    guideline = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    question = serializers.CharField(allow_null=True, help_text="Whose labels are compared.")
    items = serializers.IntegerField()
    drawn = serializers.IntegerField(help_text="Items drawn from the audit slice by chance.")
    answered = serializers.IntegerField(help_text="Answered again.")
    waiting = serializers.IntegerField()
    dropped = serializers.IntegerField(help_text="Withdrawn or corrected since, or the queue was closed.")
    kept = serializers.IntegerField(allow_null=True, help_text="Answered again, and the label is the same.")
    changed = serializers.IntegerField(allow_null=True, help_text="… and the label is another.")
    tied = serializers.IntegerField(allow_null=True, help_text="… and the answers are even.")
    answers_asked = serializers.IntegerField()
    answers_given = serializers.IntegerField()


class PersonOut(Shape):
    """How far one person is."""

    id = serializers.IntegerField()
    name = serializers.CharField(help_text="A pseudonym for those who may not see names.")
    asked = serializers.IntegerField()
    answered = serializers.IntegerField()
    waiting = serializers.IntegerField()
    dropped = serializers.IntegerField()
    changed = serializers.IntegerField(
        allow_null=True, help_text="Answers that are others than this person's before."
    )


class OneRelabelOut(RelabelOut):
    """A queue with the people whom it was sent to."""

    people = PersonOut(many=True)


class RelabelMade(Shape):
    """The queue that was made (null where no item could be sent, and in a dry run), and what was passed over."""

    relabel = RelabelOut(allow_null=True)
    items = serializers.IntegerField(help_text="Items that were, or would be, sent.")
    drawn = serializers.IntegerField(help_text="… of these by chance.")
    answers = serializers.IntegerField(help_text="Answers that are asked for.")
    left_out = serializers.IntegerField(help_text="Items that the list has beyond `most`.")
    people = PersonAsked(many=True)
    unreachable = PersonAsked(many=True, help_text="People who answered, and cannot be asked again.")
    skipped = SkippedItem(many=True)


class RelabelClosed(Shape):
    """How many answers are not asked for any more."""

    dropped = serializers.IntegerField()


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
        "source": relabel.source,
        "blind": relabel.blind,
        "guideline": relabel.guideline.number if relabel.guideline else None,
        "created_at": relabel.created_at,
        "question": progress.question,
        "items": progress.items,
        "drawn": progress.drawn,
        "answered": progress.answered,
        "waiting": progress.waiting,
        "dropped": progress.dropped,
        "kept": progress.kept,
        "changed": progress.changed,
        "tied": progress.tied,
        "answers_asked": progress.places,
        "answers_given": progress.places_answered,
    }


def people_out(people: Sequence[PersonProgress], reader: Membership) -> list[dict[str, Any]]:
    """The people of a queue as a reader may see them."""
    return [
        {
            "id": one.member.pk,
            "name": shown_name(one.member, reader),
            "asked": one.places,
            "answered": one.answered,
            "waiting": one.waiting,
            "dropped": one.dropped,
            "changed": one.changed,
        }
        for one in people
    ]
