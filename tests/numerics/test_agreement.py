"""The report on small tables that can be worked by hand."""

import numpy as np
import pytest

from core.numerics import pairs as pair_module
from core.numerics.agreement import AgreementReport, Interval, agreement_report
from core.numerics.alpha import nominal_scale, ratio_distances
from core.numerics.bootstrap import COEFFICIENTS, item_bootstrap
from core.numerics.coefficients import Observed, percent_agreement
from core.numerics.intervals import t_interval
from core.numerics.pairs import pair_agreements
from core.numerics.planning import plan
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import LabelTable, find_patterns
from core.numerics.two_way import two_way
from tests.numerics.tables import from_contingency, from_matrix

YES, NO, UNSURE = 0, 1, 2
NA = None
# Alice, Bob and Carol on five items.
ROWS: list[list[int | None]] = [
    [YES, YES, YES],
    [NO, NO, YES],
    [YES, UNSURE, UNSURE],
    [NO, NO, NA],
    [NA, NA, YES],
]
TABLE = from_matrix(ROWS, [YES, NO, UNSURE])
CANNOT_TELL = frozenset({UNSURE})


def report(uncertain: str = "class", level: str = "nominal") -> AgreementReport:
    return agreement_report(TABLE, level=level, uncertain=uncertain, uncertain_classes=CANNOT_TELL)


def test_counts() -> None:
    found = report()
    assert (found.n_items, found.n_items_used, found.n_annotations, found.n_annotators) == (5, 4, 12, 3)
    assert (found.n_pairs, found.dropped_one_annotation, found.dropped_uncertain) == (10, 1, 0)


def test_uncertain_answers_as_a_class() -> None:
    percent = report("class").coefficients["percent_agreement"]
    assert percent.value == pytest.approx((1 + 1 / 3 + 1 / 3 + 1) / 4)


def test_uncertain_answers_as_missing() -> None:
    found = report("missing")
    assert found.coefficients["percent_agreement"].value == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert (found.n_items, found.n_items_used, found.dropped_uncertain) == (5, 3, 2)
    assert (found.n_annotations, found.dropped_one_annotation) == (12, 2)


def test_uncertain_answers_as_missing_are_answers_that_were_never_given() -> None:
    without = from_matrix([[None if x == UNSURE else x for x in row] for row in ROWS], [YES, NO])
    assert report("missing").coefficients == agreement_report(without).coefficients


def test_uncertain_answers_as_disagreement() -> None:
    percent = report("disagree").coefficients["percent_agreement"]
    assert percent.value == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)


def test_uncertain_disagreement_is_a_class_of_its_own_for_every_answer() -> None:
    apart = from_matrix(
        [[YES, YES, YES], [NO, NO, YES], [YES, 2, 3], [NO, NO, NA], [NA, NA, YES]], [YES, NO, 2, 3]
    )
    alpha = report("disagree").coefficients["krippendorff_alpha"]
    same = agreement_report(apart).coefficients["krippendorff_alpha"]
    assert alpha.value == pytest.approx(same.value)
    assert alpha.se == pytest.approx(same.se, rel=0.05)  # the same for many answers; here there are eleven


def test_leave_one_out_compares_with_the_plurality_of_the_others() -> None:
    # Alice: yes/{yes}, no/{no, yes} half, yes/{unsure}, no/{no}. Carol: yes/{yes}, yes/{no}, unsure/{yes, unsure}.
    alice, bob, carol = report().annotators
    assert alice.leave_one_out.value == pytest.approx((1 + 1 / 2 + 0 + 1) / 4)
    assert bob.leave_one_out.value == pytest.approx((1 + 1 / 2 + 1 / 2 + 1) / 4)
    assert carol.leave_one_out.value == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert (alice.n, bob.n, carol.n) == (4, 4, 4)
    assert (carol.leave_one_out.n_items, carol.leave_one_out.n_pairs) == (3, 6)


def test_leave_one_out_of_uncertain_disagreement_gives_no_credit_for_it() -> None:
    alice, bob, carol = report("disagree").annotators
    assert alice.leave_one_out.value == pytest.approx((1 + 1 / 2 + 0 + 1) / 4)
    assert bob.leave_one_out.value == pytest.approx((1 + 1 / 2 + 0 + 1) / 4)
    assert carol.leave_one_out.value == pytest.approx((1 + 0 + 0) / 3)


