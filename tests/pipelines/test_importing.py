"""What rows become: items in a batch, annotations of people, gold."""

import struct
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections

from core.choices import AuditPart, ImportState, JobState, OnError, QuestionKind
from core.exceptions import Conflict
from core.models import (
    Annotation,
    Answer,
    Asset,
    Batch,
    Event,
    Gold,
    Import,
    Item,
    ItemVector,
    Job,
    Membership,
    Outbox,
    Prediction,
    Project,
    Run,
    StagedAnswer,
    StagedItem,
)
from core.pipelines import importing
from core.pipelines.importing import value_of
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.selectors.imports import import_document
from core.selectors.item import gold_of
from core.selectors.progress import progress_of
from core.selectors.question import schema_of
from core.services import staging
from core.services.answer import ValueRefused
from core.services.imports import accept_import, discard_import
from core.services.job import request_cancel
from tests.conftest import Actors
from tests.factories.imports import csv_items, errors_of, import_file, jsonl, packed, png, queue_file, zipped
from tests.factories.project import make_project, make_question

HEADER = "item_id,annotator,question,label\n"


@pytest.fixture
def alice_here(actors: Actors, media: Any) -> Membership:
    """Alice's membership, with a folder for uploads."""
    return actors.membership(actors.alice)


def annotations(member: Membership, rows: str, header: str = HEADER, **options: Any) -> Import:
    return import_file(member, header + rows, "annotations", **options)


def votes(project: Project) -> list[tuple[str, str, int, str | None]]:
    """Item, person, repeat and class of every current answer."""
    rows = Answer.objects.filter(annotation__current=True, annotation__item__project=project)
    return sorted(
        rows.values_list(
            "annotation__item__external_id",
            "annotation__annotator__name",
            "annotation__repeat",
            "label_class__name",
        )
    )


def assert_sound() -> None:
    """Every counter equals its facts, and nothing is left in staging."""
    assert list(findings()) == []
    assert not StagedItem.objects.exists()
    assert not StagedAnswer.objects.exists()


# --- Items ------------------------------------------------------------------------------------------


def test_items_come_with_data_metadata_and_provenance(alice_here: Membership, project: Project) -> None:
    text = jsonl(
        [{"id": "one", "data": {"text": "Hé"}, "meta": {"source": "web"}}, {"id": 2, "data": {"a": [1]}}]
    )
    source = import_file(alice_here, text, name="birds.jsonl")
    assert (source.state, source.rows, source.accepted, source.rejected) == (ImportState.PUBLISHED, 2, 2, 0)
    assert source.format == "jsonl"
    batch = Batch.objects.get()
    assert (batch.number, batch.name, batch.file_hash, batch.n_items) == (
        1,
        "birds.jsonl",
        source.file_hash,
        2,
    )
    rows = Item.objects.filter(project=project).order_by("row")
    assert list(rows.values_list("external_id", "row", "data", "meta", "batch")) == [
        ("one", 1, {"text": "Hé"}, {"source": "web"}, batch.pk),
        ("2", 2, {"a": [1]}, {}, batch.pk),
    ]
    assert progress_of(project.pk).items == 2
    assert source.job is not None
    assert source.job.state == JobState.DONE
    assert_sound()


def test_items_without_an_id_are_named_by_batch_and_row(alice_here: Membership) -> None:
    import_file(alice_here, "text\nfirst\nsecond\n")
    import_file(alice_here, "text\nthird\n")
    assert list(Item.objects.order_by("pk").values_list("external_id", flat=True)) == ["b1-1", "b1-2", "b2-1"]


def test_a_generated_id_that_is_taken_is_refused(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("b2-1"))
    source = import_file(alice_here, "text\nfirst\nsecond\n")
    assert (source.accepted, source.rejected) == (1, 1)
    assert errors_of(source) == [(1, 2, "id", "duplicate-id")]
    assert_sound()


def test_columns_are_mapped_and_metadata_recognised(alice_here: Membership) -> None:
    import_file(alice_here, "nr,body,meta.lang\n7,Hello,en\n", columns={"id": "nr", "text": "body"})
    item = Item.objects.get()
    assert (item.external_id, item.data, item.meta) == ("7", {"text": "Hello"}, {"lang": "en"})


def test_gzip_is_unpacked(alice_here: Membership) -> None:
    import_file(alice_here, packed(csv_items("a", "b")))
    assert Item.objects.count() == 2


def test_the_audit_slice_falls_by_the_ids_hash_and_a_third_of_it_at_most_is_holdout(
    alice_here: Membership, project: Project
) -> None:
    Project.objects.filter(pk=project.pk).update(audit_fraction="0.25", audit_overlap=3, overlap=2)
    alice_here.project.refresh_from_db()
    import_file(alice_here, csv_items(*(f"i{n}" for n in range(1200))))
    parts = dict.fromkeys(AuditPart.values, 0)
    for item in Item.objects.all():
        parts[item.audit] += 1
        assert (item.target, item.free) == ((3, 3) if item.audit else (2, 2))
    assert 230 <= parts[AuditPart.HOLDOUT] + parts[AuditPart.STREAM] <= 370
    assert parts[AuditPart.HOLDOUT] == (parts[AuditPart.HOLDOUT] + parts[AuditPart.STREAM]) // 3
    assert_sound()


