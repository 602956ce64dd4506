"""Reads of jobs."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from core.choices import JobState
from core.exceptions import Missing
from core.models import Job

UNFINISHED = [JobState.QUEUED, JobState.RUNNING, JobState.WAITING]


def jobs_of(project_id: int) -> QuerySet[Job]:
    """A project's jobs, newest first; a job's parts are not told apart from it."""
    jobs = Job.objects.filter(project_id=project_id, parent=None)
    return jobs.select_related("created_by").order_by("-created_at", "-pk")


def unfinished_jobs(project_id: int) -> QuerySet[Job]:
    """Those that have not ended."""
    return jobs_of(project_id).filter(state__in=UNFINISHED)


def parts_of(job: Job) -> list[UUID]:
    """The parts of a job that wait for a worker."""
    return list(
        job.parts.filter(state=JobState.QUEUED).order_by("created_at", "pk").values_list("pk", flat=True)
    )


def job_by_id(job_id: UUID) -> Job:
    """One job, whoever's: the caller authorises by its project. Raises Missing."""
    found = Job.objects.select_related("project", "created_by").filter(pk=job_id).first()
    if found is None:
        raise Missing
    return found


def job_document(job: Job) -> dict[str, Any]:
    """A job as the API tells it."""
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "state": job.state,
        "progress": job.progress,
        "result": job.result,
        "error": job.error,
        "attempts": job.attempts,
        "cancel_requested": job.cancel_requested,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
