"""Metrics against scikit-learn and against what is known without it."""

import numpy as np
import pytest

from core.numerics.metrics import (
    accuracy_and_f1,
    calibration_error,
    difference_of_proportions,
    proportion,
    quality,
)
from core.numerics.results import Method, Reason


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

    rng = np.random.default_rng(seed)
    truth = rng.integers(5, size=80)
    predicted = np.where(rng.random(80) < 0.6, truth, rng.integers(4, size=80))
    found = quality(truth, predicted, 6)  # class 5 occurs nowhere
    assert found.accuracy.value == pytest.approx(accuracy_score(truth, predicted))
    assert found.macro_f1.value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert np.array_equal(found.confusion, confusion_matrix(truth, predicted, labels=range(6)))
    precision, recall, f1, n = precision_recall_fscore_support(
        truth, predicted, labels=range(5), zero_division=0
    )
    for code, one in enumerate(found.per_class[:5]):
        assert (one.precision.value or 0) == pytest.approx(precision[code])
        assert (one.recall.value or 0) == pytest.approx(recall[code])
        assert one.f1.value == pytest.approx(f1[code])
        assert one.n == n[code]
    assert found.per_class[5].f1.reason is Reason.TOO_FEW_ITEMS


def test_a_proportion_has_wilsons_interval() -> None:
    found = proportion(81, 263)  # Newcombe 1998, table I
    assert found.ci is not None
    assert np.array(found.ci) == pytest.approx(np.array([0.2553, 0.3662]), abs=1e-4)
    assert found.method is Method.WILSON
    assert proportion(0, 0).reason is Reason.TOO_FEW_ITEMS


@pytest.mark.parametrize(
    ("one", "other", "ends"),
    [  # Newcombe 1998, Interval estimation for the difference between independent proportions, table II, method 10
        ((56, 70), (48, 80), [0.0524, 0.3339]),
        ((9, 10), (3, 10), [0.1705, 0.8090]),
        ((6, 7), (2, 7), [0.0582, 0.8062]),
        ((5, 56), (0, 29), [-0.0381, 0.1926]),
        ((0, 10), (0, 20), [-0.1611, 0.2775]),
        ((0, 10), (0, 10), [-0.2775, 0.2775]),
        ((10, 10), (0, 20), [0.6791, 1.0]),
        ((10, 10), (0, 10), [0.6075, 1.0]),
    ],
)
def test_a_difference_of_proportions_has_newcombes_interval(
    one: tuple[int, int], other: tuple[int, int], ends: list[float]
) -> None:
    found = difference_of_proportions(*one, *other)
    assert found.ci is not None
    assert np.round(found.ci, 4).tolist() == ends
    assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
    assert found.n_items == one[1] + other[1]


def test_a_difference_from_nothing_cannot_be_told() -> None:
    assert difference_of_proportions(3, 4, 0, 0).reason is Reason.TOO_FEW_ITEMS


def test_the_interval_of_macro_f1_covers_it() -> None:
    rng = np.random.default_rng(5)
    chances = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.2, 0.2, 0.6]])
    shares = np.array([0.6, 0.25, 0.15])

    def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = rng.choice(3, n, p=shares)
        return truth, (rng.random(n)[:, None] > chances.cumsum(axis=1)[truth]).sum(axis=1)

    whole = quality(*sample(400_000), 3).macro_f1.value
    assert whole is not None
    inside = 0
    for _ in range(400):
        ci = quality(*sample(250), 3).macro_f1.ci
        assert ci is not None
        inside += ci[0] <= whole <= ci[1]
    assert 0.92 <= inside / 400 <= 0.98


def test_all_right_is_not_told_as_certain() -> None:
    truth = np.array([0, 1] * 20)
    found = quality(truth, truth, 2)
    for figure in (found.accuracy, found.macro_f1, found.per_class[0].f1):
        assert figure.value == 1
        assert figure.ci is not None
        assert figure.ci[0] < 0.93 or figure is found.per_class[0].f1
        assert figure.ci[0] < figure.ci[1] == 1


def test_nothing_gives_no_figure() -> None:
    nothing = np.empty(0, dtype=np.intp)
    found = quality(nothing, nothing, 3)
    assert (found.n, found.accuracy.reason, found.macro_f1.reason) == (
        0,
        Reason.TOO_FEW_ITEMS,
        Reason.TOO_FEW_ITEMS,
    )


def test_drawn_again_once_each_they_are_the_same_figures() -> None:
    rng = np.random.default_rng(6)
    truth, predicted = rng.integers(4, size=(2, 50))
    found = quality(truth, predicted, 4)
    accuracy, f1 = accuracy_and_f1(np.ones((1, 50)), truth, predicted, 4)
    assert (accuracy[0], f1[0]) == (pytest.approx(found.accuracy.value), pytest.approx(found.macro_f1.value))
    weights = np.zeros((1, 50))
    weights[0, :10] = 2
    part = quality(truth[:10], predicted[:10], 4)
    assert accuracy_and_f1(weights, truth, predicted, 4)[1][0] == pytest.approx(part.macro_f1.value)


def test_calibration_error_is_the_gap_between_what_is_said_and_what_is_right() -> None:
    right = np.array([1, 1, 1, 0] * 25)
    assert calibration_error(np.full(100, 0.75), right) == pytest.approx(0.05, abs=0.05)
    assert calibration_error(np.full(100, 0.95), right) == pytest.approx(0.20, abs=1e-9)
    assert calibration_error(np.full(10, 0.95), right[:10]) is None