def test_the_same_ids_fall_the_same_way_whatever_the_files_order(actors: Actors, media: Any) -> None:
    member = actors.membership(actors.alice)
    names = [f"i{n}" for n in range(60)]
    import_file(member, csv_items(*names))
    first = {item.external_id: (item.audit != "", item.position) for item in Item.objects.all()}
    Item.objects.all().delete()
    Batch.objects.all().delete()
    import_file(member, csv_items(*reversed(names)))
    assert {item.external_id: (item.audit != "", item.position) for item in Item.objects.all()} == first


def test_a_batch_is_handed_out_in_random_order_after_the_batch_before(alice_here: Membership) -> None:
    import_file(alice_here, csv_items(*(f"a{n}" for n in range(30))))
    import_file(alice_here, csv_items(*(f"b{n}" for n in range(30))))
    order = list(Item.objects.order_by("position").values_list("external_id", flat=True))
    assert order[:30] != sorted(order[:30], key=lambda name: int(name[1:]))
    assert [name[0] for name in order] == ["a"] * 30 + ["b"] * 30


def test_an_item_of_more_than_a_million_characters_is_refused(alice_here: Membership) -> None:
    long = {"a": "x" * 600_000, "b": "y" * 600_000}
    source = import_file(alice_here, jsonl([{"id": "a", "data": long}, {"id": "b", "data": {"t": "short"}}]))
    assert errors_of(source) == [(1, 1, "data", "item-too-large")]
    assert Item.objects.get().external_id == "b"


