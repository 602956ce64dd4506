"""Send items out to be labeled again: one more place for each, at the front of the queue; earlier answers stay."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import transaction
from django.db.models import F

from core.choices import ItemState, Lane, RelabelTo
from core.exceptions import Invalid
from core.models import Item, Membership, Outbox, Project, Relabel, RelabelItem
from core.selectors.relabel import MOST_ITEMS, people_left
from core.services.archive import check_open
from core.services.audit import record
from core.services.item import is_finished

LONGEST_REASON = 500
LONGEST_ITEM_REASON = 200


class Skipped(StrEnum):
    """Why an item was not sent out again."""

    NOT_HERE = "not-here"  # the project has no such item
    NOT_OPEN = "not-open"  # withdrawn, or with the lead
    NOT_ANSWERED = "not-answered"  # nobody has answered it yet: it waits for its first answers anyway
    WAITS_ALREADY = "waits-already"  # it was sent out again, and nobody has answered since
    NOBODY_LEFT = "nobody-left"  # everybody who could answer it has, or has it in hand


@dataclass(frozen=True, slots=True)
class Sent:
    """The queue that was made, and the items that could not be sent out, with why. No queue when none could."""

    relabel: Relabel | None
    sent: list[int]
    skipped: dict[int, Skipped] = field(default_factory=dict)


def send_again(
    membership: Membership,
    item_ids: Sequence[int],
    reason: str,
    *,
    reasons: Mapping[int, str] | None = None,
    to: RelabelTo = RelabelTo.OTHERS,
) -> Sent:
    """Ask one more person about each of these items, the first of them first.

    ``reasons`` tells of single items why. Items that are not open, that nobody has answered, that wait already or
    that nobody else can answer are passed over and told. Raises Invalid ``bad-items``, ``bad-reason``,
    ``not-offered`` (to the same or to named people); Conflict in an archive.
    """
    if to != RelabelTo.OTHERS:
        raise Invalid("not-offered", "Items can be sent to people who have not answered them (others) only.")
    ids = list(dict.fromkeys(item_ids))
    if not 1 <= len(ids) <= MOST_ITEMS:
        raise Invalid("bad-items", f"items lists the ids of 1 to {MOST_ITEMS:,} items.")
    return _send(membership, ids, _checked_reason(reason), dict(reasons or {}))


def _checked_reason(reason: object) -> str:
    kept = " ".join(reason.split()) if isinstance(reason, str) else ""
    if not kept or len(kept) > LONGEST_REASON or "\0" in kept:
        raise Invalid(
            "bad-reason",
            f"reason is a text of 1 to {LONGEST_REASON} characters.",
            errors=[{"pointer": "/reason", "code": "bad-reason", "detail": "Say why, in a sentence."}],
        )
    return kept


@transaction.atomic
def _send(membership: Membership, ids: list[int], reason: str, reasons: dict[int, str]) -> Sent:
    """Items are locked before their project, as by everybody else."""
    check_open(membership.project)
    items = Item.objects.filter(project=membership.project_id, pk__in=ids).order_by("pk")
    locked = {item.pk: item for item in items.select_for_update(of=("self",), no_key=True)}
    now = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(now)
    left = people_left(now, locked.values())
    skipped = {pk: why for pk in ids if (why := _why_not(locked.get(pk), left))}
    chosen = [locked[pk] for pk in ids if pk not in skipped]
    if not chosen:
        return Sent(None, [], skipped)
    return Sent(_raise(membership, now, chosen, reason, reasons), [item.pk for item in chosen], skipped)


def _why_not(item: Item | None, left: Mapping[int, int]) -> Skipped | None:
    if item is None:
        return Skipped.NOT_HERE
    if item.state != ItemState.OPEN:
        return Skipped.NOT_OPEN
    if not item.done:
        return Skipped.NOT_ANSWERED
    waiting = item.target - item.done
    if item.extra and waiting:
        return Skipped.WAITS_ALREADY
    return Skipped.NOBODY_LEFT if left[item.pk] <= waiting else None


def _raise(
    membership: Membership,
    project: Project,
    chosen: Collection[Item],
    reason: str,
    reasons: Mapping[int, str],
) -> Relabel:
    """One more place for each of the locked items, at the front of the queue in this order."""
    relabel = Relabel.objects.create(
        project=project, reason=reason, to=RelabelTo.OTHERS, created_by=membership.user
    )
    RelabelItem.objects.bulk_create(
        RelabelItem(
            relabel=relabel,
            item=item,
            reason=reasons.get(item.pk, "")[:LONGEST_ITEM_REASON],
            done_before=item.done,
        )
        for item in chosen
    )
    reopened = sum(map(is_finished, chosen))
    for place, item in enumerate(chosen, start=1):
        item.target, item.extra, item.free = item.target + 1, item.extra + 1, item.free + 1
        item.lane, item.position = Lane.RETURNED, project.returned + place
    Item.objects.bulk_update(chosen, ["target", "extra", "free", "lane", "position"], batch_size=500)
    Project.objects.filter(pk=project.pk).update(returned=F("returned") + len(chosen))
    Outbox.objects.create(project=project, items_done=-reopened)
    record(membership.user, project, "items.relabeled", reason[:200], id=relabel.pk, items=len(chosen))
    return relabel
