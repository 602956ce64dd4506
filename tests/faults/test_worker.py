"""A real broker and a real worker: a lost message is sent again, a killed worker's import ends all the same."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Installation, Unavailable

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


@pytest.fixture
def site() -> Iterator[Installation]:
    """An installation with one project, its own broker, and no worker yet."""
    try:
        with Installation() as made:
            made.manage("shell", "--command", SEED)
            yield made
    except Unavailable as reason:
        pytest.skip(str(reason))


def read(site: Installation, sql: str) -> Any:
    """One value from the database file, beside whatever else is at work."""
    path = Path(site.variables["LABELAPP_DATA"]) / "labelapp.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as session:
        row = session.execute(sql).fetchone()
    return row[0] if row else None


def wait_for(site: Installation, sql: str, wanted: Any) -> None:
    """Until the database says so, or not in time."""
    deadline = time.monotonic() + SECONDS
    while (found := read(site, sql)) != wanted:
        assert time.monotonic() < deadline, f"{sql}: {found!r} and not {wanted!r}"
        time.sleep(0.2)


def upload(site: Installation, folder: Path, rows: int) -> None:
    path = folder / "items.csv"
    path.write_text("id,text\n" + "".join(f"i{n},Text number {n}\n" for n in range(rows)))
    site.manage("shell", "--command", UPLOAD.format(path=str(path)))


def test_a_job_that_the_broker_has_lost_is_found_and_done(site: Installation, tmp_path: Path) -> None:
    upload(site, tmp_path, 10)
    site.broker.client().flushall()
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
        worker.start()
        wait_for(site, "SELECT state FROM core_job", "done")
    assert read(site, "SELECT attempts FROM core_job") == 2
    assert read(site, "SELECT count(*) FROM core_item") == 150_000
    assert read(site, "SELECT count(*) FROM core_stageditem") == 0
    assert json.loads(site.manage("check_data", "--json"))["clean"]
