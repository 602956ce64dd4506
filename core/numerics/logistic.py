"""L2-regularised logistic regression: many problems on the same sparse rows at once.

Of every problem it minimises what liblinear does (Fan et al. 2008, their L2R_LR with a bias of 1),

    (|w|^2 + b^2) / 2 + sum_i [ positive_i log(1 + exp(-f_i)) + negative_i log(1 + exp(f_i)) ],    f = X w + b,

where a row may weigh on both sides. At the minimum w = X' a and b = sum(a) with one number a per row,
a = positive - (positive + negative) sigmoid(f), so Newton's method runs on a, as for Gaussian processes (Rasmussen and
Williams 2006, algorithm 3.1): with K = X X' + 1 and the second derivatives H each step solves
(I + sqrt(H) K sqrt(H)) y = residual / sqrt(H) by conjugate gradients that end early (Dembo and Steihaug 1983). A product
with K is two sparse products that all problems share; K is never made. The gradients are preconditioned as if any two
rows were equally alike: a diagonal and a matrix of rank one, which takes in the intercept and what all rows have in
common.

Nothing here is random or runs on several threads. All is done in float64: where one row weighs as much as thousands
of others, float32 does not come to an end.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from core.numerics.table import Floats

TOLERANCE = 0.01  # with it decision values are as exact as liblinear's at 0.01 (sms, banking77, digits)
MOST_STEPS, MOST_PRODUCTS = 50, 50  # in all; of one step
_FORCING = 0.3  # a step ends when its residual is this share of what it began with
_STRETCHES = 2
_STEEPEST = 30.0  # decision values beyond it are certain
_LEAST = 1e-6  # of a second derivative, by whose root is divided
_HELD = 1e-6  # keeps the length at 1 of a step that moves nothing (rows that are equal)
_TINY = 1e-30
_AT_ONCE = 1 << 21  # numbers in one array


class Solution(NamedTuple):
    """Weights (columns x problems) and intercepts (problems), float64."""

    weights: Floats
    intercept: Floats


def solve(
    rows: sp.csr_matrix,
    positive: Floats,
    negative: Floats,
    *,
    tolerance: float = TOLERANCE,
    tick: Callable[[], object] | None = None,
) -> Solution:
    """The minima of all problems.

    `rows` is float64 (n x columns); `positive` and `negative` (n x problems, float64, at least 0) say how much each row
    weighs on either side, liblinear's C included. A problem is solved when no row alone could move its decision value
    by `tolerance`; the decision values are then about as near to those of the minimum. Problems are solved a block
    at a time to bound the memory; `tick` is called before each step of a block.
    """
    width = max(_AT_ONCE // max(rows.shape), 1)
    found = [
        _Block(rows, positive[:, start : start + width], negative[:, start : start + width]).solve(
            tolerance, tick
        )
        for start in range(0, positive.shape[1], width)
    ]
    return Solution(
        np.concatenate([weights for weights, _ in found], axis=1),
        np.concatenate([intercept for _, intercept in found]),
    )


class _Block:
    """Problems that are solved side by side: n x problems in every array."""

    def __init__(self, rows: sp.csr_matrix, positive: Floats, negative: Floats) -> None:
        self.rows, self.across = rows, rows.T
        self.positive, self.negative = np.ascontiguousarray(positive), np.ascontiguousarray(negative)
        lengths = np.bincount(
            np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.data**2, rows.shape[0]
        )
        totals = np.bincount(rows.indices, rows.data, rows.shape[1])
        self.own = np.asarray(1 + lengths[:, None], np.float64)  # K's diagonal
        self.alike = float(
            1 + np.square(totals / rows.shape[0]).sum()
        )  # what every other entry is taken to be

    def solve(self, tolerance: float, tick: Callable[[], object] | None) -> Solution:
        """Newton's method from 0."""
        dual, scores = np.zeros_like(self.positive), np.zeros_like(self.positive)
        for _ in range(MOST_STEPS):
            pull, curvature = self._derivatives(scores)
            residual = pull - dual
            if np.all(np.abs(residual) * self.own <= tolerance * (1 + curvature * self.own)):
                break
            if tick is not None:
                tick()
            step, moved = self._step(residual, np.maximum(curvature, _LEAST))
            length = self._length(step, scores, moved)
            dual += length * step
            scores += length * moved
        return Solution(self.across @ dual, dual.sum(axis=0))

    def _derivatives(self, scores: Floats) -> tuple[Floats, Floats]:
        """Of the losses by the decision values: the first, negated, and the second."""
        odds = np.exp(np.clip(-scores, -_STEEPEST, _STEEPEST))
        share = 1 / (1 + odds)
        rest = odds * share
        return self.positive * rest - self.negative * share, (self.positive + self.negative) * share * rest

    def _product(self, vectors: Floats) -> Floats:
        """K times each problem's vector."""
        found: Floats = self.rows @ (self.across @ vectors)
        found += vectors.sum(axis=0)
        return found

    def _step(self, residual: Floats, curvature: Floats) -> tuple[Floats, Floats]:
        """The step, and how far it moves the decision values: preconditioned conjugate gradients."""
        root = np.sqrt(curvature)
        diagonal: Floats = 1 / (1 + curvature * np.maximum(self.own - self.alike, 0))
        common = diagonal * root
        shrink = self.alike / (1 + self.alike * _dots(common, root))

        def preconditioned(vectors: Floats) -> Floats:
            found: Floats = diagonal * vectors - common * (shrink * _dots(common, vectors))
            return found

        left: Floats = residual / root
        step, moved = np.zeros_like(left), np.zeros_like(left)
        direction = preconditioned(left)
        size = _dots(left, direction)
        enough = _FORCING**2 * size
        for _ in range(MOST_PRODUCTS):
            scaled = root * direction
            answer = self._product(scaled)
            turned = direction + root * answer
            length = size / np.maximum(_dots(direction, turned), _TINY)
            step += length * scaled
            moved += length * answer
            left -= length * turned
            gradient = preconditioned(left)
            before, size = size, _dots(left, gradient)
            if np.all(size <= enough):
                break
            direction = gradient + (size / np.maximum(before, _TINY)) * direction
        return step, moved

    def _length(self, step: Floats, scores: Floats, moved: Floats) -> Floats:
        """How far to go along each problem's step: towards the minimum on that line, by Newton's method from 1."""
        slope, bend = _dots(step, scores), _dots(step, moved)
        held = _HELD * _dots(step, step) + _TINY
        length = np.ones_like(slope)
        for _ in range(_STRETCHES):
            pull, curvature = self._derivatives(scores + length * moved)
            first = slope + length * bend - _dots(pull, moved) + held * (length - 1)
            second = bend + _dots(curvature, moved * moved) + held
            length = np.clip(length - first / second, length / 4, length * 4)
        return length


def _dots(a: Floats, b: Floats) -> Floats:
    """Of each problem's two vectors."""
    found: Floats = np.einsum("ij,ij->j", a, b)
    return found
