"""The form that sends items out again."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.services.relabel import LONGEST_REASON


class RelabelForm(forms.Form):
    """Why items are sent out again; people who label do not see it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("For you and other leads; people who label do not see it."),
    )
