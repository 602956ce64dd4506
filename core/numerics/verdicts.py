"""Words for a coefficient, given its uncertainty.

Landis and Koch (1977) and Altman (1991) by Gwet's cumulative probability (2014, chapter 6): the level named is the
best one that is reached with at least 95 % probability. Krippendorff's .8 and .667 (2004, chapter 11) are held
against the lower end of the interval.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from core.numerics.results import Figure, Method
from core.numerics.table import Floats

Levels = tuple[tuple[str, float, float], ...]

LANDIS_KOCH: Levels = (
    ("almost_perfect", 0.8, 1.0),
    ("substantial", 0.6, 0.8),
    ("moderate", 0.4, 0.6),
    ("fair", 0.2, 0.4),
    ("slight", 0.0, 0.2),
    ("poor", -1.0, 0.0),
)
ALTMAN: Levels = (
    ("very_good", 0.8, 1.0),
    ("good", 0.6, 0.8),
    ("moderate", 0.4, 0.6),
    ("fair", 0.2, 0.4),
    ("poor", -1.0, 0.2),
)
KRIPPENDORFF: Levels = (
    ("reliable", 0.8, 1.0),
    ("tentative", 0.667, 0.8),
    ("unreliable", -1.0, 0.667),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A level of a scale, and the probability that the true coefficient is in that level or a better one.

    Of the scale `krippendorff` the level is that of the interval's lower end; of the others it is the best one
    reached with at least 95 % probability.
    """

    level: str
    probability: float
    scale: str = "landis_koch"
    coefficient: str = "krippendorff_alpha"


def verdicts(figure: Figure) -> tuple[Verdict, ...]:
    """What each scale says of Krippendorff's alpha; nothing where it has no standard error."""
    landis_koch, altman = benchmark(figure, LANDIS_KOCH), benchmark(figure, ALTMAN)
    if (
        landis_koch is None
        or altman is None
        or figure.value is None
        or figure.se is None
        or figure.ci is None
        or figure.method is Method.TWO_WAY  # few labelers: its error is far from normal
    ):
        return ()
    cumulative = benchmark_probabilities(max(figure.value, -1.0), figure.se, KRIPPENDORFF)
    place = next(
        (i for i, (_, low, _) in enumerate(KRIPPENDORFF) if figure.ci[0] >= low), len(KRIPPENDORFF) - 1
    )
    return (
        Verdict(*landis_koch),
        Verdict(*altman, scale="altman"),
        Verdict(KRIPPENDORFF[place][0], float(cumulative[place]), scale="krippendorff"),
    )


def benchmark(figure: Figure, levels: Levels, confidence: float = 0.95) -> tuple[str, float] | None:
    """The best level reached with this probability, and the probability; None without a standard error."""
    if figure.value is None or figure.se is None:
        return None
    cumulative = benchmark_probabilities(max(figure.value, -1.0), figure.se, levels)
    reached = np.flatnonzero(cumulative >= confidence)
    first = int(reached[0]) if reached.size else len(levels) - 1
    return levels[first][0], float(cumulative[first])


def benchmark_probabilities(value: float, se: float, cuts: Levels) -> Floats:
    """Cumulative probability, from the best level down, that the true coefficient is in a level or better.

    `cuts` are (name, lower end, upper end) from the best down; the truth is taken as normal around `value` and
    cut to [-1, 1] (Gwet 2014, chapter 6).
    """
    lower = np.array([low for _, low, _ in cuts])
    upper = np.array([high for _, _, high in cuts])
    if se <= 0:
        inside = (value >= lower) & ((value < upper) | (upper >= 1.0))
        return np.cumsum(inside.astype(np.float64))
    whole = ndtr((value + 1) / se) - ndtr((value - 1) / se)
    mass = (ndtr((value - lower) / se) - ndtr((value - upper) / se)) / whole
    cumulative: Floats = np.minimum(np.cumsum(mass), 1.0)
    return cumulative
