"""Answers as integer arrays, and their condensed forms: answer patterns and counted pairs.

Nothing here is as large as items x annotators, annotators x annotators or values x values unless that is small:
every structure grows with the number of answers, or with the number of *different* items.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Column = Sequence[Any] | npt.NDArray[Any]

_SMALL_SPACE = 1 << 22  # so many slots are cheaper to count directly than to sort for
_EXACT_FLOAT_BITS = 52
_KEY_BITS = 62
_CHUNK = 1 << 18  # answers looked at together: small enough for the processor's cache
_BUFFER = 1 << 21


@dataclass(frozen=True, eq=False)
class LabelTable:
    """One row per answer: who (`annotator`) said what (`label`) about which `item`, as codes from 0 up.

    Any number of answers per item, in any order. `n_classes` is the number of permitted classes, used or not.
    `values` (one number per class code) gives the order of a scale or the numbers of a number question.
    Raises ValueError where the arrays do not fit together or a value is not finite.
    """

    item: Ints
    annotator: Ints
    label: Ints
    n_classes: int
    values: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("item", "annotator", "label"):
            codes = np.ascontiguousarray(getattr(self, name), dtype=np.intp)
            if codes.ndim != 1 or codes.size != len(self.item):
                raise ValueError(f"{name} must be one code per answer")
            if codes.size and codes.min() < 0:
                raise ValueError(f"{name} has a negative code")
            object.__setattr__(self, name, codes)
        if self.label.size and self.label.max() >= self.n_classes:
            raise ValueError("label has a code beyond n_classes")
        if self.values is not None:
            values = np.ascontiguousarray(self.values, dtype=np.float64)
            if values.shape != (self.n_classes,) or not np.isfinite(values).all():
                raise ValueError("values must be one finite number per class")
            object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return int(self.item.size)

    @cached_property
    def sizes(self) -> Ints:
        """Answers per item code."""
        return np.bincount(self.item).astype(np.intp, copy=False)

    @cached_property
    def n_items(self) -> int:
        """Items with at least one answer."""
        return int(np.count_nonzero(self.sizes))

    @cached_property
    def n_annotators(self) -> int:
        """Annotators with at least one answer."""
        return int(np.count_nonzero(np.bincount(self.annotator)))

    @cached_property
    def item_order(self) -> Ints | None:
        """Positions of the answers ordered by item; None when they already are."""
        if len(self) == 0 or bool((self.item[1:] >= self.item[:-1]).all()):
            return None
        return np.argsort(self.item, kind="stable")

    def by_item(self, column: Ints) -> Ints:
        """A column of this table, ordered by item."""
        return column if self.item_order is None else column[self.item_order]

    def keep(self, mask: Bools) -> Self:
        """The same table with only the answers where `mask` is true; codes stay as they are."""
        return type(self)(
            self.item[mask], self.annotator[mask], self.label[mask], self.n_classes, self.values
        )


def factorise(column: Column, *, first: Iterable[Any] = ()) -> tuple[Ints, list[Any]]:
    """Integer codes of a column, and the distinct values by code.

    Integer arrays are coded in ascending order, everything else in the order of first appearance; values in
    `first` always take the first codes.
    """
    known = list(dict.fromkeys(first))
    if isinstance(column, np.ndarray) and np.can_cast(column.dtype, np.int64) and not known:
        distinct, codes = condense(column.astype(np.int64, copy=False))
        return codes, distinct.tolist()
    objects = column.tolist() if isinstance(column, np.ndarray) else column
    names = list(dict.fromkeys((*known, *dict.fromkeys(objects))))
    code = {name: position for position, name in enumerate(names)}
    return np.fromiter(map(code.__getitem__, objects), dtype=np.intp, count=len(objects)), names


def condense(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Ints]:
    """The different integers, ascending, and for each integer its place among them; sorts only if it must."""
    if keys.size == 0:
        return keys, np.empty(0, dtype=np.intp)
    low, high = int(keys.min()), int(keys.max())
    if high - low > 4 * keys.size + _SMALL_SPACE:
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place.astype(np.intp, copy=False)
    shifted = (keys - low).astype(np.intp, copy=False)
    present = np.flatnonzero(np.bincount(shifted))
    lookup = np.empty(high - low + 1, dtype=np.intp)
    lookup[present] = np.arange(present.size)
    return present + low, lookup[shifted]


@dataclass(frozen=True, eq=False)
class Patterns:
    """The different ways in which items were answered, and how many items were answered in each way.

    A pattern is a multiset of class codes. Row r stands for `multiplicity[r]` items of `size[r]` answers each.
    Its content are the entries e with `row[e] == r`: `count[e]` answers of class `label[e]`; entries are sorted
    by row, then class. With few labelers and classes there are few patterns (3 answers from 5 classes: 35), and
    every coefficient costs nothing beyond the pass that finds them.
    """

    multiplicity: Ints
    size: Ints
    row: Ints
    label: Ints
    count: Ints
    n_classes: int

    @property
    def n_items(self) -> int:
        return int(self.multiplicity.sum())

    def per_row(self, weights: npt.NDArray[Any]) -> Floats:
        """Sum over the entries of every row."""
        return totals(self.row, weights, self.size.size)

    def per_class(self, weights: npt.NDArray[Any]) -> Floats:
        """Sum over the entries of every class."""
        return totals(self.label, weights, self.n_classes)

    def overlapping(self) -> "Patterns":
        """Only the patterns of two answers or more."""
        return self.standing_for(np.where(self.size >= 2, self.multiplicity, 0))  # noqa: PLR2004 -- a pair takes two

    def standing_for(self, multiplicity: Ints) -> "Patterns":
        """The patterns with other numbers of items; those of no items are left out."""
        keep = multiplicity > 0
        if keep.all():
            return Patterns(multiplicity, self.size, self.row, self.label, self.count, self.n_classes)
        entries = keep[self.row]
        return Patterns(
            multiplicity[keep],
            self.size[keep],
            (np.cumsum(keep) - 1)[self.row[entries]],
            self.label[entries],
            self.count[entries],
            self.n_classes,
        )

    def recoded(self, code: Ints, n_classes: int) -> "Patterns":
        """The same items read through `code`, one new class for every old one."""
        keys, inverse = np.unique(self.row * n_classes + code[self.label], return_inverse=True)
        count = np.bincount(inverse, weights=self.count, minlength=keys.size).astype(np.intp)
        return Patterns(self.multiplicity, self.size, keys // n_classes, keys % n_classes, count, n_classes)


@dataclass(frozen=True, eq=False)
class PatternIndex:
    """The patterns of a table, and where each item (-1: no answer) and each answer went."""

    table: LabelTable
    patterns: Patterns
    of_item: Ints

    @cached_property
    def entry_of_answer(self) -> Ints:
        """For every answer the entry of its class in the pattern of its item."""
        p, k = self.patterns, self.patterns.n_classes
        wanted = self.of_item[self.table.item] * k + self.table.label
        return _positions(p.row * k + p.label, wanted, p.size.size * k)


def slot_patterns(slots: npt.NDArray[Any], n_classes: int) -> Patterns:
    """The patterns of an array of items x slots: class codes in any integer type, -1 where a slot is empty.

    Raises ValueError where (classes + 1) ** slots is more than some millions: make a LabelTable of it then.
    """
    if not _few_tuples(n_classes, slots.shape[1]):
        raise ValueError("too many different rows: use find_patterns")
    return _count_tuples(_tuple_codes(slots, n_classes), slots.shape[1], n_classes)[0]


def _few_tuples(n_classes: int, width: int) -> bool:
    return bool(width * np.log2(n_classes + 1) <= np.log2(_SMALL_SPACE))


def _tuple_codes(slots: npt.NDArray[Any], n_classes: int) -> npt.NDArray[np.int32]:
    """One number per row: its entries plus one as digits to the base of classes + 1."""
    base = np.int32(n_classes + 1)
    codes = np.zeros(len(slots), dtype=np.int32)
    for column in slots.T:
        codes *= base
        codes += column.astype(np.int32, copy=False)
    return codes + np.int32(sum(int(base) ** place for place in range(slots.shape[1])))


def _count_tuples(codes: npt.NDArray[np.int32], width: int, n_classes: int) -> tuple[Patterns, Ints]:
    """The patterns of coded rows, and the number of its pattern for every code (-1: no answer)."""
    base = n_classes + 1
    rows = np.bincount(codes, minlength=base**width)
    rows[0] = 0  # no answer at all
    present = np.flatnonzero(rows)
    place = base ** np.arange(width, dtype=np.intp)
    digits = np.sort(present[:, None] // place % base, axis=1)
    sets, inverse = np.unique(digits @ place, return_inverse=True)
    multiplicity = np.bincount(inverse, weights=rows[present], minlength=sets.size).astype(np.intp)
    answers = sets[:, None] // place % base
    cells = np.arange(sets.size)[:, None] * base + answers
    keys, count = np.unique(cells[answers > 0], return_counts=True)
    number = np.full(rows.size, -1, dtype=np.intp)
    number[present] = inverse
    size = np.count_nonzero(answers, axis=1).astype(np.intp)
    entries = keys // base, keys % base - 1, count.astype(np.intp)
    return Patterns(multiplicity, size, *entries, n_classes), number


def _uniform_slots(table: LabelTable, answered: Ints) -> npt.NDArray[Any] | None:
    """The labels as items x slots where all items have as many answers, in the order of items, and slots are few."""
    if answered.size == 0 or len(table) % answered.size:
        return None
    width = len(table) // answered.size
    few = _few_tuples(table.n_classes, width)
    if not few or table.item_order is not None or int(table.sizes.max()) != width:
        return None
    return table.label.reshape(-1, width)


def find_patterns(table: LabelTable) -> PatternIndex:
    """Condense a table to its patterns: one pass over the answers, and a sort where keys are many."""
    answered = np.flatnonzero(table.sizes)
    slots = _uniform_slots(table, answered)
    if slots is not None:
        codes = _tuple_codes(slots, table.n_classes)
        patterns, number = _count_tuples(codes, slots.shape[1], table.n_classes)
        of_item = np.full(table.sizes.size, -1, dtype=np.intp)
        of_item[answered] = number[codes]
        return PatternIndex(table, patterns, of_item)
    keys = _pattern_keys(table)
    if keys is None:
        multiplicity, of_answered = np.ones(answered.size, dtype=np.intp), np.arange(answered.size)
        example = answered
    else:
        everywhere = answered.size == keys.size
        multiplicity, of_answered, example = _distinct(keys if everywhere else keys[answered])
        example = answered[example]
    of_item = of_answered
    if answered.size < table.sizes.size:
        of_item = np.full(table.sizes.size, -1, dtype=np.intp)
        of_item[answered] = of_answered

    is_example = np.zeros(table.sizes.size, dtype=np.bool_)
    is_example[example] = True
    told = np.flatnonzero(is_example[table.item])
    k = table.n_classes
    entry_keys, count = np.unique(of_item[table.item[told]] * k + table.label[told], return_counts=True)
    row, label = (entry_keys // k, entry_keys % k) if k else (entry_keys, entry_keys)
    patterns = Patterns(multiplicity, table.sizes[example], row, label, count.astype(np.intp), k)
    return PatternIndex(table, patterns, of_item)


def _pattern_keys(table: LabelTable) -> npt.NDArray[np.int64] | None:
    """One integer per item code, equal exactly where the answers are the same; None if it takes too many bits."""
    if len(table) == 0:
        return None
    most, k = int(table.sizes.max()), table.n_classes
    if k * np.log2(most + 1) <= _EXACT_FLOAT_BITS:
        place = float(most + 1) ** np.arange(k)  # counts as digits: how many of class 0, of class 1, …
        return np.bincount(table.item, weights=place[table.label]).astype(np.int64)
    if most * np.log2(k + 1) > _KEY_BITS or most * table.sizes.size > 4 * len(table) + _SMALL_SPACE:
        return None
    slots = np.zeros((table.sizes.size, most), dtype=np.int64)  # answers as digits, ascending
    item = table.by_item(table.item)
    starts = np.cumsum(table.sizes) - table.sizes
    slots[item, np.arange(item.size) - starts[item]] = table.by_item(table.label) + 1
    slots.sort(axis=1)
    keys = slots[:, 0].copy()
    for column in range(1, most):
        keys *= k + 1
        keys += slots[:, column]
    return keys


def _distinct(keys: npt.NDArray[np.int64]) -> tuple[Ints, Ints, Ints]:
    """How often each different key stands there, the number of its key for each, an example of each key."""
    top = int(keys.max())
    if top > _SMALL_SPACE:
        _, example, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        return counts.astype(np.intp), inverse.astype(np.intp), example.astype(np.intp)
    counts = np.bincount(keys)
    present = np.flatnonzero(counts)
    number = np.empty(top + 1, dtype=np.intp)
    number[present] = np.arange(present.size)
    last = np.empty(top + 1, dtype=np.intp)
    last[keys] = np.arange(keys.size)
    return counts[present].astype(np.intp), number[keys], last[present]


def _positions(sorted_keys: Ints, wanted: Ints, space: int) -> Ints:
    """Where each wanted key stands among the sorted ones (all are there)."""
    if space > 4 * _SMALL_SPACE:
        return np.searchsorted(sorted_keys, wanted)
    lookup = np.zeros(space, dtype=np.intp)
    lookup[sorted_keys] = np.arange(sorted_keys.size)
    return lookup[wanted]


def pairs_within(values: Ints, sizes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """All pairs of values inside each of the consecutive groups of these sizes, in chunks, earlier one first."""
    starts = np.cumsum(sizes) - sizes
    occurs = np.flatnonzero(np.bincount(sizes)) if sizes.size else sizes
    for size in occurs[occurs > 1].tolist():
        first = starts[sizes == size]
        step = max(1, _CHUNK // size)
        uniform = first.size * size == values.size
        for begin in range(0, first.size, step):
            if uniform:
                group = values[begin * size : (begin + step) * size].reshape(-1, size)
            else:
                group = values[first[begin : begin + step, None] + np.arange(size)]
            columns = np.ascontiguousarray(group.T)  # earlier answers first, all groups side by side
            for gap in range(1, size):
                yield columns[:-gap].ravel(), columns[gap:].ravel()


def totals(codes: Ints, weights: npt.NDArray[Any] | None, size: int) -> Floats:
    """Sum of the weights (or the number, without weights) of every code below `size`."""
    return np.bincount(codes, weights=weights, minlength=size).astype(np.float64, copy=False)


class KeyCounter:
    """Weighted counts of integer keys in [0, space): direct where the space is small, by sorting where not."""

    def __init__(self, space: int, expected: int) -> None:
        self._space = space
        self._direct = space <= max(_SMALL_SPACE, min(4 * expected, 8 * _SMALL_SPACE))
        self._totals: Floats = np.zeros(space if self._direct else 0)
        self._keys = np.empty(0, dtype=np.intp)
        self._buffer: list[tuple[Ints, npt.NDArray[Any] | None]] = []
        self._buffered = 0

    def add(self, keys: Ints, weights: npt.NDArray[Any] | None = None) -> None:
        """Count every key once, or `weights` times; either always or never with weights."""
        self._buffer.append((keys, weights))
        self._buffered += keys.size
        # Sorted counts are merged at doubling sizes, direct ones as soon as that costs no more than the keys.
        if self._buffered >= (min(self._space, _BUFFER) if self._direct else max(self._keys.size, _BUFFER)):
            self._flush()

    def result(self) -> tuple[Ints, Floats]:
        """The keys seen, ascending, and their totals."""
        self._flush()
        if not self._direct:
            return self._keys, self._totals
        keys = np.flatnonzero(self._totals)
        return keys, self._totals[keys]

    def _flush(self) -> None:
        if not self._buffer:
            return
        keys = np.concatenate([keys for keys, _ in self._buffer])
        given = [weights for _, weights in self._buffer if weights is not None]
        weights = np.concatenate(given) if given else None
        self._buffer, self._buffered = [], 0
        if self._direct:
            self._totals += totals(keys, weights, self._space)
            return
        counts = np.ones(keys.size) if weights is None else weights
        self._keys, inverse = np.unique(np.concatenate([self._keys, keys]), return_inverse=True)
        self._totals = totals(inverse, np.concatenate([self._totals, counts]), self._keys.size)
