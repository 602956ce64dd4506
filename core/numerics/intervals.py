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
_NO_ROOM = 1e-12  # closer than this to 1: rounding


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


def skewed_interval(
    value: Numbers,
    se: Numbers,
    skewness: Numbers,
    df: Numbers,
    *,
    level: float = LEVEL,
    lower: float = -np.inf,
    upper: float = 1.0,
) -> Ends:
    """Student's interval moved towards the longer tail: `value + se * g * (1/6 + z²/3) ± t(df) * se`.

    g, the `skewness` of the estimate, is that of the influences divided by the root of their number:
    Σ (influence - mean)³ / (Σ (influence - mean)²)^1.5. The shift undoes the first term of the Edgeworth expansion of
    Student's t (Johnson 1978, Hall 1983); t instead of the normal quantile in the width keeps few items on
    the safe side. The value stays inside: of influences |g| < 1, and what draws say beyond that is cut.
    """
    spread = np.asarray(se, dtype=np.float64)
    z2 = float(ndtri(0.5 + level / 2)) ** 2
    centre = np.asarray(value, dtype=np.float64) + spread * np.clip(skewness, -1.0, 1.0) * (1 / 6 + z2 / 3)
    reach = stdtrit(np.asarray(df, dtype=np.float64), 0.5 + level / 2) * spread
    return _around(centre, reach, lower, upper)


def skewness(deviation: npt.NDArray[np.float64], times: npt.NDArray[np.intp]) -> float:
    """Skewness of a mean, for skewed_interval: of the deviations from it of single parts, each so many times.

    Σ d³ / (Σ d²)^1.5, and 0 where nothing deviates.
    """
    largest = float(np.abs(deviation).max(initial=0.0))
    if largest == 0:
        return 0.0
    unit = deviation / largest  # so that no power of it underflows
    second, third = float(times @ unit**2), float(times @ unit**3)
    return float(third / second**1.5)


def fisher_interval(value: Numbers, se: Numbers, df: Numbers, *, level: float = LEVEL) -> Ends:
    """Student's interval on Fisher's scale, tanh(artanh(value) ± t(df) * se / (1 - value²)): inside (-1, 1).

    Where |value| is 1 or more there is no such scale; the plain interval, cut to [-1, 1], stands in.
    """
    centre = np.asarray(value, dtype=np.float64)
    room = 1 - centre**2
    known = room > _NO_ROOM
    z = np.arctanh(np.where(known, centre, 0.0))
    reach = stdtrit(np.asarray(df, dtype=np.float64), 0.5 + level / 2) * np.asarray(se, dtype=np.float64)
    on_scale = reach / np.where(known, room, 1.0)
    plain = _around(centre, reach, -1.0, 1.0)
    return (
        np.where(known, np.tanh(z - on_scale), plain[0]),
        np.where(known, np.tanh(z + on_scale), plain[1]),
    )


def logit_interval(share: Numbers, se: Numbers, df: Numbers, *, level: float = LEVEL) -> Ends:
    """Student's interval of a share on the scale of log odds: inside (0, 1), at 0 and 1 the plain one, cut."""
    low, high = fisher_interval(2 * np.asarray(share) - 1, 2 * np.asarray(se), df, level=level)
    return (1 + low) / 2, (1 + high) / 2  # log odds of a share are twice Fisher's scale of 2 * share - 1


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
