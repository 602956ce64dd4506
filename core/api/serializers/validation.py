"""Shapes of data validation: reports, the schema, rules."""

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import Severity
from core.pipelines.validation import RULES

Shape = serializers.Serializer[dict[str, object]]


class FindingRow(Shape):
    """A row that has what was found."""

    row = serializers.IntegerField()
    id = serializers.CharField(allow_blank=True, help_text="Empty where the file gives none.")
    value = serializers.CharField(required=False, help_text="The beginning of the value.")


class FindingCounts(Shape):
    """How many findings of each severity."""

    stop = serializers.IntegerField()
    warn = serializers.IntegerField()
    note = serializers.IntegerField()


class FindingOut(Shape):
    """One thing that was found."""

    code = serializers.CharField(help_text="Stable.")
    kind = serializers.CharField(help_text="missing, type, unit, range, category, length, encoding, …")
    severity = serializers.ChoiceField(choices=Severity.choices)
    field = serializers.CharField(allow_blank=True)
    slice = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    of = serializers.IntegerField()
    share = serializers.FloatField()
    rows = FindingRow(many=True, help_text="The first 20.")
    detail = serializers.CharField()
    said = serializers.DictField(help_text="What the sentence is made of.")
    figure = Figure(allow_null=True)
    rule = serializers.IntegerField(allow_null=True)


class ValidationLine(Shape):
    """A report on a batch, without its findings."""

    id = serializers.IntegerField()
    batch = serializers.IntegerField(allow_null=True, help_text="Its number; null until it is published.")
    locals()["import"] = serializers.IntegerField(allow_null=True)
    schema = serializers.IntegerField(allow_null=True, help_text="The number of its version.")
    severity = serializers.ChoiceField(choices=Severity.choices)
    n_items = serializers.IntegerField()
    n_findings = FindingCounts()
    created_at = serializers.DateTimeField()


class ValidationOut(ValidationLine):
    """A report on a batch."""

    findings = FindingOut(many=True)


class ValidationList(Shape):
    """A page of reports."""

    next = serializers.CharField(allow_null=True)
    results = ValidationLine(many=True)


class DataSchemaOut(Shape):
    """A version of what items look like."""

    number = serializers.IntegerField()
    document = serializers.DictField()
    note = serializers.CharField(allow_blank=True)
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class DataSchemaLine(DataSchemaOut):
    """A version with what it changes."""

    difference = serializers.ListField(child=serializers.DictField())


class DataSchemaList(Shape):
    """A page of versions, newest first."""

    next = serializers.CharField(allow_null=True)
    results = DataSchemaLine(many=True)


class DataSchemaRequest(Shape):
    """A new version."""

    document = serializers.DictField(
        help_text="`fields`: name to `type`, `required`, `minimum`, `maximum`, `shortest`, `longest`, `categories`, `unit`"
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)
    check = serializers.BooleanField(required=False, help_text="Whether to check the newest batch again.")


class RuleDocument(Shape):
    """What a rule asks of one field."""

    field = serializers.CharField(help_text="A field of the data, or meta. and a key.")
    rule = serializers.ChoiceField(choices=list(RULES))
    args = serializers.DictField(required=False)


class RuleRequest(Shape):
    """A rule; a change names only what changes."""

    name = serializers.CharField(max_length=120, required=False)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    document = RuleDocument(required=False)
    active = serializers.BooleanField(required=False)


class RuleOut(Shape):
    """A rule."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    document = RuleDocument()
    active = serializers.BooleanField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class RuleList(Shape):
    """A page of rules."""

    next = serializers.CharField(allow_null=True)
    results = RuleOut(many=True)


class RulePreview(Shape):
    """What a rule would say of the newest items."""

    n_items = serializers.IntegerField()
    n_broken = serializers.IntegerField()
    rows = FindingRow(many=True)
