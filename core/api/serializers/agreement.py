"""The shape of the agreement report."""

from rest_framework import serializers

from core.choices import ItemsChoice, Level, Uncertain
from core.pipelines.agreement import INTERVALS

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
    needed = serializers.IntegerField(
        allow_null=True, help_text="How many more such items bring the interval to ±0.05."
    )


class Coefficients(Shape):
    """Percent agreement and the chance-corrected coefficients."""

    percent_agreement = Figure()
    krippendorff_alpha = Figure()
    gwet_ac1 = Figure()
    fleiss_kappa = Figure()
    scott_pi = Figure()
    brennan_prediger = Figure()
    conger_kappa = Figure()


class Weighted(Shape):
    """Agreement with partial credit for answers that differ."""

    percent_agreement = Figure()
    gwet_ac2 = Figure()
    fleiss_kappa = Figure()
    brennan_prediger = Figure()
    conger_kappa = Figure()


class Sets(Shape):
    """Agreement on sets of classes."""

    jaccard_similarity = Figure()
    alpha_jaccard = Figure()
    alpha_masi = Figure()


class Texts(Shape):
    """Agreement on texts."""

    exact = Figure()
    standardised = Figure(
        help_text="Equal in NFKC, whatever the case, the blanks and the punctuation at the ends."
    )
    edit_similarity = Figure(
        help_text="1 - Levenshtein's distance / length of the longer text, standardised. Where "
        "texts are many or long, of items drawn at random: `n_items` says how many."
    )
    alpha_edit = Figure(
        help_text="Krippendorff's alpha with the distance 1 - edit similarity; where texts are many, the expected "
        "distance is estimated from a sample of pairs."
    )


class Intraclass(Shape):
    """Shrout and Fleiss's intraclass correlations: one-way, two-way random, two-way mixed; of one answer and of k."""

    icc_1 = Figure()
    icc_2 = Figure()
    icc_3 = Figure()
    icc_1k = Figure()
    icc_2k = Figure()
    icc_3k = Figure()


class Verdict(Shape):
    """The level of agreement that is reached with at least 95 % probability.

    Of the scale `krippendorff` the level is that of the interval's lower end, against .8 and .667.
    """

    scale = serializers.ChoiceField(["landis_koch", "altman", "krippendorff"])
    level = serializers.CharField()
    probability = serializers.FloatField(help_text="That the truth is in this level or a better one.")
    coefficient = serializers.CharField()


class Precision(Shape):
    """What some labels on every item give; null for a single label, which shows no agreement."""

    half_width_now = serializers.FloatField(
        allow_null=True, help_text="Of the 95 % interval, with the present items."
    )
    items_needed = serializers.IntegerField(allow_null=True, help_text="For the wanted half width.")
    answers_needed = serializers.IntegerField(allow_null=True, help_text="On the items needed.")


class PlanRow(Precision):
    """What so many labels on every item give; the half width, items and answers are those of alpha."""

    labels_per_item = serializers.IntegerField()
    percent = Precision()
    answers_now = serializers.IntegerField(help_text="On the present items.")
    consensus = serializers.FloatField(
        help_text="Probability that the class with most labels is the one most people would choose."
    )
    support = serializers.FloatField(help_text="Probability that one more person chooses it.")


class Planning(Shape):
    """How many items, and labels on each, for a wanted precision; see the statistics for the model."""

    wanted_half_width = serializers.FloatField()
    wanted_consensus = serializers.FloatField()
    labels_needed = serializers.IntegerField(
        allow_null=True, help_text="Per item, for the wanted consensus; null if more than the rows show."
    )
    rows = PlanRow(many=True, help_text="By labels per item, from one up.")
    reason = serializers.CharField(allow_null=True, help_text="Why there are no rows.")


class Dropped(Shape):
    """What did not count."""

    one_annotation = serializers.IntegerField(help_text="Items with one answer.")
    repeat_pass = serializers.IntegerField(help_text="Answers that belong to other repeats.")
    uncertain = serializers.IntegerField(help_text="Uncertain answers taken as missing.")


class ClassRow(Shape):
    """One class, by its name in `class`; where several are ticked, each class ticked or not."""

    locals()["class"] = serializers.CharField(allow_blank=True)
    specific_agreement = Figure()
    alpha = Figure()
    n = serializers.IntegerField()


class AgainstChance(Shape):
    """A kappa against 0: its standard error if it is 0, how many of those it is away, and the two-sided p."""

    se = serializers.FloatField()
    z = serializers.FloatField()
    p = serializers.FloatField()


class CoefficientAgainstChance(AgainstChance):
    """The same of one of the coefficients."""

    coefficient = serializers.CharField()


