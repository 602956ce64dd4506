"""Every pair of annotators: percent agreement and Cohen's kappa from one pass over the pairs of answers.

The co-label tensor (answers of annotator a with class k beside answers of b with class l on one item) is counted
directly where it is small and by sorting where it is not, so thousands of annotators cost no more memory than
the pairs of answers they have.
"""

from dataclasses import dataclass

import numpy as np

from core.numerics.intervals import normal_interval, wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, KeyCounter, LabelTable, condense, pairs_within

_MIN_ITEMS = 2
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
    """Non-empty cells of the tables of pairs: `count` items where a said `first` and b said `second`."""

    pair: Ints
    first: Ints
    second: Ints
    count: Floats


def pair_agreements(table: LabelTable, weight: Floats, max_pairs: int) -> tuple[list[PairAgreement], int]:
    """The pairs of annotators who share most items, at most `max_pairs`, and how many more there were.

    `weight[k]` is 1 where two answers of class k agree, else 0. Pairs are ordered by annotator codes.
    """
    cells, a, b, shared = _co_labels(table)
    if a.size > max_pairs:
        chosen = np.sort(np.lexsort((b, a, -shared))[:max_pairs])
        place = np.full(a.size, -1, dtype=np.intp)
        place[chosen] = np.arange(chosen.size)
        kept = place[cells.pair] >= 0
        cells = _Cells(place[cells.pair[kept]], cells.first[kept], cells.second[kept], cells.count[kept])
        cut, a, b, shared = a.size - chosen.size, a[chosen], b[chosen], shared[chosen]
    else:
        cut = 0
    percents, kappas = _figures(cells, shared, weight, table.n_classes)
    return [
        PairAgreement(int(a[i]), int(b[i]), int(shared[i]), percents[i], kappas[i]) for i in range(a.size)
    ], cut


def _co_labels(table: LabelTable) -> tuple[_Cells, Ints, Ints, Floats]:
    """The cells, and for every pair of annotators with common items their codes and the number of items.

    The two orders in which two people stand in the rows give two cells for one: all sums over cells stay right.
    """
    k, sizes = max(table.n_classes, 1), table.sizes
    people = int(table.annotator.max(initial=0)) + 1
    answer = table.by_item(table.annotator * k + table.label)
    codes = np.arange(people * k) if people * k <= len(table) else None
    if codes is None:
        codes, answer = condense(answer)
    span = codes.size
    counter = KeyCounter(span * span, int((sizes * (sizes - 1) // 2).sum()))
    for left, right in pairs_within(answer, sizes):
        left *= span
        left += right
        counter.add(left)
    keys, count = counter.result()
    one, other = codes[keys // max(span, 1)], codes[keys % max(span, 1)]
    different = one // k != other // k  # one person's two answers to an item are no pair of annotators
    low, high, count = np.minimum(one, other)[different], np.maximum(one, other)[different], count[different]
    pair_keys, pair = condense(low // k * people + high // k)
    shared = np.bincount(pair, weights=count, minlength=pair_keys.size)
    return _Cells(pair, low % k, high % k, count), pair_keys // people, pair_keys % people, shared


def _figures(
    cells: _Cells, shared: Floats, weight: Floats, n_classes: int
) -> tuple[list[Figure], list[Figure]]:
    """Percent agreement and kappa of every pair; variance after Fleiss, Cohen and Everitt (1969)."""
    n_pairs = shared.size
    pair, share = cells.pair, cells.count / shared[cells.pair]
    # Shares of a's and of b's answers in each class: only (pair, class) that occur have a place.
    stated = np.concatenate([pair * n_classes + cells.first, pair * n_classes + cells.second])
    places, place = condense(stated)
    of_first, of_second = place[: pair.size], place[pair.size :]
    by_a = np.bincount(of_first, weights=share, minlength=places.size)
    by_b = np.bincount(of_second, weights=share, minlength=places.size)
    agrees = weight[places % n_classes] if places.size else by_a

    same = np.where(cells.first == cells.second, weight[cells.first], 0.0)
    percent = np.bincount(pair, weights=same * share, minlength=n_pairs)
    owner = places // max(n_classes, 1)
    one_class = np.bincount(owner, weights=by_a * by_b, minlength=n_pairs) > _ALL
    expected = np.bincount(owner, weights=agrees * by_a * by_b, minlength=n_pairs)
    room = np.where(one_class, 1.0, 1 - expected)
    kappa = (percent - expected) / room
    rest = (1 - kappa)[pair]
    spread = same - ((agrees * by_b)[of_first] + (agrees * by_a)[of_second]) * rest
    variance = np.bincount(pair, weights=share * spread**2, minlength=n_pairs)
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
