"""Two leads change the same class, question or mapping at once: one of them does, the other is told, nothing is lost."""

import os
from functools import partial
from typing import Any

import pytest
from django.test import Client

from core.choices import Role
from core.models import Event, LabelClass, Mapping, Project
from core.selectors.check_data import findings
from tests.abuse.test_concurrency import at_once
from tests.conftest import Actors, client_of
from tests.factories.account import make_user
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/projects/birds"
ROUNDS = int(os.environ.get("LABELAPP_RACES", "5"))


@pytest.fixture
def leads(actors: Actors) -> tuple[Client, Client]:
    frank = make_user("frank")
    add_member(actors.project, frank, Role.LEAD)
    return client_of(actors.alice), client_of(frank)


def send(client: Client, method: str, address: str, body: Any, etag: str) -> tuple[int, Any]:
    answer = getattr(client, method)(
        address, body, content_type="application/json", headers={"if-match": etag}
    )
    return answer.status_code, answer.json()


def test_of_two_names_one_is_given(leads: tuple[Client, Client]) -> None:
    spec = LabelClass.objects.get(name="yes", question__project__slug="birds")
    address = f"{API}/questions/answer/classes/{spec.pk}"
    for number in range(ROUNDS):
        etag = leads[0].get(API)["ETag"]
        names = [f"a{number}", f"b{number}"]
        told = at_once(
            [
                partial(send, lead, "patch", address, {"name": name}, etag)
                for lead, name in zip(leads, names, strict=True)
            ]
        )
        assert sorted(status for status, _ in told) == [200, 412]
        won = next(name for name, (status, _) in zip(names, told, strict=True) if status == 200)
        assert LabelClass.objects.get(pk=spec.pk).name == won
    assert Mapping.objects.count() == Event.objects.filter(verb="mapping.applied").count() == ROUNDS
    assert list(Mapping.objects.values_list("number", flat=True)) == list(range(1, ROUNDS + 1))
    assert [finding for finding in findings() if finding.rule.name == "class-mapping"] == []


def test_of_two_mergers_one_is_made_and_of_two_reversals_one(leads: tuple[Client, Client]) -> None:
    for into in ("yes", "no") * ((ROUNDS + 1) // 2):
        version = Project.objects.get(slug="birds").mapping_version
        body = {"kind": "merge", "question": "answer", "classes": ["yes", "no"], "into": into}
        told = at_once(
            [partial(send, lead, "post", f"{API}/mappings", body, f'"m{version}"') for lead in leads]
        )
        assert sorted(status for status, _ in told) == [201, 412]
        made = Mapping.objects.latest("number")
        undo = f"/api/v1/mappings/{made.pk}/revert"
        told = at_once([partial(send, lead, "post", undo, {}, f'"m{version + 1}"') for lead in leads])
        assert sorted(status for status, _ in told) == [200, 412]
    assert not LabelClass.objects.filter(merged_into__isnull=False).exists()
    assert Project.objects.get(slug="birds").mapping_version == 2 * Mapping.objects.count()
