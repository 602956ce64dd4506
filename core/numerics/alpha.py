"""Krippendorff's alpha for nominal, ordinal, interval and ratio answers, with a linearised standard error.

alpha = 1 - (N - 1) A / B over the N answers on items with two or more, where A sums the distances of all ordered
pairs within items, each item divided by its number of answers less one, and B sums them over all ordered pairs.
Interval and ordinal distances (ordinal ones are squared differences of mid-ranks) go by moments, ratio ones by
a separable form: nothing of size values x values is ever made. See docs/statistics.md.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.numerics.intervals import skewed_interval, skewness, t_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, Patterns, pairs_within

_MIN_ITEMS = 2
_EXACT_UP_TO = 512
_BOX_NODES = 14  # on boxes one wide in log space the interpolation of tanh² is exact to rounding


class Level(StrEnum):
    """Level of measurement of the answers."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


@dataclass(frozen=True, eq=False)
class Scale:
    """How far classes lie apart.

    `value` is a number per class. Classes with `unranked` true have none: they lie as far from every other class
    as the two furthest values in use. `weight` is 1 where two answers of the class agree, else 0 (only unranked
    classes can have 0 beyond the nominal level).
    """

    level: Level
    value: Floats
    unranked: Bools
    weight: Floats


@dataclass(frozen=True, eq=False)
class Distances:
    """Sums of distances: A per pattern, B in all, and what one more item of a pattern changes in A and in B."""

    within: Floats
    between: float
    within_change: Floats
    between_change: Floats


