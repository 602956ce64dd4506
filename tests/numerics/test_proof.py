"""Before and after: figures as in the report, intervals that cover, and what is said when they cannot tell."""

from math import ceil

import numpy as np
import pytest

from core.numerics.alpha import Level, Scale, krippendorff_alpha, nominal_scale
from core.numerics.coefficients import Observed, percent_agreement
from core.numerics.proof import (
    Measure,
    Outcome,
    _more_items,
    alpha,
    alpha_of_classes,
    compare_pairs,
    compare_sets,
    figure,
    percent,
    specific_agreement,
)
from core.numerics.results import Figure, Reason
from core.numerics.table import LabelTable, find_patterns

CLASSES = 4


def answers(n_items: int, right: float, seed: int, *, people: int = 3, truth_seed: int = 0) -> LabelTable:
    """So many people say the truth with probability ``right`` and else any class."""
    truth = np.random.default_rng(truth_seed).integers(0, CLASSES, n_items)
    draws = np.random.default_rng(seed)
    item = np.repeat(np.arange(n_items), people)
    said = np.where(draws.random(item.size) < right, truth[item], draws.integers(0, CLASSES, item.size))
    return LabelTable(item, np.tile(np.arange(people), n_items), said, CLASSES)


def only(*classes: int) -> np.ndarray:
    return np.isin(np.arange(CLASSES), classes)


def test_figures_are_those_of_the_report() -> None:
    table = answers(120, 0.7, 1)
    patterns = find_patterns(table).patterns
    same = krippendorff_alpha(patterns, nominal_scale(CLASSES), 120)
    found = figure(table, alpha(nominal_scale(CLASSES)))
    assert found.value == pytest.approx(same.value)
    assert found.se == pytest.approx(same.se, rel=0.03)
    assert (found.n_items, found.n_pairs) == (same.n_items, same.n_pairs)
    share = percent_agreement(Observed(patterns, np.ones(CLASSES)))
    found = figure(table, percent)
    assert found.value == pytest.approx(share.value)
    assert found.se == pytest.approx(share.se, rel=1e-9)


def test_one_class_against_the_rest_is_its_own_alpha() -> None:
    table = answers(100, 0.6, 2)
    two = LabelTable(table.item, table.annotator, (table.label == 1).astype(int), 2)
    assert figure(table, alpha_of_classes(only(1))).value == pytest.approx(
        figure(two, alpha(nominal_scale(2))).value
    )


def test_specific_agreement_by_hand() -> None:
    """a a b: of the two who said a, each sees one of two others agree; c c c does not count; a b: none agrees."""
    table = LabelTable(
        np.array([0, 0, 0, 1, 1, 1, 2, 2]),
        np.array([0, 1, 2, 0, 1, 2, 0, 1]),
        np.array([0, 0, 1, 2, 2, 2, 0, 1]),
        3,
    )
    found = figure(table, specific_agreement(np.array([True, True, False])))
    # agreeing: 2 / 2 = 1; answers of a or b: 3 + 2.
    assert found.value == pytest.approx(1 / 5)


def test_a_rise_on_the_same_items_is_told() -> None:
    found = compare_pairs(answers(150, 0.6, 3), answers(150, 0.9, 4), alpha(nominal_scale(CLASSES)))
    assert found.outcome is Outcome.ROSE
    assert found.difference.ci is not None
    assert found.difference.ci[0] > 0
    assert found.p is not None
    assert found.p < 0.001
    assert found.more_items == 0
    assert found.difference.value == pytest.approx(found.after.value - found.before.value)  # type: ignore[operator]
    back = compare_pairs(answers(150, 0.9, 4), answers(150, 0.6, 3), alpha(nominal_scale(CLASSES)))
    assert back.outcome is Outcome.FELL


