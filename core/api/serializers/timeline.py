"""The shape of the agreement timeline."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import MappingKind, RelabelFor, RelabelTo

Shape = serializers.Serializer[dict[str, object]]
KINDS = ("guideline", "mapping", "reverted", "training", "relabel", "void")
DESIGNS = ("paired", "independent", "same_answers")
OUTCOMES = ("rose", "fell", "same", "cannot_tell")


class CoursePoint(Shape):
    """How far the answers that stood at a moment agree, on the audit slice."""

    at = serializers.DateTimeField()
    alpha = Figure(help_text="Krippendorff's alpha.")
    percent = Figure(help_text="Percent agreement.")
    n_changes = serializers.IntegerField(help_text="Changes since the point before.")


class Compared(Shape):
    """Before and after, with a test of the difference."""

    before = Figure()
    after = Figure()
    difference = Figure()
    p = serializers.FloatField(allow_null=True)
    outcome = serializers.ChoiceField(
        choices=OUTCOMES, help_text="`same`: the interval lies within ±0.05; `cannot_tell`: neither."
    )
    more_items = serializers.IntegerField(
        allow_null=True, help_text="About so many more items would decide; null where nobody can say."
    )


class Measures(Shape):
    """Two measures of the same answers."""

    alpha = Compared(help_text="Krippendorff's alpha; of touched classes against each other and the rest.")
    percent = Compared(help_text="Percent agreement; of touched classes their specific agreement.")


class Elsewhere(Shape):
    """Before and after where nothing is proved: items outside the audit slice, or sent out because of their answers."""

    n_items = serializers.IntegerField()
    before = serializers.FloatField(allow_null=True, help_text="Alpha.")
    after = serializers.FloatField(allow_null=True)


class ChangeComparison(Shape):
    """What is compared: the same items answered anew, two sets of items, or the same answers otherwise read."""

    design = serializers.ChoiceField(choices=DESIGNS)
    overall = Measures()
    touched = Measures(allow_null=True, help_text="On the classes that the change is about.")
    elsewhere = Elsewhere()


class ChangeOut(Shape):
    """A change and what came of it. Which further fields there are depends on its kind."""

    kind = serializers.CharField(help_text=f"One of {', '.join(KINDS)}.")
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="The next change, where its answers end.")
    number = serializers.IntegerField(required=False, help_text="Of a guideline version or a mapping.")
    note = serializers.CharField(required=False, allow_blank=True)
    touches = serializers.ListField(child=serializers.CharField(), required=False)
    mapping = serializers.CharField(required=False, help_text=f"One of {', '.join(MappingKind.values)}.")
    classes = serializers.ListField(child=serializers.CharField(), required=False)
    into = serializers.CharField(required=False, allow_null=True)
    name = serializers.JSONField(
        required=False, help_text="Of a training round; of a mapping the class's names before and after."
    )
    n_rules = serializers.IntegerField(required=False)
    reverted = serializers.BooleanField(required=False)
    n_passed = serializers.IntegerField(required=False)
    n_annotations = serializers.IntegerField(required=False)
    reason = serializers.CharField(required=False)
    to = serializers.ChoiceField(choices=RelabelTo.choices, required=False)
    source = serializers.ChoiceField(choices=RelabelFor.choices, required=False)  # type: ignore[assignment]  # a field, not the attribute
    blind = serializers.BooleanField(required=False)
    guideline = serializers.IntegerField(required=False, allow_null=True)
    n_items = serializers.IntegerField(required=False)
    n_places = serializers.IntegerField(required=False)
    n_answered = serializers.IntegerField(required=False)
    n_waiting = serializers.IntegerField(required=False)
    n_drawn = serializers.IntegerField(required=False)
    comparison = ChangeComparison(allow_null=True)


class TimelineReport(Shape):
    """The course of agreement on the audit slice, and every change, oldest first."""

    project = serializers.CharField()
    question = serializers.CharField()
    level = serializers.CharField()
    as_of = serializers.DateTimeField()
    has_audit = serializers.BooleanField()
    n_items = serializers.IntegerField(help_text="Items of the audit slice with an answer.")
    course = CoursePoint(many=True)
    changes = ChangeOut(many=True)
    cut = serializers.IntegerField(help_text="Earlier changes that are not listed.")
