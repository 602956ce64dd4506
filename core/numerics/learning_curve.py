"""How quality grows with labels: the curve, what random labels would have cost, and when more stop paying.

The curve is a straight line between the logarithm of the number of labels and the log odds of the quality. It goes on
better than the usual power law a - b n^-c (Viering and Loog 2023) where new labels still bring new classes
(docs/models.md). All of its models are scored on the same items, so their errors go together; the band draws the
items again and fits anew, which keeps that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import expit

from core.numerics.intervals import LEVEL
from core.numerics.metrics import Quality, accuracy_and_f1, quality
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints

N_DRAWS = 400
MOST_EXTRAPOLATED = 20.0  # times the labels of the largest model that was measured
STEP = 100  # labels that a gain is told for
KAPPA = 0.98
ROUNDS = 3
APART = 50  # labels between models whose predictions are compared: few more labels change little in any case
LEAST_POINTS = 4
LEAST_ITEMS = 20
_EXPONENTS = np.concatenate([np.arange(0.05, 1.0, 0.05), np.arange(1.0, 2.01, 0.25)])
_TINY = 1e-12


class Measure(StrEnum):
    """What is measured on the holdout."""

    ACCURACY = "accuracy"
    MACRO_F1 = "macro_f1"


class Reach(StrEnum):
    """How a number of labels was found."""

    INTERPOLATED = "interpolated"
    EXTRAPOLATED = "extrapolated"
    BEYOND = "beyond"  # more than 20 times the labels that were measured
    TOO_FEW = "too_few"  # too few labels by chance or on the holdout for a curve


@dataclass(frozen=True, eq=False)
class Curve:
    """A straight line: the log odds of the quality are start + slope log(n). `n` are the labels that were measured;
    `start` and `slope` have one entry per draw, the first of the items as they are. All models were scored on the same
    `n_items`.
    """

    n: Floats
    start: Floats
    slope: Floats
    n_items: int

    def values(self, n: Floats) -> Floats:
        """The quality at these numbers of labels (each at least 1)."""
        found: Floats = self._all(n)[0]
        return found

    def band(self, n: Floats) -> tuple[Floats, Floats]:
        """The two ends of the 95 % band at these numbers of labels."""
        low, high = np.quantile(self._all(n)[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        middle = self.values(n)
        return np.minimum(low, middle), np.maximum(high, middle)

    def gain(self, n: float, more: int = STEP) -> Figure:
        """What `more` labels would add to the quality at `n`."""
        ends = self._all(np.array([n, n + more], dtype=np.float64))
        gains = ends[:, 1] - ends[:, 0]
        low, high = np.quantile(gains[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        value = float(gains[0])
        return Figure.estimate(
            value,
            se=gains[1:].std(),
            ci=(min(low, value), max(high, value)),
            method=Method.ITEM_BOOTSTRAP,
            n_items=self.n_items,
            n_pairs=self.n_items,
        )

    def _all(self, n: Floats) -> Floats:
        found: Floats = expit(self.start[:, None] + self.slope[:, None] * np.log(n)[None])
        return found


@dataclass(frozen=True, eq=False)
class Learning:
    """Models of `n` labels each, ascending: their quality, and the two curves through it (None: too little for one)."""

    n: Ints
    points: tuple[Quality, ...]
    accuracy: Curve | None
    macro_f1: Curve | None

    def curve(self, measure: Measure) -> Curve | None:
        """The curve of one measure."""
        return self.accuracy if measure is Measure.ACCURACY else self.macro_f1


def learning(n: Ints, predicted: Ints, truth: Ints, n_classes: int, *, seed: int) -> Learning:
    """The learning curve of models on the same items.

    `n`: labels of each model; `predicted` (models x items) and `truth` (items): class codes. A curve takes four
    different numbers of labels and 20 items. The same seed gives the same band.
    """
    order = np.argsort(n, kind="stable")
    n, predicted = n[order], predicted[order]
    points = tuple(quality(truth, said, n_classes) for said in predicted)
    if np.unique(n).size < LEAST_POINTS or truth.size < LEAST_ITEMS:
        return Learning(n, points, None, None)
    times = draw_items(truth.size, seed)
    drawn = np.array([accuracy_and_f1(times, truth, said, n_classes) for said in predicted])
    curves = (fit_curve(n, drawn[:, measure].T, truth.size, seed=seed) for measure in range(2))
    return Learning(n, points, *curves)


def draw_items(n_items: int, seed: int) -> Floats:
    """How often each item is in each draw (draws x items); in the first every item is there once."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n_items, np.full(n_items, 1 / n_items), size=N_DRAWS).astype(np.float64)
    return np.concatenate([np.ones((1, n_items)), times])


