"""A round broken at every statement: the same picks in the end (with its worker killed: test_worker.py)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from core.choices import JobState
from core.models import Item, Job, Membership, Run, Selection
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.selectors.job import parts_of
from core.selectors.selection import picks_of
from core.services.job import reap
from core.services.selection import choose_now
from tests.conftest import Actors
from tests.factories.pool import answer_items, make_pool
from tests.faults.nth_statement import failing_statement

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MOST_STATEMENTS = 400
STEP = 5  # every fifth statement, from two first ones; of rounds in parts every seventh


@pytest.fixture(autouse=True)
def _without_a_broker(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message is lost; what waits is done by ``work``, as workers do what the reaper sends again."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr("core.services.job.enqueue", lambda *_: None)


@pytest.fixture
def pool(actors: Actors) -> list[Item]:
    """90 texts, of which Bob has answered 20."""
    items = make_pool(actors.project, 90, holdout=8, stream=16)
    answer_items(actors.membership(actors.bob), 20)
    return items


def lead(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def told(selection: Selection) -> list[tuple[Any, ...]]:
    return [
        (pick.item_id, pick.order, pick.stream, pick.score, pick.inclusion_probability, pick.reason)
        for pick in picks_of(selection)
    ]


def work() -> None:
    """Workers and reaper until nothing is left to do."""
    while Job.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.WAITING]).exists():
        Job.objects.filter(state=JobState.RUNNING).update(heartbeat_at=Now() - timedelta(minutes=1))
        reap()
        for job_id in (
            Job.objects.filter(state=JobState.QUEUED).order_by("created_at").values_list("pk", flat=True)
        ):
            run_job(job_id)


def undisturbed(actors: Actors) -> list[tuple[Any, ...]]:
    selection = choose_now(lead(actors), size=10, apply=False, send=False)
    work()
    assert selection.picks.count() == 12
    return told(selection)


def check_round(selection: Selection, wanted: list[tuple[Any, ...]]) -> None:
    """It was made once, with one run, and nothing of it is left behind."""
    selection.refresh_from_db()
    assert selection.job is not None
    assert Job.objects.get(pk=selection.job.pk).state == JobState.DONE
    assert told(selection) == wanted
    assert Run.objects.filter(selections=selection).count() == 1
    assert not selection.parts.exists()
    assert list(findings()) == []


@pytest.mark.parametrize("first", [0, 2])
def test_a_round_that_breaks_at_any_statement_ends_as_one_that_did_not(
    actors: Actors, pool: list[Item], first: int
) -> None:
    wanted = undisturbed(actors)
    tried = 0
    for n in range(1 + first, MOST_STATEMENTS, STEP):
        selection = choose_now(lead(actors), size=10, send=False)
        assert selection.job is not None
        with failing_statement(n) as fault:
            run_job(selection.job.pk)
        assert list(findings()) == [], f"half of it remained after statement {n}"
        tried += fault.fired
        work()
        check_round(selection, wanted)
        if not fault.fired:
            break
    runs = Run.objects.count()
    assert runs == Selection.objects.count()
    assert tried >= 10
    assert not fault.fired


@pytest.mark.parametrize("stage", ["split", "part", "end"])
def test_a_round_in_parts_that_breaks_at_any_statement_ends_as_one_that_did_not(
    actors: Actors, pool: list[Item], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = undisturbed(actors)
    monkeypatch.setattr("core.pipelines.selection.ALONE", 0)
    monkeypatch.setattr("core.selectors.selection.SHARD", 64)
    for n in range(1, MOST_STATEMENTS, 7):
        selection = choose_now(lead(actors), size=10, send=False)
        assert selection.job is not None
        broken = selection.job.pk
        if stage != "split":
            run_job(selection.job.pk)
            parts = parts_of(selection.job)
            assert len(parts) > 1
            for part in parts[stage == "part" :]:
                run_job(part)
            broken = parts[0] if stage == "part" else broken
        with failing_statement(n) as fault:
            run_job(broken)
        assert list(findings()) == [], f"half of it remained after statement {n}"
        work()
        check_round(selection, wanted)
        if not fault.fired:
            break
    assert n > 10
    assert not fault.fired