def test_the_same_answers_on_both_sides_differ_by_nothing_and_prove_nothing() -> None:
    table = answers(50, 0.7, 5)
    found = compare_pairs(table, table, alpha(nominal_scale(CLASSES)))
    assert found.difference.value == 0
    assert found.difference.ci is None
    assert found.outcome is Outcome.CANNOT_TELL


def with_disputes(n_items: int, *disputed: int) -> LabelTable:
    """Bob and Carol agree on every item but these."""
    label = np.tile(np.arange(n_items) % CLASSES, (2, 1)).T.copy()
    label[list(disputed), 1] = (label[list(disputed), 0] + 1) % CLASSES
    return LabelTable(np.repeat(np.arange(n_items), 2), np.tile([0, 1], n_items), label.ravel(), CLASSES)


@pytest.mark.parametrize("measure", [percent, alpha(nominal_scale(CLASSES))])
@pytest.mark.parametrize("n_changed", [1, 2, 3, 4])
def test_a_few_changed_items_of_many_prove_nothing(measure: Measure, n_changed: int) -> None:
    """Four fair coins fall the same way once in eight times."""
    for n_items in (60, 200, 1000):
        settled, disputed = with_disputes(n_items), with_disputes(n_items, *range(n_changed))
        for before, after in ((disputed, settled), (settled, disputed)):
            found = compare_pairs(before, after, measure)
            assert found.outcome in {Outcome.CANNOT_TELL, Outcome.SAME}
            assert found.p is not None
            assert found.p > 0.05
            assert found.difference.ci is not None
            assert found.difference.ci[0] < 0 < found.difference.ci[1]
    many = compare_pairs(with_disputes(200, *range(9)), with_disputes(200), measure)
    assert many.outcome is Outcome.ROSE


@pytest.mark.parametrize("n_items", [60, 200, 300])
@pytest.mark.parametrize("anew", [0.005, 0.02])
def test_where_nothing_changes_but_by_chance_a_change_is_told_at_most_once_in_twenty(
    n_items: int, anew: float
) -> None:
    """So many items turn from agreement to dispute or back, each as likely as the other."""
    draws = np.random.default_rng(n_items)
    told = 0
    for _ in range(200):
        turned = np.flatnonzero(draws.random(n_items) < 2 * anew)
        sides = draws.random(turned.size) < 0.5
        before, after = (with_disputes(n_items, *turned[side]) for side in (sides, ~sides))
        told += compare_pairs(before, after, percent).outcome in {Outcome.ROSE, Outcome.FELL}
    assert told <= 0.05 * 200


def test_only_items_with_two_answers_on_both_sides_count() -> None:
    before, after = answers(40, 0.8, 6), answers(40, 0.8, 7)
    early = before.keep(before.item < 25)
    late = after.keep((after.item >= 10) & ((after.item < 20) | (after.annotator == 0)))
    found = compare_pairs(early, late, percent)
    assert (found.before.n_items, found.after.n_items, found.difference.n_items) == (10, 10, 10)


def test_too_few_items_cannot_tell_and_say_how_many_more() -> None:
    found = compare_pairs(answers(30, 0.7, 8), answers(30, 0.75, 9), alpha(nominal_scale(CLASSES)))
    assert found.outcome is Outcome.CANNOT_TELL
    assert found.more_items is not None
    assert found.more_items > 0
    more = 30 + found.more_items
    assert found.difference.ci is not None
    half = (found.difference.ci[1] - found.difference.ci[0]) / 2 * (30 / more) ** 0.5
    size = abs(found.difference.value or 0.0)
    assert half <= max(size, 0.05 - size) + 1e-9


def test_many_items_without_a_change_are_the_same() -> None:
    found = compare_pairs(answers(3000, 0.8, 10), answers(3000, 0.8, 11), alpha(nominal_scale(CLASSES)))
    assert found.outcome is Outcome.SAME


