"""Labeling functions over HTTP: made, tried, changed under an ETag, judged, applied."""

from typing import Any

import pytest
from django.test import Client

from core.choices import JobState
from core.models import Job, LabelingFunction, Prediction
from core.pipelines.job import run_job
from tests.conftest import Actors, client_of, token_client
from tests.factories.answers import make_items

URL = "/api/v1/projects/birds/functions"
TEXT = {"name": "text", "kind": "keywords", "class": "yes", "arguments": {"words": ["text of"]}}


@pytest.fixture
def alice(actors: Actors) -> Client:
    """The lead's script, in a project with the items a, b and c."""
    make_items(actors.project, "a", "b", "c")
    return token_client(actors.alice, "lead")


def send(client: Client, method: str, url: str, body: Any = None, **headers: str) -> Any:
    return getattr(client, method)(url, body or {}, content_type="application/json", headers=headers)


def test_a_function_is_made_read_changed_and_removed(alice: Client) -> None:
    made = send(alice, "post", URL, TEXT)
    assert made.status_code == 201
    body = made.json()
    assert body["arguments"] == {"words": ["text of"], "every": False, "also": [], "field": None}
    assert (body["question"], body["class"], body["active"], body["version"]) == ("answer", "yes", True, 1)
    one = f"{URL}/{body['id']}"
    assert alice.get(one)["ETag"] == made["ETag"] == '"1"'
    assert alice.get(URL).json()["results"] == [body]
    changed = send(alice, "patch", one, {"active": False, "class": "no"}, **{"if-match": '"1"'})
    assert (changed.json()["class"], changed.json()["active"], changed["ETag"]) == ("no", False, '"2"')
    same = send(alice, "patch", one, {"class": "no"}, **{"if-match": '"2"'})
    assert same["ETag"] == '"2"'
    assert send(alice, "patch", one, {"class": "yes"}, **{"if-match": '"1"'}).status_code == 412
    assert send(alice, "patch", one, {"class": "yes"}).status_code == 428
    assert alice.delete(one).status_code == 204
    assert alice.get(one).status_code == 404


def test_a_bad_pattern_and_a_taken_name_are_refused_where_they_stand(alice: Client) -> None:
    bad = {"name": "look", "kind": "pattern", "class": "yes", "arguments": {"pattern": "(?=a)b"}}
    refused = send(alice, "post", URL, bad)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-pattern")
    assert refused.json()["errors"][0]["pointer"] == "/arguments/pattern"
    assert "Lookaheads" in refused.json()["detail"]
    send(alice, "post", URL, TEXT)
    taken = send(alice, "post", URL, TEXT)
    assert (taken.status_code, taken.json()["code"]) == (400, "name-taken")
    assert LabelingFunction.objects.count() == 1


def test_a_function_is_tried_without_being_kept(alice: Client) -> None:
    shown = send(alice, "post", f"{URL}/preview", {key: TEXT[key] for key in ("kind", "class", "arguments")})
    assert (shown.json()["n_items"], shown.json()["n_matched"]) == (3, 3)
    assert shown.json()["examples"][0]["parts"][0] == {"text": "Text of", "marked": True}
    assert not LabelingFunction.objects.exists()


def test_what_explodes_elsewhere_is_answered(actors: Actors, alice: Client) -> None:
    """A pathological pattern on 50,000 characters that do not match; only “Text of a” does."""
    (item,) = make_items(actors.project, "long")
    item.data = {"text": "a" * 50_000 + "!"}
    item.save()
    body = {"kind": "pattern", "class": "yes", "arguments": {"pattern": "(a+)+$"}}
    shown = send(alice, "post", f"{URL}/preview", body).json()
    assert (shown["n_items"], shown["n_matched"], shown["cut"]) == (4, 1, False)


def test_the_report_and_a_run_of_labels(alice: Client) -> None:
    send(alice, "post", URL, TEXT)
    told = alice.get(f"{URL}/report").json()
    assert (told["coverage"]["value"], told["functions"][0]["n"]) == (1.0, 3)
    assert alice.get(f"{URL}/report", {"question": "other"}).json()["code"] == "unknown-question"
    started = send(alice, "post", f"{URL}/apply", {"question": "answer"})
    assert started.status_code == 202
    assert send(alice, "post", f"{URL}/apply").json()["id"] == started.json()["id"]  # one at a time
    run_job(Job.objects.get().pk)
    job = Job.objects.get()
    assert job.state == JobState.DONE
    assert job.result is not None
    assert Prediction.objects.filter(run=job.result["run"]).count() == 3


def test_nothing_to_apply_and_an_unknown_rule_are_refused(alice: Client) -> None:
    assert send(alice, "post", f"{URL}/apply").json()["code"] == "no-functions"
    assert send(alice, "post", f"{URL}/apply", {"rule": "magic"}).json()["code"] == "bad-rule"
    assert send(alice, "post", f"{URL}/apply", {"colour": "red"}).json()["code"] == "unknown-field"


def test_reviewers_read_and_do_not_write(actors: Actors, alice: Client) -> None:
    made = send(alice, "post", URL, TEXT).json()
    dave = client_of(actors.dave)
    assert dave.get(URL).status_code == dave.get(f"{URL}/report").status_code == 200
    assert dave.delete(f"{URL}/{made['id']}").status_code == 403
    assert client_of(actors.bob).get(URL).status_code == 403
    assert client_of(actors.eve).get(f"{URL}/report").status_code == 404


def test_functions_of_another_project_are_not_there(actors: Actors, alice: Client) -> None:
    made = send(alice, "post", URL, TEXT).json()
    eve = client_of(actors.eve)
    assert eve.get(f"/api/v1/projects/flowers/functions/{made['id']}").status_code == 404
    assert eve.delete(f"/api/v1/projects/flowers/functions/{made['id']}").status_code == 404
