"""Send items out to be labeled again: to somebody else, to the same or to named people; earlier answers stay."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Case, Exists, F, IntegerField, OuterRef, When

from core.choices import ItemState, Lane, LeaseState, NoticeKind, RelabelFor, RelabelTo
from core.exceptions import Invalid
from core.models import (
    GuidelineVersion,
    Item,
    Lease,
    Membership,
    Outbox,
    Project,
    Relabel,
    RelabelItem,
    RelabelPlace,
)
from core.selectors.relabel import (
    AGAIN,
    DRAWN,
    MOST_ITEMS,
    MOST_PLACES,
    WAITS,
    Plan,
    Skipped,
    answered_by,
    guideline_numbered,
    members_named,
    plan_of,
    relabel_of,
)
from core.services.archive import check_open
from core.services.audit import record
from core.services.item import is_finished
from core.services.notice import notify

LONGEST_REASON = 500
LONGEST_ITEM_REASON = 200
AT_ONCE = 1000  # rows of one statement


@dataclass(frozen=True, slots=True)
class Sent:
    """The queue that was made, and the items that could not be sent out, with why. No queue when none could.

    ``places`` answers are asked for; ``people`` says how many of the items each person got, ``unreachable`` how many
    of them were answered by people who cannot be asked again.
    """

    relabel: Relabel | None
    sent: list[int]
    skipped: dict[int, Skipped] = field(default_factory=dict)
    places: int = 0
    people: dict[int, int] = field(default_factory=dict)
    unreachable: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """To whom items go, how, and what made it necessary."""

    to: RelabelTo = RelabelTo.OTHERS
    members: Sequence[int] = ()
    blind: bool = True
    source: RelabelFor = RelabelFor.LIST
    guideline: int | None = None


def preview_send(membership: Membership, item_ids: Sequence[int], order: Order) -> Sent:
    """What send_again would do now, in numbers, without doing it; raises what it raises but for the reason."""
    check_open(membership.project)
    ids = _checked_ids(item_ids)
    members, _version = _checked_order(membership.project, order)
    items = Item.objects.filter(project=membership.project_id, pk__in=ids).in_bulk()
    plan = plan_of(membership.project, ids, items, order.to, members)
    _check_size(plan)
    return _told(None, plan)


def send_again(
    membership: Membership,
    item_ids: Sequence[int],
    reason: str,
    *,
    reasons: Mapping[int, str] | None = None,
    drawn: Collection[int] = (),
    order: Order | None = None,
) -> Sent:
    """Ask people about each of these items again, the first of them first, before everything else.

    To ``others`` (the default) one more person is asked; the ``same`` people, or each of the ``members`` named, answer anew,
    whatever the overlap: of somebody who has answered before it becomes a new revision. Unless it is ``blind`` they see
    what was answered. ``reasons`` tells of single items why; ``drawn`` of them were drawn by chance.
    Items that are not open, that nobody has answered, that wait already or that nobody can answer are passed over and told.

    Raises Invalid ``bad-items``, ``bad-reason``, ``bad-members``, ``unknown-member``, ``unknown-guideline``,
    ``too-many-places``; Conflict in an archive.
    """
    ids, asked = _checked_ids(item_ids), order or Order()
    why = dict(reasons or {}) | dict.fromkeys(drawn, DRAWN)
    return _send(membership, ids, _checked_reason(reason), why, asked)


def _checked_ids(item_ids: Sequence[int]) -> list[int]:
    ids = list(dict.fromkeys(item_ids))
    if not 1 <= len(ids) <= MOST_ITEMS:
        raise Invalid("bad-items", f"items lists the ids of 1 to {MOST_ITEMS:,} items.")
    return ids


def _checked_reason(reason: object) -> str:
    kept = " ".join(reason.split()) if isinstance(reason, str) else ""
    if not kept or len(kept) > LONGEST_REASON or "\0" in kept:
        raise Invalid(
            "bad-reason",
            f"reason is a text of 1 to {LONGEST_REASON} characters.",
            errors=[
                {
                    "pointer": "/reason",
                    "field": "reason",
                    "code": "bad-reason",
                    "detail": "Say why, in a sentence.",
                }
            ],
        )
    return kept


def _checked_order(project: Project, order: Order) -> tuple[list[int], GuidelineVersion | None]:
    """Who is named, and the guideline version that made it necessary."""
    members = members_named(project, order.members) if order.to == RelabelTo.NAMED else []
    if order.to == RelabelTo.NAMED and not members:
        detail = "Name at least one person."
        row = {"pointer": "/members", "field": "members", "code": "bad-members", "detail": detail}
        raise Invalid("bad-members", detail, errors=[row])
    if order.to != RelabelTo.NAMED and order.members:
        raise Invalid("bad-members", "members belongs to `to` being named.")
    if order.guideline is None and order.source != RelabelFor.GUIDELINE:
        return members, None
    return members, guideline_numbered(project, order.guideline)


def _check_size(plan: Plan) -> None:
    if plan.n_places > MOST_PLACES:
        raise Invalid(
            "too-many-places",
            f"This would ask for {plan.n_places:,} answers; a queue asks for at most {MOST_PLACES:,}.",
        )


def _told(relabel: Relabel | None, plan: Plan) -> Sent:
    return Sent(
        relabel,
        [item.pk for item in plan.items],
        plan.skipped,
        plan.n_places,
        dict(plan.per_person),
        plan.unreachable,
    )


@transaction.atomic
def _send(membership: Membership, ids: list[int], reason: str, reasons: dict[int, str], order: Order) -> Sent:
    """Members are locked before items, and items before their project, as by everybody else."""
    project = membership.project
    check_open(project)
    members, version = _checked_order(project, order)
    items = Item.objects.filter(project=project.pk, pk__in=ids).order_by("pk")
    if order.to == RelabelTo.SAME:
        members = sorted(set().union(*answered_by(items.only("pk")).values()))
    people = Membership.objects.filter(pk__in=members).order_by("pk")
    list(people.select_for_update(of=("self",), no_key=True).values_list("pk"))
    locked = {item.pk: item for item in items.select_for_update(of=("self",), no_key=True)}
    now = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    check_open(now)
    plan = plan_of(now, ids, locked, order.to, members)
    _check_size(plan)
    if not plan.items:
        return _told(None, plan)
    relabel = Relabel.objects.create(
        project=now,
        reason=reason,
        to=order.to,
        source=order.source,
        blind=order.blind,
        guideline=version,
        created_by=membership.user,
    )
    _add_items(relabel, plan, reasons)
    if order.to == RelabelTo.OTHERS:
        _raise(now, plan.items)
    else:
        _ask(relabel, plan)
    record(
        membership.user,
        now,
        "items.relabeled",
        reason[:200],
        id=relabel.pk,
        items=len(plan.items),
        **({} if order.to == RelabelTo.OTHERS else {"to": order.to.value, "places": plan.n_places}),
    )
    return _told(relabel, plan)


def _add_items(relabel: Relabel, plan: Plan, reasons: Mapping[int, str]) -> None:
    RelabelItem.objects.bulk_create(
        (
            RelabelItem(
                relabel=relabel,
                item=item,
                reason=reasons.get(item.pk, "")[:LONGEST_ITEM_REASON],
                done_before=item.done,
            )
            for item in plan.items
        ),
        batch_size=AT_ONCE,
    )


def _raise(project: Project, chosen: Sequence[Item]) -> None:
    """One more place for each of the locked items, at the front of the queue in this order."""
    reopened = sum(map(is_finished, chosen))
    Item.objects.filter(pk__in=[item.pk for item in chosen]).update(
        target=F("target") + 1, extra=F("extra") + 1, free=F("free") + 1, lane=Lane.RETURNED
    )
    for place, item in enumerate(chosen, start=1):
        item.position = project.returned + place
    Item.objects.bulk_update(chosen, ["position"], batch_size=AT_ONCE)
    Project.objects.filter(pk=project.pk).update(returned=F("returned") + len(chosen))
    Outbox.objects.create(project=project, items_done=-reopened)


def _ask(relabel: Relabel, plan: Plan) -> None:
    """A place for each item and person; the people are told, and their counts of what waits for them rise."""
    RelabelPlace.objects.bulk_create(
        (
            RelabelPlace(relabel=relabel, item=item, item_version=item.version, annotator_id=person)
            for item in plan.items
            for person in plan.people[item.pk]
        ),
        batch_size=AT_ONCE,
    )
    asked = plan.per_person
    _change_waiting(asked)
    number = relabel.guideline.number if relabel.guideline else None
    for n in sorted(set(asked.values())):
        people = [pk for pk, count in asked.items() if count == n]
        notify(people, NoticeKind.ASSIGNED, relabel=relabel.pk, items=n, guideline=number)


def _change_waiting(by: Mapping[int, int]) -> None:
    """Add to what waits for these people, whose rows are locked."""
    if by:
        changes = [When(pk=pk, then=n) for pk, n in sorted(by.items())]
        more = Case(*changes, default=0, output_field=IntegerField())
        Membership.objects.filter(pk__in=by).update(waiting=F("waiting") + more)


@transaction.atomic
def close_relabel(membership: Membership, relabel_id: int) -> int:
    """End a queue: what is not at people just now is not asked for any more; every answer stays.

    Returns how many places were dropped. Raises Missing; Conflict in an archive.
    """
    check_open(membership.project)
    relabel = relabel_of(membership.project_id, relabel_id)
    dropped = _close_others(relabel) if relabel.to == RelabelTo.OTHERS else _close_places(relabel)
    record(
        membership.user, membership.project, "relabel.closed", relabel.reason[:200], id=relabel.pk, n=dropped
    )
    return dropped


def _close_places(relabel: Relabel) -> int:
    """The people are locked first, so that none of them is handed an item of it meanwhile."""
    waiting = RelabelPlace.objects.filter(WAITS, relabel=relabel)
    people = Membership.objects.filter(pk__in=waiting.order_by().values("annotator")).order_by("pk")
    list(people.select_for_update(of=("self",), no_key=True).values_list("pk"))
    at_them = Lease.objects.filter(
        relabel=relabel, item=OuterRef("item"), annotator=OuterRef("annotator"), state=LeaseState.ACTIVE
    )
    rows = dict(waiting.filter(~Exists(at_them)).values_list("pk", "annotator"))
    lost: dict[int, int] = {}
    for person in rows.values():
        lost[person] = lost.get(person, 0) - 1
    places = sorted(rows)
    for start in range(0, len(places), AT_ONCE):
        RelabelPlace.objects.filter(pk__in=places[start : start + AT_ONCE]).update(dropped=True)
    _change_waiting(lost)
    return len(places)


def _close_others(relabel: Relabel) -> int:
    """The further place of every item that nobody has answered or holds is taken back."""
    waiting = RelabelItem.objects.filter(~AGAIN, relabel=relabel)
    items = Item.objects.filter(
        pk__in=list(waiting.values_list("item", flat=True)), state=ItemState.OPEN, extra__gt=0, free__gt=0
    ).order_by("pk")
    chosen = list(items.select_for_update(of=("self",), no_key=True))
    Item.objects.filter(pk__in=[item.pk for item in chosen]).update(
        target=F("target") - 1, extra=F("extra") - 1, free=F("free") - 1
    )
    finished = sum(item.done > 0 and item.target - 1 == item.done and not item.leased for item in chosen)
    if chosen:
        Outbox.objects.create(project_id=relabel.project_id, items_done=finished)
    return len(chosen)
