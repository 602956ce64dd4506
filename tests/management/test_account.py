"""manage.py account: what whoever runs the server can do for people."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests.conftest import Actors, client_of

pytestmark = pytest.mark.django_db
STRONG = "three quiet herons"


def test_a_reset_link_lets_somebody_choose_a_password(actors: Actors) -> None:
    out = io.StringIO()

    call_command("account", "reset-link", "alice", stdout=out)

    address = out.getvalue().strip()
    assert address.startswith("http://127.0.0.1:8000/reset/")
    link = "/reset/" + address.rsplit("/", 1)[-1]
    assert Client().post(link, {"password": STRONG, "again": STRONG}).status_code == 302


def test_an_account_is_locked_and_opened_again(actors: Actors) -> None:
    browser = client_of(actors.bob)

    call_command("account", "deactivate", "BOB", stdout=io.StringIO())
    assert browser.get("/profile").status_code == 302
    with pytest.raises(CommandError, match="deactivated"):
        call_command("account", "reset-link", "bob")
    call_command("account", "activate", "bob", stdout=io.StringIO())

    actors.bob.refresh_from_db()
    assert client_of(actors.bob).get("/profile").status_code == 200


def test_an_unknown_name_is_one_line() -> None:
    with pytest.raises(CommandError, match="Nobody is called"):
        call_command("account", "deactivate", "nobody")
