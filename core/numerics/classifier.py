"""The model that learns from labels: one-vs-rest logistic regression on sparse rows.

One-vs-rest logistic regression with liblinear's C = 10 and balanced weights, all classes at once (`logistic.py`). It
learns from the columns that occur in the labelled rows only, which are few of all hashed ones, so that training costs
by the labels and not by the width of the features.

Soft targets: a row whose target is .7 of one class and .3 of another is a positive example with weight .7 and a
negative one with weight .3 in the problem of the first class, and so on.

Probabilities are sigmoids of the scores, normalised. Balanced weights make every class as frequent as any other, and
labels that were chosen are not like the items; so `calibrate` learns a temperature and the way back to the shares of
the classes from labels that came by chance.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from core.numerics.logistic import solve
from core.numerics.table import Floats, Ints

Floats32 = npt.NDArray[np.float32]

FORMAT = 1  # of the bytes
STRENGTH = 10.0  # liblinear's C, the inverse of the regularisation
CALIBRATION_ITEMS = 20  # fewer labels than this change nothing
_TINY = 1e-12
_PAIR = 2
_LOG_TEMPERATURES = np.linspace(-2.5, 2.5, 21)
_SHIFTS = np.linspace(0.0, 1.0, 5)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained model of `n_classes` classes over rows of `width` columns.

    `fitted` are the codes of the classes that were seen, ascending; all others have probability 0. `columns` are the
    columns with a weight, ascending. `weights` (columns x problems, float32) and `intercept` (problems) belong to one
    problem per seen class, or, where two were seen, to one problem: the second against the first.
    `log_prior_shift` is one number per seen class, added to the logarithm of its sigmoid; None adds nothing.
    """

    n_classes: int
    width: int
    fitted: Ints
    columns: Ints
    weights: Floats32
    intercept: Floats32
    temperature: float = 1.0
    log_prior_shift: Floats | None = None

    @cached_property
    def _place(self) -> npt.NDArray[np.int32]:
        """Where each of all columns stands among those with a weight; after the last of them: it has none."""
        place = np.full(self.width, self.columns.size, dtype=np.int32)
        place[self.columns] = np.arange(self.columns.size, dtype=np.int32)
        return place

    @cached_property
    def _weights_and_none(self) -> Floats32:
        """The weights, and a row of zeros for columns without any."""
        none = np.zeros((1, self.weights.shape[1]), dtype=np.float32)
        return np.concatenate([self.weights, none])

    def scores(self, sparse: sp.csr_matrix) -> Floats32:
        """Decision values (rows x problems, float32): one per seen class, or one in all where two were seen.

        Above 0 means the problem's class (of two seen classes: the second). The columns are renumbered first: weights
        of the few columns that have any stay in the processor's cache, those of all of them do not.
        """
        parts = (sparse.data, self._place.take(sparse.indices), sparse.indptr)
        rows = sp.csr_matrix(parts, shape=(sparse.shape[0], self.columns.size + 1))
        found: Floats32 = rows @ self._weights_and_none
        found += self.intercept
        return found

    def probabilities(self, sparse: sp.csr_matrix) -> Floats32:
        """Probabilities (rows x n_classes, float32) whose rows sum to 1; classes never seen have 0."""
        return self.probabilities_of(self.scores(sparse))

    def probabilities_of(self, scores: Floats32) -> Floats32:
        """The probabilities that belong to decision values of `scores`."""
        full = np.zeros((len(scores), self.n_classes), dtype=np.float32)
        logs = log_sigmoids(scores / self.temperature)
        full[:, self.fitted] = _normalised(
            logs if self.log_prior_shift is None else logs + self.log_prior_shift
        )
        return full

    def to_bytes(self) -> bytes:
        """The model as an npz archive of plain arrays: the same model gives the same bytes."""
        head = {
            "format": FORMAT,
            "n_classes": self.n_classes,
            "width": self.width,
            "temperature": self.temperature,
        }
        shift = np.zeros(0) if self.log_prior_shift is None else self.log_prior_shift
        file = io.BytesIO()
        np.savez(
            file,
            head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
            fitted=self.fitted.astype(np.int64),
            columns=self.columns.astype(np.int64),
            weights=self.weights,
            intercept=self.intercept,
            log_prior_shift=shift,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The model of `to_bytes`; nothing in the bytes is ever executed. Raises ValueError for another format."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            if head["format"] != FORMAT:
                raise ValueError(f"a model of format {head['format']}, not {FORMAT}")
            shift = arrays["log_prior_shift"]
            return cls(
                n_classes=head["n_classes"],
                width=head["width"],
                fitted=arrays["fitted"].astype(np.intp),
                columns=arrays["columns"].astype(np.intp),
                weights=arrays["weights"],
                intercept=arrays["intercept"],
                temperature=head["temperature"],
                log_prior_shift=shift if shift.size else None,
            )


def log_sigmoids(scores: npt.NDArray[Any]) -> Floats:
    """Logarithms of the sigmoids of decision values, one column per seen class (two for one column of scores)."""
    both = np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
    logs: Floats = -np.logaddexp(0.0, -both.astype(np.float64))
    return logs


def _normalised(logs: Floats) -> Floats:
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def train(
    sparse: sp.csr_matrix,
    target: Floats,
    *,
    seed: int,
    weight: Floats | None = None,
    tick: Callable[[], object] | None = None,
) -> Classifier | None:
    """The model of some labelled rows; None where they hold fewer than two classes.

    `target` (rows x classes) has rows that sum to 1; `weight` is one number above 0 per row. Another order of the rows
    changes the last bits: give them in one that does not depend on the database. Nothing is random, whatever the seed.
    `tick` is called before each step of the solver, for whoever must say that they are still at it.
    Raises ValueError where the shapes do not fit.
    """
    del seed
    if target.ndim != _PAIR or target.shape[0] != sparse.shape[0]:
        raise ValueError("target must be one row per row of features")
    target = np.asarray(target, dtype=np.float64)
    fitted = np.flatnonzero(target.sum(axis=0) > _TINY)
    if fitted.size < _PAIR:
        return None
    rows, columns = _pruned(sparse)
    each = np.ones(target.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    shares = target[:, fitted if fitted.size > _PAIR else fitted[1:]]
    positive, negative = shares * each[:, None], np.maximum(1 - shares, 0) * each[:, None]
    half = STRENGTH * each.sum() / 2  # each side of a problem weighs half of all
    positive *= half / positive.sum(axis=0)
    negative *= half / negative.sum(axis=0)
    found = solve(rows, positive, negative, tick=tick)
    return Classifier(
        n_classes=target.shape[1],
        width=sparse.shape[1],
        fitted=fitted,
        columns=columns,
        weights=found.weights[: columns.size].astype(np.float32),
        intercept=found.intercept.astype(np.float32),
    )


def _pruned(sparse: sp.csr_matrix) -> tuple[sp.csr_matrix, Ints]:
    """The rows over the columns that occur in them, in float64; and these columns."""
    used = np.zeros(sparse.shape[1], dtype=np.bool_)
    used[sparse.indices] = True
    columns = np.flatnonzero(used)
    place = np.zeros(sparse.shape[1], dtype=np.int32)
    place[columns] = np.arange(columns.size, dtype=np.int32)
    parts = (sparse.data.astype(np.float64), place[sparse.indices], sparse.indptr)
    return sp.csr_matrix(parts, shape=(sparse.shape[0], max(columns.size, 1))), columns


def calibrate(model: Classifier, sparse: sp.csr_matrix, label: Ints) -> Classifier:
    """The model with probabilities that fit labels that came by chance and that it has not learnt from.

    Two numbers are learnt by maximum likelihood over a grid: the temperature of the scores (Guo et al. 2017), and how
    far (0 to 1) the logarithms of the classes' shares are added to undo the balanced weights (Saerens et al. 2002). The
    shares are those of the other labels (leave one out), plus one each, so that few labels do not overfit; and of n
    labels 1 / (n + 2) of a label is spread over all classes (Platt 1999), so that no number of right answers makes the
    model certain. `label` is
    -1 where there is none. With fewer than 20 labels of seen classes the model stays as it is.
    """
    place = np.full(model.n_classes, -1, dtype=np.intp)
    place[model.fitted] = np.arange(model.fitted.size)
    known = np.flatnonzero((label >= 0) & (place[label] >= 0))
    if known.size < CALIBRATION_ITEMS:
        return model
    scores, own = model.scores(sparse[known]), place[label[known]]
    n = np.bincount(own, minlength=model.fitted.size)
    prior = np.tile(np.log(n + 1.0), (known.size, 1))
    prior[np.arange(known.size), own] = np.log(n[own])
    coarse = _best(scores, prior, own, _LOG_TEMPERATURES, _SHIFTS)
    step = _LOG_TEMPERATURES[1] - _LOG_TEMPERATURES[0]
    fine = np.linspace(-step, step, 11) + coarse[0]
    closer = np.clip(np.linspace(-0.25, 0.25, 11) + coarse[1], 0.0, 1.0)
    log_temperature, shift = _best(scores, prior, own, fine, closer)
    shares = np.log(n + 1.0)
    return replace(
        model, temperature=float(np.exp(log_temperature)), log_prior_shift=shift * (shares - shares.mean())
    )


def _best(
    scores: Floats32, prior: Floats, own: Ints, log_temperatures: Floats, shifts: Floats
) -> tuple[float, float]:
    """The pair with the smallest loss; of equals the nearest to no change."""
    rows, spread = np.arange(own.size), 1 / (own.size + 2)
    found = []
    for log_temperature in log_temperatures:
        logs = log_sigmoids(scores / np.exp(log_temperature))
        for shift in shifts:
            moved = logs + shift * prior
            top = moved.max(axis=1)
            total = np.log(np.exp(moved - top[:, None]).sum(axis=1)) + top
            loss = total - (1 - spread) * moved[rows, own] - spread * moved.mean(axis=1)
            found.append((round(float(loss.mean()), 9), abs(log_temperature), shift, log_temperature))
    _, _, shift, log_temperature = min(found)
    return float(log_temperature), float(shift)


def judged(
    model: Classifier, sparse: sp.csr_matrix, label: Ints, tie: npt.NDArray[np.uint64]
) -> tuple[Classifier, Floats32]:
    """The calibrated model, and what it says of the holdout by calibrations that have not seen the item's own label.

    `label` is -1 where there is none; `tie` is a hash per row. A labelled row is told (rows x n_classes) by the
    calibration on the half of the holdout that it is not in, by the last bit of its hash.
    """
    final = calibrate(model, sparse, label)
    said = final.probabilities(sparse)
    half = (tie & np.uint64(1)).astype(np.intp)
    for side in range(2):
        mine = np.flatnonzero((half == side) & (label >= 0))
        if mine.size:
            others = np.where(half == side, -1, label)
            said[mine] = calibrate(model, sparse, others).probabilities(sparse[mine])
    return final, said


def cross_validated(
    sparse: sp.csr_matrix,
    target: Floats,
    *,
    seed: int,
    folds: int = 3,
    most: int = 2_000,
    tick: Callable[[], object] | None = None,
) -> tuple[Ints, Ints] | None:
    """Classes of labelled rows, and what models say that were trained on the other folds; of `most` rows at most.

    The naive estimate of quality: of labels that a strategy chose it tells how hard they are, not how good the model
    is. Rows without one likeliest class are left out. None where a fold leaves fewer than two classes to learn.
    """
    top = target.max(axis=1, initial=0.0, keepdims=True)
    used = np.flatnonzero(np.count_nonzero(target >= top, axis=1) == 1)[:most]
    rows, target = sparse[used], target[used]
    fold = np.arange(used.size) % folds
    predicted = np.full(used.size, -1, dtype=np.intp)
    for one in range(folds):
        model = train(rows[fold != one], target[fold != one], seed=seed, tick=tick)
        if model is None:
            return None
        predicted[fold == one] = model.probabilities(rows[fold == one]).argmax(axis=1)
    return target.argmax(axis=1), predicted
