"""Handing out: leases on items, and what may become of them short of an answer.

Locks are always taken in the order lease, membership, item. The queue's items are taken with SKIP
LOCKED, so nobody waits for somebody else's hand-out; only who would get nothing looks again and waits,
holding no item, in the queue's order. The places are kept by the database's own constraint on the item
(done + leased <= target).
"""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Greatest, Now

from core.choices import (
    MOST_HELD,
    EmptyBecause,
    ItemState,
    Lane,
    LeaseState,
    Pass,
    ProjectState,
    SkipReason,
    TrainingState,
)
from core.exceptions import Conflict, Invalid, Missing
from core.models import Annotation, Flag, Item, Lease, Membership, Outbox, Project, RelabelPlace, Trainee
from core.selectors.lease import (
    CHANCES,
    Stretch,
    answerable,
    golden,
    holds_retests,
    last_open,
    retestable,
    untried,
    waiting_places,
)
from core.selectors.overlap import wanted
from core.selectors.suggestion import suggestions
from core.services.trainee import current_attempt, training_places

SKIPS_UNTIL_LEAD = 2
MOST_AT_ONCE = MOST_HELD
SHARED = 0  # the pool of the items that everybody may have
SPARE = 2  # items more than wanted are asked for, as somebody may have one locked for a moment
AGAIN_AFTER = 60  # seconds until a look that was in vain is repeated
COUNTS_NOWHERE = frozenset({Pass.TRAINING, Pass.TRIAL})


class Place(NamedTuple):
    """What one lease is to be for."""

    item: Item
    pass_kind: Pass = Pass.NORMAL
    repeat: int = 1
    relabel_id: int | None = None

    @property
    def takes(self) -> bool:
        """Whether it is one of its item's places."""
        return self.pass_kind == Pass.NORMAL and self.relabel_id is None

    @property
    def suggests(self) -> bool:
        """Whether a model's answer may be shown beside it: in every pass of the queue, so that it tells none apart."""
        return self.pass_kind != Pass.TRAINING and self.relabel_id is None


class Stopped(StrEnum):
    """Why somebody gets no items although there may be some."""

    PROJECT = "project"  # the project is paused or archived
    GOLD = "gold"  # their accuracy on gold is below the bound
    LEAD = "lead"  # a lead has paused them
    TRAINING = "training"  # they have not passed their training round


@dataclass(slots=True)
class HandOut:
    """What one hand-out gave: leases with their items loaded, or why there were none.

    ``stopped`` says more where it is ``paused``.
    """

    leases: list[Lease] = field(default_factory=list)
    empty_because: EmptyBecause | None = None
    stopped: Stopped | None = None
    until: datetime | None = None
    held_by_others: int = 0


def hand_out(membership: Membership, count: int, have: Sequence[UUID] | None = None) -> HandOut:
    """Lease up to ``count`` items to this person.

    Without ``have``, ``count`` further items. With ``have`` (the leases the caller knows of), as many as
    make it hold ``count`` in all, beginning with those that it holds and does not know of (after a reload).
    Whoever has a training round before them is given its items, one at a time, and what else they held goes back.
    Raises Conflict ``too-many-held`` when 20 are held already.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise Invalid("bad-count", f"count is a whole number from 1 to {MOST_AT_ONCE}")
    given = _hand_out(membership.pk, count, have)
    if not given.leases and given.empty_because is None and expire_leases(membership.project_id):
        given = _hand_out(membership.pk, count, have)
    if given.stopped == Stopped.TRAINING or any(one.pass_kind == Pass.TRAINING for one in given.leases):
        released = _release(membership, ~Q(pass_kind__in=COUNTS_NOWHERE))
        if released and not given.leases and given.empty_because is None:
            given = _hand_out(membership.pk, count, have)
    if not given.leases and given.empty_because is None and not have:
        _explain_empty(membership, given)
    return given


@transaction.atomic
def hand_out_trial(membership: Membership, count: int, have: Sequence[UUID] | None = None) -> HandOut:
    """Lease up to ``count`` items to a lead who tries the project out; nothing about it counts anywhere.

    As ``hand_out``; every open item comes once, whether people have answered it or not, also while the project
    is paused.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise Invalid("bad-count", f"count is a whole number from 1 to {MOST_AT_ONCE}")
    member, now = _locked_member(membership.pk)
    if member.project.state == ProjectState.ARCHIVED:
        return HandOut(empty_because=EmptyBecause.PAUSED, stopped=Stopped.PROJECT)
    known, count = _known(member, count, have, Q(pass_kind=Pass.TRIAL))
    room = min(count, MOST_HELD - member.held)
    if room <= 0 and have is None:
        raise Conflict("too-many-held", f"You hold {member.held} items. Answer or release some first.")
    new = lease_trial(member, room, now)
    _count_handed(member, new)
    given = HandOut(leases=known + new)
    if not given.leases and not have:
        given.empty_because = EmptyBecause.ALL_DONE
    return given


