"""The agreement report: who counts, and what it says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.choices import AuditPart, ItemState, Pass, QuestionKind
from core.exceptions import Invalid
from core.models import GuidelineVersion, Item, ItemTag, Membership, Project, Tag
from core.pipelines.agreement import INTERVALS, agreement_report
from core.selectors.pseudonym import pseudonym
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_batch, make_gold, make_items
from tests.factories.project import add_member, make_question

FIGURE = {"value", "se", "ci", "method", "n_items", "n_pairs", "reason", "needed"}


class People:
    """Bob, Carol and an imported annotator answer items of Alice's project."""

    def __init__(self, actors: Actors) -> None:
        self.project = actors.project
        self.bob = actors.membership(actors.bob)
        self.carol = actors.membership(actors.carol)
        self.w001 = add_member(actors.project, None, name="w001")

    def all_answer(self, item: Item, *values: Any, key: str = "answer", **fields: Any) -> None:
        for member, value in zip((self.bob, self.carol, self.w001), values, strict=False):
            if value is not None:
                make_answer(member, item, {key: value}, **fields)


@pytest.fixture
def people(actors: Actors) -> People:
    return People(actors)


def figures_of(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return [figure for part in body for figure in figures_of(part)]
    if not isinstance(body, dict):
        return []
    if {"value", "reason"} <= set(body):
        return [body]
    return [figure for part in body.values() for figure in figures_of(part)]


def test_the_report_says_what_two_people_agree_on(people: People, project: Project) -> None:
    items = make_items(project, "i1", "i2", "i3", "i4")
    for item, bob, carol in zip(items, "yyyn", "yyny", strict=True):
        people.all_answer(item, *({"y": "yes", "n": "no"}[letter] for letter in (bob, carol)))

    report = agreement_report(project, "answer")

    assert report["coefficients"]["percent_agreement"]["value"] == 0.5
    assert (report["n_items"], report["n_items_used"], report["n_annotations"]) == (4, 4, 8)
    assert report["n_annotators"] == 2
    assert report["dropped"] == {"one_annotation": 0, "repeat_pass": 0, "suggested": 0, "uncertain": 0}
    assert report["confusions"] == [{"a": "yes", "b": "no", "n": 2, "share": 1.0}]
    assert [row["class"] for row in report["per_class"]] == ["yes", "no"]
    assert [row["n"] for row in report["annotators"]] == [4, 4]
    assert [pair["n_items"] for pair in report["pairs"]] == [4]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert {frozenset(figure) for figure in figures_of(report)} == {frozenset(FIGURE)}


def test_annotators_are_pseudonyms_unless_names_are_asked_for(people: People, project: Project) -> None:
    people.all_answer(make_items(project, "i1")[0], "yes", "yes")

    hidden = agreement_report(project, "answer")
    named = agreement_report(project, "answer", real_names=True)

    called = [pseudonym(project, member.pk) for member in (people.bob, people.carol)]
    assert [row["id"] for row in hidden["annotators"]] == called
    assert (hidden["pairs"][0]["a"], hidden["pairs"][0]["b"]) == tuple(called)
    assert "bob" not in json.dumps(hidden)
    assert [row["id"] for row in named["annotators"]] == ["bob", "carol"]


def test_what_does_not_count_between_annotators(people: People, project: Project) -> None:
    counted, withdrawn, corrected = make_items(project, "i1", "i2", "i3")
    people.all_answer(counted, "yes", "yes")
    people.all_answer(withdrawn, "yes", "no")
    Item.objects.filter(pk=withdrawn.pk).update(state=ItemState.WITHDRAWN, free=0)
    people.all_answer(corrected, "yes", "no")
    Item.objects.filter(pk=corrected.pk).update(version=2)
    make_answer(people.w001, counted, {"answer": "no"}, voided=True)
    make_answer(people.w001, counted, {"answer": "no"}, repeat=2, revision=1, current=False)
    for number, kind in enumerate((Pass.GOLD, Pass.TRAINING, Pass.TRIAL), start=3):
        make_answer(people.w001, counted, {"answer": "no"}, pass_kind=kind, repeat=number)
    make_answer(people.bob, counted, {"answer": "no"}, repeat=2)
    make_answer(people.carol, counted, {"answer": "yes"}, repeat=2, pass_kind=Pass.RETEST)

    report = agreement_report(project, "answer")

    assert report["n_annotations"] == 2
    assert report["dropped"]["repeat_pass"] == 2
    assert report["coefficients"]["percent_agreement"]["value"] == 1.0


def test_later_answers_tell_how_people_agree_with_themselves(people: People, project: Project) -> None:
    for number, item in enumerate(make_items(project, "i1", "i2", "i3", "i4")):
        people.all_answer(item, "yes", "no")
        people.all_answer(item, "yes" if number else "no", repeat=2)

    report = agreement_report(project, "answer")

    assert report["intra"]["value"] == 0.75
    bob, carol = report["annotators"]
    assert (bob["intra"]["value"], bob["intra"]["n_items"]) == (0.75, 4)
    assert (carol["intra"]["value"], carol["intra"]["reason"]) == (None, "no_overlap")
    assert agreement_report(project, "answer", repeat=2)["n_annotations"] == 4
    assert agreement_report(project, "answer", repeat=2)["intra"]["value"] == 0.75


def test_three_readings_of_uncertain_answers(people: People, project: Project) -> None:
    unsure = "cannot tell"
    for item, values in zip(
        make_items(project, "i1", "i2", "i3"),
        [("yes", "yes"), (unsure, unsure), ("no", "no")],
        strict=True,
    ):
        people.all_answer(item, *values)

    percent = {
        reading: agreement_report(project, "answer", uncertain=reading)["coefficients"]["percent_agreement"]
        for reading in ("class", "missing", "disagree")
    }
    readings = agreement_report(project, "answer", readings=True)["readings"]

    assert [percent[reading]["value"] for reading in ("class", "missing")] == [1.0, 1.0]
    assert percent["disagree"]["value"] == pytest.approx(2 / 3)
    assert percent["missing"]["n_items"] == 2
    assert {name: reading["percent_agreement"] for name, reading in readings.items()} == percent
    report = agreement_report(project, "answer")
    assert report["uncertainty"]["rate"]["value"] == pytest.approx(1 / 3)
    assert [row["class"] for row in report["uncertainty"]["by_class"]] == [unsure]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "no_overlap"),
        ([("yes", None)], "one_annotator"),
        ([("yes", None), (None, "no")], "no_overlap"),
        ([("yes", "yes"), ("yes", "yes")], "one_class"),
        ([("yes", "no")], "too_few_items"),
    ],
)
def test_undefined_is_a_value_with_a_reason(
    people: People, project: Project, answers: list[tuple[str, str]], reason: str
) -> None:
    for number, values in enumerate(answers):
        people.all_answer(make_items(project, f"i{number}")[0], *values)

    report = agreement_report(project, "answer")

    alpha = report["coefficients"]["krippendorff_alpha"]
    assert (alpha["value"], alpha["reason"]) == (None, reason)
    assert report["verdict"] is None


