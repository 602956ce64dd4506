"""Handing out: leases on items, and what may become of them short of an answer.

Locks are always taken in the order lease, membership, item. The queue's items are taken with SKIP
LOCKED, so nobody waits for somebody else's hand-out; only who would get nothing looks again and waits,
holding no item, in the queue's order. The places are kept by the database's own constraint on the item
(done + leased <= target).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from core.choices import MOST_HELD, EmptyBecause, ItemState, Lane, LeaseState, ProjectState, SkipReason
from core.exceptions import Conflict, Invalid, Missing
from core.models import Annotation, Flag, Item, Lease, Membership, Outbox, Project

SKIPS_UNTIL_LEAD = 2
MOST_AT_ONCE = MOST_HELD
SHARED = 0  # the pool of the items that everybody may have
ANSWERABLE = """
SELECT item.* FROM core_item item
WHERE item.project_id = %s AND item.pool = %s AND item.lane = %s AND item.position > %s AND item.free > 0
  AND NOT EXISTS (SELECT 1 FROM core_lease lease
                  WHERE lease.item_id = item.id AND lease.annotator_id = %s AND lease.item_version = item.version
                    AND lease.state IN ('active', 'skipped', 'deferred'))
  AND NOT EXISTS (SELECT 1 FROM core_annotation annotation
                  WHERE annotation.item_id = item.id AND annotation.annotator_id = %s
                    AND annotation.item_version = item.version AND annotation."current" AND annotation.complete
                    AND NOT annotation.voided)
ORDER BY item.position LIMIT %s
"""


@dataclass(slots=True)
class HandOut:
    """What one hand-out gave: leases with their items loaded, or why there were none."""

    leases: list[Lease] = field(default_factory=list)
    empty_because: EmptyBecause | None = None
    until: datetime | None = None
    held_by_others: int = 0


def hand_out(membership: Membership, count: int, have: Sequence[UUID] | None = None) -> HandOut:
    """Lease up to ``count`` items to this person.

    Without ``have``, ``count`` further items. With ``have`` (the leases the caller knows of), as many as
    make it hold ``count`` in all, beginning with those that it holds and does not know of (after a reload).
    Raises Conflict ``too-many-held`` when 20 are held already.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise Invalid("bad-count", f"count is a whole number from 1 to {MOST_AT_ONCE}")
    given = _hand_out(membership.pk, count, have)
    if not given.leases and given.empty_because is None and expire_leases(membership.project_id):
        given = _hand_out(membership.pk, count, have)
    if not given.leases and given.empty_because is None and not have:
        _explain_empty(membership, given)
    return given


@transaction.atomic
def _hand_out(membership_id: int, count: int, have: Sequence[UUID] | None) -> HandOut:
    member = (
        Membership.objects.select_for_update(of=("self",))
        .select_related("project")
        .annotate(now=Now())
        .filter(pk=membership_id, active=True)
        .first()
    )
    if member is None:  # removed since the request came in
        raise Missing
    if member.project.state != ProjectState.ACTIVE:
        return HandOut(empty_because=EmptyBecause.PAUSED)
    known: list[Lease] = []
    if have is not None:
        mine = list(
            Lease.objects.filter(annotator=member, state=LeaseState.ACTIVE)
            .select_related("item")
            .order_by("created_at")
        )
        unknown = [lease for lease in mine if lease.pk not in set(have)]
        count -= len(mine) - len(unknown)
        known = unknown[: max(count, 0)]
        count -= len(known)
    room = min(count, MOST_HELD - member.held)
    if room <= 0 and have is None:
        raise Conflict("too-many-held", f"You hold {member.held} items. Answer or release some first.")
    if member.cap is not None:
        room = min(room, member.cap - member.answered - member.held)
        if room <= 0 and not known and not member.held:
            return HandOut(empty_because=EmptyBecause.CAPPED)
    new = lease_next(member, room, member.now, wait=not known)
    if new:
        Membership.objects.filter(pk=member.pk).update(held=F("held") + len(new), cursors=member.cursors)
    return HandOut(leases=known + new)


def lease_next(member: Membership, count: int, now: datetime, *, wait: bool = False) -> list[Lease]:
    """Take places for a member whose row is locked, and lease them.

    With ``wait`` (for a caller that has locked no item) nothing is given only when there is nothing: an
    item that somebody else has locked for a moment is waited for. The caller writes ``member.cursors``
    and ``held`` back, so that a submit and its next hand-out are one update. Three statements when there
    is something to give, whatever the project's size: each lane is read from where this person stopped.
    """
    if count <= 0:
        return []
    items = _next_items(member, count, wait=wait)
    if len(items) < count:
        items += _own_deferred(member, count - len(items), {item.pk for item in items})
    if not items:
        return []
    Item.objects.filter(pk__in=[item.pk for item in items]).update(leased=F("leased") + 1, free=F("free") - 1)
    expires = now + timedelta(minutes=member.project.lease_minutes)
    return Lease.objects.bulk_create(
        Lease(id=uuid4(), item=item, item_version=item.version, annotator=member, expires_at=expires)
        for item in items
    )


