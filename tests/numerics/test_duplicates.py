"""Near-duplicates: every pair above the cosine and no other, whatever the rows."""

import numpy as np
import pytest
import scipy.sparse as sp

from core.numerics import duplicates
from core.numerics.duplicates import near_duplicates


def normalised(rows: sp.csr_matrix) -> sp.csr_matrix:
    norm = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.maximum(norm, 1e-12)) @ rows).astype(np.float32)


def texts(n: int, seed: int) -> sp.csr_matrix:
    """Rows of ten of 300 columns, rare and frequent ones; every third is the one before it with one column less."""
    rng = np.random.default_rng(seed)
    table = np.zeros((n, 300), dtype=np.float32)
    for row in range(n):
        if row % 3 == 2:
            table[row] = table[row - 1]
            table[row, rng.choice(np.flatnonzero(table[row]))] = 0
        else:
            table[row, (300 * rng.random(10) ** 3).astype(int)] = rng.random(10) + 0.1
    return normalised(sp.csr_matrix(table))


@pytest.mark.parametrize("cosine", [0.5, 0.8, 0.9, 0.99])
def test_the_pairs_are_those_of_all_cosines(cosine: float) -> None:
    rows = texts(240, seed=3)
    found = near_duplicates(rows, cosine)
    every = np.triu((rows @ rows.T).toarray(), 1)
    a, b = np.nonzero(every >= cosine)
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == set(
        zip(a.tolist(), b.tolist(), strict=True)
    )
    assert found.cosine == pytest.approx(every[found.first, found.second], abs=1e-6)
    assert found.complete


def test_rows_that_are_the_same_are_one_group_and_empty_rows_are_like_none() -> None:
    one, other = [1.0, 0, 0, 0], [0, 0.6, 0.8, 0]
    rows = sp.csr_matrix(np.array([one, other, one, [0] * 4, other, one, [0] * 4], dtype=np.float32))
    found = near_duplicates(rows)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 2), (1, 4), (2, 5)]
    groups = found.groups()
    assert groups[0] == groups[2] == groups[5]
    assert groups[1] == groups[4]
    assert np.unique(groups).size == 4


def test_frequent_columns_are_left_out_where_too_many_rows_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is right all the same, and that some may be missing is said."""
    rows = texts(240, seed=3)
    every = set(zip(*(column.tolist() for column in _pairs(rows)), strict=True))
    monkeypatch.setattr(duplicates, "MOST_MEETINGS", 500)
    fewer = near_duplicates(rows)
    assert not fewer.complete
    some = set(zip(fewer.first.tolist(), fewer.second.tolist(), strict=True))
    assert some < every


def _pairs(rows: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    found = near_duplicates(rows)
    return found.first, found.second


def test_no_rows_have_no_pairs() -> None:
    found = near_duplicates(sp.csr_matrix((0, 10), dtype=np.float32))
    assert found.first.size == 0
    assert found.groups().size == 0
