"""Mappings by script: what a merger would do, doing it, taking it back; nobody overwrites another's step."""

from typing import Any

import pytest
from django.test import Client

from core.models import LabelClass, Mapping, Question
from tests.conftest import Actors, client_of, token_client
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question

API = "/api/v1/projects/birds"
JSON = "application/json"


@pytest.fixture
def question(actors: Actors) -> Question:
    """Bob and Carol say red and rose at random."""
    made = make_question(actors.project, "colour", ["red", "rose", "blue", "?"], uncertain={"?"})
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    pairs = ["red red", "red rose", "rose red", "rose rose"] * 3 + ["blue blue"] * 6
    for item, pair in zip(make_items(actors.project, *map(str, range(len(pairs)))), pairs, strict=True):
        for member, label in zip((bob, carol), pair.split(), strict=True):
            make_answer(member, item, {"colour": label})
    return made


def post(client: Client, address: str, body: Any = None, version: str | None = None) -> Any:
    headers = {} if version is None else {"if-match": version}
    return client.post(address, body or {}, content_type=JSON, headers=headers)


def patch(client: Client, address: str, body: Any, version: str | None = None) -> Any:
    headers = {} if version is None else {"if-match": version}
    return client.patch(f"{API}/{address}", body, content_type=JSON, headers=headers)


MERGE = {"kind": "merge", "question": "colour", "classes": ["Red", "rose"], "into": "red", "name": "reddish"}


def test_a_pair_is_suggested_tried_merged_and_taken_apart(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    found = alice.get(f"{API}/merges/suggested?question=colour")
    pair = found.json()["pairs"][0]
    assert (pair["a"], pair["b"], pair["n"], pair["refused"]) == ("red", "rose", 6, None)
    assert pair["told_apart"]["ci"][0] < 0.1

    body = {"question": "colour", "merges": [{"classes": ["red", "rose"], "into": "red"}]}
    told = post(alice, f"{API}/merges/preview", body)
    assert told.json()["rows"]["answers"] == 12
    expected = told.json()["agreement"]["after"]["coefficients"]
    assert pair["after"] == {name: expected[name] for name in ("percent_agreement", "krippendorff_alpha")}
    assert found["ETag"] == told["ETag"] == '"m0"'

    made = post(alice, f"{API}/mappings", MERGE, told["ETag"])
    assert (made.status_code, made["ETag"]) == (201, '"m1"')
    assert made.json()["classes"] == ["reddish", "rose"]
    assert alice.get(f"{API}/agreement?question=colour&fresh=1").json()["coefficients"] == expected
    assert post(alice, f"{API}/merges/preview", body).json()["code"] == "already-merged"

    undone = post(alice, f"/api/v1/mappings/{made.json()['id']}/revert", version='"m1"')
    assert (undone.json()["classes"], undone["ETag"]) == (["red", "rose"], '"m2"')
    listed = alice.get(f"{API}/mappings")
    assert [(one["number"], one["reverted_by"]) for one in listed.json()["results"]] == [(1, "alice")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "split"}, "unknown-kind"),
        ({**MERGE, "x": 1}, "unknown-field"),
        ({**MERGE, "classes": "red"}, "invalid-document"),
        ({**MERGE, "into": None}, "invalid-document"),
        ({**MERGE, "classes": ["red", "?"]}, "mixed-uncertain"),
        ({**MERGE, "classes": ["crimson"]}, "unknown-class"),
        ({**MERGE, "question": "answers"}, "unknown-question"),
        ({**MERGE, "note": "x" * 501}, "bad-note"),
        ({"kind": "rename", "question": "colour", "class": "red", "name": 5}, "invalid-document"),
        ({"kind": "rename", "question": "colour", "class": "red", "name": "BLUE"}, "name-taken"),
        ({"kind": "rename", "question": "colour", "class": "red", "name": "red"}, "same-name"),
        ({"kind": "standardise", "question": "colour", "rules": []}, "not-a-text"),
    ],
)
def test_what_is_refused_says_why_and_does_nothing(
    actors: Actors, question: Question, body: dict[str, Any], code: str
) -> None:
    answer = post(client_of(actors.alice), f"{API}/mappings", body, "m0")
    assert (answer.status_code in {400, 409}, answer.json()["code"]) == (True, code)
    assert not Mapping.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"merges": "red"},
        {"merges": ["red"]},
        {"merges": []},
        {"merges": [{"classes": [1], "into": "red"}]},
        {"merges": [{"classes": ["red", "rose"], "into": "red"}], "uncertain": "perhaps"},
        {"merges": [{"classes": ["red", "rose"], "into": "red"}], "items": "some"},
        {"merges": [{"classes": ["red", "rose"], "into": "red"}], "real_names": True},
    ],
)
def test_a_what_if_that_nobody_can_read_is_refused(
    actors: Actors, question: Question, body: dict[str, Any]
) -> None:
    answer = post(client_of(actors.alice), f"{API}/merges/preview", {"question": "colour", **body})
    assert answer.status_code == 400


def test_every_step_names_the_version_that_it_follows(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    without = post(alice, f"{API}/mappings", MERGE)
    assert (without.status_code, without.json()["code"]) == (428, "precondition-required")
    assert post(alice, f"{API}/mappings", MERGE, "latest").json()["code"] == "bad-etag"
    assert post(alice, f"{API}/mappings", MERGE, "0").status_code == 201
    late = post(alice, f"{API}/mappings", {**MERGE, "classes": ["blue", "reddish"], "into": "blue"}, '"m0"')
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (412, "stale", 1)
    assert post(alice, f"/api/v1/mappings/{Mapping.objects.get().pk}/revert").status_code == 428


def test_texts_are_standardised(actors: Actors) -> None:
    make_question(actors.project, "why", [], kind="text")
    body = {"kind": "standardise", "question": "why", "rules": [{"from": "umm", "to": "um"}], "note": "noise"}
    made = post(client_of(actors.alice), f"{API}/mappings", body, "m0")
    assert (made.status_code, made.json()["rules"]) == (201, body["rules"])


def test_edits_of_classes_and_questions_name_the_version_that_they_follow(
    actors: Actors, question: Question
) -> None:
    alice = client_of(actors.alice)
    etag = alice.get(f"{API}/questions")["ETag"]
    assert etag == alice.get(API)["ETag"]
    address = f"questions/colour/classes/{LabelClass.objects.get(name='red').pk}"
    assert patch(alice, address, {"definition": "Like blood."}).status_code == 428
    edited = patch(alice, address, {"name": "ruby"}, etag)
    assert edited.json()["name"] == "ruby"
    assert patch(alice, address, {"name": "scarlet"}, etag).status_code == 412
    assert patch(alice, "questions/colour", {"title": "Colour?"}, etag).json()["code"] == "stale"
    done = patch(alice, "questions/colour", {"title": "Colour?"}, edited["ETag"])
    assert (done.status_code, done["ETag"]) == (200, alice.get(API)["ETag"])
    assert [one.kind for one in Mapping.objects.all()] == ["rename"]


def test_a_script_that_may_read_labels_may_look_and_not_merge(actors: Actors, question: Question) -> None:
    script = token_client(actors.alice, "labels:read")
    assert script.get(f"{API}/merges/suggested?question=colour").status_code == 200
    assert post(script, f"{API}/mappings", MERGE, "m0").status_code == 403
    eve = client_of(actors.eve)
    assert post(eve, f"{API}/mappings", MERGE, "m0").status_code == 404
