"""Means and ratios over items, as figures: items are the sampling unit, the interval is Student's t.

Where every item says the same, a t interval has no width, although nobody can know so much from a few items; such
a figure reaches as far as the exact (Clopper-Pearson) interval of a share that was never seen to vary.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from core.numerics.intervals import LEVEL, t_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints, totals

_MIN_ITEMS = 2
_ALIKE = 1e-12


@dataclass(frozen=True, eq=False)
class Items:
    """Items in groups: row r stands for `times[r]` items alike of the group `group[r]` with `pairs[r]` pairs each.

    Groups are codes from 0 to `n_groups` - 1; rows of a negative group are in none.
    """

    times: Floats
    pairs: Floats
    group: Ints
    n_groups: int

    def sums(self, numbers: Floats) -> Floats:
        """Totals by group."""
        inside = self.group >= 0
        return totals(self.group[inside], (self.times * numbers)[inside], self.n_groups)

    def ratios(
        self,
        part: Floats,
        whole: Floats,
        *,
        lower: float = 0.0,
        method: Method = Method.LINEARISED,
        level: float = LEVEL,
    ) -> list[Figure]:
        """Sum of `part` over sum of `whole` for every group, with the linearised error of a ratio.

        Items without any of the whole are not counted. A mean is the ratio to a whole of ones. Values stay
        between `lower` and 1.
        """
        counted = (whole > 0).astype(np.float64)
        n, pairs = self.sums(counted), self.sums(counted * self.pairs)
        below = self.sums(whole)
        value = np.clip(self.sums(part) / np.where(below > 0, below, 1.0), lower, 1.0)
        residual = part - value[np.maximum(self.group, 0)] * whole if self.n_groups else part
        several = np.maximum(n, _MIN_ITEMS)
        spread = self.sums(residual**2) * several / (several - 1)
        se = np.sqrt(spread) / np.where(below > 0, below, 1.0)
        low, high = t_interval(value, se, several - 1, level=level, lower=lower)
        alike = se < _ALIKE
        reach = 1 - ((1 - level) / 2) ** (1 / several)
        low = np.where(alike, np.maximum(value - reach, lower), low)
        high = np.where(alike, np.minimum(value + reach, 1.0), high)
        return [
            Figure.estimate(
                value[g],
                se=se[g] if n[g] >= _MIN_ITEMS else None,
                ci=(low[g], high[g]) if n[g] >= _MIN_ITEMS else None,
                method=method,
                n_items=n[g],
                n_pairs=pairs[g],
            )
            if n[g]
            else Figure.missing(Reason.TOO_FEW_ITEMS)
            for g in range(self.n_groups)
        ]


def one_group(times: Floats, pairs: Floats) -> Items:
    """All items together."""
    return Items(times, pairs, np.zeros(times.size, dtype=np.intp), 1)


def t_probability(mean: Floats, se: Floats, df: Floats) -> Floats:
    """Probability of such a mean or a smaller one where the true one is 0, by Student's t.

    A mean without any spread is as sure as it can be: 0 below 0, else 1.
    """
    sure = se < _ALIKE
    p: Floats = stdtr(np.maximum(df, 1), mean / np.where(sure, 1.0, se))
    return np.where(sure, np.where(mean < 0, 0.0, 1.0), p)
