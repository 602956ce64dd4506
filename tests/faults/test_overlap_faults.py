"""A look for items to buy places for, broken at every single statement: nothing half done, and then all of it once."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from core.choices import JobKind, JobState
from core.models import Item, Job, Membership, Project
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.services.job import create_job, take_back_abandoned
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.factories.project import add_member
from tests.faults.nth_statement import failing_statement

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MOST_STATEMENTS = 80
SPLIT = 5


@pytest.fixture
def people(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> list[Membership]:
    """Two people who have answered, and others who may; places are bought two at a time."""
    monkeypatch.setattr("core.services.overlap.AT_ONCE", 2)
    Project.objects.filter(pk=actors.project.pk).update(overlap=2, audit_overlap=2, overlap_most=3)
    return [add_member(actors.project, make_user(f"p{number}")) for number in range(2)]


def split_items(project: Project, people: list[Membership]) -> list[int]:
    """Finished items on which the two differ."""
    items = make_items(Project.objects.get(pk=project.pk), SPLIT)
    for item in items:
        for member, value in zip(people, ["yes", "no"], strict=True):
            make_answer(member, item, {"answer": value})
    ids = [item.pk for item in items]
    Item.objects.filter(pk__in=ids).update(done=2, target=2, free=0)
    Membership.objects.filter(pk__in=[one.pk for one in people]).update(answered=F("answered") + SPLIT)
    recount(project.pk)
    return ids


def its_worker_died(job: Job) -> None:
    """What the beat does half a minute later."""
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - timedelta(minutes=1))
    take_back_abandoned()


def test_a_look_that_breaks_at_any_statement_leaves_no_half_and_is_finished_later(
    actors: Actors, people: list[Membership]
) -> None:
    tried, bought = 0, 0
    for n in range(1, MOST_STATEMENTS):
        ids = split_items(actors.project, people)
        job = create_job(actors.project, JobKind.OVERLAP, {}, actors.alice, send=False)
        with failing_statement(n) as fault:
            run_job(job.pk)
        assert list(findings()) == [], f"half of it remained after statement {n}"
        if not fault.fired:
            break
        tried += 1
        its_worker_died(job)
        run_job(job.pk)
        bought += SPLIT
        assert Job.objects.get(pk=job.pk).state == JobState.DONE
        assert set(Item.objects.filter(pk__in=ids).values_list("target", "free")) == {(3, 1)}
        assert Project.objects.get(pk=actors.project.pk).overlap_bought == bought
        assert list(findings()) == []
    assert Job.objects.get(pk=job.pk).state == JobState.DONE
    assert tried >= 15
