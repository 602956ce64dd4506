"""The labeling loop over the API: hand out, take in, put aside, correct."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.choices import AuditPart, ItemState, LeaseState, ProjectState
from core.models import Annotation, Answer, Draft, Flag, Item, LabelClass, Lease, Membership, Project
from core.pipelines.job import run_job
from core.services.lease import hand_out
from core.services.mapping import apply_rename
from core.services.progress import recount
from core.services.project import set_state
from tests.conftest import Actors, client_of, token_client
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.passes import mix_passes
from tests.factories.project import make_question

pytestmark = pytest.mark.django_db
LEASES = "/api/v1/projects/birds/leases"
CONTROL = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"})
MOST_STATEMENTS = 12


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Five items that want one answer each."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=1)
    made = make_items(Project.objects.get(pk=actors.project.pk), 5)
    recount(actors.project.pk)
    return made


@pytest.fixture
def bobs(actors: Actors, items: list[Item]) -> Client:
    """Bob's script."""
    return token_client(actors.bob)


def post(client: Client, address: str, body: Any, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(address, json.dumps(body), content_type="application/json", headers=headers)


def lease(client: Client, count: int = 1) -> list[dict[str, Any]]:
    answer = post(client, LEASES, {"count": count})
    assert answer.status_code == 201
    leases: list[dict[str, Any]] = answer.json()["leases"]
    return leases


def submit(client: Client, lease_id: str, key: str | None = None, **body: Any) -> Any:
    body.setdefault("answers", {"answer": "yes"})
    return post(client, f"/api/v1/leases/{lease_id}/annotation", body, key or str(uuid4()))


def names(leases: list[dict[str, Any]]) -> list[str]:
    return [one["item"]["id"] for one in leases]


def test_a_hand_out_holds_the_items_and_how_far_one_is(bobs: Client) -> None:
    body = post(bobs, LEASES, {"count": 2}).json()

    assert sorted(body) == ["empty_because", "held", "leases", "progress", "stopped", "until"]
    first, second = body["leases"]
    assert sorted(first) == ["earlier", "expires_at", "id", "item", "suggestion"]
    assert first["item"] == {
        "id": "item-1",
        "version": 1,
        "display": [{"kind": "text", "label": "text", "value": "Sentence 1."}],
        "meta": {},
    }
    assert second["item"]["id"] == "item-2"
    assert body["progress"] == {"mine": 0, "mine_today": 0, "done": 0, "total": 5}
    assert (body["empty_because"], body["until"], body["held"]) == (None, None, 0)


def test_nothing_in_a_hand_out_tells_the_audit_slice_from_the_rest(bobs: Client, actors: Actors) -> None:
    Item.objects.filter(external_id="item-1").update(audit=AuditPart.HOLDOUT)
    first, second = lease(bobs, 2)
    assert first["item"].keys() == second["item"].keys()
    assert AuditPart.HOLDOUT not in json.dumps(first)


@pytest.mark.parametrize("count", [0, 21, -1, "many", 1.5, None])
def test_a_count_is_a_whole_number_from_one_to_twenty(bobs: Client, count: Any) -> None:
    answer = post(bobs, LEASES, {"count": count})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert [row["pointer"] for row in answer.json()["errors"]] == ["/count"]


def test_a_paused_project_says_so(bobs: Client, actors: Actors) -> None:
    set_state(actors.membership(actors.alice), ProjectState.PAUSED)
    body = post(bobs, LEASES, {"count": 1}).json()
    assert (body["leases"], body["empty_because"]) == ([], "paused")


def test_what_others_hold_is_told_with_the_time_it_comes_back(bobs: Client, actors: Actors) -> None:
    hand_out(actors.membership(actors.carol), 5)
    body = post(bobs, LEASES, {"count": 1}).json()
    assert (body["leases"], body["empty_because"], body["held"]) == ([], "held_by_others", 5)
    first = Lease.objects.order_by("expires_at").values_list("expires_at", flat=True)[0]
    assert body["until"] == first.isoformat().replace("+00:00", "Z")


def test_an_answer_brings_the_next_item(bobs: Client) -> None:
    one = lease(bobs)[0]

    answer = submit(bobs, one["id"], elapsed_ms=1500, comment="clear")

    assert answer.status_code == 201
    body = answer.json()
    row = Annotation.objects.get()
    assert body["annotation"] == {
        "id": row.pk,
        "item": "item-1",
        "revision": 1,
        "answers": {"answer": "yes"},
    }
    assert (row.elapsed_ms, row.comment) == (1500, "clear")
    assert names(body["next"]) == ["item-2"]
    assert body["progress"] == {"mine": 1, "mine_today": 1}


def test_a_submit_fills_up_to_the_number_that_the_page_wants(bobs: Client) -> None:
    one, two = lease(bobs, 2)
    body = submit(bobs, one["id"], have=[one["id"], two["id"]], count=3).json()
    assert names(body["next"]) == ["item-3", "item-4"]
    again = submit(bobs, two["id"], have=[], count=0).json()
    assert again["next"] == []


def test_the_last_answer_says_that_all_is_done(bobs: Client) -> None:
    (*others, last) = lease(bobs, 5)
    for one in others:
        submit(bobs, one["id"], count=0)
    body = submit(bobs, last["id"]).json()
    assert (body["next"], body["empty_because"]) == ([], "all_done")
    assert body["progress"] == {"mine": 5, "mine_today": 5}


def test_the_same_request_again_is_answered_with_what_is_stored(bobs: Client) -> None:
    one = lease(bobs)[0]
    first = submit(bobs, one["id"], "k")
    again = submit(bobs, one["id"], "k")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["annotation"] == first.json()["annotation"]
    assert names(again.json()["next"]) == names(first.json()["next"])
    assert Annotation.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 65, "tab\there"])
