"""Every pair of annotators: percent agreement and Cohen's kappa from one pass over the pairs of answers.

The co-label tensor (answers of annotator a with class k beside answers of b with class l on one item) is counted
directly where it is small and by sorting where it is not, so thousands of annotators cost no more memory than
the pairs of answers they have.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.numerics.intervals import normal_interval, wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, KeyCounter, LabelTable, condense, pairs_within, totals

_MIN_ITEMS = 2
_MOST_AT_ONCE = 1 << 23  # pairs of answers, or cells of the whole tensor, that are held together
_ADDED_AT_ONCE = 1 << 20
_ALL = 1 - 1e-12  # shares that add to one, give or take rounding


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators (codes, a < b) on the items that both answered."""

    a: int
    b: int
    n_items: int
    percent: Figure
    cohen_kappa: Figure


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


def pair_agreements(table: LabelTable, weight: Floats, max_pairs: int) -> tuple[list[PairAgreement], int]:
    """The pairs of annotators who share most items, at most `max_pairs`, and how many more there were.

    `weight[k]` is 1 where two answers of class k agree, else 0. Pairs are ordered by annotator codes.
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
    percents, kappas = _figures(cells, pair, shared, weight)
    a, b = pair_keys // people, pair_keys % people
    found = zip(a.tolist(), b.tolist(), shared.tolist(), percents, kappas, strict=True)
    return [PairAgreement(i, j, int(n), percent, kappa) for i, j, n, percent, kappa in found], cut


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


def _figures(cells: _Cells, pair: Ints, shared: Floats, weight: Floats) -> tuple[list[Figure], list[Figure]]:
    """Percent agreement and kappa of every pair; variance after Fleiss, Cohen and Everitt (1969)."""
    n_pairs, n_classes = shared.size, max(weight.size, 1)
    said_a, said_b = cells.low % n_classes, cells.high % n_classes
    share = cells.count / shared[pair]
    # Shares of a's and of b's answers in each class: only (pair, class) that occur have a place.
    stated = np.concatenate([pair * n_classes + said_a, pair * n_classes + said_b])
    places, place = condense(stated)
    of_first, of_second = place[: pair.size], place[pair.size :]
    by_a = totals(of_first, share, places.size)
    by_b = totals(of_second, share, places.size)
    agrees = weight[places % n_classes] if places.size else by_a

    same = np.where(said_a == said_b, weight[said_a] if weight.size else 0.0, 0.0)
    percent = totals(pair, same * share, n_pairs)
    owner = places // n_classes
    one_class = totals(owner, by_a * by_b, n_pairs) > _ALL
    expected = totals(owner, agrees * by_a * by_b, n_pairs)
    room = np.where(one_class, 1.0, 1 - expected)
    kappa = (percent - expected) / room
    rest = (1 - kappa)[pair]
    spread = same - ((agrees * by_b)[of_first] + (agrees * by_a)[of_second]) * rest
    variance = totals(pair, share * spread**2, n_pairs)
    variance -= (kappa - expected * (1 - kappa)) ** 2
    se = np.sqrt(np.maximum(variance, 0.0) / shared) / room
    percent = np.minimum(percent, 1.0)
    return (
        _percent_figures(percent, shared),
        _kappa_figures(np.minimum(kappa, 1.0), se, shared, one_class),
    )


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
