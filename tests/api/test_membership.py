"""Members, invitations and reset links over the API."""

from typing import Any

import pytest
from django.test import Client

from core.models import Membership, User
from tests.conftest import Actors, token_client
from tests.factories.account import make_user
from tests.factories.project import add_member, make_project

pytestmark = pytest.mark.django_db
MEMBERS = "/api/v1/projects/birds/members"
INVITATIONS = "/api/v1/projects/birds/invitations"
JSON = "application/json"


@pytest.fixture
def lead(actors: Actors) -> Client:
    return token_client(actors.alice)


def test_a_lead_reads_the_members(actors: Actors, lead: Client) -> None:
    body = lead.get(MEMBERS).json()

    assert [(member["name"], member["role"], member["cap"]) for member in body["results"]] == [
        ("alice", "owner", None),
        ("bob", "annotator", None),
        ("carol", "annotator", None),
        ("dave", "reviewer", None),
    ]
    one = body["results"][1]
    assert lead.get(f"{MEMBERS}/{one['id']}").json() == one


def test_an_invitation_is_told_once_and_can_be_withdrawn(actors: Actors, lead: Client) -> None:
    answer = lead.post(INVITATIONS, {"role": "reviewer", "note": "Frank", "days": 3}, content_type=JSON)

    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    made = answer.json()
    assert made.pop("link").startswith("http://testserver/join/")
    assert lead.get(INVITATIONS).json() == [made]
    assert lead.delete(f"{INVITATIONS}/{made['id']}").status_code == 204
    assert lead.get(INVITATIONS).json() == []
    assert lead.delete(f"{INVITATIONS}/{made['id']}").status_code == 404


def test_links_use_the_configured_address(actors: Actors, lead: Client, settings: Any) -> None:
    """A60."""
    settings.PUBLIC_URL = "https://labels.example"
    forged = {"x-forwarded-host": "evil.example"}

    link = lead.post(INVITATIONS, {}, content_type=JSON, headers=forged).json()["link"]
    bob = actors.membership(actors.bob)
    reset = lead.post(f"/api/v1/members/{bob.pk}/reset-link", headers=forged).json()["link"]

    assert link.startswith("https://labels.example/join/")
    assert reset.startswith("https://labels.example/reset/")


def test_a_forwarded_host_is_ignored_and_a_foreign_one_refused(actors: Actors, lead: Client) -> None:
    """A60."""
    link = lead.post(INVITATIONS, {}, content_type=JSON, headers={"x-forwarded-host": "evil.example"})
    assert link.json()["link"].startswith("http://testserver/")

    refused = lead.post(INVITATIONS, {}, content_type=JSON, headers={"host": "evil.example"})
    assert refused.status_code == 400
    assert refused["Content-Type"] == "application/problem+json"


def test_a_role_and_a_cap_are_changed(actors: Actors, lead: Client) -> None:
    address = f"{MEMBERS}/{actors.membership(actors.bob).pk}"

    assert lead.patch(address, {"role": "reviewer", "cap": 5}, content_type=JSON).json()["cap"] == 5
    assert lead.patch(address, {}, content_type=JSON).json()["role"] == "reviewer"
    assert lead.patch(address, {"cap": None}, content_type=JSON).json()["cap"] is None
    for wrong in ({"role": "king"}, {"cap": -1}, {"cap": "many"}, {"cap": 2**40}):
        assert lead.patch(address, wrong, content_type=JSON).status_code == 400


def test_fields_that_are_nobodys_business_change_nothing(actors: Actors) -> None:
    """A25, A26."""
    bob = actors.membership(actors.bob)
    before = Membership.objects.filter(pk=bob.pk).values().get()
    body = {
        "role": "lead",
        "is_superuser": True,
        "user": actors.alice.pk,
        "project": 2,
        "id": 99,
        "answered": 5,
    }

    refused = token_client(actors.bob).patch(f"{MEMBERS}/{bob.pk}", body, content_type=JSON)
    assert refused.status_code == 403
    assert Membership.objects.filter(pk=bob.pk).values().get() == before

    token_client(actors.alice).patch(f"{MEMBERS}/{bob.pk}", body, content_type=JSON)
    assert Membership.objects.filter(pk=bob.pk).values().get() == {**before, "role": "lead"}
    assert not User.objects.get(pk=actors.bob.pk).may_create_projects


def test_a_lead_cannot_make_themselves_owner(actors: Actors) -> None:
    """A26."""
    frank = make_user("frank")
    member = add_member(actors.project, frank, "lead")
    script = token_client(frank)

    for answer in (
        script.patch(f"{MEMBERS}/{member.pk}", {"role": "owner"}, content_type=JSON),
        script.post(INVITATIONS, {"role": "owner"}, content_type=JSON),
        script.delete(f"{MEMBERS}/{actors.membership(actors.alice).pk}"),
        script.post(f"/api/v1/members/{actors.membership(actors.alice).pk}/reset-link"),
    ):
        assert answer.status_code == 403
    assert actors.membership(frank).role == "lead"


def test_a_removed_member_is_a_stranger_at_once(actors: Actors, lead: Client) -> None:
    bob = token_client(actors.bob)
    assert bob.get("/api/v1/projects/birds").status_code == 200

    assert lead.delete(f"{MEMBERS}/{actors.membership(actors.bob).pk}").status_code == 204

    assert bob.get("/api/v1/projects/birds").status_code == 404
    former = lead.get(f"{MEMBERS}?active=false").json()["results"]
    assert [member["name"] for member in former] == ["bob"]


def test_the_last_owner_stays(actors: Actors, lead: Client) -> None:
    answer = lead.delete(f"{MEMBERS}/{actors.membership(actors.alice).pk}")

    assert (answer.status_code, answer.json()["code"]) == (409, "last-owner")


def test_a_colleague_is_added_by_name(actors: Actors) -> None:
    make_project("trees", owner=actors.alice)
    lead = token_client(actors.alice)
    address = "/api/v1/projects/trees/members"

    assert lead.post(address, {"username": "bob"}, content_type=JSON).json()["role"] == "annotator"
    assert lead.post(address, {"username": "bob"}, content_type=JSON).json()["code"] == "already-member"
    strangers = [
        lead.post(address, {"username": name}, content_type=JSON).json() for name in ("eve", "nobody")
    ]
    assert strangers[0] == strangers[1]
    assert strangers[0]["code"] == "unknown-person"


def test_a_reset_link_is_for_ones_own_people(actors: Actors, lead: Client) -> None:
    bob, eve = actors.membership(actors.bob), Membership.objects.get(user=actors.eve)

    answer = lead.post(f"/api/v1/members/{bob.pk}/reset-link")
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert lead.post(f"/api/v1/members/{eve.pk}/reset-link").status_code == 404
    assert token_client(actors.carol).post(f"/api/v1/members/{bob.pk}/reset-link").status_code == 403
