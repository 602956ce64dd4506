"""The validation of imports: the first batch makes the schema, later ones are compared, a grave finding holds."""

import random
from typing import Any

import pytest

from core.choices import Gate, ImportState, JobKind, JobState, OnError, Severity
from core.exceptions import Invalid, Stale
from core.models import DataSchema, Event, Import, Item, Job, Membership, Project, Validation
from core.pipelines.job import run_job
from core.pipelines.validation import change_data_schema, preview_rule, save_rule
from core.selectors.validation import schema_difference
from core.services.imports import accept_import, discard_import
from core.services.mapping import apply_merge, apply_rename
from tests.conftest import Actors
from tests.factories.imports import import_file, jsonl
from tests.factories.project import make_question

WORDS = ["".join(random.Random(n).choices("abcdefghij", k=3 + n % 6)) for n in range(400)]


@pytest.fixture
def alice_here(actors: Actors, media: Any) -> Membership:
    """Alice's membership, with a folder for uploads."""
    return actors.membership(actors.alice)


def rows(name: str, n: int = 200, seed: int = 1, **other: Any) -> list[dict[str, Any]]:
    """Honest items; ``other`` gives data fields another value."""
    draw = random.Random(seed)
    return [
        {
            "id": f"{name}{number}",
            "data": {
                "text": " ".join(draw.choices(WORDS, k=12)),
                "age": draw.randint(18, 80),
                "weight": f"{draw.randint(50, 99)} kg",
                **other,
            },
            "meta": {"country": draw.choice("abc")},
        }
        for number in range(n)
    ]


def bring(member: Membership, items: list[dict[str, Any]], **options: Any) -> Import:
    return import_file(member, jsonl(items), name="items.jsonl", **options)


