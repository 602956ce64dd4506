"""A21 to A27: nobody reaches what is not theirs, by whatever address, verb or field.

Every address, method and role together: tests/test_permissions_matrix.py.
"""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.access import ROUTES, Action
from core.models import (
    Annotation,
    Gold,
    Import,
    Invitation,
    Item,
    Job,
    LabelClass,
    Lease,
    Membership,
    Question,
)
from tests.conftest import Actors, client_of, token_client
from tests.factories.item import make_items
from tests.factories.project import make_question
from tests.factories.world import ALL, World, ask, body_of

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"])
def test_a21_a_stranger_is_told_that_there_is_nothing(world: World, method: str) -> None:
    client = client_of(world.people["stranger"])
    wrong = []
    for name in ALL:
        rules = ROUTES[name]
        if not any(isinstance(rule, Action) for rule in rules.values()):
            continue
        answer = ask(world, client, method, "stranger", name)
        known = {"GET", "HEAD"} if "GET" in rules else set()
        expected = 404 if method in known | set(rules) else 405
        body = body_of(answer)
        if answer.status_code != expected or b"Birds" in body or b"Sentence" in body:
            wrong.append(f"{method} {name}: {answer.status_code}")
    assert wrong == []


def test_a22_a_raw_id_opens_nothing(world: World) -> None:
    eve = client_of(world.people["stranger"])
    job, lease = Job.objects.get(), Lease.objects.filter(state="active").latest("created_at")
    annotation = Annotation.objects.latest("pk")
    for method, address in (
        ("get", f"/api/v1/jobs/{job.pk}"),
        ("post", f"/api/v1/jobs/{job.pk}/cancel"),
        ("post", f"/api/v1/leases/{lease.pk}/skip"),
        ("patch", f"/api/v1/annotations/{annotation.pk}"),
        ("post", f"/api/v1/members/{world.members['annotator'].pk}/reset-link"),
        ("delete", "/api/v1/tokens/1"),
    ):
        body = {"reason": "other", "answers": {"answer": "yes"}} if method != "get" else None
        headers = {"idempotency-key": "k" * 20}
        answer = getattr(eve, method)(address, body, content_type=JSON, headers=headers)
        assert answer.status_code == 404, address


def test_a23_an_annotator_changes_nobody(actors: Actors) -> None:
    carol = actors.membership(actors.carol)
    script = token_client(actors.bob)
    for answer in (
        script.patch(f"/api/v1/projects/birds/members/{carol.pk}", {"role": "lead"}, content_type=JSON),
        script.delete(f"/api/v1/projects/birds/members/{carol.pk}"),
        script.post(f"/api/v1/members/{carol.pk}/reset-link"),
    ):
        assert answer.status_code == 403
    assert client_of(actors.bob).get(f"/projects/birds/people/{carol.pk}").status_code in {403, 405}


def test_a24_things_of_another_project_are_not_reached_through_ones_own(world: World) -> None:
    """Eve owns flowers: its slug with an id of birds gives nothing and changes nothing."""
    eve = world.people["stranger"]
    assert eve is not None
    client, project = client_of(eve), world.project
    make_question(project, "only_here", ["a", "b"])
    member, invitation = world.members["annotator"], Invitation.objects.get()
    source, label_class = (
        Import.objects.get(),
        LabelClass.objects.filter(question__project=project).latest("pk"),
    )
    version = Item.objects.get(external_id="item-1").version
    wrong = []
    for method, address, body in (
        ("get", "items/item-1", None),
        ("patch", "items/item-1", {"data": {"text": "x"}}),
        ("post", "items/item-1/withdraw", {}),
        ("post", "items/item-1/restore", {}),
        ("post", "items/item-1/return", {}),
        ("get", "batches/1", None),
        ("patch", "batches/1", {"members": []}),
        ("get", "assets/bird.png", None),
        ("get", f"imports/{source.pk}", None),
        ("get", f"imports/{source.pk}/errors", None),
        ("post", f"imports/{source.pk}/accept", {}),
        ("post", f"imports/{source.pk}/discard", {}),
        ("get", f"members/{member.pk}", None),
        ("patch", f"members/{member.pk}", {"role": "owner"}),
        ("delete", f"members/{member.pk}", None),
        ("delete", f"invitations/{invitation.pk}", None),
        ("patch", "questions/only_here", {"title": "x"}),
        ("post", "questions/only_here/classes", {"name": "x"}),
        ("patch", f"questions/answer/classes/{label_class.pk}", {"name": "x"}),
    ):
        headers = {"if-match": f'"{version}"'}
        answer = getattr(client, method)(
            f"/api/v1/projects/flowers/{address}", body, content_type=JSON, headers=headers
        )
        if answer.status_code != 404:
            wrong.append(f"{method} {address}: {answer.status_code}")
    for address in (
        f"people/{member.pk}",
        f"people/{member.pk}/remove",
        f"people/{member.pk}/reset-link",
        f"invitations/{invitation.pk}/withdraw",
        f"imports/{source.pk}/discard",
    ):
        form = {f"member-{member.pk}-role": "owner", f"member-{member.pk}-cap": ""}
        answer = client.post(f"/projects/flowers/{address}", form)
        if answer.status_code not in {404, 405}:
            wrong.append(f"page {address}: {answer.status_code}")
    assert wrong == []
    member.refresh_from_db()
    invitation.refresh_from_db()
    assert (member.role, member.active, invitation.used_at) == ("annotator", True, None)
    assert Item.objects.get(external_id="item-1").state == "open"


