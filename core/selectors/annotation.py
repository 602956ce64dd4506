"""Reads of one person's own answers."""

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from core.choices import DraftState, Pass, QuestionKind, RelabelTo
from core.models import Annotation, Answer, Draft, Lease, Membership, Relabel, Resolution, User
from core.selectors.disagreement import READ_CLASS
from core.selectors.question import QuestionSpec, Schema, schema_of

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


def recent_of(membership: Membership, *, trial: bool = False) -> list[tuple[Annotation, dict[str, Any]]]:
    """Somebody's last ten annotations with their answers, newest first: those that can be corrected.

    What a lead only tried comes by itself, with ``trial``.
    """
    kinds = [Pass.TRIAL] if trial else [Pass.NORMAL, Pass.RETEST, Pass.GOLD]
    rows = list(
        Annotation.objects.filter(annotator=membership, current=True, voided=False, pass_kind__in=kinds)
        .select_related("item", "annotator__project")
        .prefetch_related("answers__choices")
        .order_by("-pk")[:RECENT]
    )
    schema = schema_of(membership.project)
    return [(row, _values(schema, list(row.answers.all()))) for row in rows]


def earlier_answers(member: Membership, leases: Collection[Lease]) -> dict[UUID, dict[str, Any]]:
    """What is shown beside items that were sent out again without being blind, by the lease's id.

    Whoever is asked once more sees what they said themselves; somebody who is asked by name, what the item's label
    is by now. No statement where nothing was sent to just this person.
    """
    asked = [lease for lease in leases if lease.relabel_id is not None]
    if not asked:
        return {}
    queues = Relabel.objects.filter(pk__in={lease.relabel_id for lease in asked}, blind=False)
    to: dict[int | None, str] = dict(queues.values_list("pk", "to"))
    own = _own_values(
        member, [lease.item_id for lease in asked if to.get(lease.relabel_id) == RelabelTo.SAME]
    )
    others = _label_values(
        member, [lease.item_id for lease in asked if to.get(lease.relabel_id) == RelabelTo.NAMED]
    )
    return {
        lease.pk: (own if to[lease.relabel_id] == RelabelTo.SAME else others).get(lease.item_id, {})
        for lease in asked
        if lease.relabel_id in to
    }


def _own_values(member: Membership, items: list[int]) -> dict[int, dict[str, Any]]:
    if not items:
        return {}
    mine = Annotation.objects.filter(
        annotator=member,
        item__in=items,
        item_version=F("item__version"),
        repeat=1,
        current=True,
        voided=False,
    )
    schema = schema_of(member.project)
    return {
        row.item_id: _values(schema, list(row.answers.all()))
        for row in mine.prefetch_related("answers__choices")
    }


def _label_values(member: Membership, items: list[int]) -> dict[int, dict[str, Any]]:
    """The settled label of a single choice or scale, else the one that most people gave, if it is one."""
    values: dict[int, dict[str, Any]] = {item: {} for item in items}
    for question in schema_of(member.project).questions if items else ():
        if question.kind in {QuestionKind.SINGLE, QuestionKind.SCALE}:
            for item, class_id in _labels(question, items).items():
                values[item][question.key] = question.reads[class_id].name
    return values


def _labels(question: QuestionSpec, items: list[int]) -> dict[int, int]:
    votes: defaultdict[int, Counter[int]] = defaultdict(Counter)
    counted = Answer.objects.filter(
        question_id=question.id,
        annotation__item__in=items,
        annotation__item_version=F("annotation__item__version"),
        annotation__pass_kind=Pass.NORMAL,
        annotation__repeat=1,
        annotation__current=True,
        annotation__voided=False,
    )
    for item, class_id in counted.annotate(read=READ_CLASS).values_list("annotation__item_id", "read"):
        votes[item][class_id] += 1
    settled = Resolution.objects.filter(
        question_id=question.id,
        item__in=items,
        item_version=F("item__version"),
        current=True,
        label_class__isnull=False,
    )
    labels = {item: most for item, found in votes.items() if (most := _most(found)) is not None}
    return labels | dict(settled.values_list("item_id", "label_class_id"))


def _most(votes: Counter[int]) -> int | None:
    first, *others = votes.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]


def drafts_of(user: User) -> QuerySet[Draft]:
    """What this person sent too late, newest first, in all projects."""
    return (
        Draft.objects.filter(annotator__user=user, annotator__active=True, state=DraftState.KEPT)
        .select_related("item", "annotator__project")
        .order_by("-pk")
    )
