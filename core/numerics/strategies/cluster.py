"""One item of every cluster of the pool, whatever a model says."""

import numpy as np

from core.numerics.strategies.base import Candidates, Chosen, Floats32, Part, State, Strategy, hashed
from core.numerics.strategies.kmeans import k_means


class Cluster(Strategy):
    """Stratified sampling over k-means clusters (Xu et al. 2003; Nguyen and Smeulders 2004, without their model):
    as many clusters as picks, and a random item of each.
    """

    name = "cluster"
    needs_model = False
    whole_pool = True

    def score(self, state: State, part: Part) -> Floats32:
        del state
        return np.zeros(len(part), np.float32)

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        del state
        found = k_means(candidates.dense, count, seed)
        order = np.lexsort((hashed(candidates.tie, seed), found.cluster))
        starts = np.concatenate([[0], np.cumsum(found.sizes)[:-1]]).astype(np.intp)
        rows = order[starts]
        rows = rows[np.lexsort((np.arange(len(rows)), -found.sizes))]  # the largest cluster first
        return Chosen(rows, notes=found.notes(rows))
