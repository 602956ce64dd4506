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


def typed(page: Any, **changed: Any) -> dict[str, Any]:
    """What the schema's form would send: all that it shows, with some inputs changed."""
    formset, version = page.context["fields"], page.context["form"]
    body = {f"fields-{key}": value for key, value in formset.management_form.initial.items()}
    body |= {"number": version["number"].value(), "note": "", "check": "on"}
    for row in page.context["rows"]:
        for bound in row["form"]:
            value = bound.value()
            if value not in {None, False, ""}:
                body[bound.html_name] = "on" if value is True else value
    for name, value in changed.items():
        field, _, key = name.rpartition("__")
        row = next(one for one in page.context["rows"] if one["form"].known == field)
        body[row["form"].add_prefix(key)] = value
    return {key: value for key, value in body.items() if value is not None}


def people(*ages: str) -> str:
    """A file of items with an age and a city."""
    rows = [f"p{age},Text number {n},{age},{['Rome', 'Oslo'][n % 2]}" for n, age in enumerate(ages)]
    return "id,text,age,city\n" + "\n".join(rows)


@pytest.fixture
def twenty(alice: Client, actors: Actors) -> Any:
    """The schema's page after a batch of twenty people of 20 to 39."""
    import_file(actors.membership(actors.alice), people(*map(str, range(20, 40))))
    return alice.get(f"{HOME}schema")


def test_the_schema_is_a_row_for_each_field_beside_what_the_newest_batch_says(twenty: Any) -> None:
    page = text(twenty)
    assert [row["form"].known for row in twenty.context["rows"]] == ["age", "city", "text", ""]
    assert "number · in every row · 20 to 39" in page
    assert "text · in every row · 2 categories: Oslo, Rome" in page
    assert "keeps to every bound of this schema." in page
    assert "Edit as JSON" in page


def test_a_bound_that_is_typed_is_tried_on_the_newest_batch_and_then_kept(alice: Client, twenty: Any) -> None:
    body = typed(twenty, age__maximum="30", city__categories="Rome\r\nBern", text__longest="13")
    tried = text(alice.post(f"{HOME}schema", {**body, "preview": "1"}))
    assert "crosses 3 bounds of this schema. Nothing is kept yet." in tried
    assert "The highest number is 39." in tried
    assert "10 of 20 values are none of the categories: Oslo." in tried
    assert "The longest text has 14 characters." in tried
    assert DataSchema.objects.count() == 1
    assert alice.post(f"{HOME}schema", {**body, "note": "as agreed"}).status_code == 302
    made = DataSchema.objects.latest("pk")
    fields = made.document["fields"]
    assert (made.number, made.note) == (2, "as agreed")
    assert (fields["age"]["maximum"], fields["age"]["minimum"], fields["age"]["learnt"]) == (30, 20, 0)
    assert fields["city"]["categories"] == ["Bern", "Rome"]
    assert fields["text"]["longest"] == 13


def test_what_is_sent_unchanged_changes_nothing(alice: Client, twenty: Any) -> None:
    assert alice.post(f"{HOME}schema", typed(twenty)).status_code == 302
    assert DataSchema.objects.count() == 1


def test_a_field_is_added_and_another_one_taken_out(alice: Client, twenty: Any) -> None:
    body = typed(twenty, city__remove="on", __name="weight", __type="quantity", __unit="kg")
    assert alice.post(f"{HOME}schema", body).status_code == 302
    fields = DataSchema.objects.latest("pk").document["fields"]
    assert sorted(fields) == ["age", "text", "weight"]
    assert (fields["weight"]["type"], fields["weight"]["unit"], fields["weight"]["required"]) == (
        "quantity",
        "kg",
        False,
    )


@pytest.mark.parametrize(
    ("changed", "where", "code"),
    [
        ({"age__minimum": "50"}, ("age", "maximum"), "bad-bound"),
        ({"age__minimum": "many"}, ("age", "minimum"), "invalid"),
        ({"text__longest": "-1"}, ("text", "longest"), "min_value"),
        ({"city__type": "colour"}, ("city", "type"), "invalid_choice"),
        ({"city__categories": "x" * 201}, ("city", "categories"), "bad-categories"),
        ({"city__categories": "a\0b"}, ("city", "categories"), "bad-categories"),
        ({"__name": "age"}, ("", "name"), "name-taken"),
        ({"__unit": "kg"}, ("", "name"), "bad-field"),
    ],
)
def test_what_is_wrong_is_told_at_its_input(
    alice: Client, twenty: Any, changed: dict[str, str], where: tuple[str, str], code: str
) -> None:
    answer = alice.post(f"{HOME}schema", typed(twenty, **changed))
    assert answer.status_code == 422
    form = next(one["form"] for one in answer.context["rows"] if one["form"].known == where[0])
    assert [(name, error.code) for name, errors in form.errors.as_data().items() for error in errors] == [
        (where[1], code)
    ]
    assert f'href="#id_{form.add_prefix(where[1])}"' in text(answer)
    assert DataSchema.objects.count() == 1


def test_all_fields_that_are_wrong_are_told_at_once(alice: Client, twenty: Any) -> None:
    answer = alice.post(f"{HOME}schema", typed(twenty, age__maximum="1", city__categories="x" * 201))
    assert sorted(row["name"] for row in answer.context["rows"] if row["form"].errors) == ["age", "city"]


def test_of_two_leads_who_edit_the_form_one_is_told(alice: Client, twenty: Any) -> None:
    assert alice.post(f"{HOME}schema", typed(twenty, age__maximum="60")).status_code == 302
    late = alice.post(f"{HOME}schema", typed(twenty, age__maximum="70"))
    assert late.status_code == 412
    assert "Somebody has changed the schema since you read it." in text(late)
    assert 'value="70"' in text(late)
    assert DataSchema.objects.latest("pk").document["fields"]["age"]["maximum"] == 60


def test_a_schema_can_be_written_before_there_is_a_batch(alice: Client) -> None:
    page = alice.get(f"{HOME}schema")
    assert alice.post(f"{HOME}schema", typed(page, __name="text", __required="on")).status_code == 302
    assert DataSchema.objects.get().document["fields"]["text"]["required"] is True


def test_a_schema_of_very_many_fields_is_edited_as_json(alice: Client, actors: Actors) -> None:
    DataSchema.objects.create(
        project=actors.project, number=1, document={"fields": {f"f{n}": {"type": "text"} for n in range(101)}}
    )
    assert "This schema has more than 100 fields; it is edited as JSON." in text(alice.get(f"{HOME}schema"))


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
