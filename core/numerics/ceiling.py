"""How well could anybody agree with these people? The noise ceiling, from below, from above, and as a posterior.

Every item has its own shares q of the answers that people would give. Always giving its likeliest answer agrees
with a random person on max q of the times, two random people agree on the sum of q² (see docs/hlp.md).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammainc, gammaln

from core.numerics.equivalence import majority_scores
from core.numerics.intervals import t_interval
from core.numerics.means import one_group
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Patterns

_TIGHTEST = 1000.0  # a concentration like this is no spread at all
_CLARITY = 1e-3  # how near to 0 and 1 the clarity comes
_GRID = 13
_REJECTED = (
    3.841458820694124  # twice the loss of log likelihood at which a value is rejected at 5 % (chi square)
)
_NEGLIGIBLE = 20.0
_NUDGE = 1e-3
_FREE_CLASSES = 8  # the most frequent classes, whose shares' own uncertainty enters the interval
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)
_TINY = 1e-300
_SMALL = 1e-9
_CHUNK = 1 << 15
_MIN_ITEMS = 2


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The agreement with a random person that nothing can exceed: the mean over items of the likeliest answer.

    `split_half` is a lower bound, `plug_in` an upper one, `posterior` the estimate between them. `posterior_pair`
    is the agreement of two people by the same model. `noise` is u: how much of the people's common ground is that
    they err about a class that is true (1), rather than a spread of their own on every item (0).
    """

    split_half: Figure
    posterior: Figure
    plug_in: Figure
    posterior_pair: Figure
    noise: float | None


