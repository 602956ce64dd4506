"""Each answer, and a model's class, beside the answers of the *others* on the item: never beside oneself.

The reference of an answer is the plurality set of the other answers on its item. A class in a set of m classes
earns 1 / m (a tie shares its credit), any other class nothing.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.numerics.table import Bools, Floats, Ints, PatternIndex, Patterns, pairs_within, totals

PAIR = 2


@dataclass(frozen=True, eq=False)
class References:
    """The references of all answers of a table, kept per entry of its patterns."""

    index: PatternIndex

    @property
    def patterns(self) -> Patterns:
        return self.index.patterns

    @cached_property
    def _leads(self) -> tuple[Ints, Ints]:
        """Per entry: the answers that the plurality of the others has, and the number of classes that tie in it.

        The plurality of one answer less is the old one, unless its class led alone: then that class still leads,
        or ties with the runners-up. It is -1 where there are no others.
        """
        p, rows = self.patterns, self.patterns.size.size
        best = np.zeros(rows, dtype=np.intp)
        np.maximum.at(best, p.row, p.count)
        leads = p.count == best[p.row]
        second = np.zeros(rows, dtype=np.intp)
        np.maximum.at(second, p.row, np.where(leads, 0, p.count))
        leaders = p.per_row(leads).astype(np.intp)[p.row]
        runners = p.per_row(~leads & (p.count == second[p.row])).astype(np.intp)[p.row]
        sole = leads & (leaders == 1)
        tied = p.count - 1 == second[p.row]
        height = np.where(sole, p.count - 1, best[p.row])
        breadth = np.where(sole, np.where(tied, runners + 1, 1), leaders - leads)
        return np.where(p.size[p.row] < PAIR, -1, height), np.maximum(breadth, 1)

    def credit(self, removed: Ints, answers: Ints, same: Bools) -> Floats:
        """Credit of a class beside the others of one answer of the entries `removed`.

        `answers` is how many answers of the item are of that class, `same` whether it is the class of the
        removed answer itself; all of one length.
        """
        height, breadth = self._leads
        credit: Floats = (answers - same == height[removed]) / breadth[removed]
        return credit

    @cached_property
    def own(self) -> Floats:
        """Per entry: the credit of one answer of its class."""
        everything = np.arange(self.patterns.row.size)
        return self.credit(everything, self.patterns.count, np.ones(everything.size, dtype=np.bool_))

    @cached_property
    def _triples(self) -> tuple[Ints, Ints, Floats]:
        """Entries a, b of one row (b may be a) and the credit of b's class beside the others of an answer of a."""
        p = self.patterns
        entries = np.bincount(p.row, minlength=p.size.size)
        everything = np.arange(p.row.size)
        given, asked = [everything], [everything]
        for left, right in pairs_within(everything, entries):
            given += [left, right]
            asked += [right, left]
        a, b = np.concatenate(given), np.concatenate(asked)
        credit = self.credit(a, p.count[b], a == b)
        kept = np.flatnonzero(credit)
        return a[kept], b[kept], credit[kept]

    @cached_property
    def weight(self) -> Floats:
        """Per entry: how much of the references of its item's answers is of its class, from 0 to 1."""
        p = self.patterns
        a, b, credit = self._triples
        return totals(b, p.count[a] * credit, p.row.size) / p.size[p.row]

    def habits(self, multiplicity: Ints) -> Ints:
        """For every class the class that earns most where a person said it, with so many items per pattern.

        A class that nobody said, or that earns as much as any other, stands for itself.
        """
        p, k = self.patterns, max(self.patterns.n_classes, 1)
        a, b, credit = self._triples
        keys, place = np.unique(p.label[a] * k + p.label[b], return_inverse=True)
        earned = totals(place, multiplicity[p.row[a]] * p.count[a] * credit, keys.size).round(9)
        said, answer = keys // k, keys % k
        order = np.lexsort((answer, answer != said, -earned, said))
        first = np.ones(order.size, dtype=np.bool_)
        first[1:] = said[order][1:] != said[order][:-1]
        habit = np.arange(k)
        chosen = order[first]
        habit[said[chosen]] = np.where(earned[chosen] > 0, answer[chosen], said[chosen])
        return habit

    def entries(self, row: Ints, label: Ints) -> Ints:
        """The entry of a class in a pattern; -1 where the pattern (or the row, -1) has no such answer."""
        p, k = self.patterns, max(self.patterns.n_classes, 1)
        keys = p.row * k + p.label
        if keys.size == 0:
            return np.full(row.size, -1, dtype=np.intp)
        wanted = row * k + label
        at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        return np.where((row >= 0) & (label >= 0) & (label < k) & (keys[at] == wanted), at, -1)

    def counts(self, row: Ints, label: Ints) -> Ints:
        """How many answers of a pattern are of a class."""
        at = self.entries(row, label)
        return np.where(at >= 0, self.patterns.count[at], 0) if self.patterns.count.size else at + 1

    def earned(self, row: Ints, label: Ints) -> Floats:
        """What a class earns on an item: its mean credit beside the others of each of the item's answers."""
        at = self.entries(row, label)
        return np.where(at >= 0, self.weight[at], 0.0) if self.weight.size else np.zeros(row.size)


def take_rows(p: Patterns, rows: Ints) -> Patterns:
    """The patterns of the rows named, each as often and in the order in which it is named."""
    entries = np.bincount(p.row, minlength=p.size.size)
    starts = np.cumsum(entries) - entries
    length = entries[rows]
    row = np.repeat(np.arange(rows.size), length)
    at = starts[rows][row] + np.arange(row.size) - (np.cumsum(length) - length)[row]
    return Patterns(p.multiplicity[rows], p.size[rows], row, p.label[at], p.count[at], p.n_classes)
