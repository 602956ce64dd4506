"""Percent agreement and the chance-corrected coefficients with linearised standard errors.

Every function returns a Figure and never raises on data. `weight[k]` is 1 where two answers of class k agree and
0 where they do not (an uncertainty class that counts as disagreement). Answers of different classes agree by the
weights of core.numerics.weights, or not at all where there are none; with weights AC1 is Gwet's AC2.

The formulas, their sources and what they do with missing answers are in docs/statistics.md. With every weight 1
they are those of Gwet's irrCAC: items with one answer count in the class shares and in n, not in the agreement.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.numerics.intervals import skewed_interval, skewness
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints, LabelTable, PatternIndex, Patterns, condense, totals
from core.numerics.weights import Equality, Weights

_MIN_ITEMS = 2
_NO_CHANCE_LEFT = 1e-12  # 1 - expected agreement at or below this: no room for a coefficient


@dataclass(frozen=True, eq=False)
class Observed:
    """What all coefficients share: the observed agreement of every pattern, and the shares of the classes.

    `partial` are weights for answers that differ, the same in both directions; without them only equal answers
    agree, by `weight`.
    """

    patterns: Patterns
    weight: Floats
    partial: Weights | None = None

    @cached_property
    def weights(self) -> Weights:
        """How much any two answers agree."""
        return Equality(self.weight) if self.partial is None else self.partial

    @cached_property
    def n_items(self) -> int:
        """Items with an answer."""
        return self.patterns.n_items

    @cached_property
    def overlaps(self) -> Floats:
        """1 for patterns of two answers or more, else 0."""
        return (self.patterns.size >= 2).astype(np.float64)  # noqa: PLR2004 -- a pair takes two

    @cached_property
    def n_used(self) -> int:
        """Items with two answers or more."""
        return int(self.patterns.multiplicity @ self.overlaps)

    @cached_property
    def n_pairs(self) -> int:
        """Pairs of answers on one item."""
        size = self.patterns.size
        return int(self.patterns.multiplicity @ (size * (size - 1) // 2))

    @cached_property
    def agreement(self) -> Floats:
        """Mean weight of the pairs, per pattern (0 without pairs)."""
        p = self.patterns
        near = self.weights.beside(p.row, p.label, p.count.astype(np.float64), p.size.size)
        agreeing = p.per_row(p.count * (near - self.weights.own[p.label]))
        share: Floats = agreeing / np.maximum(p.size * (p.size - 1), 1)
        return share

    @cached_property
    def percent(self) -> float:
        """Mean agreement of the items with two answers or more; call only if there are any."""
        return float(self.patterns.multiplicity @ self.agreement) / self.n_used

    @cached_property
    def shares(self) -> Floats:
        """Share of each class: the mean over items of its share in the item."""
        p = self.patterns
        return p.per_class(p.multiplicity[p.row] * p.count / p.size[p.row]) / self.n_items

    def missing(self, reason: Reason) -> Figure:
        return Figure.missing(reason, n_items=self.n_used, n_pairs=self.n_pairs)

    def unusable(self) -> Figure | None:
        """The figure to return where no chance-corrected coefficient can be computed, else None."""
        reason = self.no_pairs()
        if reason is None and self.n_used < _MIN_ITEMS:
            reason = Reason.TOO_FEW_ITEMS
        if reason is None and np.count_nonzero(self.shares) < 2:  # noqa: PLR2004 -- chance needs two classes
            reason = Reason.ONE_CLASS
        return None if reason is None else self.missing(reason)

    def no_pairs(self) -> Reason | None:
        return Reason.NO_OVERLAP if self.n_used == 0 else None

    def figure(self, value: float, influence: Floats, multiplicity: Ints, *, percent: bool = False) -> Figure:
        """The figure whose items have these influences, `value` being their mean."""
        n = self.n_items
        se = ci = None
        if self.n_used >= _MIN_ITEMS:
            deviation = influence - value
            se = np.sqrt(float(multiplicity @ deviation**2) / (n * (n - 1)))
            skew = skewness(deviation, multiplicity)
            ci = skewed_interval(value, se, skew, n - 1, lower=0.0 if percent else -np.inf)
        return Figure.estimate(
            value, se=se, ci=ci, method=Method.SKEWNESS, n_items=self.n_used, n_pairs=self.n_pairs
        )


def percent_agreement(seen: Observed) -> Figure:
    """Share of agreeing pairs, every item with two answers or more weighing the same."""
    return mean_over_pairs(seen, seen.agreement)


def mean_over_pairs(seen: Observed, of_pattern: Floats) -> Figure:
    """Mean over the items with two answers or more of a number in [0, 1] per pattern (0 without pairs)."""
    reason = seen.no_pairs()
    if reason is not None:
        return seen.missing(reason)
    mean = min(float(seen.patterns.multiplicity @ of_pattern) / seen.n_used, 1.0)
    influence = of_pattern * (seen.n_items / seen.n_used)
    return seen.figure(mean, influence, seen.patterns.multiplicity, percent=True)


def fleiss_kappa(seen: Observed) -> Figure:
    """Fleiss' kappa for any number of answers per item; for two labelers it is Scott's pi."""
    unusable = seen.unusable()
    if unusable is not None:
        return unusable
    p, shares = seen.patterns, seen.shares
    toward = seen.weights.toward(shares)
    expected = float(shares @ toward)
    per_pattern = p.per_row(p.count * toward[p.label]) / p.size
    return _corrected(seen, expected, per_pattern)


def gwet_ac1(seen: Observed, n_classes: int) -> Figure:
    """Gwet's AC1 (AC2 with weights) with `n_classes` permitted classes."""
    unusable = seen.unusable()
    if unusable is not None:
        return unusable
    p, shares = seen.patterns, seen.shares
    scale = seen.weights.total / (n_classes * (n_classes - 1))
    expected = scale * float((shares * (1 - shares)).sum())
    per_pattern = scale * p.per_row(p.count * (1 - shares)[p.label]) / p.size
    return _corrected(seen, expected, per_pattern)