def fit_curve(n: Ints | Floats, drawn: Floats, n_items: int, *, seed: int) -> Curve:
    """The curve of every draw (draws x models, the first row is what was seen), which never falls.

    Models weigh by their number of labels. Half of one of the `n_items` is as near to 0 and 1 as a quality counts.
    Draws but the first also get what models are off the line, at random: the luck of a model with its labels.
    """
    labels = np.maximum(np.asarray(n, dtype=np.float64), 1.0)
    x, odds = np.log(labels), _log_odds(drawn, 0.5 / n_items)
    start, slope = _line(x, odds[:1], labels)
    off = (odds[0] - start - slope * x) * np.sqrt(labels.size / max(labels.size - 2, 1))
    odds[1:] += np.random.default_rng(seed).choice(off - off.mean(), odds[1:].shape)
    start, slope = _line(x, odds, labels)
    flat = slope <= 0
    return Curve(
        labels, np.where(flat, odds @ labels / labels.sum(), start), np.where(flat, 0.0, slope), n_items
    )


def _law(n: Ints, drawn: Floats) -> tuple[Floats, Floats, Floats]:
    """a, b and c of the power law a - b n^-c through every draw, a at most 1 and b at least 0; models weigh by n³."""
    labels = n.astype(np.float64)
    weight = labels**3 / (labels**3).sum()
    best = np.full(drawn.shape[0], np.inf)
    a, b, c = np.zeros((3, drawn.shape[0]))
    for exponent in _EXPONENTS:
        x = labels**-exponent
        top, slope = _line(x, drawn, weight)
        # Through (infinitely many labels, 1) where the free fit would end above it.
        held = (1 - drawn) @ (weight * x) / float(weight @ np.square(x))
        slope = np.maximum(np.where(top > 1, held, -slope), 0.0)
        top = np.where(slope > 0, np.minimum(top, 1.0), drawn @ weight)
        error = np.square(drawn - (top[:, None] - slope[:, None] * x)) @ weight
        better = error < best - _TINY
        best = np.where(better, error, best)
        a, b, c = np.where(better, top, a), np.where(better, slope, b), np.where(better, exponent, c)
    return a, b, c


