"""Shapes of adjudication: what was settled, the queue, what disagreement costs, reviews."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import Cause

Shape = serializers.Serializer[dict[str, object]]
CAUSE = "Why people differed."


class ResolutionOut(Shape):
    """The final answer of an item to one question, by a person."""

    id = serializers.IntegerField()
    item = serializers.CharField()
    question = serializers.CharField()
    revision = serializers.IntegerField(help_text="To be sent back in If-Match.")
    current = serializers.BooleanField(help_text="Whether this is what the item is settled as now.")
    value = serializers.JSONField(allow_null=True, help_text="Null where it was taken back.")
    cause = serializers.ChoiceField(Cause.choices, allow_blank=True, help_text=CAUSE)
    comment = serializers.CharField(allow_blank=True)
    gold_candidate = serializers.BooleanField()
    overtaken = serializers.BooleanField(help_text="An answer was given or corrected after it.")
    guideline_version = serializers.IntegerField()
    settled_by = serializers.CharField(help_text="A pseudonym for reviewers.")
    settled_at = serializers.DateTimeField()


class ResolutionList(Shape):
    """Some resolutions, newest first."""

    next = serializers.CharField(allow_null=True)
    results = ResolutionOut(many=True)


class SettleRequest(Shape):
    """One item with If-Match, or many with the pattern of answers that was seen."""

    item = serializers.CharField(required=False, help_text="The id of one item.")
    items = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Or the ids of up to 500."
    )
    question = serializers.CharField()
    value = serializers.JSONField(help_text="A class, a list of classes, a number or a text.")
    cause = serializers.ChoiceField(Cause.choices, required=False, allow_blank=True, help_text=CAUSE)
    comment = serializers.CharField(required=False, allow_blank=True)
    gold_candidate = serializers.BooleanField(required=False, default=False)
    withdraw = serializers.BooleanField(
        required=False, default=False, help_text="Take a broken item out as well; leads only, one item only."
    )
    pattern = serializers.DictField(
        child=serializers.IntegerField(),
        required=False,
        help_text="With `items`: how many said what. Items that were answered otherwise by now are left.",
    )


class LeftOut(Shape):
    """An item of the list that was not settled."""

    item = serializers.CharField()
    code = serializers.CharField(
        help_text="not-here, item-withdrawn, item-in-hand, settled-meanwhile, answers-changed"
    )


class SettledMany(Shape):
    """What became of a list."""

    settled = ResolutionOut(many=True)
    left = LeftOut(many=True)


class SideOut(Shape):
    """One answer beside the others."""

    who = serializers.CharField(help_text="A letter until the item is settled.")
    mine = serializers.BooleanField()
    value = serializers.CharField(allow_blank=True)
    uncertain = serializers.BooleanField()
    comment = serializers.CharField(allow_blank=True)
    guideline_version = serializers.IntegerField()
    elapsed_ms = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField()


class NoteOut(Shape):
    """What an annotator noted."""

    who = serializers.CharField()
    note = serializers.CharField(allow_blank=True)
    broken = serializers.BooleanField()
    at = serializers.DateTimeField()


class ReviewOut(Shape):
    """Somebody who was asked about an item, and what they said."""

    id = serializers.IntegerField()
    item = serializers.CharField()
    question = serializers.CharField()
    reviewer = serializers.CharField()
    note = serializers.CharField(allow_blank=True)
    asked_at = serializers.DateTimeField()
    value = serializers.JSONField(allow_null=True)
    cause = serializers.ChoiceField(Cause.choices, allow_blank=True)
    comment = serializers.CharField(allow_blank=True)
    answered_at = serializers.DateTimeField(allow_null=True)


class ReviewList(Shape):
    """Some reviews, newest first."""

    next = serializers.CharField(allow_null=True)
    results = ReviewOut(many=True)


class ReferRequest(Shape):
    """Whom to ask about an item."""

    item = serializers.CharField()
    question = serializers.CharField()
    reviewers = serializers.ListField(child=serializers.IntegerField(), help_text="Ids of members.")
    note = serializers.CharField(required=False, allow_blank=True)


class ReviewRequest(Shape):
    """What a reviewer says."""

    value = serializers.JSONField()
    cause = serializers.ChoiceField(Cause.choices, required=False, allow_blank=True, help_text=CAUSE)
    comment = serializers.CharField(required=False, allow_blank=True)


class CaseOut(Shape):
    """An item to settle."""

    item = serializers.CharField()
    question = serializers.CharField()
    worth = serializers.FloatField(help_text="The expected value of settling it; 0 where nobody differs.")
    revision = serializers.IntegerField(help_text="To be sent in If-Match.")
    locals()["data"] = serializers.JSONField()
    answers = SideOut(many=True)
    notes = NoteOut(many=True)
    reviews = ReviewOut(many=True)
    resolution = ResolutionOut(allow_null=True)
    own = serializers.BooleanField(help_text="The caller is one of those who answered.")


class PairCost(Shape):
    """Two classes that are confused."""

    a = serializers.CharField(allow_blank=True)
    b = serializers.CharField(allow_blank=True)
    confused = serializers.FloatField(help_text="Answers that say the one where the other is meant.")
    expected = serializers.FloatField(
        help_text="Of these, by the errors that the same people make elsewhere."
    )
    told_apart = serializers.FloatField(help_text="The probability that people can tell the two apart.")
    cost = serializers.FloatField(help_text="What a rule would mend, in answers.")
    coin_cost = serializers.FloatField(help_text="What it would not: the classes look as if they were drawn.")
    rate = Figure(help_text="The share of the answers to items of the two.")


class PersonCost(Shape):
    """Somebody who is wrong more often than others on the same items."""

    id = serializers.CharField()
    member = serializers.IntegerField()
    excess = serializers.FloatField(help_text="Wrong answers beyond those of others.")
    cost = serializers.FloatField()
    rate = Figure(help_text="The excess per answer.")
    accuracy = Figure(help_text="How often they are right.")


class TopCost(Shape):
    """One of the ten most costly disagreements."""

    kind = serializers.CharField(help_text="pair, person or coin_flip")
    cost = serializers.FloatField(help_text="Answers that would be otherwise.")
    row = serializers.DictField(help_text="As in the list of its kind.")


class CostlyOut(Shape):
    """What disagreement comes from; null where it cannot be told."""

    question = serializers.CharField()
    top = TopCost(many=True, allow_null=True)
    pairs = PairCost(many=True, allow_null=True)
    people = PersonCost(many=True, allow_null=True)
    coin_flips = PairCost(many=True, allow_null=True)


class PatternOut(Shape):
    """Items that people answered alike."""

    key = serializers.CharField(help_text="For the filter `pattern`.")
    said = serializers.DictField(child=serializers.IntegerField())
    n_items = serializers.IntegerField()


class QueueOut(Shape):
    """The items that are worth settling first."""

    question = serializers.CharField(allow_null=True)
    left = serializers.IntegerField(help_text="Items in the queue.")
    results = CaseOut(many=True)
    patterns = PatternOut(many=True, help_text="The twenty that most items of the queue have.")
    costly = CostlyOut(allow_null=True)
