"""Set counters to what they count, and items into their lanes, under the same locks that the work itself takes."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from core.choices import ItemState, Lane, LeaseState, Pass
from core.models import Annotation, Batch, Flag, Import, Item, Lease, Membership, Project, RelabelPlace
from core.selectors.check_data import RULES, broken_ids
from core.selectors.overlap import wanted
from core.services.imports import clear_staging
from core.services.lease import SHARED
from core.services.pick import main_position
from core.services.progress import counted, recount


def fix_counters() -> int:
    """Repair every counter that differs from the facts; returns how many rows were changed.

    Nothing but counters and an item's place in the queue is touched: a rule that is broken by the facts themselves stays to be looked at.
    """
    fixed = 0
    for kind, fix in _FIXES.items():
        ids = {pk for rule in RULES if rule.fixable == kind for pk in broken_ids(rule)}
        for pk in sorted(ids):
            fix(pk)
        fixed += len(ids)
    for project_id in Project.objects.order_by("pk").values_list("pk", flat=True):
        recount(project_id)
    return fixed


@transaction.atomic
def _fix_item(pk: int) -> None:
    item = Item.objects.select_for_update(of=("self",)).select_related("project", "batch").get(pk=pk)
    done = Annotation.objects.filter(
        item=item,
        item_version=item.version,
        current=True,
        complete=True,
        voided=False,
        repeat=1,
        pass_kind=Pass.NORMAL,
    ).count()
    active = Lease.objects.filter(item=item, state=LeaseState.ACTIVE, pass_kind=Pass.NORMAL, relabel=None)
    leased = active.count()
    target = max(wanted(item.project, item), done + leased)
    Item.objects.filter(pk=pk).update(
        done=done,
        leased=leased,
        target=target,
        free=target - done - leased if item.state == ItemState.OPEN else 0,
        flags=Flag.objects.filter(item=item, resolved_at=None).count(),
        pool=item.batch_id if item.batch.members.exists() else SHARED,
    )


@transaction.atomic
def _fix_lane(pk: int) -> None:
    item = Item.objects.select_for_update(of=("self",)).select_related("project", "batch").get(pk=pk)
    Item.objects.filter(pk=pk).update(lane=Lane.MAIN, position=main_position(item, item.project.audit_key))


@transaction.atomic
def _fix_member(pk: int) -> None:
    member = Membership.objects.select_for_update(of=("self",)).get(pk=pk)
    retests = Annotation.objects.filter(annotator=member, current=True, voided=False, pass_kind=Pass.RETEST)
    given = Batch.members.through.objects.filter(membership=OuterRef("pk"))
    Membership.objects.filter(pk=pk).update(
        answered=Annotation.objects.filter(counted(), annotator=member, current=True, voided=False).count(),
        waiting=RelabelPlace.objects.filter(annotator=member, annotation=None, dropped=False).count(),
        held=Lease.objects.filter(annotator=member, state=LeaseState.ACTIVE).count(),
        handed=max(member.handed, Lease.objects.filter(annotator=member).count()),
        retested=retests.count() if member.user_id else 0,
        has_batches=Exists(given),
    )


@transaction.atomic
def _fix_batch(pk: int) -> None:
    Batch.objects.filter(pk=pk).update(n_items=Item.objects.filter(batch=pk).count())


@transaction.atomic
def _fix_staging(pk: int) -> None:
    clear_staging(Import.objects.get(pk=pk))


_FIXES: Mapping[str, Callable[[Any], None]] = {
    "items": _fix_item,
    "lanes": _fix_lane,
    "members": _fix_member,
    "batches": _fix_batch,
    "staging": _fix_staging,
}
