"""Whether an annotator can tell a repeat or a gold pass from a normal one by anything that an address answers.

The same steps are taken by somebody who holds a normal item, a repeat or gold, in three projects that are
otherwise alike; the transcripts must be the same.
"""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now
from django.test import Client

from core.choices import ItemState, Pass, ProjectState
from core.models import Annotation, Item, Lease, Membership, Project
from core.services.lease import expire_leases
from core.services.progress import recount
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.project import add_member, make_project

pytestmark = pytest.mark.django_db
SETTINGS = {"overlap": 1, "audit_overlap": 1, "retest_rate": "0.2", "retest_minimum": 1, "gold_rate": "0.2"}
VARIES = {
    "id",
    "annotation",
    "expires_at",
    "created_at",
    "at",
    "as_of",
    "item",
    "slug",
    "project",
    "name",
    "version",
    "instance",
}
# Tokens, moments, names and numbers of things in a page.
NAMES = re.compile(
    r'[\w-]{24,}|\d{4}-\d\d-\d\d|\d\d:\d\d|item-\d+|Sentence \d+|"(id|annotation)": \d+|"ids": \{[^}]*\}'
)
OLD = timedelta(days=30)


class Person:
    """Bob at his browser in one of the projects, and all that he was answered."""

    def __init__(self, project: Project, client: Client, lease: str, member: Membership) -> None:
        self.project = project
        self.client = client
        self.lease = lease
        self.member = member
        self.told: list[Any] = []

    def asks(self, method: str, address: str, body: Any = None, key: str = "") -> Any:
        """The JSON of the answer; what is the same for every pass goes into the transcript."""
        said = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        headers = {"Idempotency-Key": key} if key else {}
        answer = getattr(self.client, method)(f"/api/v1/{address}", headers=headers, **said)
        found = json.loads(answer.content) if answer.content else None
        names = sorted(name for name in answer.headers if name != "Content-Length")
        self.told.append((answer.status_code, names, masked(found)))
        return found

    def looks_around(self) -> None:
        """Everything that annotators may read of a project and of their work."""
        for address in ("projects", f"projects/{self.project.slug}", "drafts"):
            self.asks("get", address)
        for address in ("recent", "record", "guidelines"):
            self.asks("get", f"projects/{self.project.slug}/{address}")
        for page in ("", "label/", "record/"):
            text = self.client.get(f"/projects/{self.project.slug}/{page}").content.decode()
            self.told += NAMES.sub("…", text.replace(self.project.slug, "…")).splitlines()

    def submits(self, value: str = "yes", key: str = "k", **more: Any) -> Any:
        work = {"answers": {"answer": value}, **more}
        return self.asks("post", f"leases/{self.lease}/annotation", work, key)

    def puts_aside(self, way: str, key: str = "p", **more: Any) -> Any:
        return self.asks("post", f"leases/{self.lease}/{way}", more, key)

    def sends_draft(self) -> None:
        (draft,) = self.asks("get", "drafts")
        self.asks("post", f"drafts/{draft['id']}", {})

    def item(self) -> Any:
        return Item.objects.filter(leases=UUID(self.lease))


def masked(found: Any) -> Any:
    """An answer without what differs between any two items, answers or moments."""
    if isinstance(found, dict):
        return {
            name: type(value).__name__ if name in VARIES and not isinstance(value, dict) else masked(value)
            for name, value in found.items()
        }
    if isinstance(found, list):
        return [masked(part) for part in found]
    return re.sub(r"item-\d+|Sentence \d+|blind-\w+", "…", found) if isinstance(found, str) else found


