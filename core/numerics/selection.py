"""Choosing what to label next, over a pool that is seen part by part.

    state = fit_state("hybrid", labelled, seed)                       # once
    parts = [score_part("hybrid", state, part, 50) for part in …]     # anywhere, in any order
    picks = choose("hybrid", state, merge(parts), 50, seed)           # once

Picks are the same however the pool was cut into parts: a part returns all of its items that could be among the best
of the pool, equal scores are told apart by the hash of the item's id, and what looks at many items at once does so
after they were put into one order. Strategies that look at the pool as a whole do so up to 50,000 items; above that
on the items with the smallest hashes, whose number is about that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.numerics.classifier import Classifier
from core.numerics.cold_start import ColdStart
from core.numerics.strategies.badge import Badge
from core.numerics.strategies.base import (
    WHOLE,
    Candidates,
    Chosen,
    Floats32,
    Labelled,
    Note,
    Part,
    State,
    Strategy,
    UInts64,
    model_of,
)
from core.numerics.strategies.cluster import Cluster
from core.numerics.strategies.committee import Committee
from core.numerics.strategies.core_set import CoreSet
from core.numerics.strategies.density import Density
from core.numerics.strategies.entropy import Entropy
from core.numerics.strategies.hybrid import Hybrid
from core.numerics.strategies.label_again import LabelAgain
from core.numerics.strategies.least_confidence import LeastConfidence
from core.numerics.strategies.margin import Margin
from core.numerics.strategies.random import Random
from core.numerics.strategies.region import Region
from core.numerics.table import Floats, Ints

STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Hybrid(),
        Margin(),
        LeastConfidence(),
        Entropy(),
        Cluster(),
        Region(),
        Badge(),
        Committee(),
        Density(),
        CoreSet(),
        LabelAgain(),
        Random(),
    )
}
COLD_START = ColdStart()
SAMPLE = 50_000  # items of which a strategy that looks at the whole pool sees all
_AT_ONCE = 16_384  # rows scored together: what one step leaves is still in the cache for the next


@dataclass(frozen=True, eq=False)
class Picks:
    """Items in the order in which they are to be labelled, with their score and what to tell of each.

    A reason has ``why`` (the strategy), the classes between which the model hesitates as codes with their calibrated
    probabilities (``first``, ``second``, ``p_first``, ``p_second``; left out where there is no model), and what
    the strategy adds (``cluster``, ``cluster_size``, ``by``, ``again``).
    """

    item: Ints
    score: Floats
    reason: tuple[Note, ...]

    def __len__(self) -> int:
        return len(self.item)


def used(strategy: str, state: State) -> str:
    """The strategy that is at work: the cold start where nothing could be learnt yet."""
    return _at_work(strategy, state).name


def fit_state(
    strategy: str, labelled: Labelled, seed: int, *, model: Classifier | None = None, n_pool: int = 0
) -> State:
    """What the parts are to be scored with.

    ``model`` is the classifier if there is one (with its calibration); otherwise it is trained here. ``n_pool`` is
    the number of items in the pool, by which strategies that look at all of it know whether to take a sample.
    Raises KeyError for a strategy that is not there.
    """
    chosen = STRATEGIES[strategy]
    labelled = labelled.take(np.argsort(labelled.tie, kind="stable"))
    if model is None and chosen.needs_model:
        model = model_of(labelled, seed)
    if chosen.name != Random.name and (not len(labelled) or (chosen.needs_model and model is None)):
        chosen = COLD_START
    state = chosen.fit(labelled, model, seed)
    if not chosen.whole_pool or n_pool <= SAMPLE:
        return state
    return replace(state, below=WHOLE * SAMPLE // n_pool)


def score_part(strategy: str, state: State, part: Part, count: int) -> Candidates:
    """The items of a part that may be among ``count`` picks of the whole pool."""
    chosen = _at_work(strategy, state)
    if state.below < WHOLE:
        part = part.take(np.flatnonzero(part.tie < np.uint64(state.below)))
    scores = [chosen.score(state, piece) for piece in part.pieces(_AT_ONCE)]
    score = np.concatenate([np.empty(0, np.float32), *scores])
    if chosen.whole_pool:
        return _candidates(chosen, state, part, score)
    rows = best(score, part.tie, chosen.n_candidates(count))
    return _candidates(chosen, state, part.take(rows), score[rows])


def merge(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of all parts in one order. Raises ValueError where there is no part."""
    return Candidates.together(parts)


