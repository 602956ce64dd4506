"""How far a project is: the folded totals plus what waits in the outbox. True at every moment."""

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
