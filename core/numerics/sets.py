"""Agreement on sets: questions where several classes may be ticked.

Jaccard similarity is the share of the union that is common; two empty sets are the same. MASI (Passonneau 2006) is
Jaccard times 1 for equal sets, 2/3 where one holds the other, 1/3 where they overlap and 0 where they do not.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from core.numerics.coefficients import Observed, mean_over_pairs
from core.numerics.distances import alpha_by_similarity, compare
from core.numerics.results import Figure
from core.numerics.table import Bools, Floats, Ints, Patterns

_MOST_PAIRS = 1 << 24
_SUBSET, _OVERLAP = 2 / 3, 1 / 3


def set_agreement(
    patterns: Patterns, members: Bools, alone: Bools, *, most_pairs: int = _MOST_PAIRS, seed: int = 0
) -> dict[str, Figure]:
    """Mean Jaccard similarity of two people, and alpha with Jaccard's and with MASI's distance.

    The classes of `patterns` are sets; `members` is sets x things, true where the set holds the thing. Sets in
    `alone` are like no other answer. Beyond `most_pairs` pairs of different sets alpha's expected distance is
    estimated by sampling (see core.numerics.distances).
    """
    seen = Observed(patterns, np.where(alone, 0.0, 1.0))
    sets = Sets.of(members)
    jaccard = compare(patterns, alone, partial(jaccard_similarity, sets))
    masi = compare(patterns, alone, partial(masi_similarity, sets))
    return {
        "jaccard_similarity": mean_over_pairs(seen, jaccard.agreement),
        "alpha_jaccard": alpha_by_similarity(jaccard, seen.n_items, most_pairs=most_pairs, seed=seed),
        "alpha_masi": alpha_by_similarity(masi, seen.n_items, most_pairs=most_pairs, seed=seed),
    }


@dataclass(frozen=True, eq=False)
class Sets:
    """Sets of things, eight things to a byte."""

    bits: npt.NDArray[np.uint8]
    size: Floats

    @classmethod
    def of(cls, members: Bools) -> "Sets":
        """From sets x things, true where the set holds the thing."""
        bits = np.packbits(members, axis=1)
        return cls(bits, np.bitwise_count(bits).sum(axis=1, dtype=np.float64))

    def common(self, one: Ints, other: Ints) -> Floats:
        """Size of the intersection of each pair of sets."""
        shared: Floats = np.bitwise_count(self.bits[one] & self.bits[other]).sum(axis=1, dtype=np.float64)
        return shared


def jaccard_similarity(sets: Sets, one: Ints, other: Ints) -> Floats:
    """Size of the intersection by size of the union, of pairs of sets; 1 where both are empty."""
    common = sets.common(one, other)
    union = sets.size[one] + sets.size[other] - common
    return np.where(union > 0, common / np.maximum(union, 1.0), 1.0)


def masi_similarity(sets: Sets, one: Ints, other: Ints) -> Floats:
    """Passonneau's measuring agreement on set-valued items, of pairs of sets."""
    common, first, second = sets.common(one, other), sets.size[one], sets.size[other]
    nested = np.where(first == second, 1.0, _SUBSET)
    apart = np.where(common > 0, _OVERLAP, 0.0)
    kind = np.where(common == np.minimum(first, second), nested, apart)
    return jaccard_similarity(sets, one, other) * kind
