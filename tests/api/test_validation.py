"""Data validation over HTTP: reports, versions of the schema under an ETag, rules tried and kept."""

from typing import Any

import pytest
from django.test import Client

from core.models import Event, Job, Validation, ValidationRule
from tests.conftest import Actors, client_of, token_client
from tests.factories.imports import csv_items, import_file

URL = "/api/v1/projects/birds/validations"


@pytest.fixture
def alice(actors: Actors, media: Any) -> Client:
    """The lead's script, in a project with one batch of three items."""
    import_file(actors.membership(actors.alice), csv_items("a", "b", "c"))
    return token_client(actors.alice, "lead")


def send(client: Client, method: str, url: str, body: Any = None, **headers: str) -> Any:
    return getattr(client, method)(url, body or {}, content_type="application/json", headers=headers)


def test_reports_are_listed_and_read(alice: Client, actors: Actors) -> None:
    listed = alice.get(URL).json()["results"]
    assert [(one["batch"], one["schema"], one["severity"], one["n_items"]) for one in listed] == [
        (1, 1, "note", 3)
    ]
    assert listed[0]["n_findings"] == {"stop": 0, "warn": 0, "note": 1}
    one = alice.get(f"/api/v1/validations/{listed[0]['id']}").json()
    assert [(found["code"], found["kind"]) for found in one["findings"]] == [("schema-inferred", "schema")]
    source = alice.get(f"/api/v1/projects/birds/imports/{listed[0]['import']}").json()
    assert source["validation"] == listed[0]["id"]
    assert client_of(actors.eve).get(f"/api/v1/validations/{listed[0]['id']}").status_code == 404
    assert client_of(actors.bob).get(f"/api/v1/validations/{listed[0]['id']}").status_code == 403


def test_a_version_of_the_schema_needs_the_one_that_was_read(alice: Client) -> None:
    read = alice.get(f"{URL}/schema")
    assert read["ETag"] == '"1"'
    document = read.json()["results"][0]["document"]
    document["fields"]["text"]["longest"] = 90
    body = {"document": document, "note": "short ones"}
    assert send(alice, "post", f"{URL}/schema", body).status_code == 428
    made = send(alice, "post", f"{URL}/schema", body, **{"if-match": '"1"'})
    assert (made.status_code, made["ETag"], made.json()["note"]) == (201, '"2"', "short ones")
    late = send(alice, "post", f"{URL}/schema", body, **{"if-match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    newest = alice.get(f"{URL}/schema").json()["results"][0]
    changes = [(one["field"], one["property"], one["after"]) for one in newest["difference"]]
    assert changes == [("text", "longest", 90)]
    assert Job.objects.filter(kind="validate").count() == 1
    wrong = send(alice, "post", f"{URL}/schema", {"document": {"fields": 3}}, **{"if-match": '"2"'})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad-schema")


def test_a_rule_is_tried_made_changed_and_removed(alice: Client) -> None:
    rule = {"name": "short", "document": {"field": "text", "rule": "length", "args": {"maximum": 3}}}
    tried = send(alice, "post", f"{URL}/rules?preview=1", rule).json()
    assert (tried["n_items"], tried["n_broken"], tried["rows"][0]["id"]) == (3, 3, "a")
    assert not ValidationRule.objects.exists()
    made = send(alice, "post", f"{URL}/rules", rule)
    assert (made.status_code, made["ETag"], made.json()["severity"]) == (201, '"1"', "warn")
    again = send(alice, "post", f"{URL}/rules", rule)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "name-taken")
    one = f"/api/v1/validation-rules/{made.json()['id']}"
    changed = send(alice, "patch", one, {"severity": "stop"}, **{"if-match": '"1"'})
    assert (changed.json()["severity"], changed["ETag"]) == ("stop", '"2"')
    late = send(alice, "patch", one, {"severity": "note"}, **{"if-match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    assert [row["name"] for row in alice.get(f"{URL}/rules").json()["results"]] == ["short"]
    assert alice.delete(one).status_code == 204
    assert alice.delete(one).status_code == 404
    verbs = (
        Event.objects.filter(verb__startswith="validation-rule").order_by("pk").values_list("verb", flat=True)
    )
    assert list(verbs) == ["validation-rule.created", "validation-rule.changed", "validation-rule.removed"]


def test_reports_without_a_batch_are_listed_too(alice: Client, actors: Actors) -> None:
    Validation.objects.update(batch=None)
    assert alice.get(URL).json()["results"][0]["batch"] is None
