"""The difference of two coefficients that rest on different items."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from core.numerics.intervals import t_interval
from core.numerics.results import Figure, Method, Reason

_MIN_ITEMS = 2


@dataclass(frozen=True, slots=True)
class Change:
    """After minus before, and the two-sided p of no difference; p is None where nothing is known of the spread."""

    difference: Figure
    p: float | None


def change(before: Figure, after: Figure) -> Change:
    """How much a coefficient changed from one group of items to another.

    The two are taken as independent: the items differ, and labelers, who may be the same, are held fixed as in the
    linearised standard errors themselves. Then the variances add up, and the interval and p are Welch's (1947):
    Student's t with Satterthwaite's degrees of freedom, each group giving its items less one. An item answered in
    both groups makes them dependent; p is then on the safe side as far as hard items stay hard. Without a value on
    either side the difference has that side's reason.
    """
    n_items, n_pairs = before.n_items + after.n_items, before.n_pairs + after.n_pairs
    if before.value is None or after.value is None:
        reason = before.reason or after.reason or Reason.NO_OVERLAP
        return Change(Figure.missing(reason, n_items=n_items, n_pairs=n_pairs), None)
    found = after.value - before.value
    if before.se is None or after.se is None or min(before.n_items, after.n_items) < _MIN_ITEMS:
        return Change(Figure.estimate(found, n_items=n_items, n_pairs=n_pairs), None)
    parts = np.array([before.se**2, after.se**2])
    variance = float(parts.sum())
    items = np.array([before.n_items, after.n_items], dtype=np.float64)
    df = variance**2 / float((parts**2 / (items - 1)).sum()) if variance > 0 else float(items.sum() - 2)
    se = variance**0.5
    figure = Figure.estimate(
        found,
        se=se,
        ci=t_interval(found, se, df, upper=np.inf),
        method=Method.LINEARISED,
        n_items=n_items,
        n_pairs=n_pairs,
    )
    if se == 0:
        return Change(figure, 1.0 if found == 0 else 0.0)
    return Change(figure, min(1.0, 2 * float(stdtr(df, -abs(found) / se))))
