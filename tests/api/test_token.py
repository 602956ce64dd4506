"""Tokens over the API."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from core.choices import Role, Scope
from core.models import Membership, Token
from tests.conftest import Actors, client_of, token_client
from tests.factories.account import make_token
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db
BODY = {"name": "pull", "scopes": ["labels:read"], "days": 30}


def with_header(value: str) -> Client:
    return Client(headers={"authorization": value})


def test_a_browser_makes_a_token_and_sees_it_once(actors: Actors) -> None:
    browser = client_of(actors.alice)

    answer = browser.post("/api/v1/tokens", BODY, content_type="application/json")

    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    secret = answer.json()["token"]
    assert answer.json()["prefix"] == secret[:11]
    listed = browser.get("/api/v1/tokens").json()["results"]
    assert [token["name"] for token in listed] == ["pull"]
    assert secret not in browser.get("/api/v1/tokens").content.decode()
    assert with_header(f"Token {secret}").get("/api/v1/projects/birds").status_code == 200


def test_a_token_makes_no_tokens(actors: Actors) -> None:
    answer = token_client(actors.alice).post("/api/v1/tokens", BODY, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (403, "session-only")


def test_a_token_ends_itself_and_with_the_scope_lead_the_others(actors: Actors) -> None:
    reader = make_token(actors.alice, Scope.LABELS_READ)
    lead = make_token(actors.alice, Scope.LEAD)
    other = make_token(actors.alice, Scope.ANNOTATE)
    ids = dict(Token.objects.values_list("prefix", "pk"))

    def ask(secret: str, about: str) -> int:
        return with_header(f"Token {secret}").delete(f"/api/v1/tokens/{ids[about[:11]]}").status_code

    assert ask(reader, other) == 403
    assert ask(lead, other) == 204
    assert ask(reader, reader) == 204
    assert ask(reader, reader) == 401
    assert ask(make_token(actors.eve, Scope.LEAD), lead) == 404


@pytest.mark.parametrize("header", ["Token", "Token x", "Token a b", "Token " + "x" * 300, "Token \xff"])
def test_a_wrong_header_is_401(actors: Actors, header: str) -> None:
    answer = with_header(header).get("/api/v1/projects/birds")

    assert (answer.status_code, answer.json()["code"]) == (401, "bad-token")
    assert answer["WWW-Authenticate"] == "Token"


def test_expired_revoked_and_deactivated_are_all_401(actors: Actors) -> None:
    """A43."""
    script = token_client(actors.alice)
    for change, back in (
        ({"expires_at": Now() - timedelta(seconds=1)}, {"expires_at": Now() + timedelta(days=1)}),
        ({"revoked_at": Now()}, {"revoked_at": None}),
    ):
        assert script.get("/api/v1/projects/birds").status_code == 200
        Token.objects.update(**change)
        assert script.get("/api/v1/projects/birds").status_code == 401
        Token.objects.update(**back)
    actors.alice.is_active = False
    actors.alice.save()
    assert script.get("/api/v1/projects/birds").status_code == 401


def test_a_token_of_one_project_does_not_open_another(actors: Actors) -> None:
    """A43."""
    flowers = Membership.objects.get(user=actors.eve).project
    add_member(flowers, actors.alice, Role.OWNER)
    script = token_client(actors.alice, project=actors.project)

    assert script.get("/api/v1/projects/birds/members").status_code == 200
    assert script.get("/api/v1/projects/flowers/members").status_code == 404


def test_a_reading_token_changes_nothing(actors: Actors) -> None:
    """A43."""
    script = token_client(actors.alice, Scope.LABELS_READ)

    answer = script.post("/api/v1/projects/birds/invitations", {}, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (403, "scope")


def test_a_token_is_found_in_one_statement(
    actors: Actors, django_assert_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    script = token_client(actors.alice)
    with django_assert_num_queries(3):  # the token with its user, the membership, the events
        assert script.get("/api/v1/projects/birds/audit").status_code == 200


def test_a_change_from_a_browser_needs_its_csrf_token_and_origin(actors: Actors) -> None:
    """A29."""
    browser = client_of(actors.alice, enforce_csrf_checks=True)
    browser.get("/tokens")
    csrf = browser.cookies["csrftoken"].value

    def post(**headers: str) -> int:
        return browser.post(
            "/api/v1/tokens", BODY, content_type="application/json", headers=headers
        ).status_code

    assert post() == 403
    assert post(origin="http://testserver") == 403
    assert post(**{"x-csrftoken": csrf}) == 403
    assert post(**{"x-csrftoken": csrf, "origin": "https://evil.example"}) == 403
    assert post(**{"x-csrftoken": csrf, "origin": "null"}) == 403
    assert Token.objects.count() == 0
    assert post(**{"x-csrftoken": csrf, "origin": "http://testserver"}) == 201
