"""How far a project is: the folded totals plus what waits in the outbox. True at every moment."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from django.db.models import OuterRef, Subquery, Sum

from core.choices import ProjectState, Role
from core.models import Membership, Outbox, Project, ProjectTotals

LEAST_STEP, STEPS = 10, 100


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
    """The counts of several projects.

    One statement, however many there are and however large: totals and outbox are read at the same moment,
    so that a worker who folds the one into the other meanwhile changes nothing.
    """
    waiting = Outbox.objects.filter(project=OuterRef("pk")).order_by().values("project")
    rows = ProjectTotals.objects.filter(pk__in=project_ids).annotate(
        more_items=Subquery(waiting.annotate(n=Sum("items")).values("n")),
        more_done=Subquery(waiting.annotate(n=Sum("items_done")).values("n")),
        more_work=Subquery(waiting.annotate(n=Sum("annotations")).values("n")),
    )
    found = {
        row.pk: Progress(
            items=row.items + (row.more_items or 0),
            items_done=row.items_done + (row.more_done or 0),
            annotations=row.annotations + (row.more_work or 0),
        )
        for row in rows
    }
    return {pk: found.get(pk, Progress(0, 0, 0)) for pk in project_ids}


def told_to(member: Membership, progress: Progress) -> Progress:
    """The counts as somebody may read them: where repeats and gold are mixed in, annotators get rounded ones.

    A repeat finishes no item; nobody could else tell one by what their own answer did. That all is done they are
    told when the project is archived: whatever is handed out after the last item is a repeat or gold.
    """
    project = member.project
    blind = project.retest_rate or project.retest_minimum or project.gold_rate
    if not blind or member.role != Role.ANNOTATOR or project.state == ProjectState.ARCHIVED:
        return progress
    step = max(LEAST_STEP, progress.items // STEPS)
    done = min(progress.items_done, max(progress.items - 1, 0))
    return replace(progress, items_done=done // step * step)


def changes_of(project: Project) -> int:
    """How often anything was submitted, corrected or counted anew: what was computed from answers is new while this stays.

    Never falls; one statement, as for the counts.
    """
    waiting = Outbox.objects.filter(project=OuterRef("pk")).order_by().values("project")
    more = Subquery(waiting.annotate(n=Sum("changes")).values("n"))
    row = ProjectTotals.objects.filter(pk=project.pk).annotate(more_changes=more).first()
    return row.changes + (row.more_changes or 0) if row else 0
