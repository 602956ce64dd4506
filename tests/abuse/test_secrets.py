"""A36, A37, A44, A45, A59: keys, tokens and passwords are where they belong and nowhere else.

A38 to A42 and A46: tests/web/test_account.py. A43: tests/api/test_token.py.
"""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from core.access import ROUTES
from core.api.pagination import SALT
from core.models import Event, Job, Token
from core.selectors.account import digest_of
from core.services.account import make_reset_link
from core.services.membership import invite
from labelapp.env import PUBLISHED_SECRETS
from labelapp.logs import LineFormatter
from tests.conftest import Actors, client_of, token_client
from tests.factories.account import PASSWORD, make_token
from tests.factories.world import ALL, World, body_of

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLIC = {"LABELAPP_BIND": "0.0.0.0:8000", "ALLOWED_HOSTS": "labels.example"}
STRONG = "three quiet herons"
# Defaults that stand in other tools' public code.
DEFAULTS = (
    *PUBLISHED_SECRETS,
    "$(fefwefwef13;LFK{P!)@#*!)kdsjfWF2l+i5e3t(8a1n",
    "v(8(PS5)Xfb#1D!(9U)2$0!9w#-",
    "change-me-in-production",
    "temporary_key",
    "\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
)


def start(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a start with these settings says."""
    ours = ("SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "LABELAPP_", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**inherited, "LABELAPP_DATA": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("secret", ["", "short", "change-me" * 10, "a" * 80])
def test_a36_a_public_server_does_not_start_with_a_weak_secret(tmp_path: Path, secret: str) -> None:
    done = start(tmp_path, **PUBLIC, SECRET_KEY=secret)

    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "secret_key").exists()


def test_a36_it_does_with_a_strong_one(tmp_path: Path) -> None:
    done = start(tmp_path, **PUBLIC, SECRET_KEY="k9Zp-" + "Qw3Er7Ty1Ui5Op2As8Df4Gh6Jk" * 2)

    assert (done.returncode, done.stderr.count("SECRET_KEY")) == (0, 0)


@pytest.mark.parametrize("place", [{"LABELAPP_BIND": "0.0.0.0:8000"}, {"ALLOWED_HOSTS": "labels.example"}])
def test_a59_a_public_server_does_not_start_with_debug(tmp_path: Path, place: dict[str, str]) -> None:
    done = start(tmp_path, **place, SECRET_KEY="k9Zp-" + "Qw3Er7Ty1Ui5Op2As8Df4Gh6Jk" * 2, DEBUG="1")

    assert done.returncode == 1
    assert "DEBUG=1" in done.stderr.strip().splitlines()[-1]


@pytest.mark.django_db
@pytest.mark.parametrize("key", DEFAULTS)
def test_a37_what_a_published_key_has_signed_is_refused(actors: Actors, key: str) -> None:
    forged = signing.dumps({"by": ["pk"], "at": [0]}, key=key, salt=SALT)
    answer = token_client(actors.alice).get("/api/v1/projects/birds/members", {"cursor": forged})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-cursor")

    browser = Client()
    browser.cookies["sessionid"] = signing.dumps(
        {
            "_auth_user_id": str(actors.alice.pk),
            "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        },
        key=key,
        salt="django.contrib.sessions.backends.signed_cookies",
    )
    assert browser.get("/profile").status_code == 302


@pytest.mark.django_db
def test_a44_no_answer_holds_a_stored_token(world: World) -> None:
    owner = world.people["owner"]
    assert owner is not None
    secret = make_token(owner)
    digest = digest_of(secret)
    browser, script = client_of(owner), Client(headers={"authorization": f"Token {secret}"})
    for name in ALL:
        if "GET" not in ROUTES[name]:
            continue
        address = reverse(name, kwargs=world.values("owner", name))
        for client in (browser, script):
            answer = client.get(address)
            body = body_of(answer)
            assert secret.encode() not in body, address
            assert digest.encode() not in body, address


@pytest.mark.django_db
def test_a45_no_log_job_or_audit_line_holds_a_secret(
    actors: Actors, media: Any, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(LineFormatter())
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    _invitation, invited = invite(alice, role="annotator")
    reset = make_reset_link(alice, bob).rsplit("/", 1)[-1]
    browser = Client(raise_request_exception=False)
    browser.post("/sign-in", {"username": "alice", "password": "a wrong password"})
    browser.post("/sign-in", {"username": "alice", "password": PASSWORD})
    token = browser.post(
        "/tokens/create", {"name": "pull", "scopes": ["lead", "items:write"], "days": 1}
    ).context["new_token"]
    script = Client(headers={"authorization": f"Token {token}"}, raise_request_exception=False)
    words = "the heron waits in the reeds"
    with django_capture_on_commit_callbacks(execute=True):
        upload = SimpleUploadedFile("items.csv", f"id,text\n1,{words}\n".encode())
        assert (
            script.post("/api/v1/projects/birds/imports", {"file": upload, "kind": "items"}).status_code
            == 202
        )
    guest = Client()
    guest.get(f"/join/{invited}")
    guest.post(f"/join/{invited}", {"username": "frank", "password": STRONG, "again": STRONG})
    guest.get(f"/join/{invited}")
    Client().post(f"/reset/{reset}", {"password": STRONG, "again": STRONG})
    Client().get(f"/reset/{reset}")
    assert actors.project.items.count() == 1

    stored = json.dumps(
        [
            list(Event.objects.values("verb", "thing", "data")),
            list(Job.objects.values("arguments", "result", "error")),
            list(Token.objects.values("name", "prefix", "digest")),
        ]
    )
    lines = "\n".join(LineFormatter().format(record) for record in caplog.records)
    for secret in (PASSWORD, STRONG, "a wrong password", token, invited, reset, words):
        assert secret not in lines
        assert secret not in stored


def test_a45_a_secret_in_an_address_is_cut_out_of_the_log() -> None:
    secret = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5"
    for place in ("join", "reset", "first"):
        record = logging.LogRecord("django.request", 40, "", 0, "Error: %s", (f"/{place}/{secret}",), None)
        assert json.loads(LineFormatter().format(record))["message"] == f"Error: /{place}/…"


def test_a84_a_line_cannot_be_forged() -> None:
    record = logging.LogRecord("x", 20, "", 0, "name %s", ("\n[INFO] admin logged in\r\n",), None)

    assert LineFormatter().format(record).count("\n") == 0
