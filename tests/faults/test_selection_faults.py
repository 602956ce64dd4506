"""A round broken at every statement, or with its worker killed: the same picks in the end."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
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
from tests.servers import Installation, Unavailable, wait_until

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


# --- A real broker and real workers -----------------------------------------------------------------

# A project of 1,500 texts with 100 labels; what a round comes to without any worker; and one for a worker to do.
BEGIN = """
import json
from core.models import User
from core.pipelines.job import run_job
from core.selectors.selection import picks_of
from core.services.selection import choose_now
from tests.factories.pool import answer_items, make_pool
from tests.factories.project import add_member, make_project
project = make_project("texts", owner=User.objects.create(username="alice"))
make_pool(project, 1500)
answer_items(add_member(project, None), 100)
lead = project.memberships.get(name="alice")
dry = choose_now(lead, size=20, apply=False, send=False)
run_job(dry.job.pk)
choose_now(lead, size=20)
print("PRINTED", json.dumps([[pick.item_id, pick.stream, pick.score] for pick in picks_of(dry)]))
"""
END = """
import json
from core.models import Annotation, Selection
from core.selectors.check_data import findings
from core.selectors.selection import picks_of
applied = Selection.objects.get(number=2)
print("PRINTED", json.dumps({
    "picks": [[pick.item_id, pick.stream, pick.score] for pick in picks_of(applied)],
    "answers": Annotation.objects.count(),
    "findings": [found.rule.name for found in findings()],
}))
"""
SECONDS = 240


@pytest.fixture
def site() -> Iterator[Installation]:
    """An installation with a broker, and no worker yet."""
    try:
        with Installation() as made:
            yield made
    except Unavailable as reason:
        pytest.skip(str(reason))


def printed(site: Installation, script: str) -> Any:
    out = site.manage("shell", "--command", script)
    return json.loads(next(line for line in out.splitlines() if line.startswith("PRINTED"))[8:])


@pytest.mark.worker
@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_and_a_broker_that_forgets_change_no_pick(site: Installation) -> None:
    wanted = printed(site, BEGIN)
    site.broker.client().flushall()
    worker = site.worker()
    with worker:
        wait_for(site, "SELECT max(state) FROM core_job WHERE state <> 'done'", "running")
        worker.kill()
        site.broker.client().flushall()
        worker.start()
        wait_for(site, "SELECT count(*) FROM core_selection WHERE applied_at IS NOT NULL", 1)
    assert len(wanted) == 24
    assert printed(site, END) == {"picks": wanted, "answers": 100, "findings": []}
    assert read(site, "SELECT max(attempts) FROM core_job") == 2


def wait_for(site: Installation, sql: str, wanted: Any) -> None:
    """Until the database says so, or not in time."""
    wait_until(lambda: read(site, sql) == wanted, f"{sql}: {wanted}", SECONDS)


def read(site: Installation, sql: str) -> Any:
    """One value from the database file, beside whatever else is at work."""
    path = Path(site.variables["LABELAPP_DATA"]) / "labelapp.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as session:
        row = session.execute(sql).fetchone()
    return row[0] if row else None
