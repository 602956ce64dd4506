"""Forms that send items out again."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.choices import Doubt, RelabelFor, RelabelTo
from core.models import GuidelineVersion, Membership, Validation
from core.selectors.question import QuestionSpec
from core.selectors.relabel import LEAST, MOST_DRAWN, MOST_ITEMS
from core.services.relabel import LONGEST_REASON

IDS, FILTER = "ids", "filter"
USUALLY_DRAWN = 100


class RelabelForm(forms.Form):
    """Why items are sent out again; people who label do not see it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("For you and other leads; people who label do not see it."),
    )


class NewRelabelForm(forms.Form):
    """Which items are sent out again, to whom and how. The items of a filter come from item.FilterForm beside it."""

    source = forms.ChoiceField(
        label=_("Which items"),
        choices=[
            (RelabelFor.GUIDELINE.value, _("what a guideline version touches")),
            (RelabelFor.AGREEMENT.value, _("what people differ on most")),
            (RelabelFor.UNCERTAIN.value, _("what somebody could not tell")),
            (RelabelFor.ERRORS.value, _("likely errors of the last look")),
            (RelabelFor.DRIFT.value, _("a batch in which a data check found something")),
            (FILTER, _("what a filter leaves")),
            (IDS, _("these ids")),
        ],
        widget=forms.RadioSelect,
    )
    guideline = forms.TypedChoiceField(
        label=_("Guideline version"), coerce=int, empty_value=None, required=False
    )
    question = forms.ChoiceField(label=_("Question"), required=False)
    least = forms.FloatField(
        label=_("Share of the pairs of answers that differ, at least"),
        min_value=0.01,
        max_value=1,
        required=False,
    )
    doubt = forms.ChoiceField(label=_("Which list"), choices=Doubt.choices, required=False)
    validation = forms.TypedChoiceField(label=_("Data check"), coerce=int, empty_value=None, required=False)
    ids = forms.CharField(
        label=_("Ids of items, one per line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )
    most = forms.IntegerField(label=_("At most so many items"), min_value=1, max_value=MOST_ITEMS)
    drawn = forms.IntegerField(
        label=_("Items of the audit slice, drawn by chance"), min_value=0, max_value=MOST_DRAWN
    )
    to = forms.ChoiceField(label=_("To whom"), choices=RelabelTo.choices, widget=forms.RadioSelect)
    members = forms.TypedMultipleChoiceField(
        label=_("Named people"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    shown = forms.BooleanField(
        label=_("Show people what was answered before"),
        help_text=_("Without it they answer blind; only blind answers tell whether a change helped."),
        required=False,
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("For you and other leads; people who label do not see it."),
    )

    def __init__(
        self,
        data: Any,
        *,
        versions: list[GuidelineVersion],
        questions: list[QuestionSpec],
        people: list[Membership],
        checks: list[Validation],
        n_drawable: int,
        initial: dict[str, Any] | None = None,
    ) -> None:
        first = RelabelFor.GUIDELINE if versions else RelabelFor.AGREEMENT
        start: dict[str, Any] = {
            "source": first.value,
            "guideline": versions[0].number if versions else "",
            "least": LEAST,
            "most": min(1000, MOST_ITEMS),
            "drawn": min(USUALLY_DRAWN, n_drawable),
            "to": RelabelTo.SAME.value,
        }
        super().__init__(data, initial=start | (initial or {}))
        named = {
            "guideline": [(one.number, _version_name(one)) for one in versions],
            "question": [(spec.key, spec.title or spec.key) for spec in questions],
            "members": [(one.pk, one.name) for one in people],
            "validation": [(one.pk, _check_name(one)) for one in checks],
        }
        for name, choices in named.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]
        self.fields["drawn"].help_text = _(
            "%(n)s could be drawn. They are sent whatever was answered; on them the page “Did it help” compares before "
            "with after. What is sent because of its answers proves nothing."
        ) % {"n": f"{n_drawable:,}"}


def _check_name(check: Validation) -> str:
    n = len(check.findings)
    words = ngettext("batch %(batch)s: %(n)s finding", "batch %(batch)s: %(n)s findings", n)
    return words % {"batch": check.batch.number if check.batch else "", "n": n}


def _version_name(version: GuidelineVersion) -> str:
    number = _("version %d") % version.number
    return f"{number}: {version.note}" if version.note else str(number)
