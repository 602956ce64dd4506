"""Taking one person's answers out of the counts, and back in. Nothing is deleted, nobody loses what they did.

Either is one transaction. What is too much for a request is a job's work, whose end belongs to the same transaction.
Locks are taken in the order member, items, project, as everywhere.
"""

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest, Now

from core.access import rank
from core.choices import AuditPart, ItemState, JobKind, Lane, LeaseState, NoticeKind, Pass
from core.exceptions import Conflict, Missing, NotAllowed, invalid_field
from core.models import Annotation, Item, Job, Lease, Membership, Outbox, Project, Void
from core.selectors.job import UNFINISHED
from core.selectors.void import (
    FILLS,
    FILLS_FINISHED,
    Span,
    VoidCounts,
    count_void,
    resting_on,
    taken_out,
    void_jobs,
    voidable,
)
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import beat, create_job, finish_job
from core.services.lease import release_leases_of
from core.services.notice import notify

LONGEST_REASON = 500
MOST_AT_ONCE = 5_000  # answers within a request
# The places that voided answers fill: at most one of each item, as they are one person's.
PLACES = f"""
    SELECT i.id, i.state, i.target, i.extra, i.done, i.leased, i.audit, i.lane, i.position
    FROM core_annotation a JOIN core_item i ON i.id = a.item_id AND i.version = a.item_version
    WHERE a.annotator_id = %(member)s AND a.void_id = %(void)s AND a."current" AND a.complete AND a.repeat = 1
      AND a.pass_kind = '{Pass.NORMAL.value}'
"""
# How many people an item is to have (selectors.overlap.wanted).
WANTED = f"""
    CASE WHEN p.audit <> '{AuditPart.NONE.value}' THEN %(audit_overlap)s + p.extra
         WHEN p.target - p.extra > %(overlap)s AND p.target - p.extra <= %(most)s THEN p.target
         ELSE %(overlap)s + p.extra END
"""
# The place is free again, at the end of the lane that is read first; one beyond the overlap is closed.
TAKE_OUT = f"""
    UPDATE core_item SET done = f.busy - f.leased, target = f.wide,
        free = CASE WHEN f.state = '{ItemState.OPEN.value}' THEN f.wide - f.busy ELSE 0 END,
        lane = CASE WHEN f.wide > f.busy THEN {Lane.RETURNED.value} ELSE f.lane END,
        position = CASE WHEN f.wide > f.busy THEN %(returned)s + f.place ELSE f.position END
    FROM (
        SELECT w.*, CASE WHEN w.wanted < w.busy THEN w.busy ELSE w.wanted END AS wide FROM (
            SELECT p.*, p.done - 1 + p.leased AS busy, {WANTED} AS wanted,
                row_number() OVER (ORDER BY p.lane, p.position, p.id) AS place
            FROM ({PLACES}) AS p) AS w) AS f
    WHERE core_item.id = f.id
"""
# Where others have filled the places meanwhile, the item has more answers than it asks for.
PUT_BACK = f"""
    UPDATE core_item SET done = f.busy - f.leased, target = f.wide,
        free = CASE WHEN f.state = '{ItemState.OPEN.value}' THEN f.wide - f.busy ELSE 0 END
    FROM (
        SELECT w.*, CASE WHEN w.target < w.busy THEN w.busy ELSE w.target END AS wide FROM (
            SELECT p.*, p.done + 1 + p.leased AS busy FROM ({PLACES}) AS p) AS w) AS f
    WHERE core_item.id = f.id
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: answers, and how many of them are beyond what their items ask for."""

    annotations: int
    beyond: int


def preview_void(membership: Membership, member_id: int, span: Span) -> VoidCounts:
    """What void_annotations would do now. Raises what it raises, but for the reason."""
    check_open(membership.project)
    _check_span(span)
    return count_void(_decided(membership, _member(membership, member_id)), span)


def start_void(membership: Membership, member_id: int, reason: str, span: Span | None = None) -> Job | None:
    """Let a worker do what void_annotations does, where that is too much for a request; None where it is not.

    Asked for once more meanwhile, it is the job under way. Raises what void_annotations raises but for
    ``nothing-to-void``; Conflict ``void-under-way`` while something else is done with this person's answers; TooMany.
    """
    check_open(membership.project)
    span = span or Span()
    _check_span(span)
    arguments = {
        "member": member_id,
        "reason": _checked_reason(reason),
        "since": _written(span.since),
        "until": _written(span.until),
    }
    member = _decided(membership, _member(membership, member_id))
    return _start(membership, member, JobKind.VOID, arguments, voidable(member, span))


