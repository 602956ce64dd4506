"""Check what somebody answered against the questions, and turn it into rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.choices import QuestionKind
from core.exceptions import Invalid
from core.models import Annotation, Answer, AnswerChoice
from core.selectors.question import ClassSpec, QuestionSpec, Schema
from core.services.standard import LONGEST_TEXT, held_schema

MOST_ERRORS = 50
Ids = Mapping[str, int]
NO_IDS: Ids = {}


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """One permitted value of one question. ``classes`` is None unless the question offers choices."""

    question: QuestionSpec
    classes: tuple[ClassSpec, ...] | None = None
    number: float | None = None
    text: str | None = None

    @property
    def class_id(self) -> int | None:
        """The class of a single-choice or scale answer."""
        if self.question.kind in {QuestionKind.SINGLE, QuestionKind.SCALE} and self.classes:
            return self.classes[0].id
        return None

    @property
    def value(self) -> Any:
        """The answer as the API says it: a name, a list of names, a number or a text."""
        if self.question.kind == QuestionKind.MULTIPLE:
            return [spec.name for spec in self.classes or ()]
        if self.classes:
            return self.classes[0].name
        return self.text if self.number is None else self.number


class ValueRefused(ValueError):  # noqa: N818 -- reads as what happened
    """A value that a question does not take; ``code`` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def check_value(question: QuestionSpec, value: Any, ids: Ids = NO_IDS) -> CheckedAnswer:
    """The value as an answer to this question. Raises ValueRefused.

    ``ids`` are the classes that whoever answered saw under these names: names may have changed since.
    """
    if question.kind == QuestionKind.MULTIPLE:
        return _check_multiple(question, value, ids)
    if question.is_choice:
        return CheckedAnswer(question, classes=(_class_of(question, value, ids),))
    if question.kind == QuestionKind.NUMBER:
        return CheckedAnswer(question, number=_number_of(question, value))
    if not isinstance(value, str):
        raise ValueRefused("not-a-text", f"{question.key!r} takes a text")
    if len(value) > LONGEST_TEXT:
        raise ValueRefused("text-too-long", f"{question.key!r} takes at most {LONGEST_TEXT:,} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueRefused("bad-character", f"{question.key!r} holds a character that cannot be stored")
    return CheckedAnswer(question, text=value)


def _class_of(question: QuestionSpec, value: Any, ids: Ids) -> ClassSpec:
    spec = None
    if isinstance(value, str):
        spec = question.class_numbered(ids[value]) if value in ids else question.class_named(value)
    if spec is None:
        raise ValueRefused("unknown-class", f"{str(value)[:80]!r} is not a class of {question.key!r}")
    return spec


def _check_multiple(question: QuestionSpec, value: Any, ids: Ids) -> CheckedAnswer:
    if not isinstance(value, list):
        raise ValueRefused("not-a-list", f"{question.key!r} takes a list of classes")
    if len(value) > len(question.reads):
        raise ValueRefused("too-many-classes", f"{question.key!r} has {len(question.reads)} classes")
    chosen = {spec.id: spec for spec in (_class_of(question, name, ids) for name in value)}
    return CheckedAnswer(question, classes=tuple(sorted(chosen.values(), key=lambda spec: spec.order)))


def _number_of(question: QuestionSpec, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueRefused("not-a-number", f"{question.key!r} takes a number")
    if question.minimum is not None and value < question.minimum:
        raise ValueRefused("too-small", f"{question.key!r} takes at least {question.minimum:g}")
    if question.maximum is not None and value > question.maximum:
        raise ValueRefused("too-large", f"{question.key!r} takes at most {question.maximum:g}")
    return float(value)


def check_answers(
    schema: Schema, answers: Any, classes: Mapping[str, Ids] | None = None
) -> list[CheckedAnswer]:
    """All answers of one submit. Raises Invalid naming every field that is wrong.

    A question that is asked only under a condition must be answered when the condition holds, and must
    not be when it does not. ``classes``: see check_value, by question key.
    """
    if not isinstance(answers, dict):
        raise Invalid("invalid-answers", "answers must be an object: question key to value")
    errors = [
        _error(str(key)[:80], "unknown-question", "There is no such question")
        for key in answers
        if schema.question(str(key)) is None
    ]
    checked: dict[str, CheckedAnswer] = {}
    for question in schema.questions:
        asked = _is_asked(question, checked)
        given = question.key in answers and answers[question.key] is not None
        if given and not asked:
            errors.append(_error(question.key, "not-asked", "This question is not asked with these answers"))
        elif given:
            try:
                checked[question.key] = check_value(
                    question, answers[question.key], (classes or {}).get(question.key, NO_IDS)
                )
            except ValueRefused as refusal:
                errors.append(_error(question.key, refusal.code, refusal.detail))
        elif asked and question.required:
            errors.append(_error(question.key, "required", "This question wants an answer"))
    if not checked and not errors:
        errors.append(_error("", "empty", "Nothing was answered"))
    if errors:
        raise Invalid(
            "invalid-answers",
            "The answers do not fit the questions; nothing was saved.",
            errors=errors[:MOST_ERRORS],
        )
    return list(checked.values())


def _is_asked(question: QuestionSpec, checked: dict[str, CheckedAnswer]) -> bool:
    if question.when is None:
        return True
    key, names = question.when
    condition = checked.get(key)
    return condition is not None and any(spec.name in names for spec in condition.classes or ())


def _error(field: str, code: str, detail: str) -> dict[str, str]:
    return {"field": field, "pointer": f"/answers/{field}", "code": code, "detail": detail}


def write_answers(annotation: Annotation, checked: list[CheckedAnswer]) -> None:
    """Insert the answers of a new annotation. Texts are read by the rules in force, which stay so until the end."""
    held = {}
    if any(answer.text is not None for answer in checked):
        held = {question.key: question for question in held_schema(annotation.annotator.project).questions}
    rows = Answer.objects.bulk_create(
        Answer(
            annotation=annotation,
            question_id=answer.question.id,
            label_class_id=answer.class_id,
            number=answer.number,
            text=answer.text,
            standard=None if answer.text is None else held[answer.question.key].standard_form(answer.text),
        )
        for answer in checked
    )
    ticked = [
        AnswerChoice(answer=row, label_class_id=spec.id)
        for row, answer in zip(rows, checked, strict=True)
        if answer.question.kind == QuestionKind.MULTIPLE
        for spec in answer.classes or ()
    ]
    if ticked:
        AnswerChoice.objects.bulk_create(ticked)
