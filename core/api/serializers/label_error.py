"""Shapes of likely wrong labels."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.api.serializers.job import JobOut
from core.choices import Doubt

Shape = serializers.Serializer[dict[str, object]]


class SearchRequest(Shape):
    """Which question's labels to look at."""

    question = serializers.CharField(
        required=False, help_text="Its key; otherwise the first that a model can learn."
    )


class ClassErrors(Shape):
    """How many labels of a class are wrong."""

    locals()["class"] = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField(help_text="Labels.")
    expected = Figure(help_text="The share of them that is wrong; null as that of all labels is.")


class ListSizes(Shape):
    """How many rows each list has."""

    confidence = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    consensus = serializers.IntegerField()


class SearchOut(Shape):
    """One look, and what it found in all."""

    id = serializers.IntegerField()
    question = serializers.CharField()
    created_at = serializers.DateTimeField()
    n_labels = serializers.IntegerField(help_text="Labels that were looked at; the holdout's are not.")
    n_uncertain = serializers.IntegerField(help_text="Items with “I cannot tell” only.")
    n_tied = serializers.IntegerField(help_text="Items whose votes are even.")
    n_unjudged = serializers.IntegerField(help_text="Labels that no model could judge.")
    n_doubted = serializers.IntegerField(help_text="Labels of which the model says another class.")
    expected = Figure(
        help_text="The share of labels that is wrong, by the confident joint; null where the model is no judge of people."
    )
    classes = ClassErrors(many=True)
    complete = serializers.BooleanField(help_text="Whether all near-duplicates were found.")
    rule = serializers.CharField(help_text="By which people were held against their consensus.")
    lists = ListSizes()


class Votes(Shape):
    """How many people said a class."""

    locals()["class"] = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()


class LabelErrorOut(Shape):
    """A label that is likely wrong. What others said of an item that the caller has in hand is not told."""

    item = serializers.CharField()
    doubt = serializers.ChoiceField(choices=Doubt.choices)
    rank = serializers.IntegerField(help_text="1 is the likeliest of its kind.")
    held = serializers.BooleanField(help_text="The caller has it, or its near-duplicate, in hand.")
    score = serializers.FloatField(allow_null=True, help_text="Falls with the doubt, 0 to 1.")
    given = serializers.CharField(allow_null=True)
    likely = serializers.CharField(allow_null=True)
    votes = Votes(many=True)
    other = serializers.CharField(allow_null=True, help_text="The near-duplicate with another label.")
    other_votes = Votes(many=True)
    waits = serializers.BooleanField(help_text="It is in the queue to be labeled again.")
    relabel = serializers.IntegerField(allow_null=True, help_text="The queue that it was sent back in.")


class LabelErrorList(Shape):
    """The newest look and one of its lists."""

    job = JobOut(allow_null=True, help_text="The look that waits or runs.")
    search = SearchOut(allow_null=True)
    next = serializers.CharField(allow_null=True)
    results = LabelErrorOut(many=True)
