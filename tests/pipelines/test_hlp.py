"""Human-level performance from the database: who counts, which items, and what the run is held against."""

import json
from typing import Any

import pytest

from core.choices import ItemState, Pass, QuestionKind
from core.exceptions import Invalid
from core.models import Item, ItemTag, Membership, Project, Run, Tag
from core.pipelines.hlp import hlp_report
from core.selectors.pseudonym import pseudonym
from tests.factories.answers import make_answer, make_batch, make_gold, make_items
from tests.factories.project import add_member, make_project, make_question
from tests.factories.run import make_run

pytestmark = pytest.mark.django_db
ANSWERS = {"a": "yyy", "b": "yyn", "c": "nnn", "d": "ynn"}
SAID = {"a": "yes", "b": "yes", "c": "no", "d": "yes"}
WORDS = {"y": "yes", "n": "no", "?": "cannot tell"}


@pytest.fixture
def birds() -> Project:
    """Anna, Ben and Cleo on four items: they agree on a and c, and two against one on b and d."""
    project = make_project()
    people = [add_member(project, None, name=name) for name in ("Anna", "Ben", "Cleo")]
    answer(people, make_items(project, *ANSWERS), ANSWERS)
    return project


def answer(people: list[Membership], items: list[Item], answers: dict[str, str], **fields: Any) -> None:
    for item in items:
        for member, letter in zip(people, answers[item.external_id], strict=True):
            make_answer(member, item, {"answer": WORDS[letter]}, **fields)


def value(figure: dict[str, Any]) -> float | None:
    return None if figure["value"] is None else round(figure["value"], 6)


def test_people_are_told_between_each_other_and_one_by_one(birds: Project) -> None:
    report = hlp_report(birds, real_names=True)
    assert (report["n_items"], report["n_annotations"], report["n_annotators"]) == (4, 12, 3)
    assert (report["headline"], report["headline_reason"]) == ("between_humans", "no_gold")
    assert value(report["between_humans"]) == pytest.approx(2 / 3, abs=1e-6)
    # The one who stands alone on b or d earns 0 there, the other two half of the tie between the others.
    assert value(report["leave_one_out"]) == pytest.approx(2 / 3, abs=1e-6)
    people = {row["id"]: value(row["score"]) for row in report["leave_one_out"]["annotators"]}
    assert people == {"Anna": 0.625, "Ben": 0.75, "Cleo": 0.625}
    assert (report["gold"]["value"], report["model"], report["run"], report["coverage"] is None) == (
        None,
        None,
        None,
        False,
    )
    json.dumps(report, allow_nan=False)


def test_a_run_is_held_against_the_same_references_as_people(birds: Project) -> None:
    run = make_run(birds, SAID)
    report = hlp_report(birds, run="tiny")
    model = report["model"]
    assert (report["run"]["id"], report["run"]["name"]) == (run.pk, "tiny")
    assert (model["reference"], model["n_predictions"], model["n_used"]) == ("between_humans", 4, 4)
    assert value(model["score"]) == 0.75  # (1 + 2/3 + 1 + 1/3) / 4
    assert value(model["human"]) == pytest.approx(2 / 3, abs=1e-6)
    assert value(model["difference"]) == pytest.approx(1 / 12, abs=1e-6)
    assert (model["verdict"], model["verdict_reason"], model["needed"]) == (
        "cannot_tell",
        "too_few_items",
        26,
    )
    assert {part["class"] for part in model["per_class"]} <= {"yes", "no", "cannot tell"}
    assert hlp_report(birds, run=str(run.pk))["model"] == model
    json.dumps(report, allow_nan=False)


def test_gold_is_the_headline_when_enough_items_have_it() -> None:
    project = make_project()
    people = [add_member(project, None, name=name) for name in ("Anna", "Ben")]
    items = make_items(project, *(f"i{n}" for n in range(40)))
    answer(people, items, {f"i{n}": "yy" if n < 30 else "yn" for n in range(40)})
    for item in items:
        make_gold(item, "answer", "yes")
    make_run(project, {f"i{n}": "yes" if n < 20 else "no" for n in range(40)})
    report = hlp_report(project, run="tiny", real_names=True)
    assert (report["headline"], value(report["gold"])) == ("gold", 0.875)  # 70 of 80 answers
    assert {row["id"]: value(row["score"]) for row in report["gold"]["annotators"]} == {
        "Anna": 1.0,
        "Ben": 0.75,
    }
    model = report["model"]
    assert (model["reference"], value(model["score"]), value(model["human"])) == ("gold", 0.5, 0.875)
    assert (model["verdict"], [part["class"] for part in model["per_class"]]) == ("below", ["yes"])


def test_predictions_for_an_earlier_version_or_a_withdrawn_item_do_not_count(birds: Project) -> None:
    make_run(birds, SAID)
    assert hlp_report(birds, run="tiny")["model"]["n_predictions"] == 4
    Item.objects.filter(external_id="a").update(version=2)
    Item.objects.filter(external_id="b").update(state=ItemState.WITHDRAWN, free=0)
    report = hlp_report(birds, run="tiny")
    assert (report["n_items"], report["model"]["n_predictions"]) == (2, 2)


def test_answers_of_retests_and_gold_passes_do_not_count(birds: Project) -> None:
    before = hlp_report(birds)
    ben = birds.memberships.get(name="Ben")
    item = Item.objects.get(external_id="a")
    make_answer(ben, item, {"answer": "no"}, repeat=2, pass_kind=Pass.RETEST)
    assert {**hlp_report(birds), "as_of": ""} == {**before, "as_of": ""}


