"""Shapes of training rounds."""

from typing import Any

from rest_framework import serializers

from core.choices import TrainingState
from core.models import TrainingRound
from core.selectors.training_round import PersonInRound, RoundItem
from core.services.training_round import LONGEST_EXPLANATION, LONGEST_NAME, MOST_TRIES

Shape = serializers.Serializer[dict[str, Any]]
REQUEST_EXAMPLE = {
    "name": "First steps",
    "pass_mark": 0.8,
    "tries": 2,
    "items": [{"item": "q-17", "explanation": "Irony counts as what is meant."}],
}
DRAWN_EXAMPLE = {"name": "First steps", "pass_mark": 0.8, "draw": {"question": "answer", "per_class": 5}}


class TrainingItemRequest(Shape):
    """An item of a round."""

    item = serializers.CharField(trim_whitespace=False, help_text="Its id. It is open and has gold.")
    explanation = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=LONGEST_EXPLANATION
    )


class Draw(Shape):
    """So many items with gold of every class of a question."""

    question = serializers.CharField()
    per_class = serializers.IntegerField(min_value=1)


class TrainingRoundRequest(Shape):
    """A new round; its items are given, or drawn."""

    name = serializers.CharField(max_length=LONGEST_NAME)
    pass_mark = serializers.FloatField(help_text="The share that must be right: above 0, at most 1.")
    tries = serializers.IntegerField(required=False, min_value=1, max_value=MOST_TRIES)
    active = serializers.BooleanField(
        required=False, default=False, help_text="Annotators who join while it is on get it first."
    )
    items = TrainingItemRequest(many=True, required=False)
    draw = Draw(required=False)


class TrainingRoundChanges(Shape):
    """What to change of a round; `items` is the whole list in its order."""

    name = serializers.CharField(required=False, max_length=LONGEST_NAME)
    pass_mark = serializers.FloatField(required=False)
    tries = serializers.IntegerField(required=False, min_value=1, max_value=MOST_TRIES)
    active = serializers.BooleanField(required=False)
    items = TrainingItemRequest(many=True, required=False)
    send = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text="Ids of members who are to pass it before anything else; whoever failed gets another try.",
    )
    excuse = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text="Ids of members who may label without having passed.",
    )


class TrainingRoundOut(Shape):
    """A round."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    pass_mark = serializers.FloatField()
    tries = serializers.IntegerField()
    active = serializers.BooleanField()
    n_items = serializers.IntegerField()
    before = serializers.IntegerField(help_text="People who have it before them.")
    passed = serializers.IntegerField(help_text="People who passed it.")
    created_at = serializers.DateTimeField()


class TrainingItemOut(Shape):
    """An item of a round."""

    item = serializers.CharField()
    explanation = serializers.CharField(allow_blank=True)
    gold = serializers.DictField(help_text="Question to what is true.")
    usable = serializers.BooleanField(help_text="Open, and has gold; others are passed over.")


class PersonInRoundOut(Shape):
    """How far somebody is: in the attempt that they passed, or else in their last one."""

    member = serializers.IntegerField()
    name = serializers.CharField()
    attempts = serializers.IntegerField()
    state = serializers.ChoiceField(
        choices=TrainingState.choices, allow_null=True, help_text="Null before the first attempt."
    )
    right = serializers.IntegerField()
    answered = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    before_them = serializers.BooleanField(help_text="They get nothing else until they pass.")
    waits = serializers.BooleanField(help_text="No try is left: a lead decides.")


class OneTrainingRoundOut(TrainingRoundOut):
    """A round with its items and people."""

    items = TrainingItemOut(many=True)
    people = PersonInRoundOut(many=True)


class TrainingRoundList(Shape):
    """A project's rounds, newest first."""

    next = serializers.CharField(allow_null=True)
    results = TrainingRoundOut(many=True)


def round_out(training: TrainingRound, n_items: int, counts: dict[str, int]) -> dict[str, Any]:
    """A round as the API tells it."""
    return {
        "id": training.pk,
        "name": training.name,
        "pass_mark": float(training.pass_mark),
        "tries": training.tries,
        "active": training.active,
        "n_items": n_items,
        **counts,
        "created_at": training.created_at,
    }


def round_item_out(one: RoundItem) -> dict[str, Any]:
    """An item of a round."""
    return {
        "item": one.item.external_id,
        "explanation": one.explanation,
        "gold": one.gold,
        "usable": one.usable,
    }


def person_out(one: PersonInRound) -> dict[str, Any]:
    """Somebody in a round."""
    return {
        "member": one.member.pk,
        "name": one.member.name,
        "attempts": one.attempts,
        "state": one.state,
        "right": one.right,
        "answered": one.answered,
        "share": one.share,
        "ended_at": one.ended_at,
        "before_them": one.before_them,
        "waits": one.waits,
    }