def _line(x: Floats, drawn: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope of the weighted straight line through each draw."""
    weight = weight / weight.sum()
    middle, mean = float(weight @ x), drawn @ weight
    slope = (
        (drawn - mean[:, None]) @ (weight * (x - middle)) / max(float(weight @ np.square(x - middle)), _TINY)
    )
    return mean - slope * middle, slope


@dataclass(frozen=True, slots=True)
class RandomCost:
    """How many labels by chance would have given a quality; `value` is None beyond reach.

    `low` and `high` are the ends of a 95 % band; None where that end lies beyond reach. `most` is the number of labels
    by chance of the largest model that was measured, `quality` the quality that is to be reached.
    """

    reach: Reach
    value: float | None
    low: float | None
    high: float | None
    most: int
    quality: float | None


def random_cost(
    n: Ints, predicted: Ints, present: Ints, truth: Ints, n_classes: int, *, measure: Measure, seed: int
) -> RandomCost:
    """What labels by chance would have cost for the quality of the present model.

    `predicted` (orders x models x items) is what models say that were trained on the first `n` (ascending) labels by chance, which
    were put into several random orders; `present` is what the present model says of the same items. The estimate is read
    off a straight line between the logarithm of n and the log odds of the quality, models weighing by n². The band draws
    the items again, one of the orders, and the luck of the present model with its labels; it also takes in that line with weights n, and a power law through the
    models of a quarter of the labels or more: how a curve goes on is what is known least. The quality counts as reached
    within half an item, which is as near as the items can tell.
    """
    most = int(n.max(initial=0))
    if np.unique(n).size < LEAST_POINTS or truth.size < LEAST_ITEMS:
        return RandomCost(Reach.TOO_FEW, None, None, None, most, None)
    times, row = draw_items(truth.size, seed), 0 if measure is Measure.ACCURACY else 1
    every = np.array(
        [[accuracy_and_f1(times, truth, said, n_classes)[row] for said in order] for order in predicted]
    )
    drawn = every[np.arange(N_DRAWS + 1) % len(predicted), :, np.arange(N_DRAWS + 1)]
    drawn[0] = every[:, :, 0].mean(axis=0)
    now, least = accuracy_and_f1(times, truth, present, n_classes)[row], 0.5 / truth.size
    n_late = max(int(np.count_nonzero(4 * n >= most)), 2)
    late = np.arange(n.size)[-n_late:]
    now = now + _luck(every[:, late[:-1], 0], seed)
    a, b, c = _law(n[late], drawn[:, late])
    steep, even = (_on_log_odds(n, drawn, now, least, power) for power in (2, 1))
    room = np.maximum(a - now + least, _TINY)
    with np.errstate(over="ignore"):
        by_law = (b / room) ** (1 / c)
    limit = MOST_EXTRAPOLATED * most
    needed = np.clip(np.concatenate([steep, even[1:], by_law[1:]]), 1.0, 2 * limit)
    value = float(needed[0])
    low, high = np.quantile(needed[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    reach = Reach.INTERPOLATED if value <= most else Reach.EXTRAPOLATED
    return RandomCost(
        reach if value <= limit else Reach.BEYOND,
        _within(value, limit),
        _within(min(low, value), limit),
        _within(max(high, value), limit),
        most,
        float(now[0]),
    )


def _luck(quality: Floats, seed: int) -> Floats:
    """How far a model's quality is off by which labels it got, one number per draw, 0 in the first.

    They are drawn from what the models of several orders (orders x sizes) are off from their mean.
    """
    n_orders = len(quality)
    off = (quality - quality.mean(axis=0)) * np.sqrt(n_orders / max(n_orders - 1, 1))
    drawn = np.random.default_rng(seed).choice(off.ravel(), N_DRAWS + 1)
    drawn[0] = 0
    return drawn


def _on_log_odds(n: Ints, drawn: Floats, now: Floats, least: float, power: float) -> Floats:
    """Where the straight line of each draw reaches the present quality: a number of labels."""
    labels = n.astype(np.float64)
    start, slope = _line(np.log(labels), _log_odds(drawn, least), labels**power)
    with np.errstate(over="ignore"):
        found: Floats = np.exp((_log_odds(now, least) - start) / np.maximum(slope, 1e-3))
    return found


def _log_odds(share: Floats, least: float) -> Floats:
    inside = np.clip(share, least, 1 - least)
    return np.log(inside / (1 - inside))


def _within(value: float, limit: float) -> float | None:
    return float(value) if value <= limit else None


def prediction_kappa(before: Ints, after: Ints) -> float | None:
    """Cohen's kappa of the predictions of two models on the same items; 1 where both say one class of all.

    None without items.
    """
    if before.size == 0:
        return None
    k = int(max(before.max(), after.max())) + 1
    same = float(np.mean(before == after))
    shares = np.bincount(before, minlength=k) / before.size, np.bincount(after, minlength=k) / after.size
    chance = float(shares[0] @ shares[1])
    return 1.0 if chance > 1 - _TINY else (same - chance) / (1 - chance)


@dataclass(frozen=True, slots=True)
class StopHint:
    """Whether predictions have come to rest: the last kappas (newest last), and how many running are high enough."""

    stable: bool
    kappas: tuple[float, ...]
    running: int
    wanted: int
    threshold: float


def stop_hint(kappas: Sequence[float | None]) -> StopHint:
    """A hint to stop when three rounds running changed few predictions (kappa at least .98; Bloodgood and
    Vijay-Shanker 2009). `kappas` of all rounds, oldest first; a round without one (None) starts the count again.
    """
    running = 0
    for kappa in kappas:
        running = running + 1 if kappa is not None and kappa >= KAPPA else 0
    last = tuple(kappa for kappa in kappas[-ROUNDS:] if kappa is not None)
    return StopHint(running >= ROUNDS, last, running, ROUNDS, KAPPA)


def missing_gain(n_items: int) -> Figure:
    """The gain where there is no curve."""
    return Figure.missing(Reason.TOO_FEW_ITEMS, n_items=n_items)
