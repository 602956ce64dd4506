"""Different strategies in different parts of the space."""

import numpy as np

from core.numerics.classifier import Classifier
from core.numerics.strategies.base import (
    Candidates,
    Chosen,
    Floats32,
    Labelled,
    Note,
    Part,
    Shares,
    State,
    hashed,
)
from core.numerics.strategies.committee import Committee, divergence
from core.numerics.strategies.kmeans import k_means
from core.numerics.strategies.margin import Margin
from core.numerics.table import Floats, Ints, totals

_REGIONS = 10
_FEW_LABELS = 3


class Region(Margin):
    """k-means regions of the pool, a budget each by size times mean uncertainty, and a strategy each in turn.

    Margin, committee and entropy take turns by region; a region with fewer than three labels is sampled at random.
    After the cluster-based designs of Xu et al. (2003) and Bodo, Minier and Csato (2011).
    """

    name = "region"
    whole_pool = True

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        state = Committee().fit(labelled, model, seed)
        return State(state.models, {"anchors": labelled.dense.astype(np.float32)})

    def details(self, state: State, part: Part) -> Floats32:
        committee = divergence(state.models[1:] or state.models, part)
        return np.stack([committee, Shares(state.model, part.sparse).entropy], axis=1)

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        found = k_means(candidates.dense, _REGIONS, seed)
        labels = np.bincount(found.nearest_centroid(state.arrays["anchors"]), minlength=len(found.sizes))
        unsure = totals(found.cluster, candidates.score, len(found.sizes))
        rows: list[Ints] = []
        notes: list[Note] = []
        for region, budget in enumerate(_shares(unsure, found.sizes, min(count, len(candidates)))):
            inside = np.flatnonzero(found.cluster == region)
            by, score = _turn(candidates, region, seed, few=bool(labels[region] < _FEW_LABELS))
            best = inside[np.lexsort((candidates.tie[inside], -score[inside]))][:budget]
            rows.append(best)
            notes += [{**note, "by": by} for note in found.notes(best)]
        return Chosen(np.concatenate(rows), notes=notes)


def _turn(candidates: Candidates, region: int, seed: int, *, few: bool) -> tuple[str, Floats]:
    if few:
        return "random", hashed(candidates.tie, seed).astype(np.float64)
    turns = [
        ("margin", candidates.score),
        ("committee", candidates.details[:, 0]),
        ("entropy", candidates.details[:, 1]),
    ]
    by, score = turns[region % len(turns)]
    return by, score.astype(np.float64)


def _shares(weight: Floats, sizes: Ints, count: int) -> Ints:
    """``count`` divided by weight, none getting more than its size (largest remainders)."""
    budget = np.zeros(len(sizes), np.intp)
    while (left := count - int(budget.sum())) > 0:
        room = sizes > budget
        own = np.where(room, np.maximum(weight, 1e-9), 0)
        exact = own / own.sum() * left
        more = np.floor(exact).astype(np.intp)
        rest = np.lexsort((np.arange(len(sizes)), -(exact - more)))[: left - int(more.sum())]
        more[rest] += 1
        budget = np.minimum(budget + more, sizes)
    return budget