def test_a_submit_needs_a_key(bobs: Client, key: str) -> None:
    one = lease(bobs)[0]
    answer = post(bobs, f"/api/v1/leases/{one['id']}/annotation", {"answers": {"answer": "yes"}}, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key")
    assert not Annotation.objects.exists()


def test_a_submit_takes_at_most_twelve_statements(bobs: Client) -> None:
    """Every kind of submit that a person at work sends: the next item comes along."""
    lease(bobs)
    for number in range(3):
        one = Lease.objects.get(state=LeaseState.ACTIVE)
        with CaptureQueriesContext(connection) as captured:
            assert submit(bobs, str(one.pk)).status_code == 201
        statements = [query["sql"] for query in captured if query["sql"].split()[0] not in CONTROL]
        if number:  # the first one reads the questions, which stay in memory
            assert len(statements) <= MOST_STATEMENTS, "\n".join(statements)


def test_answers_of_every_kind_come_back_as_they_were_sent(bobs: Client, actors: Actors) -> None:
    make_question(actors.project, "colours", ["red", "blue", "green"], kind="multiple", required=False)
    make_question(actors.project, "wings", [], kind="number", required=False, minimum=0)
    make_question(actors.project, "note", [], kind="text", required=False)
    sent = [
        {"answer": "cannot tell", "colours": ["red", "green"], "wings": 2.5, "note": " ünï\n"},
        {"answer": "no", "colours": [], "wings": 0.0, "note": ""},
        {"answer": "yes"},
    ]
    one = lease(bobs)[0]["id"]
    for answers in sent:
        body = submit(bobs, one, answers=answers).json()
        assert body["annotation"]["answers"] == answers
        one = body["next"][0]["id"]
    recent = bobs.get("/api/v1/projects/birds/recent").json()
    assert [row["answers"] for row in recent] == sent[::-1]
    assert [row["item"]["id"] for row in recent] == ["item-3", "item-2", "item-1"]


def test_nobody_sees_what_others_answered(bobs: Client, actors: Actors) -> None:
    """A27: blind."""
    Item.objects.update(target=2, free=2)
    submit(bobs, lease(bobs)[0]["id"], answers={"answer": "no"}, comment="a goose")
    carols = token_client(actors.carol)
    given = post(carols, LEASES, {"count": 1})
    assert names(given.json()["leases"]) == ["item-1"]
    assert "a goose" not in given.content.decode()
    assert carols.get("/api/v1/projects/birds/recent").json() == []
    assert carols.get("/api/v1/projects/birds/annotations").status_code == 403


def test_a_skip_gives_the_place_to_somebody_else(bobs: Client, actors: Actors) -> None:
    one = lease(bobs)[0]
    address = f"/api/v1/leases/{one['id']}/skip"
    for _attempt in range(2):
        answer = post(bobs, address, {"reason": "too_hard", "note": "blurred"}, "k")
        assert answer.status_code == 200
        assert names(answer.json()["next"]) == ["item-2"]
    row = Lease.objects.get(pk=one["id"])
    assert (row.state, row.reason, row.note) == (LeaseState.SKIPPED, "too_hard", "blurred")
    assert names(lease(token_client(actors.carol))) == ["item-1"]
    bad = post(bobs, address, {"reason": "because"}, "k2")
    assert (bad.status_code, bad.json()["code"]) == (400, "invalid")


def test_what_is_saved_for_later_comes_back_at_the_end(bobs: Client) -> None:
    one = lease(bobs)[0]
    answer = post(bobs, f"/api/v1/leases/{one['id']}/later", {"count": 0}, "k")
    assert (answer.status_code, answer.json()["next"]) == (200, [])
    assert names(lease(bobs, 5)) == ["item-2", "item-3", "item-4", "item-5", "item-1"]


def test_a_flag_is_a_note_and_a_broken_item_leaves_the_queue(bobs: Client) -> None:
    one, two = lease(bobs, 2)
    held = [one["id"], two["id"]]
    noted = post(
        bobs, f"/api/v1/leases/{one['id']}/flag", {"note": "is this a joke", "have": held, "count": 2}, "a"
    )
    assert noted.status_code == 200
    broken = post(bobs, f"/api/v1/leases/{two['id']}/flag", {"note": "cut", "broken": True, "count": 0}, "b")
    assert broken.status_code == 200
    assert list(Flag.objects.order_by("pk").values_list("note", "broken")) == [
        ("is this a joke", False),
        ("cut", True),
    ]
    assert Lease.objects.get(pk=one["id"]).state == LeaseState.ACTIVE
    assert Item.objects.get(external_id="item-2").state == ItemState.WITH_LEAD


def test_only_ones_own_leases_are_extended(bobs: Client, actors: Actors) -> None:
    mine = lease(bobs)[0]["id"]
    theirs = lease(token_client(actors.carol))[0]["id"]
    Lease.objects.update(expires_at=Now() + timedelta(seconds=5))
    kept = post(bobs, "/api/v1/leases/extend", {"leases": [mine, theirs]})
    assert kept.status_code == 200
    assert [row["id"] for row in kept.json()] == [mine]
    assert Lease.objects.get(pk=mine).expires_at > Lease.objects.get(pk=theirs).expires_at
    assert post(bobs, "/api/v1/leases/extend", {"leases": []}).json() == []
    assert post(bobs, "/api/v1/leases/extend", {"leases": [theirs]}).status_code == 403
    assert post(bobs, "/api/v1/leases/extend", {"leases": [str(uuid4())]}).status_code == 404


def test_a_correction_is_a_new_revision_of_ones_own_answer(bobs: Client, actors: Actors) -> None:
    made = submit(bobs, lease(bobs)[0]["id"]).json()["annotation"]
    address = f"/api/v1/annotations/{made['id']}"

    def correct(client: Client, answers: dict[str, str]) -> Any:
        return client.patch(address, json.dumps({"answers": answers}), content_type="application/json")

    fixed = correct(bobs, {"answer": "no"})
    assert fixed.status_code == 200
    assert fixed.json()["annotation"]["revision"] == 2
    assert fixed.json()["annotation"]["answers"] == {"answer": "no"}
    assert correct(bobs, {"answer": "perhaps"}).status_code == 400
    assert correct(token_client(actors.carol), {"answer": "no"}).status_code == 403
    assert correct(token_client(actors.eve), {"answer": "no"}).status_code == 404
    assert list(Annotation.objects.order_by("pk").values_list("revision", "current")) == [
        (1, False),
        (2, True),
    ]


def test_a_draft_is_sent_again_or_discarded_by_its_author(bobs: Client, actors: Actors) -> None:
    leases = lease(bobs, 2)
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))
    for _round in range(2):  # first what is free, then what ran out
        hand_out(actors.membership(actors.carol), 5)
    for one in leases:
        assert submit(bobs, one["id"]).status_code == 409
    first, second = sorted(Draft.objects.values_list("pk", flat=True))
    assert [draft["id"] for draft in bobs.get("/api/v1/drafts").json()] == [second, first]

    carols = token_client(actors.carol)
    assert post(carols, f"/api/v1/drafts/{first}", {}).status_code == 404
    assert carols.delete(f"/api/v1/drafts/{first}").status_code == 404
    waiting = post(bobs, f"/api/v1/drafts/{first}", {})
    assert (waiting.status_code, waiting.json()["code"]) == (409, "lease-expired")
    Item.objects.update(target=2, free=1)
    sent = post(bobs, f"/api/v1/drafts/{first}", {})
    assert (sent.status_code, sent.json()["annotation"]["answers"]) == (201, {"answer": "yes"})
    assert bobs.delete(f"/api/v1/drafts/{second}").status_code == 204
    assert bobs.get("/api/v1/drafts").json() == []
    assert Annotation.objects.count() == 1


