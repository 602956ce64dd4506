"""Weights in their three forms, and what they do to the coefficients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.agreement import agreement_report
from core.numerics.results import Reason
from core.numerics.table import Floats, LabelTable
from core.numerics.weights import MOST_CLASSES, Equality, Moments, Table, WeightName, Weights, named_weights
from tests.numerics.tables import from_contingency, from_matrix

VALUES = np.array([0.0, 1.0, 2.5, 7.0, 99.0])
UNRANKED = np.array([False, False, False, False, True])
NAMES = st.sampled_from(list(WeightName))


def by_hand(name: WeightName, x: Floats) -> Floats:
    """Gwet's definitions, written out class by class."""
    q, low, high = x.size, x.min(), x.max()
    apart = np.zeros((q, q))
    for k in range(q):
        for m in range(q):
            d, s, steps = abs(x[k] - x[m]), x[k] + x[m], abs(k - m)
            apart[k, m] = {
                WeightName.LINEAR: d,
                WeightName.QUADRATIC: d**2,
                WeightName.ORDINAL: steps * (steps + 1) / 2,
                WeightName.RADICAL: d**0.5,
                WeightName.RATIO: (d / s) ** 2 if s else 0.0,
                WeightName.CIRCULAR: np.sin(np.pi * d / (high - low + 1)) ** 2,
                WeightName.BIPOLAR: d**2 / ((s - 2 * low) * (2 * high - s)) if k != m else 0.0,
            }[name]
    near: Floats = 1 - apart / apart.max()
    return near


def matrix_of(weights: Weights, n: int) -> Floats:
    one, other = (np.ravel(axis) for axis in np.indices((n, n)))
    return weights.of(one, other).reshape(n, n)


@pytest.mark.parametrize("name", list(WeightName))
def test_named_weights_are_their_definitions(name: WeightName) -> None:
    weights = named_weights(name, VALUES, UNRANKED, np.ones(5))
    matrix = matrix_of(weights, 5)
    assert matrix[:4, :4] == pytest.approx(by_hand(name, VALUES[:4]))
    # Who cannot tell agrees with nobody but the like.
    assert matrix[4].tolist() == [0, 0, 0, 0, 1]
    disagreeing = named_weights(name, VALUES, UNRANKED, np.where(UNRANKED, 0.0, 1.0))
    assert matrix_of(disagreeing, 5)[4, 4] == 0


@pytest.mark.parametrize("name", list(WeightName))
def test_one_number_agrees_with_itself(name: WeightName) -> None:
    weights = named_weights(name, np.array([3.0, 3.0]), np.zeros(2, dtype=bool), np.ones(2))
    assert matrix_of(weights, 2).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("name", list(WeightName))
def test_huge_numbers_do_not_overflow(name: WeightName) -> None:
    huge = np.array([0.0, 1e300, 1.7e308]) if name is WeightName.RATIO else np.array([-1.7e308, 0.0, 1.7e308])
    weights = matrix_of(named_weights(name, huge, np.zeros(3, dtype=bool), np.ones(3)), 3)
    assert ((weights >= -1e-12) & (weights <= 1)).all()
    assert weights.diagonal().tolist() == [1, 1, 1]


@given(NAMES, st.lists(st.integers(0, 4), min_size=1, max_size=12), st.sampled_from([0.0, 1.0]))
@settings(max_examples=80, deadline=None)
def test_every_form_sums_what_it_says_of_single_pairs(
    name: WeightName, labels: list[int], unsure: float
) -> None:
    own = np.where(UNRANKED, unsure, 1.0)
    forms: list[Weights] = [Equality(own), named_weights(name, VALUES, UNRANKED, own)]
    lopsided = Table(np.triu(matrix_of(forms[1], 5)))
    mass = np.bincount(labels, minlength=5).astype(float)
    label = np.flatnonzero(mass)
    group = np.concatenate([np.zeros(label.size, dtype=np.intp), np.full(label.size, 2)])
    for weights in [*forms, lopsided, lopsided.turned()]:
        matrix = matrix_of(weights, 5)
        assert weights.own == pytest.approx(matrix.diagonal())
        assert weights.total == pytest.approx(matrix.sum())
        assert weights.toward(mass) == pytest.approx(matrix @ mass)
        twice = np.concatenate([label, label])
        felt = weights.beside(group, twice, np.concatenate([mass[label], 3 * mass[label]]), 3)
        expected = (matrix @ mass)[label]
        assert felt == pytest.approx(np.concatenate([expected, 3 * expected]))
        assert matrix_of(weights.turned(), 5) == pytest.approx(matrix.T)


@pytest.mark.parametrize("reading", ["class", "missing", "disagree"])
def test_weights_of_equality_change_nothing(reading: str) -> None:
    rows: list[list[int | None]] = [[0, 0, 1], [1, 1, None], [2, 0, 2], [1, 0, 1], [2, 2, 2]]
    report = agreement_report(
        from_matrix(rows), weights=np.eye(3), uncertain=reading, uncertain_classes=frozenset({2})
    )
    plain = report.coefficients
    assert report.weighted is not None
    assert report.weighted["percent_agreement"] == plain["percent_agreement"]
    for name, same in (
        ("gwet_ac2", "gwet_ac1"), ("fleiss_kappa",) * 2, ("brennan_prediger",) * 2, ("conger_kappa",) * 2,
    ):  # fmt: skip
        figure, expected = report.weighted[name], plain[same]
        assert figure.value == pytest.approx(expected.value)
        assert figure.se == pytest.approx(expected.se)
    for pair in report.pairs:
        assert pair.weighted_kappa == pair.cohen_kappa


