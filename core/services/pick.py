"""Picks in the queue: put into their lane with the round that chose them, taken out of it with the next one.

Locks are taken in the order job, items, project. Items that somebody is about to take are never waited for.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from core.choices import ItemState, Lane, Stream
from core.exceptions import Conflict
from core.models import Item, Job, Outbox, Pick, Project, Selection, SelectionPart
from core.selectors.relabel import people_left
from core.selectors.selection import choosing, in_queue
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import beat, finish_job, request_cancel
from core.services.staging import BATCH_SHIFT, Draw

TRIES, PAUSE_SECONDS = 20, 0.05
OPENED = "opened"  # in a pick's reason: the round gave the item a place beyond its overlap


class NewPick(NamedTuple):
    """An item as a round chose it; ``again`` where people have answered it and one more is to."""

    item: int
    version: int
    stream: Stream
    score: float | None
    probability: float
    reason: dict[str, Any]
    again: bool = False


class Books(NamedTuple):
    """What a round keeps beside its picks (models.Selection)."""

    n_pool: int
    pool_digest: str
    kappa: float | None
    predicted: bytes | None
    report: dict[str, Any]


class _Busy(Exception):  # noqa: N818 -- not an error: somebody has one of the items locked for a moment
    pass


def main_position(item: Item, audit_key: str) -> int:
    """An item's place in the main lane, as its import gave it."""
    batch = item.batch
    own = item.external_id != f"b{batch.number}-{item.row}"
    position, _drawn = Draw(audit_key)(item.external_id if own else None, batch.file_hash, item.row)
    return (batch.number << BATCH_SHIFT) + position


def end_round(job: Job, selection: Selection, picks: Sequence[NewPick], books: Books) -> None:
    """Keep a round with its picks, put these into the queue where it is to be applied, and end the job.

    All of it or nothing. Picks that somebody took or answered meanwhile are left out. An item that somebody has
    locked is waited for a second. Raises LostClaim, JobCancelled; Conflict ``project-archived``.
    """
    for _ in range(TRIES):
        try:
            _end_round(job, selection, picks, books, patient=True)
        except _Busy:
            time.sleep(PAUSE_SECONDS)
        else:
            return
    _end_round(job, selection, picks, books, patient=False)


@transaction.atomic
def _end_round(
    job: Job, selection: Selection, picks: Sequence[NewPick], books: Books, *, patient: bool
) -> None:
    beat(job, 0.95)
    fields: dict[str, Any] = {**books._asdict(), "ended_at": Now()}
    if selection.apply:
        picks = _into_queue(selection, picks, patient=patient)
        fields |= {"applied_at": Now(), "ended_at": None}
    Pick.objects.bulk_create(
        Pick(
            selection=selection,
            item_id=pick.item,
            item_version=pick.version,
            order=order,
            stream=pick.stream,
            score=pick.score,
            inclusion_probability=pick.probability,
            reason=pick.reason,
        )
        for order, pick in enumerate(picks, start=1)
    )
    Selection.objects.filter(pk=selection.pk).update(**fields)
    SelectionPart.objects.filter(selection=selection).delete()
    finish_job(job, {"selection": selection.number, "picks": len(picks), "applied": selection.apply})
    if selection.apply:
        record(
            selection.created_by, selection.project, "selection.applied", str(selection.number), n=len(picks)
        )


