"""Similarity and alpha for answers that are more or less alike: sets, texts, anything with a similarity.

A similarity takes two arrays of class codes and gives numbers from 0 to 1, 1 being the same. All pairs within
items are compared; the expected distance takes all pairs of different answers where they are few, and a seeded
sample of partners for each answer where they are many. Nothing of size values x values is held.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.numerics.alpha import Distances, alpha_of
from core.numerics.results import Figure, Reason
from core.numerics.table import Bools, Floats, Ints, Patterns, pairs_within

Similarity = Callable[[Ints, Ints], Floats]
_MIN_ITEMS = 2
_FEWEST_PARTNERS = 8


@dataclass(frozen=True, eq=False)
class Compared:
    """Patterns whose answers were compared: `alike` per pattern is the sum of the similarity of its ordered pairs.

    Two answers of a class in `alone` are not alike.
    """

    patterns: Patterns
    alone: Bools
    similarity: Similarity
    alike: Floats

    @property
    def agreement(self) -> Floats:
        """Mean similarity of the pairs, per pattern (0 without pairs)."""
        size = self.patterns.size
        share: Floats = self.alike / np.maximum(size * (size - 1.0), 1.0)
        return share


def compare(patterns: Patterns, alone: Bools, similarity: Similarity) -> Compared:
    """All pairs of answers within items, compared."""
    p = patterns
    own = np.where(alone[p.label], 0.0, 1.0)
    alike = p.per_row(own * p.count * (p.count - 1))
    sizes = np.bincount(p.row, minlength=p.size.size)
    for left, right in pairs_within(np.arange(p.row.size), sizes):
        found = _unless_alone(similarity, alone, p.label[left], p.label[right])
        weighted = 2.0 * p.count[left] * p.count[right] * found
        np.add.at(alike, p.row[left], weighted)
    return Compared(p, alone, similarity, alike)


def alpha_by_similarity(compared: Compared, n_items: int, *, most_pairs: int, seed: int) -> Figure:
    """Krippendorff's alpha with the distance 1 - similarity.

    Where there are more than `most_pairs` ordered pairs of different answers, each answer is compared with about
    most_pairs / (number of different answers) others, at least 8, drawn by `seed` in proportion to how often they
    were given; the value then has a sampling error that the interval does not show (about .001 at 100,000 pairs).
    `n_items`, the items with any answer, gives t its df. Source of alpha: Krippendorff (2011).
    """
    keep = compared.patterns.size >= 2  # noqa: PLR2004 -- a pair takes two
    p = compared.patterns.overlapping()
    n, pairs = p.n_items, int(p.multiplicity @ (p.size * (p.size - 1) // 2))
    if n < _MIN_ITEMS:
        return Figure.missing(Reason.TOO_FEW_ITEMS if n else Reason.NO_OVERLAP, n_items=n, n_pairs=pairs)
    counts = p.per_class(p.multiplicity[p.row] * p.count)
    if np.count_nonzero(counts) == 1:
        return Figure.missing(Reason.ONE_CLASS, n_items=n, n_pairs=pairs)
    toward = _expected(compared, counts, most_pairs, seed)
    within = (p.size * (p.size - 1.0) - compared.alike[keep]) / (p.size - 1.0)
    alone = compared.alone.astype(np.float64)
    # Two answers of a class apart are unlike, but no answer is compared with itself.
    between = float(counts @ (toward - alone))
    change = p.per_row(p.count * (2 * toward - alone)[p.label])
    return alpha_of(p, Distances(within, between, within, change), n_items)


def _expected(compared: Compared, counts: Floats, most_pairs: int, seed: int) -> Floats:
    """For every class in use the distance to all answers, itself included: summed, or estimated."""
    used = np.flatnonzero(counts)
    toward = np.zeros(counts.size)
    if used.size**2 <= most_pairs:
        for start in range(0, used.size, step := max(1, (1 << 20) // used.size)):
            some = used[start : start + step]
            one, other = np.repeat(some, used.size), np.tile(used, some.size)
            alike = _unless_alone(compared.similarity, compared.alone, one, other)
            toward[some] = ((1 - alike) * counts[other]).reshape(some.size, used.size).sum(axis=1)
        return toward
    rng = np.random.default_rng(seed)
    partners = max(_FEWEST_PARTNERS, most_pairs // used.size)
    ends = np.cumsum(counts[used])
    for start in range(0, used.size, step := max(1, (1 << 20) // partners)):
        some = used[start : start + step]
        drawn = used[np.searchsorted(ends, rng.random(some.size * partners) * ends[-1], side="right")]
        one = np.repeat(some, partners)
        alike = _unless_alone(compared.similarity, compared.alone, one, drawn)
        toward[some] = (1 - alike).reshape(some.size, partners).mean(axis=1) * ends[-1]
    return toward


def _unless_alone(similarity: Similarity, alone: Bools, one: Ints, other: Ints) -> Floats:
    if not alone.any():
        return similarity(one, other)
    return np.where(alone[one] | alone[other], 0.0, similarity(one, other))
