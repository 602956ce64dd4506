"""A share looked at again and again: the interval holds at all looks at once, and the rule tells the slow from the wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr

from core.numerics.results import Method, Reason
from core.numerics.sequential import (
    answers_at,
    error_at,
    exact_interval,
    is_below,
    last_look,
    share_so_far,
)

LOOKS = range(1, 12)


def chance_of_a_pause(accuracy: float, bound: float, answers: int) -> float:
    """The exact probability that somebody of this accuracy is surely below the bound within so many answers."""
    alive = np.zeros(answers + 1)  # by how many are right
    alive[0] = 1.0
    paused = 0.0
    for n in range(1, answers + 1):
        alive[1:] = alive[1:] * (1 - accuracy) + alive[:-1] * accuracy
        alive[0] *= 1 - accuracy
        look = last_look(n)
        if look and answers_at(look) == n:
            below = np.array(
                [exact_interval(right, n, error_at(look))[1] < bound for right in range(n + 1)]
                + [False] * (answers - n)
            )
            paused += alive[below].sum()
            alive[below] = 0.0
    return float(paused)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(1e-6, 0.2))
def test_an_interval_is_that_of_the_binomial_distribution(counts: tuple[int, int], error: float) -> None:
    right, n = counts
    lower, upper = exact_interval(right, n, error)
    assert 0 <= lower <= right / n <= upper <= 1
    assert right == 0 or 1 - bdtr(right - 1, n, lower) == pytest.approx(error)
    assert right == n or bdtr(right, n, upper) == pytest.approx(error)


def test_looks_come_after_twenty_answers_and_whenever_these_have_doubled() -> None:
    assert [answers_at(look) for look in LOOKS][:5] == [20, 40, 80, 160, 320]
    assert [last_look(n) for n in (0, 19, 20, 39, 40, 79, 80, 10_000)] == [0, 0, 1, 1, 2, 2, 3, 9]


def test_the_errors_of_all_looks_add_up_to_what_is_permitted() -> None:
    assert sum(error_at(look) for look in range(1, 200)) == pytest.approx(0.025)
    assert sum(error_at(look, 0.9) for look in range(1, 200)) == pytest.approx(0.05)


@given(st.lists(st.booleans(), max_size=200))
def test_the_interval_stands_from_one_look_to_the_next(right: list[bool]) -> None:
    figure = share_so_far(right)
    look = last_look(len(right))
    if not right:
        assert figure.reason == Reason.TOO_FEW_ITEMS
        return
    assert figure.value == pytest.approx(sum(right) / len(right))
    assert (figure.ci is None) == (look == 0)
    if look:
        seen = share_so_far(right[: answers_at(look)])
        assert figure.ci is not None
        assert seen.ci is not None
        assert figure.ci == (min(seen.ci[0], figure.value or 0), max(seen.ci[1], figure.value or 0))
        assert seen.ci[0] < (seen.value or 0) or seen.value == 0
        assert figure.method == Method.EXACT


@pytest.mark.parametrize("accuracy", [0.05, 0.3, 0.5, 0.7, 0.8, 0.9, 0.97])
def test_whoever_is_at_the_bound_is_hardly_ever_called_below_it(accuracy: float) -> None:
    """Valid however often one looks: over all looks at most 2.5 % on this side."""
    assert chance_of_a_pause(accuracy, accuracy, 1300) <= 0.025


@given(st.floats(0.05, 0.95), st.floats(0.02, 0.98))
def test_the_better_the_work_the_less_likely_a_pause(bound: float, accuracy: float) -> None:
    better = chance_of_a_pause(min(accuracy + 0.02, 1.0), bound, 80)
    assert chance_of_a_pause(accuracy, bound, 80) >= better - 1e-12  # sums are rounded


def test_half_right_is_told_from_eight_in_ten_within_forty_answers() -> None:
    assert chance_of_a_pause(0.5, 0.8, 40) > 0.98


def test_somewhat_better_than_asked_is_left_in_peace() -> None:
    assert chance_of_a_pause(0.85, 0.8, 200) < 0.002
    assert chance_of_a_pause(0.85, 0.8, 2600) < 0.002


def test_who_has_risen_above_the_bound_since_the_last_look_is_not_below_it() -> None:
    """20 of 40 right, then 39 running: .75 of all, which the interval of the fortieth answer does not reach."""
    right = [True, False] * 20
    assert is_below(share_so_far(right), 0.72)
    figure = share_so_far(right + [True] * 39)
    assert figure.value == pytest.approx(59 / 79)
    assert figure.ci is not None
    assert figure.ci[0] < 0.4
    assert figure.ci[1] == figure.value
    assert not is_below(figure, 0.72)
    assert is_below(figure, 0.75)


def test_nobody_is_below_a_bound_before_the_first_look() -> None:
    assert not is_below(share_so_far([False] * 19), 0.8)
    assert is_below(share_so_far([False] * 20), 0.8)
