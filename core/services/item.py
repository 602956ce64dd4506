"""What a lead does with items: withdraw, restore, correct, return from the lead, give batches to people."""

import json
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from core.choices import AuditPart, ItemState, Lane, NoticeKind, ProjectState
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import Annotation, Batch, Flag, Item, ItemVersion, Membership, Outbox, Project
from core.services.archive import check_open
from core.services.audit import record
from core.services.lease import release_leases_on
from core.services.notice import notify

LONGEST_ITEM = 2**20


@transaction.atomic
def withdraw_item(membership: Membership, item_id: int) -> Item:
    """Take an item out: never handed out again, out of the project's count; its answers are kept.

    Leases on it end. Raises Conflict ``item-withdrawn`` when it is out already.
    """
    item = _locked(membership, item_id)
    if item.state == ItemState.WITHDRAWN:
        raise Conflict("item-withdrawn", "This item is withdrawn already.")
    was_finished = is_finished(item)
    Item.objects.filter(pk=item.pk).update(state=ItemState.WITHDRAWN, free=0)
    release_leases_on(item)
    Outbox.objects.create(project_id=item.project_id, items=-1, items_done=-int(was_finished), changes=1)
    record(membership.user, membership.project, "item.withdrawn", item.external_id, id=item.pk)
    return _fresh(item)


@transaction.atomic
def restore_item(membership: Membership, item_id: int) -> Item:
    """Undo a withdrawal. Raises Conflict ``item-not-withdrawn``."""
    item = _locked(membership, item_id)
    if item.state != ItemState.WITHDRAWN:
        raise Conflict("item-not-withdrawn", "This item is not withdrawn.")
    finished = _open(item)
    Outbox.objects.create(project_id=item.project_id, items=1, items_done=int(finished), changes=1)
    record(membership.user, membership.project, "item.restored", item.external_id, id=item.pk)
    return _fresh(item)


@transaction.atomic
def return_item(membership: Membership, item_id: int) -> Item:
    """Give an item that waits for the lead back to the annotators. Raises Conflict ``item-not-with-lead``."""
    item = _locked(membership, item_id)
    if item.state != ItemState.WITH_LEAD:
        raise Conflict("item-not-with-lead", "This item does not wait for the lead.")
    if _open(item):
        Outbox.objects.create(project_id=item.project_id, items_done=1)
    Item.objects.filter(pk=item.pk).update(skips=0)
    record(membership.user, membership.project, "item.returned", item.external_id, id=item.pk)
    return _fresh(item)


def _open(item: Item) -> bool:
    """Open an item with the places it has left, in the lane that is looked at first; returns whether it is finished."""
    free = item.target - item.done - item.leased
    fields: dict[str, Any] = {"state": ItemState.OPEN, "free": free}
    if free:
        fields |= _returned(item)
    Item.objects.filter(pk=item.pk).update(**fields)
    return not free and not item.leased and item.done > 0


def _returned(item: Item) -> dict[str, Any]:
    project = Project.objects.filter(pk=item.project_id)
    project.update(returned=F("returned") + 1)
    return {"lane": Lane.RETURNED, "position": project.values_list("returned", flat=True).get()}


def is_finished(item: Item) -> bool:
    """Whether an item has all the people it wants."""
    return item.state == ItemState.OPEN and not item.free and not item.leased and item.done > 0


