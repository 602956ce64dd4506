"""Background work: run one job, and take back what was lost."""

from uuid import UUID

from celery import shared_task

from core.pipelines import gold
from core.pipelines import job as pipeline
from core.queue import TaskName
from core.services import imports, job, overlap, selection


@shared_task(name=TaskName.RUN_JOB, soft_time_limit=3000, time_limit=3300)
def run_job(job_id: str) -> None:
    """Run a job unless another worker has it."""
    pipeline.run_job(UUID(job_id))


@shared_task(name=TaskName.REAP, soft_time_limit=60, time_limit=90)
def reap() -> None:
    """Pauses due; lost and abandoned jobs, expired leases, totals, imports whose job ended; overlap and picks due."""
    gold.pause_due()  # before the outbox is folded: by it one sees where somebody has worked
    job.reap()
    imports.sweep()
    overlap.start_due()
    selection.start_due()
