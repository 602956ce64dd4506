"""Which days of people's work to show."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

DAYS = 30


def refuse_unknown(form: forms.Form) -> None:
    """Refuse a parameter that no field of the form has: all rows would come as if they were narrowed by it."""
    unknown = sorted(set(form.data) - set(form.fields))
    if unknown:
        words = _("There is no filter “%(name)s” here. There are: %(known)s.")
        values = {"name": unknown[0][:60], "known": ", ".join(form.fields)}
        form.add_error(None, forms.ValidationError(words, code="unknown-filter", params=values))


class WorkForm(forms.Form):
    """From a day to a day."""

    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any] | None:
        """Refuse what is no filter of this page."""
        refuse_unknown(self)
        return super().clean()

    def clean_until(self) -> date | None:
        """A last day before which there are thirty more."""
        until: date | None = self.cleaned_data["until"]
        if until is not None and until - date.min < timedelta(days=DAYS):
            raise forms.ValidationError(_("This day is too early."), code="too-early")
        return until

    def span(self, today: date) -> tuple[date, date]:
        """The days that were asked for; without a beginning the last thirty."""
        asked = self.cleaned_data if self.is_valid() else {}
        until = asked.get("until") or today
        return asked.get("since") or until - timedelta(days=DAYS - 1), until
