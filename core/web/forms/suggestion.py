"""What of a run is suggested to annotators."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.models import Project

PERCENT = 100
SHORT = {"class": "input-short"}


class SuggestionForm(forms.Form):
    """How sure the run must be, and of how many items nothing is shown."""

    sure = forms.DecimalField(
        label=_("Only what it holds at least so probable, in percent"),
        min_value=0,
        max_value=100,
        decimal_places=1,
        widget=forms.NumberInput(attrs=SHORT),
    )
    withheld = forms.DecimalField(
        label=_("Withheld on so many of these items, in percent"),
        help_text=_("Drawn by chance. They show what people would have answered without it."),
        min_value=0,
        max_value=90,
        decimal_places=1,
        widget=forms.NumberInput(attrs=SHORT),
    )

    def changes(self) -> dict[str, Any]:
        """What the form says, as services.suggestion takes it. Call it when the form is valid."""
        return {name: self.cleaned_data[name] / PERCENT for name in ("sure", "withheld")}


def suggestion_form(project: Project, data: Any = None) -> SuggestionForm:
    """The form with the project's settings."""
    told = {
        "sure": f"{project.suggestion_sure * PERCENT:.1f}".removesuffix(".0"),
        "withheld": f"{project.suggestion_withheld * PERCENT:.1f}".removesuffix(".0"),
    }
    return SuggestionForm(data, initial=told, prefix="suggestion")