def _next_items(member: Membership, count: int, *, wait: bool) -> list[Item]:
    pools = [SHARED]
    if member.has_batches:
        pools = [*member.batches.order_by("number").values_list("pk", flat=True), SHARED]
    items: list[Item] = []
    for pool in pools:
        for lane in Lane.values:
            if len(items) < count and _worth_looking(member, pool, lane):
                items += _from_lane(member, pool, lane, count - len(items), from_start=False)
    if not items:
        # Rows passed over while somebody else had them locked, or that came free behind this person.
        for pool in pools:
            for lane in Lane.values:
                if len(items) < count and (wait or member.cursors.get(_cursor(pool, lane))):
                    items += _from_lane(member, pool, lane, count - len(items), from_start=True, wait=wait)
    return items


def _cursor(pool: int, lane: int) -> str:
    return f"{pool}:{lane}"


def _worth_looking(member: Membership, pool: int, lane: int) -> bool:
    """The returned lane is read only when something came back since this person last saw its end."""
    return lane != Lane.RETURNED or member.cursors.get(f"{pool}:seen", 0) < member.project.returned


def _from_lane(
    member: Membership, pool: int, lane: int, count: int, *, from_start: bool, wait: bool = False
) -> list[Item]:
    name = _cursor(pool, lane)
    after = -1 if from_start else member.cursors.get(name, -1)
    items = _answerable(member, pool, lane, after, count, wait=wait)
    if items:
        member.cursors[name] = items[-1].position
    if lane == Lane.RETURNED and len(items) < count:
        member.cursors[f"{pool}:seen"] = member.project.returned
    return items


def _answerable(
    member: Membership, pool: int, lane: int, after: int, count: int, *, wait: bool
) -> list[Item]:
    """Items with a free place that this person neither has answered, holds, skipped nor put off.

    Written out because every submit runs it: Django takes several times longer to compile it than the
    database to answer it.
    """
    lock = ""
    if connection.features.has_select_for_update:
        lock = "FOR NO KEY UPDATE OF item" if wait else "FOR NO KEY UPDATE OF item SKIP LOCKED"
    own = [member.pk, member.pk]
    return list(Item.objects.raw(f"{ANSWERABLE} {lock}", [member.project_id, pool, lane, after, *own, count]))


def _own_deferred(member: Membership, count: int, taken: set[int]) -> list[Item]:
    """What this person saved for later comes back when there is nothing else."""
    put_off = list(
        Lease.objects.filter(annotator=member, state=LeaseState.DEFERRED)
        .filter(item__free__gt=0, item_version=F("item__version"))
        .order_by("closed_at")[:count]
    )
    items = list(
        Item.objects.filter(
            pk__in=[lease.item_id for lease in put_off if lease.item_id not in taken], free__gt=0
        ).select_for_update(skip_locked=True, of=("self",))
    )
    got = {item.pk for item in items}
    Lease.objects.filter(pk__in=[lease.pk for lease in put_off if lease.item_id in got]).update(
        state=LeaseState.RELEASED
    )
    return items


def _explain_empty(membership: Membership, given: HandOut) -> None:
    """Say whether all is done or others hold what is left, and until when."""
    own = {"item": OuterRef("item"), "annotator": membership.pk}
    held = (
        Lease.objects.filter(item__project=membership.project_id, state=LeaseState.ACTIVE)
        .exclude(annotator=membership)
        .filter(~Exists(Annotation.objects.filter(**own, current=True, complete=True, voided=False)))
        .filter(~Exists(Lease.objects.filter(**own, state__in=[LeaseState.SKIPPED, LeaseState.ACTIVE])))
        .order_by("expires_at")
    )
    first = held.values_list("expires_at", flat=True).first()
    if first is None:
        given.empty_because = EmptyBecause.ALL_DONE
    else:
        given.empty_because = EmptyBecause.HELD_BY_OTHERS
        given.until = first
        given.held_by_others = held.values("item").distinct().count()


@transaction.atomic
def extend_leases(membership: Membership, ids: Sequence[UUID]) -> list[Lease]:
    """Keep leases alive for another lease time. Those that are no longer active are left out."""
    mine = Lease.objects.filter(pk__in=list(ids)[:MOST_HELD], annotator=membership, state=LeaseState.ACTIVE)
    mine.update(expires_at=Now() + timedelta(minutes=membership.project.lease_minutes))
    return list(mine)


@transaction.atomic
def skip(lease_id: UUID, key: str, reason: str, note: str = "") -> Lease:
    """Not answering. The place goes to someone else; after two skips the item goes to the lead."""
    if reason not in SkipReason.values:
        raise Invalid("bad-reason", f"A reason is one of {', '.join(SkipReason.values)}")
    lease = _lock(lease_id)
    if _is_replay(lease, key, LeaseState.SKIPPED):
        return lease
    _close(lease, LeaseState.SKIPPED, key, reason=reason, note=note)
    to_lead = reason == SkipReason.BROKEN or lease.item.skips + 1 >= SKIPS_UNTIL_LEAD
    give_back(lease.item, skips=F("skips") + 1, to_lead=to_lead)
    return lease


