"""The form of a labeling function: what it looks for and which class it votes for, one set of fields per kind."""

from math import isfinite
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import FunctionKind
from core.exceptions import Invalid
from core.models import LabelingFunction, Run
from core.selectors.function import class_voted_for
from core.selectors.question import QuestionSpec

_CODE = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
OPERATORS = [
    ("=", _("is")),
    ("!=", _("is not")),
    ("<", _("is less than")),
    ("<=", _("is at most")),
    (">", _("is more than")),
    (">=", _("is at least")),
    ("contains", _("contains")),
    ("missing", _("is missing")),
]
KIND_FIELDS = {
    FunctionKind.KEYWORDS: ("words", "every", "also", "field"),
    FunctionKind.PATTERN: ("pattern", "case", "field"),
    FunctionKind.META: ("key", "operator", "value"),
    FunctionKind.RUN: ("run", "above"),
}
RENAMED = {"class": "label_class"}
QUOTED = 2


class FunctionForm(forms.Form):
    """The fields of one kind; what they mean is judged by the pipeline and told at the fields.

    ``data_fields`` and ``meta_keys`` are names that occur in the items.
    """

    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    label_class = forms.ChoiceField(label=_("Votes for"), required=False)
    words = forms.CharField(
        label=_("Words or phrases, one per line"),
        help_text=_("Whole words, whatever their case."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, **_CODE}),
    )
    every = forms.BooleanField(label=_("All of them must occur"), required=False)
    also = forms.CharField(
        label=_("And one of these, one per line (may be left empty)"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, **_CODE}),
    )
    pattern = forms.CharField(
        label=_("Regular expression (RE2)"),
        help_text=_("It may match anywhere in the text. Lookarounds and back-references are not possible."),
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"class": "mono", **_CODE}),
    )
    case = forms.BooleanField(label=_("Upper and lower case differ"), required=False)
    field = forms.ChoiceField(label=_("Looks at"), required=False)
    key = forms.CharField(
        label=_("Key of the metadata"),
        required=False,
        widget=forms.TextInput(attrs={"list": "meta-keys", **_CODE}),
    )
    operator = forms.ChoiceField(label=_("Condition"), choices=OPERATORS, required=False)
    value = forms.CharField(
        label=_("Value"),
        help_text=_("A number, true, false, or a text. A number in quotation marks is a text."),
        required=False,
        widget=forms.TextInput(attrs=_CODE),
    )
    run = forms.TypedChoiceField(label=_("Run"), coerce=int, empty_value=None, required=False)
    above = forms.FloatField(
        label=_("Only above this probability"),
        help_text=_("From 0 to 1. Left empty, every prediction votes."),
        required=False,
    )
    active = forms.BooleanField(label=_("Switched on"), required=False, initial=True)

    def __init__(
        self,
        data: Any = None,
        *,
        kind: FunctionKind,
        question: QuestionSpec,
        runs: list[Run],
        data_fields: list[str],
        function: LabelingFunction | None = None,
    ) -> None:
        super().__init__(data, initial=None if function is None else initial_of(function))
        self.kind, self.question = kind, question
        names = [spec.name for spec in question.classes if not spec.uncertain]
        first = _("whatever class the run says") if kind is FunctionKind.RUN else _("choose a class")
        _field(self, "label_class").choices = [("", first), *((name, name or _("(empty)")) for name in names)]
        _field(self, "field").choices = [("", _("all of the data")), *((name, name) for name in data_fields)]
        _field(self, "run").choices = [("", _("choose a run")), *((run.pk, run.name) for run in runs)]
        for name in {name for names in KIND_FIELDS.values() for name in names} - {*KIND_FIELDS[kind]}:
            del self.fields[name]

    @property
    def special(self) -> list[forms.BoundField]:
        """The fields of this kind alone."""
        return [self[name] for name in KIND_FIELDS[self.kind]]

    def document(self) -> dict[str, Any]:
        """The function as the API takes it. Call it when ``is_valid``."""
        fields = self.cleaned_data
        arguments = {name: fields[name] for name in KIND_FIELDS[self.kind]}
        if self.kind is FunctionKind.KEYWORDS:
            for name in ("words", "also"):
                arguments[name] = [line for line in fields[name].splitlines() if line.strip()]
        if self.kind is FunctionKind.META:
            arguments["value"] = typed(fields["value"])
        return {
            "name": fields["name"],
            "question": self.question.key,
            "kind": self.kind.value,
            "class": fields["label_class"] or None,
            "arguments": arguments,
            "active": fields["active"],
        }

    def tell(self, error: Invalid) -> None:
        """Show a refusal at the fields that it names, else above the form."""
        for row in error.errors or [{"detail": error.detail}]:
            name = RENAMED.get(row.get("field", ""), row.get("field"))
            self.add_error(name if name in self.fields else None, row["detail"])


def _field(form: forms.Form, name: str) -> forms.ChoiceField:
    found = form.fields[name]
    if not isinstance(found, forms.ChoiceField):
        raise TypeError(name)
    return found


def initial_of(function: LabelingFunction) -> dict[str, Any]:
    """A function as its form shows it."""
    arguments = dict(function.arguments)
    if function.kind == FunctionKind.KEYWORDS:
        for name in ("words", "also"):
            arguments[name] = "\n".join(arguments[name])
    if function.kind == FunctionKind.META:
        arguments["value"] = written(arguments["value"])
    return {
        **arguments,
        "name": function.name,
        "label_class": class_voted_for(function) or "",
        "active": function.active,
    }


def typed(text: str) -> str | float | bool | None:
    """What was typed as a value: a number, true or false, or a text, which may stand in quotation marks."""
    said = text.strip()
    if said.casefold() in {"true", "false"}:
        return said.casefold() == "true"
    if len(said) >= QUOTED and said[0] == said[-1] == '"':
        return said[1:-1]
    try:
        number = float(said)
    except ValueError:
        return said or None
    if not isfinite(number):
        return said
    return int(number) if number.is_integer() else number


def written(value: Any) -> str:
    """A value as it is typed: ``typed`` makes it the same again."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) and typed(value) != value else str(value)