def test_numbers_are_compared_as_numbers(people: People, project: Project) -> None:
    make_question(project, "size", [], kind=QuestionKind.NUMBER, level="interval")
    for item, values in zip(make_items(project, "a", "b", "c"), [(1, 1.5), (5, 5.5), (9, 9)], strict=True):
        people.all_answer(item, *values, key="size")

    interval = agreement_report(project, "size")
    nominal = agreement_report(project, "size", level="nominal")

    assert (interval["level"], nominal["level"]) == ("interval", "nominal")
    assert interval["coefficients"]["krippendorff_alpha"]["value"] > 0.98
    assert nominal["coefficients"]["krippendorff_alpha"]["value"] < 0.4
    assert [row["class"] for row in nominal["per_class"]] == ["1", "1.5", "5", "5.5", "9"]


def test_a_set_of_classes_is_one_value(people: People, project: Project) -> None:
    make_question(project, "seen", ["wing", "beak", "tail"], kind=QuestionKind.MULTIPLE)
    one, two, three = make_items(project, "a", "b", "c")
    people.all_answer(one, ["wing", "beak"], ["beak", "wing"], key="seen")
    people.all_answer(two, [], [], key="seen")
    people.all_answer(three, ["tail"], ["tail", "wing"], key="seen")

    report = agreement_report(project, "seen")

    assert report["coefficients"]["percent_agreement"]["value"] == pytest.approx(2 / 3)
    # Of each class whether it was ticked: wing by both, and by Carol alone; beak by both; tail by both.
    assert {row["class"]: row["n"] for row in report["per_class"]} == {"wing": 3, "beak": 2, "tail": 2}
    specific = {row["class"]: row["specific_agreement"]["value"] for row in report["per_class"]}
    assert specific == pytest.approx({"wing": 2 / 3, "beak": 1.0, "tail": 1.0})
    assert report["sets"]["jaccard_similarity"]["value"] == pytest.approx((1 + 1 + 1 / 2) / 3)
    assert report["sets"]["alpha_masi"]["value"] < report["sets"]["alpha_jaccard"]["value"] < 1
    with pytest.raises(Invalid, match="not as ordinal"):
        agreement_report(project, "seen", level="ordinal")


