"""The solver of logistic regressions: the minimum that liblinear finds, whatever the rows and weights."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

from core.numerics import logistic
from core.numerics.logistic import solve
from core.numerics.table import Floats

WIDTH = 600
NEAR = 0.02  # of decision values


def documents(n: int, seed: int) -> sp.csr_matrix:
    """Rows of length 1 of twelve words that are as frequent as words are."""
    rng = np.random.default_rng(seed)
    words = np.minimum(rng.zipf(1.4, size=12 * n), WIDTH) - 1
    rows = sp.csr_matrix((np.ones(words.size), words, np.arange(0, words.size + 1, 12)), shape=(n, WIDTH))
    rows.sum_duplicates()
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)))
    return sp.csr_matrix(rows.multiply(1 / lengths))


def balanced(share: npt.NDArray[Any], strength: float = 10.0) -> tuple[Floats, Floats]:
    """Both sides of every problem weigh the same, together the number of rows times the strength."""
    share, half = share.astype(np.float64), strength * len(share) / 2
    return share * half / share.sum(axis=0), (1 - share) * half / (1 - share).sum(axis=0)


def decided(rows: sp.csr_matrix, positive: Floats, negative: Floats) -> Floats:
    found = solve(rows, positive, negative)
    return np.asarray(rows @ found.weights + found.intercept)


def by_liblinear(rows: sp.csr_matrix, positive: Floats, negative: Floats) -> Floats:
    """The decision values of scikit-learn's liblinear, each row given once on either side."""
    from sklearn.linear_model import LogisticRegression

    both = sp.vstack([rows, rows], format="csr")
    side = np.repeat([True, False], rows.shape[0])
    found = []
    for ours, theirs in zip(positive.T, negative.T, strict=True):
        weight = np.concatenate([ours, theirs])
        used = weight > 0
        model = LogisticRegression(solver="liblinear", dual=True, C=1, tol=1e-7, max_iter=1_000_000)
        model.fit(both[used], side[used], weight[used])
        found.append(model.decision_function(rows))
    return np.stack(found, axis=1)


def test_ten_classes_at_once_are_what_liblinear_finds_one_by_one() -> None:
    rows = documents(250, 1)
    rng = np.random.default_rng(1)
    sides = balanced(np.eye(10)[rng.integers(10, size=250)])
    assert np.allclose(decided(rows, *sides), by_liblinear(rows, *sides), atol=NEAR)


def test_rows_that_weigh_on_both_sides_are_what_liblinear_finds_of_two_rows_each() -> None:
    rows = documents(150, 2)
    sides = balanced(np.random.default_rng(2).dirichlet(np.full(4, 0.3), size=150))
    assert np.allclose(decided(rows, *sides), by_liblinear(rows, *sides), atol=NEAR)


def test_weights_from_a_thousandth_to_a_thousand() -> None:
    rows, rng = documents(150, 3), np.random.default_rng(3)
    weight = 10.0 ** rng.uniform(-3, 3, size=(150, 1))
    positive, negative = balanced(rng.integers(2, size=(150, 1)))
    sides = positive * weight, negative * weight
    assert np.allclose(decided(rows, *sides), by_liblinear(rows, *sides), atol=NEAR)


def test_one_positive_row_in_five_thousand() -> None:
    rows = documents(5000, 4)
    sides = balanced((np.arange(5000) == 17)[:, None])
    assert np.allclose(decided(rows, *sides), by_liblinear(rows, *sides), atol=NEAR)


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_dense_vectors_with_signs_and_such_as_are_nearly_the_same(offset: float) -> None:
    vectors = np.random.default_rng(5).normal(size=(300, 20)) + offset
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, sides = sp.csr_matrix(vectors), balanced(vectors[:, :2] > vectors[:, 2:4])
    assert np.allclose(decided(rows, *sides), by_liblinear(rows, *sides), atol=NEAR)


def test_equal_rows_with_different_labels_are_soon_given_up() -> None:
    rows = sp.vstack([documents(1, 6)] * 400, format="csr")
    steps: list[int] = []
    found = solve(rows, *balanced((np.arange(400) < 10)[:, None]), tick=lambda: steps.append(1))
    assert np.allclose(rows @ found.weights + found.intercept, 0, atol=NEAR)
    assert len(steps) < 5


def test_rows_without_any_column_share_the_intercept() -> None:
    rows = sp.csr_matrix((30, 1))
    positive, negative = np.full((30, 1), 3.0), np.full((30, 1), 1.0)
    assert np.allclose(decided(rows, positive, negative), np.log(3), atol=0.05)


def test_a_tighter_tolerance_comes_nearer() -> None:
    rows = documents(200, 7)
    sides = balanced(np.random.default_rng(7).random((200, 3)) < 0.3)
    found = solve(rows, *sides, tolerance=1e-9)
    scores = rows @ found.weights + found.intercept
    pull = sides[0] / (1 + np.exp(scores)) - sides[1] / (1 + np.exp(-scores))
    assert np.allclose(found.weights, rows.T @ pull, atol=1e-6)  # the gradient is 0
    assert np.allclose(found.intercept, pull.sum(axis=0), atol=1e-6)


def test_problems_solved_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = documents(200, 8)
    sides = balanced(np.random.default_rng(8).random((200, 7)) < 0.3)
    at_once = decided(rows, *sides)
    monkeypatch.setattr(logistic, "_AT_ONCE", 3 * WIDTH)
    assert np.allclose(decided(rows, *sides), at_once, atol=NEAR)


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = documents(200, 9)
    sides = balanced(np.random.default_rng(9).random((200, 5)) < 0.3)
    first, again = solve(rows, *sides), solve(rows.copy(), *(np.asfortranarray(side) for side in sides))
    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.intercept.tobytes() == again.intercept.tobytes()