def start_undo(membership: Membership, void_id: int) -> Job | None:
    """Let a worker do what undo_void does, where that is too much for a request; None where it is not.

    Raises what start_void raises.
    """
    check_open(membership.project)
    void = _found(membership, void_id)
    member = _decided(membership, void.member)
    arguments = {"member": member.pk, "void": void.pk}
    return _start(membership, member, JobKind.VOID_UNDO, arguments, taken_out(void))


def _start(
    membership: Membership,
    member: Membership,
    kind: JobKind,
    arguments: dict[str, Any],
    rows: QuerySet[Annotation],
) -> Job | None:
    job = _under_way(member, kind, arguments)
    if job is not None or rows[: MOST_AT_ONCE + 1].count() <= MOST_AT_ONCE:
        return job
    with transaction.atomic():
        _locked(membership, member.pk)  # so that two who ask at once get one job
        return _under_way(member, kind, arguments) or create_job(
            membership.project, kind, arguments, membership.user
        )


def _under_way(member: Membership, kind: JobKind, arguments: dict[str, Any]) -> Job | None:
    jobs = void_jobs(member.project_id).filter(state__in=UNFINISHED)
    job = jobs.filter(arguments__member=member.pk).first()
    if job is not None and (job.cancel_requested or (job.kind, job.arguments) != (kind, arguments)):
        raise Conflict(
            "void-under-way", f"Answers of {member.name} are being taken out or put back just now."
        )
    return job


def void_annotations(
    membership: Membership, member_id: int, reason: str, span: Span | None = None, job: Job | None = None
) -> tuple[Void, VoidCounts]:
    """Take a person's answers out of every count, all or those of a stretch of time; their items wait for others.

    The answers are kept and can be put back. Their person is not asked about the same items again. Resolutions of the
    items are marked as overtaken; the person and whoever settled is told.

    A ``job`` ends with it; its result is ``void`` (the id) and the counts.

    Raises Missing; NotAllowed for a role above one's own; Invalid ``bad-reason``, ``bad-span``; Conflict
    ``nothing-to-void``, and in an archive; JobCancelled and LostClaim, and then nothing was done.
    """
    void, counts = _void(membership, member_id, _checked_reason(reason), span or Span(), job)
    held = Lease.objects.filter(annotator=void.member, state=LeaseState.ACTIVE, relabel=None)
    if held.filter(Exists(void.annotations.filter(item=OuterRef("item")))).exists():
        # A further question about an item that is not to be asked of them any more. Leases are locked before members.
        release_leases_of(void.member)
    return void, counts


@transaction.atomic
def _void(
    membership: Membership, member_id: int, reason: str, span: Span, job: Job | None
) -> tuple[Void, VoidCounts]:
    check_open(membership.project)
    _check_span(span)
    member = _locked(membership, member_id)
    rows = voidable(member, span)
    _lock_items(rows)
    counts = count_void(member, span)
    if not counts.annotations:
        raise Conflict("nothing-to-void", f"{member.name} has no answers there that count.")
    void = Void.objects.create(
        project_id=member.project_id,
        member=member,
        reason=reason,
        since=span.since,
        until=span.until,
        n_annotations=counts.annotations,
        created_by=membership.user,
    )
    settlers = _overtake(rows)
    rows.update(voided=True, void=void)
    _move(void, TAKE_OUT, -1)
    record(
        membership.user,
        membership.project,
        "annotations.voided",
        member.name,
        id=void.pk,
        member=member.pk,
        annotations=counts.annotations,
        items=counts.items,
    )
    _tell(void, settlers, undone=False)
    _end(job, {"void": void.pk, **asdict(counts)})
    void.refresh_from_db()
    return void, counts


@transaction.atomic
def undo_void(membership: Membership, void_id: int, job: Job | None = None) -> tuple[Void, Restored]:
    """Put the answers of a void back into the counts.

    What fills a place fills it again. Where others have answered meanwhile, or are at it, the item has more answers
    than it asks for, and nothing is lost. Answers to an earlier version of an item, and those that their person has
    given anew since, come back into the history only. A ``job`` ends with it; its result is ``void`` (the id),
    ``annotations`` and ``beyond``.

    Raises Missing; NotAllowed for a role above one's own; Conflict ``already-undone``, and in an archive; JobCancelled
    and LostClaim, and then nothing was done.
    """
    check_open(membership.project)
    found = _found(membership, void_id)
    _locked(membership, found.member_id)
    void = Void.objects.select_for_update(of=("self",)).select_related("member").get(pk=found.pk)
    if void.undone_at is not None:
        raise Conflict("already-undone", "These answers were put back already.")
    rows = taken_out(void)
    _lock_items(rows)
    settlers = _overtake(rows.filter(current=True))
    full = FILLS & Q(current=True, item__free=0, item__state=ItemState.OPEN)
    restored = Restored(**rows.aggregate(annotations=Count("pk"), beyond=Count("pk", filter=full)))
    _move(void, PUT_BACK, 1)
    rows.update(voided=False)
    Void.objects.filter(pk=void.pk).update(undone_at=Now(), undone_by=membership.user)
    record(
        membership.user,
        membership.project,
        "annotations.restored",
        void.member.name,
        id=void.pk,
        member=void.member_id,
        annotations=restored.annotations,
        beyond=restored.beyond,
    )
    _tell(void, settlers, undone=True)
    _end(job, {"void": void.pk, **asdict(restored)})
    void.refresh_from_db()
    return void, restored


