"""Overlap that adapts: how many people an item is to have, how far the items are, and what it has saved."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Greatest

from core.choices import AuditPart, ItemState, JobKind, JobState, QuestionKind, Role
from core.models import Annotation, Item, Job, Membership, Project
from core.selectors.job import unfinished_jobs
from core.selectors.question import QuestionSpec, schema_of

PLACES = np.dtype(
    [("item", "i8"), ("done", "i8"), ("target", "i8"), ("free", "i8"), ("leased", "i8"), ("fixed", "?")]
)


def wanted(project: Project, item: Item) -> int:
    """How many people an item is to have by the project's settings.

    A place that was bought for it counts, and so do those for labeling it again. The audit slice has its own
    overlap, which nothing adapts.
    """
    if item.audit != AuditPart.NONE:
        return project.audit_overlap + item.extra
    usual = item.target - item.extra
    bought = project.overlap_most is not None and project.overlap < usual <= project.overlap_most
    return item.target if bought else project.overlap + item.extra


def deciding_question(project: Project) -> QuestionSpec | None:
    """The question whose answers decide on further places: the first of kind single or scale; None without one."""
    kinds = {QuestionKind.SINGLE, QuestionKind.SCALE}
    return next((spec for spec in schema_of(project).questions if spec.kind in kinds), None)


def places_of(project: Project) -> npt.NDArray[Any]:
    """One row per item that is open and has answers, by id: the places, and whether it is of the audit slice."""
    rows = (
        Item.objects.filter(project=project, state=ItemState.OPEN, done__gt=0)
        .order_by("pk")
        .values_list("pk", "done", "target", "free", "leased", "audit")
    )
    return np.fromiter(
        ((*counts, audit != AuditPart.NONE) for *counts, audit in rows.iterator(10_000)), dtype=PLACES
    )


@dataclass(frozen=True, slots=True)
class Saving:
    """What adapting has saved so far, on finished items outside the audit slice.

    ``used`` answers were given, ``everywhere`` would be needed if all of these items had ``most`` people.
    ``sure`` items need no more by the last look, which was at ``as_of``; ``gold`` is how often the labels of the
    model agreed with gold then (a figure as in the agreement report). All three are None before the first look.
    """

    most: int
    items: int
    used: int
    everywhere: int
    bought: int
    budget: int | None
    question: str | None
    sure: int | None
    gold: dict[str, Any] | None
    as_of: datetime | None

    @property
    def saved(self) -> int:
        """Answers that were not needed."""
        return self.everywhere - self.used


def saving_of(project: Project) -> Saving | None:
    """What adaptive overlap has saved; None where the project's overlap does not adapt."""
    most = project.overlap_most
    if most is None:
        return None
    items = Item.objects.filter(project=project, audit=AuditPart.NONE, state=ItemState.OPEN)
    counted = items.filter(free=0, leased=0, done__gt=0).aggregate(
        n=Count("pk"), used=Sum("done", default=0), all=Sum(Greatest(F("done"), Value(most)), default=0)
    )
    last = looks_of(project).filter(state=JobState.DONE).first()
    result = (last.result if last else None) or {}
    question = deciding_question(project)
    return Saving(
        most=most,
        items=counted["n"],
        used=counted["used"],
        everywhere=counted["all"],
        bought=project.overlap_bought,
        budget=project.overlap_budget,
        question=question.key if question else None,
        sure=result.get("sure"),
        gold=result.get("gold"),
        as_of=last.finished_at if last else None,
    )


def nobody_left(project: Project, items: Collection[Item]) -> set[int]:
    """Those of the items that everybody who labels here has answered.

    Who labels: annotators, and whoever else has answered something; not those who have reached their cap.
    """
    people = Membership.objects.filter(project=project, active=True, user__isnull=False)
    people = people.filter(Q(role=Role.ANNOTATOR) | Q(answered__gt=0))
    people = people.filter(Q(cap=None) | Q(cap__gt=F("answered")))
    answered = (
        Annotation.objects.filter(item__in=items, annotator__in=people, current=True, repeat=1)
        .filter(item_version=F("item__version"))
        .order_by()
        .values("item")
        .annotate(n=Count("pk"))
    )
    return set(answered.filter(n__gte=people.count()).values_list("item", flat=True))


def looks_of(project: Project) -> QuerySet[Job]:
    """The jobs that looked for items to buy places for, the newest first."""
    return Job.objects.filter(project=project, kind=JobKind.OVERLAP).order_by("-created_at", "-pk")


def looking(project: Project) -> Job | None:
    """The one that waits or runs."""
    return unfinished_jobs(project.pk).filter(kind=JobKind.OVERLAP).first()
