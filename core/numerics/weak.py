"""Labels by functions that vote for a class or are silent: what they cover, where they conflict, and what the items
therefore are.

The label model is Dawid and Skene's (1979, Applied Statistics 28) with functions in place of people and the shares of
the classes given. One thing differs, because functions are silent by rule, not by chance: most of them know only one
class, so what they say when they speak tells nothing about them, and that they speak tells everything. Speaking is
therefore part of the model (as in Ratner et al. 2020, VLDB Journal 29). A vote q for class y is cast on a share r of
all items and is right with probability a; on items of class y it is cast with probability r a / p(y), on the others
with r (1 - a) / (1 - p(y)), and independently of the other functions. EM learns every a; no label is needed.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from core.numerics.intervals import t_interval, wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, totals

SMOOTHING = 4.0  # votes of the average function that every function is credited with
TOLERANCE = 1e-4
MOST_ITERATIONS = 200
MOST_PATTERNS = 20_000  # the most frequent ones, from which the model is learnt
_GUESS, _GUESS_WEIGHT = 0.7, 2.0  # the average function before any evidence: its votes that are right
_LARGEST_LIFT = 1e6
_EDGE = 1e-4
_MOST_CERTAIN = 1 - 1e-3
_SAME = 1e-9  # scores closer than this tie
_PAIR = 2


@dataclass(frozen=True, eq=False)
class Votes:
    """One row per vote: which `function` votes for which class (`label`) on which `item`, as codes from 0 up.

    A function votes at most once on an item. `n_items` is the number of items that the functions looked at,
    whether or not any of them voted there. Raises ValueError where the arrays do not fit together.
    """

    item: Ints
    function: Ints
    label: Ints
    n_items: int
    n_functions: int
    n_classes: int

    def __post_init__(self) -> None:
        limits = {"item": self.n_items, "function": self.n_functions, "label": self.n_classes}
        for name, limit in limits.items():
            codes = np.ascontiguousarray(getattr(self, name), dtype=np.intp)
            if codes.ndim != 1 or codes.size != len(self.item):
                raise ValueError(f"{name} must be one code per vote")
            if codes.size and (codes.min() < 0 or codes.max() >= limit):
                raise ValueError(f"{name} has a code out of range")
            object.__setattr__(self, name, codes)

    @cached_property
    def patterns(self) -> "VotePatterns":
        """The different ways in which items were voted on: a million items have some thousands of them."""
        pair = self.function * self.n_classes + self.label
        pairs, place = np.unique(pair, return_inverse=True)
        key = np.zeros(self.n_items, dtype=np.uint64)
        np.add.at(key, self.item, _scrambled(pair))
        keys, first, of_item, times = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )
        of_item = of_item.astype(np.intp)
        example = np.zeros(self.n_items, dtype=np.bool_)
        example[first] = True
        shown = example[self.item]
        shape = (keys.size, pairs.size)
        rows, columns = of_item[self.item[shown]], place[shown]
        matrix = csr_array((np.ones(rows.size), (rows, columns)), shape=shape)
        silent = np.asarray(matrix.sum(axis=1)).ravel() == 0
        return VotePatterns(
            matrix,
            times.astype(np.intp),
            of_item,
            silent,
            pairs // self.n_classes,
            pairs % self.n_classes,
            self,
        )


@dataclass(frozen=True, eq=False)
class VotePatterns:
    """Patterns x pairs: `matrix` has a 1 where a pattern has the vote of `function` for `label` (of its column).

    `times` is how many items have each pattern, `of_item` the pattern of every item, `silent` is true of the one
    without any vote.
    """

    matrix: csr_array
    times: Ints
    of_item: Ints
    silent: Bools
    function: Ints
    label: Ints
    votes: Votes

    @cached_property
    def counts(self) -> Floats:
        """Patterns x classes: how many functions vote for each class."""
        return self._by(self.label, self.votes.n_classes)

    @cached_property
    def by_function(self) -> Floats:
        """Patterns x functions: 1 where the function votes."""
        return self._by(self.function, self.votes.n_functions)

    def _by(self, code: Ints, n: int) -> Floats:
        found: Floats = (self.matrix @ _grouping(code, n)).toarray()
        return found

    def majority(self, places: Ints) -> Floats:
        """Some patterns x classes: the share of each class in the votes; zeros where there is none."""
        groups = _grouping(self.label, self.votes.n_classes)
        counts = (self.matrix[places] @ groups).toarray()
        shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return shares


@dataclass(frozen=True, eq=False)
class LabelModel:
    """What was learnt of every (`function`, `label`) that votes: how often it votes (`rate`), and is right (`accuracy`).

    `shares` are those of the classes, as given.
    """

    shares: Floats
    function: Ints
    label: Ints
    rate: Floats
    accuracy: Floats
    iterations: int
    converged: bool

    def probabilities(self, patterns: VotePatterns, places: Ints) -> Floats:
        """Some patterns x classes: the probability of each class, also of patterns that the model was not fitted to.

        Votes that it has not seen count as silence. Where nobody votes it is the shares of the classes.
        """
        size = self.shares.size
        place = np.full(
            (int(max(self.function.max(initial=-1), patterns.function.max(initial=-1))) + 1, size), -1
        )
        place[self.function, self.label] = np.arange(self.function.size)
        known = place[patterns.function, patterns.label]
        said, silence = self._evidence
        zero = np.zeros((1, size))
        weight = np.concatenate([said - silence[self.function], zero])[
            known
        ]  # the last row is of what is unknown
        return _normalised(patterns.matrix[places] @ weight + silence.sum(axis=0) + np.log(self.shares))

    @cached_property
    def _evidence(self) -> tuple[Floats, Floats]:
        """What every vote says of each class, and what the silence of every function does, as logarithms."""
        return _evidence(self.function, self.label, self.rate, self.accuracy, self.shares)


def fit_label_model(
    votes: Votes,
    shares: Floats,
    *,
    smoothing: float = SMOOTHING,
    tolerance: float = TOLERANCE,
    most_iterations: int = MOST_ITERATIONS,
) -> LabelModel:
    """Learn how often each vote is right, by EM from the shares of the votes of every item.

    `shares` are those of the classes, one positive number each. Every kind of vote is credited with `smoothing`
    votes of the average function, whose lift over the shares of the classes (the ratio of its votes on items of its
    class and on others) is learnt, too; no function counts as worse than chance, or two that fail together could
    turn all classes around. EM ends when no probability changes by more than `tolerance`. Equal votes give equal
    models, whatever the order of items and rows. Raises ValueError where shares do not fit.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if shares.shape != (votes.n_classes,) or not (np.isfinite(shares).all() and (shares > 0).all()):
        raise ValueError("shares must be one positive number per class")
    shares = shares / shares.sum()
    patterns = votes.patterns
    spoken = np.flatnonzero(~patterns.silent)
    spoken = spoken[np.argsort(-patterns.times[spoken], kind="stable")[:MOST_PATTERNS]]
    matrix, times = patterns.matrix[spoken], patterns.times[spoken].astype(np.float64)
    function, label = patterns.function, patterns.label
    given = np.asarray(matrix.T @ times).ravel()
    rate = np.asarray(patterns.matrix.T @ patterns.times).ravel() / max(votes.n_items, 1)
    chance = shares[label]
    posterior = patterns.majority(spoken)
    accuracy, done, quiet = np.maximum(_GUESS, chance), 0, False
    while done < most_iterations and not quiet and function.size:
        right = (matrix.T @ (posterior * times[:, None]))[np.arange(label.size), label]
        average = _average_accuracy(given, float(right.sum()), chance)
        accuracy = np.clip((right + smoothing * average) / (given + smoothing), chance, 1 - _EDGE)
        said, silence = _evidence(function, label, rate, accuracy, shares)
        new = _normalised(matrix @ (said - silence[function]) + silence.sum(axis=0) + np.log(shares))
        quiet = bool(np.abs(new - posterior).max(initial=0.0) <= tolerance)
        posterior, done = new, done + 1
    return LabelModel(shares, function, label, rate, accuracy, done, quiet or not function.size)


