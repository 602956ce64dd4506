"""What every strategy is: scores for a part of the pool, and a choice among the best of all parts.

A strategy sees the pool part by part and keeps only candidates of each, so that the parts may be scored anywhere
and in any order. What it chooses in the end rests on the merged candidates, which stand in one order
(score, then the hash of the item's id) however the pool was cut.
"""

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from core.numerics.classifier import Classifier, train
from core.numerics.table import Floats, Ints

Floats32 = npt.NDArray[np.float32]
UInts64 = npt.NDArray[np.uint64]
Note = dict[str, int | float | str]

WHOLE = 1 << 64  # every hash is below it
_STEEPEST = 30.0  # decision values beyond it are certain, and exp() of more would overflow float32
_MIX_A, _MIX_B, _MIX_C = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@dataclass(frozen=True, eq=False)
class Labelled:
    """What there is to learn from: rows of features, a share of every class per row, the hash of every item's id.

    ``answers`` is the number of answers behind each row (None: one each).
    """

    sparse: csr_matrix
    dense: Floats32
    target: Floats
    tie: UInts64
    answers: Ints | None = None

    def __len__(self) -> int:
        return len(self.tie)

    def take(self, rows: Ints) -> Self:
        """Some of the rows, in this order."""
        answers = None if self.answers is None else self.answers[rows]
        return type(self)(self.sparse[rows], self.dense[rows], self.target[rows], self.tie[rows], answers)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the pool, in any order: code of the item, hash of its id, its features."""

    item: Ints
    tie: UInts64
    sparse: csr_matrix
    dense: Floats32

    def __len__(self) -> int:
        return len(self.item)

    def take(self, rows: Ints) -> Self:
        """Some of the rows, in this order."""
        return type(self)(self.item[rows], self.tie[rows], self.sparse[rows], self.dense[rows])

    def pieces(self, at_once: int) -> Iterator[Self]:
        """Runs of rows, nothing copied."""
        data, indices, ends = self.sparse.data, self.sparse.indices, self.sparse.indptr
        for first in range(0, len(self), at_once):
            rows = slice(first, min(first + at_once, len(self)))
            start, stop = ends[rows.start], ends[rows.stop]
            parts = (data[start:stop], indices[start:stop], ends[rows.start : rows.stop + 1] - start)
            sparse = csr_matrix(parts, shape=(rows.stop - rows.start, self.sparse.shape[1]), copy=False)
            yield type(self)(self.item[rows], self.tie[rows], sparse, self.dense[rows])


@dataclass(frozen=True, eq=False)
class Candidates:
    """Items that may be chosen, with all that a choice needs.

    ``first`` and ``second`` are the two likeliest classes (-1: not known) with their calibrated probabilities,
    ``dense`` the features for clustering, ``details`` what the strategy wants besides (n x any number).
    """

    item: Ints
    tie: UInts64
    score: Floats32
    first: Ints
    second: Ints
    p_first: Floats32
    p_second: Floats32
    dense: Floats32
    details: Floats32

    def __len__(self) -> int:
        return len(self.item)

    def take(self, rows: Ints) -> Self:
        """Some of the rows, in this order."""
        return type(self)(**{name: getattr(self, name)[rows] for name in _COLUMNS})

    @classmethod
    def together(cls, parts: "Sequence[Candidates]") -> "Candidates":
        """All of them, the highest score first, equal scores by the hash of the id."""
        if not parts:
            raise ValueError("no candidates to put together")
        every = cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS})
        return every.take(np.lexsort((every.tie, -every.score)))

    def to_bytes(self) -> bytes:
        return pack({name: getattr(self, name) for name in _COLUMNS})

    @classmethod
    def from_bytes(cls, content: bytes) -> "Candidates":
        return cls(**unpack(content))


_COLUMNS = tuple(Candidates.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class State:
    """What the parts are scored with: models, arrays of the strategy's own, and which items are looked at.

    ``models`` is the classifier and, for a committee, its members after it. ``cold`` says that nothing could be learnt
    yet, so that the cold start is at work. Only items whose hash is below ``below`` are candidates.
    """

    models: tuple[Classifier, ...] = ()
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    below: int = WHOLE
    cold: bool = False

    @property
    def model(self) -> Classifier:
        return self.models[0]

    def to_bytes(self) -> bytes:
        head = json.dumps({"n_models": len(self.models), "below": self.below, "cold": self.cold}).encode()
        models = {
            f"model {n}": np.frombuffer(model.to_bytes(), np.uint8) for n, model in enumerate(self.models)
        }
        return pack({"head": np.frombuffer(head, np.uint8), **models, **self.arrays})

    @classmethod
    def from_bytes(cls, content: bytes) -> "State":
        arrays = unpack(content)
        head = json.loads(arrays.pop("head").tobytes())
        models = [Classifier.from_bytes(arrays.pop(f"model {n}").tobytes()) for n in range(head["n_models"])]
        return cls(tuple(models), arrays, head["below"], head["cold"])


class Chosen(NamedTuple):
    """Rows of the candidates in the order to be labelled; their score (None: as it was), and what to tell of each."""

    rows: Ints
    score: Floats | None = None
    notes: Sequence[Note] | None = None


class Strategy(ABC):
    """A rule for what to label next.

    ``needs_model``: without one the cold start is used. ``whole_pool``: the choice rests on the pool as a whole
    (above a size on a sample of it by the hash of the id), not on the best items of each part.
    """

    name: ClassVar[str]
    needs_model: ClassVar[bool] = True
    whole_pool: ClassVar[bool] = False

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        """What the parts will be scored with."""
        del labelled, seed
        return State(() if model is None else (model,))

    def n_candidates(self, count: int) -> int:
        """How many candidates a choice of ``count`` rests on."""
        return count

    @abstractmethod
    def score(self, state: State, part: Part) -> Floats32:
        """A number for every row: the larger, the sooner. It must depend on the row alone."""

    def details(self, state: State, part: Part) -> Floats32:
        """What ``choose`` wants to know besides of every candidate: n x any number."""
        del state
        return np.empty((len(part), 0), np.float32)

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        """At most ``count`` of the candidates; the best ones unless the strategy has another idea."""
        del state, seed
        return Chosen(np.arange(min(count, len(candidates))))


class Shares:
    """Class shares of rows as the model's decision values have them: normalised sigmoids, fitted classes x rows.

    Neither the temperature nor the correction of the prior enters: both are for people, and a ranking by them was
    not measured. Everything is done class by class on whole rows of memory: each row's figures are then the same
    whatever the rows beside it.
    """

    def __init__(self, model: Classifier, sparse: csr_matrix) -> None:
        scores = np.ascontiguousarray(model.scores(sparse).T, dtype=np.float32)
        np.clip(scores, -_STEEPEST, _STEEPEST, out=scores)
        np.negative(scores, out=scores)
        np.exp(scores, out=scores)
        scores += 1
        np.reciprocal(scores, out=scores)
        if len(scores) == 1:
            self.of_class: Floats32 = np.concatenate([1 - scores, scores])
            return
        total = scores[0].copy()
        for one in scores[1:]:
            total += one
        scores /= total
        self.of_class = scores

    @cached_property
    def _top(self) -> tuple[Floats32, Floats32]:
        best, second = self.of_class[0].copy(), np.zeros_like(self.of_class[0])
        for one in self.of_class[1:]:
            np.maximum(second, np.minimum(best, one), out=second)
            np.maximum(best, one, out=best)
        return best, second

    @property
    def unsure(self) -> Floats32:
        """1 - the largest share."""
        return np.asarray(1 - self._top[0], np.float32)

    @property
    def closeness(self) -> Floats32:
        """1 - the margin between the two largest shares."""
        best, second = self._top
        return np.asarray(1 - (best - second), np.float32)

    @property
    def entropy(self) -> Floats32:
        """Shannon's entropy, as a share of the largest that is possible."""
        return entropy_of(self.of_class) / np.float32(np.log(len(self.of_class)))


def entropy_of(shares: Floats32) -> Floats32:
    """Of each column of classes x rows, in nats."""
    total = np.zeros(shares.shape[1], np.float32)
    for one in shares:
        positive = np.maximum(one, np.float32(1e-12))
        total -= positive * np.log(positive)
    return total


def hashed(tie: UInts64, seed: int) -> UInts64:
    """Another hash of each hash, by the seed: a random order that no row order changes (splitmix64's finaliser)."""
    with np.errstate(over="ignore"):
        mixed = tie ^ np.uint64((seed * _MIX_A + _MIX_B) % WHOLE)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX_B)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX_C)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


def model_of(labelled: Labelled, seed: int, weight: Floats | None = None) -> Classifier | None:
    """The classifier of these labels; None where fewer than two classes occur."""
    return train(labelled.sparse, labelled.target, seed=seed, weight=weight)


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Arrays by name as bytes (npz, nothing pickled)."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
