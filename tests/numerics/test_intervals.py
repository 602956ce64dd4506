"""Intervals against tabled quantiles and worked examples."""

import numpy as np
import pytest

from core.numerics.intervals import Ends, normal_interval, t_interval, wilson_interval


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
