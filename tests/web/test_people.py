"""The people page."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import Invitation, Membership
from tests.conftest import Actors, client_of
from tests.factories.account import make_user
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db
PAGE = "/projects/birds/people"


def form_of(member: Membership, role: str, cap: Any = "") -> dict[str, Any]:
    return {f"member-{member.pk}-role": role, f"member-{member.pk}-cap": cap}


def test_a_lead_sees_everybody(actors: Actors) -> None:
    add_member(actors.project, None, name="w001")
    batch = actors.project.batches.create(number=1, name="march.csv", file_hash="0" * 64)
    batch.members.add(actors.membership(actors.carol))

    page = client_of(actors.alice).get(PAGE).content.decode()

    assert "5 people work on this project" in page
    for words in ("bob", "carol", "dave", "imported, cannot sign in", "march.csv"):
        assert words in page


def test_an_invitation_link_is_shown_once(actors: Actors) -> None:
    browser = client_of(actors.alice)

    page = browser.post("/projects/birds/invitations", {"role": "reviewer", "note": "Frank", "days": 7})

    link = page.context["new_invitation"]
    assert link.startswith("http://testserver/join/")
    assert link in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    again = browser.get(PAGE).content.decode()
    assert link not in again
    assert "Frank" in again
    invitation = Invitation.objects.get()
    assert browser.post(f"/projects/birds/invitations/{invitation.pk}/withdraw").status_code == 302
    assert "Frank" not in browser.get(PAGE).content.decode()


def test_a_wrong_invitation_is_explained(actors: Actors) -> None:
    for wrong in ({"role": "king"}, {"days": 1000}, {"role": ""}):
        form = {"role": "annotator", "note": "", "days": 7, **wrong}
        assert client_of(actors.alice).post("/projects/birds/invitations", form).status_code == 422
    assert not Invitation.objects.exists()


def test_a_role_and_a_cap_are_changed(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    browser = client_of(actors.alice)

    browser.post(f"{PAGE}/{bob.pk}", form_of(bob, "reviewer", 40))
    bob.refresh_from_db()
    assert (bob.role, bob.cap) == ("reviewer", 40)

    browser.post(f"{PAGE}/{bob.pk}", form_of(bob, "reviewer"))
    bob.refresh_from_db()
    assert bob.cap is None

    browser.post(f"{PAGE}/{bob.pk}", form_of(bob, "king", "many"))
    bob.refresh_from_db()
    assert (bob.role, bob.cap) == ("reviewer", None)


def test_the_last_owner_is_told_why_not(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    browser = client_of(actors.alice)

    for address, form in ((f"{PAGE}/{alice.pk}", form_of(alice, "lead")), (f"{PAGE}/{alice.pk}/remove", {})):
        page = browser.post(address, form, follow=True).content.decode()
        assert "keeps at least one owner" in page
    assert actors.membership(actors.alice).role == "owner"


def test_removal_says_in_numbers_what_happens(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    Membership.objects.filter(pk=bob.pk).update(answered=12)
    browser = client_of(actors.alice)
    assert "12 answers stay and count." in browser.get(PAGE).content.decode()

    page = browser.post(f"{PAGE}/{bob.pk}/remove", follow=True).content.decode()

    assert "Removed. 0 items went back." in page
    assert "1 person was here before" in page
    assert not actors.membership(actors.bob).active


def test_a_reset_link_is_shown_once(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    browser = client_of(actors.alice)

    page = browser.post(f"{PAGE}/{bob.pk}/reset-link")

    link = page.context["new_reset_link"]
    assert link.startswith("http://testserver/reset/")
    assert link not in browser.get(PAGE).content.decode()
    refused = client_of(actors.alice).post(
        f"{PAGE}/{add_member(actors.project, None).pk}/reset-link", follow=True
    )
    assert "has no account" in refused.content.decode()


def test_a_lead_decides_over_nobody_above(actors: Actors) -> None:
    frank = add_member(actors.project, actors.eve, "lead")
    alice = actors.membership(actors.alice)
    browser = client_of(actors.eve)

    page = browser.get(PAGE)
    assert [row["form"] is None for row in page.context["rows"]] == [True, False, False, False, False]
    for address, form in (
        (f"{PAGE}/{alice.pk}", form_of(alice, "annotator")),
        (f"{PAGE}/{frank.pk}", form_of(frank, "owner")),
        (f"{PAGE}/{alice.pk}/remove", {}),
        (f"{PAGE}/{alice.pk}/reset-link", {}),
        ("/projects/birds/invitations", {"role": "owner", "days": 7}),
    ):
        browser.post(address, form)
    roles = dict(Membership.objects.filter(project=actors.project).values_list("name", "role"))
    assert (roles["alice"], roles["eve"]) == ("owner", "lead")
    assert actors.membership(actors.alice).active
    assert not Invitation.objects.exists()


def test_many_people_come_in_pages_and_are_found_by_name(
    actors: Actors, django_assert_max_num_queries: Any
) -> None:
    for n in range(120):
        add_member(actors.project, None, name=f"w{n:03}")
    browser = client_of(actors.alice)

    with django_assert_max_num_queries(25):
        first = browser.get(PAGE)
    second = browser.get(PAGE + first.context["next_url"])
    third = browser.get(PAGE + second.context["next_url"])
    back = browser.get(PAGE + third.context["previous_url"])
    found = browser.get(PAGE, {"q": "W077"}).content.decode()

    assert "124 people work on this project" in first.content.decode()
    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 50)
    names = {row["member"].name for page in (first, second) for row in page.context["rows"]}
    assert len(names) == 100
    assert [row["member"] for row in back.context["rows"]] == [
        row["member"] for row in second.context["rows"]
    ]
    assert third.context["next_url"] == ""
    assert "w077" in found
    assert "w078" not in found
    assert "Nobody here has" in browser.get(PAGE, {"q": "zoe"}).content.decode()


def test_the_people_page_costs_the_same_for_any_number_of_accounts(actors: Actors) -> None:
    browser = client_of(actors.alice)
    with CaptureQueriesContext(connection) as few:
        browser.get(PAGE)
    for n in range(20):
        add_member(actors.project, make_user(f"person-{n}"))
    with CaptureQueriesContext(connection) as many:
        browser.get(PAGE)
    assert len(many) == len(few)
