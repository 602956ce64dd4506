"""Sending items out again by the API: refusals that name the field, and the list of queues."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import RelabelFor, Scope
from core.models import Item, Relabel, RelabelItem, Validation
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Three items that Bob has answered, and a fourth that nobody has."""
    made = make_items(actors.project, 4, target=1)
    for item in made[:3]:
        make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
    Item.objects.filter(pk__in=[item.pk for item in made[:3]]).update(done=1, free=0)
    recount(actors.project.pk)
    return made


def post(client: Client, actors: Actors, body: Any) -> Any:
    address = reverse("api:relabels", args=[actors.project.slug])
    return client.post(address, json.dumps(body), content_type="application/json")


def test_items_go_out_again_and_the_queue_is_listed(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    client = token_client(actors.alice)
    made = post(client, actors, {"items": ["item-3", "item-1", "item-4", "item-3"], "reason": "Look again"})
    assert made.status_code == 201
    relabel = made.json()["relabel"]
    assert (relabel["items"], relabel["waiting"], relabel["answered"]) == (2, 2, 0)
    assert made.json()["skipped"] == [{"item": "item-4", "code": "not-answered"}]
    listed = client.get(reverse("api:relabels", args=[actors.project.slug])).json()
    assert listed == {"next": None, "results": [relabel]}
    again = post(client, actors, {"items": ["item-1"], "reason": "Look again"})
    assert again.status_code == 200
    assert again.json()["relabel"] is None
    assert again.json()["skipped"] == [{"item": "item-1", "code": "waits-already"}]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"reason": "x"}, "bad-items", None),
        ({"items": [], "reason": "x"}, "bad-items", None),
        ({"items": "item-1", "reason": "x"}, "bad-items", None),
        ({"items": [1], "reason": "x"}, "bad-items", None),
        ({"items": ["item-1", "item-9"], "reason": "x"}, "unknown-item", "/items/1"),
        ({"items": ["item-1"]}, "bad-reason", "/reason"),
        ({"items": ["item-1"], "reason": ["x"]}, "bad-reason", "/reason"),
        ({"items": ["item-1"], "reason": "x", "to": "named"}, "bad-members", "/members"),
        ({"items": ["item-1"], "reason": "x", "to": "named", "members": "1"}, "bad-members", "/members"),
        (
            {"items": ["item-1"], "reason": "x", "to": "named", "members": [2**50]},
            "unknown-member",
            "/members/0",
        ),
        ({"items": ["item-1"], "reason": "x", "blind": "yes"}, "bad-blind", "/blind"),
        ({"items": ["item-1"], "reason": "x", "dry_run": 1}, "bad-dry-run", "/dry_run"),
        ({"items": ["item-1"], "reason": "x", "source": "whim"}, "bad-source", "/source"),
        ({"items": ["item-1"], "reason": "x", "guideline": 7}, "unknown-guideline", "/guideline"),
        ({"items": ["item-1"], "reason": "x", "most": 0}, "bad-most", "/most"),
        ({"items": ["item-1"], "reason": "x", "drawn": -1}, "bad-drawn", "/drawn"),
        ({"items": ["item-1"], "filter": {}, "reason": "x"}, "bad-filter", "/filter"),
        ({"filter": {"state": 1}, "reason": "x"}, "bad-filter", "/filter"),
        ({"filter": {"colour": "red"}, "reason": "x"}, "unknown-filter", None),
        ({"filter": {}, "source": "uncertain", "reason": "x"}, "bad-filter", "/filter"),
        ({"source": "guideline", "reason": "x"}, "guideline-needed", "/guideline"),
        ({"source": "agreement", "least": 2, "reason": "x"}, "bad-least", "/least"),
        ({"source": "agreement", "question": "none", "reason": "x"}, "unknown-question", None),
        ({"source": "errors", "reason": "x"}, "no-search", None),
        ({"items": ["item-1"], "reason": "x", "to": "nobody"}, "bad-to", "/to"),
        ({"items": ["item-1"], "reason": "x", "to": ["others"]}, "bad-to", "/to"),
        ({"items": ["item-1"], "reason": "x", "when": "now"}, "unknown-field", None),
    ],
)
@pytest.mark.usefixtures("items")
def test_a_wrong_request_changes_nothing_and_says_why(
    actors: Actors, token_client: Script, body: Any, code: str, pointer: str | None
) -> None:
    answer = post(token_client(actors.alice), actors, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert not Relabel.objects.exists()
    assert not Item.objects.filter(extra__gt=0).exists()


def test_a_dry_run_counts_and_writes_nothing(actors: Actors, items: list[Item], token_client: Script) -> None:
    client = token_client(actors.alice)
    body = {"filter": {"q": "Sentence"}, "to": "same", "dry_run": True}
    seen = post(client, actors, body)
    assert seen.status_code == 200
    bob = {"id": actors.membership(actors.bob).pk, "name": "bob", "items": 3}
    assert seen.json() == {
        "relabel": None,
        "items": 3,
        "drawn": 0,
        "answers": 3,
        "left_out": 0,
        "people": [bob],
        "unreachable": [],
        "skipped": [],
    }
    assert not Relabel.objects.exists()
    sent = post(client, actors, {**body, "dry_run": False, "reason": "A rule", "blind": False, "most": 2})
    assert sent.status_code == 201
    assert sent.json()["left_out"] == 1
    assert sent.json()["relabel"]["to"] == "same"
    assert not sent.json()["relabel"]["blind"]


def test_one_queue_tells_of_its_people_and_can_be_closed(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    client = token_client(actors.alice)
    carol = actors.membership(actors.carol)
    body = {"items": ["item-1", "item-2"], "reason": "Expert", "to": "named", "members": [carol.pk]}
    made = post(client, actors, body).json()["relabel"]
    address = reverse("api:relabel", args=[made["id"]])
    told = client.get(address).json()
    assert (told["answers_asked"], told["answers_given"], told["waiting"]) == (2, 0, 2)
    (person,) = told["people"]
    assert (person["name"], person["asked"], person["waiting"]) == ("carol", 2, 2)
    (person,) = token_client(actors.dave).get(address).json()["people"]
    assert person["name"].startswith("p_")
    assert token_client(actors.eve).get(address).status_code == 404
    assert token_client(actors.dave).delete(address).status_code == 403
    closed = client.delete(address)
    assert (closed.status_code, closed.json()) == (200, {"dropped": 2})
    assert client.get(address).json()["dropped"] == 2
    assert actors.membership(actors.carol).waiting == 0


def test_only_leads_with_the_scope_may_send(actors: Actors, items: list[Item], token_client: Script) -> None:
    body = {"items": ["item-1"], "reason": "x"}
    assert post(token_client(actors.dave), actors, body).status_code == 403
    assert post(token_client(actors.alice, Scope.LABELS_READ), actors, body).json()["code"] == "scope"
    assert post(token_client(actors.eve), actors, body).status_code == 404


# --- From a data check --------------------------------------------------------------------------------


def test_the_items_that_a_data_check_names_come_first(
    actors: Actors, items: list[Item], token_client: Script
) -> None:
    finding = {"code": "unseen-category", "severity": "warn", "rows": [items[2].row, items[3].row]}
    check = Validation.objects.create(project=actors.project, batch=items[0].batch, findings=[finding])
    body = {"source": "drift", "validation": check.pk, "most": 2, "reason": "The source changed."}
    assert post(token_client(actors.alice), actors, body).status_code == 201
    relabel = Relabel.objects.get()
    sent = RelabelItem.objects.filter(relabel=relabel).values_list("item__external_id", flat=True)
    assert (relabel.source, set(sent)) == (RelabelFor.DRIFT, {"item-1", "item-3"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"validation": 10**9}, "unknown-validation"),
        ({"validation": 1, "source": "agreement"}, "bad-validation"),
        ({"validation": 1, "filter": {"state": "open"}}, "bad-filter"),
    ],
)
def test_a_data_check_that_is_not_here_is_told(
    actors: Actors, token_client: Script, change: dict[str, Any], code: str
) -> None:
    told = post(token_client(actors.alice), actors, {"source": "drift", "reason": "x", **change})
    assert (told.status_code, told.json()["code"]) == (400, code)
