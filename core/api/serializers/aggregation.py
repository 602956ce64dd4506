"""The shape of the report on aggregation."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure

Shape = serializers.Serializer[dict[str, object]]
RULES = "`majority`, `one_coin` or `dawid_skene`"
WHY = "`no_overlap`, `few_answers`, `enough_for_accuracy` or `enough_for_confusion`"


class DefaultRule(Shape):
    """The rule by default, and what it follows from."""

    rule = serializers.CharField(help_text=RULES)
    why = serializers.CharField(help_text=WHY)
    median = serializers.FloatField(help_text="Certain answers of the median annotator.")
    for_one_coin = serializers.IntegerField(help_text="From so many answers on it is the one-coin model.")
    for_dawid_skene = serializers.IntegerField(help_text="From so many on it is Dawid-Skene.")


class RuleRow(Shape):
    """What a rule comes to."""

    rule = serializers.CharField(help_text=RULES)
    locals()["default"] = serializers.BooleanField()
    n_labels = serializers.IntegerField()
    n_tied = serializers.IntegerField()
    confidence = serializers.FloatField(allow_null=True, help_text="Mean over the items.")
    accuracy = Figure(allow_null=True, help_text="Against gold; null without any.")


class FittedModel(Shape):
    """How the model of the annotators was fitted."""

    rule = serializers.CharField(help_text="`one_coin` or `dawid_skene`")
    iterations = serializers.IntegerField()
    converged = serializers.BooleanField()
    log_likelihood = serializers.FloatField()


def _matrix(help_text: str) -> serializers.ListField:
    row = serializers.ListField(child=serializers.FloatField())
    return serializers.ListField(child=row, allow_null=True, help_text=help_text)


class CompetenceRow(Shape):
    """One annotator by the model."""

    id = serializers.CharField(help_text="A pseudonym unless names were asked for.")
    n = serializers.IntegerField(help_text="Certain answers.")
    competence = Figure(help_text="How often right, under the shares of the classes.")
    confusion = _matrix("Probability of each answer (column), by true class (row).")
    expected = _matrix("How many answers (column), by true class (row).")


class FlippedItem(Shape):
    """An item whose label would be another."""

    item = serializers.CharField()
    old = serializers.CharField(allow_null=True, help_text="Null: a tie.")
    new = serializers.CharField(allow_null=True, help_text="Null: a tie.")
    old_confidence = serializers.FloatField()
    new_confidence = serializers.FloatField()


class Flips(Shape):
    """What changes between two rules, the surest first."""

    old = serializers.CharField(help_text=RULES)
    new = serializers.CharField(help_text=RULES)
    n = serializers.IntegerField()
    items = FlippedItem(many=True)


class AggregationCut(Shape):
    """What was left out for brevity."""

    annotators = serializers.IntegerField(help_text="People told without their confusion.")
    flips = serializers.IntegerField()


class AggregationReport(Shape):
    """The rules side by side, the annotators by the model, and what would change."""

    project = serializers.CharField()
    question = serializers.CharField()
    as_of = serializers.DateTimeField()
    n_items = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    n_uncertain = serializers.IntegerField(help_text="They vote only where nobody gave another answer.")
    locals()["default"] = DefaultRule()
    rules = RuleRow(many=True)
    model = FittedModel()
    classes = serializers.ListField(child=serializers.CharField())
    shares = serializers.ListField(child=serializers.FloatField())
    annotators = CompetenceRow(many=True)
    flips = Flips()
    cut = AggregationCut()
