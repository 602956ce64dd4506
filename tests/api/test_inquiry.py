"""Questions about items by script: asked under a lease, listed, answered with If-Match."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from core.choices import Pass, Role
from core.models import Inquiry, Item, Lease
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
URL = "/api/v1/projects/birds/inquiries"


def send(client: Client, method: str, address: str, body: Any, **headers: str) -> Any:
    return client.generic(method, address, json.dumps(body), content_type="application/json", headers=headers)


def ask(client: Client, key: str = "k", **body: Any) -> Any:
    return send(client, "POST", URL, {"text": "Is a feather a bird?", **body}, **{"Idempotency-Key": key})


@pytest.fixture
def lease(actors: Actors) -> Lease:
    """Bob has an item in hand."""
    make_items(actors.project, "a")
    return hand_out(actors.membership(actors.bob), 1).leases[0]


def test_an_annotator_asks_about_what_is_in_hand_and_reads_the_answer(
    actors: Actors, lease: Lease, token_client: Script
) -> None:
    alice, bob = token_client(actors.alice), token_client(actors.bob)
    made = ask(bob, lease=str(lease.pk))
    assert made.status_code == 201
    told = made.json()["inquiry"]
    assert {**told, "id": 0, "created_at": ""} == {
        "id": 0,
        "item": "a",
        "annotator": "bob",
        "text": "Is a feather a bird?",
        "state": "open",
        "answer": "",
        "answered_by": None,
        "answered_at": None,
        "guideline_version": None,
        "created_at": "",
        "revision": "0",
    }
    assert ask(bob, lease=str(lease.pk)).status_code == 200
    assert alice.get(f"{URL}?state=open").json()["results"] == [told]

    answered = send(
        alice, "PATCH", f"/api/v1/inquiries/{told['id']}", {"answer": "No."}, **{"If-Match": '"0"'}
    )
    assert (answered.status_code, answered.json()["answered_by"]) == (200, "Alice")
    assert answered.headers["ETag"] == f'"{answered.json()["revision"]}"'
    (own,) = bob.get(URL).json()["results"]
    assert (own["answer"], own["answered_by"], own["state"]) == ("No.", None, "answered")
    again = send(
        alice,
        "PATCH",
        f"/api/v1/inquiries/{told['id']}",
        {"answer": "Two are."},
        **{"If-Match": answered["ETag"]},
    )
    assert again.json()["answer"] == "Two are."


def test_a_question_sent_late_from_the_outbox_is_still_taken(
    actors: Actors, lease: Lease, token_client: Script
) -> None:
    Lease.objects.update(state="submitted")
    assert ask(token_client(actors.bob), lease=str(lease.pk)).status_code == 201


def test_nobody_reads_the_questions_of_others_but_leads(
    actors: Actors, lease: Lease, token_client: Script
) -> None:
    ask(token_client(actors.bob), lease=str(lease.pk))
    assert token_client(actors.carol).get(URL).json()["results"] == []
    assert token_client(actors.dave).get(URL).json()["results"] == []
    assert len(token_client(actors.alice, "lead").get(URL).json()["results"]) == 1
    assert token_client(actors.alice, "labels:read").get(URL).json()["results"] == []


def test_what_cannot_be_asked_is_refused(actors: Actors, lease: Lease, token_client: Script) -> None:
    bob, carol = token_client(actors.bob), token_client(actors.carol)
    make_answer(actors.membership(actors.bob), make_items(actors.project, "done")[0], {"answer": "yes"})
    assert ask(bob, item="done").status_code == 201
    for body, code in (
        ({}, "lease-or-item"),
        ({"lease": str(lease.pk), "item": "a"}, "lease-or-item"),
        ({"item": "nowhere"}, "unknown-item"),
        ({"item": "done", "text": "Another?"}, "idempotency-mismatch"),
    ):
        assert ask(bob, **body).json()["code"] == code
    assert ask(carol, item="done").json()["code"] == "unknown-item"
    assert ask(carol, lease=str(lease.pk)).json()["code"] == "not-your-lease"
    assert ask(bob, lease=str(uuid4())).status_code == 404
    assert ask(bob, key="", item="done").json()["code"] == "idempotency-key"
    assert ask(bob, key="new", item="done", text=" ").status_code == 400
    assert bob.get(f"{URL}?state=lost").json()["code"] == "bad-filter"


def test_of_two_leads_who_answer_the_later_one_is_told(
    actors: Actors, lease: Lease, token_client: Script
) -> None:
    frank = make_user("frank")
    add_member(actors.project, frank, Role.LEAD)
    number = ask(token_client(actors.bob), lease=str(lease.pk)).json()["inquiry"]["id"]
    address = f"/api/v1/inquiries/{number}"
    assert send(token_client(frank), "PATCH", address, {"answer": "No."}).status_code == 428
    for lead, status in ((frank, 200), (actors.alice, 412)):
        answer = send(token_client(lead), "PATCH", address, {"answer": "No."}, **{"If-Match": '"0"'})
        assert answer.status_code == status
    assert send(token_client(actors.bob), "PATCH", address, {}, **{"If-Match": '"0"'}).status_code == 403
    assert send(token_client(actors.eve), "PATCH", address, {}, **{"If-Match": '"0"'}).status_code == 404


def test_nothing_tells_a_blind_pass_from_a_normal_one(actors: Actors, token_client: Script) -> None:
    """A question about gold or a retest is answered as one about a normal item, and shows alike in the list."""
    bob = actors.membership(actors.bob)
    told = []
    for name, kind in (("n", Pass.NORMAL), ("g", Pass.GOLD), ("r", Pass.RETEST)):
        (item,) = make_items(actors.project, name)
        lease = Lease.objects.create(
            item=item, item_version=1, annotator=bob, pass_kind=kind, expires_at="2099-01-01T00:00Z"
        )
        answer = ask(token_client(actors.bob), key=name, lease=str(lease.pk))
        told.append((answer.status_code, sorted(answer.headers), answer.json()["inquiry"]))
    varies = {"id": 0, "item": "", "created_at": ""}
    assert [(status, names, {**body, **varies}) for status, names, body in told] == [
        (201, told[0][1], {**told[0][2], **varies})
    ] * 3
    listed = token_client(actors.bob).get(URL).json()["results"]
    assert [row["item"] for row in listed] == ["r", "g", "n"]
    assert Inquiry.objects.count() == Item.objects.filter(inquiries__isnull=False).count() == 3
