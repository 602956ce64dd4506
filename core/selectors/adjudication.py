"""Settled items, reviews, and what people said on an item that waits to be settled."""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_uppercase
from typing import Any

from django.db.models import F, Max, Q, QuerySet

from core.access import REVIEWERS
from core.choices import ItemState, QuestionKind
from core.exceptions import Missing
from core.models import Annotation, Answer, Flag, Item, Membership, Project, Resolution, Review
from core.selectors.agreement import ALL_LABELS, counted_answers, read_text
from core.selectors.disagreement import label_name, with_labels
from core.selectors.item import shown_name
from core.selectors.lease import in_hand
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.selection_report import held_by

IN_FORCE = Q(current=True, item_version=F("item__version"))
AS_IT_IS = Q(item_version=F("item__version"))


def resolutions_of(project: Project) -> QuerySet[Resolution]:
    """What is settled now, of items as they are now."""
    rows = Resolution.objects.filter(IN_FORCE, item__project=project)
    return rows.select_related("item", "question", "settled_by__project", "guideline")


def resolution_of(resolution_id: int) -> Resolution:
    """One resolution, whichever revision. Raises Missing."""
    rows = Resolution.objects.select_related("item", "question", "settled_by__project", "guideline")
    found = rows.filter(pk=resolution_id).first()
    if found is None:
        raise Missing
    return found


def resolution_on(item: Item, question_id: int) -> Resolution | None:
    """What an item is settled as, if it is."""
    return (
        Resolution.objects.filter(IN_FORCE, item=item, question=question_id)
        .select_related("item", "question", "settled_by__project", "guideline")
        .first()
    )


def latest_revision(item: Item, question_id: int) -> int:
    """The number of the last revision of the item as it is now, 0 where nobody has settled it."""
    rows = Resolution.objects.filter(item=item, item_version=item.version, question=question_id)
    return rows.aggregate(newest=Max("revision"))["newest"] or 0


def value_said(question: QuestionSpec, row: Resolution | Review) -> Any:
    """The value of a resolution or review as the API says it: a name, a list of names, a number or a text."""
    if row.label_class_id is not None:
        return question.reads[row.label_class_id].name
    if row.classes is not None:
        read = {question.reads[pk] for pk in row.classes}
        return [spec.name for spec in sorted(read, key=lambda spec: spec.order)]
    if row.number is not None:
        return int(row.number) if row.number.is_integer() else row.number
    return None if row.text is None else read_text(question, row.text)


def questions_by_id(project: Project) -> dict[int, QuestionSpec]:
    """The questions of a project by their keys in the database."""
    return {spec.id: spec for spec in schema_of(project).questions}


def resolution_document(row: Resolution, reader: Membership) -> dict[str, Any]:
    """A resolution as the API tells it."""
    question = questions_by_id(reader.project)[row.question_id]
    return {
        "id": row.pk,
        "item": row.item.external_id,
        "question": question.key,
        "revision": row.revision,
        "current": row.current and row.item_version == row.item.version,
        "value": value_said(question, row),
        "cause": row.cause,
        "comment": row.comment,
        "gold_candidate": row.gold_candidate,
        "overtaken": row.overtaken,
        "guideline_version": row.guideline.number,
        "settled_by": shown_name(row.settled_by, reader),
        "settled_at": row.created_at,
    }


# --- Reviews ------------------------------------------------------------------------------------------


def reviews_of(project: Project) -> QuerySet[Review]:
    """Every review of items as they are now and not withdrawn."""
    rows = Review.objects.filter(AS_IT_IS, item__project=project)
    rows = rows.exclude(item__state=ItemState.WITHDRAWN)
    return rows.select_related("item", "question", "reviewer__project", "asked_by")


def review_of(review_id: int) -> Review:
    """One review. Raises Missing."""
    rows = Review.objects.select_related("item", "question", "reviewer__project", "asked_by")
    found = rows.filter(pk=review_id).first()
    if found is None:
        raise Missing
    return found


def my_reviews(membership: Membership, *, answered: bool = False) -> QuerySet[Review]:
    """What somebody was asked to look at, the oldest first."""
    return (
        reviews_of(membership.project)
        .filter(reviewer=membership, answered_at__isnull=not answered)
        .order_by("pk")
    )