def test_texts_are_compared_with_blanks_collapsed(people: People, project: Project) -> None:
    make_question(project, "name", [], kind=QuestionKind.TEXT)
    one, two = make_items(project, "a", "b")
    people.all_answer(one, "great  tit", " great tit\n", key="name")
    people.all_answer(two, "wren", "Wren", key="name")

    assert agreement_report(project, "name")["coefficients"]["percent_agreement"]["value"] == 0.5


def test_a_choice_can_be_read_as_ordered_and_named_numbers_as_numbers(
    people: People, project: Project
) -> None:
    make_question(project, "severity", ["-3", "-1", "0", "1"], kind=QuestionKind.SINGLE)
    for item, values in zip(
        make_items(project, "a", "b", "c"), [("-3", "-1"), ("0", "0"), ("1", "1")], strict=True
    ):
        people.all_answer(item, *values, key="severity")

    alphas = {
        level: agreement_report(project, "severity", level=level)["coefficients"]["krippendorff_alpha"][
            "value"
        ]
        for level in ("nominal", "ordinal", "interval")
    }

    assert alphas["nominal"] < alphas["ordinal"]
    # (n - 1) A / B for interval: observed 2 * 4 / 2 answers, expected over the six values -3 -1 0 0 1 1.
    assert alphas["interval"] == pytest.approx(1 - 5 * 8 / (2 * 6 * (12 - 4 / 6)))
    with pytest.raises(Invalid) as refused:
        agreement_report(project, "answer", level="interval")
    assert refused.value.code == "level-not-possible"


def test_only_the_audit_slice_or_only_the_rest(people: People, project: Project) -> None:
    people.all_answer(make_items(project, "a", audit=AuditPart.HOLDOUT)[0], "yes", "yes")
    people.all_answer(make_items(project, "b", audit=AuditPart.STREAM)[0], "yes", "no")
    people.all_answer(make_items(project, "c")[0], "no", "no")

    counted = {
        items: agreement_report(project, "answer", items=items)["n_items"]
        for items in ("all", "audit", "selected")
    }

    assert counted == {"all": 3, "audit": 2, "selected": 1}