def brennan_prediger(seen: Observed, n_classes: int) -> Figure:
    """Brennan and Prediger's kappa (free-marginal kappa, S, PABAK) with `n_classes` permitted classes."""
    unusable = seen.unusable()
    if unusable is not None:
        return unusable
    expected = seen.weights.total / n_classes**2
    return _corrected(seen, expected, np.full(seen.patterns.size.size, expected))


def conger_kappa(seen: Observed, table: LabelTable, index: PatternIndex) -> Figure:
    """Conger's kappa: every annotator keeps their own class shares; for two labelers it is Cohen's kappa."""
    unusable = seen.unusable()
    if unusable is not None:
        return unusable
    raters = table.n_annotators
    if raters < 2:  # noqa: PLR2004 -- agreement takes two people
        return seen.missing(Reason.ONE_ANNOTATOR)
    # Shares p_gk of class k in the answers of annotator g, for the (g, k) that occur.
    cells, cell = condense(table.annotator * table.n_classes + table.label)
    count = np.bincount(cell)
    who, what = cells // table.n_classes, cells % table.n_classes
    answers = np.bincount(table.annotator)
    p_gk = count / answers[who]
    total = totals(what, p_gk, table.n_classes)
    pairs = raters * (raters - 1)
    own = seen.weights.beside(who, what, p_gk, answers.size)
    by_others = seen.weights.toward(total)[what] - own
    expected = float(p_gk @ by_others) / pairs
    # Change of the expected agreement with one more answer (g, k), the shares of g being ratios.
    mean_by_annotator = np.bincount(who, weights=p_gk * by_others)
    change = (by_others - mean_by_annotator[who]) / (pairs * answers[who])
    items = np.flatnonzero(index.of_item >= 0)
    moved = totals(table.item, change[cell], index.of_item.size)[items]
    pattern = index.of_item[items]
    return _corrected(seen, expected, expected + seen.n_items * moved, pattern)


def _corrected(seen: Observed, expected: float, per_pattern: Floats, pattern: Ints | None = None) -> Figure:
    """(observed - expected) / (1 - expected), with the expected agreement's value for each pattern.

    With `pattern`, `per_pattern` is per item instead and `pattern` says which pattern each item has.
    """
    room = 1 - expected
    if room <= _NO_CHANCE_LEFT:
        return seen.missing(Reason.ONE_CLASS)
    agreement, overlaps, multiplicity = seen.agreement, seen.overlaps, seen.patterns.multiplicity
    if pattern is not None:
        agreement, overlaps, multiplicity = (
            agreement[pattern],
            overlaps[pattern],
            np.ones(pattern.size, np.intp),
        )
    value = (seen.percent - expected) / room
    influence = (seen.n_items / seen.n_used) * (agreement - expected * overlaps) / room
    influence -= 2 * (1 - value) * (per_pattern - expected) / room
    return seen.figure(value, influence, multiplicity)
