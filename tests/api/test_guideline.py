"""The guideline by script: examples, classes that it touches, and If-Match."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.models import Notice
from tests.conftest import Actors
from tests.factories.answers import make_gold, make_items

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
URL = "/api/v1/projects/birds/guidelines"


def publish(client: Client, **body: Any) -> Any:
    """Publish with the ETag that was just read, unless another one, or None, is given."""
    etag = body.pop("etag") if "etag" in body else client.get(URL).headers.get("ETag")
    headers = {"If-Match": etag} if etag else {}
    return client.post(URL, json.dumps(body), content_type="application/json", headers=headers)


def test_a_version_is_published_with_examples_and_what_it_touches(
    actors: Actors, token_client: Script
) -> None:
    make_items(actors.project, "a", "b", done=3, free=0)
    make_items(actors.project, "held", audit="holdout", done=3, free=0)
    alice = token_client(actors.alice)
    examples = [
        {"item": "a", "class": "yes", "note": "The whole bird"},
        {"item": "held", "class": "no", "near_miss": True},
    ]
    made = publish(alice, text="Listen.", note="Songs", touches=[{"class": "yes"}], examples=examples)

    assert made.status_code == 201
    assert made.headers["ETag"] == '"2"'
    told = made.json()
    assert told.pop("known_to_all") == ["held"]
    assert {**told, "created_at": ""} == {
        "number": 2,
        "text": "Listen.",
        "note": "Songs",
        "created_at": "",
        "created_by": "Alice",
        "touches": [{"question": "answer", "class": "yes"}],
        "examples": [
            {"item": "a", "question": "answer", "class": "yes", "near_miss": False, "note": "The whole bird"},
            {"item": "held", "question": "answer", "class": "no", "near_miss": True, "note": ""},
        ],
    }
    listed = token_client(actors.bob).get(URL)
    assert listed.headers["ETag"] == '"2"'
    assert [version["number"] for version in listed.json()] == [1, 2]
    assert listed.json()[1] == told
    kept = publish(alice, text="Listen well.").json()
    assert kept["examples"] == told["examples"]  # and what was read can be sent back as it is
    assert publish(alice, text="Again.", examples=kept["examples"]).json()["examples"] == told["examples"]


def test_only_who_has_read_the_newest_version_replaces_it(actors: Actors, token_client: Script) -> None:
    alice = token_client(actors.alice)
    assert publish(alice, text="Two.", etag='"1"').status_code == 201
    late = publish(alice, text="Three.", etag='"1"')
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (412, "stale", 2)
    assert publish(alice, text="Three.", etag='"2"').status_code == 201
    assert publish(alice, text="Four.", etag=None).status_code == 201  # a script that does not look first
    assert publish(alice, text="Five.", etag='"x"').json()["code"] == "bad-etag"


def test_what_is_in_force_already_is_no_new_version(actors: Actors, token_client: Script) -> None:
    make_items(actors.project, "a", done=3, free=0)
    alice = token_client(actors.alice)
    examples = [{"item": "a", "class": "yes"}]
    assert publish(alice, text="Two.", examples=examples).status_code == 201
    for same in ({}, {"examples": examples}, {"note": "Once more"}):
        refused = publish(alice, text="Two.", **same)
        assert (refused.status_code, refused.json()["code"]) == (409, "guideline-unchanged")
    assert Notice.objects.filter(member__user=actors.bob).count() == 1
    assert publish(alice, text="Two.", examples=[]).json()["number"] == 3
    assert publish(alice, text="Two.", touches=[{"class": "yes"}]).json()["number"] == 4


def test_what_is_wrong_is_told_by_its_place(actors: Actors, token_client: Script) -> None:
    golden, _other = make_items(actors.project, "golden", "a")
    make_gold(golden, "answer", "yes")
    alice = token_client(actors.alice)
    refused = publish(alice, text="Two.", examples=[{"item": "a"}, {"item": "golden"}])
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-examples")
    assert [(row["pointer"], row["code"]) for row in refused.json()["errors"]] == [
        ("/examples/1", "has-gold")
    ]
    refused = publish(alice, text="Two.", touches=[{"class": "yes"}, {"class": "eagle"}])
    assert [(row["pointer"], row["code"]) for row in refused.json()["errors"]] == [
        ("/touches/1", "unknown-class")
    ]
    assert publish(alice, text="Two.", examples=[{"item": "a", "near_miss": "perhaps"}]).status_code == 400
    assert publish(alice, text="Two.", inquiry=77).status_code == 404
    assert publish(token_client(actors.bob), text="Two.").status_code == 403


def test_a_list_of_versions_costs_the_same_statements_for_any_number(
    actors: Actors, token_client: Script, django_assert_max_num_queries: Any
) -> None:
    make_items(actors.project, "a", "b", "c")
    alice, bob = token_client(actors.alice), token_client(actors.bob)
    examples = [{"item": name, "class": "yes"} for name in "abc"]
    for _ in range(6):
        assert publish(alice, text="Look.", touches=[{"class": "no"}], examples=examples).status_code == 201
    with django_assert_max_num_queries(8):
        bob.get(URL)
