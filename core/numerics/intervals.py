"""Intervals for estimates that come with a standard error, and for proportions.

All functions take numbers or arrays of one shape and return the two ends in that shape. A level of 95 % is
the default everywhere, as in every report of the product.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

Numbers = npt.ArrayLike
Ends = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

LEVEL = 0.95


def t_interval(
    value: Numbers,
    se: Numbers,
    df: Numbers,
    *,
    level: float = LEVEL,
    lower: float = -np.inf,
    upper: float = 1.0,
) -> Ends:
    """Student's interval `value ± t(df) * se`, cut at `lower` and `upper`.

    `df` must be at least 1. The coefficients of agreement are cut above only, as in irrCAC.
    """
    reach = stdtrit(np.asarray(df, dtype=np.float64), 0.5 + level / 2) * np.asarray(se, dtype=np.float64)
    return _around(value, reach, lower, upper)


def normal_interval(
    value: Numbers,
    se: Numbers,
    *,
    level: float = LEVEL,
    lower: float = -np.inf,
    upper: float = 1.0,
) -> Ends:
    """Normal interval `value ± z * se`, cut at `lower` and `upper`."""
    reach = ndtri(0.5 + level / 2) * np.asarray(se, dtype=np.float64)
    return _around(value, reach, lower, upper)


def wilson_interval(share: Numbers, n: Numbers, *, level: float = LEVEL) -> Ends:
    """Wilson's score interval of a proportion `share` seen in `n` >= 1 independent trials.

    It stays inside [0, 1] and is not empty at 0 and 1 (Wilson 1927). For a mean of numbers inside [0, 1] it is
    at least as wide as needed, because no such numbers vary more than zeros and ones with the same mean.
    """
    p = np.asarray(share, dtype=np.float64)
    trials = np.asarray(n, dtype=np.float64)
    z2 = float(ndtri(0.5 + level / 2)) ** 2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = np.sqrt(z2 * (p * (1 - p) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    # Rounding may leave the end a hair inside the share itself at 0 and 1.
    return np.minimum(np.maximum(centre - reach, 0.0), p), np.maximum(np.minimum(centre + reach, 1.0), p)


def _around(value: Numbers, reach: npt.NDArray[np.float64], lower: float, upper: float) -> Ends:
    centre = np.asarray(value, dtype=np.float64)
    return np.maximum(centre - reach, lower), np.minimum(centre + reach, upper)
