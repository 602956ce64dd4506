"""Taking one person's answers out of the counts over the API, and back."""

import pytest
from django.test import Client

from core.models import Annotation, Membership, Project, Void
from core.pipelines.job import run_job
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(actors: Actors) -> Membership:
    """Who has answered two items."""
    bob = actors.membership(actors.bob)
    for item in make_items(actors.project, "i1", "i2", done=1, free=2):
        make_answer(bob, item, {"answer": "yes"})
    Membership.objects.filter(pk=bob.pk).update(answered=2)
    return bob


def post(client: Client, address: str, **body: object) -> tuple[int, dict[str, object]]:
    answer = client.post(f"/api/v1/{address}", body, content_type="application/json")
    return answer.status_code, answer.json()


def test_a_dry_run_tells_and_does_nothing(actors: Actors, bob: Membership) -> None:
    status, told = post(client_of(actors.alice), "annotations/void", member=bob.pk, dry_run=True)

    counts = {"annotations": 2, "items": 2, "places": 2, "finished": 0, "resolutions": 0}
    assert (status, told) == (200, {"void": None, "counts": counts})
    assert not Void.objects.exists()


def test_answers_are_taken_out_listed_and_put_back(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)

    status, made = post(alice, "annotations/void", member=bob.pk, reason="in haste")

    assert status == 201
    (listed,) = alice.get("/api/v1/projects/birds/voids").json()["results"]
    assert listed == made["void"]
    assert (listed["name"], listed["reason"], listed["annotations"]) == ("bob", "in haste", 2)
    assert Annotation.objects.filter(voided=True).count() == 2
    status, back = post(alice, f"voids/{listed['id']}/undo")
    assert (status, back["annotations"], back["beyond"]) == (200, 2, 0)
    assert post(alice, f"voids/{listed['id']}/undo")[0] == 409
    assert not Annotation.objects.filter(voided=True).exists()


def test_what_is_wrong_is_named(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)

    assert post(alice, "annotations/void", reason="x")[1]["errors"][0]["pointer"] == "/member"  # type: ignore[index]
    status, told = post(alice, "annotations/void", member=bob.pk)
    assert (status, told["code"]) == (400, "bad-reason")
    status, told = post(alice, "annotations/void", member=bob.pk, reason="x", since="2030-01-01T00:00:00Z")
    assert (status, told["code"]) == (409, "nothing-to-void")


def test_strangers_are_told_that_there_is_nothing(actors: Actors, bob: Membership) -> None:
    assert post(client_of(actors.eve), "annotations/void", member=bob.pk, reason="x")[0] == 404
    assert post(client_of(actors.carol), "annotations/void", member=bob.pk, reason="x")[0] == 403
    assert Project.objects.filter(voids__isnull=False).count() == 0


def test_many_answers_are_a_job(actors: Actors, bob: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.services.void.MOST_AT_ONCE", 1)
    alice = client_of(actors.alice)

    status, job = post(alice, "annotations/void", member=bob.pk, reason="in haste")
    again = post(alice, "annotations/void", member=bob.pk, reason="in haste")
    other = post(alice, "annotations/void", member=bob.pk, reason="at random")

    assert (status, job["kind"], job["state"]) == (202, "void", "queued")
    assert (again[0], again[1]["id"]) == (202, job["id"])
    assert (other[0], other[1]["code"]) == (409, "void-under-way")
    assert not Void.objects.exists()
    run_job(job["id"])  # type: ignore[arg-type]
    told = alice.get(f"/api/v1/jobs/{job['id']}").json()
    void = Void.objects.get()
    counts = {"annotations": 2, "items": 2, "places": 2, "finished": 0, "resolutions": 0}
    assert (told["state"], told["result"]) == ("done", {"void": void.pk, **counts})

    status, job = post(alice, f"voids/{void.pk}/undo")
    assert (status, job["kind"]) == (202, "void_undo")
    run_job(job["id"])  # type: ignore[arg-type]
    told = alice.get(f"/api/v1/jobs/{job['id']}").json()
    assert told["result"] == {"void": void.pk, "annotations": 2, "beyond": 0}
    assert post(alice, f"voids/{void.pk}/undo")[0] == 409
