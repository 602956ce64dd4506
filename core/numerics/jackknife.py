"""A measure of counted answer patterns, of all items and with any one of them left out, in time that grows with the answers.

Leaving out an item takes its own part off sums that are known for all items, so that every pattern costs as much as
it has answers. What an item takes off is subtracted; where that is a large part of the whole, the digits of the rest
would be lost, and the measure is evaluated without the item instead. There are few such items: their parts add up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from core.numerics import partners
from core.numerics.alpha import Level, Scale, ratio_distances
from core.numerics.bootstrap import Evaluate, evaluators
from core.numerics.results import Reason
from core.numerics.table import Bools, Floats, Ints, Patterns, pairs_within
from core.numerics.table import totals as summed

_CELLS = 1 << 21  # numbers held at once
_LARGE = (
    1 / 8
)  # of the sum between answers: who takes off more is left out by evaluation, at most some 32 patterns
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class Measured:
    """A measure of all items, NaN where it has no value (`reason`: why), and what makes `without`."""

    value: float
    leave_out: Callable[[], Floats]
    reason: Reason = Reason.ONE_CLASS

    @cached_property
    def without(self) -> Floats:
        """Per pattern the measure with one of its items less, NaN where that has no value."""
        return self.leave_out()


def share(patterns: Patterns, above: Floats, below: Floats) -> Measured:
    """The sum of `above` over items divided by that of `below`, both given per pattern; no value where `below` is 0."""
    whole_above, whole_below = (float(patterns.multiplicity @ part) for part in (above, below))

    def without() -> Floats:
        return _ratio(whole_above - above, whole_below - below)

    return Measured(float(_ratio(np.array(whole_above), np.array(whole_below))), without)


def alpha(patterns: Patterns, scale: Scale) -> Measured:
    """Krippendorff's alpha of patterns of two answers or more each; an ordinal scale has few classes."""
    in_use = partners.ranked_classes(scale)[patterns.label]
    if scale.level is Level.RATIO and (scale.value[patterns.label[in_use]] < 0).any():
        return Measured(np.nan, lambda: np.full(patterns.size.size, np.nan), Reason.NEGATIVE_VALUES)
    name = "krippendorff_alpha"
    evaluate = evaluators(patterns, [name], scale=scale, weight=scale.weight, n_permitted=scale.value.size)[
        name
    ]

    def without() -> Floats:
        values, large = _alpha_without(patterns, scale)
        return _evaluated(values, large, evaluate, patterns)

    return Measured(float(evaluate(patterns.multiplicity[None, :].astype(np.float64))[0]), without)


def _ratio(above: Floats, below: Floats) -> Floats:
    known = below > _NOTHING
    return np.where(known, above / np.where(known, below, 1.0), np.nan)


