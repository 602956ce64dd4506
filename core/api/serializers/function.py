"""Shapes of labeling functions, of trying one out, and of the report on them."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import FunctionKind
from core.pipelines.function import RULES

Shape = serializers.Serializer[dict[str, object]]
ARGUMENTS = (
    "keywords: `words`, `every`, `also`, `field`; pattern: `pattern`, `case`, `field`; meta: `key`, `operator`, `value`; "
    "run: `run`, `above`"
)


class FunctionRequest(Shape):
    """A labeling function; a change names only what changes."""

    name = serializers.CharField(max_length=120, required=False)
    question = serializers.CharField(
        required=False, help_text="Its key; may be left out where there is only one."
    )
    kind = serializers.ChoiceField(choices=FunctionKind.choices, required=False)
    locals()["class"] = serializers.CharField(
        required=False, allow_null=True, help_text="The class that it votes for; null: what a run says."
    )
    arguments = serializers.DictField(required=False, help_text=ARGUMENTS)
    active = serializers.BooleanField(required=False)


class FunctionOut(Shape):
    """A labeling function."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    question = serializers.CharField()
    kind = serializers.ChoiceField(choices=FunctionKind.choices)
    locals()["class"] = serializers.CharField(allow_null=True)
    arguments = serializers.DictField(help_text=ARGUMENTS)
    active = serializers.BooleanField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class FunctionList(Shape):
    """A page of functions."""

    next = serializers.CharField(allow_null=True)
    results = FunctionOut(many=True)


class ExamplePart(Shape):
    """A piece of a text."""

    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    marked = serializers.BooleanField(help_text="Whether the function matches here.")


class FunctionExample(Shape):
    """An item on which a function would vote."""

    item = serializers.CharField()
    locals()["class"] = serializers.CharField(help_text="That it would vote for.")
    parts = ExamplePart(many=True)


class FunctionPreview(Shape):
    """What a function would do to the first items."""

    n_items = serializers.IntegerField(help_text="Items looked at.")
    n_matched = serializers.IntegerField()
    cut = serializers.BooleanField(help_text="Whether the time was up before all of the first items.")
    examples = FunctionExample(many=True)


class LearntVote(Shape):
    """What the label model thinks of the votes for one class."""

    locals()["class"] = serializers.CharField()
    accuracy = serializers.FloatField()


class FunctionRow(Shape):
    """One function in the report."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=FunctionKind.choices)
    version = serializers.IntegerField()
    classes = serializers.ListField(child=serializers.CharField(), help_text="Most votes first.")
    n = serializers.IntegerField(help_text="Its votes on the items looked at.")
    coverage = Figure(help_text="Share of the items looked at.")
    overlap = Figure(help_text="Share of its votes beside which another function votes.")
    conflict = Figure(help_text="Share of its votes on items with votes for different classes.")
    accuracy = Figure(help_text="Where it votes, against the reference.")
    learnt = LearntVote(many=True)


class FunctionPair(Shape):
    """Two functions that vote differently somewhere."""

    a = serializers.IntegerField()
    b = serializers.IntegerField()
    n_both = serializers.IntegerField()
    n_differ = serializers.IntegerField()
    share = Figure()
    items = serializers.ListField(child=serializers.CharField(), help_text="Some of the items behind.")


class ClassShare(Shape):
    """The share of a class."""

    locals()["class"] = serializers.CharField()
    share = serializers.FloatField()


class ClassBalance(Shape):
    """The shares of the classes that the label model was given."""

    locals()["from"] = serializers.CharField(help_text="`audit_stream` or `votes`")
    n = serializers.IntegerField(help_text="Labels of the audit stream.")
    shares = ClassShare(many=True)


class LabelModelOut(Shape):
    """The label model beside majority, on items whose class is known."""

    label_model = Figure()
    majority = Figure()
    difference = Figure()
    chosen = serializers.CharField(help_text="`label_model` or `majority`")
    why = serializers.CharField(help_text="`at_or_above`, `below` or `no_reference`")
    iterations = serializers.IntegerField()
    converged = serializers.BooleanField()
    balance = ClassBalance()


class FunctionReference(Shape):
    """What accuracies rest on."""

    locals()["from"] = serializers.CharField(allow_null=True, help_text="`gold`, `audit` or `labels`")
    n_items = serializers.IntegerField()


class FunctionAdvice(Shape):
    """Something to do."""

    code = serializers.CharField()
    functions = serializers.ListField(child=serializers.IntegerField())
    classes = serializers.ListField(child=serializers.CharField())
    n = serializers.IntegerField()


class FunctionCut(Shape):
    """What was left out."""

    pairs = serializers.IntegerField()


class FunctionReport(Shape):
    """What functions cover, where they conflict, how often they are right."""

    project = serializers.CharField()
    question = serializers.CharField()
    as_of = serializers.DateTimeField()
    n_items = serializers.IntegerField()
    n_looked = serializers.IntegerField()
    coverage = Figure()
    overlap = Figure()
    conflict = Figure()
    reference = FunctionReference()
    functions = FunctionRow(many=True)
    pairs = FunctionPair(many=True)
    cut = FunctionCut()
    label_model = LabelModelOut()
    advice = FunctionAdvice(many=True)


class ApplyRequest(Shape):
    """Which question, and how votes become labels."""

    question = serializers.CharField(required=False)
    rule = serializers.ChoiceField(choices=RULES, required=False, default="default")
