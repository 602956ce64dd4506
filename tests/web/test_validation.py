"""The pages of data validation: what changed, one report, the schema, the rules, and a held import."""

from typing import Any

import pytest
from django.test import Client

from core.choices import Gate, JobKind
from core.models import DataSchema, Import, Job, Project, Validation, ValidationRule
from tests.conftest import Actors, client_of
from tests.factories.imports import csv_items, import_file

HOME = "/projects/birds/validation/"


@pytest.fixture
def alice(actors: Actors, media: Any) -> Client:
    """The lead's browser."""
    return client_of(actors.alice)


def bring(actors: Actors, *names: str) -> Import:
    return import_file(actors.membership(actors.alice), csv_items(*names))


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_without_a_batch_the_page_says_what_it_is_for(alice: Client) -> None:
    assert "Nothing checked yet" in text(alice.get(HOME))


def test_what_changed_comes_first_and_rows_are_linked(alice: Client, actors: Actors) -> None:
    bring(actors, "a", "b", "c")
    assert "Nothing in this batch calls for attention." in text(alice.get(HOME))
    ValidationRule.objects.create(
        project=actors.project,
        name="tiny",
        document={"field": "text", "rule": "length", "args": {"minimum": None, "maximum": 3}},
    )
    bring(actors, "d", "e")
    page = text(alice.get(HOME))
    assert "1 thing in this batch calls for attention." in page
    assert "2 of 2 rows break the rule “tiny”." in page
    report = Validation.objects.latest("pk")
    shown = text(alice.get(f"{HOME}{report.pk}"))
    item = actors.project.items.get(external_id="d")
    assert f'<a href="/projects/birds/items/{item.pk}">d</a>' in shown


def test_a_held_import_shows_why(alice: Client, actors: Actors) -> None:
    Project.objects.update(validation_gate=Gate.STOP)
    ValidationRule.objects.create(
        project=actors.project,
        name="tiny",
        severity="stop",
        document={"field": "text", "rule": "length", "args": {"minimum": None, "maximum": 3}},
    )
    held = bring(actors, "a")
    page = text(alice.get(f"/projects/birds/imports/{held.pk}"))
    assert "1 row can be published, but what was found in it is grave." in page
    assert "1 of 1 rows break the rule “tiny”." in page
    assert "Publish the 1 accepted row" in page


def test_the_schema_is_changed_and_an_older_edit_is_told(alice: Client, actors: Actors) -> None:
    bring(actors, "a", "b")
    page = alice.get(f"{HOME}schema")
    assert "Version 1 is in force." in text(page)
    body = {
        "document": '{"fields": {"text": {"type": "text", "longest": 4}}}',
        "note": "short",
        "check": "on",
        "number": 1,
    }
    assert alice.post(f"{HOME}schema", body).status_code == 302
    assert DataSchema.objects.latest("pk").document["fields"]["text"]["longest"] == 4
    late = alice.post(f"{HOME}schema", body)
    assert late.status_code == 412
    assert "Somebody has changed the schema since you read it." in text(late)
    wrong = alice.post(f"{HOME}schema", {**body, "document": "{", "number": 2})
    assert wrong.status_code == 422
    assert "This is not JSON" in text(wrong)
    assert Job.objects.filter(kind=JobKind.VALIDATE).count() == 1


def test_a_batch_is_checked_again_from_its_report(alice: Client, actors: Actors) -> None:
    bring(actors, "a", "b")
    assert alice.post(f"{HOME}schema", {"batch": "1"}).status_code == 302
    assert Job.objects.get(kind=JobKind.VALIDATE).arguments == {"batch": actors.project.batches.get().pk}
    assert alice.post(f"{HOME}schema", {"batch": "9"}).status_code == 404


def test_a_rule_is_previewed_kept_changed_and_removed(alice: Client, actors: Actors) -> None:
    bring(actors, "a", "b")
    body = {
        "name": "names",
        "field": "text",
        "rule": "pattern",
        "pattern": "a$",
        "severity": "warn",
        "active": "on",
    }
    shown = text(alice.post(f"{HOME}rules/new", {**body, "preview": "1"}))
    assert "1 of the newest 2 items break this rule. Nothing is kept yet." in shown
    assert alice.post(f"{HOME}rules/new", body).status_code == 302
    rule = ValidationRule.objects.get()
    assert rule.document == {"field": "text", "rule": "pattern", "args": {"pattern": "a$"}}
    one = f"{HOME}rules/{rule.pk}"
    assert 'value="a$"' in text(alice.get(one))
    assert alice.post(one, {**body, "severity": "stop", "version": "1"}).status_code == 302
    assert alice.post(one, {**body, "version": "1"}).status_code == 412
    assert alice.post(one, {**body, "pattern": "(?=a)", "version": "2"}).status_code == 422
    assert alice.post(f"{one}/remove").status_code == 302
    assert not ValidationRule.objects.exists()