def review_document(row: Review, reader: Membership) -> dict[str, Any]:
    """A review as the API tells it."""
    question = questions_by_id(reader.project)[row.question_id]
    return {
        "id": row.pk,
        "item": row.item.external_id,
        "question": question.key,
        "reviewer": shown_name(row.reviewer, reader),
        "note": row.note,
        "asked_at": row.created_at,
        "value": value_said(question, row),
        "cause": row.cause,
        "comment": row.comment,
        "answered_at": row.answered_at,
    }


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Somebody who may be asked, and whether they have answered the item, or were asked about it already."""

    member: Membership
    answered: bool
    asked: bool


def reviewers_for(item: Item, question_id: int, reader: Membership) -> list[Reviewer]:
    """Everybody else who may review, by name."""
    people = Membership.objects.filter(
        project=item.project_id, role__in=REVIEWERS, active=True, user__isnull=False
    ).exclude(pk=reader.pk)
    answered = _annotators(item)
    asked = set(
        Review.objects.filter(item=item, item_version=item.version, question=question_id).values_list(
            "reviewer_id", flat=True
        )
    )
    return [
        Reviewer(member, member.pk in answered, member.pk in asked)
        for member in people.select_related("project").order_by("name", "pk")
    ]


def _annotators(item: Item) -> set[int]:
    rows = Annotation.objects.filter(item=item, item_version=item.version, current=True, voided=False)
    return set(rows.values_list("annotator_id", flat=True))


# --- Which items --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a question's items besides their answers, as sets of keys.

    ``settled``, and of these ``overtaken`` (answered anew since) and ``gold`` (candidates for it); ``waiting`` for a
    reviewer; ``reviewed``: all reviews came back; ``held``: in the reader's hand, to be answered blind.
    """

    settled: frozenset[int]
    overtaken: frozenset[int]
    gold: frozenset[int]
    waiting: frozenset[int]
    reviewed: frozenset[int]
    held: frozenset[int]


def standing_of(reader: Membership, question: QuestionSpec) -> Standing:
    """How the items of a question stand now."""
    rows = list(
        Resolution.objects.filter(IN_FORCE, item__project=reader.project_id, question=question.id)
        .exclude(item__state=ItemState.WITHDRAWN)
        .order_by()
        .values_list("item_id", "overtaken", "gold_candidate")
    )
    reviews = reviews_of(reader.project).filter(question=question.id).select_related(None).order_by()
    looking = Q(answered_at__isnull=False) | Q(reviewer__active=True)  # whoever has left will not answer
    asked = list(reviews.filter(looking).values_list("item_id", "answered_at"))
    waiting = frozenset(item for item, at in asked if at is None)
    return Standing(
        settled=frozenset(item for item, _overtaken, _gold in rows),
        overtaken=frozenset(item for item, overtaken, _gold in rows if overtaken),
        gold=frozenset(item for item, _overtaken, gold in rows if gold),
        waiting=waiting,
        reviewed=frozenset(item for item, _at in asked) - waiting,
        held=frozenset(held_items(reader)),
    )


def items_of_cause(project: Project, question: QuestionSpec, cause: str) -> set[int]:
    """Items that are settled with this cause, or of which a reviewer named it."""
    reviewed = reviews_of(project).select_related(None).filter(question=question.id, cause=cause)
    settled = resolutions_of(project).select_related(None).filter(question=question.id, cause=cause)
    return set(settled.values_list("item_id", flat=True)) | set(reviewed.values_list("item_id", flat=True))


def items_saying(project: Project, question: QuestionSpec, name: str) -> set[int]:
    """Items to which somebody gave this class."""
    spec = question.class_named(name)
    ids = () if spec is None else [pk for pk, read in question.reads.items() if read.name == spec.name]
    answers = counted_answers(project, question, ALL_LABELS)
    if question.kind == QuestionKind.MULTIPLE:
        answers = answers.filter(choices__label_class__in=ids)
    else:
        answers = answers.filter(label_class__in=ids)
    return set(answers.values_list("annotation__item_id", flat=True))


def items_of_person(project: Project, question: QuestionSpec, member_id: int) -> set[int]:
    """Items that this person has answered."""
    answers = counted_answers(project, question, ALL_LABELS).filter(annotation__annotator=member_id)
    return set(answers.values_list("annotation__item_id", flat=True))


def uncertain_items(project: Project, question: QuestionSpec) -> set[int]:
    """Items of which somebody could not tell."""
    unsure = [spec.name for spec in question.classes if spec.uncertain]
    return set().union(*(items_saying(project, question, name) for name in unsure))


def flagged_items(project: Project) -> set[int]:
    """Items with a note that no lead has read."""
    rows = Item.objects.filter(project=project, flags__gt=0).exclude(state=ItemState.WITHDRAWN)
    return set(rows.values_list("pk", flat=True))


def names_of(item_ids: Sequence[int]) -> dict[int, str]:
    """What items that are not withdrawn are called, by key; thousands at once."""
    found: dict[int, str] = {}
    for start in range(0, len(item_ids), 10_000):
        rows = Item.objects.filter(pk__in=item_ids[start : start + 10_000])
        found |= dict(rows.exclude(state=ItemState.WITHDRAWN).values_list("pk", "external_id"))
    return found


def items_here(project: Project, item_ids: Sequence[int]) -> dict[int, Item]:
    """Those of the items that are not withdrawn, with their batches."""
    items = Item.objects.filter(project=project, pk__in=item_ids).exclude(state=ItemState.WITHDRAWN)
    return {item.pk: item for item in items.select_related("batch", "project")}