def test_abstention_is_counted_under_every_reading() -> None:
    for uncertain in ("class", "missing", "disagree"):
        assert [row.abstention_rate.value for row in report(uncertain).annotators] == [0.0, 0.25, 0.25]


def test_uncertainty_block() -> None:
    found = report("missing").uncertainty
    assert found.rate.value == pytest.approx(2 / 12)
    assert [(row.label, row.n) for row in found.by_class] == [(UNSURE, 2)]
    binary = from_matrix([[None if x is None else int(x == UNSURE) for x in row] for row in ROWS])
    assert found.alpha_on_abstaining == agreement_report(binary).coefficients["krippendorff_alpha"]


def test_confusions_are_pairs_of_answers() -> None:
    found = report()
    # Item 2: two no/yes pairs. Item 3: two yes/unsure pairs. Of four disagreeing pairs in all.
    assert [(row.a, row.b, row.n, row.share) for row in found.confusions] == [
        (YES, NO, 2, 0.5),
        (YES, UNSURE, 2, 0.5),
    ]


def test_specific_agreement_weighs_items_by_their_number_of_answers() -> None:
    # yes: item 1 has 3 of 3 (6 pairs / 2), items 2 and 3 one yes each; 5 yes on items with a partner.
    yes, no, unsure = report().per_class
    assert yes.specific_agreement.value == pytest.approx((6 / 2) / 5)
    assert no.specific_agreement.value == pytest.approx((2 / 2 + 2 / 1) / 4)
    assert unsure.specific_agreement.value == pytest.approx((2 / 2) / 2)
    assert (yes.n, no.n, unsure.n) == (6, 4, 2)
    assert unsure.specific_agreement.ci is None  # seen on one item only


def test_alpha_of_a_class_is_alpha_of_class_or_rest() -> None:
    for row in report().per_class:
        rest = from_matrix([[None if x is None else int(x != row.label) for x in line] for line in ROWS])
        binary = agreement_report(rest).coefficients["krippendorff_alpha"]
        assert row.alpha.value == pytest.approx(binary.value)
        assert row.alpha.se == pytest.approx(binary.se)


def test_alpha_of_a_class_where_uncertain_answers_disagree() -> None:
    apart = from_matrix([[0, 0, 0], [1, 1, 0], [0, 2, 3], [1, 1, NA], [NA, NA, 0]], [0, 1, 2, 3])
    same = agreement_report(apart).coefficients["krippendorff_alpha"]
    whole = report("disagree").coefficients["krippendorff_alpha"]
    yes, no, unsure = report("disagree").per_class
    # With two other classes, one of them against the rest is the whole.
    assert yes.alpha.value == pytest.approx(same.value)
    assert yes.alpha.se == pytest.approx(whole.se)
    assert no.alpha.value == pytest.approx(same.value)
    assert unsure.alpha == report("class").per_class[UNSURE].alpha
    assert unsure.specific_agreement.value == 0.0


def test_unranked_answers_lie_as_far_as_the_furthest_numbers() -> None:
    # 1 and 3 are two apart squared: 4; so is "unsure" from either. Within: (1, 3) and (3, unsure), 2 x 4 each.
    table = LabelTable(
        np.array([0, 0, 1, 1, 2, 2]),
        np.array([0, 1, 0, 1, 0, 1]),
        np.array([0, 1, 1, 2, 0, 0]),
        3,
        np.array([1.0, 3.0, 0.0]),
    )
    alpha = agreement_report(table, level="interval", uncertain_classes=frozenset({2})).coefficients
    # All ordered pairs of 1 1 1 3 3 unsure: 12 of 1/3, 6 of 1/unsure, 4 of 3/unsure, each 4 apart.
    assert alpha["krippendorff_alpha"].value == pytest.approx(1 - 5 * 16 / (22 * 4))


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
@pytest.mark.parametrize("uncertain", ["class", "missing", "disagree"])
def test_the_standard_error_of_alpha_is_what_leaving_out_items_gives(level: str, uncertain: str) -> None:
    """The jackknife needs no formula of ours; on 200 items it must be within a few percent."""
    random = np.random.default_rng(11)
    n = 200
    sizes = random.integers(1, 5, n)
    item = np.repeat(np.arange(n), sizes)
    annotator = np.concatenate([random.permutation(6)[:size] for size in sizes])
    near = np.clip(random.integers(0, 5, n)[item] + random.integers(-1, 2, item.size), 0, 4)
    label = np.where(random.random(item.size) < 0.1, 5, near)
    table = LabelTable(item, annotator, label, 6, np.array([0.5, 1.0, 2.0, 4.0, 9.0, 0.0]))

    def alpha(answers: LabelTable) -> Figure:
        found = agreement_report(
            answers, level=level, uncertain=uncertain, uncertain_classes=frozenset({5}), max_pairs=1
        )
        return found.coefficients["krippendorff_alpha"]

    left_out = np.array([alpha(table.keep(item != i)).value for i in range(n)], dtype=float)
    jackknife = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    assert alpha(table).se == pytest.approx(jackknife, rel=0.03)


