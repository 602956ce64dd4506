"""How far a project is: the folded totals plus what waits in the outbox. True at every moment."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from core.models import Outbox, ProjectTotals


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a project."""

    items: int
    items_done: int
    annotations: int


def progress_of(project_id: int) -> Progress:
    """A project's counts now."""
    return progress_by_project([project_id])[project_id]


def progress_by_project(project_ids: Collection[int]) -> dict[int, Progress]:
    """The counts of several projects. Two statements, however many there are and however large."""
    totals = {row.pk: row for row in ProjectTotals.objects.filter(pk__in=project_ids)}
    waiting: dict[int, dict[str, Any]] = {
        row["project_id"]: dict(row)
        for row in Outbox.objects.filter(project_id__in=project_ids)
        .order_by()
        .values("project_id")
        .annotate(n_items=Sum("items"), n_done=Sum("items_done"), n_work=Sum("annotations"))
    }
    none = {"n_items": 0, "n_done": 0, "n_work": 0}
    found = {}
    for pk in project_ids:
        folded, rows = totals.get(pk, ProjectTotals()), waiting.get(pk, none)
        found[pk] = Progress(
            items=folded.items + rows["n_items"],
            items_done=folded.items_done + rows["n_done"],
            annotations=folded.annotations + rows["n_work"],
        )
    return found
