"""Margin within clusters: uncertain items that differ from each other."""

import numpy as np

from core.numerics.strategies.base import Candidates, Chosen, State
from core.numerics.strategies.kmeans import k_means
from core.numerics.strategies.margin import Margin

_PER_PICK = 10


class Hybrid(Margin):
    """The ten candidates per pick with the smallest margins, clustered by k-means with their uncertainty as weight;
    the item nearest to each centroid (Zhdanov 2019, "Diverse mini-batch active learning").
    """

    name = "hybrid"

    def n_candidates(self, count: int) -> int:
        return _PER_PICK * count

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        del state
        found = k_means(candidates.dense, count, seed, weight=candidates.score)
        nearest = found.nearest()
        order = np.sort(nearest)  # candidates stand by score
        return Chosen(order, notes=found.notes(order))
