"""The noise ceiling by hand, and where the truth is known."""

import numpy as np
import pytest

from core.numerics.ceiling import Ceiling, noise_ceiling
from core.numerics.results import Figure
from core.numerics.table import find_patterns
from tests.numerics.tables import from_counts


def ceiling(*rows: list[int]) -> Ceiling:
    return noise_ceiling(find_patterns(from_counts(rows)).patterns)


def drawn(items: int, each: int, concentration: float, seed: int) -> tuple[Ceiling, float, float]:
    """The ceiling of simulated people, and the true mean of the largest share and of the squared shares."""
    pi = np.array([0.5, 0.3, 0.2])
    rng = np.random.default_rng(seed)
    large = rng.dirichlet(concentration * pi, size=200_000)
    counts = rng.multinomial(each, rng.dirichlet(concentration * pi, size=items))
    return ceiling(*counts.tolist()), large.max(axis=1).mean(), (large**2).sum(axis=1).mean()


def holds(figure: Figure, truth: float) -> bool:
    return figure.ci is not None and figure.ci[0] <= truth <= figure.ci[1]


def test_bounds_by_hand() -> None:
    # A A B: two say A A, A B or A B, the third B, A or B: 0, 1/2, 1/2. A A A: 1.
    found = ceiling([2, 1], [3, 0])
    assert found.split_half.value == pytest.approx((1 / 3 + 1) / 2)
    assert found.plug_in.value == pytest.approx((2 / 3 + 1) / 2)


def test_four_answers_are_halved_two_and_two() -> None:
    # A A A B: the half with B shares its vote and meets A A with 1/2; the half A A meets A B with 1/2.
    assert ceiling([3, 1]).split_half.value == pytest.approx(1 / 2)


def test_items_of_one_answer_have_no_part() -> None:
    assert ceiling([2, 1], [3, 0], [1, 0]) == ceiling([2, 1], [3, 0])


def test_people_who_never_disagree_have_no_ceiling_below_one() -> None:
    found = ceiling([3, 0], [0, 3], [3, 0], [0, 3])
    assert found.posterior.value == pytest.approx(1.0, abs=0.01)
    assert found.posterior.ci is None


def test_a_single_item_has_no_interval() -> None:
    assert ceiling([2, 1]).posterior.ci is None


def test_coins_that_are_all_alike() -> None:
    # Nobody can agree with people who say A with .7 on every item on more than .7.
    rng = np.random.default_rng(2)
    heads = rng.binomial(5, 0.7, size=2000)
    found = ceiling(*np.column_stack([heads, 5 - heads]).tolist())
    assert found.posterior.value == pytest.approx(0.7, abs=0.02)
    assert found.plug_in.value is not None
    assert found.plug_in.value > 0.74  # the larger share of five is larger by luck


def test_posterior_lies_between_the_bounds() -> None:
    found, _, _ = drawn(500, 5, 2.0, 3)
    low, middle, high = found.split_half.value, found.posterior.value, found.plug_in.value
    assert low is not None
    assert middle is not None
    assert high is not None
    assert low < middle < high


@pytest.mark.parametrize("concentration", [0.5, 2.0, 8.0])
def test_the_interval_holds_the_truth(concentration: float) -> None:
    hits = [drawn(200, 5, concentration, seed) for seed in range(40)]
    assert sum(holds(found.posterior, top) for found, top, _ in hits) >= 34
    assert sum(holds(found.posterior_pair, pair) for found, _, pair in hits) >= 34


def test_people_who_err_about_a_true_class() -> None:
    # Everybody is right with .8, on every item: no ceiling below .8, though two people agree on .68 only.
    rng = np.random.default_rng(6)
    right = rng.binomial(7, 0.8, size=1500)
    side = rng.integers(2, size=1500)
    counts = np.where(
        side[:, None] == 0, np.column_stack([right, 7 - right]), np.column_stack([7 - right, right])
    )
    found = ceiling(*counts.tolist())
    assert found.posterior.value == pytest.approx(0.8, abs=0.02)
    assert found.posterior_pair.value == pytest.approx(0.68, abs=0.02)
    assert found.noise is not None
    assert found.noise > 0.9
