"""Tasks are registered under the names by which they are sent, and do nothing but call what they are for."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from celery.signals import worker_ready
from django.db import connection
from django.db.models.functions import Now
from pytest_django import DjangoCaptureOnCommitCallbacks

from core.choices import ImportState, JobState
from core.models import Import, Job, WorkerSign
from core.queue import TaskName
from core.services.job import claim_job
from core.tasks.health import canary
from core.tasks.job import reap, run_job
from labelapp.celery import one_at_a_time
from tests.conftest import Actors
from tests.factories.imports import csv_items, queue_file


def test_every_task_name_has_a_task_and_every_task_of_ours_a_name() -> None:
    ours = {name for name in current_app.tasks if name.startswith("core.")}
    assert ours == {str(name) for name in TaskName}


def test_a_job_runs_by_its_id(actors: Actors, media: Any) -> None:
    source = queue_file(actors.membership(actors.alice), csv_items("a"))
    run_job(str(source.job_id))
    assert Import.objects.get().state == ImportState.PUBLISHED
    run_job(str(source.job_id))
    assert Job.objects.get().attempts == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no processes")
def test_a_statement_of_background_work_is_one_process_of_the_server(db: None) -> None:
    one_at_a_time(connection)
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_parallel_workers_per_gather")
        assert cursor.fetchone() == ("0",)


def test_the_canary_leaves_its_sign(db: None) -> None:
    canary()
    assert WorkerSign.objects.get().name == "canary"


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_the_reaper_closes_an_import_whose_job_ended_without_it(
    actors: Actors,
    media: Any,
    state: JobState,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    source = queue_file(actors.membership(actors.alice), csv_items("a"))
    error = {"code": "gave-up", "detail": "…"} if state == JobState.FAILED else None
    Job.objects.update(state=state, error=error)
    with django_capture_on_commit_callbacks(execute=True):
        reap()
    closed = Import.objects.get(pk=source.pk)
    assert closed.state == (ImportState.FAILED if error else ImportState.DISCARDED)
    assert closed.error == error
    assert list((media / "imports").iterdir()) == []


def test_the_reaper_runs_an_abandoned_import_to_its_end(
    actors: Actors, media: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    source = queue_file(actors.membership(actors.alice), csv_items("a", "b"))
    assert source.job_id is not None
    assert claim_job(source.job_id) is not None
    Job.objects.update(heartbeat_at=Now() - timedelta(minutes=1))
    with django_capture_on_commit_callbacks(execute=True):
        reap()
    assert Import.objects.get().state == ImportState.PUBLISHED
    assert Job.objects.get().attempts == 2


@pytest.mark.django_db
def test_a_worker_that_is_ready_says_so_before_the_clock_first_ticks() -> None:
    assert not WorkerSign.objects.exists()
    worker_ready.send(sender=None)
    assert WorkerSign.objects.filter(name="canary").exists()
