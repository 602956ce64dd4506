"""Every pair of annotators: percent agreement and Cohen's kappa from one pass over the pairs of answers.

The co-label tensor (answers of annotator a with class k beside answers of b with class l on one item) is counted
directly where it is small and by sorting where it is not, so thousands of annotators cost no more memory than
the pairs of answers they have.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.numerics.chance import AgainstChance, against_chance
from core.numerics.intervals import normal_interval, wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, KeyCounter, LabelTable, condense, pairs_within, totals
from core.numerics.weights import Equality, Weights

_MIN_ITEMS = 2
_MOST_AT_ONCE = 1 << 23  # pairs of answers, or cells of the whole tensor, that are held together
_ADDED_AT_ONCE = 1 << 20
_ALL = 1 - 1e-12  # shares that add to one, give or take rounding


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators (codes, a < b) on the items that both answered.

    `chance` tests Cohen's kappa against 0. Bangdiwala's B (1985) is the squared full agreement by the squared
    agreement that is possible: Σ n_kk² / Σ n_k. n_.k. `weighted_kappa` is there where there are weights; where they
    are not the same in both directions, a's class is the row.
    """

    a: int
    b: int
    n_items: int
    percent: Figure
    cohen_kappa: Figure
    chance: AgainstChance | None
    bangdiwala_b: Figure
    weighted_kappa: Figure | None


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells of the tables of pairs: `count` items where `low`, a person's code and class, met `high`.

    A cell may stand in two rows (the two people in either order of rows): all sums over cells stay right.
    """

    low: Ints
    high: Ints
    count: Floats

    def chosen(self, rows: Bools) -> "_Cells":
        return _Cells(self.low[rows], self.high[rows], self.count[rows])

    def joined(self, more: "_Cells") -> "_Cells":
        return _Cells(
            np.concatenate([self.low, more.low]),
            np.concatenate([self.high, more.high]),
            np.concatenate([self.count, more.count]),
        )


def pair_agreements(
    table: LabelTable, weight: Floats, max_pairs: int, partial: Weights | None = None
) -> tuple[list[PairAgreement], int]:
    """The pairs of annotators who share most items, at most `max_pairs`, and how many more there were.

    `weight[k]` is 1 where two answers of class k agree, else 0; `partial` are the weights of the weighted kappa
    (Cohen 1968). Pairs are ordered by annotator codes.
    """
    k, cut = max(table.n_classes, 1), 0
    none = np.empty(0, dtype=np.intp)
    cells = _Cells(none, none, np.empty(0))
    people = int(table.annotator.max(initial=0)) + 1
    pair_keys, pair, shared = none, none, np.empty(0)
    for block in _blocks(table, k):
        different = block.low // k != block.high // k  # one person's two answers to an item are no pair
        cells = cells.joined(block.chosen(different))
        pair_keys, pair = condense(cells.low // k * people + cells.high // k)
        shared = totals(pair, cells.count, pair_keys.size)
        if pair_keys.size > max_pairs:
            cut += pair_keys.size - max_pairs
            kept = np.zeros(pair_keys.size, dtype=np.bool_)
            kept[np.lexsort((pair_keys, -shared))[:max_pairs]] = True
            cells = cells.chosen(kept[pair])
            pair = (np.cumsum(kept) - 1)[pair[kept[pair]]]
            pair_keys, shared = pair_keys[kept], shared[kept]
    tables = _tables(cells, pair, shared, k)
    equal = Equality(weight)
    percent, kappas = _figures(tables, equal)
    found = zip(
        (pair_keys // people).tolist(),
        (pair_keys % people).tolist(),
        shared.astype(np.intp).tolist(),
        _percent_figures(percent, shared),
        kappas,
        _chances(tables, equal, kappas),
        _bangdiwalas(tables, equal),
        [None] * len(kappas) if partial is None else _figures(tables, partial)[1],
        strict=True,
    )
    return [PairAgreement(*row) for row in found], cut


def _blocks(table: LabelTable, k: int) -> Iterator[_Cells]:
    """The cells of all pairs; where they may be too many to hold, those of some first annotators at a time."""
    answer = table.annotator * k + table.label
    span = (int(table.annotator.max(initial=0)) + 1) * k
    codes, answer = condense(answer) if span > len(table) else (np.arange(span), answer)
    span = codes.size
    sizes = table.sizes
    expected = int((sizes * (sizes - 1) // 2).sum())
    if min(span**2, expected) <= _MOST_AT_ONCE:
        counter = KeyCounter(span**2, expected)
        for left, right in pairs_within(table.by_item(answer), sizes):
            counter.add(left * span + right)
        yield _cells(counter, codes, span)
        return
    order = np.lexsort((answer, table.item))
    answer = answer[order]
    later = np.cumsum(sizes)[table.item[order]] - np.arange(answer.size) - 1  # answers behind it on its item
    by_annotator = np.argsort(answer, kind="stable")
    block_of = (np.cumsum(np.bincount(codes[answer] // k, weights=later)) // _MOST_AT_ONCE).astype(np.intp)
    block = block_of[codes[answer[by_annotator]] // k]
    for one in np.unique(block).tolist():
        chosen = by_annotator[block == one]
        counter = KeyCounter(span**2, int(later[chosen].sum()))
        done = np.cumsum(later[chosen]) // _ADDED_AT_ONCE
        for part in np.split(chosen, np.flatnonzero(np.diff(done)) + 1):
            left = np.repeat(part, later[part])
            first = np.cumsum(later[part]) - later[part]
            right = left + 1 + np.arange(left.size) - np.repeat(first, later[part])
            counter.add(answer[left] * span + answer[right])
        yield _cells(counter, codes, span)


def _cells(counter: KeyCounter, codes: Ints, span: int) -> _Cells:
    keys, count = counter.result()
    one, other = codes[keys // max(span, 1)], codes[keys % max(span, 1)]
    return _Cells(np.minimum(one, other), np.maximum(one, other), count)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The tables of all pairs as shares: of cells, and of a's and b's answers in each class.

    A place is a class in a table, as only those that occur have one: `by_a` and `by_b` are the shares of the two
    there, `owner` is its pair and `said` its class; `of_first` and `of_second` are the places of each cell.
    """

    pair: Ints
    shared: Floats
    said_a: Ints
    said_b: Ints
    share: Floats
    owner: Ints
    said: Ints
    by_a: Floats
    by_b: Floats
    of_first: Ints
    of_second: Ints

    def per_pair(self, of_cells: Floats) -> Floats:
        return totals(self.pair, of_cells, self.shared.size)

    def margins(self, of_places: Floats) -> Floats:
        """Sum over the places of every pair."""
        return totals(self.owner, of_places, self.shared.size)


