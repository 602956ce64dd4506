"""Whether agreement changed: before against after, on the same items or on two sets of items, with a test.

A measure is a function of how often each answer pattern occurs. Its standard error is the jackknife's over items
(Tukey 1958; Efron and Stein 1981): every pattern once with one item less (numerics.jackknife). For a difference on the
same items the patterns are pairs (before, after), so that what an item does to both sides stays together: a pair left
out is its one pattern left out before and the other after. Intervals are Student's. Those of single figures are moved
towards the longer tail of the items' influences as elsewhere; that of a difference on the same items is not, as the
move would tell a change by one item, and has Satterthwaite's degrees of freedom for such influences (Biometrics 2,
1946): few where few items changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, isfinite

import numpy as np
from scipy.special import stdtr

from core.numerics import jackknife
from core.numerics.alpha import Scale, nominal_scale
from core.numerics.changes import Change, change
from core.numerics.intervals import skewed_interval, skewness, t_interval
from core.numerics.jackknife import Measured
from core.numerics.results import PRECISION, Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, LabelTable, Patterns, find_patterns

MARGIN = PRECISION  # a difference within this is none to speak of
SURE = 0.05  # p below which a difference is told
_PAIR = 2
_EVEN = 1e-6  # excess of a kurtosis over its least, 1

Measure = Callable[[Patterns], Measured]  # of patterns of two answers or more


class Outcome(StrEnum):
    """What a comparison says."""

    ROSE = "rose"
    FELL = "fell"
    SAME = "same"  # the interval lies within the margin
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Compared:
    """Before, after and their difference; `more_items` are about as many as would decide, None where nobody can say."""

    before: Figure
    after: Figure
    difference: Figure
    p: float | None
    outcome: Outcome
    more_items: int | None


def alpha(scale: Scale) -> Measure:
    """Krippendorff's alpha."""

    def of(patterns: Patterns) -> Measured:
        return jackknife.alpha(patterns, scale)

    return of


def percent(patterns: Patterns) -> Measured:
    """The mean over items of the share of pairs of answers that are the same."""
    same = patterns.per_row(patterns.count * (patterns.count - 1)) / (patterns.size * (patterns.size - 1))
    return jackknife.share(patterns, same, np.ones(same.size))


def alpha_of_classes(classes: Bools) -> Measure:
    """Nominal alpha of the classes where `classes` is true against each other and all others as one.

    For one class it is the alpha of that class against the rest.
    """
    code = np.where(classes, np.cumsum(classes), 0).astype(np.intp)
    n = int(classes.sum()) + 1

    def of(patterns: Patterns) -> Measured:
        return jackknife.alpha(patterns.recoded(code, n), nominal_scale(n))

    return of


def specific_agreement(classes: Bools) -> Measure:
    """When one said one of these classes, how often the other said the same: pooled over pairs, each item as one.

    2 Σ agreeing pairs / (2 Σ agreeing pairs + Σ pairs with one such answer), an item's pairs divided by its answers less
    one, as in the specific agreement of the agreement report (Cicchetti and Feinstein 1990).
    """

    def of(patterns: Patterns) -> Measured:
        of_class = classes[patterns.label] * patterns.count
        agreeing = patterns.per_row(of_class * (patterns.count - 1)) / (patterns.size - 1)
        return jackknife.share(patterns, agreeing, patterns.per_row(of_class))

    return of


def figure(table: LabelTable, measure: Measure) -> Figure:
    """A measure of the answers with its interval over items."""
    patterns = find_patterns(table).patterns.overlapping()
    if patterns.n_items == 0:
        return Figure.missing(Reason.NO_OVERLAP)
    return _figure(patterns, _spread(measure(patterns), patterns.multiplicity))


def compare_pairs(
    before: LabelTable, after: LabelTable, of_before: Measure, of_after: Measure | None = None
) -> Compared:
    """The change on the items (equal codes in both tables) that have two answers or more on both sides.

    `of_after` measures the other side where it is read otherwise, as after a merger.
    """
    both = _overlapping(before)[: after.sizes.size] & _overlapping(after)[: before.sizes.size]
    items = np.flatnonzero(both)
    sides = [find_patterns(table.keep(np.isin(table.item, items))) for table in (before, after)]
    measures = (of_before, of_after or of_before)
    if items.size == 0:
        none = Figure.missing(Reason.NO_OVERLAP)
        return _decided(none, none, Change(none, None), 0.0)
    n_second = sides[1].patterns.size.size
    joint, times = np.unique(sides[0].of_item[items] * n_second + sides[1].of_item[items], return_counts=True)
    of_first, of_second = joint // n_second, joint % n_second
    found = [measure(side.patterns) for measure, side in zip(measures, sides, strict=True)]
    figures = [
        _figure(side.patterns, _spread(one, side.patterns.multiplicity))
        for side, one in zip(sides, found, strict=True)
    ]
    first, second = found

    def without() -> Floats:
        lost: Floats = second.without[of_second] - first.without[of_first]
        return lost

    difference = _spread(Measured(second.value - first.value, without), times)
    return _decided(figures[0], figures[1], _paired_change(figures, difference, items.size), 0.0)