def held_items(reader: Membership) -> set[int]:
    """Items that the reader is to answer without seeing others' answers."""
    return set(in_hand(reader).values_list("item_id", flat=True))


# --- One item -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One answer beside the others: who said it, by a letter until the item is settled."""

    who: str
    mine: bool
    value: str
    uncertain: bool
    comment: str
    guideline: int
    elapsed_ms: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """A flag that an annotator left."""

    who: str
    note: str
    broken: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """An item to settle: what people said and noted, what reviewers said, and what it was settled as before.

    ``revision`` is to be sent back with a decision. ``own`` says that the reader is among the annotators; ``held``
    that they have it in hand, and so see nothing.
    """

    item: Item
    question: QuestionSpec
    revision: int
    resolution: Resolution | None
    sides: tuple[Side, ...]
    notes: tuple[Note, ...]
    reviews: tuple[Review, ...]
    earlier: tuple[Resolution, ...]
    own: bool
    held: bool


def case_of(item: Item, question: QuestionSpec, reader: Membership) -> Case:
    """One item to settle. Names show once it is settled; before that people are letters, other ones on every item."""
    resolution = resolution_on(item, question.id)
    if item.pk in held_by(reader, [item.pk]):
        return Case(
            item, question, latest_revision(item, question.id), None, (), (), (), (), own=False, held=True
        )
    answers = list(_answers_on(item, question))
    flags = list(Flag.objects.filter(item=item).select_related("annotator__project").order_by("pk"))
    people = {row.annotation.annotator_id: row.annotation.annotator for row, _label in answers}
    people |= {flag.annotator_id: flag.annotator for flag in flags}
    called = _called(item, people, reader, settled=resolution is not None)
    unsure = {spec.name for spec in question.classes if spec.uncertain}
    sides = [_side(row, label_name(question, label), called, reader, unsure) for row, label in answers]
    history = Resolution.objects.filter(item=item, question=question.id).order_by(
        "-item_version", "-revision"
    )
    return Case(
        item=item,
        question=question,
        revision=latest_revision(item, question.id),
        resolution=resolution,
        sides=tuple(sorted(sides, key=lambda side: (side.value, side.who))),
        notes=tuple(
            Note(called[flag.annotator_id], flag.note, flag.broken, flag.created_at) for flag in flags
        ),
        reviews=tuple(reviews_of(item.project).filter(item=item, question=question.id).order_by("pk")),
        earlier=tuple(history.select_related("item", "question", "settled_by__project", "guideline")),
        own=reader.pk in _annotators(item),
        held=False,
    )


def _answers_on(item: Item, question: QuestionSpec) -> Iterable[tuple[Answer, Any]]:
    answers = counted_answers(item.project, question, ALL_LABELS).filter(annotation__item=item)
    labels = dict(with_labels(answers, question, "pk"))
    rows = Answer.objects.filter(pk__in=list(labels)).select_related(
        "annotation__annotator__project", "annotation__guideline"
    )
    return [(row, labels[row.pk]) for row in rows]


def _side(row: Answer, label: str, called: Mapping[int, str], reader: Membership, unsure: set[str]) -> Side:
    annotation = row.annotation
    return Side(
        who=called[annotation.annotator_id],
        mine=annotation.annotator_id == reader.pk,
        value=label,
        uncertain=bool(unsure & set(label.split("|"))) if unsure else False,
        comment=annotation.comment,
        guideline=annotation.guideline.number,
        elapsed_ms=annotation.elapsed_ms,
        at=annotation.answered_at or annotation.created_at,
    )


def _called(
    item: Item, people: Mapping[int, Membership], reader: Membership, *, settled: bool
) -> dict[int, str]:
    """What people are called beside an item: names once it is settled, before that letters by a keyed hash."""
    if settled:
        return {pk: shown_name(member, reader) for pk, member in people.items()}
    key = bytes.fromhex(item.project.pseudonym_key)

    def place(member_id: int) -> bytes:
        return hmac.new(key, f"{item.pk} {member_id}".encode(), hashlib.sha256).digest()

    return {pk: letter(number) for number, pk in enumerate(sorted(people, key=place))}


def letter(number: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    found, number = ascii_uppercase[number % 26], number // 26
    while number:
        found, number = ascii_uppercase[(number - 1) % 26] + found, (number - 1) // 26
    return found


def pattern_on(question: QuestionSpec, item_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """What people answered on items, label to count."""
    if not item_ids:
        return {}
    project = Project.objects.get(questions=question.id)
    answers = counted_answers(project, question, ALL_LABELS).filter(annotation__item__in=item_ids)
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for item, label in with_labels(answers, question, "annotation__item_id"):
        found[item][label_name(question, label)] += 1
    return {item: dict(said) for item, said in found.items()}
