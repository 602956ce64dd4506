"""Two leads publish a guideline, or answer a question, at once: one of them does, the other is told, nothing is lost."""

import os
from functools import partial
from typing import Any

import pytest
from django.test import Client

from core.choices import NoticeKind, Role
from core.models import Event, GuidelineVersion, Inquiry, Notice
from core.services.inquiry import ask
from core.services.notice import KEPT
from tests.abuse.test_concurrency import at_once
from tests.conftest import Actors, client_of
from tests.factories.account import make_user
from tests.factories.answers import make_items
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/projects/birds"
ROUNDS = int(os.environ.get("LABELAPP_RACES", "5"))
TOLD = min(ROUNDS, KEPT)


@pytest.fixture
def leads(actors: Actors) -> tuple[Client, Client]:
    frank = make_user("frank")
    add_member(actors.project, frank, Role.LEAD)
    return client_of(actors.alice), client_of(frank)


def send(client: Client, method: str, address: str, body: Any, etag: str) -> int:
    answer = getattr(client, method)(
        address, body, content_type="application/json", headers={"if-match": etag}
    )
    return int(answer.status_code)


def test_of_two_versions_one_is_published(actors: Actors, leads: tuple[Client, Client]) -> None:
    make_items(actors.project, "a")
    for number in range(1, ROUNDS + 1):
        bodies: list[dict[str, Any]] = [
            {"text": f"{number} by {name}", "examples": [{"item": "a", "note": name}]} for name in "ab"
        ]
        told = at_once(
            [
                partial(send, lead, "post", f"{API}/guidelines", body, f'"{number}"')
                for lead, body in zip(leads, bodies, strict=True)
            ]
        )
        assert sorted(told) == [201, 412]
        made = GuidelineVersion.objects.latest("number")
        won = bodies[told.index(201)]
        assert (made.number, made.text) == (number + 1, won["text"])
        assert made.examples.get().note == won["examples"][0]["note"]
    versions = GuidelineVersion.objects.filter(project=actors.project)
    assert list(versions.values_list("number", flat=True)) == list(range(1, ROUNDS + 2))
    assert Event.objects.filter(verb="guideline.published").count() == ROUNDS
    bob = Notice.objects.filter(member=actors.membership(actors.bob), kind=NoticeKind.GUIDELINE)
    assert bob.count() == TOLD


def test_of_two_answers_one_is_given(actors: Actors, leads: tuple[Client, Client]) -> None:
    (item,) = make_items(actors.project, "a")
    for number in range(ROUNDS):
        bob = actors.membership(actors.bob)
        inquiry = ask(bob, item, f"Question {number}?", f"{number}").inquiry
        told = at_once(
            [
                partial(send, lead, "patch", f"/api/v1/inquiries/{inquiry.pk}", {"answer": name}, '"0"')
                for lead, name in zip(leads, "ab", strict=True)
            ]
        )
        assert sorted(told) == [200, 412]
        assert Inquiry.objects.get(pk=inquiry.pk).answer == "ab"[told.index(200)]
    assert Notice.objects.filter(kind=NoticeKind.ANSWERED).count() == TOLD


def test_a_question_sent_many_times_at_once_is_put_once(actors: Actors) -> None:
    (item,) = make_items(actors.project, "a")
    bob = actors.membership(actors.bob)
    for number in range(ROUNDS):
        asked = at_once([partial(ask, bob, item, "Why?", f"{number}")] * 4)
        assert sum(one.made for one in asked) == 1
    assert Inquiry.objects.count() == ROUNDS
    assert Notice.objects.filter(kind=NoticeKind.ASKED).count() == TOLD