@pytest.mark.parametrize(
    ("key", "stored", "asked"),
    [
        ("site", "lake", "lake"),
        ("2020", "x", "x"),
        ("a__b", "x", "x"),
        ("n", 5, "5"),
        ("wet", True, "true"),
        ('quo"te', "it's: here", "it's: here"),
    ],
)
def test_a_slice_is_a_key_of_the_metadata_and_its_value(
    people: People, project: Project, key: str, stored: Any, asked: str
) -> None:
    people.all_answer(make_items(project, "a", meta={key: stored})[0], "yes", "yes")
    people.all_answer(make_items(project, "b", meta={key: "other"})[0], "yes", "no")
    people.all_answer(make_items(project, "c")[0], "yes", "no")

    report = agreement_report(project, "answer", slice=f"meta.{key}:{asked}")

    assert report["n_items"] == 1
    assert report["coefficients"]["percent_agreement"]["value"] == 1.0


def test_reports_by_guideline_batch_and_month(people: People, project: Project) -> None:
    first, second = make_items(project, "a", "b")
    third = make_items(project, "c", batch=make_batch(project, "second.csv"))[0]
    january, march = datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    people.all_answer(first, "yes", "yes", answered_at=january)
    people.all_answer(second, "no", "no", answered_at=january)
    newer = GuidelineVersion.objects.create(project=project, number=2, text="Look closer.")
    people.all_answer(third, "yes", "no", guideline=newer, answered_at=march)

    def percents(by: str) -> dict[str, float]:
        groups = agreement_report(project, "answer", by=by)["groups"]
        return {row["group"]: row["coefficients"]["percent_agreement"]["value"] for row in groups}

    assert percents("guideline") == {"1": 1.0, "2": 0.0}
    assert percents("batch") == {"1": 1.0, "2": 0.0}
    assert percents("month") == {"2024-01": 1.0, "2024-03": 0.0}


def test_labels_are_compared_with_gold_and_ties_share_the_credit(people: People, project: Project) -> None:
    right, tied, unsure = make_items(project, "a", "b", "c")
    people.all_answer(right, "yes", "yes", "no")
    people.all_answer(tied, "yes", "no")
    people.all_answer(unsure, "cannot tell", "cannot tell", "no")
    for item, truth in ((right, "yes"), (tied, "yes"), (unsure, "no")):
        make_gold(item, "answer", truth)

    against_gold = agreement_report(project, "answer")["against_gold"]

    assert against_gold["n_items"] == 3
    assert against_gold["majority_accuracy_fractional_ties"]["value"] == pytest.approx(2.5 / 3)


def answer_scale(people: People, project: Project) -> None:
    make_question(project, "size", ["small", "middling", "large"], kind=QuestionKind.SCALE, level="ordinal")
    for item, values in zip(
        make_items(project, "a", "b", "c", "d"),
        [("small", "small"), ("small", "middling"), ("small", "large"), ("large", "large")],
        strict=True,
    ):
        people.all_answer(item, *values, key="size")


def test_weights_follow_from_the_level(people: People, project: Project) -> None:
    answer_scale(people, project)

    ordinal = agreement_report(project, "size")
    nominal = agreement_report(project, "size", level="nominal")
    none = agreement_report(project, "size", weights="identity")

    # Ordinal weights of neighbours among three are 1 - 1/3.
    assert (ordinal["weights"], nominal["weights"], none["weights"]) == ("ordinal", None, None)
    assert ordinal["weighted"]["percent_agreement"]["value"] == pytest.approx((2 + 2 / 3) / 4)
    assert list(ordinal["weighted"]) == [
        "percent_agreement", "gwet_ac2", "fleiss_kappa", "brennan_prediger", "conger_kappa"
    ]  # fmt: skip
    (pair,) = ordinal["pairs"]
    assert pair["weighted_kappa"]["value"] == pytest.approx(ordinal["weighted"]["conger_kappa"]["value"])
    assert nominal["weighted"] is None
    assert "weighted_kappa" not in nominal["pairs"][0]
    assert none["weighted"] is None
    assert agreement_report(project, "size", level="nominal", weights="linear")["weighted"]


