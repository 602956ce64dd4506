"""Intervals for new labelers: what labelers add to the error, by hand, by the jackknife and on simulated pools."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.numerics.alpha import Level, Scale, krippendorff_alpha, nominal_scale
from core.numerics.bootstrap import COEFFICIENTS
from core.numerics.coefficients import (
    Observed,
    brennan_prediger,
    fleiss_kappa,
    gwet_ac1,
    percent_agreement,
)
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import LabelTable, find_patterns
from core.numerics.two_way import alpha_influence, share_influence, two_way
from tests.numerics.tables import from_matrix

NA = None


def linearised(table: LabelTable, scale: Scale) -> dict[str, Figure]:
    patterns = find_patterns(table).patterns
    seen = Observed(patterns, scale.weight)
    fleiss = fleiss_kappa(seen)
    return {
        "percent_agreement": percent_agreement(seen),
        "krippendorff_alpha": krippendorff_alpha(patterns, scale, patterns.n_items),
        "gwet_ac1": gwet_ac1(seen, table.n_classes),
        "fleiss_kappa": fleiss,
        "scott_pi": fleiss,
        "brennan_prediger": brennan_prediger(seen, table.n_classes),
    }


def for_new_people(table: LabelTable, scale: Scale | None = None) -> dict[str, Figure]:
    scale = scale or nominal_scale(table.n_classes)
    return two_way(
        find_patterns(table),
        linearised(table, scale),
        scale=scale,
        weight=scale.weight,
        n_permitted=table.n_classes,
    )


def pool(rng: np.random.Generator, items: int, accuracy: list[float]) -> LabelTable:
    """Three people of the pool on every item, three classes."""
    who = np.stack([rng.permutation(len(accuracy))[:3] for _ in range(items)])
    truth = rng.integers(3, size=(items, 1))
    right = rng.random(who.shape) < np.array(accuracy)[who]
    said = np.where(right, truth, (truth + rng.integers(1, 3, size=who.shape)) % 3)
    return LabelTable(np.repeat(np.arange(items), 3), who.ravel(), said.ravel(), 3)


def test_people_who_differ_widen_the_interval() -> None:
    table = pool(np.random.default_rng(2), 600, [0.98] * 4 + [0.5] * 4)
    of_items = linearised(table, nominal_scale(3))
    for name, figure in for_new_people(table).items():
        assert figure.se is not None
        assert of_items[name].se is not None
        assert figure.se > 2 * (of_items[name].se or 0)
        assert figure.method is Method.TWO_WAY
        assert (figure.value, figure.n_items) == (of_items[name].value, of_items[name].n_items)


def test_people_who_are_alike_add_little() -> None:
    table = pool(np.random.default_rng(3), 600, [0.8] * 30)
    of_items = linearised(table, nominal_scale(3))
    for name, figure in for_new_people(table).items():
        assert figure.se == pytest.approx(of_items[name].se, rel=0.25)
        assert (figure.se or 0) >= (of_items[name].se or 0) - 1e-12


def test_percent_agreement_by_hand() -> None:
    """Ann, Ben, Cleo and Dan label every item; Dan differs from all on half of them.

    Pairs without Dan agree on 8 of 8 items, pairs with him on 4: P = (3 * 1 + 3 / 2) / 6 = .75. An item's agreement is
    1 or 1/2, so items alone give se² = 8 / 7 * 8 * (1/4)² / 64. An answer of one of the three agrees with all
    partners, or with 2 of 3; one of Dan's with all or none. Less P, over 4 * 8, twice, times (4 - 1) / (4 - 2): S is
    3 / 32 * (4 * 1/4 - 4 * 1/12) = 1/16 for each of the three and -3/16 for Dan. Q of an item is 3 / 32 times 1 or
    -1, and everybody has a quarter of the answers, so chance has Σ q² - Σ Q² / 4 in ΣS².
    """
    table = from_matrix([[0, 0, 0, 0], [1, 1, 1, 1]] * 2 + [[0, 0, 0, 1], [1, 1, 1, 0]] * 2)
    squares = (3 / 32) ** 2 * (4 * 4 * (1 / 4) ** 2 + 4 * (3 * (1 / 12) ** 2 + (3 / 4) ** 2))
    chance = squares - 8 * (3 / 32) ** 2 / 4
    of_labelers = (3 * (1 / 16) ** 2 + (3 / 16) ** 2 - chance) / (1 - 1 / 4)
    of_items = 8 / 7 * 8 * (1 / 4) ** 2 / 64
    figure = for_new_people(table)["percent_agreement"]
    assert figure.value == pytest.approx(0.75)
    assert figure.se == pytest.approx((of_items + of_labelers) ** 0.5)
    # t(3, .975) = 3.18245 on the scale of log odds: log 3 ± 3.18245 * se / (.75 * .25).
    reach = 3.182446 * (figure.se or 0) / (0.75 * 0.25)
    ends = [1 / (1 + np.exp(-np.log(3) - sign * reach)) for sign in (-1, 1)]
    assert figure.ci == pytest.approx(ends, abs=1e-6)


@given(seed=st.integers(0, 10**6), level=st.sampled_from(list(Level)), unsure=st.booleans())
def test_the_influences_of_items_are_those_of_the_linearised_error(
    seed: int, level: Level, *, unsure: bool
) -> None:
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 5, size=15)
    item = np.repeat(np.arange(15), size)
    who = np.concatenate([rng.permutation(5)[:n] for n in size])
    label = np.where(rng.random(item.size) < 0.6, (item % 4), rng.integers(4, size=item.size))
    table = LabelTable(item, who, label, 4)
    unranked = np.array([unsure, False, False, False])
    scale = Scale(level, np.array([0.0, 1.0, 2.0, 5.0]), unranked, np.where(unranked, rng.integers(2), 1.0))
    p = find_patterns(table).patterns
    for name, figure in linearised(table, scale).items():
        if figure.se is None:
            continue
        influence = (
            alpha_influence(p, scale)
            if name == "krippendorff_alpha"
            else share_influence(p, name, scale.weight, 4)
        )
        of_item = p.per_row(p.count * (influence.pairs + influence.margins))
        assert np.sqrt(p.multiplicity @ of_item**2 * 15 / 14) == pytest.approx(figure.se, abs=1e-9)


@pytest.mark.parametrize("level", list(Level))
def test_many_items_leave_the_jackknife_over_labelers(level: Level) -> None:
    """With very many items chance is gone, and leaving each person out in turn says what people add."""
    people, n = 8, 20_000
    rng = np.random.default_rng(5)
    table = pool(rng, n, [0.95, 0.9, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5])
    scale = Scale(level, np.array([1.0, 2.0, 4.0]), np.zeros(3, dtype=np.bool_), np.ones(3))
    without = [linearised(table.keep(table.annotator != person), scale) for person in range(people)]
    for name, figure in for_new_people(table, scale).items():
        left = np.array([figures[name].value for figures in without], dtype=float)
        jackknife = np.sqrt((people - 1) / people * ((left - left.mean()) ** 2).sum())
        assert figure.se == pytest.approx(jackknife, rel=0.12), name


def test_intervals_hold_the_truth_about_new_people() -> None:
    # The long measurement is benchmarks/coverage.py; this one would notice intervals that draw items only (45 %).
    rng = np.random.default_rng(11)
    mean = 8 / 10.2
    truth = mean**2 + (1 - mean) ** 2 / 2
    held = 0
    for _ in range(150):
        found = for_new_people(pool(rng, 400, rng.beta(8, 2.2, size=12).tolist()))["percent_agreement"].ci
        assert found is not None
        held += found[0] <= truth <= found[1]
    assert 0.88 <= held / 150 <= 0.99


def test_names_and_order_do_not_matter() -> None:
    table = pool(np.random.default_rng(7), 60, [0.9, 0.8, 0.7, 0.6, 0.5])
    order = np.random.default_rng(8).permutation(len(table))
    renamed = LabelTable(
        table.item[order], 11 - 2 * table.annotator[order], 2 - table.label[order], table.n_classes
    )
    for name, figure in for_new_people(table).items():
        again = for_new_people(renamed)[name]
        assert again.ci == pytest.approx(figure.ci)


def test_two_people_say_nothing_about_others() -> None:
    table = from_matrix([[0, 0], [1, 1], [0, 1], [1, 1]])
    for figure in for_new_people(table).values():
        assert (figure.value, figure.reason) == (None, Reason.TOO_FEW_ANNOTATORS)
        assert (figure.n_items, figure.n_pairs) == (4, 4)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[0, NA, NA], [NA, 1, NA], [NA, NA, 1]], Reason.NO_OVERLAP),
        ([[0, 1, 1]], Reason.TOO_FEW_ITEMS),
        ([[0, 0, 0], [0, 0, 0]], Reason.ONE_CLASS),
    ],
)
def test_what_cannot_be_estimated_keeps_its_reason(rows: list[list[int | None]], reason: Reason) -> None:
    alpha = for_new_people(from_matrix(rows, [0, 1]))["krippendorff_alpha"]
    assert (alpha.value, alpha.reason) == (None, reason)


def test_full_agreement_is_its_own_interval() -> None:
    found = for_new_people(from_matrix([[0, 0, 0], [1, 1, 1], [0, 0, 0]]))
    assert {figure.ci for figure in found.values()} == {(1.0, 1.0)}


def test_an_empty_table_says_so() -> None:
    found = for_new_people(LabelTable(*(np.empty(0, dtype=np.intp),) * 3, 2))
    assert {figure.reason for figure in found.values()} == {Reason.NO_OVERLAP}
    assert set(found) == set(COEFFICIENTS)


def test_every_pair_of_three_people_alone_is_enough() -> None:
    rows = [
        [a if p in pair else NA for p in range(3)]
        for pair in itertools.combinations(range(3), 2)
        for a in (0, 1, 0)
    ]
    rows[0] = [0, 1, NA]
    figure = for_new_people(from_matrix(rows))["krippendorff_alpha"]
    assert figure.ci is not None
    assert figure.ci[0] < (figure.value or 0) < figure.ci[1] <= 1
