"""Items drawn again: one draw is the same as drawing rows, many draws are the right distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.numerics import bootstrap
from core.numerics.alpha import Level, Scale, krippendorff_alpha
from core.numerics.bootstrap import COEFFICIENTS, evaluators, item_bootstrap
from core.numerics.coefficients import (
    Observed,
    brennan_prediger,
    fleiss_kappa,
    gwet_ac1,
    percent_agreement,
)
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, LabelTable, Patterns, find_patterns
from tests.numerics.tables import from_matrix

NA = None
ALICE_BOB_CAROL = from_matrix(
    [[0, 0, 0], [1, 1, 0], [2, 2, 2], [1, NA, 1], [0, 0, 1], [2, 1, 2], [NA, NA, 1], [0, 0, 0], [1, 1, 1]]
)


def scale_of(table: LabelTable, level: Level, unranked: Bools, weight: Floats) -> Scale:
    values = np.arange(table.n_classes, dtype=float) if table.values is None else table.values
    return Scale(level, values, unranked, weight)


def figures(patterns: Patterns, scale: Scale) -> dict[str, Figure]:
    seen = Observed(patterns, scale.weight)
    fleiss = fleiss_kappa(seen)
    return {
        "percent_agreement": percent_agreement(seen),
        "krippendorff_alpha": krippendorff_alpha(patterns, scale, patterns.n_items),
        "gwet_ac1": gwet_ac1(seen, patterns.n_classes),
        "fleiss_kappa": fleiss,
        "scott_pi": fleiss,
        "brennan_prediger": brennan_prediger(seen, patterns.n_classes),
    }


def simple(table: LabelTable, level: Level = Level.NOMINAL) -> tuple[Patterns, Scale]:
    nobody = np.zeros(table.n_classes, dtype=np.bool_)
    return find_patterns(table).patterns, scale_of(table, level, nobody, np.ones(table.n_classes))


def drawn(table: LabelTable, level: Level = Level.NOMINAL, n: int = 1000, seed: int = 0) -> dict[str, Figure]:
    patterns, scale = simple(table, level)
    return item_bootstrap(
        patterns,
        figures(patterns, scale),
        scale=scale,
        weight=scale.weight,
        n_permitted=table.n_classes,
        n=n,
        seed=seed,
    )


def random_table(rng: np.random.Generator, items: int, classes: int = 4) -> LabelTable:
    size = rng.integers(1, 5, size=items)
    item = np.repeat(np.arange(items), size)
    who = np.concatenate([rng.permutation(6)[:n] for n in size])
    truth = rng.integers(classes, size=items)[item]
    label = np.where(rng.random(item.size) < 0.7, truth, rng.integers(classes, size=item.size))
    values = np.sort(rng.integers(1, 30, size=classes)).astype(float)  # two classes may have the same number
    return LabelTable(item, who, label, classes, values)


def rows_again(table: LabelTable, chosen: list[int]) -> LabelTable:
    """The table whose n-th item is a copy of item chosen[n]."""
    rows = [np.flatnonzero(table.item == item) for item in chosen]
    item = np.repeat(np.arange(len(chosen)), [len(row) for row in rows])
    take = np.concatenate(rows)
    return LabelTable(item, table.annotator[take], table.label[take], table.n_classes, table.values)


@given(
    seed=st.integers(0, 10**6),
    level=st.sampled_from(list(Level)),
    unsure=st.sampled_from(["none", "agree", "disagree"]),
)
def test_a_draw_of_patterns_is_a_draw_of_items(seed: int, level: Level, unsure: str) -> None:
    rng = np.random.default_rng(seed)
    table = random_table(rng, 12)
    unranked = np.array([unsure != "none", False, False, False])
    weight = np.array([float(unsure != "disagree"), 1.0, 1.0, 1.0])
    scale = scale_of(table, level, unranked, weight)
    index = find_patterns(table)
    chosen = rng.integers(12, size=12)
    draw = np.bincount(index.of_item[chosen], minlength=index.patterns.size.size)
    again = figures(find_patterns(rows_again(table, chosen.tolist())).patterns, scale)
    found = evaluators(index.patterns, list(COEFFICIENTS), scale=scale, weight=weight, n_permitted=4)
    for name, figure in again.items():
        value = found[name](draw[None].astype(float))[0]
        if figure.value is not None:
            assert value == pytest.approx(figure.value, abs=1e-9), name


def test_the_undrawn_table_gives_the_coefficients_themselves() -> None:
    patterns, scale = simple(ALICE_BOB_CAROL, Level.ORDINAL)
    found = evaluators(patterns, list(COEFFICIENTS), scale=scale, weight=scale.weight, n_permitted=3)
    for name, figure in figures(patterns, scale).items():
        assert found[name](patterns.multiplicity[None].astype(float))[0] == pytest.approx(figure.value)


def test_many_values_of_a_ratio_scale_are_compared_without_a_square_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = random_table(np.random.default_rng(3), 40)
    exact = drawn(table, Level.RATIO, n=50)["krippendorff_alpha"]
    monkeypatch.setattr(bootstrap, "_DIRECT", 1)
    assert drawn(table, Level.RATIO, n=50)["krippendorff_alpha"].ci == pytest.approx(exact.ci)


def test_draws_have_the_moments_of_drawn_items() -> None:
    # Percent agreement of two labelers: the mean of n zeros and ones, so its spread is the root of p (1 - p) / n.
    table = from_matrix([[0, 0]] * 40 + [[0, 1]] * 20 + [[1, 1]] * 20)
    figure = drawn(table, n=20_000)["percent_agreement"]
    assert figure.se == pytest.approx((0.75 * 0.25 / 80) ** 0.5, rel=0.02)
    assert figure.ci == pytest.approx((0.6500, 0.8375), abs=0.0126)  # quantiles of Binomial(80, .75) / 80


def test_intervals_are_those_of_the_linearised_error_where_items_are_many() -> None:
    table = random_table(np.random.default_rng(1), 2000)
    patterns, scale = simple(table, Level.INTERVAL)
    found = drawn(table, Level.INTERVAL, n=4000)
    linearised = figures(patterns, scale)
    alpha = found["krippendorff_alpha"]
    assert alpha.method is Method.ITEM_BOOTSTRAP
    assert alpha.se == pytest.approx(linearised["krippendorff_alpha"].se, rel=0.06)
    assert alpha.ci == pytest.approx(linearised["krippendorff_alpha"].ci, abs=0.005)
    assert found["gwet_ac1"].se is not None


def test_four_times_the_items_halve_the_interval() -> None:
    rows = [[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 2, 1], [2, 2, 2], [0, 2, 1]]
    few, many = (drawn(from_matrix(rows * times), n=4000) for times in (10, 40))
    for name in COEFFICIENTS:
        assert many[name].se == pytest.approx((few[name].se or 0) / 2, rel=0.1)


def test_the_same_seed_gives_the_same_interval_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    once = drawn(ALICE_BOB_CAROL, n=200, seed=7)
    monkeypatch.setattr(bootstrap, "_CELLS", 60)
    for name, figure in drawn(ALICE_BOB_CAROL, n=200, seed=7).items():
        assert figure.ci == pytest.approx(once[name].ci)
        assert figure.se == pytest.approx(once[name].se)
    other = drawn(ALICE_BOB_CAROL, n=200, seed=8)
    assert other["gwet_ac1"].se != pytest.approx(once["gwet_ac1"].se)


def test_values_and_counts_stay_those_of_the_estimates() -> None:
    patterns, scale = simple(ALICE_BOB_CAROL)
    for name, figure in figures(patterns, scale).items():
        again = drawn(ALICE_BOB_CAROL)[name]
        assert (again.value, again.n_items, again.n_pairs) == (figure.value, figure.n_items, figure.n_pairs)


def test_scott_is_fleiss() -> None:
    found = drawn(ALICE_BOB_CAROL)
    assert found["scott_pi"] == found["fleiss_kappa"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[0, NA], [1, NA]], Reason.NO_OVERLAP),
        ([[0, 1]], Reason.TOO_FEW_ITEMS),
        ([[0, 0], [0, 0]], Reason.ONE_CLASS),
    ],
)
def test_what_cannot_be_estimated_keeps_its_reason(rows: list[list[int | None]], reason: Reason) -> None:
    alpha = drawn(from_matrix(rows, [0, 1]))["krippendorff_alpha"]
    assert (alpha.value, alpha.ci, alpha.reason) == (None, None, reason)


def test_a_class_that_is_seldom_drawn_leaves_no_interval() -> None:
    # Without the one item that shows the second class (a draw in three) there is only one class.
    found = drawn(from_matrix([[0, 0]] * 9 + [[0, 1]]))
    assert found["krippendorff_alpha"].value is not None
    assert found["krippendorff_alpha"].ci is None
    assert found["percent_agreement"].ci is not None


def test_an_empty_table_has_no_intervals() -> None:
    found = drawn(LabelTable(*(np.empty(0, dtype=np.intp),) * 3, 2))
    assert {figure.reason for figure in found.values()} == {Reason.NO_OVERLAP}
