"""Rows that are nearly the same: every pair above a cosine, without comparing all with all.

Prefix filtering (Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search"): columns are taken in one
order, the rarest first, and of every row only so many that the norm of the rest is below the cosine asked for. Two
rows whose parts have no column in common cannot be that alike, so only rows that meet in a column are compared.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from core.numerics.table import Floats, Ints

UInts64 = npt.NDArray[np.uint64]

NEAR = 0.9  # of texts
NEARLY_SAME = 0.99  # of dense numbers, which are all alike to some degree
MOST_MEETINGS = 50_000_000  # of two rows in a column; beyond that the most frequent columns are left out
_CHUNK = 4_000_000  # meetings at a time
_SLACK = 1e-6  # of float32 norms


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows (`first` < `second`) and their cosine, in that order.

    Rows that are the same stand in a chain, each with the next of them, not each with every other. `complete` is
    False where columns had to be left out because too many rows have them: then some pairs may be missing.
    """

    first: Ints
    second: Ints
    cosine: Floats
    n_rows: int
    complete: bool

    def groups(self) -> Ints:
        """The number of its group for every row: rows that are joined by pairs, also over others, are one group."""
        from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 -- slow import

        ones = np.ones(self.first.size, dtype=np.int8)
        graph = sp.csr_matrix((ones, (self.first, self.second)), shape=(self.n_rows, self.n_rows))
        number: Ints = connected_components(graph, directed=False)[1].astype(np.intp)
        return number


def near_duplicates(sparse: sp.csr_matrix, cosine: float = NEAR) -> Pairs:
    """All pairs of rows with at least this cosine; `sparse` has rows of norm 1, or empty ones, which are like none.

    The cost grows with how often rare columns are shared, not with the square of the rows.
    """
    n = sparse.shape[0]
    original, number = _distinct(sparse)
    rows = sparse[original]
    prefix, complete = _prefixes(rows, cosine)
    first, second, near = _joined(rows, prefix, cosine)
    chain_first, chain_second = _chains(number, np.diff(sparse.indptr) > 0)
    ends = np.sort(np.stack([original[first], original[second]]), axis=0)
    a, b = np.concatenate([ends[0], chain_first]), np.concatenate([ends[1], chain_second])
    value = np.concatenate([near, np.ones(chain_first.size)])
    order = np.lexsort((b, a))
    return Pairs(a[order], b[order], value[order], n, complete)


def _distinct(sparse: sp.csr_matrix) -> tuple[Ints, Ints]:
    """One row of every kind that are exactly the same, ascending; and for every row the place of its kind there."""
    sorted_rows = sparse.copy()
    sorted_rows.sort_indices()
    seen: dict[bytes, int] = {}
    ends = sorted_rows.indptr.tolist()
    keys = (sorted_rows.indices[a:b].tobytes() + sorted_rows.data[a:b].tobytes() for a, b in pairwise(ends))
    number = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)
    _, original = np.unique(number, return_index=True)
    return original.astype(np.intp), number


def _chains(number: Ints, filled: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Every row with the next one that is the same."""
    order = np.argsort(number, kind="stable")
    same = (number[order][1:] == number[order][:-1]) & filled[order][1:]
    return order[:-1][same], order[1:][same]


def _prefixes(rows: sp.csr_matrix, cosine: float) -> tuple[sp.csr_matrix, bool]:
    """The part of every row that must meet that of another row; and whether all columns are in it."""
    n = rows.shape[0]
    used, column = np.unique(rows.indices, return_inverse=True)
    frequency = np.bincount(column, minlength=used.size)
    rank = np.empty(used.size, dtype=np.intp)
    rank[np.lexsort((used, frequency))] = np.arange(used.size)
    row = np.repeat(np.arange(n), np.diff(rows.indptr))
    order = np.lexsort((rank[column], row))
    squares = rows.data[order].astype(np.float64) ** 2
    before = np.cumsum(squares) - squares
    starts = rows.indptr[:-1]
    filled = np.flatnonzero(np.diff(rows.indptr))
    begun = np.zeros(n)
    begun[filled] = before[starts[filled]]
    norm = np.bincount(row, weights=squares, minlength=n)
    left = norm[row] - (before - begun[row])  # the square of what begins with this column
    kept = order[left >= cosine**2 - _SLACK]
    meetings = np.bincount(column[kept], minlength=used.size).astype(np.float64) ** 2
    by_rank = np.argsort(rank)
    affordable = np.zeros(used.size, dtype=np.bool_)
    affordable[by_rank] = np.cumsum(meetings[by_rank]) <= MOST_MEETINGS
    complete = bool(affordable[meetings > 0].all())
    kept = kept[affordable[column[kept]]]
    ones = np.ones(kept.size, dtype=np.int8)
    return sp.csr_matrix((ones, (row[kept], column[kept])), shape=(n, max(used.size, 1))), complete


def _joined(rows: sp.csr_matrix, prefix: sp.csr_matrix, cosine: float) -> tuple[Ints, Ints, Floats]:
    """The pairs of rows whose parts meet and that are so near, in chunks of rows."""
    across = prefix.T.tocsr()
    per_row = prefix.astype(np.float64) @ np.diff(across.indptr).astype(np.float64)
    chunk = (np.cumsum(per_row) // _CHUNK).astype(np.intp)
    found = [(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0))]
    for number in np.unique(chunk):
        here = np.flatnonzero(chunk == number)
        met = (prefix[here].astype(np.bool_) @ across.astype(np.bool_)).tocoo()
        a, b = here[met.row], met.col.astype(np.intp)
        a, b = a[a < b], b[a < b]
        for start in range(0, a.size, _CHUNK // 16):
            one, other = a[start : start + _CHUNK // 16], b[start : start + _CHUNK // 16]
            value = np.asarray(rows[one].multiply(rows[other]).sum(axis=1), dtype=np.float64).ravel()
            near = value >= cosine
            found.append((one[near], other[near], np.minimum(value[near], 1.0)))
    first, second, value = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, value