def test_many_different_ratio_values_give_the_sum_over_all_pairs() -> None:
    random = np.random.default_rng(5)
    values = np.concatenate([[0.0], np.exp(random.normal(size=1500) * 4)])
    counts = random.integers(1, 4, values.size).astype(float)
    summed = values[:, None] + values
    by_pairs = ((values[:, None] - values) / np.where(summed > 0, summed, 1)) ** 2 @ counts
    assert np.allclose(ratio_distances(values, counts), by_pairs, rtol=1e-12)


@pytest.mark.parametrize("level", ["interval", "ratio"])
def test_huge_numbers_stay_finite(level: str) -> None:
    table = LabelTable(
        np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 2]), 3, np.array([0, 1e300, 1e308])
    )
    alpha = agreement_report(table, level=level).coefficients["krippendorff_alpha"]
    assert alpha.value is not None
    assert -1 < alpha.value < 1


def test_skewed_classes_are_told() -> None:
    """Feinstein and Cicchetti's paradox: 94 % agreement, kappa below zero, AC1 above .9."""
    found = agreement_report(from_contingency([[118, 5], [2, 0]]))
    values = {name: figure.value for name, figure in found.coefficients.items()}
    assert values["percent_agreement"] == pytest.approx(0.944)
    assert values["conger_kappa"] == pytest.approx(-0.023, abs=5e-4)
    assert values["gwet_ac1"] == pytest.approx(0.941, abs=5e-4)
    assert found.per_class[1].specific_agreement.value == 0.0
    assert found.warnings == ("skewed_classes",)


def test_even_classes_are_not() -> None:
    assert agreement_report(from_contingency([[40, 9], [6, 45]])).warnings == ()


def test_the_verdict_is_the_level_reached_for_certain() -> None:
    found = agreement_report(from_contingency([[40, 9], [6, 45]]))
    alpha = found.coefficients["krippendorff_alpha"]
    assert alpha.value is not None
    assert 0.6 < alpha.value < 0.8
    # Alpha is .70, but with a standard error of .07 it may well be below .6.
    assert found.verdict is not None
    assert (found.verdict.scale, found.verdict.coefficient) == ("landis_koch", "krippendorff_alpha")
    assert found.verdict.level == "moderate"
    assert 0.95 <= found.verdict.probability <= 1


def test_a_verdict_without_doubt() -> None:
    found = agreement_report(from_contingency([[5, 0], [0, 5]])).verdict
    assert found is not None
    assert (found.level, found.probability) == ("almost_perfect", 1.0)


def test_agreement_below_chance_is_poor() -> None:
    found = agreement_report(from_contingency([[0, 40], [40, 0]])).verdict
    assert found is not None
    assert (found.level, found.probability) == ("poor", 1.0)


def test_pairs_are_limited_to_those_who_share_most_items() -> None:
    found = agreement_report(TABLE, max_pairs=1)
    assert [(pair.a, pair.b, pair.n_items) for pair in found.pairs] == [(0, 1, 4)]
    assert found.pairs_cut == 2


