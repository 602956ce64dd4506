"""Suggestions by the API: read, switched on under a version, seen in a hand-out, told in exports."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.models import Item, Run
from tests.conftest import Actors
from tests.factories.item import make_waiting
from tests.factories.run import make_run

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    return make_waiting(actors.project, 3)


@pytest.fixture
def run(actors: Actors, items: list[Item]) -> Run:
    return make_run(actors.project, {item.external_id: "yes" for item in items})


def address(actors: Actors, name: str = "api:suggestions") -> str:
    return reverse(name, args=[actors.project.slug])


def change(client: Client, actors: Actors, body: Any, etag: str | None = None) -> Any:
    headers = {} if etag is None else {"if-match": etag}
    return client.patch(address(actors), json.dumps(body), content_type="application/json", headers=headers)


def exported(client: Client, url: str) -> Any:
    stream: Any = client.get(url + "?format=json")
    return json.loads(b"".join(stream.streaming_content))


def test_they_are_off_at_first_and_switched_on_under_the_etag(
    actors: Actors, token_client: Script, run: Run
) -> None:
    alice = token_client(actors.alice)
    read = alice.get(address(actors))
    assert read.json() == {"run": None, "sure": 0.8, "withheld": 0.2, "effect": []}
    assert change(alice, actors, {"run": run.pk}).status_code == 428
    on = change(alice, actors, {"run": run.name, "withheld": 0}, read.headers["ETag"])
    assert on.json() == {
        "run": {"id": run.pk, "name": run.name},
        "sure": 0.8,
        "withheld": 0.0,
        "effect": [],
    }
    assert change(alice, actors, {"run": None}, read.headers["ETag"]).status_code == 412
    off = change(alice, actors, {"run": None}, on.headers["ETag"])
    assert off.json()["run"] is None


def test_a_hand_out_carries_it_and_the_export_says_what_was_seen(
    actors: Actors, token_client: Script, run: Run
) -> None:
    alice, bob = token_client(actors.alice), token_client(actors.bob)
    change(alice, actors, {"run": run.pk, "withheld": 0}, alice.get(address(actors)).headers["ETag"])
    (lease,) = bob.post(address(actors, "api:leases"), {"count": 1}, content_type="application/json").json()[
        "leases"
    ]
    assert lease["suggestion"] == {
        "run": run.pk,
        "answers": {"answer": "yes"},
        "probability": {"answer": None},
    }
    stored = bob.post(
        reverse("api:lease-annotation", args=[lease["id"]]),
        json.dumps({"answers": {"answer": "no"}}),
        content_type="application/json",
        headers={"idempotency-key": "first"},
    )
    assert stored.status_code == 201
    rows = exported(alice, address(actors, "api:annotations"))
    assert rows[0]["suggestion"]["taken"] == {"answer": False}
    assert rows[0]["suggestion"]["shown"] is True
    labels = exported(alice, address(actors, "api:labels"))
    assert [(row["item"], row["value"]) for row in labels] == [(lease["item"]["id"], "no")]
    (effect,) = alice.get(address(actors)).json()["effect"]
    assert (effect["shown"]["value"], effect["shown"]["n_items"], effect["withheld"]["value"]) == (0, 1, None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"run": "nobody's"}, 400, "unknown-run"),
        ({"sure": "much"}, 400, "invalid-document"),
        ({"shown": 1}, 400, "invalid-document"),
    ],
)
def test_what_cannot_be_is_refused(
    actors: Actors, token_client: Script, body: Any, status: int, code: str
) -> None:
    alice = token_client(actors.alice)
    answer = change(alice, actors, body, alice.get(address(actors)).headers["ETag"])
    assert (answer.status_code, answer.json()["code"]) == (status, code)
