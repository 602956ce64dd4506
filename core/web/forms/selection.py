"""The form of selection: what is chosen, how many at a time, from which seed, for which question."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import Strategy
from core.models import Project
from core.selectors.question import QuestionSpec
from core.services.project import LEAST_SIZE, MOST_SEED, MOST_SIZE


class SelectionForm(forms.Form):
    """The settings of selection. The question is asked for only where there are several to learn."""

    strategy = forms.ChoiceField(label=_("Strategy"), choices=Strategy.choices, widget=forms.RadioSelect)
    size = forms.IntegerField(
        label=_("Items in a batch"),
        help_text=_("A fifth of them come from the audit stream, by chance. 50 was measured."),
        min_value=LEAST_SIZE,
        max_value=MOST_SIZE,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        help_text=_("The same labels and the same seed give the same picks."),
        min_value=0,
        max_value=MOST_SEED,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    question = forms.ChoiceField(label=_("Question to learn"), required=False)

    def __init__(
        self, project: Project, questions: Sequence[QuestionSpec], data: Any = None, **more: Any
    ) -> None:
        super().__init__(data, initial=self.initial_of(project), **more)
        if len(questions) > 1:
            named = [(spec.key, spec.title or spec.key) for spec in questions]
            self.fields["question"] = forms.ChoiceField(
                label=_("Question to learn"), choices=[("", _("the first of them")), *named], required=False
            )
        else:
            del self.fields["question"]

    @staticmethod
    def initial_of(project: Project) -> dict[str, Any]:
        """The settings in force."""
        question = project.selection_question
        return {
            "strategy": project.selection_strategy,
            "size": project.selection_size,
            "seed": project.selection_seed,
            "question": question.key if question else "",
        }

    def changes(self) -> dict[str, Any]:
        """What was asked for, as services.selection.switch takes it. Call it when the form is valid."""
        fields = self.cleaned_data
        question = {"question": fields["question"] or None} if "question" in self.fields else {}
        return {"strategy": fields["strategy"], "size": fields["size"], "seed": fields["seed"], **question}
