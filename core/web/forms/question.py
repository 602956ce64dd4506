"""Forms of questions and their classes: an editor with a row per class, and one class alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from core.choices import CHOICE_KINDS, N_COLOURS, Level, QuestionKind
from core.exceptions import DomainError
from core.selectors.question import ClassSpec
from core.services.question import KEY_PATTERN, MOST_CLASSES, MOST_QUESTIONS

Raw = dict[str, Any]
NEW_CLASSES = 2


class QuestionForm(forms.Form):
    """One question of a new project. What it lacks is told by the service, at the field."""

    title = forms.CharField(label=_("Question"), max_length=500, required=False)
    kind = forms.ChoiceField(
        label=_("Kind of answer"), choices=QuestionKind.choices, initial=QuestionKind.SINGLE
    )
    key = forms.CharField(
        label=_("Name in exports"),
        help_text=_("Lower-case letters, digits and _. Made from the question when left empty."),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    required = forms.BooleanField(label=_("Must be answered"), required=False, initial=True)
    level = forms.ChoiceField(
        label=_("Is zero “nothing of it”?"),
        choices=[
            (Level.INTERVAL, _("no: only differences mean something (interval)")),
            (Level.RATIO, _("yes: twice the number is twice as much (ratio)")),
        ],
        required=False,
    )
    minimum = forms.FloatField(label=_("Smallest number"), required=False)
    maximum = forms.FloatField(label=_("Largest number"), required=False)


class ClassForm(forms.Form):
    """One class of a choice question. A row without a name and a definition is left out."""

    name = forms.CharField(label=_("Class"), max_length=200, required=False, strip=False)
    definition = forms.CharField(
        label=_("When it applies"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 1, "class": "input-line"}),
    )
    key = forms.CharField(label=_("Key"), max_length=1, required=False)
    uncertain = forms.BooleanField(label=_("Says “I can't tell”"), required=False)


@dataclass
class QuestionRow:
    """One question in the editor, with the rows of its classes."""

    number: int
    form: QuestionForm
    classes: list[ClassForm] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The kind that is chosen at the moment."""
        return str(self.form["kind"].value())

    @property
    def has_classes(self) -> bool:
        """Whether this kind of answer is a class."""
        return self.kind in CHOICE_KINDS

    @property
    def is_number(self) -> bool:
        """Whether this kind of answer is a number."""
        return self.kind == QuestionKind.NUMBER


EMPTY_CLASS: Raw = {"name": "", "definition": "", "key": "", "uncertain": False}
UNSURE_CLASS: Raw = {**EMPTY_CLASS, "name": "cannot tell", "key": "0", "uncertain": True}


def new_question() -> Raw:
    """A question as the editor first shows it: two classes to name, and the uncertainty class."""
    return {
        "kind": QuestionKind.SINGLE,
        "required": True,
        "classes": [dict(EMPTY_CLASS) for _number in range(NEW_CLASSES)] + [dict(UNSURE_CLASS)],
    }