def _locked_member(membership_id: int) -> tuple[Membership, datetime]:
    """The member's row, locked, with the project; and the database's time."""
    member = (
        Membership.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .annotate(now=Now())
        .filter(pk=membership_id, active=True)
        .first()
    )
    if member is None:  # removed since the request came in
        raise Missing
    return member, member.now


def _known(member: Membership, count: int, have: Sequence[UUID] | None, kinds: Q) -> tuple[list[Lease], int]:
    """Leases in hand that the caller does not know of, as many as it wants, and how many it wants besides."""
    if have is None:
        return [], count
    mine = list(
        Lease.objects.filter(kinds, annotator=member, state=LeaseState.ACTIVE)
        .select_related("item")
        .order_by("created_at")
    )
    unknown = [lease for lease in mine if lease.pk not in set(have)]
    count -= len(mine) - len(unknown)
    known = unknown[: max(count, 0)]
    return known, count - len(known)


def stopped(member: Membership) -> Stopped | None:
    """What keeps a person from any further item, but for a training round."""
    if member.project.state != ProjectState.ACTIVE:
        return Stopped.PROJECT
    return Stopped(member.paused_because) if member.paused_because else None


@transaction.atomic
def _hand_out(membership_id: int, count: int, have: Sequence[UUID] | None) -> HandOut:
    member, now = _locked_member(membership_id)
    why = stopped(member)
    if why is not None:
        return HandOut(empty_because=EmptyBecause.PAUSED, stopped=why)
    if member.training_round_id is not None:
        training = _hand_out_training(member, have, now)
        if training is not None:
            return training
    known, count = _known(member, count, have, ~Q(pass_kind=Pass.TRIAL))
    room = min(count, MOST_HELD - member.held)
    if room <= 0 and have is None:
        raise Conflict("too-many-held", f"You hold {member.held} items. Answer or release some first.")
    if member.cap is not None:
        left = member.cap - member.answered - member.held
        if left < room and member.waiting:  # what was asked of just this person is beside their cap
            asked = _lease(member, _asked_places(member, room, wait=not known), now)
            if asked:
                _count_handed(member, asked)
                return HandOut(leases=known + asked)
        room = min(room, left)
        if room <= 0 and not known and not member.held:
            return HandOut(empty_because=EmptyBecause.CAPPED)
    cursors = dict(member.cursors)
    new = lease_next(member, room, now, wait=not known)
    if new or member.cursors != cursors:
        Membership.objects.filter(pk=member.pk).update(
            held=F("held") + len(new), handed=F("handed") + len(new), cursors=member.cursors
        )
    return HandOut(leases=known + new)


def _count_handed(member: Membership, new: Collection[Lease]) -> None:
    if new:
        Membership.objects.filter(pk=member.pk).update(
            held=F("held") + len(new), handed=F("handed") + len(new)
        )