def compare_sets(before: Figure, after: Figure) -> Compared:
    """The change from one set of items to another: the two are independent (see changes.change)."""
    return _decided(before, after, change(before, after), before.se or 0.0)


def _overlapping(table: LabelTable) -> Bools:
    """By item code, whether it has two answers or more."""
    found: Bools = table.sizes >= _PAIR
    return found


@dataclass(frozen=True, slots=True)
class _Spread:
    """An estimate over n items with what is known of its sampling; se is None where it is not known."""

    value: float
    se: float | None
    skewness: float
    df: float  # of the variance
    n: int
    reason: Reason = Reason.ONE_CLASS  # why there is no value


def _spread(found: Measured, multiplicity: Ints) -> _Spread:
    n = int(multiplicity.sum())
    if n < _PAIR or not isfinite(found.value):
        return _Spread(found.value, None, 0.0, n - 1, n, found.reason)
    without = found.without
    if not np.isfinite(without).all():
        return _Spread(found.value, None, 0.0, n - 1, n)
    influence = (n - 1) * (float(multiplicity @ without) / n - without)
    se = float(np.sqrt(multiplicity @ influence**2 / (n * (n - 1))))
    return _Spread(found.value, se, skewness(influence, multiplicity), _df(influence, multiplicity), n)


def _df(influence: Floats, multiplicity: Ints) -> float:
    """Degrees of freedom of the influences' variance, 2 n / (kurtosis - 1) and at most n - 1.

    Where all of n items but m stay as they were, and these change by as much, the kurtosis is about n / m.
    """
    n = int(multiplicity.sum())
    largest = float(np.abs(influence).max(initial=0.0))
    if largest == 0:
        return n - 1
    unit = influence / largest  # so that no power of it underflows
    kurtosis = n * float(multiplicity @ unit**4) / float(multiplicity @ unit**2) ** 2
    return min(n - 1, 2 * n / max(kurtosis - 1, _EVEN))


def _figure(patterns: Patterns, found: _Spread) -> Figure:
    n, pairs = patterns.n_items, int(patterns.multiplicity @ (patterns.size * (patterns.size - 1) // 2))
    if not isfinite(found.value):
        return Figure.missing(found.reason if n >= _PAIR else Reason.TOO_FEW_ITEMS, n_items=n, n_pairs=pairs)
    ci = None if not found.se else skewed_interval(found.value, found.se, found.skewness, found.n - 1)
    ends = None if ci is None else (float(ci[0]), float(ci[1]))
    return Figure.estimate(
        found.value, se=found.se, ci=ends, method=Method.SKEWNESS, n_items=n, n_pairs=pairs
    )


def _paired_change(figures: list[Figure], found: _Spread, n_items: int) -> Change:
    n_pairs = sum(one.n_pairs for one in figures)
    if not isfinite(found.value):
        reason = figures[0].reason or figures[1].reason or Reason.NO_OVERLAP
        return Change(Figure.missing(reason, n_items=n_items, n_pairs=n_pairs), None)
    if not found.se:
        return Change(Figure.estimate(found.value, n_items=n_items, n_pairs=n_pairs), None)
    low, high = t_interval(found.value, found.se, found.df, upper=np.inf)
    told = Figure.estimate(
        found.value,
        se=found.se,
        ci=(float(low), float(high)),
        method=Method.PAIRED_ITEMS,
        n_items=n_items,
        n_pairs=n_pairs,
    )
    return Change(told, min(1.0, 2 * float(stdtr(found.df, -abs(found.value) / found.se))))


def _decided(before: Figure, after: Figure, found: Change, fixed: float) -> Compared:
    """What a change says; `fixed` is the standard error of the side that gets no more items."""
    difference = found.difference
    if difference.value is None or difference.ci is None or difference.se is None:
        return Compared(before, after, difference, found.p, Outcome.CANNOT_TELL, None)
    low, high = difference.ci
    if low > 0:
        outcome = Outcome.ROSE
    elif high < 0:
        outcome = Outcome.FELL
    elif low > -MARGIN and high < MARGIN:
        outcome = Outcome.SAME
    else:
        outcome = Outcome.CANNOT_TELL
    more = _more_items(difference, after, fixed) if outcome is Outcome.CANNOT_TELL else 0
    return Compared(before, after, difference, found.p, outcome, more)


def _more_items(difference: Figure, after: Figure, fixed: float) -> int | None:
    """Items until the interval, shrinking with their root, leaves 0 or lies within the margin, should the difference stay.

    On the same items each comes on both sides; of two sets only the second grows, and may not be enough.
    """
    if difference.value is None or difference.ci is None or not difference.se:
        return None
    size = abs(difference.value)
    half = (difference.ci[1] - difference.ci[0]) / 2
    aim = max(size, MARGIN - size)
    quantile = half / difference.se
    left = (aim / quantile) ** 2 - fixed**2
    moving = difference.se**2 - fixed**2
    n = after.n_items if fixed else difference.n_items
    if left <= 0 or moving <= 0:
        return None
    return max(1, ceil(n * (moving / left - 1)))
