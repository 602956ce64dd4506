"""What the agreement timeline is made of: every revision of every answer with its time, and what was changed when."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from core.choices import SUGGESTED_KINDS, AuditPart, ItemState, Pass, QuestionKind, RelabelTo, TrainingState
from core.models import (
    Annotation,
    Answer,
    AnswerChoice,
    Item,
    Mapping,
    Project,
    Relabel,
    RelabelItem,
    RelabelPlace,
    Trainee,
    Void,
)
from core.selectors.question import QuestionSpec
from core.selectors.relabel import DRAWN, WAITS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_ROW = np.dtype(
    [
        ("pk", "i8"),
        ("item", "i8"),
        ("person", "i8"),
        ("at", "f8"),
        ("void", "i8"),
        ("audit", "?"),
        ("suggested", "?"),
    ]
)
MOST_OUTSIDE = 200_000  # answers; they prove nothing, and need not be waited for


@dataclass(frozen=True)
class History:
    """One row per revision of somebody's first answer to an item as it is now, by item, person and revision.

    ``at`` is when it was given, in seconds since 1970; ``value`` a place in ``raw``, -1 where this question was not answered:
    class ids, sets of them in order, numbers or texts as they were given. ``audit`` says whether the item is in the audit
    slice. ``suggested`` says that a model's answer was in sight: it stands, and does not count between people. ``void`` is by which decision the person's answer to this item does not count, 0: it counts (-1: no decision is known).
    """

    item: Ints
    person: Ints
    at: Floats
    value: Ints
    audit: Bools
    void: Ints
    suggested: Bools
    raw: list[Any]

    def __len__(self) -> int:
        return int(self.item.size)

    @cached_property
    def item_code(self) -> Ints:
        """Items counted from 0."""
        return np.unique(self.item, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def person_code(self) -> Ints:
        """People counted from 0."""
        return np.unique(self.person, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def chain(self) -> Ints:
        """One number for every item and person."""
        n = int(self.person_code.max(initial=0)) + 1
        return self.item_code * n + self.person_code

    def standing(self, until: float | None = None, *, voided: int = 0) -> Ints:
        """The rows that stood just before a moment (None: that stand now), in which the question was answered.

        ``voided`` is a decision whose answers are taken as if they counted.
        """
        counts = (self.void == 0) | ((self.void == voided) if voided else False)
        rows = np.flatnonzero(counts if until is None else counts & (self.at < until))
        if rows.size == 0:
            return rows
        last = np.ones(rows.size, dtype=np.bool_)
        last[:-1] = (np.diff(self.item[rows]) != 0) | (np.diff(self.person[rows]) != 0)
        stood = rows[last]
        return stood[(self.value[stood] >= 0) & ~self.suggested[stood]]


def history_of_answers(project: Project, question: QuestionSpec) -> History:
    """Every revision of the answers that count between people, and of those that were voided.

    Where more than MOST_OUTSIDE lie outside the audit slice, only those there that were sent out again.
    """
    counted = Annotation.objects.filter(
        annotator__project=project,
        pass_kind=Pass.NORMAL,
        repeat=1,
        item_version=F("item__version"),
    ).exclude(item__state=ItemState.WITHDRAWN)
    if counted.filter(item__audit=AuditPart.NONE).count() > MOST_OUTSIDE:
        sent = RelabelItem.objects.filter(item=OuterRef("item"))
        counted = counted.filter(~Q(item__audit=AuditPart.NONE) | Exists(sent))
    rows = counted.annotate(at=Coalesce("answered_at", "created_at"))
    rows = rows.order_by("item_id", "annotator_id", "revision")
    columns = ("pk", "item_id", "annotator_id", "at", "voided", "void_id", "item__audit", "suggested")
    given = np.fromiter(
        (
            (pk, item, person, at.timestamp(), (void or -1) if voided else 0, audit != AuditPart.NONE, shown)
            for pk, item, person, at, voided, void, audit, shown in rows.values_list(*columns).iterator(
                10_000
            )
        ),
        dtype=_ROW,
    )
    item, person = (np.ascontiguousarray(given[name]) for name in ("item", "person"))
    answered, place, raw = _values(question, counted)
    value = np.full(len(given), -1, dtype=np.int64)
    if answered.size:
        found = np.minimum(np.searchsorted(answered, given["pk"]), answered.size - 1)
        value = np.where(answered[found] == given["pk"], place[found], -1)
    return History(
        item=item,
        person=person,
        at=np.ascontiguousarray(given["at"]),
        value=value,
        audit=np.ascontiguousarray(given["audit"]),
        void=_of_chains(item, person, given["void"]),
        suggested=given["suggested"] & (question.kind in SUGGESTED_KINDS),
        raw=raw,
    )


def _of_chains(item: Ints, person: Ints, void: Ints) -> Ints:
    """By which decision the whole chain of a person's revisions is out: that of its last revision."""
    if item.size == 0:
        return void
    starts = np.ones(item.size, dtype=np.bool_)
    starts[1:] = (np.diff(item) != 0) | (np.diff(person) != 0)
    chain = np.cumsum(starts) - 1
    last = np.append(np.flatnonzero(starts)[1:] - 1, item.size - 1)
    found: Ints = void[last][chain]
    return found