def _tables(cells: _Cells, pair: Ints, shared: Floats, n_classes: int) -> _Tables:
    said_a, said_b = cells.low % n_classes, cells.high % n_classes
    share = cells.count / shared[pair]
    stated = np.concatenate([pair * n_classes + said_a, pair * n_classes + said_b])
    places, place = condense(stated)
    first, second = place[: pair.size], place[pair.size :]
    return _Tables(
        pair,
        shared,
        said_a,
        said_b,
        share,
        owner=places // n_classes,
        said=places % n_classes,
        by_a=totals(first, share, places.size),
        by_b=totals(second, share, places.size),
        of_first=first,
        of_second=second,
    )


def _figures(t: _Tables, weights: Weights) -> tuple[Floats, list[Figure]]:
    """Share of agreement and kappa of every pair; variance after Fleiss, Cohen and Everitt (1969)."""
    beside_a = weights.beside(
        t.owner, t.said, t.by_b, t.shared.size
    )  # of each class of a, what to expect of b
    beside_b = weights.turned().beside(t.owner, t.said, t.by_a, t.shared.size)
    same = weights.of(t.said_a, t.said_b)
    percent = t.per_pair(same * t.share)
    expected = t.margins(t.by_a * beside_a)
    one_class = (t.margins(t.by_a * t.by_b) > _ALL) | (expected > _ALL)
    room = np.where(one_class, 1.0, 1 - expected)
    kappa = (percent - expected) / room
    rest = (1 - kappa)[t.pair]
    spread = same - (beside_a[t.of_first] + beside_b[t.of_second]) * rest
    # The mean of the spread is taken off before squaring: else large squares cancel to a little above 0.
    centre = kappa - expected * (1 - kappa)
    variance = t.per_pair(t.share * (spread - centre[t.pair]) ** 2)
    se = np.sqrt(variance / t.shared) / room
    return np.minimum(percent, 1.0), _kappa_figures(np.minimum(kappa, 1.0), se, t.shared, one_class)


def _chances(t: _Tables, equal: Equality, kappas: list[Figure]) -> list[AgainstChance | None]:
    """Every kappa against 0, with the variance it has then (Fleiss, Cohen and Everitt 1969)."""
    alike = equal.own[t.said] * t.by_a * t.by_b
    expected = t.margins(alike)
    variance = expected + expected**2 - t.margins(alike * (t.by_a + t.by_b))
    variance /= t.shared * np.where(expected < _ALL, 1 - expected, 1.0) ** 2
    return [against_chance(kappa, of_pair) for kappa, of_pair in zip(kappas, variance.tolist(), strict=True)]


def _bangdiwalas(t: _Tables, equal: Equality) -> list[Figure]:
    full = t.margins(totals(t.of_first, equal.of(t.said_a, t.said_b) * t.share, t.said.size) ** 2)
    possible = t.margins(t.by_a * t.by_b)
    found = np.where(possible > 0, full / np.where(possible > 0, possible, 1.0), 0.0)
    return [
        Figure.estimate(min(b, 1.0), n_items=n, n_pairs=n)
        for b, n in zip(found.tolist(), t.shared.tolist(), strict=True)
    ]


def _percent_figures(percent: Floats, shared: Floats) -> list[Figure]:
    se = np.sqrt(percent * (1 - percent) / shared)
    lower, upper = wilson_interval(percent, shared)
    return [
        Figure.estimate(p, se=s, ci=(low, high), method=Method.WILSON, n_items=int(n), n_pairs=int(n))
        for p, s, low, high, n in zip(percent, se, lower, upper, shared, strict=True)
    ]


def _kappa_figures(kappa: Floats, se: Floats, shared: Floats, one_class: Bools) -> list[Figure]:
    lower, upper = normal_interval(kappa, se)
    figures = []
    for i, n in enumerate(shared.astype(np.intp).tolist()):
        if n < _MIN_ITEMS:
            figures.append(Figure.missing(Reason.TOO_FEW_ITEMS, n_items=n, n_pairs=n))
        elif one_class[i]:
            figures.append(Figure.missing(Reason.ONE_CLASS, n_items=n, n_pairs=n))
        else:
            figures.append(
                Figure.estimate(
                    kappa[i],
                    se=se[i],
                    ci=(lower[i], upper[i]),
                    method=Method.DELTA,
                    n_items=n,
                    n_pairs=n,
                )
            )
    return figures