class QuestionsEditor:
    """Questions as they are typed: a form for each, and within it one for each class.

    ``data`` is what a browser sent; without it there is one new question. ``bound=False`` keeps what was
    typed and judges nothing: for adding and removing rows.
    """

    def __init__(self, data: Mapping[str, Any] | None = None, *, bound: bool = True) -> None:
        self.refocus = ""
        self.problems: list[str] = []
        self.data = data
        self.bound = bound and data is not None
        self._raw = [new_question()] if data is None else _raw_questions(data)
        self._make_rows()

    def _make_rows(self) -> None:
        self.rows = [self._row(number, raw) for number, raw in enumerate(self._raw)]

    def _row(self, number: int, raw: Raw) -> QuestionRow:
        row = QuestionRow(number, self._one(QuestionForm, f"q-{number}", raw))
        row.classes = [
            self._one(ClassForm, f"q-{number}-c-{place}", one) for place, one in enumerate(raw["classes"])
        ]
        return row

    def _one(self, form_class: Any, prefix: str, raw: Raw) -> Any:
        return form_class(self.data, prefix=prefix) if self.bound else form_class(initial=raw, prefix=prefix)

    @property
    def only_one(self) -> bool:
        """Whether there is one question, which cannot be removed."""
        return len(self.rows) == 1

    @property
    def all_forms(self) -> list[forms.Form]:
        """Every form on the page, in its order."""
        return [form for row in self.rows for form in (row.form, *row.classes)]

    def edit(self, command: str) -> None:
        """Add or remove a row: ``add-question``, ``remove-question:0``, ``add-class:0``, ``remove-class:0:2``."""
        verb, *numbers = command.split(":")
        places = [int(number) for number in numbers if re.fullmatch("[0-9]{1,4}", number)]
        if verb == "add-question" and len(self._raw) < MOST_QUESTIONS:
            self._raw.append(new_question())
            self.refocus = f"id_q-{len(self._raw) - 1}-title"
        elif places and places[0] < len(self._raw):
            self._edit_question(verb, places)
        self._make_rows()

    def _edit_question(self, verb: str, places: list[int]) -> None:
        number, classes = places[0], self._raw[places[0]]["classes"]
        if verb == "remove-question" and len(self._raw) > 1:
            del self._raw[number]
        elif verb == "add-class" and len(classes) < MOST_CLASSES:
            at = next((place for place, one in enumerate(classes) if one["uncertain"]), len(classes))
            classes.insert(at, dict(EMPTY_CLASS))
            self.refocus = f"id_q-{number}-c-{at}-name"
        elif verb == "remove-class" and len(places) > 1 and places[1] < len(classes):
            del classes[places[1]]

    def is_valid(self) -> bool:
        """Whether every field can be read; what it means is judged by the service."""
        judged = [form.is_valid() for form in self.all_forms]  # every form, also after one that is wrong
        return all(judged)

    def questions(self) -> list[dict[str, Any]]:
        """The questions as a project document says them. Call it when ``is_valid``."""
        documents: list[dict[str, Any]] = []
        for row in self.rows:
            documents.append(_question_document(row, {document["key"] for document in documents}))
        return documents

    def tell(self, error: DomainError, at: str = "") -> None:
        """Show a refusal at the fields that its pointers name (below ``at``); the rest above the form."""
        for problem in error.errors or [{"pointer": "", "detail": error.detail}]:
            form, name = self.field_at(at + problem["pointer"])
            if form is not None and name in form.fields:
                form.add_error(name, problem["detail"])
            else:
                self.problems.append(problem["detail"])

    def field_at(self, pointer: str) -> tuple[forms.Form | None, str]:
        """The form and the field of a JSON pointer such as /questions/0/classes/1/name."""
        found = re.fullmatch(r"/questions/(\d+)(?:/classes/(\d+))?(?:/(\w+))?", pointer)
        if found is None:
            return None, ""
        question, place, name = found.groups()
        row = self.rows[int(question)]
        if place is None:
            return row.form, name or ""
        return [form for form in row.classes if not _is_blank(form)][int(place)], name or ""

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """Every problem as (id of the field, its label, sentence), for the summary above the form."""
        found = [("", "", problem) for problem in self.problems]
        for form in self.all_forms if self.bound else []:
            for name, errors in form.errors.items():
                bound = form[name]
                found += [(bound.id_for_label, str(bound.label), str(error)) for error in errors]
        return found


def _raw_questions(data: Mapping[str, Any]) -> list[Raw]:
    """What was typed, row by row, as text."""
    questions: list[Raw] = []
    while len(questions) < MOST_QUESTIONS and f"q-{len(questions)}-kind" in data:
        prefix = f"q-{len(questions)}"
        question: Raw = {name: data.get(f"{prefix}-{name}", "") for name in QuestionForm.base_fields}
        question["required"] = f"{prefix}-required" in data
        question["classes"] = []
        while (
            f"{prefix}-c-{len(question['classes'])}-name" in data and len(question["classes"]) < MOST_CLASSES
        ):
            part = f"{prefix}-c-{len(question['classes'])}"
            row: Raw = {name: data.get(f"{part}-{name}", "") for name in ClassForm.base_fields}
            question["classes"].append({**row, "uncertain": f"{part}-uncertain" in data})
        questions.append(question)
    return questions or [new_question()]