def a_project(actors: Actors, kind: Pass, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Bob holds an item in this pass; twelve of his are old, one with gold was answered by Carol."""
    project = make_project(f"blind-{kind}", name="Blind", owner=actors.alice, **SETTINGS)
    bob, carol = add_member(project, actors.bob), add_member(project, actors.carol)
    items = make_items(project, 40)
    for item in items[:12]:
        make_answer(bob, item, {"answer": "yes"})
    Membership.objects.filter(pk=bob.pk).update(answered=12)
    make_answer(carol, items[12], {"answer": "yes"})
    Membership.objects.filter(pk=carol.pk).update(answered=1)
    make_gold(items[12], "answer", "yes")
    Annotation.objects.filter(item__project=project).update(created_at=Now() - OLD)
    Item.objects.filter(pk__in=[item.pk for item in items[:13]]).update(done=1, free=0)
    recount(project.pk)
    client = client_of(actors.bob)
    client.get(
        f"/api/v1/projects/{project.slug}/record"
    )  # the group's means are those of the day's first look
    with monkeypatch.context() as patched:
        patched.setattr("core.services.lease.draw", lambda *_: (kind, 0))
        person = Person(project, client, "", bob)
        person.lease = person.asks("post", f"projects/{project.slug}/leases", {"count": 1, "have": []})[
            "leases"
        ][0]["id"]
    assert Lease.objects.get(pk=person.lease).pass_kind == kind
    return person


# --- What Bob may try ---------------------------------------------------------------------------------


def answers(bob: Person) -> None:
    bob.submits()
    bob.looks_around()


def sends_it_again(bob: Person) -> None:
    bob.submits()
    bob.submits()
    bob.submits("no")
    bob.submits(key="other")
    for way in ("skip", "later", "flag"):
        bob.puts_aside(way, reason="other", note="")


def corrects(bob: Person) -> None:
    made = bob.submits()["annotation"]["id"]
    bob.asks("patch", f"annotations/{made}", {"answers": {"answer": "no"}}, "c")
    bob.asks("patch", f"annotations/{made}", {"answers": {"answer": "no"}}, "c")
    bob.asks("patch", f"annotations/{made}", {"answers": {"answer": "maybe"}})
    bob.looks_around()


def sends_nonsense(bob: Person) -> None:
    bob.submits("maybe")
    bob.submits(elapsed_ms="long")
    bob.submits(key="")
    bob.puts_aside("skip", reason="bored")
    bob.looks_around()


def reloads(bob: Person) -> None:
    bob.asks("post", f"projects/{bob.project.slug}/leases", {"count": 2, "have": []})
    bob.asks("post", f"projects/{bob.project.slug}/leases", {"count": 20})
    bob.asks("post", f"projects/{bob.project.slug}/leases", {"count": 1})
    bob.asks("post", "leases/extend", {"leases": [bob.lease]})
    bob.looks_around()


def skips(bob: Person) -> None:
    bob.puts_aside("skip", reason="too_hard")
    bob.looks_around()


def skips_and_answers(bob: Person) -> None:
    bob.puts_aside("skip", reason="too_hard", count=0)
    bob.submits(count=0)
    bob.sends_draft()
    bob.looks_around()


def calls_it_broken_and_answers(bob: Person) -> None:
    bob.puts_aside("skip", reason="broken", note="half", count=0)
    bob.submits(count=0)
    bob.sends_draft()
    bob.looks_around()


def flags_it_broken_and_answers(bob: Person) -> None:
    bob.puts_aside("flag", broken=True, note="half", count=0)
    bob.submits(count=0)
    bob.sends_draft()
    bob.looks_around()


def leaves_a_note(bob: Person) -> None:
    bob.puts_aside("flag", note="odd", count=0)
    bob.submits()
    bob.looks_around()


def saves_it_for_later_and_answers(bob: Person) -> None:
    bob.puts_aside("later", count=0)
    bob.submits(count=0)
    bob.looks_around()


def waits_too_long(bob: Person) -> None:
    runs_out(bob)
    bob.asks("post", "leases/extend", {"leases": [bob.lease]})
    bob.submits(count=0)
    bob.looks_around()


def waits_until_the_lead_has_it(bob: Person) -> None:
    runs_out(bob)
    bob.item().update(state=ItemState.WITH_LEAD, free=0)
    bob.submits(count=0)
    bob.sends_draft()


def is_late_in_an_archived_project(bob: Person) -> None:
    Project.objects.filter(pk=bob.project.pk).update(state=ProjectState.ARCHIVED)
    bob.submits(count=0)
    bob.sends_draft()
    bob.looks_around()


def is_at_the_cap(bob: Person) -> None:
    Membership.objects.filter(pk=bob.member.pk).update(cap=13)
    bob.submits()
    bob.looks_around()


def runs_out(bob: Person) -> None:
    Lease.objects.filter(pk=bob.lease).update(expires_at=Now() - timedelta(seconds=1))
    assert expire_leases(bob.project.pk) == 1


TRIES = [
    answers,
    sends_it_again,
    corrects,
    sends_nonsense,
    reloads,
    skips,
    skips_and_answers,
    calls_it_broken_and_answers,
    flags_it_broken_and_answers,
    leaves_a_note,
    saves_it_for_later_and_answers,
    waits_too_long,
    waits_until_the_lead_has_it,
    is_late_in_an_archived_project,
    is_at_the_cap,
]


@pytest.mark.parametrize("tries", TRIES, ids=lambda one: one.__name__)
def test_no_answer_tells_the_passes_apart(
    actors: Actors, tries: Callable[[Person], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}
    for kind in Pass:
        bob = a_project(actors, kind, monkeypatch)
        with monkeypatch.context() as patched:
            patched.setattr("core.services.lease.draw", lambda *_: (Pass.NORMAL, 0))
            tries(bob)
        told[kind] = bob.told
        Membership.objects.filter(pk=bob.member.pk).update(active=False)  # his list has one project at a time
    assert told[Pass.RETEST] == told[Pass.NORMAL]
    assert told[Pass.GOLD] == told[Pass.NORMAL]


def test_what_comes_after_the_last_item_is_not_known_as_a_repeat(
    actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every item is done, and Bob gets one more: the counts do not say that nothing was left."""
    bob = a_project(actors, Pass.RETEST, monkeypatch)
    Item.objects.filter(project=bob.project, done=0).update(state=ItemState.WITHDRAWN, free=0)
    recount(bob.project.pk)
    progress = bob.asks("post", f"projects/{bob.project.slug}/leases", {"count": 1, "have": []})["progress"]
    assert progress["total"] == 13
    assert progress["done"] == 10
    Project.objects.filter(pk=bob.project.pk).update(state=ProjectState.ARCHIVED)
    told = bob.asks("get", f"projects/{bob.project.slug}")["progress"]
    assert told["items_done"] == 13