@transaction.atomic
def defer(lease_id: UUID, key: str) -> Lease:
    """Save for later: the place is free meanwhile, and the item comes back to this person at the end."""
    lease = _lock(lease_id)
    if not _is_replay(lease, key, LeaseState.DEFERRED):
        _close(lease, LeaseState.DEFERRED, key)
        give_back(lease.item)
    return lease


@transaction.atomic
def flag(lease_id: UUID, key: str, note: str, *, broken: bool) -> Lease:
    """Leave a note for the lead. A broken item goes to the lead at once; otherwise the lease stays."""
    lease = _lock(lease_id)
    _flag, made = Flag.objects.get_or_create(
        annotator=lease.annotator,
        idempotency_key=key,
        defaults={"item": lease.item, "note": note[:1000], "broken": broken},
    )
    if not made:
        return lease
    Item.objects.filter(pk=lease.item_id).update(flags=F("flags") + 1)
    if broken and lease.state == LeaseState.ACTIVE:
        _close(lease, LeaseState.SKIPPED, key, reason=SkipReason.BROKEN, note=note)
        give_back(lease.item, skips=F("skips") + 1, to_lead=True)
    return lease


def _lock(lease_id: UUID) -> Lease:
    return (
        Lease.objects.select_for_update(of=("self", "annotator", "item"), no_key=True)
        .select_related("annotator__project", "item")
        .get(pk=lease_id)
    )


def _is_replay(lease: Lease, key: str, state: LeaseState) -> bool:
    """Whether this very request was done already. Raises Conflict when something else was."""
    if lease.state == LeaseState.ACTIVE:
        return False
    if lease.state == state and lease.idempotency_key == key:
        return True
    raise Conflict("lease-closed", f"This item is no longer yours to put aside: the lease is {lease.state}.")


def _close(lease: Lease, state: LeaseState, key: str = "", **fields: Any) -> None:
    Lease.objects.filter(pk=lease.pk).update(state=state, idempotency_key=key, closed_at=Now(), **fields)
    lease.state = state
    Membership.objects.filter(pk=lease.annotator_id).update(held=F("held") - 1)


def give_back(item: Item, *, to_lead: bool = False, **fields: Any) -> None:
    """Give an active lease's place back: into the lane that everybody looks at first, or to the lead.

    The item's row is locked by the caller. An overlap that was lowered meanwhile closes the place instead.
    """
    project = Project.objects.filter(pk=item.project_id)
    project.update(returned=F("returned") + 1)
    position, overlap, audit_overlap = project.values_list("returned", "overlap", "audit_overlap").get()
    fields |= {"leased": F("leased") - 1, "lane": Lane.RETURNED, "position": position}
    rows = Item.objects.filter(pk=item.pk)
    if to_lead and item.state != ItemState.WITHDRAWN:
        rows.update(**fields, state=ItemState.WITH_LEAD, free=0)
    elif item.state != ItemState.OPEN:
        rows.update(**fields)
    else:
        busy = item.done + item.leased - 1
        target = max(audit_overlap if item.audit else overlap, busy)
        rows.update(**fields, target=target, free=target - busy)
        if target == item.done:
            Outbox.objects.create(project_id=item.project_id, items_done=1)


def expire_leases(project_id: int | None = None, limit: int = 200) -> int:
    """Take back what was held too long, by the database's clock. Returns how many."""
    expired = Lease.objects.filter(state=LeaseState.ACTIVE, expires_at__lte=Now())
    if project_id is not None:
        expired = expired.filter(item__project=project_id)
    ids = list(expired.order_by("expires_at").values_list("pk", flat=True)[:limit])
    return sum(_end_lease(lease_id, LeaseState.EXPIRED, only_expired=True) for lease_id in ids)


def release_leases_of(membership: Membership) -> int:
    """Give back everything that a person holds (removed from the project, or signed out for good)."""
    ids = list(
        Lease.objects.filter(annotator=membership, state=LeaseState.ACTIVE).values_list("pk", flat=True)
    )
    return sum(_end_lease(lease_id, LeaseState.RELEASED) for lease_id in ids)


def release_leases_on(item: Item) -> int:
    """Give back every lease on an item (withdrawn, or its data corrected)."""
    ids = list(Lease.objects.filter(item=item, state=LeaseState.ACTIVE).values_list("pk", flat=True))
    return sum(_end_lease(lease_id, LeaseState.RELEASED) for lease_id in ids)


@transaction.atomic
def _end_lease(lease_id: UUID, state: LeaseState, *, only_expired: bool = False) -> bool:
    rows = Lease.objects.filter(pk=lease_id, state=LeaseState.ACTIVE)
    if only_expired:
        rows = rows.filter(expires_at__lte=Now())
    # All three at once, as everybody else locks them; who finds one locked leaves the lease for another time.
    locked = rows.select_for_update(of=("self", "annotator", "item"), no_key=True, skip_locked=True)
    lease = locked.select_related("annotator", "item").first()
    if lease is None:
        return False
    _close(lease, state)
    give_back(lease.item)
    return True