def _question_document(row: QuestionRow, taken: set[str]) -> dict[str, Any]:
    fields = row.form.cleaned_data
    title = fields["title"]
    document: dict[str, Any] = {
        "key": fields["key"] or key_from(title, taken),
        "kind": fields["kind"],
        "title": title,
        "required": fields["required"],
    }
    if row.has_classes:
        document["classes"] = [class_document(form) for form in row.classes if not _is_blank(form)]
    if row.is_number:
        document |= number_limits(fields)
    return document


def _is_blank(form: forms.Form) -> bool:
    fields = getattr(form, "cleaned_data", {})
    return not (fields.get("name") or fields.get("definition") or fields.get("key"))


def class_document(form: forms.Form) -> dict[str, Any]:
    """A class as the project document says it."""
    fields = form.cleaned_data
    return {
        "name": fields["name"],
        "definition": fields["definition"],
        "key": fields["key"],
        "uncertain": fields["uncertain"],
    }


def number_limits(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What only a question of kind number has."""
    document: dict[str, Any] = {"level": fields["level"] or Level.INTERVAL}
    return document | {name: fields[name] for name in ("minimum", "maximum") if fields[name] is not None}


def key_from(title: str, taken: set[str]) -> str:
    """A key for a question that was given none: from its words, else question, question_2, …"""
    words = slugify(title).replace("-", "_").strip("_")[:50].strip("_")
    first = words if KEY_PATTERN.fullmatch(words) else "question"
    names = (first if number == 1 else f"{first}_{number}" for number in range(1, MOST_QUESTIONS + 2))
    return next(name for name in names if name not in taken)


class EditQuestionForm(forms.Form):
    """What can be changed of a question that people have answered. ``version`` is the project's that was seen."""

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    title = forms.CharField(label=_("Question"), max_length=500)
    required = forms.BooleanField(label=_("Must be answered"), required=False)


class EditClassForm(forms.Form):
    """One class that is added."""

    name = forms.CharField(label=_("Class"), max_length=200, required=False, strip=False)
    definition = forms.CharField(
        label=_("When it applies"),
        help_text=_("Annotators see it with one key. A good definition names one example and one near miss."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    key = forms.CharField(
        label=_("Key"),
        help_text=_(
            "One character. s, l, f, u, h and ? belong to the label page. Left empty, one is chosen."
        ),
        max_length=1,
        required=False,
        widget=forms.TextInput(attrs={"class": "input-short", "autocomplete": "off"}),
    )
    colour = forms.TypedChoiceField(
        label=_("Colour"),
        choices=[(number, str(number + 1)) for number in range(N_COLOURS)],
        coerce=int,
        widget=forms.RadioSelect,
    )
    uncertain = forms.BooleanField(
        label=_("Says “I can't tell”"),
        help_text=_("An answer of its own, set apart on the label page and counted apart in the agreement."),
        required=False,
    )

    @staticmethod
    def initial_of(spec: ClassSpec) -> dict[str, Any]:
        """A class as the form shows it."""
        return {
            "name": spec.name,
            "definition": spec.definition,
            "key": spec.key,
            "colour": spec.colour,
            "uncertain": spec.uncertain,
        }

    def document(self) -> dict[str, Any]:
        """The class as the project document says it. Call it when the form is valid."""
        definition = self.cleaned_data["definition"].replace("\r\n", "\n")
        fields = {name: value for name, value in self.cleaned_data.items() if name != "version"}
        return {**fields, "definition": definition}


class ChangeClassForm(EditClassForm):
    """One class that is there. ``version`` is the project's that was seen."""

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