def _hand_out_training(member: Membership, have: Sequence[UUID] | None, now: datetime) -> HandOut | None:
    """The item of the round that is in hand, or the next one; None when the round is no longer before them."""
    attempt = current_attempt(member)
    if attempt is None:
        return None
    known, _count = _known(member, MOST_HELD, have or (), Q(pass_kind=Pass.TRAINING))
    if known or attempt.state == TrainingState.RUNNING:
        if not known and member.held >= MOST_HELD:
            return HandOut(stopped=Stopped.TRAINING)
        new = _lease(member, _training_places(member, attempt, wait=True), now) if not known else []
        _count_handed(member, new)
        return HandOut(leases=known + new)
    return HandOut(empty_because=EmptyBecause.PAUSED, stopped=Stopped.TRAINING)


def next_after(member: Membership, done: Lease, count: int, now: datetime) -> HandOut:
    """What comes with the reply to an answer: the same as from a hand-out, as far as it can be had without waiting.

    The caller writes ``member.cursors``, ``held`` and ``handed`` back.
    """
    if done.pass_kind == Pass.TRIAL:
        return HandOut(leases=lease_trial(member, count, now))
    why = stopped(member)
    if why is not None:
        return HandOut(empty_because=EmptyBecause.PAUSED, stopped=why)
    attempt = current_attempt(member) if member.training_round_id is not None else None
    if attempt is None:
        return HandOut(leases=lease_next(member, count, now))
    if attempt.state != TrainingState.RUNNING:
        return HandOut(empty_because=EmptyBecause.PAUSED, stopped=Stopped.TRAINING)
    return HandOut(
        leases=_lease(member, _training_places(member, attempt, wait=False), now) if count > 0 else []
    )


def _training_places(member: Membership, attempt: Trainee, *, wait: bool) -> list[Place]:
    return [
        Place(item, Pass.TRAINING, repeat) for item, repeat in training_places(member, attempt, wait=wait)
    ]


def lease_trial(member: Membership, count: int, now: datetime) -> list[Lease]:
    """Items that a lead has not tried yet, as ``lease_next`` gives normal ones."""
    items = untried(member, count) if count > 0 else []
    return _lease(member, [Place(item, Pass.TRIAL, 0) for item in items], now)


def lease_next(member: Membership, count: int, now: datetime, *, wait: bool = False) -> list[Lease]:
    """Take places for a member whose row is locked, and lease them.

    With ``wait`` (for a caller that has locked no item) nothing is given only when there is nothing: an
    item that somebody else has locked for a moment is waited for. The caller writes ``member.cursors``,
    ``held`` and ``handed`` back, so that a submit and its next hand-out are one update. Three statements when
    there is something to give, whatever the project's size and whichever pass: each lane is read from where
    this person stopped. Retest and gold passes take no place, nor do answers that were asked of just this person,
    which come first.
    """
    if count <= 0:
        return []
    return _lease(member, _next_places(member, count, now, wait=wait), now)


def _lease(member: Membership, places: Sequence[Place], now: datetime) -> list[Lease]:
    """Lease these places; their items are locked."""
    if not places:
        return []
    # One statement for all, also for the rows of items whose places stay: a batch with gold costs what another does.
    takes = Case(When(pk__in=[place.item.pk for place in places if place.takes], then=1), default=0)
    rows = Item.objects.filter(pk__in=[place.item.pk for place in places])
    rows.update(leased=F("leased") + takes, free=F("free") - takes)
    told = suggestions(member.project, [place.item for place in places])
    expires = now + timedelta(minutes=member.project.lease_minutes)
    return Lease.objects.bulk_create(
        Lease(
            id=uuid4(),
            item=place.item,
            item_version=place.item.version,
            annotator=member,
            pass_kind=place.pass_kind,
            repeat=2 if place.pass_kind == Pass.RETEST else place.repeat,
            expires_at=expires,
            relabel_id=place.relabel_id,
            suggestion=told.get(place.item.pk) if place.suggests else None,
        )
        for place in places
    )


