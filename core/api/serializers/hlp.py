"""The shape of the report on human-level performance."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import ItemsChoice, Uncertain

Shape = serializers.Serializer[dict[str, object]]
VERDICTS = ("below", "at", "above", "cannot_tell")


class RunName(Shape):
    """The run beside the people."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class PersonScore(Shape):
    """One person's score."""

    id = serializers.CharField()
    score = Figure()


class PeopleScore(Figure):
    """People's score on the whole, and that of each of them."""

    annotators = PersonScore(many=True)


class Ceiling(Shape):
    """The agreement with a random person that nothing can exceed: from below, estimated, from above."""

    split_half = Figure()
    posterior = Figure()
    plug_in = Figure()
    posterior_pair = Figure(help_text="Agreement of two people by the same model.")
    noise = serializers.FloatField(
        allow_null=True, help_text="1: people err about one true class; 0: they differ on every item."
    )


class CoverageAccuracy(Shape):
    """How often somebody answers at all, and the score where they do."""

    coverage = Figure()
    accuracy = Figure()


class Coverage(Shape):
    """People and model with the same right to abstain."""

    reference = serializers.CharField(help_text="As `headline`.")
    people = CoverageAccuracy()
    model = CoverageAccuracy(allow_null=True)


class Comparison(Shape):
    """Model and people on the same items by the same references."""

    score = Figure()
    human = Figure()
    difference = Figure()
    verdict = serializers.ChoiceField(VERDICTS)
    verdict_reason = serializers.CharField()
    needed = serializers.IntegerField(allow_null=True, help_text="About so many more items would decide.")


class ClassComparison(Comparison):
    """The comparison on the items of one class."""

    locals()["class"] = serializers.CharField(allow_blank=True)


class GroupComparison(Comparison):
    """The comparison within one group."""

    group = serializers.CharField(allow_blank=True)


class MajorityRule(Shape):
    """What somebody earns who adds nothing but the majority's habits."""

    rule = Figure()
    lift = Figure()
    model_minus_rule = Figure()
    constant = Figure()
    imitates = serializers.BooleanField()


class AltTestPerson(Shape):
    """One person left out."""

    id = serializers.CharField()
    n_items = serializers.IntegerField()
    model_wins = serializers.FloatField()
    human_wins = serializers.FloatField()
    p = serializers.FloatField()
    won = serializers.BooleanField()


class AltTest(Shape):
    """The alternative annotator test."""

    epsilon = serializers.FloatField()
    winning_rate = serializers.FloatField(allow_null=True)
    advantage = serializers.FloatField(allow_null=True)
    passed = serializers.BooleanField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    n_annotators = serializers.IntegerField()
    n_excluded = serializers.IntegerField()
    people = AltTestPerson(many=True)


class CurvePoint(Shape):
    """What the majority of k people earns beside one more person."""

    k = serializers.IntegerField()
    score = Figure()


class WorthLabelers(Shape):
    """How many people's majority vote predicts one more person as well as the model does."""

    value = serializers.FloatField(allow_null=True)
    ci = serializers.ListField(child=serializers.FloatField(allow_null=True), allow_null=True)
    more_than = serializers.IntegerField(allow_null=True)
    score = Figure()
    curve = CurvePoint(many=True)
    seed = serializers.IntegerField()


class SplitItems(Shape):
    """Where the difference between model and people comes from."""

    share = Figure(allow_null=True)
    on_split = Comparison()
    on_clear = Comparison()


class PersonComparison(Shape):
    """The model beside one person."""

    id = serializers.CharField()
    score = Figure()
    human = Figure()
    difference = Figure()
    p = serializers.FloatField()
    beaten = serializers.BooleanField()


class HumansBeaten(Shape):
    """The model beside every single person with enough items."""

    share = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    n_beaten = serializers.IntegerField()
    n_excluded = serializers.IntegerField()
    worst = PersonComparison(allow_null=True)
    median = PersonComparison(allow_null=True)
    people = PersonComparison(many=True)


class ModelBesidePeople(Comparison):
    """A run beside people."""

    reference = serializers.CharField(help_text="As `headline`.")
    margin = serializers.FloatField()
    imitates_majority = serializers.BooleanField()
    majority_rule = MajorityRule()
    between_humans = Comparison()
    gold = Comparison(allow_null=True)
    alt_test = AltTest()
    alt_test_strict = AltTest(help_text="With an epsilon of 0: better than people.")
    worth_labelers = WorthLabelers()
    split_item_share = Figure(allow_null=True)
    split_items = SplitItems()
    per_class = ClassComparison(many=True)
    per_group = GroupComparison(many=True)
    humans_beaten = HumansBeaten()
    n_predictions = serializers.IntegerField()
    n_used = serializers.IntegerField()


class HlpCut(Shape):
    """How much was left out of a list by its limit."""

    per_group = serializers.IntegerField()


class HlpReport(Shape):
    """Human-level performance on one question, and a run beside it."""

    project = serializers.CharField()
    question = serializers.CharField()
    kind = serializers.CharField()
    uncertain = serializers.ChoiceField(Uncertain.choices)
    items = serializers.ChoiceField(ItemsChoice.choices)
    slice = serializers.CharField(allow_null=True)
    by = serializers.CharField(allow_null=True)
    epsilon = serializers.FloatField()
    margin = serializers.FloatField()
    as_of = serializers.DateTimeField()
    run = RunName(allow_null=True)
    headline = serializers.ChoiceField(["gold", "between_humans"])
    headline_reason = serializers.CharField()
    gold = PeopleScore()
    between_humans = Figure()
    leave_one_out = PeopleScore()
    ceiling = Ceiling()
    coverage = Coverage(allow_null=True)
    model = ModelBesidePeople(allow_null=True)
    n_items = serializers.IntegerField()
    n_annotations = serializers.IntegerField()
    n_annotators = serializers.IntegerField()
    seed = serializers.IntegerField()
    cut = HlpCut()
    warnings = serializers.ListField(child=serializers.CharField())
