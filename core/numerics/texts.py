"""Agreement on texts: exact, exact once written the same way, and by edit distance.

Edit similarity is 1 - Levenshtein's distance / length of the longer text (two empty texts are the same), between
standardised texts.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from core.numerics.coefficients import Observed, mean_over_pairs
from core.numerics.distances import alpha_by_similarity, compare
from core.numerics.results import Figure
from core.numerics.table import Floats, Ints, Patterns, factorise

_MOST_PAIRS = 100_000
_MOST_LETTERS = 2e10  # pairs of letters; a processor's word takes 64 of them at once
_FEWEST_ITEMS = 100


def text_agreement(
    patterns: Patterns,
    texts: Sequence[str],
    *,
    most_pairs: int = _MOST_PAIRS,
    most_letters: float = _MOST_LETTERS,
    seed: int = 0,
) -> dict[str, Figure]:
    """Share of equal texts, of equal standardised texts, mean edit similarity, and alpha with its distance.

    The classes of `patterns` are `texts`. Comparing letters costs, so at most about `most_pairs` pairs of texts
    and `most_letters` pairs of letters are compared: beyond, the two figures of edit similarity rest on items
    drawn by `seed` (their `n_items` says how many, 100 at least), and alpha's expected distance is estimated from a
    sample of pairs drawn by `seed` (see core.numerics.distances).
    """
    code, plain = factorise([standardised(text) for text in texts])
    same = patterns.recoded(code, len(plain)) if plain else patterns
    overlapping = same.overlapping()
    comparisons = min(most_pairs, int(most_letters / _letters(overlapping, plain)))
    per_item = max(1.0, float(overlapping.multiplicity @ (overlapping.size * (overlapping.size - 1) // 2)))
    per_item /= max(1, overlapping.n_items)
    drawn = _some(overlapping, max(_FEWEST_ITEMS, int(comparisons / per_item)), seed)
    some = Observed(drawn, np.ones(drawn.n_classes))
    written = np.array([*plain, ""], dtype=object)[:-1]

    def similarity(one: Ints, other: Ints) -> Floats:
        found: Floats = process.cpdist(
            written[one].tolist(),
            written[other].tolist(),
            scorer=Levenshtein.normalized_similarity,
            dtype=np.float64,
        )
        return found

    edited = compare(drawn, np.zeros(drawn.n_classes, dtype=np.bool_), similarity)
    return {
        "exact": mean_over_pairs(seen := Observed(patterns, np.ones(patterns.n_classes)), seen.agreement),
        "standardised": mean_over_pairs(seen := Observed(same, np.ones(same.n_classes)), seen.agreement),
        "edit_similarity": mean_over_pairs(some, edited.agreement),
        "alpha_edit": alpha_by_similarity(edited, some.n_items, most_pairs=comparisons, seed=seed),
    }


def standardised(text: str) -> str:
    """The text in NFKC, case folded, every run of blanks one space, without punctuation and symbols at its ends."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(folded.split())
    start, end = 0, len(words)
    while start < end and _is_outer(words[start]):
        start += 1
    while end > start and _is_outer(words[end - 1]):
        end -= 1
    return words[start:end]


def _letters(p: Patterns, texts: Sequence[str]) -> float:
    """Mean over the answers of the square of their length: the pairs of letters of one comparison."""
    square = np.array([len(text) ** 2 for text in texts], dtype=np.float64)
    weight = p.per_class(p.multiplicity[p.row] * p.count)
    return max(1.0, float(weight @ square) / max(1.0, float(weight.sum()))) if square.size else 1.0


def _is_outer(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] in "PS"


def _some(p: Patterns, most_items: int, seed: int) -> Patterns:
    """The patterns of so many items drawn without replacement, or all."""
    if p.n_items <= most_items:
        return p
    chosen = np.sort(np.random.default_rng(seed).choice(p.n_items, most_items, replace=False))
    row = np.searchsorted(np.cumsum(p.multiplicity), chosen, side="right")
    return p.standing_for(np.bincount(row, minlength=p.size.size).astype(np.intp))
