"""Answers that were taken out of the counts, and what taking some out would do."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual, LessThan

from core.choices import ItemState, JobKind, JobState, Pass
from core.exceptions import Missing
from core.models import Annotation, Job, Membership, Resolution, Void
from core.selectors.job import UNFINISHED, jobs_of

COUNTS_NOWHERE = (Pass.TRAINING, Pass.TRIAL)
# An annotation that fills one of its item's places.
FILLS = Q(repeat=1, pass_kind=Pass.NORMAL, complete=True, item_version=F("item__version"))
# The same where its item is finished. As it is one person's, an item has at most one such.
FILLS_FINISHED = FILLS & Q(item__state=ItemState.OPEN, item__free=0, item__leased=0, item__done__gt=0)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, by when something was answered: from ``since`` on, before ``until``; None is no end."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class VoidCounts:
    """What a void does: answers, the items they are on, places of open items that come free (fewer where an item had
    more answers than it asks for), finished items among them, and resolutions that are to be looked at again.
    """

    annotations: int
    items: int
    places: int
    finished: int
    resolutions: int


def voidable(member: Membership, span: Span) -> QuerySet[Annotation]:
    """What counts of a person's answers within a stretch of time; training and trial count nowhere anyway."""
    rows = Annotation.objects.filter(annotator=member, current=True, voided=False)
    rows = rows.exclude(pass_kind__in=COUNTS_NOWHERE).order_by()
    at = Coalesce("answered_at", "created_at")
    if span.since is not None:
        rows = rows.filter(GreaterThanOrEqual(at, span.since))
    return rows if span.until is None else rows.filter(LessThan(at, span.until))


def resting_on(rows: QuerySet[Annotation]) -> QuerySet[Resolution]:
    """Resolutions in force of the items that these annotations are on, unless something came after them already."""
    own = rows.filter(pass_kind=Pass.NORMAL, item=OuterRef("item"), item_version=OuterRef("item_version"))
    return Resolution.objects.filter(Exists(own), current=True, overtaken=False).order_by()


def count_void(member: Membership, span: Span) -> VoidCounts:
    """What taking these answers out would do now."""
    rows = voidable(member, span)
    told = rows.aggregate(
        annotations=Count("pk"),
        items=Count("item", distinct=True),
        places=Count("pk", filter=FILLS & Q(item__state=ItemState.OPEN)),
        finished=Count("pk", filter=FILLS_FINISHED),
    )
    return VoidCounts(**told, resolutions=resting_on(rows).count())


def taken_out(void: Void) -> QuerySet[Annotation]:
    """The answers that a void keeps out of the counts."""
    # Their person is named for the index that finds them: there is none on the void.
    return Annotation.objects.filter(annotator=void.member_id, void=void, voided=True).order_by()


def void_jobs(project_id: int) -> QuerySet[Job]:
    """The jobs that take answers out or put them back, the newest first; ``arguments`` names the ``member``."""
    return jobs_of(project_id).filter(kind__in=(JobKind.VOID, JobKind.VOID_UNDO))


def void_jobs_to_tell(project_id: int) -> list[Job]:
    """Those of them under way, and the newest where it failed."""
    jobs = void_jobs(project_id)
    last = jobs.first()
    failed = [last] if last is not None and last.state == JobState.FAILED else []
    return [*failed, *jobs.filter(state__in=UNFINISHED)]


def find_void_job(project_id: int, job_id: UUID) -> Job:
    """One of them. Raises Missing."""
    found = void_jobs(project_id).filter(pk=job_id).first()
    if found is None:
        raise Missing
    return found


def voids_of(project_id: int) -> QuerySet[Void]:
    """A project's decisions to take answers out, the newest first, also those that were undone."""
    rows = Void.objects.filter(project=project_id).select_related("member", "created_by", "undone_by")
    return rows.order_by("-pk")


def find_void(void_id: int) -> Void:
    """One decision by its id. Raises Missing."""
    found = Void.objects.filter(pk=void_id).first()
    if found is None:
        raise Missing
    return found