def _end(job: Job | None, result: dict[str, Any]) -> None:
    """The job's row is left alone until here, so that a cancellation can be asked for meanwhile."""
    if job is not None:
        beat(job)
        finish_job(job, result)


def _found(membership: Membership, void_id: int) -> Void:
    found = Void.objects.select_related("member").filter(pk=void_id, project=membership.project_id).first()
    if found is None:
        raise Missing
    return found


def _member(membership: Membership, member_id: int) -> Membership | None:
    return Membership.objects.filter(project=membership.project_id, pk=member_id).first()


def _written(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _locked(membership: Membership, member_id: int) -> Membership:
    members = Membership.objects.select_for_update(of=("self",), no_key=True)
    return _decided(membership, members.filter(project=membership.project_id, pk=member_id).first())


def _decided(membership: Membership, member: Membership | None) -> Membership:
    if member is None:
        raise Missing
    if rank(member.role) > rank(membership.role):
        raise NotAllowed("Nobody decides over a role above their own.", code="role-above-own")
    return member


def _checked_reason(reason: object) -> str:
    kept = " ".join(reason.split()) if isinstance(reason, str) else ""
    if not kept or len(kept) > LONGEST_REASON or "\0" in kept:
        raise invalid_field("reason", "bad-reason", f"Say why, in 1 to {LONGEST_REASON} characters.")
    return kept


def _check_span(span: Span) -> None:
    if span.since is not None and span.until is not None and span.since >= span.until:
        raise invalid_field("until", "bad-span", "until is a time after since.")


def _lock_items(rows: QuerySet[Annotation]) -> None:
    """In the order of their ids; whoever corrects one of the answers meanwhile comes before or after."""
    items = Item.objects.filter(pk__in=rows.values("item")).order_by("pk")
    list(items.select_for_update(of=("self",), no_key=True).values_list("pk"))


def _overtake(rows: QuerySet[Annotation]) -> Counter[int]:
    """Mark the resolutions in force that rest on these; returns how many by who settled them."""
    found = resting_on(rows)
    settlers = Counter(dict(found.values_list("settled_by").annotate(n=Count("pk"))))
    found.update(overtaken=True)  # the same ones: whoever settles locks the item
    return settlers


def _move(void: Void, statement: str, sign: int) -> None:
    """Empty or fill the places of the items, whose rows are locked, and change every count that goes with them.

    Run it while exactly the annotations of the void that are to move are current and marked as voided.
    """
    moved = taken_out(void).filter(current=True)
    told = moved.aggregate(
        n=Count("pk"),
        retests=Count("pk", filter=Q(pass_kind=Pass.RETEST)),
        places=Count("pk", filter=FILLS),
        finished=Count("pk", filter=FILLS_FINISHED),
        of_this_version=Count("pk", filter=Q(item_version=F("item__version"))),
    )
    Membership.objects.filter(pk=void.member_id).update(
        answered=Greatest(F("answered") + sign * told["n"], 0)
    )
    Membership.objects.filter(pk=void.member_id, user__isnull=False).update(
        retested=Greatest(F("retested") + sign * told["retests"], 0)
    )
    returned = told["places"] if sign < 0 else 0
    projects = Project.objects.filter(pk=void.project_id)
    projects.update(returned=F("returned") + returned)
    project = projects.get()
    values = {
        "member": void.member_id,
        "void": void.pk,
        "overlap": project.overlap,
        "audit_overlap": project.audit_overlap,
        "most": project.overlap_most or 0,
        "returned": project.returned - returned,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    Outbox.objects.create(
        project=project,
        annotations=sign * told["of_this_version"],
        items_done=moved.filter(FILLS_FINISHED).count() - told["finished"],
        changes=1,
    )


def _tell(void: Void, settlers: Counter[int], *, undone: bool) -> None:
    """The person, and whoever settled items that are to be looked at again."""
    told = {"void": void.pk, "member": void.member_id, "name": void.member.name, "undone": undone}
    told["answers"] = void.n_annotations
    if void.member.user_id is not None:
        notify([void.member_id], NoticeKind.VOIDED, **told)
    for settler, n in sorted(settlers.items()):
        if settler != void.member_id:
            notify([settler], NoticeKind.VOIDED, **told, resolutions=n)
