"""The form that merges classes."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.selectors.question import LONGEST_NAME, ClassSpec
from core.services.mapping import LONGEST_NOTE


class MergeForm(forms.Form):
    """Into which of the chosen classes, what it is called then, and why. ``version`` is the one that was seen."""

    question = forms.CharField(widget=forms.HiddenInput)
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    into = forms.TypedChoiceField(
        label=gettext_lazy("Read them all as"),
        help_text=gettext_lazy(
            "It keeps its definition, key and colour. The others can no longer be chosen."
        ),
        coerce=int,
        widget=forms.RadioSelect,
    )
    name = forms.CharField(
        label=gettext_lazy("Call it"),
        help_text=gettext_lazy("Left empty, it keeps its name."),
        max_length=LONGEST_NAME,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    note = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=LONGEST_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, chosen: Sequence[ClassSpec], data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        self.chosen = tuple(chosen)
        choices = [(spec.id, spec.name or _("(empty)")) for spec in chosen]
        self.fields["into"].choices = choices  # type: ignore[attr-defined]

    def seen_again(self, version: str) -> "MergeForm":
        """The same with another version, so that a second submit is a decision."""
        return MergeForm(
            self.chosen, {**{name: self.data.get(name) for name in self.fields}, "version": version}
        )
