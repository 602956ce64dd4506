"""JSON that somebody pastes into a form."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class JsonForm(forms.Form):
    """A form whose field ``document`` holds JSON."""

    def clean_document(self) -> Any:
        """The document as values."""
        try:
            return json.loads(self.cleaned_data["document"], parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
            raise forms.ValidationError(_("This is not JSON%(where)s."), params={"where": where}) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
