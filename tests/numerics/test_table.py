"""Coding columns, condensing answers to patterns, counting keys."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics import table as tables
from core.numerics.table import (
    KeyCounter,
    LabelTable,
    Patterns,
    condense,
    factorise,
    find_patterns,
    pairs_within,
    slot_patterns,
)


def label_table(item: list[int], label: list[int], n_classes: int) -> LabelTable:
    return LabelTable(np.array(item), np.zeros(len(item), dtype=np.intp), np.array(label), n_classes)


def test_strings_are_coded_in_order_of_appearance() -> None:
    codes, names = factorise(["b", "a", "b", "c"])
    assert (codes.tolist(), names) == ([0, 1, 0, 2], ["b", "a", "c"])


def test_known_classes_take_the_first_codes() -> None:
    codes, names = factorise(["b", "a", "new"], first=["a", "unused", "b"])
    assert (codes.tolist(), names) == ([2, 0, 3], ["a", "unused", "b", "new"])


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16])
def test_integers_are_coded_ascending(dtype: type) -> None:
    codes, names = factorise(np.array([100, 7, 100, 8], dtype=dtype))
    assert (codes.tolist(), names) == ([2, 0, 2, 1], [7, 8, 100])


def test_integers_far_apart_are_coded_by_sorting() -> None:
    codes, names = factorise(np.array([2**62, -(2**62), 0]))
    assert (codes.tolist(), names) == ([2, 0, 1], [-(2**62), 0, 2**62])


def test_texts_keep_every_byte() -> None:
    codes, names = factorise(["a\0", "a", "", " a"])
    assert (codes.tolist(), names) == ([0, 1, 2, 3], ["a\0", "a", "", " a"])


def test_nothing_is_coded_as_nothing() -> None:
    assert factorise([])[1] == []
    assert condense(np.empty(0, dtype=np.int64))[0].size == 0


def test_columns_must_fit_together() -> None:
    one, two = np.zeros(1, dtype=np.intp), np.zeros(2, dtype=np.intp)
    with pytest.raises(ValueError, match="annotator must be one code per answer"):
        LabelTable(two, one, two, 1)
    with pytest.raises(ValueError, match="label has a code beyond n_classes"):
        LabelTable(one, one, one + 1, 1)
    with pytest.raises(ValueError, match="item has a negative code"):
        LabelTable(one - 1, one, one, 1)
    with pytest.raises(ValueError, match="one finite number per class"):
        LabelTable(one, one, one, 1, np.array([np.nan]))


def test_items_answered_alike_are_one_pattern() -> None:
    found = find_patterns(label_table([0, 0, 1, 1, 2, 2, 3], [0, 1, 1, 0, 2, 2, 0], 3))
    assert contents(found.patterns) == {(0, 1): 2, (2, 2): 1, (0,): 1}
    assert found.of_item[0] == found.of_item[1]


def contents(p: Patterns) -> dict[tuple[int, ...], int]:
    """Patterns as sorted classes, with their numbers of items."""
    return {
        tuple(np.repeat(p.label[p.row == row], p.count[p.row == row]).tolist()): int(p.multiplicity[row])
        for row in range(p.size.size)
    }


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 10_000)), max_size=70),
    st.sampled_from([1, 2, 5, 80, 10_001]),
)
@settings(max_examples=120, deadline=None)
def test_patterns_are_the_answers_of_the_items(answers: list[tuple[int, int]], n_classes: int) -> None:
    """Few classes are condensed by counts, more by their order, very many not at all."""
    item, label = [i for i, _ in answers], [k % n_classes for _, k in answers]
    found = find_patterns(label_table(item, label, n_classes))
    said = {i: tuple(sorted(k for j, k in zip(item, label, strict=True) if j == i)) for i in set(item)}
    merged: Counter[tuple[int, ...]] = Counter()
    p = found.patterns
    for row in range(p.size.size):
        content = tuple(np.repeat(p.label[p.row == row], p.count[p.row == row]).tolist())
        assert len(content) == p.size[row]
        merged[content] += int(p.multiplicity[row])
    assert merged == Counter(said.values())
    for answer, (i, k) in enumerate(zip(item, label, strict=True)):
        entry = found.entry_of_answer[answer]
        assert (p.row[entry], p.label[entry]) == (found.of_item[i], k)


def test_merged_classes_give_the_patterns_of_merged_answers() -> None:
    patterns = find_patterns(label_table([0, 0, 1, 1], [0, 1, 2, 2], 3)).patterns
    assert contents(patterns.recoded(np.array([0, 0, 1]), 2)) == {(0, 0): 1, (1, 1): 1}


def test_patterns_of_one_answer_can_be_left_out() -> None:
    patterns = find_patterns(label_table([0, 1, 1], [0, 1, 1], 2)).patterns
    assert contents(patterns.overlapping()) == {(1, 1): 1}


@given(st.lists(st.integers(0, 6), max_size=12), st.sampled_from([4, 1 << 18]))
@settings(max_examples=60, deadline=None)
def test_pairs_within_groups_are_all_pairs(sizes: list[int], chunk: int) -> None:
    values = np.arange(sum(sizes)) * 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_CHUNK", chunk)
        found = [
            pair
            for left, right in pairs_within(values, np.array(sizes, dtype=np.intp))
            for pair in zip(left.tolist(), right.tolist(), strict=True)
        ]
    groups = np.split(values, np.cumsum(sizes)[:-1]) if sizes else []
    assert sorted(found) == sorted(pair for group in groups for pair in combinations(group.tolist(), 2))


@pytest.mark.parametrize("space", [50, 10**12])
def test_keys_are_counted_directly_or_by_sorting(space: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_BUFFER", 5)
    counter = KeyCounter(space, 10)
    for _round in range(4):
        counter.add(np.array([7, 3, 7]), np.array([1.0, 0.5, 2.0]))
    keys, found = counter.result()
    assert (keys.tolist(), found.tolist()) == ([3, 7], [2.0, 12.0])


@given(
    st.lists(st.lists(st.integers(-1, 2), min_size=3, max_size=3), max_size=30),
    st.sampled_from([np.int8, np.int64]),
)
@settings(max_examples=60, deadline=None)
def test_rows_of_slots_have_the_patterns_of_their_answers(rows: list[list[int]], kind: type) -> None:
    slots: np.typing.NDArray[np.generic] = np.array(rows, dtype=kind).reshape(-1, 3)
    patterns = slot_patterns(slots, 3)
    assert contents(patterns) == Counter(
        tuple(sorted(k for k in row if k >= 0)) for row in rows if max(row) >= 0
    )


def test_slots_with_too_many_different_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="use find_patterns"):
        slot_patterns(np.zeros((2, 9), dtype=np.int8), 20)
