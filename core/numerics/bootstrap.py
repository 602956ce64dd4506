"""Intervals by drawing items again, from counted answer patterns.

Drawing the n items of a table again with replacement is drawing how often each pattern comes up, Multinomial(n, m/n)
(Efron 1979; the same distribution, and the same figures for the same draw, as with the items themselves). A
replicate therefore costs as much as there are patterns, whatever the number of items.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from core.numerics import partners
from core.numerics.alpha import Level, Scale, ratio_distances
from core.numerics.intervals import LEVEL
from core.numerics.results import Figure, Method
from core.numerics.table import Floats, Patterns

COEFFICIENTS = (
    "percent_agreement",
    "krippendorff_alpha",
    "gwet_ac1",
    "fleiss_kappa",
    "scott_pi",
    "brennan_prediger",
)
_CELLS = 1 << 21  # numbers held at once, in any one array
_DEFINED = 0.9  # below this share of replicates with a value there is no interval
_DIRECT = 512  # values of a ratio scale up to which all their distances are held
_NO_CHANCE_LEFT = 1e-12

Draws = npt.NDArray[np.int64]
Evaluate = Callable[[Floats], Floats]


def item_bootstrap(
    patterns: Patterns,
    estimates: Mapping[str, Figure],
    *,
    scale: Scale,
    weight: Floats,
    n_permitted: int,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Figure]:
    """The figures of `estimates` with percentile intervals over `n` draws of the items.

    `estimates` are figures of COEFFICIENTS made from the same patterns (others are left out of the answer);
    `scale` is that of alpha, `weight` (one number per class) and `n_permitted` classes are those of the others. A
    figure without value or interval is returned as it is; so is its interval left out where more than a tenth of
    the draws have no value (a rare class is drawn too seldom). Labelers are held fixed. Equal seeds, equal figures.
    """
    wanted = {name: figure for name, figure in estimates.items() if name in COEFFICIENTS}
    open_names = [name for name, figure in wanted.items() if figure.ci is not None]
    if not open_names:
        return wanted
    of_items = {name: np.empty(n) for name in open_names}
    evaluate = evaluators(patterns, open_names, scale=scale, weight=weight, n_permitted=n_permitted)
    begin = 0
    for draws in _draws(patterns, n, seed):
        for name in open_names:
            of_items[name][begin : begin + len(draws)] = evaluate[name](draws)
        begin += len(draws)
    return {
        name: _percentiles(figure, of_items[name]) if name in of_items else figure
        for name, figure in wanted.items()
    }


def evaluators(
    patterns: Patterns, names: list[str], *, scale: Scale, weight: Floats, n_permitted: int
) -> dict[str, Evaluate]:
    """For each named coefficient a function from draws (replicates x patterns) to its values, NaN if undefined.

    A row of a draw says how many items answered as each pattern. `patterns.multiplicity` as the only row gives
    the coefficient itself.
    """
    simple = _Shares(patterns, weight, n_permitted)
    known: dict[str, Evaluate] = {
        "percent_agreement": simple.percent,
        "gwet_ac1": simple.ac1,
        "fleiss_kappa": simple.fleiss,
        "scott_pi": simple.fleiss,
        "brennan_prediger": simple.brennan_prediger,
    }
    if "krippendorff_alpha" in names:
        known["krippendorff_alpha"] = _Alpha(patterns, scale).value
    return {name: known[name] for name in names}


def _draws(patterns: Patterns, n: int, seed: int) -> Iterator[Floats]:
    """Draws in chunks that stay small; the same whatever the size of the chunks."""
    rng = np.random.default_rng(seed)
    items = patterns.n_items
    share = patterns.multiplicity / items
    step = max(1, _CELLS // max(share.size, patterns.n_classes))
    for begin in range(0, n, step):
        yield rng.multinomial(items, share, size=min(step, n - begin)).astype(np.float64)


def _percentiles(figure: Figure, values: Floats) -> Figure:
    known = values[np.isfinite(values)]
    if known.size < max(2, _DEFINED * values.size):
        return replace(figure, se=None, ci=None, method=None)
    low, high = np.quantile(known, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return replace(
        figure,
        se=float(known.std(ddof=1)),
        ci=(float(low), float(high)),
        method=Method.ITEM_BOOTSTRAP,
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    """The one over the other, NaN where there is nothing below."""
    known = below > _NO_CHANCE_LEFT
    return np.where(known, above / np.where(known, below, 1.0), np.nan)


class _Shares:
    """Percent agreement and the coefficients that correct it by class shares."""

    def __init__(self, p: Patterns, weight: Floats, n_permitted: int) -> None:
        agreeing = p.per_row(weight[p.label] * p.count * (p.count - 1))
        self._agreement = agreeing / np.maximum(p.size * (p.size - 1), 1)
        self._overlaps = (p.size >= 2).astype(np.float64)  # noqa: PLR2004 -- a pair takes two
        self._of_class = _matrix(p, p.count / p.size[p.row])
        self._weight, self._permitted = weight, n_permitted

    def percent(self, draws: Floats) -> Floats:
        return _ratio(draws @ self._agreement, draws @ self._overlaps)

    def fleiss(self, draws: Floats) -> Floats:
        return self._corrected(draws, self._class_shares(draws) ** 2 @ self._weight)

    def ac1(self, draws: Floats) -> Floats:
        shares, q = self._class_shares(draws), self._permitted
        spread = (shares * (1 - shares)).sum(axis=1)
        # One class in use leaves the expected agreement at 0; the coefficient has no value then.
        expected = np.where(spread > _NO_CHANCE_LEFT, self._weight.sum() / (q * (q - 1)) * spread, 1.0)
        return self._corrected(draws, expected)

    def brennan_prediger(self, draws: Floats) -> Floats:
        several = (self._class_shares(draws) > 0).sum(axis=1) > 1
        return self._corrected(draws, np.where(several, self._weight.sum() / self._permitted**2, 1.0))

    def _class_shares(self, draws: Floats) -> Floats:
        shares: Floats = (draws @ self._of_class) / draws.sum(axis=1)[:, None]
        return shares

    def _corrected(self, draws: Floats, expected: Floats) -> Floats:
        return _ratio(self.percent(draws) - expected, 1 - expected)


class _Alpha:
    """Krippendorff's alpha: within and between sums of distances, those between numbers and the furthest apart."""

    def __init__(self, patterns: Patterns, scale: Scale) -> None:
        self._used = patterns.size >= 2  # noqa: PLR2004 -- a pair takes two
        p = patterns.overlapping()
        self._size = p.size
        self._scale = scale
        self._ranked = partners.ranked_classes(scale)
        self._alike = partners.agree_alike(scale)
        self._counts = _matrix(p, p.count)
        self._apart = p.per_row(p.count * partners.apart(p, scale))
        self._level = scale.level if self._ranked.any() else Level.NOMINAL
        self._numbers = np.zeros(p.size.size)
        place = partners.places(scale, self._ranked)
        self._n_places = int(place.max(initial=-1)) + 1
        self._to_place = csr_array(
            (self._ranked.astype(np.float64), (np.arange(place.size), place)), (place.size, self._n_places)
        )
        self._value = np.unique(scale.value[self._ranked])
        if self._level is Level.INTERVAL:
            in_use = np.bincount(p.label, minlength=p.n_classes) > 0
            middle, width = _frame(scale.value[self._ranked & in_use])
            self._value = np.clip((self._value - middle) / width, -1.0, 1.0)
            position = np.clip((scale.value - middle) / width, -1.0, 1.0)
            self._numbers = p.per_row(p.count * partners.squared(p, scale, position))
        elif self._level is Level.RATIO:
            self._numbers = p.per_row(p.count * partners.relative(p, scale))
            self._value = self._value / (float(self._value.max()) or 1.0)
        elif self._level is Level.ORDINAL:
            self._at_place = self._counts @ self._to_place
            self._n_ranked = self._at_place.sum(axis=1)

    def value(self, draws: Floats) -> Floats:
        weights = draws[:, self._used]
        totals = weights @ self._counts
        answers, ranked = totals.sum(axis=1), totals @ self._ranked
        alike = np.where(self._ranked, 0.0, self._alike)
        within = weights @ self._apart
        between = answers * (answers - 1) - ranked * (ranked - 1) - (totals * (totals - 1)) @ alike
        if self._level is not Level.NOMINAL:
            at_place = totals @ self._to_place
            numbers_within, numbers_between, furthest = self._between_numbers(weights, at_place)
            if self._ranked.all():
                within, between = numbers_within, numbers_between
            else:
                furthest = np.where(furthest > 0, furthest, 1.0)
                within, between = numbers_within + furthest * within, numbers_between + furthest * between
        return 1 - _ratio((answers - 1) * within, np.maximum(between, 0.0))

    def _between_numbers(self, weights: Floats, at_place: Floats) -> tuple[Floats, Floats, Floats]:
        """Sums of the distances between numbers within items and in all, and the furthest in use."""
        within = weights @ self._numbers
        in_use = at_place > 0
        if self._level is Level.RATIO:
            between = self._relative(at_place)
            low, high = _ends(np.broadcast_to(self._value, at_place.shape), in_use)
            return within, between, partners.relative_distance(low, high)
        if self._level is Level.ORDINAL:
            position = partners.midranks(at_place)
            first = self._at_place @ position.T
            second = self._at_place @ (position**2).T
            pull = 2 / (self._size - 1.0)
            summed = pull[:, None] * (self._n_ranked[:, None] * second - first**2)
            within = (weights.T * summed).sum(axis=0)
        else:
            position = np.broadcast_to(self._value, at_place.shape)
        ranked = at_place.sum(axis=1)
        mean = (at_place * position).sum(axis=1) / np.maximum(ranked, 1.0)
        between = 2 * ranked * (at_place * (position - mean[:, None]) ** 2).sum(axis=1)
        low, high = _ends(position, in_use)
        return within, between, (high - low) ** 2

    def _relative(self, at_place: Floats) -> Floats:
        if self._value.size <= _DIRECT:
            distances = partners.relative_distance(self._value[:, None], self._value)
            between: Floats = ((at_place @ distances) * at_place).sum(axis=1)
            return between
        return np.array([row @ ratio_distances(self._value, row) for row in at_place])


def _matrix(p: Patterns, per_entry: npt.NDArray[np.generic]) -> csr_array:
    """Patterns x classes, sparse."""
    return csr_array((per_entry.astype(np.float64), (p.row, p.label)), (p.size.size, p.n_classes))


def _frame(values: Floats) -> tuple[float, float]:
    """The middle and the half width of some numbers, so that no square of the shifted ones overflows."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()) / 2, float(values.max()) / 2
    return low + high, (high - low) or 1.0


def _ends(position: Floats, in_use: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The lowest and the highest position in use of each row; 0 and 0 where none is."""
    some = in_use.any(axis=1)
    low = np.where(in_use, position, np.inf).min(axis=1)
    high = np.where(in_use, position, -np.inf).max(axis=1)
    return np.where(some, low, 0.0), np.where(some, high, 0.0)