def test_a_table_of_weights_stands_in_the_order_of_the_classes(people: People, project: Project) -> None:
    answer_scale(people, project)

    report = agreement_report(project, "size", weights="[[1, 0.3, 0.1], [0.3, 1, 0], [0.1, 0, 1]]")

    assert report["weights"] == "custom"
    assert report["weighted"]["percent_agreement"]["value"] == pytest.approx((1 + 0.3 + 0.1 + 1) / 4)


def test_many_different_numbers_have_quadratic_weights_only(people: People, project: Project) -> None:
    make_question(project, "size", [], kind=QuestionKind.NUMBER, level="ratio")
    for number, item in enumerate(make_items(project, *(f"i{number}" for number in range(210)))):
        people.all_answer(item, number, number + 0.5, key="size")

    usual = agreement_report(project, "size")
    quadratic = agreement_report(project, "size", weights="quadratic")

    assert (usual["weights"], usual["weighted"], usual["warnings"]) == (None, None, ["too_many_values"])
    reach = 209.5**2
    assert quadratic["weighted"]["percent_agreement"]["value"] == pytest.approx(1 - 0.25 / reach)
    with pytest.raises(Invalid) as refused:
        agreement_report(project, "size", weights="linear")
    assert refused.value.code == "too-many-values"


def test_numbers_have_correlations_and_a_mean_difference(people: People, project: Project) -> None:
    make_question(project, "size", [], kind=QuestionKind.NUMBER, level="interval")
    for item, values in zip(make_items(project, "a", "b", "c"), [(1, 2), (3, 4), (5, 9)], strict=True):
        people.all_answer(item, *values, key="size")

    report = agreement_report(project, "size")

    assert report["mean_absolute_difference"]["value"] == pytest.approx(2.0)
    assert report["mean_absolute_difference"]["needed"] is None
    # Mean squares: items 15.5, within items 3, what is left of them 1.5.
    assert report["intraclass"]["icc_1"]["value"] == pytest.approx((15.5 - 3) / (15.5 + 3))
    assert report["intraclass"]["icc_3"]["value"] == pytest.approx((15.5 - 1.5) / (15.5 + 1.5))
    assert report["weights"] == "quadratic"
    assert agreement_report(project, "size", level="ordinal")["intraclass"] is None


def test_texts_are_compared_letter_by_letter_too(people: People, project: Project) -> None:
    make_question(project, "name", [], kind=QuestionKind.TEXT)
    for item, values in zip(
        make_items(project, "a", "b", "c"),
        [("wren", "Wren."), ("wren", "wrens"), ("owl", "owl")],
        strict=True,
    ):
        people.all_answer(item, *values, key="name")

    report = agreement_report(project, "name")

    assert report["texts"]["exact"] == report["coefficients"]["percent_agreement"]
    assert report["texts"]["standardised"]["value"] == pytest.approx(2 / 3)
    assert report["texts"]["edit_similarity"]["value"] == pytest.approx((1 + 4 / 5 + 1) / 3)
    assert (report["sets"], report["intraclass"], report["weighted"]) == (None, None, None)
    with pytest.raises(Invalid) as refused:
        agreement_report(project, "name", weights="linear")
    assert refused.value.code == "bad-weights"


def test_every_scale_of_words_has_its_verdict(people: People, project: Project) -> None:
    for number, item in enumerate(make_items(project, *(f"i{number}" for number in range(40)))):
        people.all_answer(item, *(("yes", "yes"), ("no", "no"))[number % 2])

    report = agreement_report(project, "answer")

    assert [(row["scale"], row["level"]) for row in report["verdicts"]] == [
        ("landis_koch", "almost_perfect"), ("altman", "very_good"), ("krippendorff", "reliable")
    ]  # fmt: skip
    assert report["verdict"] == report["verdicts"][0]


