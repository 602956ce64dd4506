"""Forms of data validation: the schema as a document, and a rule."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import Severity
from core.models import DataSchema, ValidationRule
from core.web.forms.document import JsonForm

_CODE = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
RULES = [
    ("required", _("it must be there")),
    ("range", _("a number between two bounds")),
    ("pattern", _("it matches a pattern")),
    ("one_of", _("one of these values")),
    ("length", _("a text of some length")),
    ("unique", _("no value twice in a batch")),
    ("share_at_least", _("at least this share of the rows have it")),
]


class SchemaForm(JsonForm):
    """A version of the schema, with the one that the editor saw."""

    document = forms.CharField(
        label=_("Schema"),
        help_text=_(
            "JSON. Each field has type, required, minimum, maximum, shortest, longest, categories and unit. A field "
            "that you change is kept to strictly; of the others more rows must differ than chance explains."
        ),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "class": "mono", **_CODE}),
    )
    note = forms.CharField(label=_("Why"), max_length=500, required=False)
    check = forms.BooleanField(label=_("Check the newest batch again"), required=False)
    number = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    @classmethod
    def of(cls, data: Any, newest: DataSchema | None) -> "SchemaForm":
        """The form, filled with the schema in force."""
        document = newest.document if newest else {"fields": {}}
        text = json.dumps(document, indent=2, ensure_ascii=False)
        initial = {"document": text, "check": True, "number": newest.number if newest else 0}
        return cls(data, initial=initial)


class RuleForm(forms.Form):
    """A rule: a field, what is asked of it, and how grave a breach is."""

    name = forms.CharField(label=_("Name"), max_length=120)
    field = forms.CharField(
        label=_("Field"),
        help_text=_("A field of the data, or meta. and a key of the metadata."),
        max_length=200,
        widget=forms.TextInput(attrs={"list": "field-names", **_CODE}),
    )
    rule = forms.ChoiceField(label=_("What is asked"), choices=RULES)
    minimum = forms.FloatField(label=_("Minimum"), required=False)
    maximum = forms.FloatField(label=_("Maximum"), required=False)
    pattern = forms.CharField(
        label=_("Regular expression (RE2)"),
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"class": "mono", **_CODE}),
    )
    values = forms.CharField(
        label=_("Values, one per line"), required=False, widget=forms.Textarea(attrs={"rows": 4, **_CODE})
    )
    share = forms.FloatField(
        label=_("Share, from 0 to 1"),
        help_text=_("With one value above: the share that has it."),
        required=False,
    )
    severity = forms.ChoiceField(label=_("A breach is"), choices=Severity.choices, initial=Severity.WARN)
    active = forms.BooleanField(label=_("In force"), required=False, initial=True)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    @classmethod
    def of(cls, data: Any, rule: ValidationRule | None) -> "RuleForm":
        """The form, filled with a rule that is changed."""
        if rule is None:
            return cls(data)
        args = rule.document.get("args", {})
        values = args.get("values") or [one for one in [args.get("value")] if one is not None]
        filled = {key: args.get(key) for key in ("minimum", "maximum", "pattern", "share")}
        return cls(
            data,
            initial={
                "name": rule.name,
                "field": rule.document.get("field"),
                "rule": rule.document.get("rule"),
                "severity": rule.severity,
                "active": rule.active,
                "version": rule.version,
                "values": "\n".join(values),
                **filled,
            },
        )

    def body(self) -> dict[str, Any]:
        """The rule as the API takes it."""
        said = self.cleaned_data
        values = [line.strip("\r") for line in said["values"].split("\n") if line.strip()]
        args: dict[str, Any] = {
            "range": {"minimum": said["minimum"], "maximum": said["maximum"]},
            "length": {"minimum": said["minimum"], "maximum": said["maximum"]},
            "pattern": {"pattern": said["pattern"]},
            "one_of": {"values": values},
            "share_at_least": {"share": said["share"], "value": values[0] if values else None},
        }.get(said["rule"], {})
        document = {"field": said["field"], "rule": said["rule"], "args": args}
        return {
            "name": said["name"],
            "severity": said["severity"],
            "document": document,
            "active": said["active"],
        }
