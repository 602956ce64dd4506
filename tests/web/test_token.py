"""The page of one's tokens."""

import pytest
from django.test import Client

from core.models import Token
from tests.conftest import Actors, client_of

pytestmark = pytest.mark.django_db
FORM = {"name": "pull labels", "scopes": ["labels:read"], "days": 30, "project": ""}


def test_a_token_is_shown_once_and_works(actors: Actors) -> None:
    """A44."""
    browser = client_of(actors.alice)

    page = browser.post("/tokens/create", FORM)

    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    secret = page.context["new_token"]
    assert secret in page.content.decode()
    script = Client(headers={"authorization": f"Token {secret}"})
    assert script.get("/api/v1/projects/birds").status_code == 200
    again = browser.get("/tokens").content.decode()
    assert secret not in again
    assert secret[:11] in again


def test_a_token_for_one_project(actors: Actors) -> None:
    page = client_of(actors.alice).post("/tokens/create", {**FORM, "project": actors.project.pk})

    assert page.status_code == 200
    assert Token.objects.get().project == actors.project


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["root"]}, {"days": 9999}, {"project": 999}]
)
def test_a_wrong_form_makes_nothing(actors: Actors, wrong: dict[str, object]) -> None:
    page = client_of(actors.alice).post("/tokens/create", {**FORM, **wrong})

    assert page.status_code == 422
    assert not Token.objects.exists()


def test_a_token_is_revoked_by_its_owner_only(actors: Actors) -> None:
    browser = client_of(actors.alice)
    browser.post("/tokens/create", FORM)
    address = f"/tokens/{Token.objects.get().pk}/revoke"

    assert client_of(actors.eve).post(address).status_code == 404
    assert Token.objects.get().revoked_at is None
    assert browser.post(address).status_code == 302
    assert Token.objects.get().revoked_at is not None