def _average_accuracy(given: Floats, right: float, chance: Floats) -> Floats:
    """How often the average function would be right in each place: of one lift everywhere, with the same sum."""
    wanted = right + _GUESS_WEIGHT * _GUESS
    times = given * (1 + _GUESS_WEIGHT / max(float(given.sum()), 1.0))
    low, high = 0.0, float(np.log(_LARGEST_LIFT))
    for _ in range(50):
        middle = (low + high) / 2
        enough = float(times @ _lifted(chance, np.exp(middle))) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return _lifted(chance, np.exp(high))


def _lifted(chance: Floats, lift: float) -> Floats:
    odds = lift * chance
    lifted: Floats = odds / (odds + 1 - chance)
    return lifted


def _evidence(
    function: Ints, label: Ints, rate: Floats, accuracy: Floats, shares: Floats
) -> tuple[Floats, Floats]:
    """Logarithms of how probable each vote is on items of each class, and of how probable silence is.

    Votes x classes, and functions x classes.
    """
    own = np.arange(label.size)
    others = np.maximum(1 - shares[label], _EDGE)
    cast = np.repeat((rate * (1 - accuracy) / others)[:, None], shares.size, axis=1)
    cast[own, label] = rate * accuracy / shares[label]
    cast = np.clip(cast, 1e-12, _MOST_CERTAIN)
    spoken = np.zeros((int(function.max(initial=-1)) + 1, shares.size))
    np.add.at(spoken, function, cast)
    return np.log(cast), np.log1p(-np.minimum(spoken, _MOST_CERTAIN))


