"""manage.py token: the token on standard output, everything else beside it."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from core.models import Token, User
from tests.conftest import Actors

pytestmark = pytest.mark.django_db


def test_it_prints_a_token_that_works(actors: Actors) -> None:
    out, err = io.StringIO(), io.StringIO()

    call_command("token", "ALICE", scopes=["labels:read"], days=3, project="birds", stdout=out, stderr=err)

    (secret,) = out.getvalue().split()
    script = Client(headers={"authorization": f"Token {secret}"})
    assert script.get("/api/v1/projects/birds").status_code == 200
    assert Token.objects.get().scopes == ["labels:read"]
    assert secret not in err.getvalue()
    assert "labels:read" in err.getvalue()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nobody", "--scope", "lead"], "Nobody signs in"),
        (["alice", "--scope", "lead", "--days", "0"], "lasts 1 to"),
        (["alice", "--scope", "lead", "--project", "nowhere"], "no project"),
        (["alice", "--scope", "root"], "invalid choice"),
        (["alice"], "required"),
    ],
)
def test_it_says_in_a_line_why_not(actors: Actors, words: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("token", *words)
    assert not Token.objects.exists()


def test_nobody_gets_a_token_for_a_locked_account(bob: User) -> None:
    bob.is_active = False
    bob.save()

    with pytest.raises(CommandError, match="Nobody signs in"):
        call_command("token", "bob", "--scope", "annotate")