def choose(strategy: str, state: State, candidates: Candidates, count: int, seed: int) -> Picks:
    """At most ``count`` of the merged candidates; fewer only where there are fewer.

    On one thread: sums that are cut by the number of a machine's cores would differ in their last bits.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 -- slow import

    chosen = _at_work(strategy, state)
    if not chosen.whole_pool:
        n = min(len(candidates), chosen.n_candidates(count))
        candidates = candidates.take(np.arange(n))
    if not len(candidates) or count < 1:
        return Picks(candidates.item[:0], np.empty(0), ())
    with threadpool_limits(1):
        told = chosen.choose(state, candidates, count, seed)
    return _picks(chosen.name, candidates, told, count)


def best(score: Floats32, tie: UInts64, count: int) -> Ints:
    """The rows with the ``count`` highest scores, highest first, equal ones by their hash."""
    if not 0 < count < len(score):
        return np.asarray(np.lexsort((tie, -score))[: max(count, 0)], np.intp)
    least = np.partition(score, len(score) - count)[len(score) - count]
    rows = np.flatnonzero(score >= least)
    return np.asarray(rows[np.lexsort((tie[rows], -score[rows]))][:count], np.intp)


def _at_work(strategy: str, state: State) -> Strategy:
    return COLD_START if state.cold else STRATEGIES[strategy]


def _candidates(chosen: Strategy, state: State, part: Part, score: Floats32) -> Candidates:
    n = len(part)
    first, second = np.full(n, -1, np.intp), np.full(n, -1, np.intp)
    p_first, p_second = np.zeros(n, np.float32), np.zeros(n, np.float32)
    if state.models and n:
        shares = state.model.probabilities(part.sparse)
        rows = np.arange(n)
        first = shares.argmax(axis=1)
        p_first = shares[rows, first]
        shares[rows, first] = -1
        second = shares.argmax(axis=1)
        p_second = shares[rows, second]
    details = chosen.details(state, part)
    dense = np.ascontiguousarray(part.dense, dtype=np.float32)
    return Candidates(part.item, part.tie, score, first, second, p_first, p_second, dense, details)


def _picks(why: str, candidates: Candidates, told: Chosen, count: int) -> Picks:
    """With the next best where the strategy found fewer than were asked for (clusters of equal items)."""
    free = np.ones(len(candidates), np.bool_)
    free[told.rows] = False
    more = np.flatnonzero(free)[: max(min(count, len(candidates)) - len(told.rows), 0)]
    score = candidates.score[told.rows].astype(np.float64) if told.score is None else told.score
    rows = np.concatenate([told.rows, more])
    notes = [*(told.notes or [{}] * len(told.rows)), *[{}] * len(more)]
    reasons = [
        {"why": why, **_hesitation(candidates, row), **note}
        for row, note in zip(rows.tolist(), notes, strict=True)
    ]
    score = np.concatenate([score, candidates.score[more].astype(np.float64)])
    return Picks(candidates.item[rows], score, tuple(reasons))


def _hesitation(candidates: Candidates, row: int) -> Note:
    if candidates.first[row] < 0:
        return {}
    return {
        "first": int(candidates.first[row]),
        "second": int(candidates.second[row]),
        "p_first": round(float(candidates.p_first[row]), 4),
        "p_second": round(float(candidates.p_second[row]), 4),
    }
