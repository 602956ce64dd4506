"""The people that every test knows, their browsers and scripts, and no way out to the network."""

import gc
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from core.api.schema import openapi
from core.choices import Role
from core.models import Membership, Project, User
from core.selectors.question import _schema
from labelapp.celery import app as celery_app
from tests.factories.account import make_token, make_user
from tests.factories.project import add_member, make_project
from tests.factories.world import World, make_world

celery_app.loader.import_default_modules()  # eager tasks are found by name only when they are loaded


def pytest_collection_finish() -> None:
    """What has been imported stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, slots=True)
class Actors:
    """Alice leads and owns the project, Bob and Carol annotate, Dave reviews, Eve has a project of her own."""

    project: Project
    alice: User
    bob: User
    carol: User
    dave: User
    eve: User

    def membership(self, user: User) -> Membership:
        """Somebody's membership of the project."""
        return Membership.objects.select_related("project", "user").get(project=self.project, user=user)


@pytest.fixture
def actors(db: None) -> Actors:
    """Everybody, in the project ``birds``; Eve only in ``flowers``."""
    people = {name: make_user(name) for name in ("bob", "carol", "dave", "eve")}
    alice = make_user("alice", may_create_projects=True)
    project = make_project("birds", owner=alice)
    add_member(project, people["bob"])
    add_member(project, people["carol"])
    add_member(project, people["dave"], Role.REVIEWER)
    make_project("flowers", owner=people["eve"])
    return Actors(project=project, alice=alice, **people)


@pytest.fixture
def project(actors: Actors) -> Project:
    """Alice's project."""
    return actors.project


@pytest.fixture
def alice(actors: Actors) -> User:
    """Owner of the project."""
    return actors.alice


@pytest.fixture
def bob(actors: Actors) -> User:
    """Annotator."""
    return actors.bob


@pytest.fixture
def carol(actors: Actors) -> User:
    """Annotator."""
    return actors.carol


@pytest.fixture
def dave(actors: Actors) -> User:
    """Reviewer."""
    return actors.dave


@pytest.fixture
def eve(actors: Actors) -> User:
    """A stranger to the project, and owner of another."""
    return actors.eve


def client_of(user: User | None = None, **options: Any) -> Client:
    """A browser, signed in unless ``user`` is None. CSRF is checked only with ``enforce_csrf_checks=True``."""
    client = Client(**options)
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def token_client(user: User, *scopes: str, project: Project | None = None) -> Client:
    """A script with a token of somebody; without scopes it has all of them."""
    secret = make_token(user, *scopes, project=project)
    return Client(headers={"authorization": f"Token {secret}"})


@pytest.fixture(name="client_of")
def client_of_fixture() -> Callable[..., Client]:
    """``client_of`` for tests that take it as an argument."""
    return client_of


@pytest.fixture(name="token_client")
def token_client_fixture() -> Callable[..., Client]:
    """``token_client`` for tests that take it as an argument."""
    return token_client


@pytest.fixture(autouse=True)
def _clean_slate() -> None:
    """Nothing remembered from the test before."""
    cache.clear()
    openapi.cache_clear()
    _schema.cache_clear()  # rolled-back projects leave their numbers to others


@pytest.fixture
def world(actors: Actors, media: Any) -> World:
    """The project ``birds`` with something of every kind in it, and everybody who might ask for it."""
    people = {
        "stranger": actors.eve,
        "annotator": actors.bob,
        "reviewer": actors.dave,
        "owner": actors.alice,
    }
    return make_world(actors.project, people)


def _is_here(host: Any) -> bool:
    if not isinstance(host, str) or host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Connections leave this machine in no test; the fixture's value lists what was tried."""
    tried: list[Any] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_here(address[0]):
            tried.append(address)
            raise OSError(f"tests do not connect to {address}")
        connect(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_here(host):
            tried.append(host)
            raise socket.gaierror(f"tests do not resolve {host}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    return tried


@pytest.fixture
def media(tmp_path: Any, settings: Any) -> Any:
    """A folder of this test for uploaded files."""
    settings.MEDIA_ROOT = tmp_path / "files"
    return settings.MEDIA_ROOT


assert settings.CELERY_TASK_ALWAYS_EAGER, "run the tests with tests.settings"