def stop(project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(validation_gate=Gate.STOP)


def codes(report: Validation, severity: str | None = None) -> set[tuple[str, str]]:
    return {(one["code"], one["field"]) for one in report.findings if severity in {None, one["severity"]}}


def test_the_first_batch_makes_the_schema(alice_here: Membership, project: Project) -> None:
    source = bring(alice_here, rows("a"))
    report = Validation.objects.get()
    schema = DataSchema.objects.get()
    assert (report.batch, report.source, report.schema, report.n_items) == (source.batch, source, schema, 200)
    assert ("schema-inferred", "") in codes(report)
    assert report.severity == Severity.NOTE
    fields = schema.document["fields"]
    assert set(fields) == {"text", "age", "weight", "meta.country"}
    assert (fields["age"]["type"], fields["age"]["minimum"], fields["age"]["maximum"]) == ("number", 18, 80)
    assert (fields["weight"]["unit"], fields["meta.country"]["categories"]) == ("kg", ["a", "b", "c"])
    assert all(field["required"] for field in fields.values())


def test_a_batch_like_the_first_raises_no_alarm_and_keeps_the_schema(alice_here: Membership) -> None:
    bring(alice_here, rows("a"))
    bring(alice_here, rows("b", seed=2))
    report = Validation.objects.latest("pk")
    assert report.severity == Severity.NOTE
    assert DataSchema.objects.count() == 1


def test_a_fault_is_told_with_its_rows_and_a_figure(alice_here: Membership) -> None:
    bring(alice_here, rows("a"))
    faulty = rows("b", seed=2)
    for row in faulty[:20]:
        row["data"]["weight"] = row["data"]["weight"].replace("kg", "lb")
    bring(alice_here, faulty)
    report = Validation.objects.latest("pk")
    finding = next(one for one in report.findings if one["code"] == "unit-changed")
    assert (finding["severity"], finding["field"], finding["n"], finding["of"]) == ("warn", "weight", 20, 200)
    assert finding["rows"][0] == {"row": 1, "id": "b0", "value": faulty[0]["data"]["weight"]}
    assert len(finding["rows"]) == 20
    assert finding["detail"] == "“weight” is in kg; 20 of 200 values are not (mostly lb)."
    assert finding["figure"]["value"] == 0.1
    assert finding["figure"]["ci"][0] < 0.1 < finding["figure"]["ci"][1]


def test_a_grave_finding_holds_the_import_where_the_gate_stops(
    alice_here: Membership, project: Project
) -> None:
    stop(project)
    assert bring(alice_here, rows("a")).state == ImportState.PUBLISHED
    held = bring(alice_here, rows("b", seed=2, age="unknown to us"), on_error=OnError.PUBLISH_ACCEPTED)
    assert held.state == ImportState.HELD
    report = Validation.objects.latest("pk")
    assert (report.batch, report.source) == (None, held)
    assert ("type-changed", "age") in codes(report, "stop")
    assert not Item.objects.filter(external_id="b0").exists()
    accepted = accept_import(alice_here, held.pk, send=False)
    assert accepted.job_id is not None
    run_job(accepted.job_id)
    held.refresh_from_db()
    report.refresh_from_db()
    assert (held.state, report.batch) == (ImportState.PUBLISHED, held.batch)
    assert Event.objects.get(verb="import.accepted").data["validation"] == report.pk


def test_a_discarded_batch_is_no_reference_and_makes_no_schema(
    alice_here: Membership, project: Project
) -> None:
    stop(project)
    save_rule(
        alice_here,
        {
            "name": "old enough",
            "severity": "stop",
            "document": {"field": "age", "rule": "range", "args": {"minimum": 21}},
        },
    )
    held = bring(alice_here, rows("a"))
    assert held.state == ImportState.HELD
    discard_import(alice_here, held.pk)
    assert not DataSchema.objects.exists()
    bring(alice_here, rows("b", seed=2, age=50))
    report = Validation.objects.latest("pk")
    assert ("schema-inferred", "") in codes(report)
    assert ("numbers-drifted", "age") not in codes(report)


@pytest.mark.parametrize("gate", [Gate.OFF, Gate.WARN])
def test_other_gates_let_everything_in(alice_here: Membership, project: Project, gate: str) -> None:
    Project.objects.filter(pk=project.pk).update(validation_gate=gate)
    bring(alice_here, rows("a"))
    assert bring(alice_here, rows("b", seed=2, age="unknown to us")).state == ImportState.PUBLISHED
    assert Validation.objects.latest("pk").severity == Severity.STOP


def test_rows_that_are_refused_late_are_not_in_the_report(alice_here: Membership) -> None:
    bring(alice_here, rows("a"))
    again = [*rows("a"), *rows("b", n=50, seed=2)]
    source = bring(alice_here, again)
    report = Validation.objects.latest("pk")
    assert (source.accepted, source.rejected, report.n_items) == (50, 200, 50)
    assert not [one for one in report.findings if one["kind"] == "duplicate"]


def test_copies_of_items_of_an_earlier_batch_are_found(alice_here: Membership) -> None:
    bring(alice_here, rows("a"))
    bring(alice_here, [*rows("b", n=150, seed=2), *rows("c", n=50)])
    finding = next(
        one for one in Validation.objects.latest("pk").findings if one["code"] == "near-duplicates-earlier"
    )
    assert (finding["severity"], finding["n"], finding["of"]) == ("warn", 50, 200)
    assert [row["id"] for row in finding["rows"]] == [f"c{n}" for n in range(20)]


def test_a_new_version_of_the_schema_checks_the_newest_batch_again(
    alice_here: Membership, project: Project
) -> None:
    bring(alice_here, rows("a"))
    bring(alice_here, rows("b", seed=2))
    first = DataSchema.objects.get()
    document = {**first.document, "fields": {**first.document["fields"]}}
    document["fields"]["age"] = {**document["fields"]["age"], "maximum": 60}
    made = change_data_schema(alice_here, document, "nobody older takes part", 1)
    assert (made.number, made.document["fields"]["age"]["learnt"]) == (2, 0)
    assert made.document["fields"]["weight"]["learnt"] == 200
    assert schema_difference(made.document, first.document) == [
        {"field": "age", "change": "changed", "property": "maximum", "before": 80.0, "after": 60}
    ]
    job = Job.objects.get(kind=JobKind.VALIDATE)
    run_job(job.pk)
    job.refresh_from_db()
    report = Validation.objects.latest("pk")
    assert (job.state, job.result) == (
        JobState.DONE,
        {"validation": report.pk, "severity": report.severity, "findings": len(report.findings)},
    )
    assert (report.schema, report.batch) == (made, Import.objects.latest("pk").batch)
    assert ("above-maximum", "age") in codes(report, "stop")
    assert all(row["id"].startswith("b") for one in report.findings for row in one["rows"])


def test_of_two_edits_of_the_schema_one_succeeds(alice_here: Membership) -> None:
    bring(alice_here, rows("a"))
    change_data_schema(alice_here, {"fields": {"text": {"type": "text"}}}, "", 1, check=False)
    with pytest.raises(Stale):
        change_data_schema(alice_here, {"fields": {}}, "", 1, check=False)
    assert DataSchema.objects.count() == 2


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ([], "/document", "bad-schema"),
        ({"fields": {"age": 3}}, "/document/fields/age", "bad-field"),
        ({"fields": {"age": {"type": "integer"}}}, "/document/fields/age/type", "bad-type"),
        ({"fields": {"age": {"minimum": 9, "maximum": 1}}}, "/document/fields/age/maximum", "bad-bound"),
        ({"fields": {"age": {"longest": 1.5}}}, "/document/fields/age/longest", "bad-bound"),
        ({"fields": {"age": {"categories": [1]}}}, "/document/fields/age/categories", "bad-categories"),
        ({"fields": {"age": {"colour": "red"}}}, "/document/fields/age/colour", "unknown-field"),
        ({"fields": {}, "more": 1}, "/document/more", "unknown-field"),
    ],
)
def test_a_wrong_schema_is_refused_where_it_is_wrong(
    alice_here: Membership, document: Any, pointer: str, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        change_data_schema(alice_here, document, "", 0)
    assert [(one["pointer"], one["code"]) for one in refusal.value.errors] == [(pointer, code)]


RULES: list[tuple[dict[str, Any], int, int | None]] = [
    ({"field": "text", "rule": "required"}, 1, 0),
    ({"field": "age", "rule": "range", "args": {"minimum": 20, "maximum": 40}}, 2, 1),
    ({"field": "text", "rule": "pattern", "args": {"pattern": "^[a-z ]+$"}}, 1, 2),
    ({"field": "meta.country", "rule": "one_of", "args": {"values": ["de", "fr"]}}, 1, 3),
    ({"field": "text", "rule": "length", "args": {"maximum": 5}}, 1, 3),
    ({"field": "age", "rule": "unique"}, 1, 3),
    ({"field": "meta.country", "rule": "share_at_least", "args": {"share": 0.6, "value": "de"}}, 2, None),
    ({"field": "meta.country", "rule": "share_at_least", "args": {"share": 0.5, "value": "de"}}, 0, None),
]


@pytest.mark.parametrize(("document", "n", "first"), RULES, ids=[one[0]["rule"] for one in RULES])
def test_a_rule_is_tried_on_the_items_and_asked_of_the_next_batch(
    alice_here: Membership, project: Project, document: dict[str, Any], n: int, first: int | None
) -> None:
    items = [
        {"id": "i0", "data": {"text": "", "age": 30}, "meta": {"country": "de"}},
        {"id": "i1", "data": {"text": "a b", "age": 19}, "meta": {"country": "de"}},
        {"id": "i2", "data": {"text": "A1", "age": 41}, "meta": {"country": "fr"}},
        {"id": "i3", "data": {"text": "abcdef", "age": 30}, "meta": {"country": "nl"}},
    ]
    bring(alice_here, items)
    tried = preview_rule(project, document)
    assert (tried["n_items"], tried["n_broken"]) == (4, n)
    made = save_rule(alice_here, {"name": "mine", "severity": "stop", "document": document})
    for item in items:
        item["id"] = f"next-{item['id']}"
    bring(alice_here, items)
    told = [one for one in Validation.objects.latest("pk").findings if one["rule"] == made.pk]
    assert [one["n"] for one in told] == [n] * bool(n)
    if first is not None:
        assert told[0]["rows"][0]["row"] == first + 1 == tried["rows"][0]["row"]
        assert told[0]["severity"] == "stop"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"field": "text", "rule": "pattern", "args": {"pattern": "(?=x)"}}, "bad-pattern"),
        ({"field": "text", "rule": "range", "args": {}}, "bad-bound"),
        ({"field": "text", "rule": "range", "args": {"minimum": 3, "maximum": 1}}, "bad-bound"),
        ({"field": "text", "rule": "share_at_least", "args": {"share": 2}}, "bad-share"),
        ({"field": "text", "rule": "one_of", "args": {"values": []}}, "bad-values"),
        ({"field": "text", "rule": "beautiful"}, "unknown-rule"),
        ({"field": "", "rule": "required"}, "bad-field"),
        ({"field": "text", "rule": "required", "args": {"x": 1}}, "unknown-field"),
        ("text", "bad-rule"),
    ],
)
def test_a_wrong_rule_is_refused(alice_here: Membership, document: Any, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        save_rule(alice_here, {"name": "mine", "document": document})
    assert refusal.value.code == code


# --- Files of answers ---------------------------------------------------------------------------------

HEADERS = {
    "annotations": "item_id,annotator,question,label",
    "gold": "item_id,question,label",
    "predictions": "item_id,question,label",
}


def answers(kind: str, items: range, yes: float, *, topics: float | None = None) -> str:
    """A file of answers: this share of the items is a yes, by two people alike where it is of annotations."""
    draw = random.Random(items.start)
    lines = [HEADERS[kind]]
    for number in items:
        label = "yes" if draw.random() < yes else "no"
        for who in ("w1", "w2") if kind == "annotations" else ("",):
            lines.append(",".join(filter(None, [f"a{number}", who, "answer", label])))
            if topics is not None:
                ticked = "hair" if draw.random() < topics else "nose"
                lines.append(",".join(filter(None, [f"a{number}", who, "topics", ticked])))
    return "\n".join(lines)


def options(kind: str, run: str = "") -> dict[str, str]:
    return {"run": run or "model"} if kind == "predictions" else {}


@pytest.mark.parametrize("kind", ["annotations", "gold", "predictions"])
def test_a_file_of_answers_with_another_balance_is_held_and_published_all_the_same(
    alice_here: Membership, project: Project, kind: str
) -> None:
    stop(project)
    bring(alice_here, rows("a", n=600))
    first = import_file(alice_here, answers(kind, range(300), 0.3), kind, **options(kind))
    assert first.state == ImportState.PUBLISHED
    told = Validation.objects.get(source=first)
    assert (told.batch, told.schema, told.n_items, told.findings) == (None, None, 300, [])
    held = import_file(alice_here, answers(kind, range(300, 600), 0.8), kind, **options(kind, "other"))
    assert held.state == ImportState.HELD
    report = Validation.objects.get(source=held)
    finding = next(one for one in report.findings if not one["slice"])
    assert (finding["code"], finding["severity"], finding["field"]) == (
        "class-balance-shifted",
        "stop",
        "answer",
    )
    assert "The balance of classes in “answer” has moved: “" in finding["detail"]
    assert (finding["of"], finding["figure"]["n_items"]) == (300, 300)
    accepted = accept_import(alice_here, held.pk, send=False)
    assert accepted.job_id is not None
    run_job(accepted.job_id)
    held.refresh_from_db()
    assert held.state == ImportState.PUBLISHED
    assert Event.objects.get(verb="import.accepted").data["validation"] == report.pk


def test_a_discarded_file_of_answers_is_no_reference_and_kinds_are_kept_apart(
    alice_here: Membership, project: Project
) -> None:
    stop(project)
    bring(alice_here, rows("a", n=600))
    import_file(alice_here, answers("annotations", range(300), 0.3), "annotations")
    held = import_file(alice_here, answers("annotations", range(300, 600), 0.8), "annotations")
    discard_import(alice_here, held.pk)
    gold = import_file(alice_here, answers("gold", range(300, 600), 0.8), "gold")
    assert gold.state == ImportState.PUBLISHED
    again = import_file(alice_here, answers("annotations", range(290, 600), 0.3), "annotations")
    assert again.state == ImportState.PUBLISHED
    assert Validation.objects.get(source=again).findings == []


def test_ticked_classes_and_slices_of_the_metadata_are_looked_at(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "topics", ["hair", "nose"], kind="multiple")
    bring(alice_here, rows("a", n=600))
    import_file(alice_here, answers("annotations", range(300), 0.3, topics=0.2), "annotations")
    countries = dict(Item.objects.values_list("external_id", "meta__country"))
    lines = answers("annotations", range(300, 600), 0.3, topics=0.5).split("\n")
    moved = [
        line.replace(",no", ",yes") if countries.get(line.split(",")[0]) == "b" else line for line in lines
    ]
    source = import_file(alice_here, "\n".join(moved), "annotations")
    assert source.state == ImportState.PUBLISHED
    found = {
        (one["code"], one["field"], one["slice"]) for one in Validation.objects.get(source=source).findings
    }
    assert ("class-balance-shifted", "topics", "") in found
    assert ("class-balance-in-slice-shifted", "answer", "meta.country:b") in found


def test_refused_answers_are_not_counted(alice_here: Membership) -> None:
    bring(alice_here, rows("a", n=20))
    lines = answers("annotations", range(20), 0.5) + "\nnobody,w1,answer,yes\na0,w3,answer,perhaps\n"
    source = import_file(alice_here, lines, "annotations", on_error=OnError.PUBLISH_ACCEPTED)
    assert source.rejected == 2
    report = Validation.objects.get(source=source)
    (question,) = report.profile["questions"].values()
    assert (report.n_items, question["n"], sum(question["classes"].values())) == (20, 20, 20)


def test_files_are_compared_by_the_classes_in_force(alice_here: Membership, project: Project) -> None:
    mood = make_question(project, "mood", ["yes", "no", "nope"])
    bring(alice_here, rows("a", n=600))
    first = answers("annotations", range(300), 0.3).replace(",answer,", ",mood,").replace(",no", ",nope", 200)
    import_file(alice_here, first, "annotations")
    classes = dict(mood.classes.values_list("name", "pk"))
    version = apply_rename(alice_here, "mood", classes["yes"], "surely", version=0).project.mapping_version
    apply_merge(alice_here, "mood", [classes["nope"]], classes["no"], version=version)
    lines = answers("annotations", range(300, 600), 0.3).replace(",answer,", ",mood,")
    source = import_file(alice_here, lines.replace(",yes", ",surely"), "annotations")
    assert (source.accepted, Validation.objects.get(source=source).findings) == (600, [])
    lines = lines.replace(",no", ",surely", 200).replace("w1", "w3").replace("w2", "w4")
    moved = import_file(alice_here, lines.replace(",yes", ",surely"), "annotations")
    told = {one["said"]["category"] for one in Validation.objects.get(source=moved).findings}
    assert told
    assert told <= {"surely", "no"}