def test_who_cannot_tell_is_counted_by_what_the_others_say(people: People, project: Project) -> None:
    unsure = "cannot tell"
    for item, values in zip(
        make_items(project, "a", "b", "c", "d"),
        [("yes", "yes", unsure), ("no", unsure, unsure), ("yes", "no", unsure), ("yes", "yes", "no")],
        strict=True,
    ):
        people.all_answer(item, *values)

    report = agreement_report(project, "answer", by="batch")

    # Most say yes of a and d, no of b; of c neither.
    rows = {row["class"]: row for row in report["uncertainty"]["by_majority"]}
    assert {name: (row["n_items"], row["rate"]["value"]) for name, row in rows.items()} == {
        "yes": (2, pytest.approx(1 / 6)), "no": (1, pytest.approx(2 / 3))
    }  # fmt: skip
    (group,) = report["groups"]
    whole = report["uncertainty"]
    assert group["uncertainty"] == {key: whole[key] for key in ("rate", "alpha_on_abstaining")}


def test_what_the_headline_leans_on(people: People, project: Project) -> None:
    unsure = "cannot tell"
    for item, values in zip(
        make_items(project, "a", "b", "c", "d"),
        [("yes", "yes"), ("no", "no"), (unsure, unsure), ("yes", "no")],
        strict=True,
    ):
        people.all_answer(item, *values)

    report = agreement_report(project, "answer", readings=True)

    alphas = {name: row["krippendorff_alpha"]["value"] for name, row in report["readings"].items()}
    assert report["headline_leans_on"] == {
        "reading": "disagree", "difference": alphas["disagree"] - alphas["class"]
    }  # fmt: skip
    assert report["headline_leans_on"]["difference"] < -0.2
    assert report["readings"]["missing"]["gwet_ac1"]["n_items"] == 3
    nothing = agreement_report(project, "answer", readings=True, slice="meta.site:lake")
    assert nothing["headline_leans_on"] is None


def tag(project: Project, name: str, *items: Item) -> None:
    made = Tag.objects.create(project=project, name=name, name_key=name.casefold())
    ItemTag.objects.bulk_create([ItemTag(tag=made, item=item) for item in items])


def test_a_slice_and_groups_by_tag(people: People, project: Project) -> None:
    one, two, three = make_items(project, "a", "b", "c")
    people.all_answer(one, "yes", "yes")
    people.all_answer(two, "yes", "no")
    people.all_answer(three, "no", "no")
    tag(project, "Blurry", one, two)
    tag(project, "dark", two)
    tag(project, "unused")
    make_gold(one, "answer", "yes")
    make_gold(three, "answer", "yes")

    blurry = agreement_report(project, "answer", slice="tag:bLURRY")
    by_tag = agreement_report(project, "answer", by="tag")

    assert (blurry["slice"], blurry["n_items"]) == ("tag:bLURRY", 2)
    assert blurry["coefficients"]["percent_agreement"]["value"] == 0.5
    assert blurry["against_gold"]["n_items"] == 1
    # An item with two tags is in both groups; the tag of most answers stands first.
    assert [(row["group"], row["n_items"]) for row in by_tag["groups"]] == [("Blurry", 2), ("dark", 1)]
    assert (by_tag["n_items"], by_tag["cut"]["groups"]) == (3, 0)
    assert "changes" not in by_tag


def test_groups_by_a_key_of_the_metadata(people: People, project: Project) -> None:
    for item in make_items(project, "a", meta={"site": "pond"}):
        people.all_answer(item, "yes", "no")
    for item in make_items(project, "b", "c", meta={"site": "lake"}):
        people.all_answer(item, "yes", "yes")
    people.all_answer(make_items(project, "d")[0], "no", "no")
    make_items(project, "e", meta={"site": "nobody answered"})

    report = agreement_report(project, "answer", by="meta.site")

    assert [(row["group"], row["n_items"]) for row in report["groups"]] == [("lake", 2), ("pond", 1)]
    assert agreement_report(project, "answer", by="meta.missing")["groups"] == []


