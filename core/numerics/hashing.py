"""Word and character n-grams of many texts at once, hashed to columns.

All texts stand in one array of code points. With h(c) a mixed 64-bit number of a code point, the prefix sums of
h(c_i) B^i modulo 2^64 give the polynomial hash of any stretch as a difference times B^-start (Karp & Rabin 1987),
so that no n-gram ever becomes a Python object. The result does not depend on the machine.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

UInts64 = npt.NDArray[np.uint64]
Keys = npt.NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_SPACE, _SYMBOL, _WORD, _ALONE = range(4)
_SEED = {"word": 1, "bigram": 2, 3: 3, 4: 4}
_N_CHARACTERS = (3, 4)
_COMMON = 99  # the salt of words that stand in several fields
# Scripts without blanks between words: each sign is a word of its own there.
_ALONE_RANGES = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)


def gram_counts(
    fields: Sequence[Sequence[str]], *, width: int, n_hashed: int, characters: int | None
) -> list[Keys]:
    """One key ``row * width + column`` for every occurrence of an n-gram, in no particular order.

    ``fields`` holds one list of texts per field, all of one length. Words and pairs of neighbouring words fall into
    the columns from 0 to ``n_hashed`` (a power of two); with ``characters`` stretches of 3 and 4 characters within
    words and their blanks fall into the ``n_hashed`` columns from there. Of several fields each has n-grams of its
    own, and the words that stand in more than one of them count once more as common ones. Texts are read in lower
    case and in Unicode's compatible composed form (NFKC).
    """
    keys: list[Keys] = []
    single: list[tuple[Keys, UInts64]] = []
    for salt, texts in enumerate(fields):
        points, kind, start = _letters(texts)
        stretch = _Stretches(points)
        row, word, pairs, pair_row = _words(kind, start, stretch)
        single.append((row, word))
        keys.append(row * width + _columns(word, salt, _SEED["word"], n_hashed))
        keys.append(pair_row * width + _columns(pairs, salt, _SEED["bigram"], n_hashed))
        if characters is not None:
            for n in _N_CHARACTERS:
                at = _within_words(kind, n)
                grams = _columns(stretch.hashes(at, at + n), salt, _SEED[n], n_hashed)
                keys.append(_row_of(at, start) * width + characters + grams)
    if len(fields) > 1:
        keys.append(_common(single, width, n_hashed))
    return keys


def _letters(texts: Sequence[str]) -> tuple[UInts64, npt.NDArray[np.uint8], Keys]:
    """The code points of all texts, a blank before and after each; what each is; where each text begins."""
    plain = [text if text.isascii() else unicodedata.normalize("NFKC", text) for text in texts]
    padded = [f" {text.lower()} " for text in plain]
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kind = _kinds()[points]
    points = np.where(kind == _SPACE, np.uint32(0x20), points)
    start = np.cumsum([0, *map(len, padded)], dtype=np.int64)
    return points.astype(np.uint64), kind, start


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """Of every code point whether it is a blank, a symbol, part of a word or a word alone."""
    categories = "".join(unicodedata.category(chr(point))[0] for point in range(0x110000))
    first = np.frombuffer(categories.encode(), dtype=np.uint8)
    kind = np.full(first.size, _SYMBOL, dtype=np.uint8)
    kind[(first == ord("Z")) | (first == ord("C"))] = _SPACE
    kind[(first == ord("L")) | (first == ord("M")) | (first == ord("N"))] = _WORD
    kind[ord("_")] = _WORD
    for low, high in _ALONE_RANGES:
        part = kind[low : high + 1]
        part[part == _WORD] = _ALONE
    return kind


def _mixed(number: UInts64) -> UInts64:
    """Every bit of a number spread over all 64 (the finaliser of splitmix64)."""
    mixed: UInts64 = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@cache
def _powers(base: int, size: int) -> UInts64:
    """base^0, base^1, … modulo 2^64."""
    steps = np.full(size, base, dtype=np.uint64)
    steps[0] = 1
    return np.cumprod(steps, dtype=np.uint64)


class _Stretches:
    """Polynomial hashes of any stretches of an array of code points."""

    def __init__(self, points: UInts64) -> None:
        size = 1 << max(int(points.size).bit_length(), 10)
        self.inverse = _powers(pow(_BASE, -1, 1 << 64), size)
        scaled = _mixed(points + np.uint64(1)) * _powers(_BASE, size)[: points.size]
        self.before = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(scaled, dtype=np.uint64)])

    def hashes(self, start: Keys, end: Keys) -> UInts64:
        """The hash of each stretch from ``start`` to before ``end``."""
        hashes: UInts64 = (self.before[end] - self.before[start]) * self.inverse[start]
        return hashes


def _row_of(at: Keys, start: Keys) -> Keys:
    return np.repeat(np.arange(start.size - 1), np.diff(np.searchsorted(at, start)))


def _words(
    kind: npt.NDArray[np.uint8], start: Keys, stretch: _Stretches
) -> tuple[Keys, UInts64, UInts64, Keys]:
    """Row and hash of every word, and hash and row of every two neighbours."""
    part, alone = kind >= _WORD, kind == _ALONE
    breaks = ~part[:-1] | alone[:-1] | alone[1:]
    first = np.flatnonzero(part[1:] & breaks) + 1  # every text begins and ends with a blank
    last = np.flatnonzero(part[:-1] & (~part[1:] | alone[:-1] | alone[1:])) + 1
    word = _mixed(stretch.hashes(first, last))
    row = _row_of(first, start)
    together = np.flatnonzero(row[1:] == row[:-1])
    pairs = _mixed(word[together] * np.uint64(3)) + word[together + 1]
    return row, word, pairs, row[together]


def _within_words(kind: npt.NDArray[np.uint8], n: int) -> Keys:
    """Where a stretch of n characters begins that has no blank but at its ends."""
    solid = kind != _SPACE
    size = max(solid.size - n + 1, 0)
    inside = np.ones(size, dtype=np.bool_)
    for step in range(1, n - 1):
        inside &= solid[step : step + size]
    return np.flatnonzero(inside)


def _columns(hashes: UInts64, salt: int, seed: int, n_hashed: int) -> Keys:
    salted = _mixed(hashes ^ np.uint64((salt << 8 | seed) * _BASE & _MASK))
    return (salted >> np.uint64(64 - (n_hashed.bit_length() - 1))).astype(np.int64)


def _common(single: Sequence[tuple[Keys, UInts64]], width: int, n_hashed: int) -> Keys:
    """Keys of the words that stand in more than one field of a row, one each."""
    found = []
    for row, word in single:
        pair = np.stack([row.astype(np.uint64), word])
        found.append(np.unique(pair, axis=1))
    pair, fields = np.unique(np.concatenate(found, axis=1), axis=1, return_counts=True)
    row, word = pair[:, fields > 1]
    keys: Keys = row.astype(np.int64) * width + _columns(word, _COMMON, _SEED["word"], n_hashed)
    return keys