def krippendorff_alpha(patterns: Patterns, scale: Scale, n_items: int) -> Figure:
    """Alpha over the items with two answers or more; `n_items`, the items with any answer, gives t its df.

    Items with a single answer are ignored, as Krippendorff (2011) has it; irrCAC's R code still counts them
    in the degrees of freedom, and so does this.
    """
    p = patterns.overlapping()
    n = p.n_items
    pairs = int(p.multiplicity @ (p.size * (p.size - 1) // 2))
    if n < _MIN_ITEMS:
        return Figure.missing(Reason.TOO_FEW_ITEMS if n else Reason.NO_OVERLAP, n_items=n, n_pairs=pairs)
    used = np.flatnonzero(np.bincount(p.label, minlength=p.n_classes))
    places = int(used.size)
    if scale.level is not Level.NOMINAL:
        numbers = np.unique(scale.value[used[~scale.unranked[used]]])
        places = int(numbers.size + np.count_nonzero(scale.unranked[used]))
        if scale.level is Level.RATIO and (numbers < 0).any():
            return Figure.missing(Reason.NEGATIVE_VALUES, n_items=n, n_pairs=pairs)
    d = _nominal(p, scale.weight) if scale.level is Level.NOMINAL else _metric(p, scale)
    if places == 1:
        return Figure.missing(Reason.ONE_CLASS, n_items=n, n_pairs=pairs)
    return alpha_of(p, d, n_items)


def alpha_of(p: Patterns, d: Distances, n_items: int) -> Figure:
    """Alpha from its sums of distances over the patterns `p`, all of two answers or more and two items at least."""
    n, pairs = p.n_items, int(p.multiplicity @ (p.size * (p.size - 1) // 2))
    if d.between <= 0:
        return Figure.missing(Reason.ONE_CLASS, n_items=n, n_pairs=pairs)
    answers = float(p.multiplicity @ p.size)
    ratio = float(p.multiplicity @ d.within) / d.between
    influence = -(p.size * ratio + answers * d.within_change / d.between)
    influence += answers * ratio * d.between_change / d.between
    value = min(1 - (answers - 1) * ratio, 1.0)
    se = np.sqrt(n / (n - 1) * float(p.multiplicity @ influence**2))
    ci = skewed_interval(value, se, skewness(influence, p.multiplicity), n_items - 1)
    return Figure.estimate(value, se=se, ci=ci, method=Method.SKEWNESS, n_items=n, n_pairs=pairs)


def binary_alphas(patterns: Patterns, alone: Bools, n_items: int) -> list[Figure]:
    """Nominal alpha of each class against the rest, one figure per class code.

    Answers of the classes in `alone` agree with nothing in the rest, not even with each other; where such a
    class is itself the one in question it is taken as any other.
    """
    p = patterns.overlapping()
    if p.n_items < _MIN_ITEMS:
        empty = krippendorff_alpha(p, nominal_scale(p.n_classes), n_items)
        return [empty] * p.n_classes
    variances, values = _binary(p, alone)
    if alone.any():
        plain_variances, plain_values = _binary(p, np.zeros_like(alone))
        variances, values = np.where(alone, plain_variances, variances), np.where(alone, plain_values, values)
    n, pairs = p.n_items, int(p.multiplicity @ (p.size * (p.size - 1) // 2))
    se = np.sqrt(variances)
    lower, upper = t_interval(values, se, n_items - 1)
    return [
        Figure.missing(Reason.ONE_CLASS, n_items=n, n_pairs=pairs)
        if np.isnan(values[k])
        else Figure.estimate(
            values[k], se=se[k], ci=(lower[k], upper[k]), method=Method.LINEARISED, n_items=n, n_pairs=pairs
        )
        for k in range(p.n_classes)
    ]


def nominal_scale(n_classes: int) -> Scale:
    """Classes without order, all of which agree with themselves."""
    return Scale(Level.NOMINAL, np.zeros(n_classes), np.zeros(n_classes, dtype=np.bool_), np.ones(n_classes))


def _nominal(p: Patterns, weight: Floats) -> Distances:
    agrees = weight[p.label]
    totals = p.per_class(p.multiplicity[p.row] * p.count)
    n = float(totals.sum())
    pairs = p.size * (p.size - 1.0)
    within = (pairs - p.per_row(agrees * p.count * (p.count - 1))) / (p.size - 1)
    between = n * (n - 1) - float(weight @ (totals * (totals - 1)))
    change = p.size * (2 * n - 1) - p.per_row(agrees * p.count * (2 * totals[p.label] - 1))
    return Distances(within, between, within, change)


def _metric(p: Patterns, scale: Scale) -> Distances:
    """Distances between numbers, and the furthest of them between anything and an unranked class."""
    ranked = ~scale.unranked[p.label]
    totals = p.per_class(p.multiplicity[p.row] * p.count * ranked)
    if scale.level is Level.RATIO:
        numbers, furthest = _ratio(p, ranked, scale.value, totals)
        furthest_change = np.zeros(p.n_classes)
    else:
        numbers, furthest, furthest_change = _squared(p, ranked, scale, totals)
    if not scale.unranked.any():
        return numbers
    furthest = furthest or 1.0  # with one number in use any distance will do: alpha has no unit
    # Pairs with an unranked answer are counted as at the nominal level, ranked answers being one class.
    code = np.where(scale.unranked, np.arange(p.n_classes) + 1, 0)
    weight = np.concatenate([[1.0], scale.weight])
    others = _nominal(p.recoded(code, p.n_classes + 1), weight)
    apart = float(p.multiplicity @ others.within)
    stretch = p.per_row(p.count * ranked * furthest_change[p.label])
    return Distances(
        numbers.within + furthest * others.within,
        numbers.between + furthest * others.between,
        numbers.within_change + furthest * others.within_change + apart * stretch,
        numbers.between_change + furthest * others.between_change + others.between * stretch,
    )


def _squared(p: Patterns, ranked: Bools, scale: Scale, totals: Floats) -> tuple[Distances, float, Floats]:
    """Squared differences; also the furthest in use and how it changes with one more answer of a class."""
    ordinal = scale.level is Level.ORDINAL
    order, place = np.unique(scale.value, return_inverse=True)
    at_place = np.bincount(place, weights=totals, minlength=order.size)
    position = (np.cumsum(at_place) - at_place / 2)[place] if ordinal else _unit(scale.value, totals)
    n = float(totals.sum())
    position = position - (float(totals @ position) / n if n else 0.0)
    count = p.count * ranked
    x = position[p.label]
    size, first, second = p.per_row(count), p.per_row(count * x), p.per_row(count * x * x)
    mean = first / np.maximum(size, 1.0)
    share = 1.0 / (p.size - 1)
    within = 2 * share * size * p.per_row(count * (x - mean[p.row]) ** 2)
    # Positions are centred, so their sum over all answers is zero.
    all_second = float(totals @ position**2)
    between = 2 * n * all_second
    between_change = 2 * (n * second + size * all_second)
    used = np.flatnonzero(totals)
    reach = float(np.ptp(position[used])) if used.size else 0.0
    reach_change = np.zeros(p.n_classes)
    within_change = within
    if ordinal and used.size:
        # Mid-ranks move with every answer: by one for the ranks above it, by a half for its own.
        pull = share * p.multiplicity * 4
        within_pull = p.per_class(count * (pull * size)[p.row]) * position
        within_pull -= p.per_class(count * (pull * first)[p.row])
        between_pull = 4 * totals * n * position
        moved = p.per_row(count * _through_ranks(within_pull, place)[p.label])
        within_change = within + moved
        between_change = between_change + p.per_row(count * _through_ranks(between_pull, place)[p.label])
        ends = 0.5 * (place == place[used].min()) + 0.5 * (place == place[used].max())
        reach_change = 2 * reach * (1 - ends)
    return Distances(within, between, within_change, between_change), reach**2, reach_change


def _unit(values: Floats, totals: Floats) -> Floats:
    """The values in use shifted and shrunk into [-1, 1], so that no square overflows; alpha stays the same."""
    used = totals > 0
    if not used.any():
        return np.zeros_like(values)
    largest = float(np.abs(values[used]).max()) or 1.0
    unit = np.where(used, values, 0.0) / largest
    unit = np.where(used, unit - unit[used].mean(), 0.0)
    return unit / (float(np.abs(unit).max()) or 1.0)


def _through_ranks(pull: Floats, place: Ints) -> Floats:
    """From a derivative by each mid-rank to one by the number of answers of each class."""
    at_place = np.bincount(place, weights=pull)
    by_place: Floats = at_place.sum() - np.cumsum(at_place) + at_place / 2
    return by_place[place]


def _ratio(p: Patterns, ranked: Bools, values: Floats, totals: Floats) -> tuple[Distances, float]:
    """Distances ((a - b) / (a + b))² of numbers from zero up, and the furthest in use."""
    used = totals > 0
    largest = float(values[used].max(initial=0.0)) or 1.0
    scaled = np.where(used, values, 0.0) / largest
    towards = ratio_distances(scaled, totals)
    within = np.zeros(p.size.size)
    entries = np.flatnonzero(ranked)
    x, count, row = scaled[p.label[entries]], p.count[entries], p.row[entries]
    sizes = np.bincount(row, minlength=p.size.size)
    for left, right in pairs_within(np.arange(row.size), sizes):
        summed = x[left] + x[right]
        distance = ((x[left] - x[right]) / np.where(summed > 0, summed, 1.0)) ** 2
        within += np.bincount(
            row[left], weights=2 * count[left] * count[right] * distance, minlength=p.size.size
        )
    within /= p.size - 1
    between = float(totals @ towards)
    between_change = 2 * p.per_row(p.count * ranked * towards[p.label])
    low = float(scaled[used].min(initial=1.0))
    furthest = ((1.0 - low) / (1.0 + low)) ** 2
    return Distances(within, between, within, between_change), furthest


def ratio_distances(values: Floats, counts: Floats) -> Floats:
    """For every value a >= 0, the sum over all values b of counts * ((a - b) / (a + b))².

    In x = log a the distance is tanh²((x - y) / 2), smooth everywhere. Beyond a few hundred values the counts are
    therefore moved to Chebyshev nodes of boxes one wide, summed there and interpolated back: time grows with
    the number of values, not with its square, and the error stays at rounding.
    """
    sums = np.zeros(values.size)
    positive = np.flatnonzero((values > 0) & (counts > 0))
    zeros = float(counts[values == 0].sum())
    sums[values == 0] = counts[positive].sum()
    if positive.size == 0:
        return sums
    x, weight = np.log(values[positive]), counts[positive]
    if x.size <= _EXACT_UP_TO:
        sums[positive] = zeros + np.tanh((x[:, None] - x) / 2) ** 2 @ weight
        return sums
    box, own = np.unique(np.floor(x), return_inverse=True)
    angle = (2 * np.arange(_BOX_NODES) + 1) * np.pi / (2 * _BOX_NODES)
    nodes = (box[:, None] + 0.5 + 0.5 * np.cos(angle)).ravel()
    basis = _chebyshev_basis(2 * (x - box[own]) - 1, angle)
    slots = own[:, None] * _BOX_NODES + np.arange(_BOX_NODES)
    at_nodes = np.bincount(slots.ravel(), weights=(basis * weight[:, None]).ravel(), minlength=nodes.size)
    felt = np.concatenate(
        [np.tanh((part[:, None] - nodes) / 2) ** 2 @ at_nodes for part in nodes.reshape(box.size, _BOX_NODES)]
    )
    sums[positive] = zeros + np.maximum((basis * felt[slots]).sum(axis=1), 0.0)
    return sums


def _chebyshev_basis(t: Floats, angle: Floats) -> Floats:
    """Values at t in [-1, 1] of the polynomials that are 1 at one Chebyshev node and 0 at the others."""
    degree = np.arange(angle.size)
    scale = np.where(degree == 0, 1.0, 2.0) / angle.size
    at_nodes = np.cos(degree[:, None] * angle)  # degree x node
    at_t = np.cos(np.arccos(np.clip(t, -1.0, 1.0))[:, None] * degree)
    return at_t @ (scale[:, None] * at_nodes)


def _binary(p: Patterns, alone: Bools) -> tuple[Floats, Floats]:
    """Variance and value of every class's binary alpha; NaN where only one side was used.

    Influences of patterns without the class are a combination of three columns, so that their sum of squares
    comes from the columns' moments, and only entries of the class are looked at one by one.
    """
    size = p.size.astype(np.float64)
    singles = p.per_row(p.count * alone[p.label])
    totals = p.per_class(p.multiplicity[p.row] * p.count)
    n = float(totals.sum())
    rest = n - totals - float(totals[alone].sum())
    between = n * (n - 1) - totals * (totals - 1) - rest * (rest - 1)
    defined = (totals > 0) & (totals < n) & (between > 0)
    b = np.where(defined, between, 1.0)

    others = size - singles
    without = (size * (size - 1) - others * (others - 1)) / (size - 1)
    r = p.row
    c, m = p.count.astype(np.float64), p.multiplicity[r]
    left = others[r] - c
    within = (size[r] * (size[r] - 1) - c * (c - 1) - left * (left - 1)) / (size[r] - 1)
    a = float(p.multiplicity @ without) + p.per_class(m * (within - without[r]))
    values = np.where(defined, 1 - (n - 1) * a / b, np.nan)

    columns = np.stack([size, without, singles])
    moments = (columns * p.multiplicity) @ columns.T
    factor = np.stack(
        [
            -a / b + n * a * (2 * n - 2 * rest) / b**2,
            -n / b,
            n * a * (2 * rest - 1) / b**2,
        ]
    )
    squares = np.einsum("ik,ij,jk->k", factor, moments, factor)
    k = p.label
    plain = (factor[:, k] * columns[:, r]).sum(axis=0)
    change = size[r] * (2 * n - 1) - c * (2 * totals[k] - 1) - left * (2 * rest[k] - 1)
    own = -(size[r] * a[k] + n * within) / b[k] + n * a[k] * change / b[k] ** 2
    squares += p.per_class(m * (own**2 - plain**2))
    return np.maximum(squares, 0.0) * p.n_items / (p.n_items - 1), values
