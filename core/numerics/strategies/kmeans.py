"""Clusters of candidates, the same on every machine of a kind."""

from dataclasses import dataclass

import numpy as np

from core.numerics.strategies.base import Floats32, Note
from core.numerics.table import Floats, Ints

_BATCH = 2048
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class Clusters:
    """The cluster of every row, and the centroids of those that are not empty."""

    points: Floats32
    cluster: Ints
    centroids: Floats32
    sizes: Ints

    def nearest(self) -> Ints:
        """The row nearest to each centroid, by cluster; of equals the one that stands first."""
        away = self.distances()
        order = np.lexsort((np.arange(len(away)), away, self.cluster))
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        return np.asarray(order[starts], np.intp)

    def distances(self) -> Floats:
        """Of every row to its own centroid, squared."""
        apart = self.points.astype(np.float64) - self.centroids[self.cluster]
        return np.asarray((apart * apart).sum(axis=1), np.float64)

    def nearest_centroid(self, points: Floats32) -> Ints:
        """The cluster whose centroid is nearest, for each of some points (n x d)."""
        if not len(points):
            return np.empty(0, np.intp)
        away = np.square(self.centroids).sum(axis=1) - 2 * (points @ self.centroids.T)
        return np.asarray(away.argmin(axis=1), np.intp)

    def notes(self, rows: Ints) -> list[Note]:
        """Which cluster each of the rows stands for, and how many candidates are in it."""
        return [
            {"cluster": int(own), "cluster_size": int(self.sizes[own])} for own in self.cluster[rows].tolist()
        ]


def k_means(points: Floats32, k: int, seed: int, *, weight: Floats32 | None = None) -> Clusters:
    """At most ``k`` clusters of points (n x d) by mini-batch k-means (Sculley 2010).

    The same points in the same order and the same seed give the same clusters (on one thread, which the caller sees to). ``weight`` says how much each point
    counts. Clusters without points are dropped, the others numbered by their first point.
    """
    from sklearn.cluster import MiniBatchKMeans

    points = np.ascontiguousarray(points, dtype=np.float32)
    k = min(k, len(points))
    if k < 1:
        return Clusters(points, np.empty(0, np.intp), points[:0], np.empty(0, np.intp))
    weights = None if weight is None else np.maximum(weight, _LEAST_WEIGHT).astype(np.float64)
    model = MiniBatchKMeans(k, n_init=1, batch_size=_BATCH, random_state=seed % (1 << 32))
    raw = model.fit(points, sample_weight=weights).labels_
    used, first, cluster, sizes = np.unique(raw, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.intp)
    number[order] = np.arange(len(order))
    centroids = np.asarray(model.cluster_centers_, np.float32)[used[order]]
    return Clusters(points, number[cluster], centroids, sizes[order].astype(np.intp))
