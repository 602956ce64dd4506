"""Jobs: the row in the database is the truth, a claim fences the worker that has it, the broker only wakes.

Whatever happens to broker and workers, a job ends the same: what was lost is sent again, what a dead
worker left is taken back, and a worker whose claim was taken over can write nothing more.

A job may be split into parts, which any workers do; it waits meanwhile and goes on after the last of them. A
parent's row is locked before those of its parts.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce, Now

from core.choices import JobKind, JobState
from core.exceptions import Conflict, TooMany
from core.models import Job, Membership, Outbox, Project, User, WorkerSign
from core.queue import TaskName, enqueue
from core.selectors.job import UNFINISHED, unfinished_jobs
from core.services.audit import record
from core.services.lease import expire_leases
from core.services.progress import fold_outbox

STALE = timedelta(seconds=30)
ALIVE_SECONDS = 10.0
LOST = timedelta(seconds=15)
MOST_ATTEMPTS = 5
MOST_UNFINISHED = 20
MOST_FOLDS = 20
MOST_EXPIRED = 500


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


@transaction.atomic
def start_once(membership: Membership, kind: JobKind, question: str, verb: str) -> Job:
    """A job of this kind about a question, with its line in the audit log; the unfinished one where there is one."""
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    running = unfinished_jobs(project.pk).filter(kind=kind).first()
    if running is not None:
        return running
    job = create_job(project, kind, {"question": question}, membership.user)
    record(membership.user, project, verb, question)
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


@contextmanager
def kept_alive(job: Job) -> Iterator[None]:
    """Say every ten seconds, beside whatever the block computes, that the worker lives.

    For computations that have no step to call ``beat`` at; a cancelled or lost job is noticed at the next ``beat``.
    """
    ended = threading.Event()
    beside = threading.Thread(target=_keep_alive, args=(job, ended), daemon=True)
    beside.start()
    try:
        yield
    finally:
        ended.set()
        beside.join()


def _keep_alive(job: Job, ended: threading.Event) -> None:
    try:
        while not ended.wait(ALIVE_SECONDS):
            with suppress(OperationalError, InterfaceError):  # the work itself notices
                _mine(job).update(heartbeat_at=Now())
    finally:
        connection.close()


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


@transaction.atomic
def _end(job: Job, state: JobState, **fields: Any) -> None:
    parent = _locked(job.parent_id)
    if not _mine(job).update(state=state, finished_at=Now(), heartbeat_at=Now(), **fields):
        raise LostClaim
    job.state = state
    if parent is not None:
        _follow_parts(parent)


# --- Parts ------------------------------------------------------------------------------------------


@transaction.atomic
def split_job(job: Job, kind: JobKind, arguments: Sequence[dict[str, Any]]) -> None:
    """Give a running job up to so many parts. It waits, and is sent again when all of them are done.

    A part that fails or is cancelled ends the job in the same way. The pipeline of a part ends it by ``finish_job``,
    in a transaction in which it has not called ``beat`` (the parent is locked first). Raises LostClaim, JobCancelled.
    """
    beat(job)
    _mine(job).update(state=JobState.WAITING, claim=None)
    job.state = JobState.WAITING
    parts = Job.objects.bulk_create(
        Job(project_id=job.project_id, parent=job, kind=kind, arguments=one, sent_at=Now())
        for one in arguments
    )
    for part in parts:
        enqueue(TaskName.RUN_JOB, str(part.pk))


def _locked(job_id: UUID | None) -> Job | None:
    return Job.objects.select_for_update(of=("self",)).filter(pk=job_id).first() if job_id else None


def _follow_parts(job: Job) -> None:
    """Let a waiting job, whose row is locked, go on or end as its parts have."""
    if job.state != JobState.WAITING:
        return
    rows = Job.objects.filter(pk=job.pk)
    states = dict.fromkeys(JobState.values, 0) | dict(
        job.parts.order_by().values_list("state").annotate(n=Count("pk"))
    )
    unfinished = sum(states[state] for state in UNFINISHED)
    if states[JobState.FAILED]:
        part = job.parts.filter(state=JobState.FAILED).earliest("finished_at", "pk")
        error = {
            "code": "part-failed",
            "detail": "A part of it failed.",
            **(part.error or {}),
            "part": str(part.pk),
        }
        rows.update(state=JobState.FAILED, error=error, finished_at=Now())
        _cancel_parts(job)
    elif states[JobState.CANCELLED]:
        rows.update(state=JobState.CANCELLED, finished_at=Now())
        _cancel_parts(job)
    elif not unfinished:
        rows.update(state=JobState.QUEUED, attempts=0, sent_at=Now())
        enqueue(TaskName.RUN_JOB, str(job.pk))
    else:
        rows.update(progress=states[JobState.DONE] / sum(states.values()))


def _cancel_parts(job: Job) -> None:
    job.parts.filter(state=JobState.QUEUED).update(state=JobState.CANCELLED, finished_at=Now())
    job.parts.filter(state=JobState.RUNNING).update(cancel_requested=True)


def follow_all_parts() -> None:
    """The same for every job that waits: parts whose workers died were ended by the reaper."""
    for job_id in list(Job.objects.filter(state=JobState.WAITING).values_list("pk", flat=True)):
        with transaction.atomic():
            job = _locked(job_id)
            if job is not None:
                _follow_parts(job)


@transaction.atomic
def request_cancel(job_id: UUID) -> Job:
    """End a job: at once when it waits, at its worker's next step when it runs; and its parts with it.

    Raises Conflict when it has ended.
    """
    job = Job.objects.select_for_update(of=("self",)).get(pk=job_id)
    if job.state not in UNFINISHED:
        raise Conflict("job-ended", f"This job is {job.state} already.")
    job.cancel_requested = True
    fields: dict[str, Any] = {"cancel_requested": True}
    if job.state != JobState.RUNNING:
        job.state = JobState.CANCELLED
        fields |= {"state": JobState.CANCELLED, "finished_at": Now()}
    Job.objects.filter(pk=job.pk).update(**fields)
    _cancel_parts(job)
    return job


def reap() -> None:
    """What must not depend on anybody's memory: lost and abandoned jobs, expired leases, totals."""
    take_back_abandoned()
    follow_all_parts()
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
