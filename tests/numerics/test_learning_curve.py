"""The learning curve: the law that made the points is found again, and what lies beyond them is refused."""

import numpy as np
import pytest

from core.numerics.learning_curve import (
    Measure,
    RandomCost,
    Reach,
    draw_items,
    fit_curve,
    learning,
    prediction_kappa,
    random_cost,
    stop_hint,
)
from core.numerics.table import Floats, Ints

SIZES = np.array([25, 50, 100, 200, 400, 800])


def law(n: Floats | Ints | list[int], a: float = 0.92, b: float = 1.4, c: float = 0.5) -> Floats:
    return a - b * np.asarray(n, dtype=np.float64) ** -c


def steady(n: Floats | Ints | list[int]) -> Floats:
    """A quality whose log odds grow with the logarithm of n."""
    odds = np.exp(-1.5) * np.asarray(n, dtype=np.float64) ** 0.6
    shares: Floats = odds / (1 + odds)
    return shares


def answers(accuracy: Floats, n_items: int, seed: int) -> tuple[Ints, Ints]:
    """Predictions of models (models x items) of these accuracies: a better one is right wherever a worse one is."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=n_items)
    hardness = rng.random(n_items)
    wrong = hardness[None] > np.asarray(accuracy)[:, None]
    return np.where(wrong, (truth + 1) % 3, truth), truth


def test_the_line_behind_exact_points_is_found() -> None:
    curve = fit_curve(SIZES, steady(SIZES)[None], 500, seed=0)
    assert curve.values(np.array([30.0, 1600.0])) == pytest.approx(steady([30, 1600]))


def test_no_curve_goes_above_one_or_falls() -> None:
    drawn = np.array([[0.5, 0.7, 0.85, 0.95, 0.99, 1.0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]])
    for row in drawn:
        ends = fit_curve(SIZES, row[None], 500, seed=0).values(np.array([1.0, 25.0, 1e9]))
        assert 0 <= ends[0] <= ends[1] <= ends[2] <= 1


def test_the_band_covers_the_line() -> None:
    inside = 0
    for seed in range(40):
        predicted, truth = answers(steady(SIZES), 300, seed)
        curve = learning(SIZES, predicted, truth, 3, seed=seed).accuracy
        assert curve is not None
        low, high = curve.band(np.array([300.0]))
        inside += low[0] <= steady([300])[0] <= high[0]
    assert inside >= 34


def test_points_stand_by_labels_and_each_has_its_interval() -> None:
    predicted, truth = answers(law(SIZES), 200, 1)
    shuffled = np.array([3, 0, 5, 1, 4, 2])
    found = learning(SIZES[shuffled], predicted[shuffled], truth, 3, seed=0)
    assert found.n.tolist() == SIZES.tolist()
    values = [point.accuracy.value or 0 for point in found.points]
    assert values == sorted(values)
    assert all(point.accuracy.ci is not None and point.macro_f1.ci is not None for point in found.points)


@pytest.mark.parametrize(("n_models", "n_items"), [(3, 200), (6, 19)])
def test_too_little_gives_points_without_a_curve(n_models: int, n_items: int) -> None:
    predicted, truth = answers(law(SIZES[:n_models]), n_items, 2)
    found = learning(SIZES[:n_models], predicted, truth, 3, seed=0)
    assert len(found.points) == n_models
    assert found.accuracy is None
    assert found.curve(Measure.MACRO_F1) is None


def test_the_gain_of_more_labels_shrinks() -> None:
    predicted, truth = answers(steady(SIZES), 300, 3)
    curve = learning(SIZES, predicted, truth, 3, seed=0).accuracy
    assert curve is not None
    early, late = curve.gain(100), curve.gain(800)
    assert (early.value or 0) == pytest.approx(steady([200])[0] - steady([100])[0], abs=0.02)
    assert (early.value or 0) > (late.value or 0) >= 0
    assert late.ci is not None
    assert late.ci[0] <= (late.value or 0) <= late.ci[1]
    assert (late.n_items, late.n_pairs) == (300, 300)


def test_the_same_seed_gives_the_same_band() -> None:
    assert np.array_equal(draw_items(50, 7), draw_items(50, 7))
    assert not np.array_equal(draw_items(50, 7), draw_items(50, 8))


def cost(accuracy: Floats | list[float], present: float, n_items: int, seed: int) -> RandomCost:
    """The cost of the present accuracy, by models by chance of these accuracies in two orders of labels."""
    predicted, truth = answers(np.append(accuracy, present), n_items, seed)
    orders = np.stack([predicted[:-1], predicted[:-1]])
    return random_cost(SIZES, orders, predicted[-1], truth, 3, measure=Measure.ACCURACY, seed=0)


def test_what_random_would_have_cost_is_read_off_its_curve() -> None:
    found = cost(law(SIZES), law([300])[0], 2000, 4)
    assert found.reach is Reach.INTERPOLATED
    assert found.value == pytest.approx(300, rel=0.2)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


def test_more_than_was_measured_is_said_to_be_an_extrapolation() -> None:
    found = cost(law(SIZES), law([1600])[0], 2000, 5)
    assert found.reach is Reach.EXTRAPOLATED
    assert found.value is not None
    assert found.low is not None
    assert found.low <= 1600 <= (found.high or np.inf)


def test_what_lies_too_far_is_refused() -> None:
    flat = [0.5, 0.55, 0.58, 0.6, 0.605, 0.608]
    found = cost(flat, 0.97, 2000, 6)
    assert (found.reach, found.value, found.high) == (Reach.BEYOND, None, None)
    assert found.most == 800


def test_labels_that_teach_nothing_reach_nothing() -> None:
    found = cost([0.6] * 6, 0.9, 500, 6)
    assert (found.reach, found.value) == (Reach.BEYOND, None)


def test_few_labels_by_chance_tell_nothing() -> None:
    predicted, truth = answers(law(SIZES[:3]), 200, 7)
    found = random_cost(SIZES[:3], predicted[None], truth, truth, 3, measure=Measure.ACCURACY, seed=0)
    assert (found.reach, found.most) == (Reach.TOO_FEW, 100)
    nothing = np.empty(0, dtype=np.intp)
    none = random_cost(
        nothing, nothing.reshape(4, 0, 0), nothing, nothing, 3, measure=Measure.ACCURACY, seed=0
    )
    assert (none.reach, none.most) == (Reach.TOO_FEW, 0)


def test_a_quality_that_models_by_chance_have_is_within_reach() -> None:
    found = cost([0.9, 0.95, 1.0, 1.0, 1.0, 1.0], 1.0, 100, 8)
    assert found.reach is Reach.INTERPOLATED
    assert found.value is not None
    assert 1 <= found.value <= 800


def test_orders_that_differ_widen_the_band() -> None:
    predicted, truth = answers(np.append(law(SIZES), [*(law(SIZES) - 0.06), law([400])[0]]), 1000, 9)
    alike = np.stack([predicted[:6], predicted[:6]])
    unlike = np.stack([predicted[:6], predicted[6:12]])
    narrow, wide = (
        random_cost(SIZES, orders, predicted[-1], truth, 3, measure=Measure.ACCURACY, seed=0)
        for orders in (alike, unlike)
    )
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.high is None or wide.high > narrow.high


def test_kappa_of_predictions_is_cohens() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(9)
    before = rng.integers(4, size=500)
    after = np.where(rng.random(500) < 0.9, before, rng.integers(4, size=500))
    assert prediction_kappa(before, after) == pytest.approx(cohen_kappa_score(before, after))
    assert prediction_kappa(before * 0, before * 0) == 1
    assert prediction_kappa(before[:0], before[:0]) is None


def test_three_quiet_rounds_running_are_a_hint_to_stop() -> None:
    assert stop_hint([0.5, 0.985, 0.99, 0.98]).stable
    assert not stop_hint([0.99, 0.99, 0.9, 0.99]).stable
    assert stop_hint([0.99, 0.99, 0.9, 0.99]).running == 1
    assert not stop_hint([0.99, 0.99, None, 0.99]).stable
    assert not stop_hint([]).stable
