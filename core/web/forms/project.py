"""Forms of the project pages: the editor of a new project, its settings, and its copy."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import Gate
from core.exceptions import DomainError
from core.models import Project
from core.web.forms.document import JsonForm
from core.web.forms.question import QuestionsEditor

PERCENT = 100
DISPLAY_KINDS = [
    ("text", _("text")),
    ("pair", _("one of two texts side by side")),
    ("image", _("image")),
    ("table", _("row of a table")),
    ("hidden", _("not shown")),
]


class ProjectForm(forms.Form):
    """What a project has once: its name, its overlap, its guideline."""

    name = forms.CharField(
        label=_("Name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    slug = forms.CharField(
        label=_("Short name in addresses"),
        help_text=_("Lower-case letters, digits and hyphens. It cannot be changed later."),
        max_length=60,
        required=False,
        widget=forms.TextInput(
            attrs={"data-slug-of": "id_name", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    overlap = forms.IntegerField(
        label=_("People per item"),
        help_text=_("How many different people answer every item. Agreement needs at least 2 on some items."),
        min_value=1,
        max_value=100,
        initial=3,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    audit_percent = forms.DecimalField(
        label=_("Audit slice, in percent of the items"),
        help_text=_(
            "These items are set aside by a hash of their id when they are imported. Agreement and the quality of "
            "models are estimated on them, because nothing chooses them. 10 to 15 is usual."
        ),
        min_value=0,
        max_value=100,
        max_digits=4,
        decimal_places=1,
        initial=Decimal(12),
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    guideline = forms.CharField(
        label=_("Guideline"),
        help_text=_(
            "Markdown. When does each class apply? Annotators open it with one key. It can be written later."
        ),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8}),
    )


class ProjectEditor(QuestionsEditor):
    """The form of a new project: what it has once, and its questions."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, bound: bool = True) -> None:
        super().__init__(data, bound=bound)
        initial = None if data is None else {name: data.get(name, "") for name in ProjectForm.base_fields}
        self.form = ProjectForm(data) if self.bound else ProjectForm(initial=initial)

    @property
    def all_forms(self) -> list[forms.Form]:
        """Every form on the page, in its order."""
        return [self.form, *super().all_forms]

    def document(self) -> dict[str, Any]:
        """The project document that was typed. Call it when ``is_valid``."""
        fields = self.form.cleaned_data
        document: dict[str, Any] = {
            "name": fields["name"],
            "overlap": fields["overlap"],
            "audit_fraction": str(fields["audit_percent"] / PERCENT),
            "guideline": fields["guideline"].replace("\r\n", "\n"),
            "questions": self.questions(),
        }
        return {**document, "slug": fields["slug"]} if fields["slug"] else document

    def tell(self, error: DomainError, at: str = "") -> None:
        """Show a refusal where it belongs; a taken name at the field of the short name."""
        if error.code == "slug-taken":
            self.form.add_error("slug", error.detail)
        else:
            super().tell(error, at)

    def field_at(self, pointer: str) -> tuple[forms.Form | None, str]:
        """The form and the field of a JSON pointer."""
        name = pointer.removeprefix("/").replace("audit_fraction", "audit_percent")
        return (self.form, name) if name in self.form.fields else super().field_at(pointer)


class DocumentForm(JsonForm):
    """A project document, pasted."""

    document = forms.CharField(
        label=_("Project document"),
        help_text=_("JSON, as the API takes it: slug, name, overlap, questions with classes, guideline."),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "class": "mono", "spellcheck": "false"}),
    )