def takes_place(lease: Lease) -> bool:
    """Whether a lease stands for one of its item's places: only those of the queue do, never a blind pass."""
    return lease.pass_kind == Pass.NORMAL and lease.relabel_id is None


def _next_places(member: Membership, count: int, now: datetime, *, wait: bool) -> list[Place]:
    """What to lease: what waits for just this person, then in the order of the draws, repeats among the others."""
    asked = _asked_places(member, count, wait=wait) if member.waiting else []
    if asked:
        return asked
    drawn = [draw(member, member.handed + ahead) for ahead in range(count)]
    blind = _blind_places(member, drawn, now)
    rest = count - len(blind)
    taken = {place.item.pk for place in blind.values()}
    # As many as if none were gold or a repeat: the time that this takes tells nobody how many were.
    queued = _next_items(member, count, now, taken, wait=wait and not blind)[:rest]
    normal = [Place(item) for item in queued]
    if len(normal) < rest:
        taken |= {item.pk for item in queued}
        normal += _own_deferred(member, rest - len(normal), taken)
    if wait and len(normal) < rest:
        normal += _missing_retests(member, rest - len(normal), now, [*normal, *blind.values()])
    queue = iter(normal)
    ordered = (blind.get(ahead) or next(queue, None) for ahead in range(count))
    return [place for place in ordered if place is not None]


def _asked_places(member: Membership, count: int, *, wait: bool) -> list[Place]:
    """Items that were sent to just this person, the oldest first; those that were changed since are dropped."""
    waiting = waiting_places(member, count + SPARE)
    stale = [
        place.pk
        for place in waiting
        if place.item.state == ItemState.WITHDRAWN or place.item_version != place.item.version
    ]
    if stale:
        RelabelPlace.objects.filter(pk__in=stale).update(dropped=True)
        Membership.objects.filter(pk=member.pk).update(waiting=Greatest(F("waiting") - len(stale), 0))
    first: dict[int, int] = {}
    for place in waiting:
        if place.pk not in set(stale) and place.item.state == ItemState.OPEN:
            first.setdefault(place.item_id, place.relabel_id)
    items = (
        Item.objects.filter(pk__in=list(first)[: count + SPARE], state=ItemState.OPEN)
        .select_for_update(of=("self",), no_key=True, skip_locked=not wait)
        .in_bulk()
    )
    found = [Place(items[pk], relabel_id=relabel) for pk, relabel in first.items() if pk in items]
    return found[:count]


def draw(member: Membership, number: int) -> tuple[Pass, int]:
    """Which pass a person's hand-out of this number is, and where to begin to look for its item.

    By the project's secret key: nobody can tell beforehand, and whoever has the key can say it afterwards.
    """
    project = member.project
    digest = hmac.digest(project.audit_key.encode(), f"pass {member.pk} {number}".encode(), "sha256")
    share, chance = int.from_bytes(digest[:8]) / 2**64, int.from_bytes(digest[8:16]) % CHANCES
    if share < project.retest_rate:
        return Pass.RETEST, chance
    if share < project.retest_rate + project.gold_rate:
        return Pass.GOLD, chance
    return Pass.NORMAL, chance


def _blind_places(member: Membership, drawn: Sequence[tuple[Pass, int]], now: datetime) -> dict[int, Place]:
    """Items for the draws that want a repeat or gold, by the draw's place; none of them twice.

    Where there are such draws, a normal one looks for either as often as they do, and forgets what it finds: whoever
    measures the replies cannot tell which was which. A look that found nothing is remembered for a minute, so that
    it does not burden every submit.
    """
    found: dict[int, Place] = {}
    for ahead, (pass_kind, chance) in enumerate(drawn):
        kind = pass_kind if pass_kind != Pass.NORMAL else _pretended(member.project, chance)
        if kind == Pass.NORMAL or not _is_due(member, kind, now):
            continue
        taken = {place.item.pk for place in found.values()}
        if kind == Pass.RETEST:
            items = retestable(member, now, chance, 1 + SPARE + len(taken))
        else:
            items = golden(member, chance, 1 + SPARE + len(taken))
        item = next((one for one in _shuffled(member, ahead, items) if one.pk not in taken), None)
        if item is None:
            member.cursors[kind] = int(now.timestamp())
        elif kind == pass_kind:
            found[ahead] = Place(item, kind)
    return found


