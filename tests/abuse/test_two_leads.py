"""Two leads settle the same item at once: one does, the other is told (412), nothing is lost.

Classes and mappings: test_mapping_race; guidelines: test_guideline_race. ``LABELAPP_RACES=500`` runs so many of each.
"""

import os
from functools import partial
from typing import Any

import pytest
from django.test import Client

from core.choices import Role
from core.models import Event, Resolution
from tests.abuse.test_concurrency import at_once
from tests.conftest import Actors, client_of
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/projects/birds"
RACES = int(os.environ.get("LABELAPP_RACES", "6"))


@pytest.fixture
def leads(actors: Actors) -> tuple[Client, Client]:
    """Alice and Frank."""
    frank = make_user("frank")
    add_member(actors.project, frank, Role.LEAD)
    return client_of(actors.alice), client_of(frank)


def send(client: Client, method: str, address: str, body: Any, etag: str) -> int:
    answer = getattr(client, method)(
        address, body, content_type="application/json", headers={"if-match": etag}
    )
    assert answer.status_code < 300 or answer.json()["code"] == "stale"
    return int(answer.status_code)


def race(leads: tuple[Client, Client], method: str, address: str, bodies: list[Any], etag: str) -> int:
    """Both send at once; which of them it was that succeeded. The other is told that they came too late."""
    told = at_once(
        [partial(send, lead, method, address, body, etag) for lead, body in zip(leads, bodies, strict=True)]
    )
    assert sorted(told) in ([200, 412], [201, 412])
    return told.index(min(told))


def test_of_two_settlements_one_is_made(actors: Actors, leads: tuple[Client, Client]) -> None:
    (item,) = make_items(actors.project, "a", done=2, free=1)
    for who, value in ((actors.bob, "yes"), (actors.carol, "no")):
        make_answer(actors.membership(who), item, {"answer": value})
    kept = []
    for number in range(RACES):
        comments = [f"{number} by Alice", f"{number} by Frank"]
        bodies = [
            {"item": "a", "question": "answer", "value": value, "cause": "slip", "comment": comment}
            for value, comment in zip(("yes", "no"), comments, strict=True)
        ]
        kept.append(comments[race(leads, "post", f"{API}/adjudications", bodies, f'"{number}"')])

    made = Resolution.objects.filter(item=item).order_by("revision")
    assert list(made.values_list("comment", flat=True)) == kept
    assert list(made.values_list("revision", flat=True)) == list(range(1, RACES + 1))
    assert made.filter(current=True).get() == made.last()
    assert Event.objects.filter(verb="adjudication.settled").count() == RACES
