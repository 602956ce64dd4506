"""Reads of one person's own answers."""

from typing import Any

from django.db.models import QuerySet

from core.choices import DraftState, QuestionKind
from core.models import Annotation, Answer, Draft, Membership, User
from core.selectors.question import Schema, schema_of

RECENT = 10


def answers_of(annotation: Annotation) -> dict[str, Any]:
    """The answers of one annotation as the API says them: question key to value."""
    schema = schema_of(annotation.annotator.project)
    answers = annotation.answers.all()
    return _values(schema, list(answers.prefetch_related("choices") if _has_multiple(schema) else answers))


def _has_multiple(schema: Schema) -> bool:
    return any(question.kind == QuestionKind.MULTIPLE for question in schema.questions)


def _values(schema: Schema, answers: list[Answer]) -> dict[str, Any]:
    by_question = {answer.question_id: answer for answer in answers}
    values: dict[str, Any] = {}
    for question in schema.questions:
        answer = by_question.get(question.id)
        if answer is None:
            continue
        if question.kind == QuestionKind.MULTIPLE:
            ticked = {question.places[choice.label_class_id] for choice in answer.choices.all()}
            values[question.key] = [question.classes[place].name for place in sorted(ticked)]
        elif answer.label_class_id is not None:
            values[question.key] = question.reads[answer.label_class_id].name
        else:
            values[question.key] = answer.text if answer.number is None else answer.number
    return values


def recent_of(membership: Membership) -> list[tuple[Annotation, dict[str, Any]]]:
    """Somebody's last ten annotations with their answers, newest first."""
    rows = list(
        Annotation.objects.filter(annotator=membership, current=True, voided=False)
        .select_related("item", "annotator__project")
        .prefetch_related("answers__choices")
        .order_by("-pk")[:RECENT]
    )
    schema = schema_of(membership.project)
    return [(row, _values(schema, list(row.answers.all()))) for row in rows]


def drafts_of(user: User) -> QuerySet[Draft]:
    """What this person sent too late, newest first, in all projects."""
    return (
        Draft.objects.filter(annotator__user=user, annotator__active=True, state=DraftState.KEPT)
        .select_related("item", "annotator__project")
        .order_by("-pk")
    )
