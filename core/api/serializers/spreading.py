"""Shapes of labels spread to near neighbours."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.api.serializers.job import JobOut

Shape = serializers.Serializer[dict[str, object]]


class SpreadingRequest(Shape):
    """Which question's labels to spread."""

    question = serializers.CharField(
        required=False, help_text="Its key; otherwise the first that a model can learn."
    )


class SpreadingResult(Shape):
    """What the comparison with plain training came to, and the run where spreading is offered."""

    question = serializers.CharField()
    offered = serializers.BooleanField(help_text="It is not worse than plain training.")
    why = serializers.CharField(
        help_text="`better`, `as_good` (at most 2 points less), `worse`, `cannot_tell` or `too_few_labels`"
    )
    judged_on = serializers.CharField(
        help_text="`holdout`, `chance` (labels that no strategy chose), `labels`"
    )
    spread = Figure(help_text="Accuracy of spreading.")
    trained = Figure(help_text="Accuracy of a model trained on the same labels.")
    difference = Figure(help_text="The first less the second, on the same items.")
    confident = Figure(help_text="Accuracy of the labels that spreading is confident of.")
    n_labels = serializers.IntegerField()
    n_items = serializers.IntegerField(help_text="Items in the graph.")
    n_left_out = serializers.IntegerField(help_text="Items beyond 200,000.")
    least = serializers.FloatField(help_text="The confidence from which labels are kept.")
    run = serializers.IntegerField(required=False)
    name = serializers.CharField(required=False)
    n_spread = serializers.IntegerField(required=False, help_text="Items that got a label.")


class SpreadingOut(Shape):
    """The spreading under way, and the result of the last one."""

    job = JobOut(allow_null=True)
    result = SpreadingResult(allow_null=True)
