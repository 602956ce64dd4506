"""Shapes of hand-outs and answers."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from core.choices import MOST_HELD, EmptyBecause, SkipReason, TrainingState
from core.models import Annotation, Draft, Membership
from core.selectors.annotation import earlier_answers
from core.selectors.display import item_payload
from core.selectors.question import schema_of
from core.selectors.suggestion import shown_on
from core.services.lease import HandOut, Stopped
from core.services.trainee import Feedback


class LeaseRequest(serializers.Serializer[Any]):
    """How many items to hand out; ``have`` names the leases the caller holds already."""

    count = serializers.IntegerField(min_value=1, max_value=MOST_HELD, default=1)
    have = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_HELD, required=False)


class ExtendRequest(serializers.Serializer[Any]):
    """The leases to keep alive."""

    leases = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_HELD)


class NextRequest(serializers.Serializer[Any]):
    """What the caller holds, for the items that come with the reply. ``count`` 0: none."""

    have = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_HELD, default=list)
    count = serializers.IntegerField(min_value=0, max_value=MOST_HELD, default=1)


class AnswersRequest(serializers.Serializer[Any]):
    """Answers by question key.

    ``classes`` are the ids that classes had when the answers were given, by question key and name: a class that was
    renamed since is then still the one that was meant.
    """

    answers = serializers.DictField()
    classes = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()), default=dict
    )


class SubmitRequest(AnswersRequest, NextRequest):
    """Answers to a lease."""

    elapsed_ms = serializers.IntegerField(required=False, allow_null=True)
    comment = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=5000)


class CorrectionRequest(AnswersRequest):
    """New answers for an earlier annotation of one's own."""

    comment = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=5000)


class SkipRequest(NextRequest):
    """Why an item is not answered."""

    reason = serializers.ChoiceField(choices=SkipReason.choices)
    note = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")


class FlagRequest(NextRequest):
    """A note for the lead; ``broken`` takes the item out of the queue until the lead has looked."""

    note = serializers.CharField(allow_blank=True, max_length=1000, default="")
    broken = serializers.BooleanField(default=False)


class HandedItem(serializers.Serializer[Any]):
    """An item as its annotator sees it."""

    id = serializers.CharField()
    version = serializers.IntegerField()
    display = serializers.ListField(child=serializers.DictField())
    meta = serializers.DictField()


class Suggestion(serializers.Serializer[Any]):
    """What a run says of an item: answers by question key, and how sure it is of each (null: it does not say)."""

    run = serializers.IntegerField()
    answers = serializers.DictField(child=serializers.CharField(allow_blank=True))
    probability = serializers.DictField(child=serializers.FloatField(allow_null=True))


class LeaseOut(serializers.Serializer[Any]):
    """An item handed to somebody until a time.

    ``suggestion`` is what a model says, where the lead has it shown. ``earlier`` are answers by question key, where the
    item was sent to just this person to be answered anew, and not blind.
    """

    id = serializers.UUIDField()
    item = HandedItem()
    expires_at = serializers.DateTimeField()
    suggestion = Suggestion(allow_null=True)
    earlier = serializers.DictField(allow_null=True)


class ProgressOut(serializers.Serializer[Any]):
    """The asker's own counts, and the project's where they were asked for."""

    mine = serializers.IntegerField()
    mine_today = serializers.IntegerField()
    done = serializers.IntegerField(required=False)
    total = serializers.IntegerField(required=False)


