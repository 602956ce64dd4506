"""Forms of the gold page: what a lead knows to be true, and what the list shows."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import QuestionKind
from core.selectors.question import Schema

OUTSIDE, CONFIRMED = "outside", "confirmed"
LONGEST_ID = 200
LONGEST_VALUE = 20_000


class GoldForm(forms.Form):
    """The truth about one question of an item, as somebody types it."""

    item = forms.CharField(label=_("Id of the item"), max_length=LONGEST_ID, strip=False)
    question = forms.ChoiceField(label=_("Question"))
    value = forms.CharField(
        label=_("What is true"),
        help_text=_("The name of a class; of several classes one per line; a number or a text."),
        max_length=LONGEST_VALUE,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, data: Any, schema: Schema) -> None:
        super().__init__(data)
        self._kinds = {one.key: one.kind for one in schema.questions}
        choices = [(one.key, one.title or one.key) for one in schema.questions]
        self.fields["question"] = forms.ChoiceField(label=_("Question"), choices=choices)

    def read_value(self) -> Any:
        """The value as the API would say it. Call it when the form is valid."""
        text, kind = self.cleaned_data["value"], self._kinds[self.cleaned_data["question"]]
        if kind == QuestionKind.TEXT:
            return text.replace("\r\n", "\n")
        if kind == QuestionKind.MULTIPLE:
            return [line.strip() for line in text.splitlines() if line.strip()]
        if kind == QuestionKind.NUMBER:
            try:
                return float(text)
            except ValueError:
                return text
        return text.strip()


class GoldFilter(forms.Form):
    """What the list of gold may be narrowed by."""

    question = forms.ChoiceField(label=_("Question"), required=False)
    origin = forms.ChoiceField(
        label=_("Where from"),
        choices=[
            ("", _("any")),
            (OUTSIDE, _("imported or entered")),
            (CONFIRMED, _("confirmed by an expert")),
        ],
        required=False,
    )

    def __init__(self, data: Any, schema: Schema) -> None:
        super().__init__(data)
        named = [("", _("any")), *((one.key, one.title or one.key) for one in schema.questions)]
        self.fields["question"] = forms.ChoiceField(label=_("Question"), choices=named, required=False)