def test_a_pair_with_one_common_item_has_no_kappa() -> None:
    found = agreement_report(from_matrix([[YES, NO], [YES, NA]], [YES, NO]))
    (pair,) = found.pairs
    assert (pair.percent.value, pair.percent.method) == (0.0, Method.WILSON)
    assert (pair.cohen_kappa.value, pair.cohen_kappa.reason) == (None, Reason.TOO_FEW_ITEMS)


def test_pairs_in_blocks_are_the_pairs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many pairs of answers to hold are counted for some annotators at a time, and pruned as it goes."""
    random = np.random.default_rng(2)
    item = np.repeat(np.arange(120), 4)
    annotator = np.concatenate([random.permutation(9)[:4] for _item in range(120)])
    table = LabelTable(item, annotator, random.integers(0, 3, item.size), 3)
    ones = np.ones(3)
    all_at_once, few_at_once = pair_agreements(table, ones, 100), pair_agreements(table, ones, 5)
    monkeypatch.setattr(pair_module, "_MOST_AT_ONCE", 60)
    monkeypatch.setattr(pair_module, "_ADDED_AT_ONCE", 7)
    for limit, expected in ((100, all_at_once), (5, few_at_once)):
        found, cut = pair_agreements(table, ones, limit)
        assert cut == expected[1]
        assert [(pair.a, pair.b, pair.n_items) for pair in found] == [
            (pair.a, pair.b, pair.n_items) for pair in expected[0]
        ]
        assert [pair.cohen_kappa.value for pair in found] == pytest.approx(
            [pair.cohen_kappa.value for pair in expected[0]]
        )
        assert [pair.cohen_kappa.se for pair in found] == pytest.approx(
            [pair.cohen_kappa.se for pair in expected[0]]
        )
    assert (len(all_at_once[0]), all_at_once[1], len(few_at_once[0]), few_at_once[1]) == (36, 0, 5, 31)


def test_thousands_of_annotators_need_no_square_of_them() -> None:
    """Ten thousand people and a million texts: only what occurs is stored."""
    n = 10_000
    item = np.repeat(np.arange(n), 2)
    annotator = np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1).ravel()
    label = np.stack([np.arange(n), np.arange(n) + (np.arange(n) % 2)], axis=1).ravel()
    found = agreement_report(LabelTable(item, annotator, label, 1_000_000), max_pairs=10)
    assert found.coefficients["percent_agreement"].value == 0.5
    assert (len(found.pairs), found.pairs_cut) == (10, n - 10)
    assert (len(found.per_class), found.classes_cut) == (200, 9_801)  # 10,001 texts were used


def test_classes_and_confusions_are_limited_to_the_most_frequent() -> None:
    found = agreement_report(TABLE, max_classes=1, max_confusions=1)
    assert ([row.label for row in found.per_class], found.classes_cut) == ([YES], 2)
    assert found.per_class[0] == report().per_class[0]
    assert (len(found.confusions), found.confusions_cut) == (1, 1)


def test_without_details_the_coefficients_are_the_same() -> None:
    whole, brief = (
        report("disagree"),
        agreement_report(
            TABLE, uncertain="disagree", uncertain_classes=CANNOT_TELL, weights="linear", details=False
        ),
    )
    assert (brief.coefficients, brief.verdicts) == (whole.coefficients, whole.verdicts)
    assert (brief.per_class, brief.uncertainty) == (whole.per_class, whole.uncertainty)
    assert (brief.pairs, brief.annotators, brief.confusions, brief.weighted) == ((), (), (), None)


def test_uncertain_answers_by_what_the_others_say() -> None:
    # Yes leads on items 1, 3 and 5, no on 2 and 4; only on 3 do people doubt: 2 of its 3 answers, of 7 in all.
    rows = report("missing").uncertainty.by_majority
    assert [(row.label, row.n) for row in rows] == [(YES, 3), (NO, 2)]
    assert [row.rate.value for row in rows] == [pytest.approx(2 / 7), 0.0]
    assert agreement_report(TABLE).uncertainty.by_majority == ()


def test_a_figure_as_json() -> None:
    figure = Figure.estimate(
        np.float64(0.5), se=0.1, ci=(0.3, 0.7), method=Method.LINEARISED, n_items=4, n_pairs=9
    )
    assert figure.to_dict() == {
        "value": 0.5,
        "se": 0.1,
        "ci": [0.3, 0.7],
        "method": "linearised",
        "n_items": 4,
        "n_pairs": 9,
        "reason": None,
        "needed": 60,  # four times as exact takes sixteen times the four items
    }
    assert Figure.missing(Reason.NO_OVERLAP).to_dict() == {
        "value": None,
        "se": None,
        "ci": None,
        "method": None,
        "n_items": 0,
        "n_pairs": 0,
        "reason": "no_overlap",
        "needed": None,
    }


# Nine items agreed on by all three, and one on which one of them says something else.
NEARLY_ALL_AGREE = [[0, 0, 0]] * 5 + [[1, 1, 1]] * 4 + [[0, 0, 1]]


def test_the_interval_is_moved_towards_the_longer_tail() -> None:
    """By hand: agreements 1 (nine times) and 1/3, mean 14/15; deviations 1/15 and -9/15; g = -8 / √90."""
    figure = agreement_report(from_matrix(NEARLY_ALL_AGREE)).coefficients["percent_agreement"]
    assert figure.value == pytest.approx(14 / 15)
    assert figure.se == pytest.approx(1 / 15)  # √(90 / 225 / (10 * 9))
    assert figure.method is Method.SKEWNESS
    assert figure.ci is not None
    # 14/15 - .84327 * (1/6 + 1.95996² / 3) / 15 - 2.26216 / 15
    assert figure.ci == pytest.approx((0.70117, 1.0), abs=1e-5)


@pytest.mark.parametrize("interval", list(Interval))
def test_another_interval_changes_neither_values_nor_warnings(interval: Interval) -> None:
    table = from_matrix(NEARLY_ALL_AGREE)
    usual, other = agreement_report(table), agreement_report(table, interval=interval)
    for name, figure in usual.coefficients.items():
        assert other.coefficients[name].value == figure.value
    assert other.coefficients["conger_kappa"] == usual.coefficients["conger_kappa"]
    assert (other.chance, other.warnings, other.per_class) == (usual.chance, usual.warnings, usual.per_class)


def test_every_interval_is_the_one_asked_for() -> None:
    table = from_matrix(NEARLY_ALL_AGREE)
    index = find_patterns(table)
    usual = agreement_report(table).coefficients

    def found(interval: str) -> dict[str, Figure]:
        coefficients = agreement_report(table, interval=interval).coefficients
        return {name: coefficients[name] for name in COEFFICIENTS}

    scale, ones = nominal_scale(2), np.ones(2)
    assert found("two_way") == two_way(index, usual, scale=scale, weight=ones, n_permitted=2)
    assert found("item_bootstrap") == item_bootstrap(
        index.patterns, usual, scale=scale, weight=ones, n_permitted=2
    )
    for name, figure in found("linearised").items():
        assert (figure.se, figure.method) == (usual[name].se, Method.LINEARISED)
        assert figure.value is not None
        assert figure.se is not None
        assert figure.ci == pytest.approx(t_interval(figure.value, figure.se, 9))


def test_two_people_allow_no_claim_about_others_like_them() -> None:
    found = agreement_report(from_contingency([[40, 9], [6, 45]]), interval="two_way")
    assert {found.coefficients[name].reason for name in COEFFICIENTS} == {Reason.TOO_FEW_ANNOTATORS}
    assert found.coefficients["conger_kappa"].value is not None
    assert found.verdicts == ()


def test_the_plan_rests_on_the_same_answers() -> None:
    table = from_matrix(NEARLY_ALL_AGREE)
    patterns = find_patterns(table).patterns
    found = agreement_report(table, interval="two_way", planned=True).plan
    assert found == plan(patterns, percent_agreement(Observed(patterns, np.ones(2))))
    assert agreement_report(table).plan is None


def test_nothing_is_planned_from_one_person() -> None:
    twice = LabelTable(np.array([0, 0, 1, 1]), np.zeros(4, dtype=np.intp), np.array([0, 1, 0, 0]), 2)
    found = agreement_report(twice, planned=True).plan
    assert found is not None
    assert (found.rows, found.percent.reason) == ((), Reason.ONE_ANNOTATOR)
