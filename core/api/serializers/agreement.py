"""The shape of the agreement report."""

from rest_framework import serializers

from core.choices import ItemsChoice, Level, Uncertain

Shape = serializers.Serializer[dict[str, object]]


class Figure(Shape):
    """A value with its interval, or null with the reason."""

    value = serializers.FloatField(allow_null=True)
    se = serializers.FloatField(allow_null=True)
    ci = serializers.ListField(
        child=serializers.FloatField(), min_length=2, max_length=2, allow_null=True, help_text="95 %"
    )
    method = serializers.CharField(allow_null=True)
    n_items = serializers.IntegerField()
    n_pairs = serializers.IntegerField()
    reason = serializers.CharField(allow_null=True)


class Coefficients(Shape):
    """Percent agreement and the chance-corrected coefficients."""

    percent_agreement = Figure()
    krippendorff_alpha = Figure()
    gwet_ac1 = Figure()
    fleiss_kappa = Figure()
    scott_pi = Figure()
    brennan_prediger = Figure()
    conger_kappa = Figure()


class Verdict(Shape):
    """The level of agreement that is reached with at least 95 % probability."""

    scale = serializers.CharField()
    level = serializers.CharField()
    probability = serializers.FloatField()
    coefficient = serializers.CharField()


class Dropped(Shape):
    """What did not count."""

    one_annotation = serializers.IntegerField(help_text="Items with one answer.")
    repeat_pass = serializers.IntegerField(help_text="Answers that belong to other repeats.")
    uncertain = serializers.IntegerField(help_text="Uncertain answers taken as missing.")


class ClassRow(Shape):
    """One class; `class` is its name."""

    locals()["class"] = serializers.CharField(allow_blank=True)
    specific_agreement = Figure()
    alpha = Figure()
    n = serializers.IntegerField()


class PairRow(Shape):
    """Two people on the items that both answered."""

    a = serializers.CharField()
    b = serializers.CharField()
    n_items = serializers.IntegerField()
    percent = Figure()
    cohen_kappa = Figure()


class AnnotatorRow(Shape):
    """One person against the others, and against themselves."""

    id = serializers.CharField()
    n = serializers.IntegerField()
    leave_one_out = Figure()
    abstention_rate = Figure()
    intra = Figure()


class ConfusionRow(Shape):
    """Pairs of different answers to one item."""

    a = serializers.CharField(allow_blank=True)
    b = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    share = serializers.FloatField()


class UncertainClassRow(Shape):
    """One uncertainty class."""

    locals()["class"] = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    rate = Figure()


class Uncertainty(Shape):
    """How often people cannot tell, and whether they agree on when."""

    rate = Figure()
    alpha_on_abstaining = Figure()
    by_class = UncertainClassRow(many=True)


class AgainstGold(Shape):
    """The majority's labels against gold, ties sharing the credit."""

    majority_accuracy_fractional_ties = Figure()
    n_items = serializers.IntegerField()


class GroupRow(Shape):
    """The same within one guideline version, batch or month."""

    group = serializers.CharField()
    n_items = serializers.IntegerField()
    n_items_used = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    coefficients = Coefficients()
    verdict = Verdict(allow_null=True)
    per_class = ClassRow(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class Cut(Shape):
    """How much was left out of a list by its limit."""

    per_class = serializers.IntegerField()
    pairs = serializers.IntegerField()
    confusions = serializers.IntegerField()


class AgreementReport(Shape):
    """Agreement between people on one question."""

    project = serializers.CharField()
    question = serializers.CharField()
    level = serializers.ChoiceField(Level.choices)
    uncertain = serializers.ChoiceField(Uncertain.choices)
    items = serializers.ChoiceField(ItemsChoice.choices)
    slice = serializers.CharField(allow_null=True)
    by = serializers.CharField(allow_null=True)
    repeat = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    n_items = serializers.IntegerField()
    n_items_used = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    dropped = Dropped()
    coefficients = Coefficients()
    verdict = Verdict(allow_null=True)
    per_class = ClassRow(many=True)
    pairs = PairRow(many=True)
    annotators = AnnotatorRow(many=True)
    confusions = ConfusionRow(many=True)
    uncertainty = Uncertainty()
    intra = Figure()
    against_gold = AgainstGold(allow_null=True)
    cut = Cut()
    warnings = serializers.ListField(child=serializers.CharField())
    groups = GroupRow(many=True, required=False)
