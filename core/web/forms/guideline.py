"""Forms of the guideline pages."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.selectors.question import QuestionSpec
from core.services.guideline import LONGEST_GUIDELINE, LONGEST_NOTE, MOST_EXAMPLES

EMPTY_ROWS = 3
Example = dict[str, Any]


def class_choices(questions: Sequence[QuestionSpec]) -> list[tuple[str, str]]:
    """Every current class by its id, with its question where there are several."""
    chosen = [question for question in questions if question.is_choice]
    return [
        (str(spec.id), f"{question.title or question.key}: {spec.name}" if len(chosen) > 1 else spec.name)
        for question in chosen
        for spec in question.classes
    ]


class GuidelineForm(forms.Form):
    """A new version. ``based_on`` is the number of the version that its writer started from."""

    text = forms.CharField(
        label=_("Guideline"),
        help_text=_(
            "Markdown: # heading, - list, **strong**, [words](https://…), and ![what it shows](name.png) "
            "for an image that you have uploaded."
        ),
        max_length=LONGEST_GUIDELINE,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 20}),
    )
    note = forms.CharField(
        label=_("What changed, and why"),
        help_text=_("One line for the list of versions; annotators read it above the changes."),
        max_length=LONGEST_NOTE,
        required=False,
    )
    touches = forms.TypedMultipleChoiceField(
        label=_("Classes whose rules it changes"),
        help_text=_("What was answered with them before can be labeled again in the next step."),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    based_on = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    inquiry = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)
    known = forms.BooleanField(
        label=_("Use them all the same"),
        help_text=_("Figures that rest on these items come out too high from here on."),
        required=False,
    )

    def __init__(self, data: Any = None, *, questions: Sequence[QuestionSpec], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["touches"].choices = class_choices(questions)  # type: ignore[attr-defined]

    def clean_text(self) -> str:
        """Line ends as they are kept: browsers send carriage returns."""
        text: Any = self.cleaned_data["text"]
        return str(text).replace("\r\n", "\n")


class ExampleForm(forms.Form):
    """One item that shows what belongs to a class, or only nearly does. Without an item it is no example."""

    item = forms.CharField(label=_("Item"), max_length=200, required=False, strip=False)
    label_class = forms.ChoiceField(label=_("Class"), required=False)
    near_miss = forms.BooleanField(label=_("Near miss"), required=False)
    note = forms.CharField(label=_("Why"), max_length=LONGEST_NOTE, required=False)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label_class"].choices = [("", _("no class in particular")), *choices]  # type: ignore[attr-defined]


class _Examples(forms.BaseFormSet):  # type: ignore[type-arg]  # not generic at run time
    """The examples of a version, and some empty rows for more."""

    def documents(self, questions: Sequence[QuestionSpec]) -> tuple[list[Example], list[int]]:
        """The examples as services.guideline takes them, and the place of each one's form."""
        names = {
            str(spec.id): (question.key, spec.name) for question in questions for spec in question.classes
        }
        found: list[Example] = []
        places: list[int] = []
        for place, form in enumerate(self.forms):
            fields = form.cleaned_data
            if not fields.get("item"):
                continue
            question, name = names.get(fields["label_class"], (None, None))
            found.append(
                {
                    "item": fields["item"],
                    "question": question,
                    "class": name,
                    "near_miss": fields["near_miss"],
                    "note": fields["note"],
                }
            )
            places.append(place)
        return found, places


ExampleFormSet = forms.formset_factory(
    ExampleForm,
    formset=_Examples,
    extra=EMPTY_ROWS,
    max_num=MOST_EXAMPLES,
    absolute_max=MOST_EXAMPLES + EMPTY_ROWS,
)
