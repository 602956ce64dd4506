"""The timeline by the API: the kept report, its parameters, who may read it."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import AuditPart
from core.models import GuidelineVersion
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]


def test_the_timeline_is_told_with_every_change(actors: Actors, token_client: Script) -> None:
    for place, item in enumerate(
        make_items(actors.project, *(f"i{n}" for n in range(6)), audit=AuditPart.STREAM)
    ):
        for person in (actors.bob, actors.carol):
            make_answer(actors.membership(person), item, {"answer": "yes" if place % 2 else "no"})
    GuidelineVersion.objects.create(project=actors.project, number=2, note="shorter")
    address = reverse("api:timeline", args=[actors.project.slug])
    answer = token_client(actors.dave).get(address)
    assert answer.status_code == 200
    assert answer["Report-State"] == "current"
    body = answer.json()
    assert (body["question"], body["n_items"], body["cut"]) == ("answer", 6, 0)
    assert body["course"][-1]["percent"]["value"] == 1
    (change,) = body["changes"]
    assert (change["kind"], change["number"], change["touches"]) == ("guideline", 2, [])
    assert change["comparison"]["overall"]["alpha"]["outcome"] == "cannot_tell"
    again = token_client(actors.dave).get(address + "?fresh=1&question=answer")
    assert again.json()["changes"] == body["changes"]


def test_what_cannot_be_asked_is_refused(actors: Actors, token_client: Script) -> None:
    make_question(actors.project, "other", ["a", "b"])
    address = reverse("api:timeline", args=[actors.project.slug])
    client = token_client(actors.alice)
    assert client.get(address).json()["code"] == "question-needed"
    assert client.get(address + "?question=none").json()["code"] == "unknown-question"
    assert client.get(address + "?by=week").json()["code"] == "unknown-filter"
    assert client.get(address + "?fresh=2").json()["code"] == "bad-filter"
    assert token_client(actors.bob).get(address).status_code == 403
    assert token_client(actors.eve).get(address).status_code == 404
