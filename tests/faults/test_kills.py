"""Must-show: kill -9 of everything under load; nothing acknowledged is lost, doubled or over the overlap."""

import pytest
from django.db import connection

from tests.faults.load import Nemesis, site
from tests.servers import Postgres

pytestmark = [pytest.mark.faults, pytest.mark.worker, pytest.mark.timeout(600)]
KILLS = {"web": 5, "worker": 1, "broker": 1}
PAUSE_SECONDS = 0.7


def test_kills_under_load_lose_and_double_nothing() -> None:
    """A few kills of each; ``python -m tests.faults.load --web 50 …`` is the full campaign."""
    if connection.vendor == "postgresql":
        with Postgres() as postgres:
            check(KILLS | {"database": 2}, postgres)
    else:
        check(KILLS, None)


def check(kills: dict[str, int], postgres: Postgres | None) -> None:
    nemesis = Nemesis(kills, PAUSE_SECONDS)
    with site(items=1500, people=6, postgres=postgres, worker=True) as here:
        books = here.run(nemesis)
        verdict = here.verdict(books)
        assert nemesis.done == kills
        assert verdict["acknowledged"] > 0
        zero = ("lost", "doubled", "over_overlap", "broken_rules", "server_errors", "crashed", "refused")
        assert {name: verdict[name] for name in zero} == dict.fromkeys(zero, 0), books.errors
