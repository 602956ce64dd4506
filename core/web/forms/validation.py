"""Forms of data validation: the schema field by field and as a document, and a rule."""

import json
from typing import Any, Self

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import Severity
from core.exceptions import Invalid
from core.models import DataSchema, ValidationRule
from core.pipelines.validation import LONGEST_FIELD, LONGEST_UNIT, TYPES, field_pointer
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


TYPE_WORDS = {
    "number": _("number"),
    "boolean": _("true or false"),
    "date": _("date (ISO)"),
    "other date": _("date, written otherwise"),
    "decimal comma": _("number with a decimal comma"),
    "quantity": _("number with a unit"),
    "text": _("text"),
    "list": _("list"),
    "object": _("object"),
    "mixed": _("anything"),
}
BOUNDS = ("minimum", "maximum", "shortest", "longest")
MOST_ROWS = 100  # fields of a schema that is shown as a form: 10 inputs each, and a request may have 1,000


class VersionForm(forms.Form):
    """What goes with a version of the schema: why, and the version that the editor saw."""

    note = forms.CharField(label=_("Why"), max_length=500, required=False)
    check = forms.BooleanField(label=_("Check the newest batch again"), required=False)
    number = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    @classmethod
    def of(cls, data: Any, newest: DataSchema | None) -> Self:
        """The form, filled with the schema in force."""
        text = json.dumps(newest.document if newest else {"fields": {}}, indent=2, ensure_ascii=False)
        initial = {"document": text, "check": True, "number": newest.number if newest else 0}
        return cls(data, initial=initial)


class SchemaForm(JsonForm, VersionForm):
    """A version of the schema as JSON."""

    document = forms.CharField(
        label=_("Schema"),
        help_text=_(
            "JSON. Each field has type, required, minimum, maximum, shortest, longest, categories and unit. A field "
            "that you change is kept to strictly; of the others more rows must differ than chance explains."
        ),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "class": "mono", **_CODE}),
    )
    field_order = ("document", "note", "check")


class LinesField(forms.CharField):
    """A list of texts, one per line; None where there is none."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        """A list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Lines as a list, without those that are blank."""
        if isinstance(value, list):
            return value
        return [line for line in (value or "").splitlines() if line.strip()] or None

    def validate(self, value: Any) -> None:
        """No database keeps a null character in JSON."""
        super().validate(value)
        if any("\0" in line for line in value or ()):
            raise forms.ValidationError(_("Null characters are not allowed."), code="bad-categories")

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other lines stand there than were shown."""
        return bool(self.to_python(self.prepare_value(initial)) != self.to_python(data))


class FieldForm(forms.Form):
    """One field of the schema: what its values are, and what they keep to."""

    name = forms.CharField(
        label=_("Name of the field"),
        help_text=_("A field of the data, or meta. and a key of the metadata."),
        max_length=LONGEST_FIELD,
        required=False,
        widget=forms.TextInput(attrs={"list": "field-names", **_CODE}),
    )
    type = forms.ChoiceField(
        label=_("Kind"), choices=[(one, TYPE_WORDS[one]) for one in TYPES], initial="mixed"
    )
    unit = forms.CharField(
        label=_("Unit"), max_length=LONGEST_UNIT, required=False, widget=forms.TextInput(attrs=_CODE)
    )
    minimum = forms.FloatField(label=_("Lowest number"), required=False)
    maximum = forms.FloatField(label=_("Highest number"), required=False)
    shortest = forms.IntegerField(label=_("Fewest characters"), required=False, min_value=0)
    longest = forms.IntegerField(label=_("Most characters"), required=False, min_value=0)
    categories = LinesField(
        label=_("Categories, one per line"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, **_CODE}),
    )
    required = forms.BooleanField(label=_("Every row has it"), required=False)
    remove = forms.BooleanField(label=_("Take it out of the schema"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known: str = self.initial.get("name", "")
        del self.fields["name" if self.known else "remove"]

    @property
    def called(self) -> str:
        """The field's name; of a new one the name that was typed."""
        return self.known or str(getattr(self, "cleaned_data", {}).get("name") or "")

    def clean(self) -> dict[str, Any]:
        """A new field needs a name."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.known and self.has_changed() and not said.get("name") and "name" not in self.errors:
            self.add_error("name", forms.ValidationError(_("Name the field."), code="bad-field"))
        return said

    def wanted(self, before: dict[str, Any]) -> dict[str, Any]:
        """The field's part of the document: as it was, but for what was changed."""
        changed = self.changed_data if self.known else [key for key in self.cleaned_data if key != "name"]
        said = {key: self.cleaned_data[key] for key in changed}
        made = {key: value for key, value in before.items() if key not in {"learnt", "far"}} | said
        return {key: value for key, value in made.items() if value is not None and value != ""}


_Rows = forms.formset_factory(FieldForm, extra=1, max_num=MOST_ROWS + 1, absolute_max=MOST_ROWS + 1)


class SchemaFields:
    """The schema in force as a form for each of its fields, and an empty one for a new field."""

    def __init__(self, data: Any, newest: DataSchema | None) -> None:
        self.before: dict[str, Any] = newest.document["fields"] if newest else {}
        initial = [
            {"name": name, **{key: _plain(value) for key, value in wanted.items()}}
            for name, wanted in sorted(self.before.items())
        ]
        self.formset = _Rows(data, prefix="fields", initial=initial)

    @property
    def forms(self) -> list[FieldForm]:
        """The forms in the order of the names; the empty one last."""
        return list(self.formset.forms)

    def is_valid(self) -> bool:
        """Whether each value is one; what the values say together is checked by the pipeline."""
        valid = bool(self.formset.is_valid())
        names = [one.called for one in self.forms if one.called]
        last = self.forms[-1] if self.forms else None
        if valid and last is not None and names.count(last.called) > 1:
            last.add_error("name", forms.ValidationError(_("The schema has this field."), code="name-taken"))
            return False
        return valid

    def document(self) -> dict[str, Any]:
        """The document that the forms make, in the order of its fields."""
        if not self.formset.is_bound:
            return {"fields": self.before}
        kept = [one for one in self.forms if one.called and not one.cleaned_data.get("remove")]
        fields = {one.called: one.wanted(self.before.get(one.known, {})) for one in kept}
        return {"fields": {name: fields[name] for name in sorted(fields)}}

    def tell(self, error: Invalid) -> bool:
        """Show errors beside the inputs that their pointers name; whether all of them have found one."""
        told = 0
        for row in error.errors:
            found = [
                one
                for one in self.forms
                if one.called and row["pointer"].startswith(field_pointer(one.called))
            ]
            if not found:
                continue
            form = max(found, key=lambda one: len(one.called))
            key = row["pointer"].rsplit("/", 1)[-1]
            place = key if key in form.fields else None
            form.add_error(place, forms.ValidationError(row["detail"], code=row["code"]))
            told += 1
        return bool(told) and told == len(error.errors)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value  # noqa: PLR2004 -- all digits are shown


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
