"""Training rounds by the API: made, changed on the version that was read, and put before people."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.models import Item, Membership, TrainingRound
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.answers import make_gold
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
ROUNDS = "/api/v1/projects/birds/training-rounds"
ITEMS = [{"item": "item-2", "explanation": "Wings."}, {"item": "item-1"}]
NEW: dict[str, Any] = {"name": "First steps", "pass_mark": 0.8, "items": ITEMS}


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Five items; four have gold, yes and no in turn."""
    made = make_items(actors.project, 5, target=2)
    for place, item in enumerate(made[:4]):
        make_gold(item, "answer", "no" if place % 2 else "yes")
    recount(actors.project.pk)
    return made


@pytest.fixture
def alice(actors: Actors, items: list[Item], token_client: Script) -> Client:
    """Alice's script."""
    return token_client(actors.alice)


def send(client: Client, method: str, where: str, body: Any, etag: str | None = None) -> Any:
    headers = {"if-match": etag} if etag is not None else {}
    return client.generic(method, where, json.dumps(body), content_type="application/json", headers=headers)


def one(training: TrainingRound) -> str:
    return reverse("api:training-round", args=[training.pk])


def test_a_round_is_made_read_and_listed(alice: Client) -> None:
    made = send(alice, "POST", ROUNDS, NEW)
    assert made.status_code == 201
    body = made.json()
    assert body["items"] == [
        {"item": "item-2", "explanation": "Wings.", "gold": {"answer": "no"}, "usable": True},
        {"item": "item-1", "explanation": "", "gold": {"answer": "yes"}, "usable": True},
    ]
    assert (body["active"], body["tries"], body["people"]) == (False, 1, [])
    read = alice.get(one(TrainingRound.objects.get()))
    assert (read.json(), read.headers["ETag"]) == (body, made.headers["ETag"])
    (line,) = alice.get(ROUNDS).json()["results"]
    assert line == {name: value for name, value in body.items() if name not in {"items", "people"}}


def test_items_are_drawn(alice: Client) -> None:
    draw = {"question": "answer", "per_class": 1}
    made = send(alice, "POST", ROUNDS, {"name": "Drawn", "pass_mark": 1, "draw": draw})
    assert {tuple(item["gold"].values()) for item in made.json()["items"]} == {("yes",), ("no",)}


def test_of_two_changes_the_second_is_told(alice: Client) -> None:
    etag = send(alice, "POST", ROUNDS, NEW).headers["ETag"]
    training = TrainingRound.objects.get()
    assert send(alice, "PATCH", one(training), {"active": True}).status_code == 428
    changed = send(alice, "PATCH", one(training), {"active": True, "items": ITEMS[:1]}, etag)
    assert (changed.status_code, changed.json()["active"], changed.json()["n_items"]) == (200, True, 1)
    stale = send(alice, "PATCH", one(training), {"name": "Other"}, etag)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    renamed = send(alice, "PATCH", one(training), {"name": "Other"}, changed.headers["ETag"])
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Other")


def test_people_are_sent_through_and_excused(actors: Actors, alice: Client) -> None:
    etag = send(alice, "POST", ROUNDS, NEW).headers["ETag"]
    training, bob = TrainingRound.objects.get(), actors.membership(actors.bob)
    refused = send(alice, "PATCH", one(training), {"send": [bob.pk]})
    assert (refused.status_code, refused.json()["code"]) == (409, "round-inactive")
    both = send(alice, "PATCH", one(training), {"active": True, "send": [bob.pk]}, etag).json()
    assert [(person["name"], person["before_them"]) for person in both["people"]] == [("bob", True)]
    assert both["before"] == 1
    assert send(alice, "PATCH", one(training), {"excuse": [bob.pk]}).json()["people"] == []
    assert Membership.objects.get(pk=bob.pk).training_round is None
    assert send(alice, "PATCH", one(training), {"send": [10**12]}).json()["code"] == "bad-members"


def test_a_refused_half_changes_nothing(actors: Actors, alice: Client) -> None:
    etag = send(alice, "POST", ROUNDS, NEW).headers["ETag"]
    training = TrainingRound.objects.get()
    body = {"active": True, "send": [10**12]}
    assert send(alice, "PATCH", one(training), body, etag).status_code == 400
    assert not TrainingRound.objects.get().active


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**NEW, "name": ""}, "bad-name"),
        ({**NEW, "pass_mark": "high"}, "bad-pass-mark"),
        ({**NEW, "tries": 2.5}, "bad-tries"),
        ({**NEW, "items": [{"item": "item-5"}]}, "no-gold"),
        ({**NEW, "items": [{"item": 5}]}, "bad-items"),
        ({**NEW, "items": [{"item": "item-1", "gold": "yes"}]}, "bad-items"),
        ({**NEW, "items": "item-1"}, "bad-items"),
        ({**NEW, "draw": {"question": "answer", "per_class": 1}}, "bad-items"),
        ({"name": "x", "pass_mark": 1}, "bad-items"),
        ({"name": "x", "pass_mark": 1, "draw": {"question": "colour", "per_class": 1}}, "bad-draw"),
        ({"name": "x", "pass_mark": 1, "draw": {"question": "answer", "per_class": 0}}, "bad-draw"),
        ({"name": "x", "pass_mark": 1, "draw": ["answer"]}, "bad-draw"),
        ({**NEW, "colour": "red"}, "unknown-field"),
    ],
)
def test_what_makes_no_round(alice: Client, body: dict[str, Any], code: str) -> None:
    refused = send(alice, "POST", ROUNDS, body)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert not TrainingRound.objects.exists()


def test_strangers_and_annotators(actors: Actors, alice: Client, token_client: Script) -> None:
    send(alice, "POST", ROUNDS, NEW)
    training = TrainingRound.objects.get()
    assert token_client(actors.eve).get(one(training)).status_code == 404
    assert token_client(actors.bob).get(one(training)).status_code == 403
