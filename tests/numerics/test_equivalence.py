"""What the vote of k people is worth, by hand and by drawing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.equivalence import majority_scores, worth_labelers
from core.numerics.table import Patterns, find_patterns
from tests.numerics.tables import from_counts


def patterns(*rows: list[int]) -> Patterns:
    return find_patterns(from_counts(rows)).patterns


def by_drawing(counts: list[int], k: int) -> float:
    """Every choice of k voters and of one other person."""
    people = [label for label, count in enumerate(counts) for _ in range(count)]
    found = []
    for voters in itertools.combinations(range(len(people)), k):
        votes = [people[i] for i in voters]
        best = {x for x in votes if votes.count(x) == max(map(votes.count, votes))}
        others = [people[i] for i in range(len(people)) if i not in voters]
        found += [(other in best) / len(best) for other in others]
    return float(np.mean(found))


def test_one_voter_says_what_another_says_as_often_as_two_people_agree() -> None:
    assert majority_scores(patterns([2, 1]), np.array([1])).tolist() == pytest.approx([1 / 3])


def test_two_voters_who_differ_share_their_vote() -> None:
    # yes, yes, no: the third agrees with yes+yes never, with yes+no half the time.
    assert majority_scores(patterns([2, 1]), np.array([2])).tolist() == pytest.approx([1 / 3])


def test_three_of_four_voters() -> None:
    # yes x 3, no: if "no" is left out (1 of 4) it is missed, else the majority is yes and so is the other.
    assert majority_scores(patterns([3, 1]), np.array([3])).tolist() == pytest.approx([3 / 4])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=4).filter(lambda c: sum(c) >= 2), st.data())
def test_votes_are_counted_as_if_drawn(counts: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, sum(counts) - 1))
    assert majority_scores(patterns(counts), np.array([k]))[0] == pytest.approx(by_drawing(counts, k))


def test_a_model_like_one_person_is_worth_one() -> None:
    p = patterns([3, 1], [1, 3], [4, 0])
    alike = majority_scores(p, np.ones(3, dtype=np.intp))
    found = worth_labelers(p, np.full(3, 20), alike, seed=1)
    assert found.value == pytest.approx(1.0)
    assert found.more_than is None


def test_a_model_half_way_between_one_person_and_three_is_worth_two() -> None:
    p = patterns([3, 1], [1, 3], [4, 0])
    one, three = (majority_scores(p, np.full(3, k)) for k in (1, 3))
    found = worth_labelers(p, np.full(3, 20), (one + three) / 2, seed=1)
    assert found.value == pytest.approx(2.0)
    assert [point.k for point in found.curve] == [0, 1, 2, 3]
    # Shares are 1/2 + 1/6 and 1/3; a blind draw meets item 1 (3/4 yes) at 2/3 · 3/4 + 1/3 · 1/4, and so on.
    assert found.curve[0].score.value == pytest.approx((7 / 12 + 5 / 12 + 2 / 3) / 3)
    assert found.ci is not None
    assert found.ci[0] <= 2 <= (found.ci[1] or 3)


def test_a_model_better_than_every_vote_is_worth_more_than_the_data_can_show() -> None:
    p = patterns([3, 1], [1, 3], [4, 0])
    found = worth_labelers(p, np.full(3, 20), np.array([0.9, 0.9, 1.0]), seed=1)
    assert (found.value, found.more_than) == (None, 3)
    assert found.ci == (3.0, None)


def test_a_model_worse_than_a_blind_draw_is_worth_nobody() -> None:
    p = patterns([3, 1], [1, 3], [4, 0])
    found = worth_labelers(p, np.full(3, 20), np.zeros(3), seed=1)
    assert found.value == 0
    assert found.ci == (0.0, 0.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    p = patterns([3, 1], [2, 2], [4, 0])
    earned = np.array([0.75, 0.5, 1.0])
    one, two = (worth_labelers(p, np.full(3, 7), earned, seed=5) for _ in range(2))
    assert one == two
