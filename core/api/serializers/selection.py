"""Shapes of selection: what is asked for, the rounds with their picks, and the report."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.api.serializers.job import JobOut
from core.choices import JobState, Strategy, Stream
from core.services.project import LEAST_SIZE, MOST_SEED, MOST_SIZE

Shape = serializers.Serializer[dict[str, object]]
REACHES = ("interpolated", "extrapolated", "beyond", "too_few")


class SelectionRequest(Shape):
    """What is left out is as the project's settings have it."""

    strategy = serializers.ChoiceField(choices=Strategy.choices, required=False)
    size = serializers.IntegerField(min_value=LEAST_SIZE, max_value=MOST_SIZE, required=False)
    seed = serializers.IntegerField(min_value=0, max_value=MOST_SEED, required=False)
    apply = serializers.BooleanField(
        required=False, help_text="False only looks: the picks are kept, the queue stays as it is."
    )


class Streams(Shape):
    """How many items came from where."""

    selected = serializers.IntegerField(help_text="Chosen by the strategy.")
    audit = serializers.IntegerField(help_text="By chance, from the audit stream.")
    holdout = serializers.IntegerField(help_text="From the holdout, beside the batch.")
    random = serializers.IntegerField(help_text="By chance from the rest: the stream was spent.")


class SelectionLine(Shape):
    """One round."""

    number = serializers.IntegerField()
    job = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=JobState.choices, allow_null=True, help_text="Of its job.")
    strategy = serializers.ChoiceField(choices=Strategy.choices)
    used = serializers.CharField(
        allow_blank=True, help_text="What was done: the strategy, or `cold_start` while there is no model."
    )
    size = serializers.IntegerField()
    seed = serializers.IntegerField()
    apply = serializers.BooleanField()
    n_pool = serializers.IntegerField(help_text="Items that could be picked.")
    n_labels = serializers.IntegerField(help_text="Labels that the model had learnt from.")
    n_uncertain = serializers.IntegerField(help_text="Items with “I cannot tell” only, left out.")
    pool_digest = serializers.CharField(allow_blank=True)
    features = serializers.IntegerField(allow_null=True, help_text="Version of the features.")
    run = serializers.IntegerField(allow_null=True)
    run_name = serializers.CharField(allow_null=True)
    kappa = serializers.FloatField(
        allow_null=True,
        help_text="Of the model's predictions with those of the newest round that had learnt from at least 50 labels fewer.",
    )
    streams = Streams()
    seconds = serializers.DictField(child=serializers.FloatField(), help_text="By stage.")
    parts = serializers.IntegerField()
    subsample = serializers.IntegerField(
        allow_null=True, help_text="Items that a strategy for small pools looked at, of more."
    )
    created_at = serializers.DateTimeField()
    applied_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class PickOut(Shape):
    """An item that was picked, and why."""

    item = serializers.CharField()
    item_version = serializers.IntegerField()
    order = serializers.IntegerField()
    stream = serializers.ChoiceField(choices=Stream.choices)
    score = serializers.FloatField(allow_null=True)
    inclusion_probability = serializers.FloatField(
        allow_null=True,
        help_text=(
            "With which probability the item would have been picked: 1 where score and seed settle it, below 1 where "
            "chance did (`cluster`: one of its cluster). Null where chance drew and it is not known: `badge`, and "
            "`region` where a region has few labels."
        ),
    )
    reason = serializers.DictField(
        allow_null=True, help_text="Null while you have the item in hand: it tells what a model thinks of it."
    )


class SelectionOut(SelectionLine):
    """One round with its picks, in the order of the queue."""

    picks = PickOut(many=True)


class SelectionStarted(Shape):
    """A round that has begun."""

    job = JobOut(allow_null=True)
    selection = SelectionLine()


class SelectionList(Shape):
    """A page of rounds."""

    next = serializers.CharField(allow_null=True)
    results = SelectionLine(many=True)


class Holdout(Shape):
    """The items on which models are measured."""

    n = serializers.IntegerField()
    labelled = serializers.IntegerField()


