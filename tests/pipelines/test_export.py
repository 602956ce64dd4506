"""Files of answers and labels: what stands in a row, in every format."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.choices import ItemState, Pass, QuestionKind
from core.exceptions import Invalid
from core.models import Item, Membership, Project
from core.pipelines.exporting import Wanted, export_annotations, export_labels
from core.selectors.pseudonym import pseudonym
from core.services.adjudication import settle, take_back
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_batch, make_gold, make_items
from tests.factories.project import add_member, make_question


@pytest.fixture
def people(actors: Actors) -> tuple[Membership, Membership, Membership]:
    """Bob, Carol and an imported annotator."""
    return (
        actors.membership(actors.bob),
        actors.membership(actors.carol),
        add_member(actors.project, None, name="w001"),
    )


def annotations(project: Project, **wanted: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        b"".join(export_annotations(project, Wanted(format="json", **wanted)))
    )
    return rows


def labels(project: Project, **wanted: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(b"".join(export_labels(project, Wanted(format="json", **wanted))))
    return rows


def test_one_row_per_answer(people: tuple[Membership, ...], project: Project) -> None:
    bob, carol, _ = people
    second, first = make_items(project, "item-2", "item-1")
    make_answer(bob, first, {"answer": "yes"}, elapsed_ms=1200, suggestion={"answer": "no"})
    make_answer(carol, first, {"answer": "cannot tell"})
    answered = datetime(2024, 3, 1, 12, tzinfo=UTC)
    make_answer(bob, second, {"answer": "no"}, repeat=2, pass_kind=Pass.RETEST, answered_at=answered)

    rows = annotations(project)

    created = [row.pop("created_at") for row in rows]
    assert all(datetime.fromisoformat(moment).tzinfo for moment in created)
    same = {
        "question": "answer",
        "item_version": 1,
        "guideline_version": 1,
        "revision": 1,
        "batch": 1,
        "raw_value": None,
        "mapping": 0,
    }
    p_bob, p_carol = pseudonym(project, bob.pk), pseudonym(project, carol.pk)
    assert rows == [
        {
            **same,
            "item": "item-1",
            "annotator": p_bob,
            "value": "yes",
            "uncertain": False,
            "pass": "normal",
            "repeat": 1,
            "suggestion": {"answer": "no"},
            "elapsed_ms": 1200,
            "answered_at": None,
        },
        {
            **same,
            "item": "item-1",
            "annotator": p_carol,
            "value": "cannot tell",
            "uncertain": True,
            "pass": "normal",
            "repeat": 1,
            "suggestion": None,
            "elapsed_ms": None,
            "answered_at": None,
        },
        {
            **same,
            "item": "item-2",
            "annotator": p_bob,
            "value": "no",
            "uncertain": False,
            "pass": "retest",
            "repeat": 2,
            "suggestion": None,
            "elapsed_ms": None,
            "answered_at": answered.isoformat(),
        },
    ]


def test_every_kind_of_answer_as_the_api_says_it(people: tuple[Membership, ...], project: Project) -> None:
    make_question(project, "seen", ["wing", "beak", "tail"], kind=QuestionKind.MULTIPLE)
    make_question(project, "size", [], kind=QuestionKind.NUMBER)
    make_question(project, "name", [], kind=QuestionKind.TEXT)
    (item,) = make_items(project, "a")
    values = {"answer": "yes", "seen": ["wing", "tail"], "size": 5.0, "name": "=1+1"}
    make_answer(people[0], item, values)

    assert {row["question"]: row["value"] for row in annotations(project)} == values
    (cells,) = [
        {row["question"]: row["value"] for row in csv.DictReader(io.StringIO(text, newline=""))}
        for text in [b"".join(export_annotations(project, Wanted(format="csv"))).decode()]
    ]
    assert cells == {"answer": "yes", "seen": "wing|tail", "size": "5", "name": "'=1+1"}
    lossless = b"".join(export_annotations(project, Wanted(format="csv", lossless=True))).decode()
    assert [row["value"] for row in csv.DictReader(io.StringIO(lossless, newline=""))][3] == "=1+1"


def test_corrections_voided_work_and_withdrawn_items(
    people: tuple[Membership, ...], project: Project
) -> None:
    bob, carol, _ = people
    item, withdrawn = make_items(project, "a", "b")
    make_answer(bob, item, {"answer": "yes"}, current=False)
    make_answer(bob, item, {"answer": "no"}, revision=2)
    make_answer(carol, item, {"answer": "no"}, voided=True)
    make_answer(bob, withdrawn, {"answer": "no"})
    Item.objects.filter(pk=withdrawn.pk).update(state=ItemState.WITHDRAWN, free=0)

    assert [(row["value"], row["revision"]) for row in annotations(project)] == [("no", 2)]
    both = annotations(project, all_revisions=True)
    assert [(row["value"], row["revision"]) for row in both] == [("yes", 1), ("no", 2)]


def test_rows_can_be_narrowed(people: tuple[Membership, ...], project: Project) -> None:
    bob, carol, _ = people
    make_question(project, "size", [], kind=QuestionKind.NUMBER)
    (one,) = make_items(project, "a")
    (two,) = make_items(project, "b", batch=make_batch(project, "second.csv"))
    make_answer(bob, one, {"answer": "yes", "size": 1})
    make_answer(carol, two, {"answer": "no", "size": 2})

    assert [row["value"] for row in annotations(project, question="size")] == [1, 2]
    assert [row["item"] for row in annotations(project, batch=2)] == ["b", "b"]
    assert [row["item"] for row in annotations(project, annotator=pseudonym(project, bob.pk))] == ["a", "a"]
    assert [row["item"] for row in annotations(project, annotator="bob", real_names=True)] == ["a", "a"]
    assert annotations(project, since=datetime(2200, 1, 1, tzinfo=UTC)) == []
    with pytest.raises(Invalid, match="no annotator 'bob'"):
        annotations(project, annotator="bob")
    with pytest.raises(Invalid, match="no question"):
        annotations(project, question="colour")
    with pytest.raises(Invalid, match="no format"):
        export_annotations(project, Wanted(format="xlsx"))


def test_names_only_when_asked_for(people: tuple[Membership, ...], project: Project) -> None:
    make_answer(people[0], make_items(project, "a")[0], {"answer": "yes"}, comment="ask bob")

    assert "bob" not in json.dumps(annotations(project))
    assert [row["annotator"] for row in annotations(project, real_names=True)] == ["bob"]


def test_the_majority_is_the_label_and_a_tie_is_told(
    people: tuple[Membership, ...], project: Project
) -> None:
    clear, tied, unsure, only_unsure, alone = make_items(project, "a", "b", "c", "d", "e")
    for item, values in (
        (clear, ["yes", "yes", "no"]),
        (tied, ["yes", "no"]),
        (unsure, ["cannot tell", "cannot tell", "no"]),
        (only_unsure, ["cannot tell", "cannot tell"]),
        (alone, ["no"]),
    ):
        for member, value in zip(people, values, strict=False):
            make_answer(member, item, {"answer": value})

    rows = {row.pop("item"): row for row in labels(project)}

    same: dict[str, Any] = {
        "question": "answer",
        "how": "majority",
        "gold": None,
        "batch": 1,
        "cause": None,
        "settled_at": None,
        "cannot_tell": 0.0,
        "told_apart": True,
        "mapping": 0,
    }
    untold = {"cannot_tell": pytest.approx(2 / 3), "told_apart": False}
    certain: dict[str, Any] = {**same, "rule": "majority_of_certain", "n_uncertain": 0, "tied": []}
    assert rows == {
        "a": {**certain, "value": "yes", "confidence": pytest.approx(2 / 3), "n": 3},
        "b": {**certain, "value": None, "confidence": 0.5, "n": 2, "tied": ["yes", "no"]},
        "c": {**certain, "value": "no", "confidence": 1.0, "n": 1, "n_uncertain": 2, **untold},
        "d": {
            **certain,
            "rule": "majority_of_uncertain",
            "value": "cannot tell",
            "confidence": 1.0,
            "n": 2,
            "cannot_tell": 1.0,
            "told_apart": False,
        },
        "e": {**certain, "value": "no", "confidence": 1.0, "n": 1},
    }


def test_labels_count_first_answers_to_the_item_as_it_is(
    people: tuple[Membership, ...], project: Project
) -> None:
    bob, carol, w001 = people
    (item,) = make_items(project, "a", version=2)
    make_answer(bob, item, {"answer": "no"}, item_version=1)
    make_answer(bob, item, {"answer": "yes"})
    make_answer(bob, item, {"answer": "no"}, repeat=2)
    make_answer(carol, item, {"answer": "no"}, pass_kind=Pass.GOLD)
    make_answer(w001, item, {"answer": "no"}, voided=True)

    assert [(row["value"], row["n"]) for row in labels(project)] == [("yes", 1)]


def test_labels_of_the_other_kinds(people: tuple[Membership, ...], project: Project) -> None:
    make_question(project, "seen", ["wing", "beak", "none"], kind=QuestionKind.MULTIPLE, uncertain={"none"})
    make_question(project, "size", [], kind=QuestionKind.NUMBER)
    make_question(project, "name", [], kind=QuestionKind.TEXT)
    one, two = make_items(project, "a", "b")
    for member, seen, size, name in zip(
        people, (["wing"], ["wing", "beak"], ["beak", "wing"]), (1, 2, 6), ("tit", " tit", "Tit"), strict=True
    ):
        make_answer(member, one, {"seen": seen, "size": size, "name": name})
    for member, seen in zip(people, ([], ["wing"], ["none"]), strict=True):
        make_answer(member, two, {"seen": seen})

    rows = {(row["item"], row["question"]): row for row in labels(project)}

    assert {key: (row["value"], row["how"], row["rule"]) for key, row in rows.items()} == {
        ("a", "seen"): (["wing", "beak"], "majority", "majority_per_class"),
        ("a", "size"): (3, "mean", "mean"),
        ("a", "name"): ("tit", "majority", "majority_of_certain"),
        ("b", "seen"): (None, "majority", "majority_per_class"),
    }
    assert rows["a", "name"]["confidence"] == pytest.approx(2 / 3)
    assert (rows["b", "seen"]["tied"], rows["b", "seen"]["n"], rows["b", "seen"]["n_uncertain"]) == (
        ["wing"],
        2,
        1,
    )


def test_gold_stands_beside_the_label_and_is_the_label_where_nobody_answered(
    people: tuple[Membership, ...], project: Project
) -> None:
    answered, unanswered, _ = make_items(project, "a", "b", "c")
    make_answer(people[0], answered, {"answer": "no"})
    make_gold(answered, "answer", "yes")
    make_gold(unanswered, "answer", "yes")

    rows = [(row["item"], row["value"], row["how"], row["gold"], row["n"]) for row in labels(project)]

    assert rows == [("a", "no", "majority", "yes", 1), ("b", "yes", "gold", "yes", 0)]


def test_what_a_person_settled_is_the_label_and_the_votes_stay_beside_it(
    people: tuple[Membership, ...], actors: Actors
) -> None:
    project = actors.project
    settled, unanswered, corrected, back = make_items(project, "a", "b", "c", "d")
    for member, value in zip(people, ("yes", "yes", "cannot tell"), strict=True):
        make_answer(member, settled, {"answer": value})
    make_answer(people[0], back, {"answer": "yes"})
    make_gold(settled, "answer", "yes")
    alice = actors.membership(actors.alice)
    settle(alice, settled.pk, "answer", "no", cause="slip", revision=0)
    settle(alice, unanswered.pk, "answer", "cannot tell", revision=0)
    settle(alice, corrected.pk, "answer", "no", revision=0)
    Item.objects.filter(pk=corrected.pk).update(version=2)
    made = settle(alice, back.pk, "answer", "no", revision=0)
    take_back(alice, made.pk, 1)

    rows = {row["item"]: row for row in labels(project)}

    assert set(rows) == {"a", "b", "d"}  # what was settled of an earlier version is no label of this one
    told = rows["a"]
    assert (told["value"], told["how"], told["rule"], told["confidence"]) == (
        "no",
        "adjudicated",
        "adjudicated",
        1.0,
    )
    assert (told["cause"], told["gold"], told["n"], told["n_uncertain"]) == ("slip", "yes", 2, 1)
    assert datetime.fromisoformat(told["settled_at"]).tzinfo is not None
    assert told["cannot_tell"] == pytest.approx(1 / 3)
    assert (rows["b"]["value"], rows["b"]["n"], rows["b"]["cannot_tell"]) == ("cannot tell", 0, None)
    assert (rows["d"]["value"], rows["d"]["how"]) == ("yes", "majority")
    assert [row["value"] for row in annotations(project)] == ["yes", "yes", "cannot tell", "yes"]


def test_a_settled_item_is_settled_by_every_rule_and_in_every_format(
    people: tuple[Membership, ...], actors: Actors
) -> None:
    from pyarrow import parquet

    (item,) = make_items(actors.project, "a")
    for member in people:
        make_answer(member, item, {"answer": "yes"})
    settle(actors.membership(actors.alice), item.pk, "answer", "no", revision=0)

    for rule in ("majority", "one_coin", "dawid_skene"):
        assert [row["value"] for row in labels(actors.project, rule=rule)] == ["no"]
    wanted = Wanted(format="parquet")
    (row,) = parquet.read_table(io.BytesIO(b"".join(export_labels(actors.project, wanted)))).to_pylist()
    assert row["settled_at"].tzinfo is not None
    assert (row["cannot_tell"], row["told_apart"], row["mapping"]) == (0.0, True, 0)


def test_raw_answers_stand_beside_what_they_are_read_as(
    people: tuple[Membership, ...], project: Project
) -> None:
    seen = make_question(project, "seen", ["wing", "feather"], kind=QuestionKind.MULTIPLE)
    make_question(project, "name", [], kind=QuestionKind.TEXT)
    (item,) = make_items(project, "a")
    given = make_answer(people[0], item, {"answer": "no", "seen": ["wing", "feather"], "name": "umm"})
    given.answers.filter(text="umm").update(standard="um")
    answer = project.questions.get(key="answer")
    answer.classes.filter(name="no").update(merged_into=answer.classes.get(name="yes"))
    seen.classes.filter(name="feather").update(merged_into=seen.classes.get(name="wing"))
    Project.objects.filter(pk=project.pk).update(mapping_version=4, schema_version=7)
    project.refresh_from_db()

    told = {row["question"]: (row["value"], row["raw_value"], row["mapping"]) for row in annotations(project)}

    assert told == {
        "answer": ("yes", "no", 4),
        "seen": (["wing"], ["wing", "feather"], 4),
        "name": ("um", "umm", 4),
    }
    assert {(row["question"], row["mapping"]) for row in labels(project)} == {
        ("answer", 4),
        ("seen", 4),
        ("name", 4),
    }


def test_an_empty_class_name_survives(people: tuple[Membership, ...], project: Project) -> None:
    make_question(project, "bias", ["", "race"])
    (item,) = make_items(project, "a")
    make_answer(people[0], item, {"bias": ""})
    make_answer(people[1], item, {"bias": "race"})

    assert [row["value"] for row in annotations(project)] == ["", "race"]
    assert [row["tied"] for row in labels(project)] == [["", "race"]]


def test_parquet_has_types(people: tuple[Membership, ...], project: Project) -> None:
    from pyarrow import parquet

    (item,) = make_items(project, "a")
    make_answer(people[0], item, {"answer": "yes"}, elapsed_ms=7)

    table = parquet.read_table(io.BytesIO(b"".join(export_annotations(project, Wanted(format="parquet")))))

    (row,) = table.to_pylist()
    assert (row["value"], row["uncertain"], row["elapsed_ms"], row["repeat"]) == ("yes", False, 7, 1)
    assert row["created_at"].tzinfo is not None


def test_rows_come_in_chunks_in_the_order_of_item_ids(
    people: tuple[Membership, ...], project: Project
) -> None:
    names = [f"i{number:04}" for number in range(1250)]
    for item in make_items(project, *reversed(names))[::25]:
        make_answer(people[0], item, {"answer": "yes"})

    found = [row["item"] for row in annotations(project)]

    assert found == sorted(names[24::25])
    assert [row["item"] for row in labels(project)] == found
