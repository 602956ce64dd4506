"""What to label first, before anything can be learnt: an ordinary item of every cluster, the densest first."""

import numpy as np

from core.numerics.classifier import Classifier
from core.numerics.strategies.base import Candidates, Chosen, Floats32, Labelled, Part, State, Strategy
from core.numerics.strategies.kmeans import k_means
from core.numerics.table import Floats, Ints

_SPARE = 4  # one more cluster per so many: the sparsest ones hold what is like nothing else
_MOST_CLUSTERS = 1000
_NEIGHBOURS = 20
_REFERENCE = 5000  # items among which neighbours are looked for
_AT_ONCE = 1000
_DIGITS = 6  # equal texts have equal densities, whatever the last bits say


class ColdStart(Strategy):
    """TypiClust (Hacohen, Dekel and Weinshall 2022): k-means, and the densest item of each cluster.

    Density is the mean cosine similarity to the 20 nearest items of the pool (of 5,000 of them in a larger one).
    There are a quarter more clusters than items to have been labelled. Clusters without a label come first, the
    densest before the others, so that the sparsest are passed over. The share of random items that finds
    classes which no cluster shows is the caller's to add, as with every strategy.
    """

    name = "cold_start"
    needs_model = False
    whole_pool = True

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        del model, seed
        return State((), {"anchors": labelled.dense.astype(np.float32)}, cold=True)

    def score(self, state: State, part: Part) -> Floats32:
        del state
        return np.zeros(len(part), np.float32)

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        anchors = state.arrays["anchors"]
        wanted = min(count + len(anchors), _MOST_CLUSTERS)
        found = k_means(candidates.dense, max(wanted + wanted // _SPARE, count), seed)
        taken = np.zeros(len(found.sizes), np.bool_)
        taken[found.nearest_centroid(anchors)] = True
        density = np.round(densities(candidates.dense), _DIGITS)
        ordered = np.lexsort((np.arange(len(density)), -density, found.cluster))
        starts = np.concatenate([[0], np.cumsum(found.sizes)[:-1]]).astype(np.intp)
        best: Ints = ordered[starts]
        rows = best[np.lexsort((best, -density[best], taken))][:count]
        return Chosen(rows, density[rows], found.notes(rows))


def densities(points: Floats32) -> Floats:
    """Mean cosine similarity of each row (of length 1) to its 20 nearest among the first 5,000 rows."""
    reference = np.ascontiguousarray(points[:_REFERENCE].T)
    n = min(_NEIGHBOURS, reference.shape[1] - 1)
    if n < 1:
        return np.zeros(len(points))
    blocks = []
    for start in range(0, len(points), _AT_ONCE):
        similar = points[start : start + _AT_ONCE] @ reference
        own = np.arange(start, min(start + len(similar), reference.shape[1]))
        similar[own - start, own] = -1
        nearest = np.partition(similar, similar.shape[1] - n, axis=1)[:, -n:]
        blocks.append(np.sort(nearest, axis=1).mean(axis=1, dtype=np.float64))
    return np.concatenate(blocks)
