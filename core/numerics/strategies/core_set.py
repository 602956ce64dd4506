"""Items that leave no part of the pool far from a labelled one."""

import numpy as np

from core.numerics.classifier import Classifier
from core.numerics.strategies.base import (
    Candidates,
    Chosen,
    Floats32,
    Labelled,
    Part,
    State,
    Strategy,
    hashed,
)

_MOST_ANCHORS = 5000
_AT_ONCE = 512


class CoreSet(Strategy):
    """k-center greedy (Sener and Savarese 2018): again and again the item farthest from all that is labelled or
    chosen. Beyond 5,000 labelled items a sample of them by hash stands for all.
    """

    name = "core_set"
    needs_model = False
    whole_pool = True

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        state = super().fit(labelled, model, seed)
        some = np.lexsort((labelled.tie, hashed(labelled.tie, seed)))[:_MOST_ANCHORS]
        return State(state.models, {"anchors": labelled.dense[some].astype(np.float32)})

    def score(self, state: State, part: Part) -> Floats32:
        del state
        return np.zeros(len(part), np.float32)

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        del seed
        points, anchors = candidates.dense, state.arrays["anchors"]
        away = np.full(len(points), np.inf)
        for start in range(0, len(anchors), _AT_ONCE):
            block = anchors[start : start + _AT_ONCE]
            squares = np.square(block).sum(axis=1) - 2 * (points @ block.T)
            away = np.minimum(away, squares.min(axis=1) + np.square(points).sum(axis=1))
        rows: list[int] = []
        scores: list[float] = []
        for _ in range(min(count, len(points))):
            row = int(np.argmax(away))  # of equals the first: candidates stand in the order of their hashes
            rows.append(row)
            scores.append(float(away[row]))
            away = np.minimum(away, np.square(points - points[row]).sum(axis=1))
            away[row] = -1
        return Chosen(np.array(rows, np.intp), np.array(scores))
