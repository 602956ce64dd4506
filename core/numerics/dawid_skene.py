"""Who is right how often, and what each item therefore is: Dawid and Skene's model of many labelers, by EM.

Dawid and Skene (1979), Applied Statistics 28: every item has one true class z, drawn with shares p; annotator j
says y with probability theta_j[z, y], independently of everybody else. The one-coin model has one accuracy per
annotator, and spreads errors evenly over the other classes. Both may lean on what all annotators have in common.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.special import betaincinv

from core.numerics.intervals import LEVEL
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints, LabelTable, condense, totals

TOLERANCE = 1e-7  # change of the log-likelihood per answer at which the model has settled
MOST_ITERATIONS = 500
# How many answers of the average annotator everybody is credited with.
SMOOTHING = 4.0
# The average annotator before anybody has answered: right so often, as sure as so many answers (of each class).
_GUESS, _GUESS_WEIGHT = 0.7, 2.0

_CHUNK_ITEMS = (
    1 << 14
)  # items whose posterior stays in the processor's cache between the two halves of a step
_QUIET = 2  # so many quiet steps end EM: with smoothing the likelihood may turn, and stand still for one
_JEFFREYS = 0.5
_TINY = 1e-300
_NEVER = 1e-200  # expected answers below this are none
_LOST = 1e-250  # below this the exponentials of an item are computed again, from its largest


class Model(StrEnum):
    """What is learnt of every annotator."""

    DAWID_SKENE = "dawid_skene"  # a whole confusion matrix
    ONE_COIN = "one_coin"  # one accuracy


@dataclass(frozen=True, eq=False)
class CrowdModel:
    """A fitted model, and the answers that it rests on.

    Rows of `posterior` (items x classes, each summing to 1) are the items of `item` (codes, ascending); `shares`
    are those of the classes. `annotator` are the codes of those who answered, ascending. `pair_annotator` (a place
    in `annotator`) and `pair_label` say which (annotator, label) occur; `pair_theta[q, z]` is the probability of
    that label from that annotator where z is true, `pair_counts[q, z]` the expected number of such answers.
    `given[j, z]` is the expected number of answers of an annotator where z is true. `average[z, y]` is the confusion of all annotators together. `log_likelihood` is of the
    answers (the class shares enter once per item, priors do not).
    """

    kind: Model
    smoothing: float
    table: LabelTable
    item: Ints
    posterior: Floats
    shares: Floats
    annotator: Ints
    pair_annotator: Ints
    pair_label: Ints
    pair_theta: Floats
    pair_counts: Floats
    given: Floats
    average: Floats
    log_likelihood: float
    iterations: int
    converged: bool

    @cached_property
    def confidence(self) -> Floats:
        """The probability of the most probable class of every row."""
        best: Floats = self.posterior.max(axis=1, initial=0.0)
        return best

    @cached_property
    def accuracy(self) -> Floats:
        """How often each annotator is right, under the shares of the classes.

        The smoothing of a confusion is spread over its rows here: with so many answers of the average annotator for
        every class, people would be drawn too close together.
        """
        k = self.average.shape[0]
        hits = np.zeros_like(self.given)
        own = np.arange(self.pair_label.size)
        hits[self.pair_annotator, self.pair_label] = self.pair_counts[own, self.pair_label]
        if self.kind is Model.ONE_COIN:
            right = hits.sum(axis=1) + self.smoothing * self.average[0, 0]
            accuracy: Floats = right / np.maximum(self.given.sum(axis=1) + self.smoothing, _TINY)
            return np.minimum(accuracy, 1.0)
        smoothing = self.smoothing / k
        right = hits + smoothing * np.diag(self.average)
        theta = np.where(
            self.given + smoothing > _NEVER, right / np.maximum(self.given + smoothing, _TINY), 1 / k
        )
        accuracy = theta @ self.shares
        return np.minimum(accuracy, 1.0)

    def expected(self, place: int) -> Floats:
        """Expected answers of one annotator (a place in `annotator`): true class x label."""
        k = self.average.shape[0]
        counts = np.zeros((k, k))
        first, last = np.searchsorted(self.pair_annotator, [place, place + 1])
        counts[:, self.pair_label[first:last]] = self.pair_counts[first:last].T
        return counts

    def confusion(self, place: int) -> Floats:
        """The theta of one annotator (a place in `annotator`): true class x label, rows summing to 1."""
        k = self.average.shape[0]
        return _theta(self, np.full(k, place), np.arange(k)).T


def fit_dawid_skene(
    table: LabelTable,
    kind: Model = Model.DAWID_SKENE,
    *,
    smoothing: float = SMOOTHING,
    tolerance: float = TOLERANCE,
    most_iterations: int = MOST_ITERATIONS,
    start: CrowdModel | None = None,
) -> CrowdModel:
    """Fit a model by EM, from the shares of the answers of every item, or from what `start` has learnt.

    `smoothing` is in answers: so many of the average annotator (whose confusion is learnt, too) are added to
    those of each annotator, per true class in the full model, once in the one-coin model; 0 is the maximum
    likelihood of the paper. EM ends when the log-likelihood per answer has changed by `tolerance` or less twice.
    Nothing depends on the order of rows, or on how classes, items and annotators are numbered.

    `start` is a model of the same kind, classes and annotator codes, fitted to fewer, more or other answers;
    annotators whom it does not know start as the average one. Where little has changed a few steps are enough.
    """
    answers = _Answers(table)
    if start is None:
        counts, sums = answers.from_votes()
    else:
        counts, sums, _, _ = answers.step(_theta_of(start, answers), start.shares)
    return _climb(answers, kind, smoothing, counts, sums, tolerance, most_iterations)


def update(
    model: CrowdModel,
    new: LabelTable,
    *,
    tolerance: float = TOLERANCE,
    most_iterations: int = MOST_ITERATIONS,
) -> CrowdModel:
    """The model with further answers (codes as in `model.table`): EM goes on from what it has learnt.

    The result is that of a full fit up to the tolerance, as long as both climb the same hill.
    """
    old = model.table
    table = LabelTable(
        np.concatenate([old.item, new.item]),
        np.concatenate([old.annotator, new.annotator]),
        np.concatenate([old.label, new.label]),
        old.n_classes,
        old.values,
    )
    return fit_dawid_skene(
        table,
        model.kind,
        smoothing=model.smoothing,
        tolerance=tolerance,
        most_iterations=most_iterations,
        start=model if len(old) else None,
    )


def judge(model: CrowdModel, table: LabelTable) -> tuple[Ints, Floats]:
    """Items of a table (codes, ascending) and their posteriors under a model that was fitted to other answers.

    Annotators whom the model does not know count as the average one; it takes one pass.
    """
    answers = _Answers(table)
    _, _, _, posterior = answers.step(_theta_of(model, answers), model.shares, keep=True)
    return answers.item, posterior


def _theta_of(model: CrowdModel, answers: "_Answers") -> Floats:
    """What the model expects of the (annotator, label) pairs of other answers."""
    place = np.searchsorted(model.annotator, answers.annotator)
    place = np.minimum(place, max(model.annotator.size - 1, 0))
    known = model.annotator[place] == answers.annotator if model.annotator.size else np.zeros(0, np.bool_)
    place = np.where(known, place, -1) if known.size else np.full(answers.annotator.size, -1)
    return _theta(model, place[answers.pair_annotator], answers.pair_label)


def _theta(model: CrowdModel, annotator: Ints, label: Ints) -> Floats:
    """What (place of an annotator, or -1 for an unknown one; label) pairs mean: theta, a row of true classes each."""
    k = model.average.shape[0]
    theta: Floats = model.average.T[label].copy()
    known = annotator >= 0
    mine, said = annotator[known], label[known]
    if model.kind is Model.ONE_COIN:
        theta[known] = _coins(model.accuracy[mine], said, k)
        return theta
    keys = model.pair_annotator * k + model.pair_label
    wanted = mine * k + said
    place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1) if keys.size else wanted
    counts = np.where((keys[place] == wanted)[:, None], model.pair_counts[place], 0.0)
    given = model.given[mine] + model.smoothing
    learnt = (counts + model.smoothing * theta[known]) / np.maximum(given, _TINY)
    theta[known] = np.where(given > _NEVER, learnt, 1 / k)
    return theta


def competence(model: CrowdModel) -> list[Figure]:
    """How often each annotator (of `model.annotator`) is right: the diagonal of theta under the class shares.

    The interval is that of a Beta posterior (Jeffreys) with as many answers as tell of the annotator: were the
    true classes known, n answers would give the information n / (a (1 - a)) on an accuracy a; not knowing them
    costs sum t (1 - t) / (a (1 - a))^2, t being the posterior that an answer is right (Louis 1982). What the
    uncertainty about the other annotators adds is left out. `n_items` are the answers of the annotator, `n_pairs`
    their pairs with answers of others; without such pairs there is no figure.
    """
    table, n_annotators = model.table, model.annotator.size
    if n_annotators == 0:
        return []
    person = np.searchsorted(model.annotator, table.annotator)
    right = model.posterior[np.searchsorted(model.item, table.item), table.label]
    n = totals(person, None, n_annotators)
    hidden = totals(person, right * (1 - right), n_annotators)
    value = model.accuracy
    told = n * value * (1 - value)
    n_telling = n * (1 - np.clip(hidden / np.maximum(told, _TINY), 0, 1))
    hits, misses = value * n_telling + _JEFFREYS, (1 - value) * n_telling + _JEFFREYS
    low = np.minimum(betaincinv(hits, misses, (1 - LEVEL) / 2), value)
    high = np.maximum(betaincinv(hits, misses, (1 + LEVEL) / 2), value)
    se = np.sqrt(hits * misses / (hits + misses + 1)) / (hits + misses)
    pairs = totals(person, table.sizes[table.item] - 1, n_annotators) - _pairs_with_oneself(table, person)
    reason = None
    if n_annotators == 1:
        reason = Reason.ONE_ANNOTATOR
    elif np.unique(table.label).size == 1:
        reason = Reason.ONE_CLASS
    return [
        Figure.missing(reason or Reason.NO_OVERLAP, n_items=int(count), n_pairs=int(n_pairs))
        if reason or n_pairs == 0
        else Figure.estimate(
            figure,
            se=spread,
            ci=(low_end, high_end),
            method=Method.POSTERIOR,
            n_items=int(count),
            n_pairs=int(n_pairs),
        )
        for figure, spread, low_end, high_end, count, n_pairs in zip(
            *(column.tolist() for column in (value, se, low, high, n, pairs)), strict=True
        )
    ]


def _pairs_with_oneself(table: LabelTable, person: Ints) -> Floats:
    """How often an answer of each person stands beside another of theirs on the same item."""
    n_people = int(person.max(initial=-1)) + 1
    _, place = condense(table.item * n_people + person)
    again = np.bincount(place) - 1
    return totals(person, again[place], n_people)


def _climb(  # noqa: PLR0917 -- the whole state of EM
    answers: "_Answers",
    kind: Model,
    smoothing: float,
    counts: Floats,
    sums: Floats,
    tolerance: float,
    most_iterations: int,
) -> CrowdModel:
    before, done, quiet = -np.inf, 0, 0
    theta, shares, _, _ = answers.maximise(kind, smoothing, counts, sums)
    enough = tolerance * len(answers.table)
    while done < most_iterations and quiet < _QUIET:
        counts, sums, likelihood, _ = answers.step(theta, shares)
        theta, shares, _, _ = answers.maximise(kind, smoothing, counts, sums)
        quiet = quiet + 1 if abs(likelihood - before) <= enough else 0
        before, done = likelihood, done + 1
    counts, sums, likelihood, posterior = answers.step(theta, shares, keep=True)
    theta, shares, average, given = answers.maximise(kind, smoothing, counts, sums)
    return CrowdModel(
        kind=kind,
        smoothing=smoothing,
        table=answers.table,
        item=answers.item,
        posterior=posterior,
        shares=shares,
        annotator=answers.annotator,
        pair_annotator=answers.pair_annotator,
        pair_label=answers.pair_label,
        pair_theta=theta,
        pair_counts=counts,
        given=given,
        average=average,
        log_likelihood=likelihood,
        iterations=done,
        converged=quiet >= _QUIET,
    )


@dataclass(frozen=True, eq=False)
class _Chunk:
    """The answers to some items: a matrix of items x pairs, those of `pairs` (all, or as many as occur here)."""

    matrix: csr_array
    pairs: Ints | slice
    sizes: Ints

    @classmethod
    def of(cls, pair: Ints, sizes: Ints, n_pairs: int) -> "_Chunk":
        """From the pair of every answer, ordered by item, and the number of answers of every item."""
        pairs: Ints | slice = slice(None)
        n_here = n_pairs
        if n_pairs > pair.size:  # many people: nothing that grows with all of them in every chunk
            distinct, pair = condense(pair)
            pairs, n_here = distinct.astype(np.intp, copy=False), distinct.size
        starts = np.concatenate([[0], np.cumsum(sizes)])
        parts = (np.ones(pair.size), pair.astype(np.int32), starts.astype(np.int32))
        return cls(csr_array(parts, shape=(sizes.size, n_here)), pairs, sizes)


class _Answers:
    """The answers as a sparse matrix, items x (annotator, label) pairs that occur, in chunks of items.

    No item x annotator x class: one step is a product of the matrix with pairs x classes (what each answer says
    of each class), and one of its transpose with the posteriors (how often each pair went with each class).
    """

    def __init__(self, table: LabelTable) -> None:
        self.table = table
        k = self.k = max(table.n_classes, 1)
        keys, pair = condense(table.by_item(table.annotator) * k + table.by_item(table.label))
        self.pair_label = (keys % k).astype(np.intp)
        self.annotator, self.pair_annotator = condense(keys // k)
        self.annotator = self.annotator.astype(np.intp)
        self.item = np.flatnonzero(table.sizes)
        self.n_pairs = keys.size
        self.n_of_pair = totals(pair, None, keys.size)
        weights = 1 / np.maximum(table.sizes, 1)[table.item]
        self.vote_shares = totals(table.label, weights, self.k) / max(self.item.size, 1)
        ends = np.concatenate([[0], np.cumsum(table.sizes[self.item])])
        self.chunks = [
            _Chunk.of(pair[ends[first] : ends[last]], np.diff(ends[first : last + 1]), keys.size)
            for first in range(0, self.item.size, _CHUNK_ITEMS)
            for last in [min(first + _CHUNK_ITEMS, self.item.size)]
        ]

    def from_votes(self) -> tuple[Floats, Floats]:
        """Expected counts where every item is each class to the share of its answers."""
        one_hot = np.zeros((self.n_pairs, self.k))
        one_hot[np.arange(self.n_pairs), self.pair_label] = 1
        counts, sums = np.zeros((self.n_pairs, self.k)), np.zeros(self.k)
        for chunk in self.chunks:
            shares = chunk.matrix @ one_hot[chunk.pairs]
            shares /= chunk.sizes[:, None]
            counts[chunk.pairs] += chunk.matrix.T @ shares
            sums += shares.sum(axis=0)
        return counts, sums

    def step(
        self, theta: Floats, shares: Floats, *, keep: bool = False
    ) -> tuple[Floats, Floats, float, Floats]:
        """Posteriors under these parameters, summed by pair and class and by class; the log-likelihood."""
        said = np.log(np.maximum(theta, _TINY))
        most = said.max(
            axis=1, initial=-np.inf
        )  # taken out so that exponentials need no search for the largest
        said -= most[:, None]
        prior = np.log(np.maximum(shares, _TINY))
        counts, sums = np.zeros((self.n_pairs, self.k)), np.zeros(self.k)
        likelihood = float(self.n_of_pair @ most)
        kept = []
        ones = np.ones(self.k)
        for chunk, posterior in self._exponents(said, prior):
            np.exp(posterior, out=posterior)
            total = posterior @ ones
            lost = np.flatnonzero(total < _LOST)
            if lost.size:
                logs = chunk.matrix[lost] @ said[chunk.pairs] + prior
                largest = logs.max(axis=1)
                posterior[lost] = np.exp(logs - largest[:, None])
                total[lost] = posterior[lost].sum(axis=1)
                likelihood += float(largest.sum())
            np.divide(posterior, total[:, None], out=posterior)
            likelihood += float(np.log(total).sum())
            counts[chunk.pairs] += chunk.matrix.T @ posterior
            sums += np.ones(total.size) @ posterior
            if keep:
                kept.append(posterior)
        stacked = np.concatenate(kept) if kept else np.empty((0, self.k))
        return counts, sums, likelihood, stacked

    def _exponents(self, said: Floats, prior: Floats) -> Iterator[tuple[_Chunk, Floats]]:
        for chunk in self.chunks:
            logs = chunk.matrix @ said[chunk.pairs]
            logs += prior
            yield chunk, logs

    def maximise(
        self, kind: Model, smoothing: float, counts: Floats, sums: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Parameters: theta of pairs, class shares, the average confusion, answers by annotator and class."""
        k = self.k
        cell = (self.pair_annotator[:, None] * k + np.arange(k)).ravel()
        given = totals(cell, counts.ravel(), self.annotator.size * k).reshape(-1, k)
        cell = (self.pair_label[:, None] * k + np.arange(k)).ravel()
        together = totals(cell, counts.ravel(), k * k).reshape(k, k).T  # true class x label
        weight = _GUESS_WEIGHT if smoothing else 0.0
        if kind is Model.ONE_COIN:
            right = np.trace(together) + weight * _GUESS
            average = _coin(float(right / max(together.sum() + weight, _TINY)), k)
            accuracy = self._accuracy(smoothing, counts, given, average)
            # Learnt with the accuracies, the shares may run to a single class where items have few answers.
            return _coins(accuracy[self.pair_annotator], self.pair_label, k), self.vote_shares, average, given
        average = _rows(together + weight * _coin(_GUESS, k))
        most = (given + smoothing)[self.pair_annotator]
        theta = (counts + smoothing * average.T[self.pair_label]) / np.maximum(most, _TINY)
        shares = sums / max(float(sums.sum()), _TINY)
        return np.where(most > _NEVER, theta, 1 / k), shares, average, given

    def _accuracy(self, smoothing: float, counts: Floats, given: Floats, average: Floats) -> Floats:
        hits = counts[np.arange(self.n_pairs), self.pair_label]
        right = totals(self.pair_annotator, hits, self.annotator.size)
        accuracy: Floats = (right + smoothing * average[0, 0]) / np.maximum(
            given.sum(axis=1) + smoothing, _TINY
        )
        return accuracy


def _coin(accuracy: float, k: int) -> Floats:
    """The confusion of somebody with this accuracy, whose errors are spread evenly."""
    theta = np.full((k, k), (1 - accuracy) / max(k - 1, 1))
    np.fill_diagonal(theta, accuracy if k > 1 else 1.0)
    return theta


def _coins(accuracy: Floats, label: Ints, k: int) -> Floats:
    """What answers of people with these accuracies say of every class: one row each."""
    theta = np.repeat(((1 - accuracy) / max(k - 1, 1))[:, None], k, axis=1)
    theta[np.arange(label.size), label] = accuracy if k > 1 else 1.0
    return theta


def _rows(counts: Floats) -> Floats:
    """Counts as shares of their rows; a row of none is even."""
    given = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.where(given > _NEVER, counts / np.maximum(given, _TINY), 1 / counts.shape[1])
    return shares
