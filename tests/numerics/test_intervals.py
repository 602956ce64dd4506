"""Intervals against tabled quantiles and worked examples."""

import numpy as np
import pytest

from core.numerics.intervals import (
    Ends,
    fisher_interval,
    logit_interval,
    normal_interval,
    skewed_interval,
    skewness,
    t_interval,
    wilson_interval,
)


def rounded(ends: Ends, digits: int) -> list[float]:
    return [float(end.round(digits)) for end in ends]


def test_t_interval_uses_the_tabled_quantile() -> None:
    assert rounded(t_interval(0.5, 0.1, 11), 5) == [0.2799, 0.7201]  # t(11, .975) = 2.20099


def test_t_interval_is_cut_above_at_one() -> None:
    assert rounded(t_interval(0.9, 0.1, 4), 4) == [0.6224, 1.0]


def test_t_interval_with_many_items_is_the_normal_interval() -> None:
    assert np.allclose(t_interval(0.3, 0.05, 1e9), normal_interval(0.3, 0.05))


def test_normal_interval_at_another_level() -> None:
    assert rounded(normal_interval(0.0, 1.0, level=0.90, upper=np.inf), 4) == [-1.6449, 1.6449]


def test_an_estimate_without_spread_is_its_own_interval() -> None:
    assert rounded(t_interval(1.0, 0.0, 5), 15) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_of_newcombe(successes: int, n: int, low: float, high: float) -> None:
    assert rounded(wilson_interval(successes / n, n), 4) == [low, high]


def test_wilson_interval_of_several_proportions_at_once() -> None:
    low, high = wilson_interval([0.0, 0.5, 1.0], [10, 10, 10])
    assert low.round(4).tolist() == [0.0, 0.2366, 0.7225]
    assert high.round(4).tolist() == [0.2775, 0.7634, 1.0]


def test_skewed_interval_without_skewness_is_students() -> None:
    assert rounded(skewed_interval(0.5, 0.1, 0.0, 11), 5) == [0.2799, 0.7201]


@pytest.mark.parametrize("skewness", [-30.0, -1.4, 1.4, 30.0])
def test_a_skewed_interval_holds_its_value_however_skewed_the_draws_are(skewness: float) -> None:
    low, high = skewed_interval(-0.0047, 0.005, skewness, 47, upper=np.inf)
    assert low < -0.0047 < high


def test_skewed_interval_moves_towards_the_tail_and_keeps_its_width() -> None:
    # 0.1 * -0.3 * (1/6 + 1.95996² / 3) = -0.043415
    assert rounded(skewed_interval(0.5, 0.1, -0.3, 11), 5) == [0.23649, 0.67668]


def test_skewed_interval_is_cut_at_the_ends() -> None:
    low, high = skewed_interval([0.95, 0.05], 0.1, 0.0, 11, lower=0.0)
    assert low.round(4).tolist() == [0.7299, 0.0]
    assert high.round(4).tolist() == [1.0, 0.2701]


def test_the_value_is_inside_a_skewed_interval_however_long_the_tail() -> None:
    # The longest tail of n items: one of them unlike all others.
    for n in (2, 3, 5, 20, 1000):
        influence = np.array([1.0] + [0.0] * (n - 1)) - 1 / n
        longest = skewness(influence, np.ones(n, dtype=np.intp))
        for sign in (-1, 1):
            low, high = skewed_interval(0.0, 1.0, sign * longest, n - 1, upper=np.inf)
            assert low < 0 < high


def test_fisher_interval_of_a_worked_correlation() -> None:
    # r = .5: artanh(.5) = .549306, ± 1.95996 * .2, back: .1560 and .7358. se = .2 * (1 - r²).
    low, high = fisher_interval(0.5, 0.2 * 0.75, 1e9)
    assert [round(float(low), 4), round(float(high), 4)] == [0.156, 0.7358]


def test_logit_interval_by_hand() -> None:
    # log(.8 / .2) = 1.386294, ± 1.95996 * .05 / .16 = .612489, back: 1 / (1 + exp(-.773805)) and of 1.998783.
    assert rounded(logit_interval(0.8, 0.05, 1e9), 4) == [0.6843, 0.8807]


def test_intervals_on_a_scale_stay_inside_and_exist_at_its_ends() -> None:
    low, high = fisher_interval([0.99, 1.0, -1.0, -1.2], [0.5, 0.0, 0.1, 0.1], 5)
    assert (low[0], high[0]) > (-1.0, 0.99)
    assert high[0] <= 1
    assert (low[1], high[1]) == (1.0, 1.0)
    assert low[2:].tolist() == [-1.0, -1.0]
    assert rounded(logit_interval(0.0, 0.0, 5), 9) == [0.0, 0.0]


def test_skewness_of_a_mean_by_hand() -> None:
    # One of four is 3/4 away, the others -1/4: (27 - 3) / 64 over (12 / 16)^1.5.
    deviation, times = np.array([0.75, -0.25]), np.array([1, 3])
    assert skewness(deviation, times) == pytest.approx(24 / 64 / 0.75**1.5)
    assert skewness(deviation * 1e-200, times) == pytest.approx(skewness(deviation, times))
    assert skewness(np.zeros(2), times) == 0