def _pretended(project: Project, chance: int) -> Pass:
    """What a normal draw looks for: repeats and gold in the shares in which they are drawn, nothing where neither is."""
    rate = project.retest_rate + project.gold_rate
    if not rate:
        return Pass.NORMAL
    return Pass.RETEST if chance * rate < project.retest_rate * CHANCES else Pass.GOLD


def _shuffled(member: Membership, ahead: int, items: Collection[Item]) -> list[Item]:
    """These items in an order that is drawn anew for each hand-out.

    They come by their ids: whoever took the first would take items of early rows more often than the queue does.
    """
    key = member.project.audit_key.encode()
    number = member.handed + ahead
    return sorted(
        items, key=lambda one: hmac.digest(key, f"turn {member.pk} {number} {one.pk}".encode(), "sha256")
    )


def _is_due(member: Membership, name: str, now: datetime) -> bool:
    """Whether the last look of this kind that was in vain is long enough ago."""
    return bool(now.timestamp() - member.cursors.get(name, 0) >= AGAIN_AFTER)


def _missing_retests(member: Membership, count: int, now: datetime, given: Sequence[Place]) -> list[Place]:
    """Repeats up to the person's minimum, for somebody to whom nothing else is left."""
    lacking = member.project.retest_minimum - member.retested
    if lacking <= 0 or not _is_due(member, "minimum", now):
        return []
    lacking -= holds_retests(member) + sum(place.pass_kind == Pass.RETEST for place in given)
    if lacking <= 0:
        return []
    taken = {place.item.pk for place in given}
    _pass, chance = draw(member, member.handed + len(given))
    items = retestable(member, now, chance, min(count, lacking) + SPARE + len(taken), thorough=True)
    fresh = [item for item in _shuffled(member, len(given), items) if item.pk not in taken]
    places = [Place(item, Pass.RETEST) for item in fresh[: min(count, lacking)]]
    if not places:
        member.cursors["minimum"] = int(now.timestamp())
    return places


def _next_items(
    member: Membership, count: int, now: datetime, taken: Collection[int], *, wait: bool
) -> list[Item]:
    """The queue's next items, but for those that are taken with this hand-out already."""
    pools = [SHARED]
    if member.has_batches:
        pools = [*member.batches.order_by("number").values_list("pk", flat=True), SHARED]
    lanes = [(pool, lane) for pool in pools for lane in Lane.values]
    items: list[Item] = []
    for lane in lanes:
        if len(items) < count and _worth_looking(member, *lane):
            items += _from_lane(member, _ahead(member, *lane), count - len(items), taken)
    if not items and _looks_again(member, now):
        return _from_the_start(member, lanes, count, now, taken, wait=wait)
    for lane in lanes:
        if not items and wait:  # what somebody else had locked just now
            items = _from_lane(member, _ahead(member, *lane), count, taken, wait=True)
    return items


def _looks_again(member: Membership, now: datetime) -> bool:
    """Whether a look at the whole queue may give what the last one, in vain, did not.

    That is remembered until something is found. Whatever comes back or comes in stands behind where this
    person stopped; questions and overlap change the project's version; the rest (a batch that is everybody's
    again, an answer that was taken out) shows after a minute.
    """
    version, at = member.cursors.get("vain", (0, 0))
    return version != member.project.version or bool(now.timestamp() - at >= AGAIN_AFTER)


