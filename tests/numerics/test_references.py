"""The references of answers, from what the others said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.references import References, take_rows
from core.numerics.table import find_patterns
from tests.numerics.tables import from_counts, from_matrix


def by_hand(row: list[int], j: int, said: int) -> float:
    """Credit of a class beside the answers of everybody but person j."""
    others = [x for i, x in enumerate(row) if i != j]
    most = max(others.count(x) for x in others)
    best = {x for x in others if others.count(x) == most}
    return (said in best) / len(best)


rows = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=7), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(rows, st.integers(0, 3))
def test_credit_is_that_of_the_plurality_of_the_others(table_rows: list[list[int]], said: int) -> None:
    wide = max(map(len, table_rows))
    table = from_matrix([row + [None] * (wide - len(row)) for row in table_rows], range(4))
    references = References(find_patterns(table))
    own = references.own[references.index.entry_of_answer]
    expected = [by_hand(row, j, row[j]) for row in table_rows for j in range(len(row))]
    assert own.tolist() == pytest.approx(expected)
    items = references.index.of_item
    earned = references.earned(items, np.full(items.size, said))
    means = [np.mean([by_hand(row, j, said) for j in range(len(row))]) for row in table_rows]
    assert earned.tolist() == pytest.approx(means)


def test_the_references_of_an_item_are_one_class_or_several_that_share() -> None:
    references = References(find_patterns(from_counts([[2, 1, 1], [3, 1, 0]])))
    p = references.patterns
    sums = p.per_row(references.weight)
    assert sums.tolist() == pytest.approx([1.0, 1.0])


def test_nobody_stands_beside_an_answer_that_is_alone() -> None:
    references = References(find_patterns(from_matrix([[0], [1]], range(2))))
    assert references.own.tolist() == [0.0, 0.0]
    assert references.weight.tolist() == [0.0, 0.0]


def test_a_habit_is_what_others_mostly_say_where_somebody_says_so() -> None:
    # Anna, Ben, Cleo: where one says "b" the two others say "a"; "c" stands only with "c"; nobody says "d".
    table = from_matrix([[0, 0, 1], [0, 1, 0], [0, 0, 0], [2, 2, 2]], range(4))
    references = References(find_patterns(table))
    assert references.habits(references.patterns.multiplicity).tolist() == [0, 0, 2, 3]


def test_rows_are_taken_in_any_order_and_number() -> None:
    p = find_patterns(from_counts([[2, 1, 0], [0, 0, 3]])).patterns
    alone = int(p.row[p.label == 2][0])
    taken = take_rows(p, np.array([alone, 1 - alone, alone]))
    assert taken.size.tolist() == [3, 3, 3]
    assert taken.row.tolist() == [0, 1, 1, 2]
    assert taken.count.tolist() == [3, 2, 1, 3]
