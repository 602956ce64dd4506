"""Rater equivalence: how many labelers the model is worth (Resnick, Kong, Schoenebeck and Weninger 2021).

Everything is held against one more person: the model, and the majority of k people. The k whose majority does as
well as the model is what it is worth.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import comb

from core.numerics.means import one_group
from core.numerics.references import PAIR, take_rows
from core.numerics.results import Figure
from core.numerics.table import Floats, Ints, Patterns, totals

_MOST_PEOPLE = 9  # the curve is nearly flat beyond, and few projects have so many answers
_DRAWS = 500
_COLLAPSED = 20  # resampling by pattern pays where items are so many times more than patterns


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What the majority of `k` people earns beside one more person; k = 0: a blind draw from the class shares."""

    k: int
    score: Figure


@dataclass(frozen=True, slots=True)
class WorthLabelers:
    """The number of people whose majority vote predicts one more person as well as the model does.

    `value` has no value beyond the data: then `more_than` is the largest number that the items could show, and an
    upper end of `ci` that is None lies beyond it, too. All are None where no item has a prediction and two answers.
    `score` is the model's, on the items of the `curve`.
    """

    value: float | None
    ci: tuple[float, float | None] | None
    more_than: int | None
    score: Figure
    curve: tuple[CurvePoint, ...]
    seed: int


def worth_labelers(patterns: Patterns, times: Ints, earned: Floats, seed: int) -> WorthLabelers:
    """How many labelers a model is worth.

    Row r of `patterns` (each of two answers or more) stands for `times[r]` items, on which `earned[r]` is the
    share of the people who said what the model said. The items are those with more answers than the
    curve has people; it goes as far as half of the items allow. Ties of a vote are shared, so an even number of
    people is worth no more than one fewer; the worth is read between 0, 1, 3, 5, … people. The interval draws
    items again `seed`ed, percentiles.
    """
    most = _people(patterns.size, times)
    kept = patterns.size > most if most else np.zeros(patterns.size.size, dtype=np.bool_)
    p, times, earned = take_rows(patterns, np.flatnonzero(kept)), times[kept], earned[kept]
    items = one_group(times.astype(np.float64), p.size * (p.size - 1) / 2)
    ones = np.ones(p.size.size)
    score = items.ratios(earned, ones)[0]
    if score.value is None:
        return WorthLabelers(None, None, None, score, (), seed)
    shares = p.per_class(times[p.row] * p.count / p.size[p.row]) / times.sum()
    columns = [p.per_row(p.count * shares[p.label]) / p.size]
    columns += [majority_scores(p, np.full(p.size.size, k)) for k in range(1, most + 1)]
    curve = tuple(CurvePoint(k, items.ratios(column, ones)[0]) for k, column in enumerate(columns))

    knots = np.array([0, *range(1, most + 1, 2)])
    table = np.stack([earned, *(columns[k] for k in knots)], axis=1)
    value = _read(times @ table / times.sum(), knots)
    drawn = [_read(means, knots) for means in _resampled(table, times, np.random.default_rng(seed))]
    low, high = np.quantile(drawn, (0.025, 0.975), method="inverted_cdf").tolist()
    last = int(knots[-1])
    several = int(times.sum()) > 1
    return WorthLabelers(
        value=value if np.isfinite(value) else None,
        ci=(min(low, float(last)), high if np.isfinite(high) else None) if several else None,
        more_than=None if np.isfinite(value) else last,
        score=score,
        curve=curve,
        seed=seed,
    )


def majority_scores(p: Patterns, voters: Ints) -> Floats:
    """Per pattern: how often the majority of `voters` of its people says what one of its other people says.

    The mean over all choices of the voters and of the other person; a tie of m classes gives each 1 / m. Voters
    must be at least 1 and fewer than the answers. Patterns with equal counts, of whatever classes, are one.
    """
    entries = np.bincount(p.row, minlength=p.size.size)
    width = int(entries.max(initial=1))
    counts = np.zeros((p.size.size, width), dtype=np.intp)
    starts = np.cumsum(entries) - entries
    counts[p.row, np.arange(p.row.size) - starts[p.row]] = p.count
    counts = -np.sort(-counts, axis=1)
    cases, place = np.unique(np.column_stack([voters, counts]), axis=0, return_inverse=True)
    scores = np.empty(len(cases))
    for k in np.unique(cases[:, 0]).tolist():
        chosen = cases[:, 0] == k
        scores[chosen] = _vote(cases[chosen, 1:], k)
    return scores[place.ravel()]


def _vote(counts: Ints, k: int) -> Floats:
    """The score of the majority of k answers drawn from each row of counts, beside one of the others.

    For each number v of votes to win with, the ways to draw so that no class has more than v are counted class by
    class: `ways[:, s, t]` with s answers drawn and t classes at v, `gain` the same weighted by the answers that
    the classes at v have left.
    """
    n = counts.sum(axis=1)
    score = np.zeros(len(counts))
    for v in range(1, k + 1):
        most_tied = min(k // v, counts.shape[1])
        ways = np.zeros((len(counts), k + 1, most_tied + 1))
        gain = np.zeros_like(ways)
        ways[:, 0, 0] = 1
        for column in counts.T:
            if not column.any():
                break
            more_ways, more_gain = np.zeros_like(ways), np.zeros_like(gain)
            for drawn in range(min(v, int(column.max())) + 1):
                times = comb(column, drawn)[:, None, None]
                wins = int(drawn == v)
                stay = slice(0, most_tied + 1 - wins)
                go = slice(wins, most_tied + 1)
                before, earned = ways[:, : k + 1 - drawn, stay], gain[:, : k + 1 - drawn, stay]
                left = (column - v)[:, None, None] * wins
                more_ways[:, drawn:, go] += times * before
                more_gain[:, drawn:, go] += times * (earned + left * before)
            ways, gain = more_ways, more_gain
        score += (gain[:, k, 1:] / np.arange(1, most_tied + 1)).sum(axis=1)
    shared: Floats = score / (comb(n, k) * (n - k))
    return shared


def _people(size: Ints, times: Ints) -> int:
    """The most people whose vote can be held against one more on half of the items; 0 without items."""
    several = size >= PAIR
    if not times[several].any():
        return 0
    by_size = totals(np.minimum(size[several] - 1, _MOST_PEOPLE), times[several], _MOST_PEOPLE + 1)
    at_least = by_size[::-1].cumsum()[::-1]
    return int(np.flatnonzero(2 * at_least >= at_least[0])[-1])


def _read(means: Floats, knots: Ints) -> float:
    """Where the rising curve means[1:] over the knots first reaches means[0]; infinite beyond its end."""
    curve = np.maximum.accumulate(means[1:])
    score = means[0] - 1e-12  # the same score is the same worth, whatever the rounding
    reached = int(np.searchsorted(curve, score))
    if reached == knots.size:
        return float("inf")
    if reached == 0:
        return 0.0
    low, high = curve[reached - 1], curve[reached]
    at = knots[reached - 1] + (knots[reached] - knots[reached - 1]) * (score - low) / (high - low)
    return float(at.round(9))


def _resampled(table: Floats, times: Ints, rng: np.random.Generator) -> Iterator[Floats]:
    """Column means of as many items drawn again, `_DRAWS` times."""
    n = int(times.sum())
    if times.size * _COLLAPSED < n:
        for drawn in rng.multinomial(n, times / n, size=_DRAWS):
            yield drawn @ table / n
        return
    row = np.repeat(np.arange(times.size), times)
    for _ in range(_DRAWS):
        yield totals(row[rng.integers(n, size=n)], None, times.size) @ table / n