def test_linear_weights_by_hand() -> None:
    # Ann and Ben on four items of a scale 0 1 2: apart by 0, 1, 2, 0; weights 1, .5, 0, 1.
    report = agreement_report(from_matrix([[0, 0], [0, 1], [0, 2], [2, 2]], [0, 1, 2]), weights="linear")
    assert report.weighted is not None
    percent = 2.5 / 4
    assert report.weighted["percent_agreement"].value == pytest.approx(percent)
    # Nine cells of weight 1, .5 or 0: 3 + 4 / 2 = 5.
    assert report.weighted["brennan_prediger"].value == pytest.approx((percent - 5 / 9) / (1 - 5 / 9))
    # Ann says 0 three times of four and 2 once; Ben 0 once, 1 once, 2 twice.
    cohen = 3 / 4 * (1 / 4 + 1 / 8) + 1 / 4 * (1 / 8 + 2 / 4)
    (pair,) = report.pairs
    assert pair.weighted_kappa is not None
    assert pair.weighted_kappa.value == pytest.approx((percent - cohen) / (1 - cohen))
    assert report.weighted["conger_kappa"].value == pytest.approx((percent - cohen) / (1 - cohen))
    # Shares 4/8, 1/8, 3/8.
    shares = np.array([4, 1, 3]) / 8
    expected = shares @ np.array([[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]]) @ shares
    assert report.weighted["fleiss_kappa"].value == pytest.approx((percent - expected) / (1 - expected))
    chance = 5 / 6 * (shares * (1 - shares)).sum()
    assert report.weighted["gwet_ac2"].value == pytest.approx((percent - chance) / (1 - chance))


def test_a_table_that_depends_on_the_direction_is_turned_with_the_pair() -> None:
    table = np.array([[1.0, 0.7, 0.1], [0.2, 1.0, 0.4], [0.0, 0.9, 1.0]])
    counts = np.array([[8, 3, 1], [2, 9, 4], [5, 1, 7]])
    (pair,) = agreement_report(from_contingency(counts.tolist()), weights=table).pairs
    (turned,) = agreement_report(from_contingency(counts.T.tolist()), weights=table.T).pairs
    assert pair.weighted_kappa is not None
    assert turned.weighted_kappa is not None
    assert pair.weighted_kappa.value == pytest.approx(turned.weighted_kappa.value)
    assert pair.weighted_kappa.se == pytest.approx(turned.weighted_kappa.se)
    p = counts / counts.sum()
    observed, expected = (p * table).sum(), p.sum(axis=1) @ table @ p.sum(axis=0)
    assert pair.weighted_kappa.value == pytest.approx((observed - expected) / (1 - expected))


def test_quadratic_weights_of_many_numbers_need_no_table() -> None:
    random = np.random.default_rng(3)
    n = 20_000
    value = np.repeat(random.normal(size=n), 2) + random.normal(size=2 * n) / 3
    numbers, label = np.unique(value, return_inverse=True)
    answers = np.repeat(np.arange(n), 2), np.tile([0, 1], n), label
    report = agreement_report(
        LabelTable(*answers, numbers.size, numbers), level="interval", weights="quadratic"
    )
    assert report.weighted is not None
    x, y = value.reshape(n, 2).T
    reach = np.ptp(value) ** 2
    apart = ((x - y) ** 2).mean() / reach
    expected = ((x[:, None] - y[None, :500]) ** 2).mean(
        axis=0
    )  # of the first 500 values of the second person
    assert expected.size == 500
    by_moments = (x.var() + y.var() + (x.mean() - y.mean()) ** 2) / reach
    assert report.weighted["percent_agreement"].value == pytest.approx(1 - apart)
    assert report.weighted["conger_kappa"].value == pytest.approx(1 - apart / by_moments)
    (pair,) = report.pairs
    assert pair.weighted_kappa is not None
    assert pair.weighted_kappa.value == pytest.approx(1 - apart / by_moments)
    # Other weights would take a table of 40,000 x 40,000, and are left out.
    assert agreement_report(LabelTable(*answers, numbers.size, numbers), weights="linear").weighted is None
    with pytest.raises(ValueError, match=str(MOST_CLASSES)):
        named_weights(WeightName.LINEAR, numbers, np.zeros(numbers.size, dtype=bool), np.ones(numbers.size))


def test_quadratic_weights_by_moments_are_the_table() -> None:
    random = np.random.default_rng(4)
    item = np.repeat(np.arange(60), 3)
    annotator = np.concatenate([random.permutation(5)[:3] for _item in range(60)])
    table = LabelTable(item, annotator, random.integers(0, 5, item.size), 5, VALUES)
    weights = named_weights(WeightName.QUADRATIC, VALUES, UNRANKED, np.ones(5))
    assert isinstance(weights, Moments)
    doubt = frozenset({4})
    moments = agreement_report(table, weights="quadratic", uncertain_classes=doubt)
    by_table = agreement_report(table, weights=matrix_of(weights, 5), uncertain_classes=doubt)
    assert moments.weighted is not None
    assert by_table.weighted is not None
    for name, figure in moments.weighted.items():
        assert figure.value == pytest.approx(by_table.weighted[name].value)
        assert figure.se == pytest.approx(by_table.weighted[name].se)
    for one, other in zip(moments.pairs, by_table.pairs, strict=True):
        assert one.weighted_kappa is not None
        assert other.weighted_kappa is not None
        assert one.weighted_kappa.value == pytest.approx(other.weighted_kappa.value)
        assert one.weighted_kappa.se == pytest.approx(other.weighted_kappa.se)


def test_ratio_weights_need_numbers_from_zero_up() -> None:
    table = LabelTable(
        np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1]), 2, np.array([-1.0, 3.0])
    )
    found = agreement_report(table, weights="ratio").weighted
    assert found is not None
    assert {figure.reason for figure in found.values()} == {Reason.NEGATIVE_VALUES}