def test_a24_batches_and_tokens_do_not_cross_projects(world: World) -> None:
    """Birds' lead gives a batch of birds to somebody of flowers."""
    eve = Membership.objects.get(user=world.people["stranger"])
    answer = client_of(world.people["owner"]).patch(
        "/api/v1/projects/birds/batches/1", {"members": [eve.pk]}, content_type=JSON
    )

    assert answer.status_code in {400, 404}
    assert not eve.batches.exists()


@pytest.mark.parametrize(
    "extra",
    [
        {"project": 2},
        {"annotator": 1},
        {"item": "item-2"},
        {"created_at": "2001-01-01T00:00:00Z"},
        {"id": 1},
        {"pass_kind": "gold", "repeat": 7, "revision": 9, "voided": True},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_a25_fields_that_are_not_asked_for_change_nothing(actors: Actors, extra: dict[str, Any]) -> None:
    make_items(actors.project, 2)
    script = token_client(actors.bob)
    (lease,) = script.post("/api/v1/projects/birds/leases", {"count": 1}, content_type=JSON).json()["leases"]

    answer = script.post(
        f"/api/v1/leases/{lease['id']}/annotation",
        {"answers": {"answer": "yes"}, **extra},
        content_type=JSON,
        headers={"idempotency-key": "k" * 20},
    )

    assert answer.status_code in {201, 400}
    for annotation in Annotation.objects.all():
        assert annotation.annotator == actors.membership(actors.bob)
        assert annotation.item.external_id == lease["item"]["id"]
        assert (annotation.pass_kind, annotation.repeat, annotation.revision) == ("normal", 1, 1)
        assert (annotation.voided, annotation.created_at.year > 2001) == (False, True)


def test_a26_nobody_raises_themselves(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    body = {"role": "owner", "is_superuser": True, "is_staff": True, "may_create_projects": True}

    for script in (token_client(actors.bob), client_of(actors.bob)):
        assert (
            script.patch(f"/api/v1/projects/birds/members/{bob.pk}", body, content_type=JSON).status_code
            == 403
        )
        script.post("/profile", {"display_name": "Bob", **body})
        assert script.post("/api/v1/projects", {"slug": "mine", **body}, content_type=JSON).status_code == 403
    actors.bob.refresh_from_db()
    assert (actors.membership(actors.bob).role, actors.bob.may_create_projects) == ("annotator", False)


def test_a27_an_annotator_sees_nobodys_answers(actors: Actors) -> None:
    items = make_items(actors.project, 2, target=3)
    question = Question.objects.get(project=actors.project)
    Gold.objects.create(item=items[0], question=question, label_class=question.classes.first())
    for user in (actors.carol, actors.dave):
        answer_one(token_client(user))
    bob = token_client(actors.bob)

    for address in (
        "items",
        "items/item-1",
        "annotations",
        "labels",
        "agreement",
        "members",
        "audit",
        "imports",
        "batches",
    ):
        refused = bob.get(f"/api/v1/projects/birds/{address}")
        assert refused.status_code == 403, address
        assert "ETag" not in refused.headers
    leases = bob.post("/api/v1/projects/birds/leases", {"count": 2}, content_type=JSON).json()["leases"]
    with_gold, without = sorted(leases, key=lambda lease: lease["item"]["id"])
    assert with_gold["item"].keys() == without["item"].keys() == {"id", "version", "display", "meta"}
    assert with_gold.keys() == without.keys() == {"id", "item", "expires_at", "suggestion", "earlier"}
    page = client_of(actors.bob).get("/projects/birds/label/").content.decode()
    for word in ("carol", "dave", "gold", "audit", "holdout"):
        assert word not in str(leases).lower()
        assert f'"{word}' not in page.lower()
    reply = answer_one(bob)
    assert "correct" not in str(reply).lower().replace("correction", "")


def answer_one(script: Client) -> Any:
    """Somebody answers an item that they hold or are given; the reply."""
    held = script.post("/api/v1/projects/birds/leases", {"count": 1, "have": []}, content_type=JSON).json()
    lease = held["leases"][0]["id"]
    return script.post(
        f"/api/v1/leases/{lease}/annotation",
        {"answers": {"answer": "yes"}, "count": 0},
        content_type=JSON,
        headers={"idempotency-key": f"key-of-{lease}"},
    ).json()


def test_a27_somebody_elses_lease_and_answer_stay_theirs(world: World) -> None:
    carols = world.values("reviewer", "api:lease-skip")["lease_id"]
    dave = world.values("reviewer", "api:annotation")["annotation_id"]
    bob = client_of(world.people["annotator"])
    headers = {"idempotency-key": "k" * 20}

    taken = bob.post(
        f"/api/v1/leases/{carols}/annotation",
        {"answers": {"answer": "yes"}},
        content_type=JSON,
        headers=headers,
    )
    changed = bob.patch(
        f"/api/v1/annotations/{dave}", {"answers": {"answer": "yes"}}, content_type=JSON, headers=headers
    )

    assert (taken.status_code, changed.status_code) == (403, 403)
    assert "Sentence" not in taken.content.decode() + changed.content.decode()


def test_the_pages_of_a_stranger_say_nothing_either(world: World) -> None:
    eve = client_of(world.people["stranger"])
    for name in ALL:
        if not name.startswith("api:") and isinstance(ROUTES[name].get("GET"), Action):
            page = eve.get(reverse(name, kwargs=world.values("stranger", name)))
            assert page.status_code == 404, name
            assert "Birds" not in page.content.decode(), name
