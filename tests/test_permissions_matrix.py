"""Every address, every method, everybody: what core.access.ROUTES says is what happens, and nothing else.

A new address needs a row there, and each method that it answers an entry; otherwise this file fails.
"""

from collections.abc import Iterator

import pytest
from django.test import Client

from core.access import LEADS, ROLES, ROUTES, SCOPES, Action, Door
from core.choices import Role, Scope
from tests.conftest import client_of
from tests.factories.account import make_token
from tests.factories.world import ALL, World, ask

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EVERYBODY = ("anonymous", "stranger", "former member", *Role.values)
# There is no first lead where somebody has an account; tests/web/test_account.py goes through that door.
ELSEWHERE = {"first_sign_in"}
# These say "nothing here" to everybody who may not see them, signed in or not.
HIDDEN = {"metrics"}
# Whose status is that of the installation and not of the reader.
STATES = {"readyz"}


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    assert set(ROUTES) == set(ALL)


def allowed(rule: Action | Door, who: str) -> bool:
    """Whether the table lets somebody in."""
    if isinstance(rule, Action):
        return who in Role.values and Role(who) in ROLES[rule]
    if rule in {Door.PUBLIC, Door.LINK}:
        return True
    if rule == Door.SIGNED_IN:
        return who != "anonymous"
    return who == "stranger" or (who in Role.values and Role(who) in LEADS)  # Eve leads a project of her own


def refused_with(rule: Action | Door, who: str, name: str) -> int:
    """The status of a refusal."""
    if name in HIDDEN:
        return 404
    if who == "anonymous":
        return 401 if name.startswith("api:") else 302
    if isinstance(rule, Action) and who in {"stranger", "former member"}:
        return 404
    return 403


@pytest.mark.parametrize("who", EVERYBODY)
def test_the_table_is_what_happens(world: World, who: str) -> None:
    client = client_of(world.people[who])
    wrong = [
        problem
        for name in ALL
        if name in ROUTES and name not in ELSEWHERE
        for method in METHODS
        for problem in problems(world, client, method, who, name)
    ]
    assert wrong == []


def problems(world: World, client: Client, method: str, who: str, name: str) -> Iterator[str]:
    """What is not as the table says when somebody uses a method of an address."""
    rule = ROUTES[name].get(method)
    if rule is None and who != "owner":
        return  # a method that the owner is not answered is answered to nobody
    answer = ask(world, client, method, who, name)
    told = f"{method} {name}: {answer.status_code}"
    if rule is None:
        if answer.status_code != 405:
            yield f"{told}, but the method has no entry"
    elif allowed(rule, who):
        broken = answer.status_code >= 500 and name not in STATES
        if answer.status_code in {401, 403, 404, 405} or broken:
            yield f"{told}, but it is allowed"
    elif answer.status_code != (expected := refused_with(rule, who, name)):
        yield f"{told} instead of {expected}"
    elif expected == 302 and not answer["Location"].startswith("/sign-in"):
        yield f"{told} to {answer['Location']}"


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_does_what_its_scopes_say(world: World, scope: Scope) -> None:
    owner = world.people["owner"]
    assert owner is not None
    script = Client(headers={"authorization": f"Token {make_token(owner, scope)}"})
    wrong = []
    for name in ALL:
        for method, rule in ROUTES.get(name, {}).items():
            if not name.startswith("api:") or not isinstance(rule, Action):
                continue
            answer = ask(world, script, method, "owner", name)
            if (scope in SCOPES[rule]) != (answer.status_code not in {401, 403, 404}):
                wrong.append(f"{method} {name}: {answer.status_code}")
    assert wrong == []


def test_pages_know_no_tokens(world: World) -> None:
    owner = world.people["owner"]
    assert owner is not None
    script = Client(headers={"authorization": f"Token {make_token(owner)}"})
    wrong = []
    for name in ALL:
        rule = ROUTES.get(name, {}).get("GET")
        if name.startswith("api:") or rule is None or rule in {Door.PUBLIC, Door.LINK}:
            continue
        answer = ask(world, script, "GET", "owner", name)
        if answer.status_code != refused_with(rule, "anonymous", name):
            wrong.append(f"{name}: {answer.status_code}")
    assert wrong == []
