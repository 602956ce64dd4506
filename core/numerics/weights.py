"""How much two different answers agree: weights from 0 to 1 for every pair of classes.

The definitions of the named weights are those of Gwet (2014, chapter 3) and of irrCAC: x are the numbers of the
classes (or 1, 2, … in their order), r their ranks, max and min the ends of the scale.

| name | weight of classes k and l |
|---|---|
| linear | 1 - abs(x_k - x_l) / (max - min) |
| quadratic | 1 - ((x_k - x_l) / (max - min))² |
| ordinal | 1 - C(d + 1, 2) / C(q, 2), d = abs(r_k - r_l), q ranks |
| radical | 1 - sqrt(abs(x_k - x_l) / (max - min)) |
| ratio | 1 - ((x_k - x_l) / (x_k + x_l))² / ((max - min) / (max + min))² |
| circular | 1 - sin²(pi (x_k - x_l) / (max - min + 1)), the sine's largest square scaled to 1 |
| bipolar | 1 - (x_k - x_l)² / ((x_k + x_l - 2 min) (2 max - x_k - x_l)), the largest scaled to 1 |

Three forms of one interface: equality (a weight per class), a table of classes x classes, and quadratic weights by
moments, which need no table however many numbers there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import numpy as np

from core.numerics.table import Bools, Floats, Ints, pairs_within, totals

MOST_CLASSES = 400  # beyond, only quadratic weights: a table would be classes x classes


class WeightName(StrEnum):
    """The weights that have a name; a table of one's own is `custom`."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"
    ORDINAL = "ordinal"
    RADICAL = "radical"
    RATIO = "ratio"
    CIRCULAR = "circular"
    BIPOLAR = "bipolar"


class Weights(Protocol):
    """Agreement of two answers by their classes."""

    @property
    def own(self) -> Floats:
        """Weight of two answers of one class, per class."""

    @property
    def total(self) -> float:
        """Sum over all ordered pairs of classes."""

    def of(self, one: Ints, other: Ints) -> Floats:
        """Weight of each pair of class codes."""

    def toward(self, mass: Floats) -> Floats:
        """For every class k the sum over classes l of weight(k, l) * mass(l)."""

    def beside(self, group: Ints, label: Ints, mass: Floats, n_groups: int) -> Floats:
        """For every entry the sum over the entries of its group of weight(own label, label) * mass.

        Entries are sorted by group; a class stands at most once in a group.
        """

    def turned(self) -> "Weights":
        """The same with the two answers exchanged."""


@dataclass(frozen=True, eq=False)
class Equality:
    """Answers agree if they are equal, and then by `own`, one weight per class."""

    own: Floats

    @cached_property
    def total(self) -> float:
        return float(self.own.sum())

    def of(self, one: Ints, other: Ints) -> Floats:
        return np.where(one == other, self.own[one] if self.own.size else 0.0, 0.0)

    def toward(self, mass: Floats) -> Floats:
        return self.own * mass

    def beside(self, group: Ints, label: Ints, mass: Floats, n_groups: int) -> Floats:  # noqa: ARG002 -- the interface
        return self.own[label] * mass

    def turned(self) -> "Equality":
        return self


@dataclass(frozen=True, eq=False)
class Table:
    """A weight for every pair of classes; the first answer's class is the row."""

    matrix: Floats

    @property
    def own(self) -> Floats:
        return self.matrix.diagonal()

    @cached_property
    def total(self) -> float:
        return float(self.matrix.sum())

    def of(self, one: Ints, other: Ints) -> Floats:
        return self.matrix[one, other]

    def toward(self, mass: Floats) -> Floats:
        return self.matrix @ mass

    def beside(self, group: Ints, label: Ints, mass: Floats, n_groups: int) -> Floats:
        felt = self.own[label] * mass
        sizes = np.bincount(group, minlength=n_groups)
        for left, right in pairs_within(np.arange(label.size), sizes):  # no entry twice in one of these
            felt[left] += self.matrix[label[left], label[right]] * mass[right]
            felt[right] += self.matrix[label[right], label[left]] * mass[left]
        return felt

    def turned(self) -> "Table":
        return Table(self.matrix.T)

    def even(self) -> "Table":
        """The mean of the table and the turned one: what counts where nobody is first."""
        return Table((self.matrix + self.matrix.T) / 2)