def test_items_can_be_narrowed_and_the_run_told_by_group(birds: Project) -> None:
    make_run(birds, SAID)
    second = make_batch(birds, "second.csv")
    Item.objects.filter(external_id__in="cd").update(batch=second, meta={"site": "lake"})
    by_batch = hlp_report(birds, run="tiny", by="batch")["model"]["per_group"]
    assert [(part["group"], part["score"]["n_items"]) for part in by_batch] == [("1", 2), ("2", 2)]
    assert [value(part["score"]) for part in by_batch] == pytest.approx([5 / 6, 2 / 3], abs=1e-6)
    by_site = hlp_report(birds, run="tiny", by="meta.site")["model"]["per_group"]
    assert [(part["group"], part["score"]["n_items"]) for part in by_site] == [("lake", 2)]
    assert hlp_report(birds, slice="meta.site:lake")["n_items"] == 2
    tag = Tag.objects.create(project=birds, name="Blurry", name_key="blurry")
    ItemTag.objects.create(tag=tag, item=Item.objects.get(external_id="b"))
    assert value(hlp_report(birds, slice="tag:blurry")["between_humans"]) == pytest.approx(1 / 3, abs=1e-6)


def test_small_groups_beyond_the_fiftieth_are_told_as_left_out() -> None:
    project = make_project()
    people = [add_member(project, None, name=name) for name in ("Anna", "Ben")]
    items = make_items(project, *(f"i{n}" for n in range(53)))
    for number, item in enumerate(items):
        Item.objects.filter(pk=item.pk).update(meta={"site": f"s{max(number, 1)}"})
    answer(people, items, {f"i{n}": "yy" for n in range(53)})
    make_run(project, {f"i{n}": "yes" for n in range(53)})
    report = hlp_report(project, run="tiny", by="meta.site")
    assert (len(report["model"]["per_group"]), report["cut"]) == (50, {"per_group": 2})
    assert report["model"]["per_group"][0]["group"] == "s1"


def test_uncertain_answers_are_read_as_asked(birds: Project) -> None:
    people = list(birds.memberships.order_by("pk"))
    (item,) = make_items(birds, "e")
    answer(people, [item], {"e": "y??"})
    make_run(birds, {**SAID, "e": "cannot tell"})
    between = {
        reading: value(hlp_report(birds, uncertain=reading)["between_humans"])
        for reading in ("class", "missing", "disagree")
    }
    assert between == pytest.approx({"class": 0.6, "missing": 2 / 3, "disagree": 8 / 15}, abs=1e-6)
    coverage = hlp_report(birds, run="tiny")["coverage"]
    assert value(coverage["people"]["coverage"]) == pytest.approx(13 / 15, abs=1e-6)
    assert value(coverage["model"]["coverage"]) == 0.8


def test_texts_are_the_same_when_their_words_are() -> None:
    project = make_project()
    make_question(project, "note", [], kind=QuestionKind.TEXT)
    (item,) = make_items(project, "a")
    for name, text in (("Anna", "it  sings"), ("Ben", "it sings "), ("Cleo", "it calls")):
        make_answer(add_member(project, None, name=name), item, {"note": text})
    make_run(project, {"a": "It flies"}, key="note")
    report = hlp_report(project, "note", run="tiny")
    assert value(report["between_humans"]) == pytest.approx(1 / 3, abs=1e-6)
    assert value(report["model"]["score"]) == 0


def test_nothing_answered_yet_is_a_report_without_values() -> None:
    project = make_project()
    make_items(project, "a")
    make_run(project, {"a": "yes"})
    report = hlp_report(project, run="tiny")
    assert (report["n_items"], report["between_humans"]["value"]) == (0, None)
    assert report["between_humans"]["reason"]
    assert report["warnings"] == ["no_predictions_here"]
    assert report["model"]["verdict"] == "cannot_tell"


def test_names_are_pseudonyms_unless_asked_otherwise(birds: Project) -> None:
    told = {row["id"] for row in hlp_report(birds)["leave_one_out"]["annotators"]}
    members = birds.memberships.exclude(user__isnull=False)
    assert told == {pseudonym(birds, pk) for pk in members.values_list("pk", flat=True)}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"run": "unknown"}, "unknown-run"),
        ({"run": "99999999999999999999"}, "unknown-run"),
        ({"margin": 0.0}, "bad-margin"),
        ({"margin": float("nan")}, "bad-margin"),
        ({"margin": 0.6}, "bad-margin"),
        ({"epsilon": -0.1}, "bad-epsilon"),
        ({"by": "month"}, "bad-by"),
        ({"by": "meta."}, "bad-by"),
        ({"slice": "tag:unknown"}, "unknown-tag"),
        ({"uncertain": "maybe"}, "bad-uncertain"),
        ({"question_key": "colour"}, "unknown-question"),
    ],
)
def test_what_cannot_be_asked_is_refused(birds: Project, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        hlp_report(birds, **asked)
    assert refusal.value.code == code


@pytest.mark.parametrize("kind", [QuestionKind.MULTIPLE, QuestionKind.NUMBER])
def test_kinds_without_same_or_not_are_refused(birds: Project, kind: str) -> None:
    make_question(birds, "other", ["wing"] if kind == QuestionKind.MULTIPLE else [], kind=kind)
    with pytest.raises(Invalid) as refusal:
        hlp_report(birds, "other")
    assert refusal.value.code == "hlp-not-for-this-kind"


def test_a_run_of_another_project_is_unknown(birds: Project) -> None:
    theirs = Run.objects.create(project=make_project("flowers"), name="theirs")
    for name in ("theirs", str(theirs.pk)):
        with pytest.raises(Invalid):
            hlp_report(birds, run=name)