def _from_the_start(
    member: Membership,
    lanes: Sequence[tuple[int, int]],
    count: int,
    now: datetime,
    taken: Collection[int],
    *,
    wait: bool,
) -> list[Item]:
    """Rows passed over while somebody else had them locked, or that came free behind this person."""
    ends = {_cursor(*lane): last_open(member, *lane) for lane in lanes} if wait else {}
    items: list[Item] = []
    for pool, lane in lanes:
        if len(items) < count and (wait or member.cursors.get(_cursor(pool, lane))):
            items += _from_lane(member, Stretch(pool, lane, -1), count - len(items), taken, wait=wait)
    if wait and not items:
        member.cursors |= ends | {"vain": [member.project.version, int(now.timestamp())]}
    return items


def _cursor(pool: int, lane: int) -> str:
    return f"{pool}:{lane}"


def _ahead(member: Membership, pool: int, lane: int) -> Stretch:
    """What this person has not read of a lane."""
    return Stretch(pool, lane, member.cursors.get(_cursor(pool, lane), -1))


def _worth_looking(member: Membership, pool: int, lane: int) -> bool:
    """A lane that fills by and by is read only when something came into it since this person last saw its end."""
    return lane == Lane.MAIN or member.cursors.get(_seen(pool, lane), 0) < _came(member.project, lane)


def _seen(pool: int, lane: int) -> str:
    return f"{pool}:seen" if lane == Lane.RETURNED else f"{_cursor(pool, lane)}:seen"


def _came(project: Project, lane: int) -> int:
    """How many items have ever come into a lane that fills by and by."""
    return project.returned if lane == Lane.RETURNED else project.picked


def _from_lane(
    member: Membership, part: Stretch, count: int, taken: Collection[int], *, wait: bool = False
) -> list[Item]:
    found = answerable(member, part, count + len(taken), wait=wait)
    items = [item for item in found if item.pk not in taken][:count]
    if items:
        member.cursors[_cursor(part.pool, part.lane)] = items[-1].position
        member.cursors.pop("vain", None)
    if part.lane != Lane.MAIN and len(items) < count:
        member.cursors[_seen(part.pool, part.lane)] = _came(member.project, part.lane)
    return items


def _own_deferred(member: Membership, count: int, taken: set[int]) -> list[Place]:
    """What this person saved for later comes back when there is nothing else, in the pass it was handed out in."""
    asked = RelabelPlace.objects.filter(
        relabel=OuterRef("relabel"),
        item=OuterRef("item"),
        annotator=member,
        annotation__isnull=True,
        dropped=False,
    )
    waits = Q(item__free__gt=0, relabel=None) | Q(pass_kind__in=[Pass.RETEST, Pass.GOLD]) | Exists(asked)
    put_off = list(
        Lease.objects.filter(waits, annotator=member, state=LeaseState.DEFERRED)
        .exclude(pass_kind__in=COUNTS_NOWHERE)
        .filter(item__state=ItemState.OPEN, item_version=F("item__version"))
        .exclude(item__in=taken)
        .order_by("closed_at")[:count]
    )
    leases = {lease.item_id: lease for lease in put_off}
    items = Item.objects.filter(pk__in=leases, state=ItemState.OPEN).select_for_update(
        skip_locked=True, of=("self",)
    )
    got = {item.pk: item for item in items if item.free or not takes_place(leases[item.pk])}
    Lease.objects.filter(pk__in=[lease.pk for lease in put_off if lease.item_id in got]).update(
        state=LeaseState.RELEASED
    )
    return [
        Place(item, Pass(leases[pk].pass_kind), relabel_id=leases[pk].relabel_id) for pk, item in got.items()
    ]


