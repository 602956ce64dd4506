"""The report on aggregation and labels by a model, from the database to plain values."""

from typing import Any

import pytest

from core.choices import ItemState, QuestionKind
from core.exceptions import Invalid
from core.models import Item, Membership, Project
from core.pipelines.aggregation import aggregation_report
from core.pipelines.exporting import Wanted, export_labels
from core.selectors.pseudonym import pseudonym
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_batch, make_gold, make_items
from tests.factories.project import add_member, make_question
from tests.pipelines.test_export import labels

People = tuple[Membership, Membership, Membership]


@pytest.fixture
def people(actors: Actors) -> People:
    """Bob and Carol, who are right, and an imported annotator, who is not."""
    return (
        actors.membership(actors.bob),
        actors.membership(actors.carol),
        add_member(actors.project, None, name="w001"),
    )


@pytest.fixture
def answered(people: People, project: Project) -> list[Item]:
    """Twenty items on which the third contradicts the first two, then a tie of Bob and the third, then an unsure one."""
    items = make_items(project, *(f"i{number:02}" for number in range(22)))
    for number, item in enumerate(items[:20]):
        right, wrong = ("yes", "no") if number % 2 else ("no", "yes")
        for person, value in zip(people, (right, right, wrong), strict=True):
            make_answer(person, item, {"answer": value})
    make_answer(people[0], items[20], {"answer": "yes"})
    make_answer(people[2], items[20], {"answer": "no"})
    make_answer(people[0], items[21], {"answer": "cannot tell"})
    return items


def by_item(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["item"]: row for row in rows}


@pytest.mark.parametrize("rule", ["one_coin", "dawid_skene"])
def test_a_model_decides_ties_and_says_how_sure_it_is(
    answered: list[Item], project: Project, rule: str
) -> None:
    rows = by_item(labels(project, rule=rule))

    tie = rows["i20"]
    assert (tie["value"], tie["how"], tie["rule"], tie["tied"]) == ("yes", rule, rule, [])
    assert 0.9 < tie["confidence"] < 1
    assert (tie["n"], tie["n_uncertain"]) == (2, 0)
    unsure = rows["i21"]
    assert (unsure["value"], unsure["how"], unsure["rule"]) == (
        "cannot tell",
        "majority",
        "majority_of_uncertain",
    )
    assert (rows["i01"]["value"], rows["i00"]["value"]) == ("yes", "no")


def test_majority_stays_what_it_was(answered: list[Item], project: Project) -> None:
    assert labels(project, rule="majority") == labels(project)
    assert by_item(labels(project))["i20"]["tied"] == ["yes", "no"]


def test_the_default_rule_is_named_in_every_row(
    answered: list[Item], people: People, project: Project
) -> None:
    """The median annotator has given 21 answers: enough for one accuracy, too few for a confusion matrix."""
    assert {row["rule"] for row in labels(project, rule="default")} == {"one_coin", "majority_of_uncertain"}
    for item in answered[3:20]:
        item.annotations.filter(annotator=people[2]).update(voided=True)
        item.annotations.filter(annotator=people[1]).update(voided=True)
    assert labels(project, rule="default") == labels(project)


def test_uncertain_answers_are_counted_and_have_no_vote(
    answered: list[Item], people: People, project: Project
) -> None:
    make_answer(people[1], answered[20], {"answer": "cannot tell"})
    row = by_item(labels(project, rule="one_coin"))["i20"]
    assert (row["value"], row["n"], row["n_uncertain"]) == ("yes", 2, 1)


def test_two_strangers_still_tie(people: People, project: Project) -> None:
    (item,) = make_items(project, "i00")
    make_answer(people[0], item, {"answer": "yes"})
    make_answer(people[1], item, {"answer": "no"})
    (row,) = labels(project, rule="dawid_skene")
    assert (row["value"], row["tied"], row["confidence"]) == (None, ["yes", "no"], 0.5)


def test_other_kinds_of_questions_keep_their_rule(people: People, project: Project) -> None:
    make_question(project, "size", [], kind=QuestionKind.NUMBER)
    make_question(project, "parts", ["wing", "beak"], kind=QuestionKind.MULTIPLE)
    (item,) = make_items(project, "i00")
    for person in people:
        make_answer(person, item, {"answer": "yes", "size": 4.0, "parts": ["wing"]})
    rules = {row["question"]: row["rule"] for row in labels(project, rule="dawid_skene")}
    assert rules == {"answer": "dawid_skene", "size": "mean", "parts": "majority_per_class"}


