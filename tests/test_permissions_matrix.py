"""Every address, every method, everybody: what core.access.ROUTES says is what happens, and nothing else.

A new address needs a row there, and each method that it answers an entry; otherwise this file fails.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from core.access import LEADS, ROLES, ROUTES, SCOPES, Action, Door
from core.choices import ImportKind, JobKind, Role, Scope
from core.models import (
    Annotation,
    Asset,
    Draft,
    Import,
    Invitation,
    Job,
    LabelClass,
    Membership,
    Project,
    SignInLink,
    Token,
    User,
)
from core.selectors.account import digest_of
from core.services.lease import hand_out
from tests.conftest import Actors, client_of
from tests.factories.account import make_token, make_user
from tests.factories.item import make_items
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SECRET = "s" * 43
# These say "nothing here" to everybody who may not see them, signed in or not.
HIDDEN = {"metrics"}
# Whose status is that of the installation and not of the reader.
STATES = {"readyz"}


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every address of the site with its full name."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from routes(pattern.url_patterns, inner)
        else:
            assert pattern.name, f"{pattern.pattern} has no name"
            yield prefix + pattern.name, pattern


ALL = dict(routes())


@dataclass
class World:
    """The project birds with something of every kind in it, and everybody who might ask for it."""

    project: Project
    people: dict[str, User | None]
    members: dict[str, Membership] = field(default_factory=dict)

    def values(self, who: str, name: str) -> dict[str, Any]:
        """The parts of an address: the asker's own things where things have an owner, else Bob's."""
        owner = who if who in self.members and self.members[who].active else "annotator"
        made: dict[str, Any] = {
            "slug": self.project.slug,
            "secret": SECRET,
            "key": "answer",
            "class_id": LabelClass.objects.filter(question__project=self.project).values_list(
                "pk", flat=True
            )[0],
            "member_id": self.members["annotator"].pk,
            "invitation_id": Invitation.objects.values_list("pk", flat=True)[0],
            "lease_id": self._lease(owner),
            "annotation_id": Annotation.objects.get(annotator=self.members[owner]).pk,
            "draft_id": Draft.objects.get(annotator=self.members[owner]).pk,
            "token_id": self._token(who),
            "item_id": self.project.items.values_list("pk", flat=True)[0],
            "import_id": Import.objects.get(project=self.project).pk,
            "job_id": Job.objects.get(project=self.project).pk,
            "name": "bird.png",
            "batch_id": self.project.batches.values_list("pk", flat=True)[0],
            "flag_id": 1,
            "number": 1,
        }
        wanted = ALL[name].pattern.converters
        unknown = set(wanted) - set(made)
        assert not unknown, f"tests/test_permissions_matrix.py has no value for {unknown} of {name}"
        return {part: made[part] for part in wanted}

    def body(self, who: str, name: str) -> dict[str, Any]:
        """What must be in a body for the address to know what is asked for; otherwise nothing."""
        if name == "api:leases-extend":
            return {"leases": [str(self.values(who, "api:lease-skip")["lease_id"])]}
        if name == "api:lease-annotation":
            return {"answers": {"answer": "yes"}}
        return {}

    def _lease(self, owner: str) -> UUID:
        return self.members[owner].leases.filter(state="active").latest("created_at").pk

    def _token(self, who: str) -> int:
        user = self.people[who] or self.people["annotator"]
        token, _made = Token.objects.get_or_create(
            user=user,
            name="of " + who,
            defaults={"digest": who, "prefix": who, "expires_at": "2099-01-01T00:00Z"},
        )
        return token.pk


@pytest.fixture
def world(actors: Actors, media: Any) -> World:
    """Everybody, with a lease, an annotation and a draft each; one import, job, image, invitation, link."""
    project = actors.project
    frank, gina = make_user("frank"), make_user("gina")
    add_member(project, frank, Role.LEAD)
    former = add_member(project, gina)
    people: dict[str, User | None] = {
        "anonymous": None,
        "stranger": actors.eve,
        "former member": gina,
        "annotator": actors.bob,
        "reviewer": actors.dave,
        "lead": frank,
        "owner": actors.alice,
    }
    world = World(project, people)
    items = make_items(project, 30, target=10)
    for who, user in people.items():
        if user is None or who == "stranger":
            continue
        member = Membership.objects.select_related("project").get(project=project, user=user)
        world.members[who] = member
        Annotation.objects.create(item=items[29], annotator=member, guideline=project.guidelines.get())
        (late,) = hand_out(member, 1).leases
        Draft.objects.create(
            annotator=member,
            item=late.item,
            item_version=1,
            lease_id=late.pk,
            idempotency_key="k",
            answers={"answer": "yes"},
            because="lease-gone",
        )
        hand_out(member, 1)
    Membership.objects.filter(pk=former.pk).update(active=False)
    former.refresh_from_db()
    world.members["former member"] = former
    in_a_day = "2099-01-01T00:00:00Z"
    Invitation.objects.create(project=project, digest=digest_of(SECRET), expires_at=in_a_day)
    SignInLink.objects.create(user=actors.carol, digest=digest_of(SECRET), expires_at=in_a_day)
    job = Job.objects.create(project=project, kind=JobKind.IMPORT)
    Import.objects.create(
        project=project,
        kind=ImportKind.ITEMS,
        file="none",
        file_name="none.csv",
        file_hash="0" * 64,
        file_size=0,
        job=job,
    )
    Asset.objects.create(project=project, name="bird.png", sha256="0" * 64, content_type="image/png", size=1)
    return world


def ask(world: World, client: Client, method: str, who: str, name: str) -> HttpResponseBase:
    """One request whose effects are undone."""
    address = reverse(name, kwargs=world.values(who, name))
    more: dict[str, Any] = {}
    if method != "GET" and name.startswith("api:"):
        more = {"data": json.dumps(world.body(who, name)), "content_type": "application/json"}
        more["headers"] = {"idempotency-key": "0" * 32}
    elif method != "GET":
        more = {"data": "", "content_type": "application/x-www-form-urlencoded"}
    with transaction.atomic():
        answer = client.generic(method, address, **more)
        transaction.set_rollback(True)
    return answer


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
