"""Forms of adjudication: the filter of the queue, and a value as pages send it."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from core.choices import Cause, QuestionKind
from core.models import Membership
from core.pipelines.adjudication import Wanted
from core.selectors.question import QuestionSpec, Schema

LONGEST_NAME = 1000
FLAGS = ("flagged", "uncertain")


class QueueForm(forms.Form):
    """What the queue may be narrowed by."""

    question = forms.ChoiceField(label=_("Question"), required=False)
    a = forms.ChoiceField(label=_("Somebody said"), required=False)
    b = forms.ChoiceField(label=_("And somebody"), required=False)
    cause = forms.ChoiceField(label=_("Cause"), choices=[("", _("any")), *Cause.choices], required=False)
    person = forms.ChoiceField(label=_("Answered by"), required=False)
    flagged = forms.BooleanField(label=_("Flagged"), required=False)
    uncertain = forms.BooleanField(label=_("Somebody could not tell"), required=False)

    def __init__(
        self, data: Any, schema: Schema, question: QuestionSpec, people: list[Membership] | None
    ) -> None:
        super().__init__(data)
        spec = [(one.key, one.title or one.key) for one in schema.questions]
        self.fields["question"] = forms.ChoiceField(label=_("Question"), choices=spec, required=False)
        if len(spec) < 2:  # noqa: PLR2004 -- nothing to choose from
            del self.fields["question"]
        named = [("", _("any class")), *((one.name, one.name) for one in question.classes if one.name)]
        for name in ("a", "b"):
            if question.is_choice:
                label = self.fields[name].label
                self.fields[name] = forms.ChoiceField(label=label, choices=named, required=False)
            else:
                del self.fields[name]
        if people is None:
            del self.fields["person"]
        else:
            choices = [("", _("anybody")), *((str(one.pk), one.name) for one in people)]
            self.fields["person"] = forms.ChoiceField(label=_("Answered by"), choices=choices, required=False)

    def wanted(self, state: str, pattern: str | None = None) -> Wanted:
        """The filter as pipelines.adjudication takes it. Call it when the form is valid."""
        fields = self.cleaned_data
        return Wanted(
            state=state,
            a=fields.get("a") or None,
            b=fields.get("b") or None,
            cause=fields["cause"] or None,
            person=int(fields["person"]) if fields.get("person") else None,
            flagged=fields["flagged"],
            uncertain=fields["uncertain"],
            pattern=pattern,
        )


def value_of(question: QuestionSpec, sent: QueryDict) -> Any:
    """What a page sends as the value of a question, as the API would say it."""
    if question.kind == QuestionKind.MULTIPLE:
        return [name for name in sent.getlist("value") if name]
    value = sent.get("value")
    if question.kind == QuestionKind.NUMBER and value is not None:
        try:
            return float(value)
        except ValueError:
            return value
    return value
