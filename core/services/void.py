"""Taking one person's answers out of the counts, and back in. Nothing is deleted, nobody loses what they did.

Locks are taken in the order member, items, project, as everywhere.
"""

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

from collections import Counter
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Greatest, Now

from core.access import rank
from core.choices import AuditPart, ItemState, Lane, LeaseState, NoticeKind, Pass
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import Annotation, Item, Lease, Membership, Outbox, Project, Resolution, Void
from core.selectors.void import FILLS, FINISHED, Span, VoidCounts, count_void, resting_on, voidable
from core.services.archive import check_open
from core.services.audit import record
from core.services.lease import release_leases_of
from core.services.notice import notify

LONGEST_REASON = 500
# The places that voided answers fill: at most one of each item, as they are one person's.
PLACES = f"""
    SELECT i.id, i.state, i.target, i.extra, i.done, i.leased, i.audit, i.lane, i.position
    FROM core_annotation a JOIN core_item i ON i.id = a.item_id AND i.version = a.item_version
    WHERE a.void_id = %(void)s AND a."current" AND a.complete AND a.repeat = 1
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
    member = Membership.objects.filter(project=membership.project_id, pk=member_id).first()
    return count_void(_decided(membership, member), span)


def void_annotations(
    membership: Membership, member_id: int, reason: str, span: Span | None = None
) -> tuple[Void, VoidCounts]:
    """Take a person's answers out of every count, all or those of a stretch of time; their items wait for others.

    The answers are kept and can be put back. Their person is not asked about the same items again. Resolutions of the
    items are marked as overtaken; the person and whoever settled is told.

    Raises Missing; NotAllowed for a role above one's own; Invalid ``bad-reason``, ``bad-span``; Conflict
    ``nothing-to-void``, and in an archive.
    """
    void, counts = _void(membership, member_id, _checked_reason(reason), span or Span())
    held = Lease.objects.filter(annotator=void.member, state=LeaseState.ACTIVE, relabel=None)
    if held.filter(Exists(void.annotations.filter(item=OuterRef("item")))).exists():
        # A further question about an item that is not to be asked of them any more. Leases are locked before members.
        release_leases_of(void.member)
    return void, counts


@transaction.atomic
def _void(membership: Membership, member_id: int, reason: str, span: Span) -> tuple[Void, VoidCounts]:
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
    void.refresh_from_db()
    return void, counts


@transaction.atomic
def undo_void(membership: Membership, void_id: int) -> tuple[Void, Restored]:
    """Put the answers of a void back into the counts.

    What fills a place fills it again. Where others have answered meanwhile, or are at it, the item has more answers
    than it asks for, and nothing is lost. Answers to an earlier version of an item, and those that their person has
    given anew since, come back into the history only.

    Raises Missing; NotAllowed for a role above one's own; Conflict ``already-undone``, and in an archive.
    """
    check_open(membership.project)
    found = Void.objects.filter(pk=void_id, project=membership.project_id).first()
    if found is None:
        raise Missing
    _locked(membership, found.member_id)
    void = Void.objects.select_for_update(of=("self",)).select_related("member").get(pk=found.pk)
    if void.undone_at is not None:
        raise Conflict("already-undone", "These answers were put back already.")
    rows = Annotation.objects.filter(void=void, voided=True).order_by()
    _lock_items(rows)
    settlers = _overtake(rows.filter(current=True))
    n = rows.count()
    beyond = rows.filter(FILLS, current=True, item__free=0, item__state=ItemState.OPEN).count()
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
        annotations=n,
        beyond=beyond,
    )
    _tell(void, settlers, undone=True)
    void.refresh_from_db()
    return void, Restored(n, beyond)


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
        raise _invalid("reason", "bad-reason", f"Say why, in 1 to {LONGEST_REASON} characters.")
    return kept


def _check_span(span: Span) -> None:
    if span.since is not None and span.until is not None and span.since >= span.until:
        raise _invalid("until", "bad-span", "until is a time after since.")


def _invalid(name: str, code: str, detail: str) -> Invalid:
    return Invalid(
        code, detail, errors=[{"field": name, "pointer": f"/{name}", "code": code, "detail": detail}]
    )


def _lock_items(rows: QuerySet[Annotation]) -> None:
    """In the order of their ids; whoever corrects one of the answers meanwhile comes before or after."""
    items = Item.objects.filter(pk__in=rows.values("item")).order_by("pk")
    list(items.select_for_update(of=("self",), no_key=True).values_list("pk"))


def _overtake(rows: QuerySet[Annotation]) -> Counter[int]:
    """Mark the resolutions in force that rest on these; returns how many by who settled them."""
    found = dict(resting_on(rows).values_list("pk", "settled_by"))
    ids = sorted(found)
    for start in range(0, len(ids), 1000):
        Resolution.objects.filter(pk__in=ids[start : start + 1000]).update(overtaken=True)
    return Counter(found.values())


def _move(void: Void, statement: str, sign: int) -> None:
    """Empty or fill the places of the items, whose rows are locked, and change every count that goes with them.

    Run it while exactly the annotations of the void that are to move are current and marked as voided.
    """
    moved = Annotation.objects.filter(void=void, voided=True, current=True).order_by()
    n, retests = moved.count(), moved.filter(pass_kind=Pass.RETEST).count()
    Membership.objects.filter(pk=void.member_id).update(answered=Greatest(F("answered") + sign * n, 0))
    Membership.objects.filter(pk=void.member_id, user__isnull=False).update(
        retested=Greatest(F("retested") + sign * retests, 0)
    )
    places = moved.filter(FILLS)
    items = Item.objects.filter(FINISHED, pk__in=places.values("item"))
    finished = items.count()
    projects = Project.objects.filter(pk=void.project_id)
    if sign < 0:
        projects.update(returned=F("returned") + places.count())
    project = projects.get()
    values = {
        "void": void.pk,
        "overlap": project.overlap,
        "audit_overlap": project.audit_overlap,
        "most": project.overlap_most or 0,
        "returned": project.returned - (places.count() if sign < 0 else 0),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    Outbox.objects.create(
        project=project,
        annotations=sign * moved.filter(item_version=F("item__version")).count(),
        items_done=items.count() - finished,
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
