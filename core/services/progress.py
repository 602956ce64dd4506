"""A project's totals: folded from the outbox, or counted anew after a change that touches many items."""

from typing import Any

from django.db import transaction
from django.db.models import F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.aggregates import Count
from django.db.models.functions import Coalesce

from core.choices import ItemState, Pass
from core.models import Annotation, Item, Outbox, ProjectTotals


def finished() -> Q:
    """An item that has all the people it wants."""
    return Q(state=ItemState.OPEN, free=0, leased=0, done__gt=0)


def counted() -> Q:
    """An annotation that counts: not of a training round or a trial, unless a file brought it."""
    return ~Q(pass_kind__in=[Pass.TRAINING, Pass.TRIAL]) | Q(source__isnull=False)


@transaction.atomic
def recount(project_id: int) -> ProjectTotals:
    """Set the totals so that totals plus outbox equal the facts; ``changes``, which counts no facts, only grows.

    One statement reads facts and outbox together, so a submit that commits meanwhile is in both or in
    neither.
    """
    totals, _made = ProjectTotals.objects.select_for_update().get_or_create(project_id=project_id)
    items = Item.objects.filter(project=OuterRef("pk")).exclude(state=ItemState.WITHDRAWN).order_by()
    work = Annotation.objects.filter(
        counted(), item__project=OuterRef("pk"), current=True, voided=False, item_version=F("item__version")
    ).order_by()
    waiting = Outbox.objects.filter(project=OuterRef("pk")).order_by()
    facts = (
        ProjectTotals.objects.filter(pk=project_id)
        .values(
            n_items=_number(items.values("project").annotate(n=Count("pk"))),
            n_done=_number(items.filter(finished()).values("project").annotate(n=Count("pk"))),
            n_work=_number(work.values("item__project").annotate(n=Count("pk"))),
            w_items=_number(waiting.values("project").annotate(n=Sum("items"))),
            w_done=_number(waiting.values("project").annotate(n=Sum("items_done"))),
            w_work=_number(waiting.values("project").annotate(n=Sum("annotations"))),
        )
        .get()
    )
    totals.items = facts["n_items"] - facts["w_items"]
    totals.items_done = facts["n_done"] - facts["w_done"]
    totals.annotations = facts["n_work"] - facts["w_work"]
    totals.changes += 1  # something was done to many items at once
    totals.save()
    return totals


def _number(query: QuerySet[Any, Any]) -> Coalesce:
    return Coalesce(Subquery(query.values("n")[:1]), Value(0), output_field=IntegerField())


@transaction.atomic
def fold_outbox(project_id: int, limit: int = 10_000) -> int:
    """Add waiting rows to the totals and drop them. Returns how many."""
    totals, _made = ProjectTotals.objects.select_for_update().get_or_create(project_id=project_id)
    rows = list(
        Outbox.objects.filter(project_id=project_id)
        .select_for_update(skip_locked=True)
        .order_by("pk")[:limit]
    )
    totals.items += sum(row.items for row in rows)
    totals.items_done += sum(row.items_done for row in rows)
    totals.annotations += sum(row.annotations for row in rows)
    totals.changes += sum(row.changes for row in rows)
    totals.save()
    Outbox.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
