"""What disagreement costs: which items are worth settling, and which classes and people it comes from.

Everything is counted in answers that would be otherwise, so that the lists can be read side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import gammaln, logsumexp, ndtr

from core.numerics.dawid_skene import CrowdModel
from core.numerics.intervals import wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import (
    Bools,
    Floats,
    Ints,
    KeyCounter,
    LabelTable,
    Patterns,
    condense,
    find_patterns,
    pairs_within,
    totals,
)

MOST_PAIRS = 50  # pairs of classes that are looked at closely, those with most confused answers
_PAIR = 2
_Z95 = 1.959963984540054
LEAST_APART = 0.1  # classes that people tell apart are called right this much more often than half the time
_GRID = 25  # points of a probability that is integrated over
_FINE = 401
_TINY = 1e-12


# --- Items --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SettlingValues:
    """What settling each item is worth, one entry per item code; 0 where nobody differs and everybody could tell.

    `split` is the share of an item's pairs of answers that differ.
    """

    value: Floats
    split: Floats


def settling_values(table: LabelTable, uncertain: Bools, reliability: Floats) -> SettlingValues:
    """The expected value of settling every item: disagreement x share x confidence, over its pairs of answers.

    value(i) = mean over the pairs (j, k) of answers of i of  differ(j, k) * share(y_j, y_k) * r_j * r_k

    - differ: 1 where the two answers are not the same, or one of them says "I cannot tell" (`uncertain`, by label);
    - share: how much of all disagreement is between these two answers, every item weighing the same, so that an item
      whose settling speaks for many others comes first;
    - r: how far each of the two people can be relied on (`reliability`, by annotator code): a difference between two
      good annotators says more about the item than one with somebody who guesses.

    A single answer is a pair with itself: it counts where it is uncertain.
    """
    size = table.sizes.size
    n_pairs = np.maximum(table.sizes * (table.sizes - 1) // 2, 1)
    item, label, person = (table.by_item(column) for column in (table.item, table.label, table.annotator))
    alone = np.flatnonzero((table.sizes[item] == 1) & uncertain[label]) if len(table) else item
    k = table.n_classes
    shares = KeyCounter(k * k, len(table))
    split = totals(item[alone], None, size)
    shares.add(label[alone] * k + label[alone], np.ones(alone.size))
    for first, second in _pairs(table):
        differ, key = _differing(label, uncertain, k, first, second)
        weight = 1 / n_pairs[item[first[differ]]]
        shares.add(key[differ], weight)
        split += totals(item[first[differ]], weight, size)
    keys, weights = shares.result()
    share = weights / max(float(weights.sum()), _TINY)
    lonely = label[alone] * k + label[alone]
    value = totals(item[alone], _looked_up(keys, share, lonely) * reliability[person[alone]] ** 2, size)
    for first, second in _pairs(table):
        differ, key = _differing(label, uncertain, k, first, second)
        a, b = first[differ], second[differ]
        worth = _looked_up(keys, share, key[differ]) * reliability[person[a]] * reliability[person[b]]
        value += totals(item[a], worth / n_pairs[item[a]], size)
    return SettlingValues(value, split)


def pair_reliability(table: LabelTable) -> Floats:
    """How often each annotator (by code) says the same as others on the same items; half where nothing is known.

    For answers that no model of the annotators is fitted to. One agreeing and one differing pair are added.
    """
    size = int(table.annotator.max(initial=-1)) + 1
    label, person = table.by_item(table.label), table.by_item(table.annotator)
    same, pairs = np.ones(size), np.full(size, 2.0)
    for first, second in _pairs(table):
        equal = (label[first] == label[second]).astype(np.float64)
        for side in (first, second):
            same += totals(person[side], equal, size)
            pairs += totals(person[side], None, size)
    return np.asarray(same / pairs)


def _pairs(table: LabelTable) -> Iterator[tuple[Ints, Ints]]:
    return pairs_within(np.arange(len(table)), table.sizes[table.sizes > 0])


def _differing(label: Ints, uncertain: Bools, k: int, first: Ints, second: Ints) -> tuple[Bools, Ints]:
    """Which pairs differ, and the key of the two labels whatever their order."""
    a, b = label[first], label[second]
    return (a != b) | uncertain[a], np.minimum(a, b) * k + np.maximum(a, b)


def _looked_up(keys: Ints, values: Floats, wanted: Ints) -> Floats:
    return values[np.searchsorted(keys, wanted)] if keys.size else np.zeros(wanted.size)


# --- Pairs of classes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PairCost:
    """Two classes that are confused with each other.

    `confused` answers gave the one where the other is meant, `expected` of them by the errors that the same people
    make elsewhere. `told_apart` is the probability that people can tell the two apart at all. `cost` is what a rule
    would mend, `coin_cost` what it would not: (confused - expected) x P(more than by chance) x the probability of
    either. `rate` is the share of the answers to items of the two classes that are confused.
    """

    a: int
    b: int
    confused: float
    expected: float
    told_apart: float
    cost: float
    coin_cost: float
    rate: Figure


def pair_costs(model: CrowdModel) -> list[PairCost]:
    """Pairs of classes by how many answers they cost beyond people's own error rates, the most first.

    By a fitted model of the annotators: N_j(z, y) is the expected number of answers y that person j gave where z is
    true. confused(a, b) = sum over j of N_j(a, b) + N_j(b, a). Expected is what j's errors at all other pairs of
    classes come to, spread evenly over these. The difference counts with Phi(difference / sqrt(confused)).
    """
    k = model.average.shape[0]
    cells = np.zeros((k, k))
    np.add.at(cells.T, model.pair_label, model.pair_counts)
    both = np.triu(cells + cells.T, 1)
    order = np.argsort(-both, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [(int(key) // k, int(key) % k) for key in order.tolist() if both.flat[key] > 0]
    errors, patterns = _errors(model), find_patterns(model.table).patterns
    found = [_pair_cost(model, errors, patterns, a, b) for a, b in pairs]
    return sorted(found, key=lambda one: (-one.cost, -one.confused, one.a, one.b))


def _errors(model: CrowdModel) -> Floats:
    """The expected number of wrong answers of every person (a place in `model.annotator`)."""
    own = np.arange(model.pair_label.size)
    hits = totals(model.pair_annotator, model.pair_counts[own, model.pair_label], model.annotator.size)
    wrong: Floats = np.maximum(model.given.sum(axis=1) - hits, 0)
    return wrong


def _pair_cost(model: CrowdModel, errors: Floats, patterns: Patterns, a: int, b: int) -> PairCost:
    k, size = model.average.shape[0], model.annotator.size
    said_a, said_b = model.pair_label == a, model.pair_label == b
    mine = totals(model.pair_annotator[said_a], model.pair_counts[said_a, b], size)
    mine += totals(model.pair_annotator[said_b], model.pair_counts[said_b, a], size)
    here = model.given[:, a] + model.given[:, b]
    elsewhere = model.given.sum(axis=1) * (k - 1) - here
    per_cell = np.maximum(errors - mine, 0) / np.maximum(elsewhere, 1)
    confused, expected = float(mine.sum()), float((per_cell * here).sum())
    excess = confused - expected
    sure = float(ndtr(excess / sqrt(max(confused, _TINY))))
    told = told_apart(patterns, a, b)
    n = float(here.sum())
    return PairCost(
        a=a,
        b=b,
        confused=confused,
        expected=expected,
        told_apart=told,
        cost=excess * sure * told,
        coin_cost=excess * sure * (1 - told),
        rate=_rate(confused, n),
    )


def _rate(hits: float, n: float) -> Figure:
    if n < _PAIR:
        return Figure.missing(Reason.TOO_FEW_ITEMS, n_items=int(n))
    share = min(hits / n, 1.0)
    return Figure.estimate(
        share,
        se=sqrt(share * (1 - share) / n),
        ci=wilson_interval(share, n),
        method=Method.WILSON,
        n_items=round(n),
        n_pairs=round(n),
    )


def told_apart(patterns: Patterns, a: int, b: int) -> float:
    """The posterior probability that people can tell two classes apart, from the answers to the items of the two.

    Of two accounts of how many of an item's n answers say a: one chance q for all items (nobody can tell: the classes
    are drawn), against two kinds of items, of which one is called a with a chance of at least 1/2 and the other with
    one of at most 1/2. Both are integrated over uniform priors, and are equally likely before. Items count where most
    answers, two at least, say a or b.
    """
    size = patterns.size.size
    said_a, said_b = patterns.label == a, patterns.label == b
    x = totals(patterns.row[said_a], patterns.count[said_a], size)
    n = x + totals(patterns.row[said_b], patterns.count[said_b], size)
    telling = (n >= _PAIR) & (2 * n > patterns.size)
    if not telling.any():
        return 0.5
    x, n, times = x[telling], n[telling], patterns.multiplicity[telling]
    ways = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    fine = _points(0, 1, _FINE)
    drawn = logsumexp((_binomial(x, n, fine) + ways) @ times) - np.log(_FINE)
    high = np.exp(_binomial(x, n, _points(0.5 + LEAST_APART, 1, _GRID)) + ways)
    low = np.exp(_binomial(x, n, _points(0, 0.5 - LEAST_APART, _GRID)) + ways)
    share = _points(0, 1, _GRID)[:, None, None, None]
    mixed = share * high[None, :, None, :] + (1 - share) * low[None, None, :, :]
    two_kinds = logsumexp(np.log(mixed) @ times) - np.log(_GRID**3)
    return float(1 / (1 + np.exp(np.clip(drawn - two_kinds, -500, 500))))


def _points(low: float, high: float, n: int) -> Floats:
    """The middles of n equal stretches."""
    return low + (high - low) * (np.arange(n) + 0.5) / n


def _binomial(x: Floats, n: Floats, p: Floats) -> Floats:
    """Log-likelihoods up to the binomial coefficient: chances x patterns."""
    found: Floats = np.log(p)[:, None] * x + np.log1p(-p)[:, None] * (n - x)
    return found


# --- People -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonCost:
    """A person (a place in `model.annotator`) whose answers are wrong more often than others' on the same items.

    `excess` counts those answers; `cost` is excess x P(excess > 0); `rate` is the excess per answer that stands
    beside others'.
    """

    place: int
    excess: float
    cost: float
    rate: Figure


def people_costs(model: CrowdModel) -> list[PersonCost]:
    """People by how many answers they cost, the most first, whatever items they happened to get.

    Of three answers or more to an item, each is held against the others: d is the share of the others that differ from
    it, D its mean over the item, and the excess is (d - D) n / (n - 2), 1 for an answer that stands alone against all
    others. Of two answers, 1 - the posterior of its class by the model is held against that of the other. So items on
    which everybody differs (hard ones, or of two classes that nobody can tell apart) count against nobody. The
    interval takes items as independent.
    """
    table, k = model.table, model.average.shape[0]
    row = np.searchsorted(model.item, table.item)
    n = table.sizes[table.item]
    _, cell = condense(table.item * k + table.label)
    alike = np.bincount(cell)[cell] if cell.size else cell
    differs = (n - alike) / np.maximum(n - 1, 1)
    doubt = 1 - model.posterior[row, table.label]
    wrong = np.where(n > _PAIR, differs, doubt)
    mean = (totals(row, wrong, model.item.size) / np.maximum(table.sizes[model.item], 1))[row]
    beside = n > 1
    scale = np.where(n > _PAIR, n / np.maximum(n - _PAIR, 1), n / np.maximum(n - 1, 1))
    delta = ((wrong - mean) * scale)[beside]
    person = np.searchsorted(model.annotator, table.annotator[beside])
    size = model.annotator.size
    count, excess = totals(person, None, size), totals(person, delta, size)
    spread = np.sqrt(totals(person, delta**2, size))
    sure = ndtr(excess / np.maximum(spread, _TINY))
    found = [
        PersonCost(
            place=place,
            excess=float(excess[place]),
            cost=float(excess[place] * sure[place]),
            rate=_excess_rate(float(excess[place]), float(spread[place]), int(count[place])),
        )
        for place in range(size)
    ]
    return sorted(found, key=lambda one: (-one.cost, one.place))


def _excess_rate(excess: float, spread: float, n: int) -> Figure:
    if n < _PAIR:
        return Figure.missing(Reason.NO_OVERLAP, n_items=n)
    value, se = excess / n, spread / n
    ci = (max(value - _Z95 * se, -1.0), min(value + _Z95 * se, 1.0))
    return Figure.estimate(value, se=se, ci=ci, method=Method.PAIRED_ITEMS, n_items=n, n_pairs=n)