class HandOutOut(serializers.Serializer[Any]):
    """Leases, or why there are none."""

    leases = LeaseOut(many=True)
    empty_because = serializers.ChoiceField(choices=EmptyBecause.choices, allow_null=True)
    stopped = serializers.ChoiceField(choices=[one.value for one in Stopped], allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    held = serializers.IntegerField()
    progress = ProgressOut()


class AnnotationOut(serializers.Serializer[Any]):
    """A stored annotation."""

    id = serializers.IntegerField()
    item = serializers.CharField()
    revision = serializers.IntegerField()
    answers = serializers.DictField()
    created_at = serializers.DateTimeField(required=False)


class OutcomeOut(serializers.Serializer[Any]):
    """How an attempt at a training round ended; ``again``: the next attempt begins with the next item."""

    state = serializers.ChoiceField(choices=[TrainingState.PASSED.value, TrainingState.FAILED.value])
    right = serializers.IntegerField()
    n = serializers.IntegerField()
    pass_mark = serializers.FloatField()
    again = serializers.BooleanField()


class FeedbackOut(serializers.Serializer[Any]):
    """What there is to learn from an answer of a training round, by question key."""

    right = serializers.DictField(child=serializers.BooleanField())
    gold = serializers.DictField()
    explanation = serializers.CharField(allow_blank=True)
    answered = serializers.IntegerField()
    total = serializers.IntegerField()
    outcome = OutcomeOut(allow_null=True)


class SubmitOut(serializers.Serializer[Any]):
    """The stored annotation and the next items; ``feedback`` only in a training round."""

    annotation = AnnotationOut()
    next = LeaseOut(many=True)
    empty_because = serializers.ChoiceField(choices=EmptyBecause.choices, allow_null=True)
    stopped = serializers.ChoiceField(choices=[one.value for one in Stopped], allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    progress = ProgressOut()
    feedback = FeedbackOut(allow_null=True)


class NextOut(serializers.Serializer[Any]):
    """The next items, after something was put aside."""

    next = LeaseOut(many=True)
    empty_because = serializers.ChoiceField(choices=EmptyBecause.choices, allow_null=True)
    stopped = serializers.ChoiceField(choices=[one.value for one in Stopped], allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class CorrectionOut(serializers.Serializer[Any]):
    """The new revision."""

    annotation = AnnotationOut()


class RecentOut(serializers.Serializer[Any]):
    """One of one's own last answers."""

    annotation = serializers.IntegerField()
    item = HandedItem()
    answers = serializers.DictField()
    at = serializers.DateTimeField()


class DraftOut(serializers.Serializer[Any]):
    """Work that came too late to count."""

    id = serializers.IntegerField()
    project = serializers.CharField()
    item = serializers.CharField()
    answers = serializers.DictField()
    because = serializers.CharField()
    created_at = serializers.DateTimeField()


def leases_out(given: HandOut, member: Membership) -> list[dict[str, Any]]:
    """Leases with their items. Nothing in them tells a gold or retest pass from a normal one."""
    earlier, schema = earlier_answers(member, given.leases), schema_of(member.project)
    return [
        {
            "id": str(lease.pk),
            "item": item_payload(member.project, lease.item),
            "expires_at": lease.expires_at,
            "suggestion": shown_on(lease, schema),
            "earlier": earlier.get(lease.pk),
        }
        for lease in given.leases
    ]


def next_out(given: HandOut, member: Membership) -> dict[str, Any]:
    """The part of a reply that carries the next items."""
    return {
        "next": leases_out(given, member),
        "empty_because": given.empty_because,
        "stopped": given.stopped,
        "until": given.until,
    }


def feedback_out(feedback: Feedback | None) -> dict[str, Any] | None:
    """What a trainee is told of an answer."""
    return None if feedback is None else asdict(feedback)


def annotation_out(annotation: Annotation, answers: dict[str, Any]) -> dict[str, Any]:
    """A stored annotation, as its author sees it: nothing tells whether it was a repeat or gold."""
    return {
        "id": annotation.pk,
        "item": annotation.item.external_id,
        "revision": annotation.revision,
        "answers": answers,
    }


def draft_out(draft: Draft) -> dict[str, Any]:
    """A kept draft."""
    return {
        "id": draft.pk,
        "project": draft.annotator.project.slug,
        "item": draft.item.external_id,
        "answers": draft.answers,
        "because": draft.because,
        "created_at": draft.created_at,
    }