@transaction.atomic
def correct_item(
    membership: Membership,
    item_id: int,
    version: int,
    *,
    data: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> Item:
    """Correct an item's data or metadata: a new version, the old one kept, with the answers that it got.

    The new version starts without answers, and leases on the old one end. ``version`` is the one that the
    editor saw: Stale when it is not the present one. Raises Invalid for data that cannot be stored.
    """
    item = _locked(membership, item_id)
    if version != item.version:
        raise Stale("stale", "Somebody else changed this item since you read it.", version=item.version)
    data = item.data if data is None else _checked(data, "data")
    meta = item.meta if meta is None else _checked(meta, "meta")
    if not data:
        raise Invalid("no-data", "The item has nothing to label")
    if data == item.data:
        return _correct_meta(membership, item, meta)
    was_finished = is_finished(item)
    ItemVersion.objects.create(
        item=item, version=item.version, data=item.data, meta=item.meta, replaced_by=membership.user
    )
    lost = Annotation.objects.filter(item=item, item_version=item.version, current=True, voided=False).count()
    project = membership.project
    wanted = project.overlap if item.audit == AuditPart.NONE else project.audit_overlap
    target = max(wanted, item.leased)
    Item.objects.filter(pk=item.pk).update(
        version=F("version") + 1,
        data=data,
        meta=meta,
        target=target,
        extra=0,
        done=0,
        skips=0,
        free=target - item.leased if item.state == ItemState.OPEN else 0,
        **_returned(item),
    )
    release_leases_on(item)
    if lost or was_finished:
        Outbox.objects.create(project=project, annotations=-lost, items_done=-int(was_finished), changes=1)
    record(membership.user, project, "item.corrected", item.external_id, id=item.pk, version=item.version + 1)
    return _fresh(item)


def _correct_meta(membership: Membership, item: Item, meta: dict[str, Any]) -> Item:
    """Metadata are not what was labeled: the answers stay."""
    if meta != item.meta:
        Item.objects.filter(pk=item.pk).update(meta=meta)
        record(membership.user, membership.project, "item.meta_changed", item.external_id, id=item.pk)
    return _fresh(item)


def _checked(value: Any, name: str) -> dict[str, Any]:
    """An object that both databases can store."""
    if not isinstance(value, dict):
        raise Invalid("not-an-object", f"{name} is an object with named values")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        raise Invalid("bad-data", f"{name} holds a value that cannot be stored") from None
    if len(text) > LONGEST_ITEM:
        raise Invalid("item-too-large", f"An item has at most {LONGEST_ITEM:,} characters")
    if "\\u0000" in text:
        raise Invalid("nul-character", f"{name} holds the character U+0000")
    return value


@transaction.atomic
def resolve_flags(membership: Membership, item_id: int) -> Item:
    """The lead has read what annotators noted about an item."""
    item = _locked(membership, item_id)
    Flag.objects.filter(item=item, resolved_at=None).update(resolved_at=Now())
    Item.objects.filter(pk=item.pk).update(flags=0)
    record(membership.user, membership.project, "item.flags_resolved", item.external_id, id=item.pk)
    return _fresh(item)


@transaction.atomic
def assign_batch(membership: Membership, number: int, member_ids: Collection[int]) -> Batch:
    """Give a batch to named people; an empty list gives it back to everybody.

    Whoever did not have it before is told, but for oneself. Raises Missing, Invalid ``unknown-member``.
    """
    check_open(membership.project)
    batch = (
        Batch.objects.select_for_update(of=("self",))
        .filter(project=membership.project_id, number=number)
        .first()
    )
    if batch is None:
        raise Missing
    wanted = set(member_ids)
    people = Membership.objects.filter(
        project=membership.project_id, pk__in=wanted, active=True, user__isnull=False
    )
    if len(people) != len(wanted):
        raise Invalid("unknown-member", "Somebody in this list is not a member who can sign in")
    before = set(batch.members.values_list("pk", flat=True))
    batch.members.set(people)
    if bool(before) != bool(wanted):
        Item.objects.filter(batch=batch).update(pool=batch.pk if wanted else 0)
    new = wanted - before - {membership.pk}
    if new:
        n = batch.items.exclude(state=ItemState.WITHDRAWN).count()
        notify(new, NoticeKind.ASSIGNED, batch=batch.name, number=number, items=n)
    has_any = Batch.members.through.objects.filter(membership=OuterRef("pk"))
    Membership.objects.filter(pk__in=before | wanted).update(has_batches=Exists(has_any))
    record(
        membership.user,
        membership.project,
        "batch.assigned",
        batch.name,
        number=number,
        members=sorted(wanted),
    )
    return batch


def leave_batches(member: Membership, by: Membership) -> None:
    """Take somebody who left out of the batches given to them; a batch left without people is everybody's."""
    if by.project.state == ProjectState.ARCHIVED:
        return
    for batch in list(member.batches.all()):
        rest = batch.members.filter(active=True, user__isnull=False).exclude(pk=member.pk)
        assign_batch(by, batch.number, list(rest.values_list("pk", flat=True)))


def _locked(membership: Membership, item_id: int) -> Item:
    check_open(membership.project)
    item = (
        Item.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk=item_id, project=membership.project_id)
        .first()
    )
    if item is None:
        raise Missing
    return item


def _fresh(item: Item) -> Item:
    return Item.objects.select_related("batch", "project").get(pk=item.pk)