def test_duplicate_ids_in_the_file_and_against_the_project_are_refused(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b"))
    source = import_file(alice_here, csv_items("c", "a", "c", "d"))
    assert errors_of(source) == [(2, 3, "id", "duplicate-id"), (3, 4, "id", "duplicate-id")]
    assert (source.rows, source.accepted, source.rejected) == (4, 2, 2)
    assert set(Item.objects.values_list("external_id", flat=True)) == set("abcd")
    assert_sound()


def test_a_file_of_which_every_row_is_refused_fails_and_keeps_its_report(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    source = import_file(alice_here, "id,text\na,another text\n")
    assert source.state == ImportState.FAILED
    assert (source.error or {})["code"] == "no-rows-accepted"
    assert errors_of(source) == [(1, 2, "id", "duplicate-id")]
    assert source.job is not None
    assert source.job.state == JobState.FAILED
    assert Batch.objects.count() == 1
    assert_sound()


def test_a_wrong_file_fails_as_a_whole_with_its_code(alice_here: Membership) -> None:
    source = import_file(alice_here, 'id,text\na,first\nb,"second\n')
    assert source.state == ImportState.FAILED
    assert (source.error or {})["code"] == "unbalanced-quote"
    assert not Item.objects.exists()
    assert_sound()


def test_a_zip_of_images_becomes_an_item_per_image(alice_here: Membership, project: Project) -> None:
    source = import_file(
        alice_here, zipped({"red.png": png("red"), "more/blue.png": png("blue")}), name="x.zip"
    )
    assert (source.state, source.accepted) == (ImportState.PUBLISHED, 2)
    assert list(Item.objects.order_by("row").values_list("external_id", "data")) == [
        ("red.png", {"image": "red.png"}),
        ("more/blue.png", {"image": "more/blue.png"}),
    ]
    assert list(Asset.objects.order_by("pk").values_list("name", "content_type")) == [
        ("red.png", "image/png"),
        ("more/blue.png", "image/png"),
    ]


def test_a_zip_with_something_else_in_it_becomes_nothing(alice_here: Membership, media: Any) -> None:
    source = import_file(alice_here, zipped({"red.png": png(), "x.html": b"<script></script>"}), name="x.zip")
    assert (source.state, (source.error or {})["code"]) == (ImportState.FAILED, "not-an-image")
    assert not Item.objects.exists()
    assert not Asset.objects.exists()
    assert [path for path in (media / "assets").rglob("*") if path.is_file()] == []


# --- The same file, holding, cancelling ----------------------------------------------------------------


def test_the_same_file_again_is_told_and_adds_nothing(alice_here: Membership) -> None:
    first = import_file(alice_here, csv_items("a"), name="one.csv")
    again = import_file(alice_here, csv_items("a"), name="two.csv")
    assert again.state == ImportState.REPEATED
    assert (again.error or {})["import"] == first.pk
    assert again.job is None
    assert Item.objects.count() == 1
    other = import_file(alice_here, csv_items("a"), columns={"body": "text"})
    assert other.state == ImportState.FAILED


def test_a_file_that_failed_may_come_again(alice_here: Membership) -> None:
    import_file(alice_here, HEADER + "a,w1,answer,yes\n", "annotations")
    import_file(alice_here, csv_items("a"))
    again = import_file(alice_here, HEADER + "a,w1,answer,yes\n", "annotations")
    assert again.state == ImportState.PUBLISHED


def test_with_hold_refused_rows_stop_the_rest_until_the_lead_accepts(alice_here: Membership) -> None:
    held = import_file(alice_here, csv_items("a", "b", "a"), on_error=OnError.HOLD)
    assert (held.state, held.accepted, held.rejected) == (ImportState.HELD, 2, 1)
    assert not Item.objects.exists()
    accepted = accept_import(alice_here, held.pk, send=False)
    assert accepted.job_id is not None
    run_job(accepted.job_id)
    assert Import.objects.get().state == ImportState.PUBLISHED
    assert Item.objects.count() == 2
    with pytest.raises(Conflict, match="published, not held"):
        accept_import(alice_here, held.pk)
    assert_sound()


def test_a_held_import_is_checked_anew_when_it_is_accepted(alice_here: Membership) -> None:
    held = import_file(alice_here, csv_items("a", "b", "a"), on_error=OnError.HOLD)
    import_file(alice_here, csv_items("b"))
    accepted = accept_import(alice_here, held.pk, send=False)
    assert accepted.job_id is not None
    run_job(accepted.job_id)
    published = Import.objects.get(pk=held.pk)
    assert (published.accepted, published.rejected) == (1, 2)
    assert_sound()


def test_a_held_import_may_be_discarded(alice_here: Membership) -> None:
    held = import_file(alice_here, csv_items("a", "a"), on_error=OnError.HOLD)
    assert discard_import(alice_here, held.pk).state == ImportState.DISCARDED
    assert not Item.objects.exists()
    assert_sound()


def test_with_hold_a_file_without_fault_is_published_at_once(alice_here: Membership) -> None:
    assert import_file(alice_here, csv_items("a"), on_error=OnError.HOLD).state == ImportState.PUBLISHED


def test_a_cancelled_import_leaves_nothing(alice_here: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    source = queue_file(alice_here, csv_items(*(f"i{n}" for n in range(50))))
    chunks = importing._item_chunks
    monkeypatch.setattr(
        importing, "_item_chunks", lambda rows, import_, watch: chunks(rows, import_, watch, most=10)
    )
    stage = staging.stage

    def cancelled_midway(job: Any, import_: Import, chunk: Any, progress: float) -> None:
        if import_.rows == 20:
            request_cancel(job.pk)
        stage(job, import_, chunk, progress)

    monkeypatch.setattr(importing, "stage", cancelled_midway)
    assert source.job_id is not None
    run_job(source.job_id)
    ended = Import.objects.select_related("job").get()
    assert ended.job is not None
    assert (ended.state, ended.job.state) == (ImportState.DISCARDED, JobState.CANCELLED)
    assert not Item.objects.exists()
    assert_sound()


def test_an_import_writes_its_lines_to_the_audit_log_without_any_text_of_items(
    alice_here: Membership,
) -> None:
    import_file(alice_here, csv_items("a"), name="birds.csv")
    lines = Event.objects.filter(verb__startswith="import.").order_by("pk")
    assert [line.verb for line in lines] == ["import.started", "import.published"]
    assert all("Text of" not in str(line.data) for line in lines)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_uploaded_twice_at_once_is_imported_once(
    transactional_db: None, actors: Actors, media: Any
) -> None:
    member = actors.membership(actors.alice)
    both = threading.Barrier(2)
    states: list[str] = []

    def upload() -> None:
        both.wait(timeout=10)
        try:
            states.append(import_file(member, csv_items("a", "b")).state)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=upload) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(states) == [ImportState.PUBLISHED, ImportState.REPEATED]
    assert Item.objects.count() == 2


# --- Annotations ------------------------------------------------------------------------------------


def test_annotations_make_people_fill_places_and_are_counted(
    alice_here: Membership, project: Project
) -> None:
    import_file(alice_here, csv_items("a", "b"))
    source = annotations(alice_here, "a,w1,answer,yes\na,w2,answer,no\nb,w1,answer,Yes\n")
    assert (source.state, source.accepted) == (ImportState.PUBLISHED, 3)
    assert votes(project) == [("a", "w1", 1, "yes"), ("a", "w2", 1, "no"), ("b", "w1", 1, "yes")]
    a = Item.objects.get(external_id="a")
    assert (a.target, a.done, a.free) == (2, 2, 0)
    w1 = Membership.objects.get(name="w1")
    assert (w1.user, w1.answered) == (None, 2)
    told = progress_of(project.pk)
    assert (told.items, told.items_done, told.annotations) == (2, 2, 3)
    assert_sound()


def test_people_become_members_in_the_order_in_which_the_file_names_them(
    alice_here: Membership, project: Project
) -> None:
    import_file(alice_here, csv_items("a", "b"))
    names = [f"p{number * 7919 % 1000:03}" for number in range(40)]
    annotations(alice_here, "\n".join(f"{item},{name},answer,yes" for name in names for item in "ab"))
    made = Membership.objects.filter(project=project, user=None).order_by("pk")
    assert list(made.values_list("name", flat=True)) == names


def test_the_rows_of_one_person_item_and_repeat_are_one_annotation(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "why", [], kind=QuestionKind.TEXT, required=False)
    import_file(alice_here, csv_items("a"))
    rows = "a,w1,answer,yes,2024-05-01T10:00:00Z,900,x\na,w1,why,None,2024-05-01T10:00:05Z,1200,x\n"
    annotations(alice_here, rows, "item_id,annotator,question,label,created_at,elapsed_ms,note\n")
    one = Annotation.objects.get()
    assert one.answered_at == datetime(2024, 5, 1, 10, 0, 5, tzinfo=UTC)
    assert (one.elapsed_ms, one.extra, one.complete) == (1200, {"note": "x"}, True)
    assert one.answers.get(question__key="why").text == "None"
    assert one.guideline == project.guideline
    assert_sound()


def test_unknown_columns_that_differ_between_the_rows_of_one_annotation_are_kept_by_question(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "size", ["big", "small"])
    import_file(alice_here, csv_items("a"))
    annotations(alice_here, "a,w1,answer,yes,1\na,w1,size,big,2\n", HEADER.replace("\n", ",sure\n"))
    assert Annotation.objects.get().extra == {"answer": {"sure": "1"}, "size": {"sure": "2"}}


def test_a_further_row_of_the_same_question_is_the_next_repeat_and_an_equal_one_a_duplicate(
    alice_here: Membership, project: Project
) -> None:
    import_file(alice_here, csv_items("a"))
    rows = "a,w1,answer,yes,1\na,w1,answer,yes,2\na,w1,answer,yes,2\na,w1,answer,no,3\n"
    source = annotations(alice_here, rows, HEADER.replace("\n", ",round\n"))
    assert (source.accepted, source.duplicates, source.rejected) == (3, 1, 0)
    assert votes(project) == [("a", "w1", 1, "yes"), ("a", "w1", 2, "yes"), ("a", "w1", 3, "no")]
    a = Item.objects.get()
    assert (a.done, a.free) == (1, 0)
    assert_sound()


def test_an_explicit_repeat_is_kept_and_a_clash_refused(alice_here: Membership, project: Project) -> None:
    import_file(alice_here, csv_items("a"))
    rows = "a,w1,answer,yes,2,retest\na,w1,answer,no,1,\na,w1,answer,no,2,\n"
    source = annotations(alice_here, rows, HEADER.replace("\n", ",repeat,pass\n"))
    assert errors_of(source) == [(3, 4, "repeat", "repeat-taken")]
    found = Annotation.objects.order_by("repeat").values_list("repeat", "pass_kind")
    assert list(found) == [(1, "normal"), (2, "retest")]
    assert_sound()


def test_rows_that_an_earlier_file_has_brought_are_duplicates(
    alice_here: Membership, project: Project
) -> None:
    import_file(alice_here, csv_items("a", "b"))
    annotations(alice_here, "a,w1,answer,yes\n")
    source = annotations(alice_here, "a,w1,answer,yes\nb,w1,answer,no\n")
    assert (source.accepted, source.duplicates) == (1, 1)
    assert votes(project) == [("a", "w1", 1, "yes"), ("b", "w1", 1, "no")]
    assert_sound()


def test_another_answer_in_a_later_file_is_the_next_repeat(alice_here: Membership, project: Project) -> None:
    import_file(alice_here, csv_items("a"))
    annotations(alice_here, "a,w1,answer,yes\n")
    annotations(alice_here, "a,w1,answer,no\n")
    assert votes(project) == [("a", "w1", 1, "yes"), ("a", "w1", 2, "no")]
    assert_sound()


def test_a_file_per_question_gives_one_annotation_in_two_revisions(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    import_file(alice_here, csv_items("a"))
    annotations(alice_here, "a,w1,parts,tail|wing\n")
    assert Item.objects.get().done == 0
    annotations(alice_here, "a,w1,answer,yes\n")
    old, new = Annotation.objects.order_by("revision")
    assert (old.current, old.complete, new.current, new.complete) == (False, False, True, True)
    ticked = new.answers.get(question__key="parts").choices.values_list("label_class__name", flat=True)
    assert sorted(ticked) == ["tail", "wing"]
    assert new.answers.get(question__key="answer").label_class.name == "yes"  # type: ignore[union-attr]
    assert Item.objects.get().done == 1
    assert progress_of(project.pk).annotations == 1
    assert_sound()


def test_an_annotation_without_a_required_question_counts_for_agreement_but_fills_no_place(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "size", ["big", "small"])
    import_file(alice_here, csv_items("a"))
    annotations(alice_here, "a,w1,answer,yes\n")
    assert not Annotation.objects.get().complete
    a = Item.objects.get()
    assert (a.done, a.free) == (0, 1)
    assert_sound()


def test_a_conditional_question_is_required_only_where_it_is_asked(
    alice_here: Membership, project: Project
) -> None:
    asked = project.questions.get(key="answer")
    size = make_question(project, "size", ["big", "small"], when_question=asked)
    size.when_classes.set(asked.classes.filter(name="yes"))
    import_file(alice_here, csv_items("a", "b", "c"))
    annotations(alice_here, "a,w1,answer,yes\nb,w1,answer,no\nc,w1,answer,yes\nc,w1,size,big\n")
    done = Annotation.objects.order_by("item__external_id").values_list("complete", flat=True)
    assert list(done) == [False, True, True]


def test_the_empty_string_is_a_label_only_where_the_class_list_has_it(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "bias", ["", "age"], required=False)
    import_file(alice_here, csv_items("a"))
    source = annotations(alice_here, "a,w1,answer,\na,w1,bias,\n")
    assert errors_of(source) == [(1, 2, "label", "empty-label")]
    assert votes(project) == [("a", "w1", 1, "")]


@pytest.mark.parametrize("name", ["None", "NA", "null", "nan"])
def test_none_and_na_are_labels_like_any_other(alice_here: Membership, project: Project, name: str) -> None:
    make_question(project, "kind", [name, "other"], required=False)
    import_file(alice_here, csv_items("a"))
    annotations(alice_here, f"a,w1,kind,{name}\n")
    assert votes(project) == [("a", "w1", 1, name)]


def test_imported_people_may_exceed_the_overlap_and_raise_the_target(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    annotations(alice_here, "".join(f"a,w{n},answer,yes\n" for n in range(5)))
    a = Item.objects.get()
    assert (a.target, a.done, a.free) == (5, 5, 0)
    assert_sound()


def test_a_name_of_somebody_who_signs_in_is_refused(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    source = annotations(alice_here, "a,bob,answer,yes\na,w1,answer,no\n")
    assert errors_of(source) == [(1, 2, "annotator", "name-taken")]
    assert Annotation.objects.get().annotator.name == "w1"
    assert_sound()


def test_every_refusal_names_row_line_column_and_code(alice_here: Membership, project: Project) -> None:
    make_question(project, "score", [], kind=QuestionKind.NUMBER, required=False, maximum=10)
    make_question(project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE, required=False)
    import_file(alice_here, csv_items("a"))
    rows = (
        "z,w1,answer,yes\n"
        "a,w1,colour,red\n"
        "a,w1,answer,maybe\n"
        "a,,answer,yes\n"
        "a,w1,score,11\n"
        "a,w1,score,1_0\n"
        "a,w1,score,\n"
        "a,w1,parts,wing|leg\n"
        "a,w1,answer,yes\n"
    )
    source = annotations(alice_here, rows)
    assert errors_of(source) == [
        (1, 2, "item_id", "unknown-item"),
        (2, 3, "question", "unknown-question"),
        (3, 4, "label", "unknown-class"),
        (4, 5, "annotator", "empty-value"),
        (5, 6, "label", "too-large"),
        (6, 7, "label", "not-a-number"),
        (7, 8, "label", "empty-label"),
        (8, 9, "label", "unknown-class"),
    ]
    assert (source.rows, source.accepted, source.rejected) == (9, 1, 8)
    assert_sound()


def test_elapsed_times_are_kept_within_a_day_and_absurd_repeats_refused(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    rows = "a,w1,answer,yes,999999999999,1\na,w2,answer,yes,1,5000\na,w3,answer,yes,-5,1\n"
    source = annotations(alice_here, rows, HEADER.replace("\n", ",elapsed_ms,repeat\n"))
    assert errors_of(source) == [(2, 3, "repeat", "invalid-number"), (3, 4, "elapsed_ms", "invalid-number")]
    assert Annotation.objects.get().elapsed_ms == 24 * 3600 * 1000


def test_answers_of_a_corrected_item_go_to_its_present_version(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    Item.objects.update(version=2)
    annotations(alice_here, "a,w1,answer,yes\n")
    assert Annotation.objects.get().item_version == 2
    assert_sound()


def test_an_item_that_waits_for_the_lead_gets_answers_and_no_places(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    Item.objects.update(state="with_lead", free=0)
    annotations(alice_here, "a,w1,answer,yes\n")
    a = Item.objects.get()
    assert (a.done, a.free) == (1, 0)
    assert_sound()


def test_ten_thousand_rows_take_a_number_of_statements_that_follows_the_chunks(
    alice_here: Membership, django_assert_max_num_queries: Any
) -> None:
    import_file(alice_here, csv_items(*(f"i{n}" for n in range(1000))))
    rows = "".join(f"i{n % 1000},w{n // 1000},answer,yes\n" for n in range(10_000))
    source = queue_file(alice_here, HEADER + rows, "annotations")
    assert source.job_id is not None
    with django_assert_max_num_queries(110):
        run_job(source.job_id)
    assert Annotation.objects.count() == 10_000
    assert_sound()


# --- Gold -------------------------------------------------------------------------------------------


def test_gold_is_kept_by_item_and_question_and_replaced_by_a_later_file(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    make_question(project, "score", [], kind=QuestionKind.NUMBER)
    import_file(alice_here, csv_items("a"))
    import_file(alice_here, "item_id,question,label\na,answer,yes\na,parts,wing|tail\na,score,1.5\n", "gold")
    assert gold_of(Item.objects.get()) == {"answer": "yes", "parts": ["wing", "tail"], "score": 1.5}
    import_file(alice_here, "item_id,question,label\na,answer,no\na,parts,\n", "gold")
    assert gold_of(Item.objects.get()) == {"answer": "no", "parts": [], "score": 1.5}
    assert Gold.objects.count() == 3
    assert_sound()


def test_gold_that_contradicts_itself_within_a_file_is_refused(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    rows = "item_id,question,label\na,answer,yes\na,answer,yes\na,answer,no\n"
    source = import_file(alice_here, rows, "gold")
    assert (source.accepted, source.duplicates) == (1, 1)
    assert errors_of(source) == [(3, 4, "label", "duplicate-gold")]


# --- Predictions ------------------------------------------------------------------------------------

PREDICTIONS = "item_id,question,label"


def predictions(member: Membership, text: str, run: str = "baseline", **options: Any) -> Import:
    return import_file(member, text, "predictions", run=run, **options)


def test_predictions_of_every_kind_of_question_belong_to_the_run(
    alice_here: Membership, project: Project
) -> None:
    make_question(project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    make_question(project, "size", ["1", "2"], kind=QuestionKind.SCALE)
    make_question(project, "score", [], kind=QuestionKind.NUMBER)
    make_question(project, "note", [], kind=QuestionKind.TEXT)
    import_file(alice_here, csv_items("a", "b"))
    rows = "a,answer,yes\na,parts,wing|tail\nb,parts,\na,size,2\na,score,1.5\na,note,sings\n"
    source = predictions(alice_here, f"{PREDICTIONS}\n{rows}", run=" tiny model 2 ")
    assert (source.state, source.accepted, source.rejected) == (ImportState.PUBLISHED, 6, 0)
    run = Run.objects.get()
    assert (run.name, run.project, run.created_by) == ("tiny model 2", project, alice_here.user)
    wing, tail = project.questions.get(key="parts").classes.values_list("pk", flat=True)
    columns = ("item__external_id", "question__key", "label_class__name", "classes", "number", "text")
    assert list(run.predictions.order_by("question__order", "item").values_list(*columns)) == [
        ("a", "answer", "yes", None, None, None),
        ("a", "parts", None, [wing, tail], None, None),
        ("b", "parts", None, [], None, None),
        ("a", "size", "2", None, None, None),
        ("a", "score", None, None, 1.5, None),
        ("a", "note", None, None, None, "sings"),
    ]
    verbs = Event.objects.filter(project=project).values_list("verb", flat=True)
    assert {"run.created", "import.published"} <= set(verbs)
    assert_sound()


def test_probabilities_are_kept_by_class(alice_here: Membership, project: Project) -> None:
    import_file(alice_here, csv_items("a", "b"))
    predictions(alice_here, f"{PREDICTIONS},prob.Yes,prob.no\na,answer,yes,0.8,0.2\nb,answer,no,,\n")
    yes, no = project.questions.get().classes.filter(uncertain=False).values_list("pk", flat=True)
    told = Prediction.objects.order_by("pk").values_list("probabilities", flat=True)
    assert list(told) == [{str(yes): 0.8, str(no): 0.2}, None]


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("z,answer,yes,1,0", "item_id", "unknown-item"),
        ("a,colour,yes,1,0", "question", "unknown-question"),
        ("a,answer,maybe,1,0", "label", "unknown-class"),
        ("a,parts,wing,1,", "prob.yes", "unknown-class"),
        ("a,answer,yes,0.5,0.47", "prob", "bad-probabilities"),
        ("a,answer,yes,0.9,0.13", "prob", "bad-probabilities"),
        ("a,answer,yes,0,0", "prob", "bad-probabilities"),
        ("a,answer,yes,2,0", "prob.yes", "bad-probability"),
    ],
)
def test_wrong_predictions_are_refused_by_row(
    alice_here: Membership, project: Project, row: str, column: str, code: str
) -> None:
    make_question(project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    import_file(alice_here, csv_items("a", "b"))
    source = predictions(alice_here, f"{PREDICTIONS},prob.yes,prob.no\nb,answer,no,0.02,0.96\n{row}\n")
    assert (source.accepted, errors_of(source)) == (1, [(2, 3, column, code)])


def test_ticked_classes_have_probabilities_each_by_itself(alice_here: Membership, project: Project) -> None:
    make_question(project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    import_file(alice_here, csv_items("a"))
    source = predictions(alice_here, f"{PREDICTIONS},prob.wing,prob.tail\na,parts,wing|tail,0.9,0.8\n")
    assert source.accepted == 1


def test_an_item_is_predicted_once_per_question_and_file(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b"))
    source = predictions(alice_here, f"{PREDICTIONS}\na,answer,yes\nb,answer,no\na,answer,yes\na,answer,no\n")
    assert (source.accepted, source.rejected) == (2, 2)
    assert errors_of(source) == [
        (3, 4, "item_id", "duplicate-prediction"),
        (4, 5, "item_id", "duplicate-prediction"),
    ]


def test_the_same_run_again_replaces_what_it_said_of_these_items_only(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b", "c"))
    predictions(alice_here, f"{PREDICTIONS},prob.yes\na,answer,yes,1\nb,answer,yes,1\n")
    predictions(alice_here, f"{PREDICTIONS}\na,answer,yes\n", run="another")
    source = predictions(alice_here, f"{PREDICTIONS}\nb,answer,no\nc,answer,no\n")
    said = Prediction.objects.filter(run__name="baseline").order_by("item__external_id")
    assert list(said.values_list("item__external_id", "label_class__name")) == [
        ("a", "yes"),
        ("b", "no"),
        ("c", "no"),
    ]
    assert said.filter(probabilities__isnull=True).count() == 2
    assert source.job is not None
    assert source.job.result is not None
    assert source.job.result["replaced"] == 1
    assert import_document(source)["replaced"] == 1
    assert Event.objects.latest("pk").data["replaced"] == 1
    assert Run.objects.count() == 2


def test_the_same_file_may_belong_to_another_run(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    text = f"{PREDICTIONS}\na,answer,yes\n"
    states = [predictions(alice_here, text, run).state for run in ("one", "two", "one")]
    assert states == [ImportState.PUBLISHED, ImportState.PUBLISHED, ImportState.REPEATED]
    assert Prediction.objects.count() == 2


def test_held_predictions_are_published_or_dropped_as_the_lead_decides(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    rows = f"{PREDICTIONS}\na,answer,yes\nz,answer,yes\n"
    held = predictions(alice_here, rows, on_error=OnError.HOLD)
    assert (held.state, Run.objects.count()) == (ImportState.HELD, 0)
    discard_import(alice_here, held.pk)
    assert not StagedAnswer.objects.exists()
    again = predictions(alice_here, rows, on_error=OnError.HOLD)
    accepted = accept_import(alice_here, again.pk, send=False)
    assert accepted.job_id is not None
    run_job(accepted.job_id)
    assert Prediction.objects.get().run.name == "baseline"


# --- Embeddings -------------------------------------------------------------------------------------

EMBEDDINGS = "item_id,embedding"


def embeddings(member: Membership, text: str, **options: Any) -> Import:
    return import_file(member, text, "embeddings", **options)


def vectors() -> dict[str, tuple[float, ...]]:
    """The numbers of every item that has some, by its id."""
    found = ItemVector.objects.values_list("item__external_id", "content")
    return {name: struct.unpack(f"<{len(content) // 4}f", bytes(content)) for name, content in found}


def test_items_bring_their_embeddings(alice_here: Membership) -> None:
    source = import_file(
        alice_here,
        jsonl(
            [
                {"text": "x", "embedding": [1, 0.5]},
                {"text": "y"},
                {"id": "c", "text": "z", "embedding": [0, 2]},
                {"id": "d", "text": "z", "embedding": [1, 2, 3]},
                {"id": "e", "text": "z", "embedding": ["x"]},
            ]
        ),
        name="items.jsonl",
    )
    assert (source.accepted, errors_of(source)) == (
        3,
        [(4, 4, "embedding", "bad-embedding-length"), (5, 5, "embedding", "bad-embedding")],
    )
    assert vectors() == {"b1-1": (1, 0.5), "c": (0, 2)}
    assert list(Item.objects.order_by("row").values_list("data", flat=True)) == [
        {"text": "x"},
        {"text": "y"},
        {"text": "z"},
    ]
    assert_sound()


def test_embeddings_come_later_for_items_that_are_there(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b", "c"))
    source = embeddings(alice_here, f'{EMBEDDINGS}\nb,"[1, 2]"\nz,"[1, 2]"\na,"[3, 4]"\nb,"[5, 6]"\nc,\n')
    assert source.accepted == 2
    assert errors_of(source) == [
        (2, 3, "item_id", "unknown-item"),
        (4, 5, "item_id", "duplicate-embedding"),
        (5, 6, "embedding", "missing-value"),
    ]
    assert vectors() == {"a": (3, 4), "b": (1, 2)}
    assert progress_of(alice_here.project_id).items == 3
    assert_sound()


def test_later_embeddings_replace_the_earlier_ones_of_these_items(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b", "c"))
    embeddings(alice_here, f"{EMBEDDINGS}\na,[1]\nb,[2]\n")
    source = embeddings(alice_here, f"{EMBEDDINGS}\nb,[3]\nc,[4]\n")
    assert vectors() == {"a": (1,), "b": (3,), "c": (4,)}
    assert import_document(source)["replaced"] == 1
    assert Event.objects.latest("pk").data["replaced"] == 1


def test_all_embeddings_of_a_project_have_one_length(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b"))
    embeddings(alice_here, f"{EMBEDDINGS}\na,[1]\nb,[2]\n")
    some = embeddings(alice_here, f'{EMBEDDINGS}\na,"[1, 2]"\n')
    assert (some.state, some.error and some.error["code"]) == (ImportState.FAILED, "no-rows-accepted")
    assert errors_of(some) == [(1, 2, "embedding", "bad-embedding-length")]
    assert some.refused_rows.get().detail == "The length of an embedding is 1 in this project."
    items = import_file(alice_here, 'id,text,embedding\nc,x,"[1, 2]"\nd,y,[1]\ne,z,\n')
    assert (items.accepted, errors_of(items)) == (2, [(1, 2, "embedding", "bad-embedding-length")])
    every = embeddings(alice_here, f'{EMBEDDINGS}\na,"[1, 2]"\nb,"[3, 4]"\nd,"[5, 6]"\n')
    assert every.accepted == 3
    assert vectors() == {"a": (1, 2), "b": (3, 4), "d": (5, 6)}


def test_a_held_file_is_held_to_the_length_that_came_meanwhile(alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a", "b"))
    held = embeddings(alice_here, f"{EMBEDDINGS}\na,[1]\nz,[1]\n", on_error=OnError.HOLD)
    assert held.state == ImportState.HELD
    import_file(alice_here, 'id,text,embedding\nc,x,"[1, 2]"\n')
    accepted = accept_import(alice_here, held.pk, send=False)
    assert accepted.job_id is not None
    run_job(accepted.job_id)
    held.refresh_from_db()
    assert (held.state, held.error and held.error["code"]) == (ImportState.FAILED, "no-rows-accepted")
    assert vectors() == {"c": (1, 2)}


def test_embeddings_of_another_project_are_another_matter(actors: Actors, alice_here: Membership) -> None:
    import_file(alice_here, csv_items("a"))
    embeddings(alice_here, f"{EMBEDDINGS}\na,[1]\n")
    stones = make_project("stones", owner=actors.alice)
    lead = Membership.objects.get(project=stones, user=actors.alice)
    assert import_file(lead, 'id,text,embedding\na,x,"[1, 2]"\n').accepted == 1
    assert sorted(ItemVector.objects.values_list("item__project__slug", "content")) == [
        ("birds", struct.pack("<f", 1)),
        ("stones", struct.pack("<2f", 1, 2)),
    ]


def test_chunks_of_long_embeddings_hold_few_rows(
    alice_here: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def stage(job: Job, source: Import, chunk: staging.Chunk, progress: float) -> None:
        sizes.append(len(chunk.accepted))
        staging.stage(job, source, chunk, progress)

    monkeypatch.setattr(importing, "CHUNK_CHARACTERS", 1000)
    monkeypatch.setattr(importing, "stage", stage)
    rows = [{"id": str(n), "text": "x", "embedding": [0.5] * 100} for n in range(7)]
    import_file(alice_here, jsonl(rows))
    assert sizes == [3, 3, 1]


# --- Labels as values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "label", "value"),
    [
        (QuestionKind.SINGLE, "wing", "wing"),
        (QuestionKind.SINGLE, 3, "3"),
        (QuestionKind.SINGLE, True, "true"),
        (QuestionKind.MULTIPLE, "", []),
        (QuestionKind.MULTIPLE, "wing|tail", ["wing", "tail"]),
        (QuestionKind.MULTIPLE, ["wing"], ["wing"]),
        (QuestionKind.MULTIPLE, "left|right", ["left|right"]),
        (QuestionKind.NUMBER, "-1.5e3", -1500.0),
        (QuestionKind.NUMBER, 4, 4),
        (QuestionKind.TEXT, "a|b", "a|b"),
    ],
)
def test_a_label_becomes_the_value_that_its_question_takes(
    project: Project, kind: QuestionKind, label: Any, value: Any
) -> None:
    names = (
        []
        if kind in {QuestionKind.NUMBER, QuestionKind.TEXT}
        else ["wing", "tail", "3", "true", "left|right"]
    )
    make_question(project, "asked", names, kind=kind)
    question = schema_of(project).question("asked")
    assert question is not None
    assert value_of(question, label) == value


@pytest.mark.parametrize(
    "label", [" 1", "1_000", "1,5", "0x10", "inf", "nan", "½", "\uff11", "1e", "--1", "1" * 400 + "x"]
)
def test_a_number_must_be_written_as_one(project: Project, label: str) -> None:
    make_question(project, "asked", [], kind=QuestionKind.NUMBER)
    question = schema_of(project).question("asked")
    assert question is not None
    with pytest.raises(ValueRefused) as refused:
        value_of(question, label)
    assert refused.value.code == "not-a-number"


def test_the_outbox_says_what_changed(alice_here: Membership, project: Project) -> None:
    import_file(alice_here, csv_items("a", "b"))
    annotations(alice_here, "a,w1,answer,yes\n")
    rows = (
        Outbox.objects.filter(project=project)
        .order_by("pk")
        .values_list("items", "items_done", "annotations", "changes")
    )
    assert list(rows) == [(2, 0, 0, 0), (0, 0, 0, 1), (0, 1, 1, 0), (0, 0, 0, 1)]


def test_both_databases_keep_texts_as_they_were(alice_here: Membership) -> None:
    texts = [
        "tab\there",
        "back\\slash",
        'quote"',
        "line\nbreak",
        "crlf\r\n",
        "\u2028",
        "👩‍👩‍👧 é é",
        "\\N",
        "\\.",
    ]
    import_file(alice_here, jsonl({"id": f"i{n}", "data": {"text": text}} for n, text in enumerate(texts)))
    assert list(Item.objects.order_by("row").values_list("data__text", flat=True)) == texts
    assert connection.vendor in {"sqlite", "postgresql"}