@dataclass(frozen=True, eq=False)
class Moments:
    """Quadratic weights by sums, sums of numbers and of their squares.

    `place` is 0 at the lower end of the scale and 1 at the upper one. Classes with `unranked` true agree with
    themselves only, by `weight`.
    """

    place: Floats
    unranked: Bools
    weight: Floats

    @cached_property
    def own(self) -> Floats:
        return np.where(self.unranked, self.weight, 1.0)

    @cached_property
    def total(self) -> float:
        everywhere = (~self.unranked).astype(np.float64)
        return float(everywhere @ self.toward(everywhere)) + float(self.weight[self.unranked].sum())

    def of(self, one: Ints, other: Ints) -> Floats:
        apart = self.unranked[one] | self.unranked[other]
        alone = np.where(one == other, self.own[one], 0.0)
        return np.where(apart, alone, 1 - (self.place[one] - self.place[other]) ** 2)

    def toward(self, mass: Floats) -> Floats:
        ranked = np.where(self.unranked, 0.0, mass)
        x = self.place
        near = ranked.sum() * (1 - x * x) + 2 * x * (ranked @ x) - ranked @ (x * x)
        return np.where(self.unranked, self.own * mass, near)

    def beside(self, group: Ints, label: Ints, mass: Floats, n_groups: int) -> Floats:
        x, apart = self.place[label], self.unranked[label]
        ranked = np.where(apart, 0.0, mass)
        plain, first, second = (totals(group, ranked * power, n_groups)[group] for power in (1.0, x, x * x))
        return np.where(apart, self.own[label] * mass, plain * (1 - x * x) + 2 * x * first - second)

    def turned(self) -> "Moments":
        return self


def named_weights(name: WeightName, values: Floats, unranked: Bools, weight: Floats) -> Weights:
    """The weights of that name for classes with these numbers.

    Classes with `unranked` true have no number: they agree with themselves only, by `weight` (1 or 0). Raises
    ValueError beyond MOST_CLASSES classes, quadratic weights excepted.
    """
    ranked = np.flatnonzero(~unranked)
    x = values[ranked]
    if name is WeightName.QUADRATIC:
        place = np.zeros(values.size)
        place[ranked] = _unit_interval(x)
        return Moments(place, unranked, weight)
    if values.size > MOST_CLASSES:
        raise ValueError(f"{name} weights take at most {MOST_CLASSES} classes")
    matrix = np.diag(np.where(unranked, weight, 1.0))
    if ranked.size:
        apart = _DISTANCES[name](x)
        furthest = float(apart.max())
        matrix[np.ix_(ranked, ranked)] = 1 - apart / furthest if furthest > 0 else 1.0
    return Table(matrix)


def _unit_interval(x: Floats) -> Floats:
    """Numbers moved to [0, 1]; halved first, so that no difference overflows."""
    if x.size == 0:
        return x
    low, high = x.min() / 2, x.max() / 2
    return (x / 2 - low) / (high - low) if high > low else np.zeros_like(x)


def _differences(x: Floats) -> Floats:
    unit = _unit_interval(x)
    return np.abs(unit[:, None] - unit)


def _linear(x: Floats) -> Floats:
    return _differences(x)


def _radical(x: Floats) -> Floats:
    return np.sqrt(_differences(x))


def _ordinal(x: Floats) -> Floats:
    rank = np.unique(x, return_inverse=True)[1].astype(np.float64)
    steps: Floats = np.abs(rank[:, None] - rank)
    return steps * (steps + 1) / 2


def _ratio(x: Floats) -> Floats:
    scaled = x / (np.abs(x).max() or 1.0)
    summed = scaled[:, None] + scaled
    apart: Floats = ((scaled[:, None] - scaled) / np.where(summed > 0, summed, 1.0)) ** 2
    return apart


def _circular(x: Floats) -> Floats:
    half_turn = x.max() / 2 - x.min() / 2 + 0.5
    apart: Floats = np.sin(np.pi * ((x[:, None] / 2 - x / 2) / half_turn)) ** 2
    return apart


def _bipolar(x: Floats) -> Floats:
    unit = _unit_interval(x)
    summed = unit[:, None] + unit
    room = summed * (2 - summed)
    apart: Floats = (unit[:, None] - unit) ** 2 / np.where(room > 0, room, 1.0)
    return apart


_DISTANCES: dict[WeightName, Callable[[Floats], Floats]] = {
    WeightName.LINEAR: _linear,
    WeightName.ORDINAL: _ordinal,
    WeightName.RADICAL: _radical,
    WeightName.RATIO: _ratio,
    WeightName.CIRCULAR: _circular,
    WeightName.BIPOLAR: _bipolar,
}