class SettingsForm(forms.Form):
    """Settings that can be changed later. ``version`` is the one that the editor saw."""

    name = forms.CharField(label=_("Name"), max_length=200)
    overlap = forms.IntegerField(
        label=_("People per item"),
        min_value=1,
        max_value=100,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    audit_overlap = forms.IntegerField(
        label=_("People per item of the audit slice"),
        min_value=1,
        max_value=100,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    audit_percent = forms.DecimalField(
        label=_("Audit slice, in percent of the items"),
        help_text=_("Counts for items that are imported from now on; those that are here keep their place."),
        min_value=0,
        max_value=100,
        max_digits=4,
        decimal_places=1,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    lease_minutes = forms.IntegerField(
        label=_("Minutes that an item is held for one person"),
        help_text=_("After that the item goes to somebody else; a late answer is kept as a draft."),
        min_value=1,
        max_value=1440,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    retest_percent = forms.DecimalField(
        label=_("Repeats, in percent of the hand-outs"),
        help_text=_(
            "The same person gets the same item again, blind: how far do people agree with themselves?"
        ),
        min_value=0,
        max_value=50,
        max_digits=4,
        decimal_places=1,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    retest_minimum = forms.IntegerField(
        label=_("Repeats per person, at least"),
        help_text=_(
            "Whoever has nothing else left gets repeats until there are so many. From 30 on a person's figure says something."
        ),
        min_value=0,
        max_value=10_000,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    retest_after_days = forms.IntegerField(
        label=_("Days before a repeat"),
        min_value=1,
        max_value=3650,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    gold_percent = forms.DecimalField(
        label=_("Gold items, in percent of the hand-outs"),
        help_text=_("Items with known truth, mixed in without being told apart."),
        min_value=0,
        max_value=100,
        max_digits=4,
        decimal_places=1,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    gold_bound_percent = forms.DecimalField(
        label=_("Pause below this accuracy on gold, in percent"),
        help_text=_(
            "Whoever is surely below it, by the upper end of a 95 % interval that holds however often one looks, gets no "
            "further items until a lead lets them go on. Nobody is judged before 20 gold answers. Empty: nobody is paused."
        ),
        required=False,
        min_value=1,
        max_value=99,
        max_digits=3,
        decimal_places=1,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    validation_gate = forms.ChoiceField(
        label=_("What findings about a new file of items do"),
        help_text=_(
            "The page “Data checks” shows them. Only those that are said to stop an import can hold it."
        ),
        choices=Gate.choices,
        widget=forms.RadioSelect,
    )
    overlap_most = forms.IntegerField(
        label=_("At most so many people per item"),
        help_text=_(
            "Items whose label is not sure get one more person at a time. Never in the audit slice. Empty: every item "
            "has the same number of people."
        ),
        required=False,
        min_value=1,
        max_value=100,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    sure_percent = forms.DecimalField(
        label=_("Sure, in percent"),
        help_text=_("From this probability of its label an item needs nobody more."),
        min_value=50,
        max_value=Decimal("99.9"),
        max_digits=3,
        decimal_places=1,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    overlap_budget = forms.IntegerField(
        label=_("Answers beyond the people per item, in all"),
        help_text=_("Empty: as many as it takes."),
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        widget=forms.NumberInput(attrs={"class": "input-short"}),
    )
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    @staticmethod
    def initial_of(project: Project) -> dict[str, Any]:
        """The project's settings as the form shows them."""
        return {
            "name": project.name,
            "overlap": project.overlap,
            "audit_overlap": project.audit_overlap,
            "audit_percent": _percent(project.audit_fraction),
            "lease_minutes": project.lease_minutes,
            "retest_percent": _percent(project.retest_rate),
            "retest_after_days": project.retest_after_days,
            "retest_minimum": project.retest_minimum,
            "gold_percent": _percent(project.gold_rate),
            "gold_bound_percent": None if project.gold_bound is None else _percent(project.gold_bound),
            "validation_gate": project.validation_gate,
            "overlap_most": project.overlap_most,
            "sure_percent": _percent(project.overlap_sure),
            "overlap_budget": project.overlap_budget,
            "version": project.version,
        }

    def changes(self) -> dict[str, Any]:
        """The settings as the project document says them. Call it when the form is valid."""
        fields = self.cleaned_data
        bound = fields["gold_bound_percent"]
        return {
            "name": fields["name"],
            "overlap": fields["overlap"],
            "audit_overlap": fields["audit_overlap"],
            "audit_fraction": str(fields["audit_percent"] / PERCENT),
            "lease_minutes": fields["lease_minutes"],
            "retest": {
                "after_days": fields["retest_after_days"],
                "rate": str(fields["retest_percent"] / PERCENT),
                "per_person_minimum": fields["retest_minimum"],
            },
            "gold_rate": str(fields["gold_percent"] / PERCENT),
            "gold_bound": None if bound is None else str(bound / PERCENT),
            "validation_gate": fields["validation_gate"],
            "adaptive": {
                "most": fields["overlap_most"],
                "sure": str(fields["sure_percent"] / PERCENT),
                "budget": fields["overlap_budget"],
            },
        }


def _percent(share: Decimal) -> Decimal:
    return (share * PERCENT).quantize(Decimal("0.1")).normalize() + 0


class DisplayForm(forms.Form):
    """How each data field of the items is shown. All of them on "automatic": labelapp decides."""

    def __init__(self, fields: list[str], display: Mapping[str, str], data: Any = None) -> None:
        super().__init__(data, prefix="display")
        self._names = dict(enumerate(fields))
        for number, name in self._names.items():
            self.fields[str(number)] = forms.ChoiceField(
                label=name,
                choices=[("", _("automatic")), *DISPLAY_KINDS],
                required=False,
                initial=display.get(name, ""),
            )

    def clean(self) -> dict[str, Any]:
        """Naming only hidden fields would leave nothing to look at."""
        kinds = set(filter(None, self.cleaned_data.values()))
        if kinds == {"hidden"}:
            raise forms.ValidationError(_("Choose how at least one field is shown."))
        return self.cleaned_data

    def mapping(self) -> dict[str, str]:
        """The project's ``display``: the fields that were given a kind. Call it when the form is valid."""
        chosen = {name: self.cleaned_data[str(number)] for number, name in self._names.items()}
        return {name: kind for name, kind in chosen.items() if kind}


class CloneForm(forms.Form):
    """What a copy of a project is called."""

    name = forms.CharField(label=_("Name of the copy"), max_length=200)
    slug = forms.CharField(
        label=_("Short name in addresses"),
        help_text=_("Lower-case letters, digits and hyphens."),
        max_length=60,
        widget=forms.TextInput(
            attrs={"data-slug-of": "id_name", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
