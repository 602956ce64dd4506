"""Whether a worker lives: the canary says so, or a job that is at work."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from core.choices import JobKind, JobState
from core.models import Job, Project, WorkerSign
from core.selectors.health import worker_seen
from core.services.job import sign_of_life

pytestmark = pytest.mark.django_db
LONG_AGO = Now() - timedelta(minutes=5)


def test_without_any_sign_there_is_no_worker() -> None:
    assert worker_seen() == (False, None)


def test_a_canary_that_came_through_is_a_sign_and_an_old_one_is_not() -> None:
    sign_of_life()
    assert worker_seen()[0] is True
    WorkerSign.objects.update(seen_at=LONG_AGO)
    assert worker_seen()[0] is False


def test_a_long_job_that_holds_the_worker_is_a_sign(project: Project) -> None:
    job = Job.objects.create(project=project, kind=JobKind.IMPORT, state=JobState.RUNNING)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now())
    assert worker_seen()[0] is True
    Job.objects.filter(pk=job.pk).update(heartbeat_at=LONG_AGO)
    assert worker_seen()[0] is False
