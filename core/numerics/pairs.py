"""Every pair of annotators: percent agreement and Cohen's kappa from one pass over the pairs of answers.

The co-label tensor (answers of annotator a with class k beside answers of b with class l on one item) is counted
directly where it is small and by sorting where it is not, so thousands of annotators cost no more memory than
the pairs of answers they have.
"""

from dataclasses import dataclass

import numpy as np

from core.numerics.intervals import normal_interval, wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, KeyCounter, LabelTable, pairs_within

_MIN_ITEMS = 2


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
    """The cells, and for every pair of annotators with common items their codes and the number of items."""
    k, sizes = max(table.n_classes, 1), table.sizes
    annotator = table.by_item(table.annotator)
    answer = annotator * k + table.by_item(table.label)
    people = int(annotator.max(initial=-1)) + 1
    codes, answer = np.unique(answer, return_inverse=True) if people * k > len(table) else (None, answer)
    span = people * k if codes is None else codes.size
    counter = KeyCounter(span * span, int((sizes * (sizes - 1) // 2).sum()))
    for left, right in pairs_within(np.cumsum(sizes) - sizes, sizes):
        one, other = answer[left], answer[right]
        counter.add(np.minimum(one, other) * span + np.maximum(one, other))
    keys, count = counter.result()
    low, high = keys // max(span, 1), keys % max(span, 1)
    if codes is not None:
        low, high = codes[low], codes[high]
    a, b = low // k, high // k
    different = a != b  # one person's two answers to an item are no pair of annotators
    low, high, a, b, count = (column[different] for column in (low, high, a, b, count))
    pair_keys, pair = np.unique(a * people + b, return_inverse=True)
    shared = np.bincount(pair, weights=count, minlength=pair_keys.size)
    return _Cells(pair, low % k, high % k, count), pair_keys // max(people, 1), pair_keys % max(people, 1), shared


def _figures(
    cells: _Cells, shared: Floats, weight: Floats, n_classes: int
) -> tuple[list[Figure], list[Figure]]:
    """Percent agreement and kappa of every pair; variance after Fleiss, Cohen and Everitt (1969)."""
    n_pairs = shared.size
    pair, share = cells.pair, cells.count / shared[cells.pair]
    # Shares of a's and of b's answers in each class: only (pair, class) that occur have a place.
    stated = np.concatenate([pair * n_classes + cells.first, pair * n_classes + cells.second])
    places, place = np.unique(stated, return_inverse=True)
    of_first, of_second = place[: pair.size], place[pair.size :]
    by_a = np.bincount(of_first, weights=share, minlength=places.size)
    by_b = np.bincount(of_second, weights=share, minlength=places.size)
    agrees = weight[places % n_classes] if places.size else by_a

    same = np.where(cells.first == cells.second, weight[cells.first], 0.0)
    percent = np.bincount(pair, weights=same * share, minlength=n_pairs)
    expected = np.bincount(places // max(n_classes, 1), weights=agrees * by_a * by_b, minlength=n_pairs)
    defined = expected < 1 - 1e-12  # noqa: PLR2004 -- rounding of shares that add to one
    room = np.where(defined, 1 - expected, 1.0)
    kappa = (percent - expected) / room
    rest = (1 - kappa)[pair]
    spread = same - ((agrees * by_b)[of_first] + (agrees * by_a)[of_second]) * rest
    variance = np.bincount(pair, weights=share * spread**2, minlength=n_pairs)
    variance -= (kappa - expected * (1 - kappa)) ** 2
    se = np.sqrt(np.maximum(variance, 0.0) / shared) / room
    one_class = (np.bincount(pair, minlength=n_pairs) == 1) & (
        np.bincount(pair, weights=cells.first == cells.second, minlength=n_pairs) == 1
    )
    percent = np.minimum(percent, 1.0)
    return (
        _percent_figures(percent, shared),
        _kappa_figures(np.minimum(kappa, 1.0), se, shared, ~defined | one_class),
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
