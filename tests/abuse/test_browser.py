"""A28 to A31: what another site can make a signed-in browser do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from core.access import ROUTES, Door
from core.models import Invitation, Membership, Token, User
from tests.conftest import Actors, client_of
from tests.factories.account import PASSWORD
from tests.factories.world import ALL, World, body_of

pytestmark = pytest.mark.django_db
JSON = "application/json"
EVIL = "https://evil.example"


# A report that was computed for the asker is kept for the next one: a cache, of nobody's making.
KEPT = tuple(f'{verb} "core_report" ' for verb in ("INSERT INTO", "UPDATE", "DELETE FROM"))


def no_writes(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
    """Lets only reads through, and the keeping of computed reports."""
    if sql.startswith(KEPT):
        return execute(sql, params, many, context)
    first = sql.lstrip(" (").split(None, 1)[0].upper()
    assert first in {
        "SELECT",
        "WITH",
        "PRAGMA",
        "SHOW",
        "SAVEPOINT",
        "RELEASE",
        "ROLLBACK",
        "SET",
        "DECLARE",
        "BEGIN",
    }, sql
    assert " FOR UPDATE" not in sql, sql
    return execute(sql, params, many, context)


@pytest.mark.parametrize("who", ["owner", "annotator", "anonymous"])
def test_a28_asking_changes_nothing(world: World, who: str) -> None:
    client = client_of(world.people[who])
    for name in ALL:
        if "GET" in ROUTES[name]:
            address = reverse(name, kwargs=world.values(who, name))
            for method in ("GET", "HEAD"):
                with connection.execute_wrapper(no_writes):
                    answer = client.generic(method, address)
                    body_of(answer)
                assert answer.status_code < 500 or name == "readyz", address


def test_the_guard_of_a28_sees_writes(world: World) -> None:
    client = client_of(world.people["owner"])
    with connection.execute_wrapper(no_writes), pytest.raises(AssertionError, match="UPDATE"):
        client.post("/profile", {"display_name": "Alice"})


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": EVIL}, {"origin": "null"}, {"referer": f"{EVIL}/form"}],
    ids=str,
)
@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", JSON],
)
def test_a29_a_form_of_another_site_changes_nothing(
    world: World, headers: dict[str, str], content_type: str
) -> None:
    client = client_of(world.people["owner"], enforce_csrf_checks=True)
    client.get("/profile")
    wrong = []
    for name in ALL:
        for method in set(ROUTES[name]) - {"GET"}:
            if ROUTES[name][method] == Door.PUBLIC and name != "sign_in":
                continue
            address = reverse(name, kwargs=world.values("owner", name))
            answer = client.generic(method, address, b"{}", content_type, headers=headers)
            if answer.status_code != 403:
                wrong.append(f"{method} {name}: {answer.status_code}")
    assert wrong == []


def test_a29_a_stolen_csrf_token_is_no_use_elsewhere(actors: Actors) -> None:
    browser = client_of(actors.alice, enforce_csrf_checks=True)
    browser.get("/tokens")
    csrf = browser.cookies["csrftoken"].value
    address, body = "/api/v1/projects/birds/invitations", {"role": "owner"}

    def post(**headers: str) -> int:
        given = {"x-csrftoken": csrf, **headers}
        return browser.post(address, body, content_type=JSON, headers=given).status_code

    assert [
        post(),
        post(origin=EVIL),
        post(origin="null"),
        post(origin="http://testserver.evil.example"),
    ] == [403] * 4
    assert Invitation.objects.count() == 0
    assert post(origin="http://testserver") == 201


def test_a29_nobody_is_signed_in_by_another_site(actors: Actors) -> None:
    browser = Client(enforce_csrf_checks=True)
    form = {"username": "bob", "password": PASSWORD}

    assert browser.post("/sign-in", form, headers={"origin": EVIL}).status_code == 403
    assert "sessionid" not in browser.cookies


def test_a30_no_page_can_be_framed(world: World) -> None:
    wrong = []
    for who in ("owner", "anonymous"):
        client = client_of(world.people[who])
        for name in ALL:
            if "GET" not in ROUTES[name]:
                continue
            page = client.get(reverse(name, kwargs=world.values(who, name)))
            body_of(page)
            policy = page.headers.get("Content-Security-Policy", "")
            framed = "frame-ancestors 'none'" not in policy and "sandbox" not in policy
            if framed or page.headers.get("X-Frame-Options") != "DENY":
                wrong.append(f"{who} {name}: {policy}")
    assert wrong == []


@pytest.mark.parametrize("origin", [EVIL, "null", "http://testserver.evil.example", "http://localhost:3000"])
def test_a31_no_other_origin_may_read(actors: Actors, origin: str) -> None:
    browser = client_of(actors.alice)
    for method, address in (
        ("GET", "/api/v1/projects"),
        ("OPTIONS", "/api/v1/projects"),
        ("GET", "/projects/"),
        ("GET", "/api/v1/nowhere"),
        ("GET", "/static/js/app.js"),
    ):
        headers = {"origin": origin, "access-control-request-method": "GET"}
        answer = browser.generic(method, address, headers=headers)
        body_of(answer)
        assert answer.headers.get("Access-Control-Allow-Origin") in (
            {None, "*"} if "static" in address else {None}
        )
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_nothing_of_all_this_has_changed_anything(actors: Actors) -> None:
    browser = client_of(actors.alice, enforce_csrf_checks=True)
    before = (User.objects.count(), Membership.objects.count(), Token.objects.count())

    browser.post("/projects/birds/invitations", {"role": "owner", "days": 7}, headers={"origin": EVIL})
    browser.post("/tokens/create", {"name": "x", "scopes": ["lead"], "days": 1}, headers={"origin": EVIL})

    assert (User.objects.count(), Membership.objects.count(), Token.objects.count()) == before
    assert not Invitation.objects.exists()
