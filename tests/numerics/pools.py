"""Small pools with known classes: blobs of points, as rows of features."""

from hashlib import blake2b
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from core.numerics.strategies.base import Labelled, Part
from core.numerics.table import Floats, Ints


def ties(n: int, *, salt: str = "item") -> Any:
    """Hashes of the ids item0, item1, …"""
    raw = [blake2b(f"{salt}{one}".encode(), digest_size=8).digest() for one in range(n)]
    return np.array([int.from_bytes(one, "big") for one in raw], np.uint64)


def rows_of(points: Floats) -> tuple[csr_matrix, Any]:
    """Points as both forms of features, of length one, with a column that is always there."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    dense = (points / np.maximum(length, 1e-9)).astype(np.float32)
    return csr_matrix(dense), dense


def part_of(points: Floats, tie: Any = None) -> Part:
    sparse, dense = rows_of(points)
    return Part(np.arange(len(points)), ties(len(points)) if tie is None else tie, sparse, dense)


def labelled_of(points: Floats, label: Ints, n_classes: int, *, salt: str = "known") -> Labelled:
    sparse, dense = rows_of(points)
    target = np.eye(n_classes)[label] if len(label) else np.empty((0, n_classes))
    return Labelled(sparse, dense, target, ties(len(points), salt=salt))


def blobs(
    n: int, n_classes: int, *, seed: int = 0, width: int = 12, spread: float = 0.7
) -> tuple[Floats, Ints]:
    """Points of classes whose centres do not depend on the seed, and their classes."""
    centres = np.random.default_rng(99).standard_normal((n_classes, width))
    rng = np.random.default_rng(seed)
    label = rng.integers(0, n_classes, n)
    return centres[label] + spread * rng.standard_normal((n, width)), label