def test_of_many_groups_those_with_most_answers_are_shown(people: People, project: Project) -> None:
    for number in range(53):
        (item,) = make_items(project, f"i{number}", meta={"site": number})
        people.all_answer(item, "yes", "yes", *(["no"] if number == 52 else []))

    report = agreement_report(project, "answer", by="meta.site")

    assert (len(report["groups"]), report["cut"]["groups"]) == (50, 3)
    assert report["groups"][0]["group"] == "52"


def test_what_a_new_guideline_changed(people: People, project: Project) -> None:
    for number, item in enumerate(make_items(project, *(f"i{number}" for number in range(80)))):
        if number == 40:
            GuidelineVersion.objects.create(project=project, number=2, text="Look closer.")
        answer, other = (("yes", "no"), ("no", "yes"))[number % 2]
        apart = number < 20 or number == 79
        people.all_answer(item, answer, other if apart else answer)

    report = agreement_report(project, "answer", by="guideline")

    (change,) = report["changes"]
    assert (change["from"], change["to"]) == ("1", "2")
    before, after = (row["coefficients"]["percent_agreement"] for row in report["groups"])
    percent = change["percent_agreement"]
    assert percent["difference"]["value"] == pytest.approx(39 / 40 - 20 / 40)
    assert percent["difference"]["se"] == pytest.approx((before["se"] ** 2 + after["se"] ** 2) ** 0.5)
    assert percent["p"] < 1e-5
    assert change["krippendorff_alpha"]["difference"]["ci"][0] > 0.5
    assert json.loads(json.dumps(report, allow_nan=False)) == report


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"question_key": "nothing"}, "unknown-question"),
        ({"level": "absolute"}, "bad-level"),
        ({"uncertain": "maybe"}, "bad-uncertain"),
        ({"items": "some"}, "bad-items"),
        ({"by": "phase"}, "bad-by"),
        ({"repeat": 0}, "bad-repeat"),
        ({"slice": "owner__password:x"}, "bad-slice"),
        ({"slice": "meta.site"}, "bad-slice"),
        ({"slice": "tag:noise"}, "unknown-tag"),
        ({"by": "meta."}, "bad-by"),
        ({"interval": "bayes"}, "bad-interval"),
        ({"weights": "cubic"}, "bad-weights"),
        ({"weights": "[[1, 0], [0, 1]]"}, "bad-weights"),
        ({"weights": "[[1, 0, 0], [0, 1, 0], [0, 0, 0.5]]"}, "bad-weights"),
        ({"weights": "[[1, 2, 0], [2, 1, 0], [0, 0, 1]]"}, "bad-weights"),
        ({"weights": "[[1, NaN, 0], [0, 1, 0], [0, 0, 1]]"}, "bad-weights"),
        ({"weights": '[[1, "0", 0], [0, 1, 0], [0, 0, 1]]'}, "bad-weights"),
        ({"weights": "[" * 100_000}, "bad-weights"),
    ],
)
def test_what_cannot_be_asked_is_refused(project: Project, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        agreement_report(project, **{"question_key": "answer", **asked})
    assert refused.value.code == code


def test_a_question_must_be_named_when_there_are_several(project: Project) -> None:
    assert agreement_report(project)["question"] == "answer"
    make_question(project, "more", ["a", "b"])
    project.schema_version += 1
    with pytest.raises(Invalid) as refused:
        agreement_report(project)
    assert refused.value.code == "question-needed"


def test_the_same_person_has_another_pseudonym_in_another_project(people: People, actors: Actors) -> None:
    flowers = Project.objects.get(slug="flowers")
    member = Membership.objects.get(pk=people.bob.pk)

    assert pseudonym(actors.project, member.pk) == pseudonym(actors.project, member.pk)
    assert pseudonym(actors.project, member.pk) != pseudonym(flowers, member.pk)
    assert pseudonym(actors.project, member.pk).startswith("p_")


def test_an_answer_to_the_corrected_item_counts_and_one_to_a_withdrawn_item_never_does(
    people: People, project: Project
) -> None:
    corrected, withdrawn = make_items(project, "i1", "i2", version=2)
    people.all_answer(corrected, "yes", "no", None, item_version=1)
    people.all_answer(corrected, "yes", "yes", item_version=2)
    people.all_answer(withdrawn, "yes", "no", item_version=2)
    Item.objects.filter(pk=withdrawn.pk).update(state=ItemState.WITHDRAWN, free=0)

    report = agreement_report(project, "answer")

    assert (report["n_items"], report["n_annotations"]) == (1, 2)
    assert report["coefficients"]["percent_agreement"]["value"] == 1.0


def test_the_interval_can_be_chosen(people: People, project: Project) -> None:
    for number, item in enumerate(make_items(project, *(f"i{number}" for number in range(12)))):
        answer = ("yes", "no")[number % 2]
        people.all_answer(item, answer, answer, "yes" if number == 3 else answer)

    reports = {name: agreement_report(project, "answer", interval=name, by="batch") for name in INTERVALS}

    methods = {"items": "skewness_corrected", **{name: name for name in INTERVALS[1:]}}
    for name, report in reports.items():
        assert report["interval"] == name
        for part in (report, report["groups"][0]):
            assert part["coefficients"]["krippendorff_alpha"]["method"] == methods[name]
    assert len({tuple(report["coefficients"]["gwet_ac1"]["ci"]) for report in reports.values()}) == 4
    assert agreement_report(project, "answer")["coefficients"] == reports["items"]["coefficients"]


def test_two_people_are_too_few_for_a_claim_about_others(people: People, project: Project) -> None:
    for item in make_items(project, "a", "b"):
        people.all_answer(item, "yes", "no")

    report = agreement_report(project, "answer", interval="two_way")

    assert report["coefficients"]["percent_agreement"]["reason"] == "too_few_annotators"
    assert report["verdict"] is None
    assert report["planning"]["reason"] is None  # the plan has intervals of its own


def test_what_more_labels_and_items_would_bring(people: People, project: Project) -> None:
    for number, item in enumerate(make_items(project, *(f"i{number}" for number in range(20)))):
        answer = ("yes", "no")[number % 2]
        people.all_answer(item, answer, "no" if number % 5 == 0 else answer)

    report = agreement_report(project, "answer")

    planning = report["planning"]
    assert (planning["wanted_half_width"], planning["wanted_consensus"]) == (0.05, 0.9)
    assert [row["labels_per_item"] for row in planning["rows"]] == list(range(1, 10))
    one, two = planning["rows"][:2]
    assert (one["half_width_now"], one["percent"]["items_needed"]) == (None, None)
    # At the present numbers the plan is what was measured: normal quantile times standard error.
    assert two["half_width_now"] == pytest.approx(
        1.959964 * report["coefficients"]["krippendorff_alpha"]["se"], rel=1e-6
    )
    assert two["percent"]["half_width_now"] == pytest.approx(
        1.959964 * report["coefficients"]["percent_agreement"]["se"], rel=1e-6
    )
    assert two["answers_needed"] == 2 * two["items_needed"] > two["answers_now"] == 40
    first = next(row for row in planning["rows"] if row["consensus"] >= 0.9)
    assert planning["labels_needed"] == first["labels_per_item"]
    assert agreement_report(project, "answer", level="ordinal")["planning"] is None
    assert agreement_report(project, "answer", details=False)["planning"] is None


def test_without_overlap_the_plan_says_what_is_missing(people: People, project: Project) -> None:
    one, two = make_items(project, "a", "b")
    people.all_answer(one, "yes")
    people.all_answer(two, None, "no")

    planning = agreement_report(project, "answer")["planning"]

    assert (planning["rows"], planning["labels_needed"], planning["reason"]) == ([], None, "no_overlap")