def test_one_batch_is_told_by_what_all_answers_taught(
    answered: list[Item], people: People, project: Project
) -> None:
    batch = make_batch(project, "second.csv")
    (item,) = make_items(project, "j00", batch=batch)
    make_answer(people[1], item, {"answer": "yes"})
    make_answer(people[2], item, {"answer": "no"})
    (row,) = labels(project, rule="one_coin", batch=batch.number)
    assert (row["item"], row["value"]) == ("j00", "yes")


def test_items_with_gold_only_and_withdrawn_items(answered: list[Item], project: Project) -> None:
    (known,) = make_items(project, "k00")
    make_gold(known, "answer", "no")
    Item.objects.filter(pk=answered[0].pk).update(state=ItemState.WITHDRAWN, free=0)
    rows = by_item(labels(project, rule="dawid_skene"))
    assert (rows["k00"]["value"], rows["k00"]["how"]) == ("no", "gold")
    assert "i00" not in rows


def test_an_unknown_rule_is_refused(project: Project) -> None:
    with pytest.raises(Invalid) as refusal:
        export_labels(project, Wanted(rule="best"))
    assert refusal.value.code == "unknown-rule"


def test_the_report_sets_the_rules_side_by_side(
    answered: list[Item], people: People, project: Project
) -> None:
    for item in answered[18:21]:
        make_gold(item, "answer", "yes")
    report = aggregation_report(project, "answer")

    assert (report["n_items"], report["n_annotations"], report["n_annotators"]) == (22, 63, 3)
    assert report["n_uncertain"] == 1
    assert report["default"] == {
        "rule": "one_coin",
        "why": "enough_for_accuracy",
        "median": 21.0,
        "for_one_coin": 20,
        "for_dawid_skene": 40,
    }
    rows = {row["rule"]: row for row in report["rules"]}
    assert {name for name, row in rows.items() if row["default"]} == {"one_coin"}
    assert (rows["majority"]["n_labels"], rows["majority"]["n_tied"]) == (21, 1)
    assert rows["majority"]["accuracy"]["value"] == pytest.approx((0 + 1 + 0.5) / 3)
    assert rows["one_coin"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert report["model"]["rule"] == "one_coin"
    assert report["classes"] == ["yes", "no"]
    assert sum(report["shares"]) == pytest.approx(1)
    assert report["flips"]["n"] == 1
    (flip,) = report["flips"]["items"]
    assert (flip["item"], flip["old"], flip["new"], flip["old_confidence"]) == ("i20", None, "yes", 0.5)
    assert report["cut"] == {"annotators": 0, "flips": 0}


def test_the_report_knows_who_is_right(answered: list[Item], people: People, project: Project) -> None:
    rows = {row["id"]: row for row in aggregation_report(project)["annotators"]}
    bob, wrong = (rows[pseudonym(project, people[place].pk)] for place in (0, 2))
    assert (bob["n"], wrong["n"]) == (21, 21)
    assert bob["competence"]["value"] > 0.8
    assert wrong["competence"]["value"] < 0.3
    assert bob["competence"]["ci"][0] > wrong["competence"]["ci"][1]
    assert sum(map(sum, bob["expected"])) == pytest.approx(21)
    assert bob["confusion"][0][0] == pytest.approx(bob["competence"]["value"])
    names = {row["id"] for row in aggregation_report(project, real_names=True)["annotators"]}
    assert "w001" in names


def test_a_report_of_nothing(project: Project) -> None:
    report = aggregation_report(project)
    assert report["default"]["why"] == "no_overlap"
    assert (report["annotators"], report["flips"]["n"], report["n_items"]) == ([], 0, 0)
    assert [row["confidence"] for row in report["rules"]] == [None, None, None]


def test_questions_that_cannot_be_compared(project: Project) -> None:
    make_question(project, "size", [], kind=QuestionKind.NUMBER)
    for key, code in (("size", "aggregation-not-possible"), ("nothing", "unknown-question")):
        with pytest.raises(Invalid) as refusal:
            aggregation_report(project, key)
        assert refusal.value.code == code
    assert aggregation_report(project)["question"] == "answer"


def test_of_several_questions_one_must_be_named(project: Project) -> None:
    make_question(project, "second", ["a", "b"])
    with pytest.raises(Invalid) as refusal:
        aggregation_report(project)
    assert refusal.value.code == "question-needed"
    assert aggregation_report(project, "second")["classes"] == ["a", "b"]
