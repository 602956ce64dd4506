"""Must-show: eight annotators over HTTP who lose replies; every item ends with exactly three people's answers."""

import os

import pytest
from django.db import connection

from tests.faults.load import Nemesis, site
from tests.servers import Postgres

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
PEOPLE = 8


def test_every_item_ends_with_exactly_three_answers_however_many_replies_are_lost() -> None:
    """The size is the suite's; ``python -m tests.faults.load`` does the same with 2,000 items."""
    if connection.vendor == "postgresql":
        with Postgres() as postgres:
            check(int(os.environ.get("LABELAPP_LOAD_ITEMS", "120")), postgres)
    else:
        check(int(os.environ.get("LABELAPP_LOAD_ITEMS", "60")), None)


def check(items: int, postgres: Postgres | None) -> None:
    with site(items=items, people=PEOPLE, postgres=postgres) as here:
        books = here.run(Nemesis({}, 0))
        verdict = here.verdict(books)
        assert verdict.pop("replayed") > 0
        assert verdict == {
            "items": items,
            "with_exactly_the_overlap": items,
            "acknowledged": 3 * items,
            "lost": 0,
            "doubled": 0,
            "over_overlap": 0,
            "broken_rules": 0,
            "server_errors": 0,
            "crashed": 0,
            "refused": 0,
        }
        assert books.errors == []
