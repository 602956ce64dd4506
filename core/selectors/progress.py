"""How far a project is: the folded totals plus what waits in the outbox. True at every moment."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Sum

from core.models import Outbox, ProjectTotals


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a project."""

    items: int
    items_done: int
    annotations: int


def progress_of(project_id: int) -> Progress:
    """The project's counts now. Two statements, whatever the project's size."""
    totals = ProjectTotals.objects.filter(pk=project_id).first() or ProjectTotals()
    waiting = Outbox.objects.filter(project_id=project_id).aggregate(
        items=Sum("items", default=0), done=Sum("items_done", default=0), work=Sum("annotations", default=0)
    )
    return Progress(
        items=totals.items + waiting["items"],
        items_done=totals.items_done + waiting["done"],
        annotations=totals.annotations + waiting["work"],
    )


def progress_by_project(project_ids: Collection[int]) -> dict[int, Progress]:
    """The counts of several projects. Two statements, however many there are."""
    totals = {row.pk: row for row in ProjectTotals.objects.filter(pk__in=project_ids)}
    waiting = {
        row["project_id"]: row
        for row in Outbox.objects.filter(project_id__in=project_ids)
        .order_by()
        .values("project_id")
        .annotate(n_items=Sum("items"), n_done=Sum("items_done"), n_work=Sum("annotations"))
    }
    return {
        pk: Progress(
            items=totals.get(pk, ProjectTotals()).items + waiting.get(pk, {}).get("n_items", 0),
            items_done=totals.get(pk, ProjectTotals()).items_done + waiting.get(pk, {}).get("n_done", 0),
            annotations=totals.get(pk, ProjectTotals()).annotations + waiting.get(pk, {}).get("n_work", 0),
        )
        for pk in project_ids
    }
