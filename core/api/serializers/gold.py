"""Shapes of gold, and of people's accuracy on it."""

from typing import Any

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import PausedBecause
from core.models import Gold, Membership, Resolution
from core.selectors.adjudication import questions_by_id, value_said
from core.selectors.gold import DoubtfulGold, GoldOfQuestion, Supply

Shape = serializers.Serializer[dict[str, Any]]
OUTSIDE, CONFIRMED = "outside", "confirmed"
SAYS = "A class, a list of classes, a number or a text."


class GoldRequest(Shape):
    """Gold of an item and question by its `value` (null takes it away), or of a `resolution` that is confirmed."""

    item = serializers.CharField(required=False, trim_whitespace=False, help_text="The id of the item.")
    question = serializers.CharField(required=False)
    value = serializers.JSONField(required=False, allow_null=True, help_text=SAYS)
    resolution = serializers.IntegerField(required=False)
    replaces = serializers.IntegerField(
        required=False, help_text="The id of the gold that is there already; 412 when it is another by now."
    )


class GoldOut(Shape):
    """The truth about an item and where it comes from."""

    id = serializers.IntegerField()
    item = serializers.CharField()
    question = serializers.CharField()
    value = serializers.JSONField(allow_null=True, help_text=SAYS)
    origin = serializers.ChoiceField(
        choices=[OUTSIDE, CONFIRMED],
        help_text="Imported or entered, or a resolution that an expert confirmed.",
    )
    resolution = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class GoldMade(Shape):
    """The gold that was made; null where it was taken away."""

    gold = GoldOut(allow_null=True)


class GoldQuestion(Shape):
    """How much gold a question has."""

    question = serializers.CharField()
    outside = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    classes = serializers.DictField(child=serializers.IntegerField(), help_text="Class to number of items.")
    without = serializers.ListField(child=serializers.CharField(), help_text="Classes that no gold has.")


class Candidate(Shape):
    """A resolution that was marked as a candidate for gold."""

    resolution = serializers.IntegerField()
    item = serializers.CharField()
    question = serializers.CharField()
    value = serializers.JSONField(allow_null=True, help_text=SAYS)
    cause = serializers.CharField(allow_blank=True)
    comment = serializers.CharField(allow_blank=True)
    overtaken = serializers.BooleanField(help_text="Somebody answered the item anew since.")
    settled_by = serializers.CharField()


class Doubtful(Shape):
    """Gold that nearly everybody contradicts."""

    gold = serializers.IntegerField()
    item = serializers.CharField()
    question = serializers.CharField()
    value = serializers.JSONField(allow_null=True, help_text=SAYS)
    agreeing = serializers.IntegerField()
    n = serializers.IntegerField(help_text="Certain answers.")
    instead = serializers.JSONField(allow_null=True, help_text="What most of them say.")
    n_instead = serializers.IntegerField()


class GoldSummary(Shape):
    """What there is, what could become gold (the first 100), and what looks wrong (the worst 100)."""

    questions = GoldQuestion(many=True)
    usable = serializers.IntegerField(help_text="Open items with gold that can be handed out.")
    examples = serializers.IntegerField(
        help_text="Open items with gold that the guideline shows: never handed out as gold."
    )
    needed = serializers.IntegerField(help_text="About as many would be handed to one person at the rate.")
    candidates = Candidate(many=True)
    doubtful = Doubtful(many=True)


class GoldList(Shape):
    """A project's gold. The summary comes with the first page."""

    next = serializers.CharField(allow_null=True)
    results = GoldOut(many=True)
    summary = GoldSummary(allow_null=True)


class PersonOnGold(Shape):
    """How somebody does on gold: their first answers in gold passes, since a lead last let them go on."""

    member = serializers.IntegerField()
    name = serializers.CharField()
    n = serializers.IntegerField()
    right = serializers.IntegerField()
    accuracy = Figure()
    since = serializers.DateTimeField(allow_null=True)
    paused_because = serializers.ChoiceField(
        choices=[one for one in PausedBecause.values if one], allow_null=True
    )
    paused_at = serializers.DateTimeField(allow_null=True)


class GoldPeopleOut(Shape):
    """Everybody, and the bound below which people are paused (null: none)."""

    bound = serializers.FloatField(allow_null=True)
    results = PersonOnGold(many=True)


def gold_out(gold: Gold, value: Any) -> dict[str, Any]:
    """Gold as the API tells it."""
    return {
        "id": gold.pk,
        "item": gold.item.external_id,
        "question": gold.question.key,
        "value": value,
        "origin": OUTSIDE if gold.resolution_id is None else CONFIRMED,
        "resolution": gold.resolution_id,
        "created_at": gold.created_at,
    }


def summary_out(
    member: Membership,
    questions: list[GoldOfQuestion],
    supply: Supply,
    candidates: list[Resolution],
    doubtful: list[DoubtfulGold],
) -> dict[str, Any]:
    """The summary as the API tells it."""
    specs = questions_by_id(member.project)
    return {
        "questions": [
            {
                "question": one.question.key,
                "outside": one.outside,
                "confirmed": one.confirmed,
                "classes": dict(one.classes),
                "without": list(one.without),
            }
            for one in questions
        ],
        "usable": supply.usable,
        "examples": supply.examples,
        "needed": supply.needed,
        "candidates": [
            {
                "resolution": one.pk,
                "item": one.item.external_id,
                "question": one.question.key,
                "value": value_said(specs[one.question_id], one),
                "cause": one.cause,
                "comment": one.comment,
                "overtaken": one.overtaken,
                "settled_by": one.settled_by.name,
            }
            for one in candidates
        ],
        "doubtful": [
            {
                "gold": one.gold.pk,
                "item": one.gold.item.external_id,
                "question": one.question.key,
                "value": one.value,
                "agreeing": one.agreeing,
                "n": one.n,
                "instead": one.instead,
                "n_instead": one.n_instead,
            }
            for one in doubtful
        ],
    }
