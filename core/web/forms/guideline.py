"""Forms of the guideline pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.services.guideline import LONGEST_GUIDELINE, LONGEST_NOTE


class GuidelineForm(forms.Form):
    """A new version. ``based_on`` is the number of the version that its writer started from."""

    text = forms.CharField(
        label=_("Guideline"),
        help_text=_(
            "Markdown: # heading, - list, **strong**, [words](https://…), and ![what it shows](name.png) "
            "for an image that you have uploaded."
        ),
        max_length=LONGEST_GUIDELINE,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 20}),
    )
    note = forms.CharField(
        label=_("What changed"),
        help_text=_("One line for the list of versions."),
        max_length=LONGEST_NOTE,
        required=False,
    )
    based_on = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def clean_text(self) -> str:
        """Line ends as they are kept: browsers send carriage returns."""
        text: Any = self.cleaned_data["text"]
        return str(text).replace("\r\n", "\n")
