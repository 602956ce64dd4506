"""Intraclass correlations of answers that are numbers, and their mean absolute difference.

Shrout and Fleiss (1979) name six: one-way (every item has labelers of its own), two-way random and two-way mixed
(all labelers answered all items; labelers drawn, or just these), each for one answer and for the mean of k.
Intervals by Fisher's F after McGraw and Wong (1996), for the two-way random ones by Satterthwaite's degrees of
freedom, as Shrout and Fleiss have it. The standard error is the interval's width over that of two normal ones.
"""

import sys

import numpy as np
from scipy.special import fdtri, ndtri

from core.numerics.coefficients import Observed
from core.numerics.intervals import LEVEL, t_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, LabelTable, Patterns, condense, pairs_within, totals

ONE_WAY = ("icc_1", "icc_1k")
TWO_WAY = ("icc_2", "icc_2k", "icc_3", "icc_3k")
NAMES = ("icc_1", "icc_2", "icc_3", "icc_1k", "icc_2k", "icc_3k")
_TAIL = 0.5 + LEVEL / 2
_MIN_ITEMS = 2
_NOTHING = 1e-14  # a mean square below this, numbers being within [-1, 1], is rounding


def intraclass(table: LabelTable) -> dict[str, Figure]:
    """The six intraclass correlations of the answers' values (`table.values` must be there), by NAMES.

    Items with one answer have no part. Where items have different numbers of answers the one-way ones take the
    analysis of variance with n0 in place of k, and the others are null (`not_crossed`), as they are unless
    everybody answered every item once.
    """
    if table.values is None:
        raise ValueError("intraclass correlations need values")
    answered = table.sizes[table.item] > 1
    item = condense(table.item[answered].astype(np.int64))[1]
    person = condense(table.annotator[answered].astype(np.int64))[1]
    x = _unit(table.values[table.label[answered]])
    sizes = np.bincount(item)
    n, pairs = int(sizes.size), int((sizes * (sizes - 1) // 2).sum())
    reason = Reason.NO_OVERLAP if n == 0 else Reason.TOO_FEW_ITEMS if n < _MIN_ITEMS else None
    if reason is None and np.ptp(x) == 0:
        reason = Reason.ONE_CLASS
    if reason is not None:
        return {name: Figure.missing(reason, n_items=n, n_pairs=pairs) for name in NAMES}
    x = x - x.mean()
    by_item = totals(item, x, n) / sizes
    within = float(((x - by_item[item]) ** 2).sum())
    rows = float(sizes @ by_item**2) / (n - 1)
    spread = within / (x.size - n)
    typical = (x.size - float((sizes**2).sum()) / x.size) / (n - 1)
    counts = n, pairs
    one_way = _consistent(rows, spread, typical, (n - 1, x.size - n), counts)
    found = dict(zip(ONE_WAY, one_way, strict=True))

    people = int(person.max()) + 1
    cells = np.unique(item * people + person).size
    if cells == x.size == n * people:
        by_person = totals(person, x, people) / n
        columns = n * float(by_person @ by_person) / (people - 1)
        residual = (within - (people - 1) * columns) / ((n - 1) * (people - 1))
        residual = max(residual, 0.0)
        absolute = _absolute(rows, columns, residual, people, counts)
        consistent = _consistent(rows, residual, people, (n - 1, (n - 1) * (people - 1)), counts)
        found |= dict(zip(TWO_WAY, absolute + consistent, strict=True))
    else:
        found |= dict.fromkeys(TWO_WAY, Figure.missing(Reason.NOT_CROSSED, n_items=n, n_pairs=pairs))
    return {name: found[name] for name in NAMES}


def mean_absolute_difference(patterns: Patterns, values: Floats, n_items: int) -> Figure:
    """Mean over items of the mean absolute difference of two people's numbers, in the unit of the numbers.

    The interval is cut at 0; `n_items`, the items with any answer, gives t its df, as for percent agreement.
    """
    p = patterns
    seen = Observed(p, np.ones(p.n_classes))
    if seen.n_used == 0:
        return seen.missing(Reason.NO_OVERLAP)
    apart = np.zeros(p.size.size)
    x = values[p.label] / 2  # halved, so that no difference overflows
    for left, right in pairs_within(np.arange(p.row.size), np.bincount(p.row, minlength=p.size.size)):
        share = p.count[left] * p.count[right] / (p.size[p.row[left]] * (p.size[p.row[left]] - 1.0) / 2)
        np.add.at(apart, p.row[left], share * np.abs(x[left] - x[right]))
    largest = float(apart.max()) or 1.0
    unit = apart / largest
    mean = float(p.multiplicity @ unit) / seen.n_used
    se = ends = None
    if seen.n_used >= _MIN_ITEMS:
        influence = seen.overlaps * unit * (n_items / seen.n_used)
        se = np.sqrt(float(p.multiplicity @ (influence - mean) ** 2) / (n_items * (n_items - 1)))
        ends = t_interval(mean, se, n_items - 1, lower=0.0, upper=np.inf)
    unit_size = 2 * largest
    return Figure.estimate(
        min(mean * unit_size, sys.float_info.max),
        se=None if se is None else float(se) * unit_size,
        ci=None if ends is None else (float(ends[0]) * unit_size, float(ends[1]) * unit_size),
        method=Method.LINEARISED,
        n_items=seen.n_used,
        n_pairs=seen.n_pairs,
    )


def _unit(x: Floats) -> Floats:
    """The numbers moved and shrunk into [-1, 1]: no correlation has a unit, and no square overflows."""
    if x.size == 0:
        return x
    low, high = x.min() / 2, x.max() / 2
    return (x / 2 - low) / (high - low) * 2 - 1 if high > low else np.zeros_like(x)


def _consistent(
    rows: float, rest: float, k: float, df: tuple[int, int], counts: tuple[int, int]
) -> tuple[Figure, Figure]:
    """One-way, and two-way mixed: (rows - rest) / (rows + (k - 1) rest), and for the mean of k."""
    n, pairs = counts
    none = Figure.missing(Reason.ITEMS_ALIKE, n_items=n, n_pairs=pairs)
    if rows <= _NOTHING and rest <= _NOTHING:
        return none, none
    single = (rows - rest) / (rows + (k - 1) * rest)
    if rows <= _NOTHING:
        return _figure(single, None, counts), none
    if rest <= _NOTHING:
        return _figure(1.0, None, counts), _figure(1.0, None, counts)
    ratio = rows / rest
    low = ratio / float(fdtri(df[0], df[1], _TAIL))
    high = ratio * float(fdtri(df[1], df[0], _TAIL))
    return (
        _figure(single, ((low - 1) / (low + k - 1), (high - 1) / (high + k - 1)), counts),
        _figure(1 - 1 / ratio, (1 - 1 / low, 1 - 1 / high), counts),
    )


def _absolute(
    rows: float, columns: float, rest: float, k: int, counts: tuple[int, int]
) -> tuple[Figure, Figure]:
    """Two-way random, absolute agreement."""
    n, pairs = counts
    between = k * (columns - rest) / n
    whole, room = rows + (k - 1) * rest + between, rows + between / k
    none = Figure.missing(Reason.ITEMS_ALIKE, n_items=n, n_pairs=pairs)
    if whole <= _NOTHING:
        return none, none
    single = (rows - rest) / whole
    ends = None
    if rest > _NOTHING and rows > _NOTHING:
        f = columns / rest
        mixed = n * (1 + (k - 1) * single) - k * single
        df = (k - 1) * (n - 1) * (k * single * f + mixed) ** 2
        df /= (n - 1) * (k * single * f) ** 2 + mixed**2
        common = k * columns + (k * n - k - n) * rest
        above, below = float(fdtri(n - 1, df, _TAIL)), float(fdtri(df, n - 1, _TAIL))
        rooms = above * common + n * rows, common + n * below * rows
        if min(rooms) > _NOTHING:
            ends = n * (rows - above * rest) / rooms[0], n * (below * rows - rest) / rooms[1]
    first = _figure(single, ends, counts)
    if room <= _NOTHING:
        return first, none
    stepped = None
    if (
        ends is not None and 1 + (k - 1) * ends[0] > _NOTHING
    ):  # Spearman and Brown's step from one answer to k
        stepped = k * ends[0] / (1 + (k - 1) * ends[0]), k * ends[1] / (1 + (k - 1) * ends[1])
    return first, _figure((rows - rest) / room, stepped, counts)


def _figure(value: float, ends: tuple[float, float] | None, counts: tuple[int, int]) -> Figure:
    se = None if ends is None else (ends[1] - ends[0]) / (2 * float(ndtri(_TAIL)))
    n, pairs = counts
    return Figure.estimate(
        min(value, 1.0), se=se, ci=ends, method=Method.VARIANCE_RATIO, n_items=n, n_pairs=pairs
    )
