"""What the audit log can be narrowed to."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class AuditFilterForm(forms.Form):
    """One kind of line, and where the page begins."""

    verb = forms.ChoiceField(label=_("What was done"), required=False)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)

    def __init__(self, verbs: Iterable[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["verb"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101 -- narrows the type
        chosen.choices = [("", _("everything")), *((verb, verb) for verb in verbs)]
