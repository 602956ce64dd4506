"""Jobs: the row in the database is the truth, a claim fences the worker that has it, the broker only wakes.

Whatever happens to broker and workers, a job ends the same: what was lost is sent again, what a dead
worker left is taken back, and a worker whose claim was taken over can write nothing more.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from core.choices import JobKind, JobState
from core.exceptions import Conflict, TooMany
from core.models import Job, Outbox, Project, User, WorkerSign
from core.queue import TaskName, enqueue
from core.services.lease import expire_leases
from core.services.progress import fold_outbox

STALE = timedelta(seconds=30)
LOST = timedelta(seconds=15)
MOST_ATTEMPTS = 5
MOST_UNFINISHED = 20
MOST_FOLDS = 20
MOST_EXPIRED = 500
UNFINISHED = [JobState.QUEUED, JobState.RUNNING]


class LostClaim(Exception):  # noqa: N818 -- not an error: somebody else has taken the job over
    """The worker no longer has the job and must stop without writing anything."""


class JobCancelled(Exception):  # noqa: N818 -- not an error: somebody asked for it
    """Somebody asked for the job to end."""


@transaction.atomic
def create_job(
    project: Project, kind: JobKind, arguments: dict[str, Any], user: User | None, *, send: bool = True
) -> Job:
    """A queued job, sent to the workers on commit (``send=False``: the caller claims it itself).

    Raises TooMany when this person has 20 unfinished ones.
    """
    if user is not None:
        waiting = Job.objects.filter(state__in=UNFINISHED, created_by=user).count()
        if waiting >= MOST_UNFINISHED:
            raise TooMany("too-many-jobs", f"{waiting} of your jobs are not finished yet.", retry_after=30)
    job = Job.objects.create(project=project, kind=kind, arguments=arguments, created_by=user, sent_at=Now())
    if send:
        enqueue(TaskName.RUN_JOB, str(job.pk))
    return job


def claim_job(job_id: UUID) -> Job | None:
    """Take a job that waits, or that its worker has left, under a new claim; None when there is no such."""
    claim = uuid4()
    with transaction.atomic():
        found = (
            Job.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(state=JobState.QUEUED) | _abandoned(), pk=job_id, cancel_requested=False)
            .values_list("pk", flat=True)
        )
        if not list(found):
            return None
        Job.objects.filter(pk=job_id).update(
            state=JobState.RUNNING,
            claim=claim,
            attempts=F("attempts") + 1,
            heartbeat_at=Now(),
            started_at=Coalesce("started_at", Now()),
        )
    return Job.objects.select_related("project", "created_by").get(pk=job_id)


def _abandoned() -> Q:
    return Q(state=JobState.RUNNING, heartbeat_at__lt=Now() - STALE)


def beat(job: Job, progress: float | None = None) -> None:
    """Say that the worker lives and how far it is. Within a transaction it locks the job until its end.

    Raises LostClaim when another worker has the job, JobCancelled when somebody asked for its end.
    """
    fields: dict[str, Any] = {"heartbeat_at": Now()}
    if progress is not None:
        fields["progress"] = min(max(progress, 0.0), 1.0)
    if not _mine(job).filter(cancel_requested=False).update(**fields):
        if _mine(job).exists():
            raise JobCancelled
        raise LostClaim


def _mine(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, claim=job.claim, state=JobState.RUNNING)


def finish_job(job: Job, result: dict[str, Any] | None = None) -> None:
    """Done. Call it inside the transaction that writes the result. Raises LostClaim."""
    _end(job, JobState.DONE, result=result or {}, progress=1)


def fail_job(job: Job, code: str, detail: str, **data: Any) -> None:
    """Failed for good, with a stable code and a sentence for people. Raises LostClaim."""
    _end(job, JobState.FAILED, error={"code": code, "detail": detail, **data})


def end_cancelled(job: Job) -> None:
    """Ended because somebody asked for it. Raises LostClaim."""
    _end(job, JobState.CANCELLED)


def _end(job: Job, state: JobState, **fields: Any) -> None:
    if not _mine(job).update(state=state, finished_at=Now(), heartbeat_at=Now(), **fields):
        raise LostClaim
    job.state = state


@transaction.atomic
def request_cancel(job_id: UUID) -> Job:
    """End a job: at once when it waits, at its worker's next step when it runs. Raises Conflict when it has ended."""
    job = Job.objects.select_for_update(of=("self",)).get(pk=job_id)
    if job.state not in UNFINISHED:
        raise Conflict("job-ended", f"This job is {job.state} already.")
    job.cancel_requested = True
    fields: dict[str, Any] = {"cancel_requested": True}
    if job.state == JobState.QUEUED:
        job.state = JobState.CANCELLED
        fields |= {"state": JobState.CANCELLED, "finished_at": Now()}
    Job.objects.filter(pk=job.pk).update(**fields)
    return job


def reap() -> None:
    """What must not depend on anybody's memory: lost and abandoned jobs, expired leases, totals."""
    take_back_abandoned()
    send_lost_again()
    expire_leases(limit=MOST_EXPIRED)
    fold_outboxes()


@transaction.atomic
def take_back_abandoned() -> int:
    """Queue again what dead workers have left; after five attempts give up. Returns how many jobs."""
    jobs = list(Job.objects.select_for_update(skip_locked=True, of=("self",)).filter(_abandoned()))
    for job in jobs:
        rows = Job.objects.filter(pk=job.pk)
        if job.cancel_requested:
            rows.update(state=JobState.CANCELLED, claim=None, finished_at=Now())
        elif job.attempts >= MOST_ATTEMPTS:
            error = {
                "code": "gave-up",
                "detail": f"Its worker ended {job.attempts} times in the midst of it.",
            }
            rows.update(state=JobState.FAILED, claim=None, finished_at=Now(), error=error)
        else:
            rows.update(state=JobState.QUEUED, claim=None, sent_at=Now())
            enqueue(TaskName.RUN_JOB, str(job.pk))
    return len(jobs)


@transaction.atomic
def send_lost_again() -> int:
    """Send jobs again that nobody has taken for a while: the broker may have lost them. Returns how many."""
    lost = Job.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        state=JobState.QUEUED, sent_at__lt=Now() - LOST
    )
    ids = list(lost.values_list("pk", flat=True))
    Job.objects.filter(pk__in=ids).update(sent_at=Now())
    for job_id in ids:
        enqueue(TaskName.RUN_JOB, str(job_id))
    return len(ids)


def fold_outboxes() -> None:
    """Fold what waits in the outbox into the projects' totals."""
    waiting = Outbox.objects.order_by().values_list("project_id", flat=True).distinct()
    for project_id in list(waiting):
        for _ in range(MOST_FOLDS):
            if fold_outbox(project_id) == 0:
                break


def sign_of_life() -> None:
    """Note that a task has just gone all the way through broker and worker (database clock)."""
    WorkerSign.objects.bulk_create(
        [WorkerSign(name="canary", seen_at=Now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["seen_at"],
    )
