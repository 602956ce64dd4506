"""Adjudication by script: settle with If-Match, many at once, the queue, reviews."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.models import Item, Resolution, Review
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
URL = "/api/v1/projects/birds"


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Bob says yes, Carol says no, of three items."""
    made = make_items(actors.project, "a", "b", "c")
    for item in made:
        make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
        make_answer(actors.membership(actors.carol), item, {"answer": "no"}, comment="Hm")
    return made


def send(client: Client, method: str, address: str, body: Any = None, **headers: str) -> Any:
    return client.generic(
        method, address, json.dumps(body or {}), content_type="application/json", headers=headers
    )


def settle(client: Client, revision: int | None = 0, **body: Any) -> Any:
    headers = {} if revision is None else {"If-Match": f'"{revision}"'}
    return send(client, "POST", f"{URL}/adjudications", {"question": "answer", **body}, **headers)


def test_an_item_is_settled_read_changed_and_taken_back(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    alice = token_client(actors.alice)
    made = settle(alice, item="a", value="yes", cause="guideline_gap", comment="Tail", gold_candidate=True)

    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    told = made.json()
    assert {**told, "id": 0, "settled_at": ""} == {
        "id": 0,
        "item": "a",
        "question": "answer",
        "revision": 1,
        "current": True,
        "value": "yes",
        "cause": "guideline_gap",
        "comment": "Tail",
        "gold_candidate": True,
        "overtaken": False,
        "guideline_version": 1,
        "settled_by": "alice",
        "settled_at": "",
    }
    address = f"/api/v1/adjudications/{told['id']}"
    assert alice.get(address).headers["ETag"] == '"1"'
    late = settle(alice, item="a", value="no")
    assert (late.status_code, late.json()["code"], late.json()["revision"]) == (412, "stale", 1)
    assert settle(alice, None, item="a", value="no").status_code == 428
    assert send(alice, "DELETE", address, **{"If-Match": '"0"'}).status_code == 412
    back = send(alice, "DELETE", address, **{"If-Match": '"1"'})
    assert (back.status_code, back.json()["value"], back.json()["revision"]) == (200, None, 2)
    assert alice.get(f"{URL}/adjudications").json()["results"] == []
    history = alice.get(f"{URL}/adjudications?item=a").json()["results"]
    assert [(row["revision"], row["value"], row["current"]) for row in history] == [
        (2, None, False),
        (1, "yes", False),
    ]


def test_a_list_is_narrowed(actors: Actors, items: list[Item], token_client: Script) -> None:
    alice = token_client(actors.alice)
    settle(alice, item="a", value="yes", cause="slip")
    settle(alice, item="b", value="yes", gold_candidate=True)
    Resolution.objects.filter(item=items[1]).update(overtaken=True)

    def found(query: str) -> list[str]:
        return [row["item"] for row in alice.get(f"{URL}/adjudications{query}").json()["results"]]

    assert found("") == ["b", "a"]
    assert found("?cause=slip") == ["a"]
    assert found("?gold_candidate=1") == found("?overtaken=true") == ["b"]
    assert found("?question=answer&gold_candidate=false") == ["a"]
    assert alice.get(f"{URL}/adjudications?cause=rain").json()["code"] == "bad-filter"
    assert alice.get(f"{URL}/adjudications?colour=red").json()["code"] == "unknown-filter"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"item": "a", "value": "bird"}, 400, "invalid-value"),
        ({"item": "a", "value": "yes", "cause": "rain"}, 400, "bad-cause"),
        ({"item": "a", "value": "yes", "gold_candidate": "yes"}, 400, "bad-gold_candidate"),
        ({"item": "z", "value": "yes"}, 404, "not-found"),
        ({"item": "a", "items": ["a"], "value": "yes"}, 400, "item-or-items"),
        ({"value": "yes"}, 400, "item-or-items"),
        ({"item": "a", "value": "yes", "speed": 1}, 400, "unknown-field"),
        ({"item": "a", "value": "yes", "question": "colour"}, 400, "unknown-question"),
        ({"items": ["a", "z"], "value": "yes"}, 400, "unknown-item"),
        ({"items": ["a"], "value": "yes", "withdraw": True}, 400, "one-at-a-time"),
        ({"items": ["a"], "value": "yes", "pattern": ["yes"]}, 400, "bad-pattern"),
    ],
)
def test_what_is_wrong_is_named(  # noqa: PLR0917 -- the row of the table
    actors: Actors,
    items: list[Item],
    token_client: Script,
    body: dict[str, Any],
    status: int,
    code: str,
) -> None:
    refused = settle(token_client(actors.alice), **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert not Resolution.objects.exists()


def test_many_items_at_once_without_if_match(actors: Actors, items: list[Item], token_client: Script) -> None:
    alice = token_client(actors.alice)
    settle(alice, item="b", value="no")

    done = settle(alice, None, items=["a", "b", "c"], value="yes", pattern={"yes": 1, "no": 1})

    assert done.status_code == 201
    assert [row["item"] for row in done.json()["settled"]] == ["a", "c"]
    assert done.json()["left"] == [{"item": "b", "code": "settled-meanwhile"}]


def test_the_queue_says_what_people_said_without_names(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    alice = token_client(actors.alice)

    told = alice.get(f"{URL}/adjudications/next?count=2").json()

    assert (told["question"], told["left"], len(told["results"])) == ("answer", 3, 2)
    case = told["results"][0]
    assert [side["value"] for side in case["answers"]] == ["no", "yes"]
    assert {side["who"] for side in case["answers"]} == {"A", "B"}
    assert (case["revision"], case["resolution"], case["own"]) == (0, None, False)
    assert [(row["said"], row["n_items"]) for row in told["patterns"]] == [({"yes": 1, "no": 1}, 3)]
    assert told["costly"]["question"] == "answer"
    assert "bob" not in json.dumps(told)
    assert alice.get(f"{URL}/adjudications/next?pattern={told['patterns'][0]['key']}").json()["left"] == 3
    assert alice.get(f"{URL}/adjudications/next?pattern=none").json()["left"] == 0
    assert alice.get(f"{URL}/adjudications/next?state=all").json()["code"] == "bad-filter"
    assert alice.get(f"{URL}/adjudications/next?count=0").json()["code"] == "bad-filter"


def test_what_is_in_the_callers_hand_is_not_told(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    made = settle(token_client(actors.alice), item="a", value="yes").json()
    dave = actors.membership(actors.dave)
    hand_out(dave, 3)
    script = token_client(actors.dave)

    assert script.get(f"{URL}/adjudications/next").json()["left"] == 0
    assert script.get(f"{URL}/adjudications").json()["results"] == []
    assert script.get(f"/api/v1/adjudications/{made['id']}").json()["code"] == "item-in-hand"
    assert settle(script, 1, item="a", value="no").json()["code"] == "item-in-hand"


def test_a_review_is_asked_for_answered_and_comes_back(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    alice, dave = token_client(actors.alice), token_client(actors.dave)
    daves = actors.membership(actors.dave).pk
    body = {"item": "a", "question": "answer", "reviewers": [daves], "note": "Which?"}

    (asked,) = send(alice, "POST", f"{URL}/reviews", body).json()

    assert (asked["reviewer"], asked["value"], asked["answered_at"]) == ("dave", None, None)
    assert alice.get(f"{URL}/adjudications/next").json()["left"] == 2
    (mine,) = dave.get(f"{URL}/reviews?mine=1&answered=0").json()["results"]
    assert (mine["item"], mine["note"]) == ("a", "Which?")
    address = f"/api/v1/reviews/{asked['id']}"
    assert send(alice, "PATCH", address, {"value": "no"}).json()["code"] == "not-your-review"
    said = send(dave, "PATCH", address, {"value": "no", "comment": "Tail"})
    assert (said.status_code, said.json()["value"], said.json()["comment"]) == (200, "no", "Tail")
    back = alice.get(f"{URL}/adjudications/next?state=reviewed").json()
    assert back["results"][0]["reviews"][0]["value"] == "no"
    assert send(alice, "POST", f"{URL}/reviews", body).json()["code"] == "asked-already"
    assert (
        send(alice, "POST", f"{URL}/reviews", {**body, "reviewers": "dave"}).json()["code"] == "bad-reviewers"
    )
    assert Review.objects.count() == 1


def test_reviewers_see_pseudonyms_and_no_single_person(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    made = settle(token_client(actors.alice), item="a", value="yes").json()
    dave = token_client(actors.dave)
    assert dave.get(f"/api/v1/adjudications/{made['id']}").json()["settled_by"].startswith("p_")
    bob = actors.membership(actors.bob).pk
    assert dave.get(f"{URL}/adjudications/next?person={bob}").json()["code"] == "names-for-leads"
    assert settle(dave, item="b", value="yes").status_code == 201
