"""Jobs end the same whatever happens to broker and workers."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from pytest_django import DjangoCaptureOnCommitCallbacks

from core.choices import JobKind, JobState
from core.exceptions import Conflict, TooMany
from core.models import Job, Outbox, Project, User, WorkerSign
from core.selectors.job import jobs_of, unfinished_jobs
from core.selectors.progress import progress_of
from core.services import job as jobs
from tests.conftest import Actors
from tests.servers import wait_until


def make_job(project: Project, user: User | None = None) -> Job:
    return jobs.create_job(project, JobKind.IMPORT, {"import": 0}, user, send=False)


def silent(job: Job, seconds: int = 60) -> None:
    """Its worker has not been heard of for so long."""
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - timedelta(seconds=seconds))


def test_a_queued_job_is_claimed_once(project: Project) -> None:
    job = make_job(project)
    claimed = jobs.claim_job(job.pk)
    assert claimed is not None
    assert (claimed.state, claimed.attempts) == (JobState.RUNNING, 1)
    assert jobs.claim_job(job.pk) is None


def test_an_unknown_job_is_nobodys(project: Project) -> None:
    assert jobs.claim_job(uuid4()) is None


def test_a_job_whose_worker_is_silent_is_taken_over_and_the_old_worker_can_write_nothing(
    project: Project,
) -> None:
    first = jobs.claim_job(make_job(project).pk)
    assert first is not None
    silent(first)
    second = jobs.claim_job(first.pk)
    assert second is not None
    assert second.attempts == 2
    with pytest.raises(jobs.LostClaim):
        jobs.beat(first, 0.5)
    with pytest.raises(jobs.LostClaim):
        jobs.finish_job(first)
    with pytest.raises(jobs.LostClaim):
        jobs.fail_job(first, "x", "y")
    jobs.finish_job(second, {"rows": 1})
    done = Job.objects.get(pk=first.pk)
    assert (done.state, done.result, done.progress) == (JobState.DONE, {"rows": 1}, 1.0)


def test_a_heartbeat_shows_the_progress(project: Project) -> None:
    job = jobs.claim_job(make_job(project).pk)
    assert job is not None
    jobs.beat(job, 0.25)
    assert Job.objects.get(pk=job.pk).progress == 0.25


def test_a_waiting_job_is_cancelled_at_once_and_never_starts(project: Project) -> None:
    job = make_job(project)
    assert jobs.request_cancel(job.pk).state == JobState.CANCELLED
    assert jobs.claim_job(job.pk) is None
    with pytest.raises(Conflict, match="cancelled already"):
        jobs.request_cancel(job.pk)


def test_a_running_job_learns_of_its_end_at_the_next_heartbeat(project: Project) -> None:
    job = jobs.claim_job(make_job(project).pk)
    assert job is not None
    assert jobs.request_cancel(job.pk).state == JobState.RUNNING
    with pytest.raises(jobs.JobCancelled):
        jobs.beat(job)
    jobs.end_cancelled(job)
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED


def test_the_reaper_queues_an_abandoned_job_again_and_gives_up_after_five_attempts(project: Project) -> None:
    job = make_job(project)
    for attempt in range(1, 6):
        claimed = jobs.claim_job(job.pk)
        assert claimed is not None
        assert claimed.attempts == attempt
        silent(claimed)
        assert jobs.take_back_abandoned() == 1
    ended = Job.objects.get(pk=job.pk)
    assert ended.state == JobState.FAILED
    assert (ended.error or {})["code"] == "gave-up"


def test_the_reaper_leaves_a_living_job_alone(project: Project) -> None:
    job = jobs.claim_job(make_job(project).pk)
    assert job is not None
    assert jobs.take_back_abandoned() == 0
    jobs.beat(job)


def test_a_cancelled_job_whose_worker_died_is_cancelled_by_the_reaper(project: Project) -> None:
    job = jobs.claim_job(make_job(project).pk)
    assert job is not None
    jobs.request_cancel(job.pk)
    silent(job)
    jobs.take_back_abandoned()
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED


def test_a_job_that_the_broker_lost_is_sent_again(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _task, job_id: sent.append(job_id))
    job = jobs.create_job(project, JobKind.IMPORT, {}, None)
    assert sent == [str(job.pk)]
    assert jobs.send_lost_again() == 0
    Job.objects.filter(pk=job.pk).update(sent_at=Now() - timedelta(seconds=16))
    assert jobs.send_lost_again() == 1
    assert sent == [str(job.pk)] * 2
    assert jobs.send_lost_again() == 0


def test_one_person_has_at_most_twenty_unfinished_jobs(project: Project, alice: User, bob: User) -> None:
    for _ in range(jobs.MOST_UNFINISHED):
        make_job(project, alice)
    with pytest.raises(TooMany) as refused:
        make_job(project, alice)
    assert refused.value.retry_after == 30
    make_job(project, bob)


def test_the_reaper_folds_the_outbox_once(project: Project) -> None:
    for _ in range(3):
        Outbox.objects.create(project=project, items=2, annotations=1)
    before = progress_of(project.pk)
    jobs.reap()
    jobs.reap()
    assert progress_of(project.pk) == before
    assert (before.items, before.annotations) == (6, 3)
    assert not Outbox.objects.exists()


def test_the_canary_leaves_one_sign_that_moves(db: None) -> None:
    jobs.sign_of_life()
    first = WorkerSign.objects.get().seen_at
    jobs.sign_of_life()
    assert WorkerSign.objects.get().seen_at >= first


@pytest.mark.django_db(transaction=True)
def test_a_long_computation_keeps_its_job_alive(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ALIVE_SECONDS", 0.01)
    job = jobs.claim_job(make_job(actors.project).pk)
    assert job is not None
    silent(job)
    with jobs.kept_alive(job):
        wait_until(lambda: is_fresh(job), "a sign of life")
    assert jobs.take_back_abandoned() == 0
    silent(job)
    time.sleep(0.05)
    assert not is_fresh(job)


def is_fresh(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, heartbeat_at__gt=Now() - timedelta(seconds=20)).exists()


# --- Parts ------------------------------------------------------------------------------------------


def split(project: Project, n: int = 2) -> tuple[Job, list[Job]]:
    """A running job that was split, and its parts."""
    job = jobs.claim_job(make_job(project).pk)
    assert job is not None
    jobs.split_job(job, JobKind.SCORE, [{"number": number} for number in range(n)])
    return job, sorted(job.parts.all(), key=lambda part: int(part.arguments["number"]))


def claimed(job: Job) -> Job:
    found = jobs.claim_job(job.pk)
    assert found is not None
    return found


def state_of(job: Job) -> str:
    return str(Job.objects.values_list("state", flat=True).get(pk=job.pk))


def test_a_job_that_was_split_waits_and_its_worker_has_it_no_more(project: Project) -> None:
    job, parts = split(project)
    assert [part.state for part in parts] == [JobState.QUEUED] * 2
    assert state_of(job) == JobState.WAITING
    assert jobs.claim_job(job.pk) is None
    with pytest.raises(jobs.LostClaim):
        jobs.beat(job)
    with pytest.raises(jobs.LostClaim):
        jobs.finish_job(job)
    assert jobs.take_back_abandoned() == 0


def test_the_last_part_sends_the_job_on_its_way_again(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _task, job_id: sent.append(job_id))
    job, parts = split(project)
    assert sent == [str(part.pk) for part in parts]
    jobs.finish_job(claimed(parts[1]))
    assert (state_of(job), Job.objects.get(pk=job.pk).progress) == (JobState.WAITING, 0.5)
    jobs.finish_job(claimed(parts[0]))
    assert state_of(job) == JobState.QUEUED
    assert sent[2:] == [str(job.pk)]
    again = claimed(job)
    assert again.attempts == 1
    jobs.finish_job(again)
    assert state_of(job) == JobState.DONE


def test_a_part_that_fails_fails_the_job_and_ends_the_other_parts(project: Project) -> None:
    job, parts = split(project, 3)
    other = claimed(parts[1])
    jobs.fail_job(claimed(parts[0]), "no-items", "There are none.")
    failed = Job.objects.get(pk=job.pk)
    assert failed.state == JobState.FAILED
    assert failed.error == {"code": "no-items", "detail": "There are none.", "part": str(parts[0].pk)}
    assert state_of(parts[2]) == JobState.CANCELLED
    with pytest.raises(jobs.JobCancelled):
        jobs.beat(other)
    jobs.end_cancelled(other)
    assert state_of(job) == JobState.FAILED


def test_cancelling_a_job_that_waits_cancels_its_parts(project: Project) -> None:
    job, parts = split(project)
    running = claimed(parts[0])
    assert jobs.request_cancel(job.pk).state == JobState.CANCELLED
    assert state_of(parts[1]) == JobState.CANCELLED
    with pytest.raises(jobs.JobCancelled):
        jobs.beat(running)
    jobs.end_cancelled(running)
    assert state_of(job) == JobState.CANCELLED
    assert jobs.claim_job(job.pk) is None


def test_a_cancelled_part_cancels_the_job(project: Project) -> None:
    job, parts = split(project)
    jobs.request_cancel(parts[0].pk)
    jobs.follow_all_parts()
    assert (state_of(job), state_of(parts[1])) == (JobState.CANCELLED, JobState.CANCELLED)


def test_a_part_whose_worker_died_is_done_again_and_in_the_end_given_up_with_its_job(
    project: Project,
) -> None:
    job, parts = split(project)
    jobs.finish_job(claimed(parts[1]))
    for _attempt in range(jobs.MOST_ATTEMPTS):
        silent(claimed(parts[0]))
        assert state_of(job) == JobState.WAITING
        jobs.reap()
    assert state_of(parts[0]) == JobState.FAILED
    failed = Job.objects.get(pk=job.pk)
    assert (failed.state, (failed.error or {})["code"]) == (JobState.FAILED, "gave-up")


def test_the_reaper_finds_a_job_whose_parts_have_all_ended(project: Project) -> None:
    job, parts = split(project)
    Job.objects.filter(pk__in=[part.pk for part in parts]).update(state=JobState.DONE)
    jobs.reap()
    assert state_of(job) == JobState.QUEUED


def test_a_job_that_waits_for_its_parts_is_unfinished_and_its_parts_are_nobodys_jobs(
    project: Project, alice: User
) -> None:
    job, _parts = split(project)
    assert [one.pk for one in unfinished_jobs(project.pk)] == [job.pk]
    assert [one.pk for one in jobs_of(project.pk)] == [job.pk]
    Job.objects.filter(pk=job.pk).update(created_by=alice)
    for _ in range(jobs.MOST_UNFINISHED - 1):
        make_job(project, alice)
    with pytest.raises(TooMany):
        make_job(project, alice)
