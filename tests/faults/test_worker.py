"""A real broker and a real worker: a lost message is sent again, a killed worker's work ends all the same."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Installation, Unavailable, wait_until

pytestmark = [pytest.mark.worker, pytest.mark.faults, pytest.mark.timeout(600)]
SECONDS = 240
DOCUMENT = {
    "slug": "birds",
    "name": "Birds",
    "questions": [
        {"key": "q", "kind": "single", "title": "Which?", "classes": [{"name": "a"}, {"name": "b"}]}
    ],
}
SEED = f"""
import json
from core.models import User
from core.services.project import create_project
create_project(
    User.objects.create(username="alice", may_create_projects=True), json.loads({json.dumps(DOCUMENT)!r})
)
"""
UPLOAD = """
from core.selectors.imports import owner_of
from core.services.imports import start_import
with open({path!r}, "rb") as file:
    start_import(owner_of("birds"), file, "items.csv", kind="items")
"""


# A project of 1,500 texts with 100 labels; what a round comes to without any worker; and one for a worker to do.
BEGIN_ROUND = """
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
END_ROUND = """
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


@pytest.fixture
def site() -> Iterator[Installation]:
    """An installation with its own broker, and no worker yet."""
    try:
        with Installation() as made:
            yield made
    except Unavailable as reason:
        pytest.skip(str(reason))


@contextlib.contextmanager
def database_of(site: Installation, mode: str) -> Iterator[sqlite3.Connection]:
    """The database file, to read ("ro") or to write ("rw") beside whatever else is at work."""
    address = f"file:{site.variables['LABELAPP_DATA']}/labelapp.sqlite3?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=20)) as session, session:
        yield session


def read(site: Installation, sql: str) -> Any:
    """One value."""
    with database_of(site, "ro") as session:
        row = session.execute(sql).fetchone()
    return row[0] if row else None


def a_minute_passes(site: Installation) -> None:
    """What was sent and not taken counts as lost, what its worker left as abandoned."""
    earlier = "strftime('%Y-%m-%d %H:%M:%f', {0}, '-1 minute')"
    times = ", ".join(f"{name} = {earlier.format(name)}" for name in ("sent_at", "heartbeat_at"))
    with database_of(site, "rw") as session:
        session.execute(f"UPDATE core_job SET {times}")


def wait_for(site: Installation, sql: str, wanted: Any) -> None:
    """Until the database says so, or not in time."""
    wait_until(lambda: read(site, sql) == wanted, f"{sql}: {wanted}", SECONDS)


def upload(site: Installation, folder: Path, rows: int) -> None:
    path = folder / "items.csv"
    path.write_text("id,text\n" + "".join(f"i{n},Text number {n}\n" for n in range(rows)))
    site.manage("shell", "--command", SEED + UPLOAD.format(path=str(path)))


def test_a_job_that_the_broker_has_lost_is_found_and_done(site: Installation, tmp_path: Path) -> None:
    upload(site, tmp_path, 10)
    site.broker.client().flushall()
    a_minute_passes(site)
    with site.worker():
        wait_for(site, "SELECT state FROM core_job", "done")
        wait_for(site, "SELECT count(*) FROM core_workersign", 1)
    assert read(site, "SELECT count(*) FROM core_item") == 10
    assert json.loads(site.manage("check_data", "--json"))["clean"]


def test_an_import_whose_worker_is_killed_is_taken_back_and_ends_as_if_nothing_had_been(
    site: Installation, tmp_path: Path
) -> None:
    worker = site.worker()
    with worker:
        upload(site, tmp_path, 150_000)
        wait_for(site, "SELECT progress > 0.1 FROM core_job", 1)
        worker.kill()
        assert read(site, "SELECT count(*) FROM core_item") == 0
        a_minute_passes(site)
        worker.start()
        wait_for(site, "SELECT state FROM core_job", "done")
    assert read(site, "SELECT attempts FROM core_job") == 2
    assert read(site, "SELECT count(*) FROM core_item") == 150_000
    assert read(site, "SELECT count(*) FROM core_stageditem") == 0
    assert json.loads(site.manage("check_data", "--json"))["clean"]


def printed(site: Installation, script: str) -> Any:
    out = site.manage("shell", "--command", script)
    return json.loads(next(line for line in out.splitlines() if line.startswith("PRINTED"))[8:])


def test_a_worker_that_is_killed_and_a_broker_that_forgets_change_no_pick(site: Installation) -> None:
    wanted = printed(site, BEGIN_ROUND)
    site.broker.client().flushall()
    a_minute_passes(site)
    worker = site.worker()
    with worker:
        wait_for(site, "SELECT max(state) FROM core_job WHERE state <> 'done'", "running")
        worker.kill()
        site.broker.client().flushall()
        a_minute_passes(site)
        worker.start()
        wait_for(site, "SELECT count(*) FROM core_selection WHERE applied_at IS NOT NULL", 1)
    assert len(wanted) == 24
    assert printed(site, END_ROUND) == {"picks": wanted, "answers": 100, "findings": []}
    assert read(site, "SELECT max(attempts) FROM core_job") == 2
