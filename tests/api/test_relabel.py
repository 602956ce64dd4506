"""Sending items out again by the API: refusals that name the field, and the list of queues."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import Scope
from core.models import Item, Relabel
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
    assert again.json() == {"relabel": None, "skipped": [{"item": "item-1", "code": "waits-already"}]}


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
        ({"items": ["item-1"], "reason": "x", "to": "same"}, "not-offered", None),
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


def test_only_leads_with_the_scope_may_send(actors: Actors, items: list[Item], token_client: Script) -> None:
    body = {"items": ["item-1"], "reason": "x"}
    assert post(token_client(actors.dave), actors, body).status_code == 403
    assert post(token_client(actors.alice, Scope.LABELS_READ), actors, body).json()["code"] == "scope"
    assert post(token_client(actors.eve), actors, body).status_code == 404