def test_ratios_of_negative_numbers_have_no_alpha() -> None:
    scale = Scale(Level.RATIO, np.arange(-1.0, CLASSES - 1), only(), np.ones(CLASSES))
    found = compare_pairs(answers(20, 0.7, 19), answers(20, 0.7, 20), alpha(scale))
    assert found.before.reason is found.difference.reason is Reason.NEGATIVE_VALUES


def test_nothing_in_common_has_a_reason() -> None:
    before = answers(5, 0.8, 12)
    after = LabelTable(np.array([7, 7]), np.array([0, 1]), np.array([0, 0]), CLASSES)
    found = compare_pairs(before, after, percent)
    assert found.difference.reason is Reason.NO_OVERLAP
    assert (found.outcome, found.more_items) == (Outcome.CANNOT_TELL, None)


def test_two_sets_of_items_are_taken_as_independent() -> None:
    scale = alpha(nominal_scale(CLASSES))
    before = figure(answers(200, 0.6, 13), scale)
    after = figure(answers(200, 0.85, 14, truth_seed=1), scale)
    found = compare_sets(before, after)
    assert found.outcome is Outcome.ROSE
    assert before.se is not None
    assert after.se is not None
    assert found.difference.se == pytest.approx((before.se**2 + after.se**2) ** 0.5)


def test_more_items_of_the_second_set_cannot_mend_a_small_first_one() -> None:
    scale = percent
    before = figure(answers(12, 0.7, 15), scale)
    after = figure(answers(400, 0.72, 16, truth_seed=2), scale)
    found = compare_sets(before, after)
    assert (found.outcome, found.more_items) == (Outcome.CANNOT_TELL, None)


def test_as_many_more_items_as_narrow_the_interval_to_leave_out_nothing_or_stay_within_the_margin() -> None:
    """Whichever is the less: as narrow as the difference is large, or so that it lies within the margin."""

    def half_with(more: int, difference: Figure) -> float:
        assert difference.ci is not None
        half = (difference.ci[1] - difference.ci[0]) / 2
        return half * float((difference.n_items / (difference.n_items + more)) ** 0.5)

    small = Figure.estimate(0.01, se=0.04, ci=(-0.07, 0.09), n_items=100, n_pairs=100)
    large = Figure.estimate(0.07, se=0.04, ci=(-0.01, 0.15), n_items=100, n_pairs=100)
    for difference, aim in ((small, 0.04), (large, 0.07)):
        more = _more_items(difference, difference, 0.0)
        assert more is not None
        assert half_with(more, difference) <= aim < half_with(more - 1, difference)


def test_of_two_sets_only_the_second_narrows_and_the_first_keeps_its_spread() -> None:
    """Before .03; after .05 on 100 items: the interval is as narrow as .08 once after is (.08² / 2² - .03²)^.5."""
    se = (0.03**2 + 0.05**2) ** 0.5
    difference = Figure.estimate(0.08, se=se, ci=(0.08 - 2 * se, 0.08 + 2 * se), n_items=300, n_pairs=300)
    after = Figure.estimate(0.8, se=0.05, ci=(0.7, 0.9), n_items=100, n_pairs=100)
    more = _more_items(difference, after, 0.03)
    assert more == ceil(100 * (0.05**2 / (0.04**2 - 0.03**2) - 1))


def test_paired_intervals_cover_the_true_change() -> None:
    """People of fixed habits answer 120 items twice; the truth is the same difference over very many items."""
    measure = alpha(nominal_scale(CLASSES))
    true = compare_pairs(answers(60_000, 0.7, 17), answers(60_000, 0.8, 18), measure).difference.value
    assert true is not None
    covered = 0
    for seed in range(200):
        before = answers(120, 0.7, 1000 + seed, truth_seed=seed)
        after = answers(120, 0.8, 5000 + seed, truth_seed=seed)
        ends = compare_pairs(before, after, measure).difference.ci
        assert ends is not None
        covered += ends[0] <= true <= ends[1]
    assert 184 <= covered <= 198