class PairRow(Shape):
    """Two people on the items that both answered."""

    a = serializers.CharField()
    b = serializers.CharField()
    n_items = serializers.IntegerField()
    percent = Figure()
    cohen_kappa = Figure()
    against_chance = AgainstChance(allow_null=True, help_text="Of Cohen's kappa.")
    bangdiwala_b = serializers.FloatField(help_text="Squared full agreement by squared possible agreement.")
    weighted_kappa = Figure(required=False, help_text="Where there are weights.")


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


class MajorityRow(Shape):
    """The share of uncertain answers on the items whose certain answers are mostly of one class."""

    locals()["class"] = serializers.CharField(allow_blank=True)
    n_items = serializers.IntegerField()
    rate = Figure()


class GroupUncertainty(Shape):
    """How often people cannot tell, and whether they agree on when."""

    rate = Figure()
    alpha_on_abstaining = Figure()


class Uncertainty(GroupUncertainty):
    """The same, by uncertainty class and by what the others say."""

    by_class = UncertainClassRow(many=True)
    by_majority = MajorityRow(many=True)


class AgainstGold(Shape):
    """The majority's labels against gold, ties sharing the credit."""

    majority_accuracy_fractional_ties = Figure()
    n_items = serializers.IntegerField()


class GroupRow(Shape):
    """The same within one guideline version, batch, month, tag or value of the metadata."""

    group = serializers.CharField(allow_blank=True)
    n_items = serializers.IntegerField()
    n_items_used = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    coefficients = Coefficients()
    verdict = Verdict(allow_null=True)
    per_class = ClassRow(many=True)
    uncertainty = GroupUncertainty()
    warnings = serializers.ListField(child=serializers.CharField())


class Difference(Shape):
    """After minus before, the two being independent; `p` is two-sided, of no difference."""

    difference = Figure()
    p = serializers.FloatField(allow_null=True)


class ChangeRow(Shape):
    """From one guideline version to the next."""

    locals()["from"] = serializers.CharField()
    to = serializers.CharField()
    percent_agreement = Difference()
    krippendorff_alpha = Difference()


class Reading(Shape):
    """The main figures under one reading of uncertain answers."""

    n_items = serializers.IntegerField()
    n_items_used = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    dropped = serializers.DictField(child=serializers.IntegerField())
    percent_agreement = Figure()
    krippendorff_alpha = Figure()
    gwet_ac1 = Figure()


class Readings(Shape):
    """The three readings side by side."""

    locals()["class"] = Reading()
    missing = Reading()
    disagree = Reading()


class LeansOn(Shape):
    """The other reading under which alpha differs most from the one shown, and by how much."""

    reading = serializers.CharField()
    difference = serializers.FloatField()


class Cut(Shape):
    """How much was left out of a list by its limit."""

    per_class = serializers.IntegerField()
    pairs = serializers.IntegerField()
    confusions = serializers.IntegerField()
    groups = serializers.IntegerField()


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
    weights = serializers.CharField(allow_null=True)
    interval = serializers.ChoiceField(INTERVALS, help_text="Of the coefficients but Conger's kappa.")
    as_of = serializers.DateTimeField()
    n_items = serializers.IntegerField()
    n_items_used = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    dropped = Dropped()
    coefficients = Coefficients()
    verdict = Verdict(allow_null=True)
    against_chance = CoefficientAgainstChance(
        allow_null=True, help_text="Of Fleiss' kappa, where all items have equally many answers."
    )
    verdicts = Verdict(many=True)
    weighted = Weighted(allow_null=True)
    sets = Sets(allow_null=True, help_text="Where several classes may be ticked.")
    texts = Texts(allow_null=True, help_text="Where answers are texts.")
    intraclass = Intraclass(allow_null=True, help_text="From the interval level up.")
    mean_absolute_difference = Figure(allow_null=True, help_text="In the unit of the answers.")
    planning = Planning(
        allow_null=True, help_text="Where one of a few classes is chosen, at the nominal level."
    )
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
    changes = ChangeRow(many=True, required=False, help_text="With `by=guideline`.")
    readings = Readings(required=False)
    headline_leans_on = LeansOn(required=False, allow_null=True, help_text="With `readings`.")


class PairLine(Shape):
    """Two people on the items that both answered, in short."""

    a = serializers.CharField()
    b = serializers.CharField()
    n_items = serializers.IntegerField()
    percent = serializers.FloatField(allow_null=True)
    percent_ci = serializers.ListField(child=serializers.FloatField(), allow_null=True, help_text="95 %")
    cohen_kappa = serializers.FloatField(allow_null=True)
    cohen_kappa_ci = serializers.ListField(child=serializers.FloatField(), allow_null=True, help_text="95 %")
    cohen_kappa_reason = serializers.CharField(allow_null=True)
    weighted_kappa = serializers.FloatField(allow_null=True, help_text="Null without weights.")
    weighted_kappa_ci = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="95 %"
    )


class PairList(Shape):
    """A page of pairs."""

    as_of = serializers.DateTimeField()
    results = PairLine(many=True)
    next = serializers.CharField(allow_null=True)
