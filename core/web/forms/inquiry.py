"""Forms of the page of questions."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.services.inquiry import LONGEST_ANSWER


class AnswerForm(forms.Form):
    """What a lead answers. ``seen`` is the revision of the question that they read."""

    answer = forms.CharField(
        label=_("Answer"),
        help_text=_("Only who asked reads it. What everybody should know belongs into the guideline."),
        max_length=LONGEST_ANSWER,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    seen = forms.CharField(widget=forms.HiddenInput)
