"""Gold by the API: made of a resolution or a value, replaced knowingly, taken away, and people's accuracy on it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import Pass
from core.models import Gold, Item, Project
from core.services.adjudication import settle
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
WHERE = "/api/v1/projects/birds/gold"


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Twenty-four items."""
    made = make_items(actors.project, 24, target=2)
    recount(actors.project.pk)
    return made


@pytest.fixture
def alice(actors: Actors, items: list[Item], token_client: Script) -> Client:
    """Alice's script."""
    return token_client(actors.alice)


def post(client: Client, **body: Any) -> Any:
    return client.post(WHERE, json.dumps(body), content_type="application/json")


def test_gold_is_made_listed_replaced_and_taken_away(
    actors: Actors, items: list[Item], alice: Client
) -> None:
    dave = actors.membership(actors.dave)
    resolution = settle(dave, items[0].pk, "answer", "yes", gold_candidate=True, comment="so", revision=0)
    (candidate,) = alice.get(WHERE).json()["summary"]["candidates"]
    assert (candidate["resolution"], candidate["value"], candidate["settled_by"]) == (
        resolution.pk,
        "yes",
        "dave",
    )
    made = post(alice, resolution=resolution.pk)
    assert made.status_code == 201
    first = made.json()["gold"]
    assert (first["item"], first["value"], first["origin"]) == ("item-1", "yes", "confirmed")
    known = post(alice, item="item-2", question="answer", value="no").json()["gold"]
    assert (known["origin"], known["resolution"]) == ("outside", None)
    exists = post(alice, item="item-1", question="answer", value="no")
    assert (exists.status_code, exists.json()["code"], exists.json()["gold"]) == (
        409,
        "gold-exists",
        first["id"],
    )
    assert post(alice, item="item-1", question="answer", value="no", replaces=known["id"]).status_code == 412
    other = post(alice, item="item-1", question="answer", value="no", replaces=first["id"]).json()["gold"]
    listed = alice.get(WHERE).json()
    assert listed["results"] == [known, other]
    assert listed["summary"]["questions"] == [
        {
            "question": "answer",
            "outside": 2,
            "confirmed": 0,
            "classes": {"yes": 0, "no": 2, "cannot tell": 0},
            "without": ["yes"],
        }
    ]
    assert post(alice, item="item-2", question="answer", value=None, replaces=first["id"]).status_code == 412
    gone = post(alice, item="item-2", question="answer", value=None)
    assert (gone.status_code, gone.json()) == (200, {"gold": None})
    assert post(alice, item="item-2", question="answer", value=None).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad-item"),
        ({"item": "item-1"}, 400, "bad-question"),
        ({"item": "item-1", "question": "answer"}, 400, "bad-value"),
        ({"item": "item-1", "question": "answer", "value": "maybe"}, 400, "invalid-value"),
        ({"item": "item-1", "question": "colour", "value": "red"}, 400, "unknown-question"),
        ({"item": "item-1", "question": "colour", "value": None}, 400, "bad-question"),
        ({"item": "robin", "question": "answer", "value": "yes"}, 404, "not-found"),
        ({"resolution": 10**12}, 404, "not-found"),
        ({"resolution": "1"}, 400, "bad-resolution"),
        ({"resolution": 1, "item": "item-1"}, 400, "bad-resolution"),
        ({"resolution": 1, "replaces": True}, 400, "bad-replaces"),
        ({"unanimous": True}, 400, "unknown-field"),
    ],
)
def test_what_makes_no_gold(alice: Client, body: dict[str, Any], status: int, code: str) -> None:
    refused = post(alice, **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert not Gold.objects.exists()


def test_gold_comes_in_pages_and_the_summary_once(actors: Actors, items: list[Item], alice: Client) -> None:
    for item in items[:3]:
        make_gold(item, "answer", "yes")
    page = alice.get(WHERE, {"page_size": 2}).json()
    assert [one["item"] for one in page["results"]] == ["item-1", "item-2"]
    following = alice.get(page["next"]).json()
    assert ([one["item"] for one in following["results"]], following["summary"]) == (["item-3"], None)


def test_contradicted_gold_is_in_the_summary(actors: Actors, items: list[Item], alice: Client) -> None:
    gold = make_gold(items[0], "answer", "no")
    for user in (actors.bob, actors.carol, actors.dave):
        make_answer(actors.membership(user), items[0], {"answer": "yes"})
    (doubtful,) = alice.get(WHERE).json()["summary"]["doubtful"]
    assert doubtful == {
        "gold": gold.pk,
        "item": "item-1",
        "question": "answer",
        "value": "no",
        "agreeing": 0,
        "n": 3,
        "instead": "yes",
        "n_instead": 3,
    }


def test_people_on_gold(actors: Actors, items: list[Item], alice: Client, token_client: Script) -> None:
    for item in items:
        make_gold(item, "answer", "yes")
        make_answer(actors.membership(actors.bob), item, {"answer": "yes"}, pass_kind=Pass.GOLD)
    Project.objects.filter(slug="birds").update(gold_bound="0.75")
    told = alice.get(reverse("api:gold-people", args=["birds"])).json()
    bob = next(one for one in told["results"] if one["name"] == "bob")
    assert (told["bound"], bob["n"], bob["right"], bob["paused_because"]) == (0.75, 24, 24, None)
    assert bob["accuracy"]["value"] == 1.0
    assert bob["accuracy"]["ci"][1] == 1.0
    bobs = token_client(actors.bob)
    assert bobs.get(reverse("api:gold-people", args=["birds"])).status_code == 403
    assert bobs.get(WHERE).status_code == 403
