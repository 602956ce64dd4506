"""Forms of training rounds: a new one, and a change."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.models import Membership, TrainingRound
from core.selectors.question import QuestionSpec
from core.selectors.training_round import MOST_ITEMS, RoundItem
from core.services.training_round import LONGEST_EXPLANATION, LONGEST_NAME, MOST_TRIES, RoundChanges

DRAWN, FILTER, IDS = "drawn", "filter", "ids"
PERCENT = 100
USUAL_PER_CLASS, USUAL_MOST = 5, 20
SHORT = {"class": "input-short"}


class RoundForm(forms.Form):
    """What every round has."""

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    pass_percent = forms.DecimalField(
        label=_("Passed from, in percent of the items right"),
        min_value=1,
        max_value=100,
        max_digits=4,
        decimal_places=1,
        widget=forms.NumberInput(attrs=SHORT),
    )
    tries = forms.IntegerField(
        label=_("Tries"),
        help_text=_("After the last one that fails, the person waits for a lead."),
        min_value=1,
        max_value=MOST_TRIES,
        widget=forms.NumberInput(attrs=SHORT),
    )

    def changes(self, **more: Any) -> RoundChanges:
        """What the form says, as services.training_round takes it. Call it when the form is valid."""
        fields = self.cleaned_data
        return RoundChanges(fields["name"], fields["pass_percent"] / PERCENT, fields["tries"], **more)


class NewRoundForm(RoundForm):
    """A new round and where its items come from; those of a filter from item.FilterForm beside it."""

    source = forms.ChoiceField(
        label=_("Its items"),
        choices=[
            (DRAWN, _("drawn, so many of every class")),
            (FILTER, _("what a filter leaves")),
            (IDS, _("these ids")),
        ],
        widget=forms.RadioSelect,
    )
    question = forms.ChoiceField(label=_("Question"), required=False)
    per_class = forms.IntegerField(
        label=_("Items of every class"),
        min_value=1,
        max_value=MOST_ITEMS,
        required=False,
        widget=forms.NumberInput(attrs=SHORT),
    )
    most = forms.IntegerField(
        label=_("At most so many items"),
        min_value=1,
        max_value=MOST_ITEMS,
        required=False,
        widget=forms.NumberInput(attrs=SHORT),
    )
    ids = forms.CharField(
        label=_("Ids of items, one per line"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )

    def __init__(self, data: Any, questions: list[QuestionSpec]) -> None:
        start = {
            "pass_percent": Decimal(80),
            "tries": 2,
            "source": DRAWN,
            "per_class": USUAL_PER_CLASS,
            "most": USUAL_MOST,
        }
        super().__init__(data, initial=start)
        choices = [(one.key, one.title or one.key) for one in questions]
        self.fields["question"] = forms.ChoiceField(label=_("Question"), choices=choices, required=False)

    def names(self) -> list[str]:
        """The ids that were typed. Call it when the form is valid."""
        return lines_of(self.cleaned_data["ids"])


class EditRoundForm(RoundForm):
    """A round with its items: ``order-<key>``, ``why-<key>``, ``drop-<key>`` of each. ``version`` is the one that was read."""

    active = forms.BooleanField(
        label=_("Switched on: annotators who join get this round before anything else"), required=False
    )
    more = forms.CharField(
        label=_("Add items: their ids, one per line"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
    )
    version = forms.CharField(widget=forms.HiddenInput, max_length=16)

    def __init__(self, data: Any, items: list[RoundItem]) -> None:
        super().__init__(data)
        self.items = items
        for one in items:
            key = one.item.pk
            called = {"item": one.item.external_id}
            self.fields[f"order-{key}"] = forms.IntegerField(
                label=_("Place of %(item)s") % called,
                initial=one.order,
                min_value=0,
                max_value=10_000,
                required=False,
                widget=forms.NumberInput(attrs=SHORT),
            )
            self.fields[f"why-{key}"] = forms.CharField(
                label=_("Explanation of %(item)s") % called,
                initial=one.explanation,
                max_length=LONGEST_EXPLANATION,
                required=False,
                widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
            )
            self.fields[f"drop-{key}"] = forms.BooleanField(label=_("Take out"), required=False)

    @staticmethod
    def of(training: TrainingRound, items: list[RoundItem], version: str) -> "EditRoundForm":
        """The form with a round as it is."""
        form = EditRoundForm(None, items)
        form.initial = {
            "name": training.name,
            "pass_percent": (training.pass_mark * PERCENT).quantize(Decimal("0.1")).normalize() + 0,
            "tries": training.tries,
            "active": training.active,
            "version": version,
        }
        return form

    def rows(self) -> list[dict[str, Any]]:
        """Every item with its three fields."""
        return [
            {"item": one, **{name: self[f"{name}-{one.item.pk}"] for name in ("order", "why", "drop")}}
            for one in self.items
        ]

    def wanted(self) -> RoundChanges:
        """The round as it is to be. Call it when the form is valid."""
        fields = self.cleaned_data
        kept = [one for one in self.items if not fields[f"drop-{one.item.pk}"]]
        kept.sort(key=lambda one: (fields[f"order-{one.item.pk}"] or 0, one.order))
        items = [(one.item.external_id, fields[f"why-{one.item.pk}"].replace("\r\n", "\n")) for one in kept]
        items += [(name, "") for name in lines_of(fields["more"])]
        return self.changes(active=fields["active"], items=items)


class PeopleForm(forms.Form):
    """Who is sent through a round."""

    members = forms.TypedMultipleChoiceField(
        label=_("People"), coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, people: list[Membership]) -> None:
        super().__init__(data)
        choices = [(one.pk, one.name) for one in people]
        self.fields["members"].choices = choices  # type: ignore[attr-defined]  # of a choice field


def lines_of(text: str) -> list[str]:
    """The lines of a text that are not empty, without blanks around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]