class ClassQuality(Shape):
    """How one class is predicted."""

    n = serializers.IntegerField()
    n_predicted = serializers.IntegerField()
    precision = Figure()
    recall = Figure()
    f1 = Figure()

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With ``class``, which no attribute can be called."""
        return {"class": serializers.CharField(), **super().get_fields()}


class CurrentModel(Shape):
    """The newest model that was trained here, on the holdout as it is labelled today."""

    run = serializers.IntegerField()
    name = serializers.CharField()
    n_labels = serializers.IntegerField()
    n_uncertain = serializers.IntegerField()
    accuracy = Figure()
    macro_f1 = Figure()
    per_class = ClassQuality(many=True)
    classes = serializers.ListField(child=serializers.CharField())
    confusion = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()), help_text="Rows: the label."
    )
    naive = Figure(allow_null=True, help_text="Cross-validated on chosen labels: not to be believed.")


class LearningPoint(Shape):
    """One model on the curve."""

    run = serializers.IntegerField()
    name = serializers.CharField()
    n = serializers.IntegerField(help_text="Labels.")
    accuracy = Figure()
    macro_f1 = Figure()


class LinePoint(Shape):
    """A point of a fitted line with its band."""

    n = serializers.IntegerField()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class Fit(Shape):
    """Fitted lines; empty while there is too little for one."""

    accuracy = LinePoint(many=True)
    macro_f1 = LinePoint(many=True)


class LearningCurve(Shape):
    """Models of different numbers of labels on the same items of the holdout."""

    points = LearningPoint(many=True)
    fit = Fit()


class ChancePoint(Shape):
    """A model of labels that came by chance."""

    n = serializers.IntegerField()
    accuracy = Figure()
    macro_f1 = Figure()


class RandomCost(Shape):
    """How many labels by chance would have given the present quality."""

    reach = serializers.ChoiceField(choices=REACHES)
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    most = serializers.IntegerField(help_text="Labels by chance of the largest model that was measured.")
    quality = serializers.FloatField(allow_null=True)


class Replay(Shape):
    """What random would have cost: an estimate from models of nested parts of the labels by chance."""

    n_labels = serializers.IntegerField()
    n_chance = serializers.IntegerField()
    n_holdout = serializers.IntegerField()
    points = ChancePoint(many=True)
    accuracy = RandomCost()
    macro_f1 = RandomCost()


class Gain(Shape):
    """What 100 more labels would add."""

    accuracy = Figure()
    macro_f1 = Figure()


class Stop(Shape):
    """Whether more labels still pay: a hint."""

    stable = serializers.BooleanField()
    running = serializers.IntegerField(help_text="Rounds running that changed hardly any prediction.")
    wanted = serializers.IntegerField()
    kappas = serializers.ListField(child=serializers.FloatField())
    threshold = serializers.FloatField()
    gain = Gain()


class HardPair(Shape):
    """Two classes between which picks of the last round lie."""

    a = serializers.CharField()
    b = serializers.CharField()
    n = serializers.IntegerField()


class Hard(Shape):
    """What the model finds hard."""

    classes = ClassQuality(many=True)
    n_classes = serializers.IntegerField()
    pairs = HardPair(many=True)
    unseen = serializers.ListField(child=serializers.CharField())


class SelectionReportOut(Shape):
    """All figures of the page on selection."""

    project = serializers.CharField()
    question = serializers.CharField()
    as_of = serializers.DateTimeField()
    on = serializers.BooleanField()
    chosen_for = serializers.CharField(allow_null=True, help_text="The question that items are chosen for.")
    strategy = serializers.ChoiceField(choices=Strategy.choices)
    size = serializers.IntegerField()
    seed = serializers.IntegerField()
    waiting = Streams(help_text="Picks that still have a place to give.")
    stream_left = serializers.IntegerField(allow_null=True)
    holdout = Holdout()
    model = CurrentModel(allow_null=True)
    curve = LearningCurve()
    random = Replay(allow_null=True)
    stop = Stop(allow_null=True)
    hard = Hard()
    rounds = SelectionLine(many=True)
