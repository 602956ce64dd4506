"""Notices by script."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.choices import NoticeKind
from core.models import Notice
from core.services.notice import notify
from tests.conftest import Actors

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
URL = "/api/v1/projects/birds/notices"


def read(client: Client, **body: Any) -> Any:
    return client.post(URL, json.dumps(body), content_type="application/json")


def test_a_member_reads_what_they_were_told_and_says_so(actors: Actors, token_client: Script) -> None:
    bob = actors.membership(actors.bob)
    for version in (2, 3, 4):
        notify([bob.pk], NoticeKind.GUIDELINE, version=version, note="")
    script = token_client(actors.bob)
    told = script.get(f"{URL}?page_size=2").json()
    assert told["unread"] == 3
    assert [(row["kind"], row["data"]["version"], row["read_at"]) for row in told["results"]] == [
        ("guideline", 4, None),
        ("guideline", 3, None),
    ]
    assert [row["data"]["version"] for row in script.get(told["next"]).json()["results"]] == [2]
    assert read(script, notice=told["results"][1]["id"]).json() == {"read": 1, "unread": 2}
    assert [row["data"]["version"] for row in script.get(f"{URL}?unread=true").json()["results"]] == [4, 2]
    assert read(script, until=told["results"][1]["id"]).json() == {"read": 1, "unread": 1}
    assert read(script).json() == {"read": 1, "unread": 0}
    assert script.get(f"{URL}?unread=maybe").json()["code"] == "bad-filter"


def test_nobody_reads_the_notices_of_others(actors: Actors, token_client: Script) -> None:
    notify([actors.membership(actors.bob).pk], NoticeKind.RESUMED)
    notice = Notice.objects.get()
    alice = token_client(actors.alice)
    assert alice.get(URL).json()["results"] == []
    assert read(alice, notice=notice.pk).status_code == 404
    assert read(alice).json()["read"] == 0
    assert read(token_client(actors.bob), notice=10**15).status_code == 404


def test_reviewers_are_not_told_names(actors: Actors, token_client: Script) -> None:
    alice, dave = actors.membership(actors.alice), actors.membership(actors.dave)
    notify(
        [dave.pk, alice.pk], NoticeKind.REVIEW, item="a", item_id=1, question="answer", review=1, by="alice"
    )
    assert "by" not in token_client(actors.dave).get(URL).json()["results"][0]["data"]
    assert token_client(actors.alice).get(URL).json()["results"][0]["data"]["by"] == "alice"
