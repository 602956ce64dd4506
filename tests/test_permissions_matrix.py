"""Every address, every method, everybody: what core.access.ROUTES says is what happens, and nothing else.

A new address needs a row there, and each method that it answers an entry; otherwise this file fails.
"""

import pytest
from django.test import Client

from core.access import LEADS, ROLES, ROUTES, SCOPES, Action, Door
from core.choices import Role, Scope
from tests.conftest import client_of
from tests.factories.account import make_token
from tests.factories.world import ALL, World, ask

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
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


@pytest.mark.parametrize("name", [name for name in ALL if name in ROUTES])
def test_the_table_is_what_happens(world: World, name: str) -> None:
    if name == "first_sign_in":
        pytest.skip("there is no first lead where somebody has an account; see tests/web/test_account.py")
    wrong = []
    for method in METHODS:
        rule = ROUTES[name].get(method)
        for who, user in world.people.items():
            if rule is None and who not in {"stranger", "owner"}:
                continue
            answer = ask(world, client_of(user), method, who, name)
            if rule is None:
                if answer.status_code != 405:
                    wrong.append(f"{method} {who}: {answer.status_code}, but the method has no entry")
            elif not allowed(rule, who):
                expected = refused_with(rule, who, name)
                if answer.status_code != expected:
                    wrong.append(f"{method} {who}: {answer.status_code} instead of {expected}")
                elif expected == 302 and not answer["Location"].startswith("/sign-in"):
                    wrong.append(f"{method} {who}: sent to {answer['Location']}")
            elif answer.status_code in {401, 403, 404, 405} or (
                answer.status_code >= 500 and name not in STATES
            ):
                wrong.append(f"{method} {who}: {answer.status_code}, but it is allowed")
    assert not wrong, f"{name}: " + "; ".join(wrong)


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("api:") and name in ROUTES])
def test_a_token_does_what_its_scopes_say(world: World, name: str) -> None:
    wrong = []
    owner = world.people["owner"]
    assert owner is not None
    for method, rule in ROUTES[name].items():
        if not isinstance(rule, Action):
            continue
        for scope in Scope:
            script = Client(headers={"authorization": f"Token {make_token(owner, scope)}"})
            answer = ask(world, script, method, "owner", name)
            may = scope in SCOPES[rule]
            if may != (answer.status_code not in {401, 403, 404}):
                wrong.append(f"{method} with {scope}: {answer.status_code}")
    assert not wrong, f"{name}: " + "; ".join(wrong)


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("api:")])
def test_pages_know_no_tokens(world: World, name: str) -> None:
    owner = world.people["owner"]
    assert owner is not None
    script = Client(headers={"authorization": f"Token {make_token(owner)}"})
    rule = ROUTES[name].get("GET")
    if rule is None or rule in {Door.PUBLIC, Door.LINK}:
        pytest.skip("open to everybody, or not a page")

    answer = ask(world, script, "GET", "owner", name)

    assert answer.status_code == refused_with(rule, "anonymous", name)