def _normalised(logs: Any) -> Floats:
    logs = np.asarray(logs)
    powers = np.exp(logs - logs.max(axis=1, keepdims=True, initial=-np.inf))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _scrambled(pair: Ints) -> npt.NDArray[np.uint64]:
    """A well-mixed number per vote (splitmix64): sums of them tell sets of votes apart, but once in 2^64."""
    with np.errstate(over="ignore"):
        mixed = (pair.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


# --- How good it is -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunctionQuality:
    """One function. `n` items have its vote; the shares of `overlap` and `conflict` are of these items.

    `classes` are the codes of the classes that it votes for, most votes first.
    """

    n: int
    coverage: Figure
    overlap: Figure
    conflict: Figure
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PairConflict:
    """Two functions (`a` < `b`): on how many items both vote, and differ."""

    a: int
    b: int
    n_both: int
    n_differ: int
    share: Figure


@dataclass(frozen=True, slots=True)
class VoteReport:
    """All functions together (shares of all items), each of them, and pairs that differ anywhere, most items first."""

    coverage: Figure
    overlap: Figure
    conflict: Figure
    functions: tuple[FunctionQuality, ...]
    pairs: tuple[PairConflict, ...]


def vote_report(votes: Votes) -> VoteReport:
    """What functions cover and where they differ; intervals are Wilson's, over the items that were looked at."""
    patterns, n = votes.patterns, votes.n_items
    times = patterns.times.astype(np.float64)
    speaks = patterns.by_function
    voters = speaks.sum(axis=1)
    differs = np.count_nonzero(patterns.counts, axis=1) >= _PAIR
    both = speaks.T @ (speaks * times[:, None])
    differ = both - _agreeing(patterns, times)
    given = np.diag(both)
    crowded = speaks.T @ (times * (voters >= _PAIR))
    # Where classes differ on an item, everybody who votes there conflicts with somebody.
    torn = speaks.T @ (times * differs)
    per_class = np.zeros((votes.n_functions, votes.n_classes))
    np.add.at(per_class, (patterns.function, patterns.label), np.asarray(patterns.matrix.T @ times).ravel())
    functions = tuple(
        FunctionQuality(
            n=int(given[place]),
            coverage=_share(given[place], n),
            overlap=_share(crowded[place], given[place]),
            conflict=_share(torn[place], given[place]),
            classes=tuple(
                int(code) for code in np.argsort(-per_class[place], kind="stable") if per_class[place, code]
            ),
        )
        for place in range(votes.n_functions)
    )
    a, b = np.nonzero(np.triu(differ, 1) > 0)
    order = np.lexsort((b, a, -differ[a, b]))
    pairs = tuple(
        PairConflict(
            int(a[at]),
            int(b[at]),
            int(both[a[at], b[at]]),
            int(differ[a[at], b[at]]),
            _share(differ[a[at], b[at]], both[a[at], b[at]]),
        )
        for at in order
    )
    return VoteReport(
        coverage=_share(float(times @ (voters > 0)), n),
        overlap=_share(float(times @ (voters >= _PAIR)), n),
        conflict=_share(float(times @ differs), n),
        functions=functions,
        pairs=pairs,
    )


def _agreeing(patterns: VotePatterns, times: Floats) -> Floats:
    """Functions x functions: on how many items both vote for the same class."""
    together = (patterns.matrix.T @ (patterns.matrix * times[:, None])).tocoo()
    rows, columns = together.coords
    same = patterns.label[rows] == patterns.label[columns]
    found = np.zeros((patterns.votes.n_functions, patterns.votes.n_functions))
    np.add.at(found, (patterns.function[rows[same]], patterns.function[columns[same]]), together.data[same])
    return found


def function_accuracy(votes: Votes, truth: Ints) -> list[Figure]:
    """How often each function is right where it votes, against one class code per item (-1: unknown)."""
    told = truth[votes.item] >= 0
    given = np.bincount(votes.function[told], minlength=votes.n_functions)
    right = np.bincount(
        votes.function[told & (truth[votes.item] == votes.label)], minlength=votes.n_functions
    )
    return [_share(hits, n) for hits, n in zip(right.tolist(), given.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The label model beside majority, on items that have a vote and whose class is known.

    `chosen_majority`: the label model is below by more than the interval of the difference says.
    """

    label_model: Figure
    majority: Figure
    difference: Figure
    chosen_majority: bool


def compare(model: LabelModel, votes: Votes, truth: Ints) -> Comparison:
    """Both accuracies (Wilson) and their difference (on the same items, Student's t); `truth` as in function_accuracy.

    A tie scores the share of the truth among the tied classes.
    """
    patterns = votes.patterns
    mine = np.flatnonzero((truth >= 0) & ~patterns.silent[patterns.of_item])
    places, pattern = np.unique(patterns.of_item[mine], return_inverse=True)
    by_model = _scores(model.probabilities(patterns, places), pattern, truth[mine])
    by_majority = _scores(patterns.majority(places), pattern, truth[mine])
    difference = _paired(by_model - by_majority)
    return Comparison(
        label_model=_share(float(by_model.sum()), mine.size),
        majority=_share(float(by_majority.sum()), mine.size),
        difference=difference,
        chosen_majority=difference.ci is not None and difference.ci[1] < 0,
    )


def winners(scores: Floats, shares: Floats) -> Ints:
    """The class with most, for every row; of classes that tie, the more frequent one, then the first."""
    best = scores >= scores.max(axis=1, keepdims=True) - _SAME
    chosen: Ints = np.argmax(np.where(best, shares[None, :], -1.0), axis=1)
    return chosen


def balance(label: Ints, n_classes: int) -> Floats:
    """Shares of the classes in some labels, everyone credited with half a label."""
    counts = np.bincount(label, minlength=n_classes) + 0.5
    shares: Floats = counts / counts.sum()
    return shares


def voted_balance(votes: Votes) -> Floats:
    """Shares of the classes where nobody has told them: half of the votes (every item once), half even.

    Functions are seldom written for the classes in proportion, and never quite evenly.
    """
    patterns = votes.patterns
    size = np.maximum(np.asarray(patterns.matrix.sum(axis=1)).ravel(), 1)
    counts = totals(
        patterns.label, np.asarray(patterns.matrix.T @ (patterns.times / size)).ravel(), votes.n_classes
    )
    n, k = max(float(counts.sum()), 1.0), votes.n_classes
    shares: Floats = np.asarray((counts / n + 1 / k) / 2)
    return shares


def _grouping(code: Ints, n: int) -> csr_array:
    """A matrix that sums columns by their code."""
    return csr_array((np.ones(code.size), (np.arange(code.size), code)), shape=(code.size, n))


def _scores(scores: Floats, pattern: Ints, truth: Ints) -> Floats:
    best = scores >= scores.max(axis=1, keepdims=True) - _SAME
    earned: Floats = best[pattern, truth] / best.sum(axis=1)[pattern]
    return earned


def _paired(difference: Floats) -> Figure:
    n = int(difference.size)
    if n < _PAIR:
        return Figure.missing(Reason.TOO_FEW_ITEMS, n_items=n)
    mean, se = float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(n))
    ends = t_interval(mean, se, n - 1, lower=-1.0)
    return Figure.estimate(
        mean, se=se, ci=(ends[0], ends[1]), method=Method.PAIRED_ITEMS, n_items=n, n_pairs=0
    )


def _share(hits: float, n: float) -> Figure:
    if n < 1:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    share = float(hits) / float(n)
    ends = wilson_interval(share, n)
    return Figure.estimate(
        share,
        se=(share * (1 - share) / n) ** 0.5,
        ci=(ends[0], ends[1]),
        method=Method.WILSON,
        n_items=int(n),
        n_pairs=0,
    )
