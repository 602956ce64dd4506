"""Keeping computed reports, and asking a worker for newer ones."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from core.choices import JobKind
from core.models import Job, Project, Report
from core.selectors.report import report_job
from core.services.job import create_job

MOST_KEPT = 50  # per project; what nobody has looked at for longest goes first


@transaction.atomic
def keep_report(
    project: Project,
    kind: str,
    key: str,
    *,
    asked: dict[str, Any],
    body: dict[str, Any],
    marker: str,
    as_of: datetime,
    seconds: float,
) -> Report:
    """Keep what was computed in place of what was kept before, and drop the longest unread of the project.

    One that rests on a later moment stays: a slow computation must not undo a quick one.
    """
    fields = {"asked": asked, "body": body, "marker": marker, "as_of": as_of, "seconds": seconds}
    report, made = Report.objects.get_or_create(
        project=project, kind=kind, key=key, defaults={**fields, "seen_at": Now()}
    )
    if not made:
        rows = Report.objects.filter(Q(as_of__lte=as_of), pk=report.pk)
        rows.update(**fields, seen_at=Now())
    kept = Report.objects.filter(project=project).order_by("-seen_at", "-pk").values_list("pk", flat=True)
    Report.objects.filter(pk__in=list(kept[MOST_KEPT:])).delete()
    return report


def see_report(report: Report) -> None:
    """Note that somebody has looked at it, so that it is kept for longer."""
    Report.objects.filter(pk=report.pk).update(seen_at=Now())


@transaction.atomic
def renew_report(report: Report) -> Job:
    """Ask a worker for a newer one; the job that does it already, if there is one."""
    locked = Report.objects.select_for_update(of=("self",)).select_related("project").get(pk=report.pk)
    return report_job(locked) or create_job(locked.project, JobKind.REPORT, {"report": locked.pk}, None)
