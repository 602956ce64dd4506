"""What the audit log can be narrowed to."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy as _

from core.selectors.audit import LONGEST, LogFilter
from core.web.forms.throughput import refuse_unknown


class AuditFilterForm(forms.Form):
    """Which lines, and where the page begins."""

    verb = forms.ChoiceField(label=_("What was done"), required=False)
    actor = forms.CharField(label=_("By (sign-in name)"), required=False, max_length=LONGEST)
    thing = forms.CharField(label=_("To what"), required=False, max_length=LONGEST)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)

    def __init__(self, verbs: Iterable[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["verb"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101 -- narrows the type
        chosen.choices = [("", _("everything")), *((verb, verb) for verb in verbs)]

    def clean(self) -> dict[str, Any] | None:
        """Refuse what is no filter of this page."""
        refuse_unknown(self)
        return super().clean()

    def chosen(self) -> LogFilter:
        """What was asked for, of a form that is valid."""
        asked = self.cleaned_data
        return LogFilter(asked["verb"], asked["actor"], asked["thing"], asked["since"], asked["until"])

    def address(self, **more: Any) -> str:
        """The query of an address that asks for the same."""
        names = ("verb", "actor", "thing", "since", "until")
        kept = {name: value for name in names if (value := self.cleaned_data.get(name))}
        return urlencode({**kept, **more})
