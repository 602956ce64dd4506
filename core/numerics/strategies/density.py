"""Uncertain items in crowded places."""

import numpy as np

from core.numerics.strategies.base import Candidates, Chosen, State
from core.numerics.strategies.margin import Margin


class Density(Margin):
    """Information density (Settles and Craven 2008, their beta = 1): margin's score times the mean cosine
    similarity to the pool. Rows are of length one, so that the mean over all is one product with their mean.
    """

    name = "density"
    whole_pool = True

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        del state, seed
        centre = candidates.dense.mean(axis=0, dtype=np.float64)
        score = candidates.score * np.maximum(candidates.dense @ centre, 0)
        rows = np.lexsort((candidates.tie, -score))[:count]
        return Chosen(rows, score[rows])
