"""Items whose gradients are large and point in different directions."""

import numpy as np

from core.numerics.strategies.base import Candidates, Chosen, Floats32, Part, Shares, State
from core.numerics.strategies.margin import Margin
from core.numerics.table import Floats


class Badge(Margin):
    """Batch active learning by diverse gradient embeddings (Ash et al. 2020), without a network.

    The gradient of the loss at an item, its likeliest class taken for true, is (shares - one-hot) x features; picks
    are drawn by k-means++ (Arthur and Vassilvitskii 2007) among these. They are never written out: the inner product
    of two is the product of the inner products of their factors. Features are the dense ones.
    """

    name = "badge"
    whole_pool = True

    def details(self, state: State, part: Part) -> Floats32:
        shares = np.ascontiguousarray(Shares(state.model, part.sparse).of_class.T)
        shares[np.arange(len(shares)), shares.argmax(axis=1)] -= 1
        return shares

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        del state
        residual, points = candidates.details, candidates.dense
        size = np.square(residual).sum(axis=1, dtype=np.float64) * np.square(points).sum(
            axis=1, dtype=np.float64
        )
        rng = np.random.default_rng(seed)
        away = np.full(len(size), np.inf)
        rows: list[int] = []
        for _ in range(min(count, len(points))):
            # The first is the one with the largest gradient, as in the authors' code.
            row = _drawn(away, rng) if rows else int(np.argmax(size))
            rows.append(row)
            inner = (residual @ residual[row]).astype(np.float64) * (points @ points[row])
            away = np.minimum(away, np.maximum(size + size[row] - 2 * inner, 0))
            away[rows] = 0
            if not away.any():
                break
        return Chosen(np.array(rows, np.intp), size[rows])


def _drawn(weight: Floats, rng: np.random.Generator) -> int:
    ends = np.cumsum(weight)
    return int(min(np.searchsorted(ends, rng.random() * ends[-1], side="right"), len(ends) - 1))