def _values(question: QuestionSpec, annotations: QuerySet[Annotation]) -> tuple[Ints, Ints, list[Any]]:
    """The annotations that answer the question in ascending order, the place of each one's raw answer, and the raw answers."""
    wanted = annotations.order_by().values("pk")
    answers = Answer.objects.filter(question_id=question.id, annotation__in=wanted).order_by("annotation_id")
    codes: dict[Any, int] = {}
    if question.kind == QuestionKind.MULTIPLE:
        ticked: defaultdict[int, set[int]] = defaultdict(set)
        choices = AnswerChoice.objects.filter(answer__in=answers.values("pk")).order_by()
        for answer, class_id in choices.values_list("answer_id", "label_class_id").iterator(10_000):
            ticked[answer].add(class_id)
        said: Any = (
            (annotation, tuple(sorted(ticked[pk])))
            for annotation, pk in answers.values_list("annotation_id", "pk").iterator(10_000)
        )
    else:
        column = {QuestionKind.NUMBER: "number", QuestionKind.TEXT: "text"}.get(
            QuestionKind(question.kind), "label_class_id"
        )
        said = answers.values_list("annotation_id", column).iterator(10_000)
    places: Ints = np.fromiter(
        (
            (annotation, codes.setdefault(value, len(codes)))
            for annotation, value in said
            if value is not None
        ),
        dtype=np.dtype((np.int64, 2)),
    )
    return places[:, 0], places[:, 1], list(codes)


# --- What was changed ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PassedRound:
    """A training round that people have passed: how many, and when the first of them did."""

    pk: int
    name: str
    n: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RelabelCounts:
    """How many items a queue has, and how many answers it asked for and got."""

    items: int
    places: int
    answered: int
    waiting: int
    drawn: int


def rounds_passed(project: Project) -> list[PassedRound]:
    """Training rounds, by when somebody first passed."""
    rows = Trainee.objects.filter(
        training_round__project=project, state=TrainingState.PASSED, ended_at__isnull=False
    )
    counted = (
        rows.order_by()
        .values_list("training_round", "training_round__name")
        .annotate(n=Count("member", distinct=True), first=Min("ended_at"))
    )
    return [PassedRound(*row) for row in counted.order_by("first", "training_round")]


def voids_of(project: Project, question: QuestionSpec) -> list[Void]:
    """Decisions to take somebody's answers to the question out of the counts that are in force."""
    theirs = Answer.objects.filter(annotation__void=OuterRef("pk"), question=question.id)
    return list(Void.objects.filter(Exists(theirs), project=project, undone_at=None).order_by("pk"))


def counts_of_relabels(relabels: Collection[Relabel]) -> dict[int, RelabelCounts]:
    """How far each queue is, by its key."""
    rows = RelabelItem.objects.filter(relabel__in=relabels).order_by().values_list("relabel")
    again = Q(item__done__gt=F("done_before"), relabel__to=RelabelTo.OTHERS)
    items = rows.annotate(n=Count("pk"), again=Count("pk", again), drawn=Count("pk", Q(reason=DRAWN)))
    asked = (
        RelabelPlace.objects.filter(relabel__in=relabels)
        .order_by()
        .values_list("relabel")
        .annotate(n=Count("pk"), came=Count("pk", Q(annotation__isnull=False)), waiting=Count("pk", WAITS))
    )
    places = {pk: (n, came, waiting) for pk, n, came, waiting in asked}
    found = {}
    for pk, n, n_again, drawn in items:
        n_places, came, waiting = places.get(pk, (n, n_again, n - n_again))
        found[pk] = RelabelCounts(n, n_places, came, waiting, drawn)
    return found


def drawn_by_queue(project: Project) -> dict[int, set[int]]:
    """The items of each blind queue that were drawn from the audit slice by chance.

    Who sees what was answered before tends to keep it: that proves nothing.
    """
    rows = RelabelItem.objects.filter(relabel__project=project, relabel__blind=True, reason=DRAWN).order_by()
    rows = rows.exclude(item__audit=AuditPart.NONE)
    found: defaultdict[int, set[int]] = defaultdict(set)
    for relabel, item in rows.values_list("relabel", "item"):
        found[relabel].add(item)
    return found


def steps_of(project: Project, question: QuestionSpec) -> list[Mapping]:
    """Every mapping of a question, reverted or not, in order."""
    return list(project.mappings.filter(question=question.id).order_by("number"))


def has_audit(project: Project) -> bool:
    """Whether any item is in the audit slice."""
    return Item.objects.filter(project=project).exclude(audit=AuditPart.NONE).exists()
