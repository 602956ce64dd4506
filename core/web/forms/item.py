"""Forms of the item pages: the filter of the list, a correction, and who may have a batch."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import ItemState
from core.models import Batch, Item, Membership, Tag
from core.selectors.item import LONGEST_QUERY
from core.services.tag import LONGEST_NAME as LONGEST_TAG

YES = "1"


class FilterForm(forms.Form):
    """What a list of items may be narrowed by."""

    q = forms.CharField(label=_("Text or id"), max_length=LONGEST_QUERY, required=False)
    state = forms.ChoiceField(
        label=_("State"),
        choices=[
            ("", _("any")),
            ("open", ItemState.OPEN.label),
            ("done", _("done")),
            ("with_lead", ItemState.WITH_LEAD.label),
            ("withdrawn", ItemState.WITHDRAWN.label),
        ],
        required=False,
    )
    batch = forms.ChoiceField(label=_("Batch"), required=False)
    tag = forms.ChoiceField(label=_("Tag"), required=False)
    meta_key = forms.CharField(label=_("Metadata field"), max_length=180, required=False)
    meta_value = forms.CharField(label=_("is"), max_length=LONGEST_QUERY, required=False)
    disagreement_min = forms.FloatField(
        label=_("Pairs that differ, at least (0 to 1)"), min_value=0, max_value=1, required=False
    )
    uncertain = forms.BooleanField(label=_("Somebody could not tell"), required=False)
    flagged = forms.BooleanField(label=_("Flagged"), required=False)

    def __init__(self, data: Any, batches: list[Batch], tags: list[Tag]) -> None:
        super().__init__(data)
        named = [("", _("any")), *((one.name, one.name) for one in tags)]
        self.fields["tag"] = forms.ChoiceField(label=_("Tag"), choices=named, required=False)
        choices = [("", _("any")), *((str(one.number), f"{one.number}. {one.name}") for one in batches)]
        self.fields["batch"] = forms.ChoiceField(label=_("Batch"), choices=choices, required=False)

    def filters(self) -> dict[str, str]:
        """The filters as selectors.item takes them. Call it when the form is valid."""
        fields = self.cleaned_data
        found = {name: str(fields[name]) for name in ("q", "state", "batch", "tag") if fields[name]}
        found |= {name: YES for name in ("uncertain", "flagged") if fields[name]}
        if fields["disagreement_min"] is not None:
            found["disagreement_min"] = f"{fields['disagreement_min']:.6f}"
        if fields["meta_key"]:
            found[f"meta.{fields['meta_key']}"] = fields["meta_value"]
        return found


class TagForm(forms.Form):
    """A tag to put on items or take off them."""

    name = forms.CharField(
        label=_("Tag"),
        max_length=LONGEST_TAG,
        widget=forms.TextInput(attrs={"list": "known-tags", "autocomplete": "off"}),
    )


class CorrectForm(forms.Form):
    """An item's data and metadata as JSON. ``version`` is the one that the editor saw."""

    item_data = forms.CharField(
        label=_("Data"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "class": "mono", "spellcheck": "false"}),
    )
    item_meta = forms.CharField(
        label=_("Metadata"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
    )
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    @staticmethod
    def initial_of(item: Item) -> dict[str, Any]:
        """The item as the form shows it."""
        return {"item_data": _pretty(item.data), "item_meta": _pretty(item.meta), "version": item.version}

    def clean_item_data(self) -> dict[str, Any]:
        """The data as values."""
        return _object(self.cleaned_data["item_data"])

    def clean_item_meta(self) -> dict[str, Any]:
        """The metadata as values."""
        return _object(self.cleaned_data["item_meta"])


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise forms.ValidationError(_("This is not JSON%(where)s."), params={"where": where}) from error
    if not isinstance(value, dict):
        raise forms.ValidationError(_("This is an object with named values, such as {“text”: “…”}."))
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _value in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)


class BatchForm(forms.Form):
    """The people who may have a batch; nobody chosen means everybody."""

    members = forms.TypedMultipleChoiceField(
        label=_("Goes to"),
        help_text=_("With nobody chosen, the batch goes to everybody."),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, people: list[Membership], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["members"]
        assert isinstance(chosen, forms.TypedMultipleChoiceField)  # noqa: S101 -- narrows the type
        chosen.choices = [(one.pk, one.name) for one in people]