def _explain_empty(membership: Membership, given: HandOut) -> None:
    """Say whether all is done or others hold what is left, and until when."""
    own = {"item": OuterRef("item"), "annotator": membership.pk}
    held = (
        Lease.objects.filter(
            item__project=membership.project_id,
            state=LeaseState.ACTIVE,
            pass_kind=Pass.NORMAL,
            relabel__isnull=True,
        )
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
    """Not answering. The place goes to someone else; after two skips the item goes to the lead.

    Who skips a retest or gold pass gives no place back; that they found the item broken is noted for the lead.
    What was asked of just this person is not asked again. In a trial nothing is noted.
    """
    if reason not in SkipReason.values:
        raise Invalid("bad-reason", f"A reason is one of {', '.join(SkipReason.values)}")
    lease = _lock(lease_id)
    if _is_replay(lease, key, LeaseState.SKIPPED):
        return lease
    _close(lease, LeaseState.SKIPPED, key, reason=reason, note=note)
    if takes_place(lease):
        to_lead = reason == SkipReason.BROKEN or lease.item.skips + 1 >= SKIPS_UNTIL_LEAD
        give_back(lease.item, skips=F("skips") + 1, to_lead=to_lead)
    elif reason == SkipReason.BROKEN:
        _note(lease, key, note, broken=True)
    _drop_place(lease)
    return lease


def _drop_place(lease: Lease) -> None:
    """Nothing will come of an item that was asked of just this person: they would not answer it."""
    if lease.relabel_id is None:
        return
    waiting = RelabelPlace.objects.filter(
        relabel=lease.relabel_id,
        item=lease.item_id,
        annotator=lease.annotator_id,
        annotation=None,
        dropped=False,
    )
    if waiting.update(dropped=True):
        Membership.objects.filter(pk=lease.annotator_id).update(waiting=Greatest(F("waiting") - 1, 0))


@transaction.atomic
def defer(lease_id: UUID, key: str) -> Lease:
    """Save for later: the place is free meanwhile, and the item comes back to this person at the end."""
    lease = _lock(lease_id)
    if not _is_replay(lease, key, LeaseState.DEFERRED):
        _close(lease, LeaseState.DEFERRED, key)
        if takes_place(lease):
            give_back(lease.item)
    return lease


@transaction.atomic
def flag(lease_id: UUID, key: str, note: str, *, broken: bool) -> Lease:
    """Leave a note for the lead. A broken item goes to the lead at once; otherwise the lease stays."""
    lease = _lock(lease_id)
    if _note(lease, key, note, broken=broken) and broken and lease.state == LeaseState.ACTIVE:
        _close(lease, LeaseState.SKIPPED, key, reason=SkipReason.BROKEN, note=note)
        if takes_place(lease):
            give_back(lease.item, skips=F("skips") + 1, to_lead=True)
        _drop_place(lease)
    return lease


def _note(lease: Lease, key: str, note: str, *, broken: bool) -> bool:
    """Leave a note on the lease's item; False when this request left it already. A trial leaves none."""
    if lease.pass_kind == Pass.TRIAL:
        return True
    _flag, made = Flag.objects.get_or_create(
        annotator=lease.annotator,
        idempotency_key=key,
        defaults={"item": lease.item, "note": note[:1000], "broken": broken},
    )
    if made:
        Item.objects.filter(pk=lease.item_id).update(flags=F("flags") + 1)
    return made


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

    The item's row is locked by the caller. An overlap that was lowered meanwhile closes the place instead;
    a place that was bought stays.
    """
    projects = Project.objects.filter(pk=item.project_id)
    projects.update(returned=F("returned") + 1)
    project = projects.only("returned", "overlap", "audit_overlap", "overlap_most").get()
    fields |= {"leased": F("leased") - 1, "lane": Lane.RETURNED, "position": project.returned}
    rows = Item.objects.filter(pk=item.pk)
    if to_lead and item.state != ItemState.WITHDRAWN:
        rows.update(**fields, state=ItemState.WITH_LEAD, free=0)
    elif item.state != ItemState.OPEN:
        rows.update(**fields)
    else:
        busy = item.done + item.leased - 1
        target = max(wanted(project, item), busy)
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
    """Give back everything that a person holds (removed from the project, paused, or signed out for good)."""
    return _release(membership, Q())


def _release(membership: Membership, kinds: Q) -> int:
    mine = Lease.objects.filter(kinds, annotator=membership, state=LeaseState.ACTIVE)
    ids = list(mine.values_list("pk", flat=True))
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
    if takes_place(lease):
        give_back(lease.item)
    return True