def _into_queue(selection: Selection, picks: Sequence[NewPick], *, patient: bool) -> list[NewPick]:
    ids = [pick.item for pick in picks]
    before = _earlier(selection.project_id)
    locked = _lock([*ids, *before])
    if patient and not set(ids) <= set(locked):
        raise _Busy
    project = Project.objects.select_for_update(no_key=True).get(pk=selection.project_id)
    check_open(project)
    again = [locked[pick.item] for pick in picks if pick.again and pick.item in locked]
    left = people_left(project, again) if again else {}
    in_vain = {pk for pk, people in left.items() if people < 1}
    kept = [
        pick
        for pick in picks
        if pick.item in locked and pick.item not in in_vain and _waits(locked[pick.item], pick)
    ]
    chosen = {pick.item for pick in kept}
    reopened = {pick.item for pick in kept if pick.again and _open_again(locked[pick.item])}
    opened = reopened | {pk for pk in chosen if before.get(pk)}
    back = [locked[pk] for pk in before if pk in locked and pk not in chosen]
    closed = _put_back(back, before, project.audit_key)
    for place, pick in enumerate(kept, start=1):
        locked[pick.item].lane, locked[pick.item].position = Lane.PICKED, project.picked + place
    _write([*(locked[pk] for pk in chosen), *back])
    Project.objects.filter(pk=project.pk).update(picked=F("picked") + len(kept))
    in_queue(project.pk).exclude(pk=selection.pk).update(ended_at=Now())
    if reopened or closed:
        Outbox.objects.create(project=project, items_done=closed - len(reopened))
    return [
        pick._replace(reason={**pick.reason, OPENED: True}) if pick.item in opened else pick for pick in kept
    ]


def _waits(item: Item, pick: NewPick) -> bool:
    """Whether an item is still as it was when it was chosen."""
    if item.state != ItemState.OPEN or item.version != pick.version or item.leased:
        return False
    if item.lane == Lane.RETURNED:  # it is handed out before any pick
        return False
    return item.done > 0 if pick.again else item.free > 0 and item.done == 0


def _open_again(item: Item) -> bool:
    """Give a finished item one place more; whether it was finished."""
    if item.free:
        return False
    item.target, item.extra, item.free = item.target + 1, item.extra + 1, 1
    return True


def _earlier(project_id: int) -> dict[int, bool]:
    """The items that are still in the lane of picks, and whether the last round that put them there opened them again.

    Of any round: what was locked when its round ended is put back with a later one.
    """
    rows = Pick.objects.filter(
        item__project=project_id,
        item__lane=Lane.PICKED,
        item__free__gt=0,
        selection__applied_at__isnull=False,
    )
    return {item: OPENED in reason for item, reason in rows.order_by("pk").values_list("item", "reason")}


def _lock(ids: Iterable[int]) -> dict[int, Item]:
    rows = Item.objects.filter(pk__in=set(ids)).select_related("batch").order_by("pk")
    return {item.pk: item for item in rows.select_for_update(skip_locked=True, of=("self",), no_key=True)}


def _put_back(items: Sequence[Item], opened: dict[int, bool], audit_key: str) -> int:
    """Back into the main lane, all that nobody has touched; returns how many are finished items thereby.

    An item that was opened again and still waits for that further answer is closed.
    """
    closed = 0
    for item in items:
        if item.leased or item.state != ItemState.OPEN or (item.done and not opened[item.pk]):
            continue
        if opened[item.pk] and item.done and item.extra and item.free == 1:
            item.target, item.extra, item.free = item.target - 1, item.extra - 1, 0
            closed += 1
        item.lane, item.position = Lane.MAIN, main_position(item, audit_key)
    return closed


def _write(items: Sequence[Item]) -> None:
    Item.objects.bulk_update(items, ["lane", "position", "target", "extra", "free"], batch_size=200)


@transaction.atomic
def stop_choosing(project_id: int) -> None:
    """Cancel the round that is being made, and take what nobody has touched out of the lane of picks."""
    project = Project.objects.get(pk=project_id)
    running = choosing(project)
    if running is not None:
        _cancel(running)
    before = _earlier(project_id)
    locked = _lock(before)
    closed = _put_back(list(locked.values()), before, project.audit_key)
    _write(list(locked.values()))
    Selection.objects.filter(project=project_id, apply=True, ended_at=None).update(ended_at=Now())
    if closed:
        Outbox.objects.create(project=project, items_done=closed)


def _cancel(job: Job) -> None:
    try:
        request_cancel(job.pk)
    except Conflict:  # it has ended meanwhile
        return
