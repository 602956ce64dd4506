"""Whether agreement is better than chance: a kappa against zero, with the standard error that holds if it is zero."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from core.numerics.coefficients import Observed
from core.numerics.results import Figure


@dataclass(frozen=True, slots=True)
class AgainstChance:
    """Standard error of a kappa whose true value is 0, the kappa by it, and the two-sided p of a normal z."""

    se: float
    z: float
    p: float


def against_chance(kappa: Figure, variance: float) -> AgainstChance | None:
    """The test of a kappa of 0, given its variance then; None where either is unknown or the variance is 0."""
    if kappa.value is None or not variance > 0:
        return None
    se = float(variance) ** 0.5
    z = kappa.value / se
    return AgainstChance(se, z, 2 * float(ndtr(-abs(z))))


def fleiss_against_chance(seen: Observed, kappa: Figure) -> AgainstChance | None:
    """The test of Fleiss' kappa (Fleiss, Nee and Landis 1979); None unless all items have equally many answers."""
    size = seen.patterns.size
    if kappa.value is None or np.ptp(size) > 0 or (seen.weight == 0).any():
        return None
    n, m = seen.n_items, int(size[0])
    p = seen.shares
    spread = float((p * (1 - p)).sum())
    third = float((p * (1 - p) * (1 - 2 * p)).sum())
    return against_chance(kappa, 2 * (spread**2 - third) / (n * m * (m - 1) * spread**2))
