"""Spreading by the API: begun, read, refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import JobKind, JobState
from core.models import Job
from core.pipelines.job import run_job
from tests.conftest import Actors
from tests.factories.pool import answer_items, make_pool

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]


def address(actors: Actors, name: str = "api:spreading") -> str:
    return reverse(name, args=[actors.project.slug])


def post(client: Client, url: str, body: Any) -> Any:
    return client.post(url, json.dumps(body), content_type="application/json")


def test_it_is_begun_once_and_its_result_is_told(actors: Actors, token_client: Script, media: Any) -> None:
    make_pool(actors.project, 120)
    answer_items(actors.membership(actors.bob), 10)
    client = token_client(actors.alice)
    assert client.get(address(actors)).json() == {"job": None, "result": None}
    begun = post(client, address(actors), {})
    assert begun.status_code == 202
    Job.objects.update(state=JobState.QUEUED)
    assert post(client, address(actors), {"question": "answer"}).json()["id"] == begun.json()["id"]
    assert client.get(address(actors)).json()["job"]["kind"] == "spread"
    run_job(Job.objects.get(kind=JobKind.SPREAD).pk)
    told = client.get(address(actors)).json()
    assert told["job"] is None
    assert (told["result"]["offered"], told["result"]["why"]) == (False, "too_few_labels")


@pytest.mark.parametrize("name", ["api:spreading", "api:label-errors"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"question": "other"}, "unknown-question"),
        ({"question": 7}, "unknown-question"),
        ({"seed": 7}, "unknown-field"),
    ],
)
def test_a_wrong_request_begins_nothing(
    actors: Actors, token_client: Script, name: str, body: Any, code: str
) -> None:
    answer = post(token_client(actors.alice), address(actors, name), body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Job.objects.exists()


def test_reviewers_read_and_do_not_begin(actors: Actors, token_client: Script) -> None:
    client = token_client(actors.dave)
    assert client.get(address(actors)).status_code == 200
    assert post(client, address(actors), {}).status_code == 403
