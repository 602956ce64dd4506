"""L2-regularised logistic regression: many problems on the same sparse rows at once.

Of every problem it minimises what liblinear does (Fan et al. 2008, their L2R_LR with a bias of 1),

    (|w|^2 + b^2) / 2 + sum_i [ positive_i log(1 + exp(-f_i)) + negative_i log(1 + exp(f_i)) ],    f = X w + b,

where a row may weigh on both sides. At the minimum w = X' a and b = sum(a) with one number a per row,
a = positive - (positive + negative) sigmoid(f), so Newton's method runs on a, as for Gaussian processes (Rasmussen and
Williams 2006, algorithm 3.1): with K = X X' + 1 and the second derivatives H each step solves
(I + sqrt(H) K sqrt(H)) y = residual / sqrt(H) by conjugate gradients that end early (Dembo and Steihaug 1983). A product
with K is two sparse products that all problems share; K is never made. The gradients are preconditioned as if any two
rows were equally alike: a diagonal and a matrix of rank one, which takes in the intercept and what all rows have in
common (Sherman and Morrison 1950).

Nothing here is random or runs on several threads.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Floats32 = npt.NDArray[np.float32]

TOLERANCE = 0.03
MOST_STEPS, MOST_PRODUCTS = 50, 50  # in all; of one step
_FORCING = 0.3  # a step ends when its residual is this share of what it began with
_STRETCHES = 2
_LEAST = np.float32(1e-6)  # of a second derivative: a row without any would be divided by 0
_TINY = np.float32(1e-30)
_AT_ONCE = 1 << 22  # numbers in one array


class Solution(NamedTuple):
    """Weights (columns x problems) and intercepts (problems), float32."""

    weights: Floats32
    intercept: Floats32


def solve(
    rows: sp.csr_matrix,
    positive: Floats32,
    negative: Floats32,
    *,
    tolerance: float = TOLERANCE,
    tick: Callable[[], object] | None = None,
) -> Solution:
    """The minima of all problems.

    `rows` is float32 (n x columns); `positive` and `negative` (n x problems, float32, at least 0) say how much each row
    weighs on either side, liblinear's C included. A problem is solved when no row's own residual would move its
    decision value by `tolerance`; the decision values are then some tenths of that from the minimum. Problems are
    solved a block at a time to bound the memory; `tick` is called before each step of a block.
    """
    width = max(_AT_ONCE // max(rows.shape), 1)
    blocks = [
        _solved(rows, positive[:, start : start + width], negative[:, start : start + width], tolerance, tick)
        for start in range(0, positive.shape[1], width)
    ]
    return Solution(
        np.concatenate([weights for weights, _ in blocks], axis=1),
        np.concatenate([intercept for _, intercept in blocks]),
    )


def _solved(
    rows: sp.csr_matrix,
    positive: Floats32,
    negative: Floats32,
    tolerance: float,
    tick: Callable[[], object] | None,
) -> Solution:
    across = rows.T
    own, alike = _likeness(rows)
    both = positive + negative
    dual, scores = np.zeros_like(both), np.zeros_like(both)

    def product(vector: Floats32) -> Floats32:
        found: Floats32 = rows @ (across @ vector)
        found += vector.sum(axis=0)
        return found

    for _ in range(MOST_STEPS):
        share = _sigmoids(scores)
        residual = positive - both * share - dual
        curvature = np.maximum(both * share * (1 - share), _LEAST)
        if np.all(np.abs(residual) * (own + 1) <= tolerance * (1 + curvature * (own + 1))):
            break
        if tick is not None:
            tick()
        step, moved = _newton_step(product, residual, curvature, own, alike)
        length = _length(step, moved, scores, positive, both)
        dual += length * step
        scores += length * moved
    return Solution(across @ dual, dual.sum(axis=0))


def _newton_step(
    product: Callable[[Floats32], Floats32],
    residual: Floats32,
    curvature: Floats32,
    own: Floats32,
    alike: np.float32,
) -> tuple[Floats32, Floats32]:
    """The step and how it moves the decision values: conjugate gradients, all problems side by side."""
    root = np.sqrt(curvature)
    inverse = 1 / (1 + curvature * np.maximum(own + 1 - alike, 0))
    common = inverse * root
    shrink = alike / (1 + alike * _dots(common, root))

    def eased(vector: Floats32) -> Floats32:
        found: Floats32 = inverse * vector - common * (shrink * _dots(common, vector))
        return found

    left = residual / root
    found, moved = np.zeros_like(left), np.zeros_like(left)
    direction = np.zeros_like(left)
    size = enough = None
    for _ in range(MOST_PRODUCTS):
        gradient = eased(left)
        before, size = size, _dots(left, gradient)
        if before is None or enough is None:
            direction, enough = gradient, _FORCING**2 * size
        elif np.all(size <= enough):
            break
        else:
            direction = gradient + (size / np.maximum(before, _TINY)) * direction
        scaled = root * direction
        answer = product(scaled)
        turned = direction + root * answer
        length = size / np.maximum(_dots(direction, turned), _TINY)
        found += length * scaled
        moved += length * answer
        left -= length * turned
    return found, moved


def _length(
    step: Floats32, moved: Floats32, scores: Floats32, positive: Floats32, both: Floats32
) -> Floats32:
    """How far to go along each problem's step: the minimum on that line, by Newton's method from 1."""
    slope, bend = _dots(step, scores), _dots(step, moved)
    length = np.ones_like(slope)
    for _ in range(_STRETCHES):
        share = _sigmoids(scores + length * moved)
        first = slope + length * bend - _dots(positive - both * share, moved)
        second = bend + _dots(both * share * (1 - share), moved * moved)
        length = np.clip(length - first / np.maximum(second, _TINY), length / 4, length * 4)
    return length


def _likeness(rows: sp.csr_matrix) -> tuple[Floats32, np.float32]:
    """Every row's squared length (n x 1), and the mean product of two rows with their intercepts."""
    squares = np.add.reduceat(np.append(rows.data**2, np.float32(0)), rows.indptr[:-1])
    own = np.where(np.diff(rows.indptr) > 0, squares, np.float32(0))
    mean = np.bincount(rows.indices, rows.data) / max(rows.shape[0], 1)
    return own.astype(np.float32)[:, None], np.float32(1 + mean @ mean)


def _sigmoids(scores: Floats32) -> Floats32:
    """Of decision values cut at 30, so that exp() cannot overflow."""
    found: Floats32 = 1 / (1 + np.exp(np.clip(-scores, -30, 30)))
    return found


def _dots(a: Floats32, b: Floats32) -> Floats32:
    """Of each problem's two vectors."""
    found: Floats32 = np.einsum("ij,ij->j", a, b)
    return found
