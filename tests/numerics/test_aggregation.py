"""Majority vote and its accuracy, worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.aggregation import fractional_accuracy, majority_vote
from core.numerics.results import Method, Reason
from core.numerics.table import LabelTable
from tests.numerics.tables import from_matrix

CAT, DOG, COW = 0, 1, 2
NA = None
PETS = from_matrix(
    [
        [CAT, CAT, DOG],  # cat by two to one
        [CAT, DOG, NA],  # a tie of two
        [COW, DOG, CAT],  # a tie of three
        [NA, COW, NA],  # one answer
    ],
    [CAT, DOG, COW],
)


def test_the_class_with_most_answers_wins_and_ties_stay_ties() -> None:
    vote = majority_vote(PETS)
    assert vote.item.tolist() == [0, 1, 2, 3]
    assert vote.label.tolist() == [CAT, -1, -1, COW]
    assert vote.tied.tolist() == [False, True, True, False]
    assert vote.n.tolist() == [3, 2, 3, 1]
    assert vote.share.tolist() == [2 / 3, 1 / 2, 1 / 3, 1.0]
    assert [vote.winners_of(row).tolist() for row in range(4)] == [[CAT], [CAT, DOG], [CAT, DOG, COW], [COW]]


def test_a_tie_earns_its_share_of_gold() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.array([CAT, DOG, DOG, CAT]))
    assert accuracy.value == pytest.approx((1 + 1 / 2 + 1 / 3 + 0) / 4)
    assert (accuracy.n_items, accuracy.method) == (4, Method.WILSON)


def test_items_without_gold_do_not_count() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.array([-1, DOG, -1, COW]))
    assert (accuracy.value, accuracy.n_items) == (0.75, 2)


def test_gold_of_a_class_that_nobody_said_is_missed() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.array([7, -1, -1, -1]))
    assert (accuracy.value, accuracy.se) == (0.0, None)


def test_no_gold_at_all() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.full(4, -1))
    assert (accuracy.value, accuracy.reason) == (None, Reason.NO_OVERLAP)


def test_no_answers_at_all() -> None:
    none = np.empty(0, dtype=np.intp)
    vote = majority_vote(LabelTable(none, none, none, 3))
    assert (vote.item.size, vote.winners.size) == (0, 0)
    assert fractional_accuracy(vote, none).reason is Reason.NO_OVERLAP


def test_item_codes_without_answers_have_no_row() -> None:
    table = LabelTable(np.array([5, 2, 5]), np.array([0, 0, 1]), np.array([1, 0, 1]), 2)
    vote = majority_vote(table)
    assert (vote.item.tolist(), vote.label.tolist()) == ([2, 5], [0, 1])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_winners_are_those_of_plain_counting(answers: list[tuple[int, int]]) -> None:
    """With 61 classes the patterns are found by sorting, with few classes by counting: both end here."""
    item = np.array([i for i, _ in answers])
    for n_classes in (61, 3):
        label = np.array([k % n_classes for NA, k in answers])
        vote = majority_vote(LabelTable(item, np.zeros_like(item), label, n_classes))
        for row, code in enumerate(vote.item.tolist()):
            counts = np.bincount(label[item == code], minlength=n_classes)
            assert vote.winners_of(row).tolist() == np.flatnonzero(counts == counts.max()).tolist()
            assert (vote.n[row], vote.share[row]) == (counts.sum(), counts.max() / counts.sum())