def noise_ceiling(patterns: Patterns) -> Ceiling:
    """Bounds and posterior of the noise ceiling from the items with two answers or more.

    Split half: the majority of one half of an item's answers (the larger one; ties shared), held against the other
    half, the mean over all ways of halving. Plug-in: the largest share seen on the item, too high because it
    counts luck. Posterior: an item leans to one class, drawn from the class shares pi, and its q is
    Dirichlet(a (lambda · that class + (1 - lambda) pi)). What two people agree on beyond chance is
    r = (1 + a lambda²) / (1 + a); u = lambda² / r is the part of it that comes from leaning. With u = 0 this is the
    Dirichlet-multinomial model, with u = 1 people who err about a true class. pi is the
    mean share, r the likeliest one for each u, u has a uniform prior. The interval counts the items as a sample, r and pi as estimated from it, and reaches
    over every u that the answers do not reject: two answers per item reject none, three few.
    """
    p = patterns.overlapping()
    n_pairs = int(p.multiplicity @ (p.size * (p.size - 1) // 2))
    if p.n_items == 0:
        none = Figure.missing(Reason.NO_OVERLAP)
        return Ceiling(none, none, none, none, None)
    ones = np.ones(p.size.size)
    items = one_group(p.multiplicity.astype(np.float64), p.size * (p.size - 1) / 2)
    most = np.zeros(p.size.size, dtype=np.intp)
    np.maximum.at(most, p.row, p.count)
    shares = p.per_class(p.multiplicity[p.row] * p.count / p.size[p.row]) / p.n_items
    used = np.flatnonzero(shares)
    renumber = np.zeros(p.n_classes, dtype=np.intp)
    renumber[used] = np.arange(used.size)
    model = _Model(
        Patterns(p.multiplicity, p.size, p.row, renumber[p.label], p.count, used.size), shares[used]
    )
    posterior, pair, noise = _posterior(model, n_pairs, sure=bool((most == p.size).all()))
    return Ceiling(
        split_half=items.ratios(majority_scores(p, (p.size + 1) // 2), ones)[0],
        posterior=posterior,
        plug_in=items.ratios(most / p.size, ones)[0],
        posterior_pair=pair,
        noise=noise,
    )


@dataclass(frozen=True, eq=False)
class _Model:
    """Patterns of two answers or more, the classes in use only, and the shares pi of the classes."""

    p: Patterns
    pi: Floats

    @cached_property
    def agreement(self) -> Floats:
        """Of the pairs of a row."""
        agreement: Floats = self.p.per_row(self.p.count * (self.p.count - 1)) / (
            self.p.size * (self.p.size - 1)
        )
        return agreement

    @property
    def clarity(self) -> float:
        """r: what two people agree on beyond chance."""
        chance = float(self.pi @ self.pi)
        agreement = float(self.p.multiplicity @ self.agreement) / self.p.n_items
        return min(max((agreement - chance) / max(1 - chance, _SMALL), _CLARITY), 1 - _CLARITY)

    def parameters(self, r: float, u: float) -> tuple[float, Floats, Floats]:
        """a; and by class the parameter where the item leans elsewhere, and where it leans to this class."""
        leaning = np.sqrt(u * r)
        a = min((1 - r) / max(r * (1 - u), _SMALL), _TIGHTEST)
        low = a * (1 - leaning) * self.pi
        return a, low, low + a * leaning

    def likelihood(self, r: float, u: float) -> tuple[Floats, Floats, Floats]:
        """Log likelihood per row; per entry the probability that the item leans to its class; the rest per row."""
        a, low, high = self.parameters(r, u)
        p = self.p
        base = gammaln(low[p.label] + p.count) - gammaln(low[p.label])
        lean = gammaln(high[p.label] + p.count) - gammaln(high[p.label]) - base
        top = np.zeros(p.size.size)  # the log weight of leaning to a class that is not there
        np.maximum.at(top, p.row, lean)
        there = self.pi[p.label] * np.exp(lean - top[p.row])
        rest = np.maximum(1 - p.per_row(self.pi[p.label]), 0.0) * np.exp(-top)
        whole = p.per_row(there) + rest
        log = p.per_row(base) + top + np.log(whole) + gammaln(a) - gammaln(a + p.size)
        return log, there / whole[p.row], rest / whole

    def total(self, r: float, u: float) -> float:
        return float(self.p.multiplicity @ self.likelihood(r, u)[0])


def _posterior(model: _Model, n_pairs: int, *, sure: bool) -> tuple[Figure, Figure, float | None]:
    """Ceiling, pair and u; without an interval where nobody ever disagreed, as then nothing can be estimated."""
    n = model.p.n_items
    share = model.p.multiplicity / n
    points, clarity, log = _weigh(model)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    by_point = np.array([share @ _expectations(model, r, u) for u, r in zip(points, clarity, strict=True)])
    value, u, r = weight @ by_point, float(weight @ points), float(weight @ clarity)
    if n < _MIN_ITEMS or sure:
        ceiling, pair = (Figure.estimate(v, n_items=n, n_pairs=n_pairs) for v in value)
        return ceiling, pair, None
    influence = _influence(model, r, u)
    se = np.sqrt(model.p.multiplicity @ influence**2 / (n * (n - 1)))
    low, high = t_interval(value, se, n - 1, lower=-np.inf, upper=np.inf)
    possible = by_point[2 * (log.max() - log) <= _REJECTED]
    spread = weight @ (by_point - value) ** 2
    down = np.hypot(value - low, np.maximum(value - possible.min(axis=0), 0.0))
    up = np.hypot(high - value, np.maximum(possible.max(axis=0) - value, 0.0))
    ceiling, pair = (
        Figure.estimate(
            value[c],
            se=np.sqrt(se[c] ** 2 + spread[c]),
            ci=(max(value[c] - down[c], 0.0), min(value[c] + up[c], 1.0)),
            method=Method.POSTERIOR,
            n_items=n,
            n_pairs=n_pairs,
        )
        for c in range(2)
    )
    return ceiling, pair, u


def _weigh(model: _Model) -> tuple[Floats, Floats, Floats]:
    """Points of u, the likeliest r beside each, and the log likelihoods.

    The points are evenly spread over where the likelihood is, found in up to three looks.
    """
    low, high = 0.0, 1.0
    while True:
        points = np.linspace(low, high, _GRID)
        clarity, log = np.array([_likeliest(model, u) for u in points]).T
        kept = 2 * (log.max() - log) <= _NEGLIGIBLE
        near = np.flatnonzero(kept)
        if near.size > _GRID // 3 or high - low < _NUDGE:
            return points[kept], clarity[kept], log[kept]
        low, high = points[max(near[0] - 1, 0)], points[min(near[-1] + 1, _GRID - 1)]


def _likeliest(model: _Model, u: float) -> tuple[float, float]:
    """The r of the highest likelihood and that likelihood, by two steps on parabolas from the moment estimate."""
    r = model.clarity
    log = model.total(r, u)
    for _ in range(2):
        step = 0.02 * min(r, 1 - r)
        up, down = model.total(r + step, u), model.total(r - step, u)
        bend = 2 * log - up - down
        if bend <= 0:
            break
        moved = min(max(r + step * (up - down) / (2 * bend), r / 2, _CLARITY), (1 + r) / 2, 1 - _CLARITY)
        ahead = model.total(moved, u)
        if ahead <= log:
            break
        r, log = moved, ahead
    return r, log


def _influence(model: _Model, r: float, u: float) -> Floats:
    """What each row moves in the two expectations: by itself, and through r and pi (rows x 2)."""
    p, share = model.p, model.p.multiplicity / model.p.n_items
    rows = _expectations(model, r, u)
    value = share @ rows
    step = _NUDGE * min(r, 1 - r)
    by_clarity = share @ (_expectations(model, r + step, u) - _expectations(model, r - step, u)) / (2 * step)
    chance = float(model.pi @ model.pi)

    def through_shares(slope: Floats) -> Floats:
        """Sum over the classes of slope · (share in the row - pi)."""
        moved: Floats = p.per_row(p.count * slope[p.label]) / p.size - float(model.pi @ slope)
        return moved

    more_chance = 2 * through_shares(model.pi)
    clarity = (model.agreement - float(share @ model.agreement) - (1 - r) * more_chance) / max(
        1 - chance, _SMALL
    )
    slope = np.zeros((p.n_classes, 2))
    for k in np.argsort(-model.pi, kind="stable")[:_FREE_CLASSES]:
        nudged = model.pi.copy()
        nudged[k] *= 1 + _NUDGE
        other = _Model(p, nudged / nudged.sum())  # back to the sum 1: along pi itself the slope is none
        slope[k] = (share @ _expectations(other, r, u) - value) / (_NUDGE * model.pi[k])
    moved = np.stack([through_shares(column) for column in slope.T], axis=1)
    influence: Floats = rows - value + clarity[:, None] * by_clarity + moved
    return influence


def _expectations(model: _Model, r: float, u: float) -> Floats:
    """Rows x 2: the expected largest share and the expected sum of squared shares, given the counts of the row.

    Shares are gamma variables over their sum, which tells nothing about the shares; so the largest one is
    E[largest gamma] / (sum of parameters), and that expectation the integral over t of 1 minus the probability
    that all gammas are below t. On the scale of the root of t all gammas are equally wide, and one grid fits all.
    """
    p = model.p
    a, low, high = model.parameters(r, u)
    _, leaning, rest = model.likelihood(r, u)
    total = a + p.size
    panels = int(np.ceil(np.sqrt(total.max() + 12 * np.sqrt(total.max()) + 40)))
    root = (np.arange(panels)[:, None] + (_NODES + 1) / 2).ravel()
    weight = np.tile(_NODE_WEIGHTS / 2, panels) * 2 * root
    grid = root**2

    kinds, kind = np.unique(p.label * (int(p.count.max()) + 1) + p.count, return_inverse=True)
    label, count = kinds // (int(p.count.max()) + 1), kinds % (int(p.count.max()) + 1)
    absent = _log_below(low, grid)
    present = _log_below(low[label] + count, grid)
    change = present - absent[label]
    boosted = np.exp(_log_below(high[label] + count, grid) - present)  # if the item leans to this class
    elsewhere = model.pi[:, None] * np.exp(_log_below(high, grid) - absent)  # if it leans to one not there
    base, away = absent.sum(axis=0), elsewhere.sum(axis=0)
    hidden = 1 - p.per_row(model.pi[p.label])
    portion = np.where(hidden > _SMALL, rest / np.maximum(hidden, _SMALL), 0.0)

    entries = np.bincount(p.row, minlength=p.size.size)
    starts = np.cumsum(entries) - entries
    largest = np.empty(p.size.size)
    begin = 0
    while begin < p.size.size:  # so many rows at once as keep the tables small
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _CHUNK)))
        inside = slice(starts[begin], starts[end] if end < p.size.size else p.row.size)
        first, which = starts[begin:end] - starts[begin], kind[inside]
        below = np.exp(np.minimum(base + np.add.reduceat(change[which], first, axis=0), 0.0))
        mixed = np.add.reduceat(leaning[inside, None] * boosted[which], first, axis=0)
        others = np.maximum(away - np.add.reduceat(elsewhere[p.label[inside]], first, axis=0), 0.0)
        largest[begin:end] = (1 - below * (mixed + portion[begin:end, None] * others)) @ weight
        begin = end

    def squared(parameter: Floats) -> Floats:
        both: Floats = parameter * (parameter + 1)
        return both

    plain = squared(low).sum() + p.per_row(squared(low[p.label] + p.count) - squared(low[p.label]))
    gain = model.pi * (squared(high) - squared(low))
    unseen = portion * np.maximum(gain.sum() - p.per_row(gain[p.label]), 0.0)
    seen = p.per_row(leaning * (squared(high[p.label] + p.count) - squared(low[p.label] + p.count)))
    return np.stack(
        [np.minimum(largest / total, 1.0), (plain + unseen + seen) / (total * (total + 1))], axis=1
    )


def _log_below(shape: Floats, grid: Floats) -> Floats:
    """Log of the probability that a gamma variable of this shape is below each point of the grid."""
    below: Floats = np.log(np.maximum(gammainc(shape[:, None], grid), _TINY))
    return below
