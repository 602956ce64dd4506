"""How far an answer lies from the other answers to its item: the pieces of Krippendorff's alpha, entry by entry.

An entry is a class in a pattern (see Patterns). Some distances are between numbers; all others are one and the
same distance, the furthest: between an unranked answer and anything else, and at the nominal level, where no class
is ranked and the furthest is 1, between any two different classes.
"""

import numpy as np

from core.numerics.alpha import Level, Scale
from core.numerics.table import Bools, Floats, Ints, Patterns, pairs_within


def ranked_classes(scale: Scale) -> Bools:
    """True for the classes whose distances are between numbers."""
    if scale.level is Level.NOMINAL:
        return np.zeros_like(scale.unranked)
    ranked: Bools = ~scale.unranked
    return ranked


def agree_alike(scale: Scale) -> Floats:
    """1 for classes two answers of which are at no distance, else 0."""
    return np.where(ranked_classes(scale), 1.0, scale.weight)


def apart(p: Patterns, scale: Scale) -> Floats:
    """Per entry: the share of an answer's partners on its item that lie the furthest away.

    Items of one answer have none.
    """
    ranked = ranked_classes(scale)
    of_ranked = p.per_row(p.count * ranked[p.label])[p.row]
    near = np.where(ranked[p.label], of_ranked - 1, agree_alike(scale)[p.label] * (p.count - 1))
    partners = p.size[p.row] - 1
    share: Floats = np.where(partners > 0, partners - near, 0.0) / np.maximum(partners, 1)
    return share


def squared(p: Patterns, scale: Scale, position: Floats) -> Floats:
    """Per entry: the mean over an answer's partners of the squared difference of positions, 0 for unranked ones."""
    count = p.count * ranked_classes(scale)[p.label]
    x = position[p.label]
    size, first = p.per_row(count), p.per_row(count * x)
    mean = first / np.maximum(size, 1.0)
    around = p.per_row(count * (x - mean[p.row]) ** 2)
    summed = size[p.row] * (x - mean[p.row]) ** 2 + around[p.row]
    return np.where(count > 0, summed, 0.0) / np.maximum(p.size[p.row] - 1, 1)


def relative(p: Patterns, scale: Scale) -> Floats:
    """Per entry: the mean over an answer's partners of ((a - b) / (a + b))², 0 for unranked ones."""
    entries = np.flatnonzero(ranked_classes(scale)[p.label])
    x, count, row = scale.value[p.label[entries]], p.count[entries], p.row[entries]
    summed = np.zeros(p.row.size)
    for left, right in pairs_within(np.arange(row.size), np.bincount(row, minlength=p.size.size)):
        distance = relative_distance(x[left], x[right])
        np.add.at(summed, entries[left], count[right] * distance)
        np.add.at(summed, entries[right], count[left] * distance)
    return summed / np.maximum(p.size[p.row] - 1, 1)


def relative_distance(a: Floats, b: Floats) -> Floats:
    """((a - b) / (a + b))² of numbers from zero up, 0 for two zeros."""
    largest = np.maximum(np.maximum(a, b), np.finfo(np.float64).tiny)
    a, b = a / largest, b / largest
    distance: Floats = ((a - b) / np.maximum(a + b, 1.0)) ** 2
    return distance


def places(scale: Scale, ranked: Bools) -> Ints:
    """The place of every class in the order of the scale, equal values sharing one; 0 for unranked classes."""
    place = np.zeros(scale.value.size, dtype=np.intp)
    place[ranked] = np.unique(scale.value[ranked], return_inverse=True)[1]
    return place


def midranks(totals: Floats) -> Floats:
    """Mid-ranks of the places of a scale (last axis) from the answers at each, as shares of all, around 0."""
    whole = np.maximum(totals.sum(axis=-1, keepdims=True), 1.0)
    ranks: Floats = (np.cumsum(totals, axis=-1) - totals / 2) / whole - 0.5
    return ranks