def test_a_person_who_was_removed_can_neither_take_nor_answer(bobs: Client, actors: Actors) -> None:
    one = lease(bobs)[0]
    member = actors.membership(actors.bob)
    member.active = False
    member.save()
    assert post(bobs, LEASES, {"count": 1}).status_code == 404
    assert submit(bobs, one["id"]).status_code == 404
    assert not Annotation.objects.exists()


def test_a_token_without_the_scope_cannot_label(actors: Actors, items: list[Item]) -> None:
    reader = token_client(actors.bob, "labels:read")
    answer = post(reader, LEASES, {"count": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope")
    assert post(client_of(), LEASES, {"count": 1}).status_code == 401


# --- Blind --------------------------------------------------------------------------------------------


@pytest.fixture
def passes(actors: Actors) -> None:
    """Bob has answered 60 items a month ago, 60 more have gold, 80 are new; each pass is about as frequent."""
    project = Project.objects.filter(pk=actors.project.pk)
    project.update(overlap=1)
    old = make_items(Project.objects.get(pk=actors.project.pk), 60)
    bob = actors.membership(actors.bob)
    for item in old:
        make_answer(bob, item, {"answer": "yes"})
    Item.objects.update(done=1, free=0)
    Annotation.objects.update(created_at=Now() - timedelta(days=30))
    Membership.objects.filter(pk=bob.pk).update(answered=60)
    for item in make_items(Project.objects.get(pk=actors.project.pk), 140)[:60]:
        make_gold(item, "answer", "yes")
    recount(actors.project.pk)
    mix_passes(bob, 60)


def shape(value: Any) -> Any:
    """A document without its values: names, in their order, and kinds."""
    if isinstance(value, dict):
        return [(name, shape(part)) for name, part in value.items()]
    return [shape(part) for part in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.usefixtures("passes")
def test_nothing_tells_a_repeat_or_gold_from_a_normal_item(bobs_blind: Client) -> None:
    """Shapes, headers, status and statements of every reply are the same, whatever is answered and comes next."""
    one, seen, kinds = lease(bobs_blind)[0], set(), set()
    hidden = ("retest", "gold", "repeat", "pass")
    for number in range(60):
        kind = Lease.objects.get(pk=one["id"]).pass_kind
        with CaptureQueriesContext(connection) as captured:
            answer = submit(bobs_blind, one["id"], elapsed_ms=900)
        statements = [query["sql"] for query in captured if query["sql"].split()[0] not in CONTROL]
        body = answer.json()
        if number:  # the first one reads the questions, which stay in memory
            assert len(statements) <= MOST_STATEMENTS, "\n".join(statements)
            kinds.add((kind, Lease.objects.get(pk=body["next"][0]["id"]).pass_kind))
            names = tuple(sorted(set(answer.headers) - {"Content-Length"}))
            seen.add((answer.status_code, str(shape(body)), names, len(statements)))
        assert not any(word in answer.content.decode() for word in hidden)
        one = body["next"][0]
    assert len(kinds) == 9
    assert len(seen) == 1
    assert [len(kind) for kind in kinds] == [2] * 9


@pytest.mark.usefixtures("passes")
def test_what_people_may_read_of_their_own_work_does_not_tell_either(
    bobs_blind: Client, actors: Actors
) -> None:
    """Recent answers, a correction, a draft, a put-aside item, of each kind of pass; and a lead still sees it."""
    shapes: dict[str, set[str]] = {"normal": set(), "retest": set(), "gold": set()}
    for _turn in range(12):
        for one in lease(bobs_blind, 3):
            kind = Lease.objects.get(pk=one["id"]).pass_kind
            stored = submit(bobs_blind, one["id"], count=0).json()["annotation"]
            mended = bobs_blind.patch(
                f"/api/v1/annotations/{stored['id']}",
                json.dumps({"answers": {"answer": "no"}}),
                content_type="application/json",
            )
            recent = bobs_blind.get("/api/v1/projects/birds/recent").json()[0]
            shapes[kind].add(str([shape(stored), shape(mended.json()), shape(recent)]))
    assert len(set.union(*shapes.values())) == 1
    assert all(shapes.values())
    for kind in shapes:
        put_aside = Lease.objects.filter(pass_kind=kind).first()
        assert put_aside is not None
        assert bobs_blind.get(f"/api/v1/projects/birds/items/{put_aside.item.external_id}").status_code == 403
    assert bobs_blind.get("/api/v1/projects/birds/annotations").status_code == 403
    alices = token_client(actors.alice).get("/api/v1/projects/birds/annotations?format=json")
    told = b"".join(alices.streaming_content).decode()  # type: ignore[attr-defined]
    assert '"retest"' in told
    assert '"gold"' in told


@pytest.mark.usefixtures("passes")
def test_the_projects_progress_does_not_tell_what_ones_own_answer_did(
    bobs_blind: Client, actors: Actors
) -> None:
    """A repeat finishes no item: annotators read the count of finished items in tens, leads as it is."""
    told, true = set(), []
    for _turn in range(20):
        one = lease(bobs_blind)[0]
        submit(bobs_blind, one["id"], count=0)
        told.add(bobs_blind.get("/api/v1/projects/birds").json()["progress"]["items_done"])
        told.add(post(bobs_blind, LEASES, {"count": 1, "have": []}).json()["progress"]["done"])
        true.append(token_client(actors.alice).get("/api/v1/projects/birds").json()["progress"]["items_done"])
    assert len(told) <= 3
    assert {done % 10 for done in told} == {0}
    assert len(set(true)) > len(told)


@pytest.fixture
def bobs_blind(actors: Actors, passes: None) -> Client:
    """Bob's script, in the project with every pass."""
    return token_client(actors.bob)


# --- Overlap that adapts ------------------------------------------------------------------------------


def test_adaptive_overlap_is_set_started_and_read(actors: Actors, items: list[Item]) -> None:
    alices = token_client(actors.alice)
    address = "/api/v1/projects/birds/overlap"
    assert alices.get(address).json()["code"] == "not-adaptive"
    assert alices.post(address).json()["code"] == "not-adaptive"
    version = Project.objects.get(pk=actors.project.pk).version
    changed = alices.patch(
        "/api/v1/projects/birds",
        json.dumps({"adaptive": {"most": 3, "sure": 0.9, "budget": 10}}),
        content_type="application/json",
        headers={"If-Match": f'"{version}"'},
    )
    assert changed.status_code == 200, changed.content
    assert changed.json()["adaptive"] == {"most": 3, "sure": 0.9, "budget": 10}
    bobs = token_client(actors.bob)
    submit(bobs, lease(bobs)[0]["id"], count=0)
    started = alices.post(address)
    assert started.status_code == 202
    assert (started.json()["kind"], started.json()["state"]) == ("overlap", "queued")
    assert alices.post(address).json()["id"] == started.json()["id"]
    run_job(UUID(started.json()["id"]))
    assert alices.get(f"/api/v1/jobs/{started.json()['id']}").json()["result"]["raised"] == 1
    told = token_client(actors.dave).get(address).json()
    assert {name: told[name] for name in ("most", "question", "bought", "budget", "sure", "items")} == {
        "most": 3,
        "question": "answer",
        "bought": 1,
        "budget": 10,
        "sure": 0,
        "items": 0,  # it is open again
    }
    assert token_client(actors.bob).get(address).status_code == 403
    assert token_client(actors.dave).post(address).status_code == 403


# --- Classes renamed while somebody answers -----------------------------------------------------------


def renamed(actors: Actors, class_id: int, name: str) -> None:
    version = Project.objects.get(pk=actors.project.pk).mapping_version
    apply_rename(actors.membership(actors.alice), "answer", class_id, name, version=version)


def class_ids(project: Project) -> dict[str, int]:
    return dict(LabelClass.objects.filter(question__project=project).values_list("name", "pk"))


def stored_class(reply: Any) -> int | None:
    assert reply.status_code in {200, 201}, reply.content
    return Answer.objects.get(annotation=reply.json()["annotation"]["id"]).label_class_id


def test_a_name_that_a_class_had_still_means_it(actors: Actors, bobs: Client) -> None:
    (one,) = lease(bobs)
    yes = class_ids(actors.project)["yes"]
    renamed(actors, yes, "surely")
    reply = submit(bobs, one["id"])
    assert stored_class(reply) == yes
    assert reply.json()["annotation"]["answers"] == {"answer": "surely"}


def test_a_name_that_another_class_has_by_now_means_what_the_page_showed(
    actors: Actors, bobs: Client
) -> None:
    ids = class_ids(actors.project)
    first, second = lease(bobs, 2)
    renamed(actors, ids["yes"], "surely")
    renamed(actors, ids["no"], "yes")
    reply = submit(bobs, first["id"], classes={"answer": {"yes": ids["yes"]}})
    assert stored_class(reply) == ids["yes"]
    made = reply.json()["annotation"]["id"]
    body = {"answers": {"answer": "no"}, "classes": {"answer": {"no": ids["no"]}}}
    corrected = bobs.patch(f"/api/v1/annotations/{made}", json.dumps(body), content_type="application/json")
    assert stored_class(corrected) == ids["no"]
    assert stored_class(submit(bobs, second["id"])) == ids["no"]  # a script that knows names only


def test_a_name_that_two_classes_had_means_neither(actors: Actors, bobs: Client) -> None:
    (one,) = lease(bobs)
    ids = class_ids(actors.project)
    renamed(actors, ids["yes"], "surely")
    renamed(actors, ids["no"], "yes")
    renamed(actors, ids["no"], "never")
    refused = submit(bobs, one["id"])
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "unknown-class")


@pytest.mark.parametrize("class_id", [0, 10**9, -1])
def test_an_id_that_is_no_class_of_the_question_is_refused(bobs: Client, class_id: int) -> None:
    (one,) = lease(bobs)
    refused = submit(bobs, one["id"], classes={"answer": {"yes": class_id}})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "unknown-class")