def _evaluated(values: Floats, large: Ints, evaluate: Evaluate, p: Patterns) -> Floats:
    """The values with those of some patterns evaluated."""
    values, whole = values.copy(), p.multiplicity.astype(np.float64)
    step = max(1, _CELLS // max(whole.size, p.n_classes))
    for begin in range(0, large.size, step):
        rows = large[begin : begin + step]
        draws = np.repeat(whole[None, :], rows.size, axis=0)
        draws[np.arange(rows.size), rows] -= 1
        values[rows] = evaluate(draws)
    return values


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Sums of distances between numbers: within items and in all, and the furthest, per pattern that is left out.

    `whole` is the sum in all with nothing left out.
    """

    within: Floats
    between: Floats
    whole: float
    furthest: Floats


def _alpha_without(p: Patterns, scale: Scale) -> tuple[Floats, Ints]:
    """Alpha with one item of each pattern left out, and the patterns for which that has to be evaluated."""
    ranked = partners.ranked_classes(scale)
    alike = np.where(ranked, 0.0, partners.agree_alike(scale))
    totals = p.per_class(p.multiplicity[p.row] * p.count)
    of_ranked = p.per_row(p.count * ranked[p.label])
    answers, n_ranked = totals.sum() - p.size, totals[ranked].sum() - of_ranked
    apart = p.per_row(p.count * partners.apart(p, scale))
    within = p.multiplicity @ apart - apart
    agreeing = alike @ (totals * (totals - 1)) - p.per_row(
        alike[p.label] * p.count * (2 * totals[p.label] - p.count - 1)
    )
    between = answers * (answers - 1) - n_ranked * (n_ranked - 1) - agreeing
    large = np.zeros(p.size.size, dtype=np.bool_)
    if ranked.any():
        numbers = _numbers(p, scale, ranked, totals)
        large = numbers.between < (1 - _LARGE) * numbers.whole
        if ranked.all():
            within, between = numbers.within, numbers.between
        else:
            furthest = np.where(numbers.furthest > 0, numbers.furthest, 1.0)
            within, between = numbers.within + furthest * within, numbers.between + furthest * between
            large |= _moves_an_end(p, scale, ranked, totals)
    return 1 - _ratio((answers - 1) * within, np.maximum(between, 0.0)), np.flatnonzero(large)


def _moves_an_end(p: Patterns, scale: Scale, ranked: Bools, totals: Floats) -> Bools:
    """The patterns without which the lowest or the highest number in use is another."""
    place = partners.places(scale, ranked)
    at_place = np.bincount(place[ranked], weights=totals[ranked])
    used = np.flatnonzero(at_place)
    found = np.zeros(p.size.size, dtype=np.bool_)
    for end in used[[0, -1]] if used.size else ():
        there = p.per_row(p.count * (ranked & (place == end))[p.label])
        found |= there >= at_place[end]
    return found


def _numbers(p: Patterns, scale: Scale, ranked: Bools, totals: Floats) -> _Numbers:
    used = ranked & (totals > 0)
    none = np.zeros(p.size.size)
    if not used.any():
        return _Numbers(none, none, 0.0, none)
    if scale.level is Level.ORDINAL:
        return _ordinal(p, scale, ranked, totals)
    if scale.level is Level.RATIO:
        return _relative(p, scale, ranked, np.where(ranked, totals, 0.0))
    return _squared(p, scale, used, np.where(ranked, totals, 0.0))


def _squared(p: Patterns, scale: Scale, used: Bools, totals: Floats) -> _Numbers:
    """Squared differences: the sum in all goes by the first two moments around the mean of all."""
    low, high = float(scale.value[used].min()) / 2, float(scale.value[used].max()) / 2
    position = np.where(used, (scale.value - (low + high)) / ((high - low) or 1.0), 0.0)
    position = np.where(used, position - totals @ position / totals.sum(), 0.0)
    own = p.per_row(p.count * partners.squared(p, scale, position))
    x, count = position[p.label], p.count * used[p.label]
    n, first, second = p.per_row(count), p.per_row(count * x), p.per_row(count * x * x)
    all_n, all_second = float(totals.sum()), float(totals @ position**2)
    between = 2 * ((all_n - n) * (all_second - second) - first**2)
    furthest = np.full(n.size, float(np.ptp(position[used])) ** 2)
    return _Numbers(p.multiplicity @ own - own, between, 2 * all_n * all_second, furthest)


def _relative(p: Patterns, scale: Scale, ranked: Bools, totals: Floats) -> _Numbers:
    """Distances ((a - b) / (a + b))²: the sum in all is a quadratic form of how often each number was said."""
    value = np.where(ranked, scale.value, 0.0)
    value = value / (float(value.max()) or 1.0)
    towards = np.where(ranked, ratio_distances(value, totals), 0.0)
    own = p.per_row(p.count * partners.relative(p, scale))
    among = own * (p.size - 1)
    whole = float(totals @ towards)
    between = whole - 2 * p.per_row(p.count * towards[p.label]) + among
    used = value[totals > 0]
    furthest = np.full(own.size, float(partners.relative_distance(used.min(), used.max())))
    return _Numbers(p.multiplicity @ own - own, between, whole, furthest)


def _ordinal(p: Patterns, scale: Scale, ranked: Bools, totals: Floats) -> _Numbers:
    """Squared differences of mid-ranks, which move with every item that is left out.

    Without item r the mid-rank of place q is less by δ_r(q), r's answers below q and half of those at q. The sum within
    items is a quadratic form M of mid-ranks x, so it becomes x'Mx - 2 δ_r'Mx + δ_r'Mδ_r, less r's own part; δ_r is a
    sum of steps, one per answer, for which both products are tables over places and pairs of places.
    """
    place = partners.places(scale, ranked)
    n_places = int(place[ranked].max()) + 1
    at_place = summed(place[ranked], totals[ranked], n_places)
    rank = np.cumsum(at_place) - at_place / 2
    rank = rank - float(at_place @ rank) / float(at_place.sum())

    entries = np.flatnonzero(ranked[p.label])
    keys, of_key = np.unique(p.row[entries] * n_places + place[p.label[entries]], return_inverse=True)
    row, at, count = keys // n_places, keys % n_places, np.bincount(of_key, weights=p.count[entries])
    n = p.per_row(p.count * ranked[p.label])
    pull = 2 / (p.size - 1.0)
    weight = p.multiplicity * pull
    counts = csr_array((count, (row, at)), (p.size.size, n_places))
    form = np.diag(counts.T @ (weight * n)) - (counts.T @ (counts * weight[:, None])).toarray()
    by_place = _steps(form @ rank)
    by_pair = _steps(_steps(form).T)

    cross = np.bincount(row, weights=count * by_place[at], minlength=p.size.size)
    square = np.bincount(row, weights=count**2 * by_pair[at, at], minlength=p.size.size)
    moved = count / 2  # δ of an entry's pattern at its own place
    for left, right in pairs_within(np.arange(row.size), np.bincount(row, minlength=p.size.size)):
        product = 2 * count[left] * count[right] * by_pair[at[left], at[right]]
        square += np.bincount(row[left], weights=product, minlength=p.size.size)
        np.add.at(moved, right, count[left])  # places of a pattern ascend
    x = rank[at] - moved
    first = np.bincount(row, weights=count * x, minlength=p.size.size)
    mean = first / np.maximum(n, 1.0)
    own = pull * n * np.bincount(row, weights=count * (x - mean[row]) ** 2, minlength=p.size.size)
    within = float(rank @ form @ rank) - 2 * cross + square - own

    whole, between = _between_ranks(counts, at_place)
    ends = np.flatnonzero(at_place)[[0, -1]]
    low, high = (np.bincount(row, weights=count * (at == end), minlength=p.size.size) for end in ends)
    reach = float(rank[ends[1]] - rank[ends[0]]) - n + (low + high) / 2
    return _Numbers(within, between, whole, reach**2)


def _steps(values: Floats) -> Floats:
    """Along the first axis: the sum of all that lies behind, and half of what is there."""
    summed: Floats = values.sum(axis=0) - np.cumsum(values, axis=0) + values / 2
    return summed


def _between_ranks(counts: csr_array, at_place: Floats) -> tuple[float, Floats]:
    """Sums of squared differences of mid-ranks over all pairs: R (R³ - Σ T³) / 6, of all and without each pattern.

    R is how many answers there are and T how many at each place. The place with most of them is set apart, so that no
    large cubes are subtracted from each other.
    """
    top = int(at_place.argmax())
    entries = counts.tocoo()
    count, at = entries.data, entries.col
    off = np.where(at == top, 0.0, at_place[at] ** 3 - (at_place[at] - count) ** 3)
    lost, of_top, of_others = (
        summed(entries.row, part, counts.shape[0]) for part in (count, count * (at == top), off)
    )
    cubes = (at_place**3).sum() - at_place[top] ** 3
    whole = _of_cubes(at_place.sum(keepdims=True), at_place[top], cubes)
    return whole.item(), _of_cubes(at_place.sum() - lost, at_place[top] - of_top, cubes - of_others)


def _of_cubes(answers: Floats, top: Floats, cubes: Floats) -> Floats:
    apart = (answers - top) * (answers**2 + answers * top + top**2)
    found: Floats = answers * (apart - cubes) / 6
    return found
