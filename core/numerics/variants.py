"""Which texts are spellings of one another: groups with the form that all of them should take.

A rare form joins a frequent one when few slips lead from one to the other; two frequent forms stay apart however
near they are ("cat", "car"). What is looked at is never every pair: forms meet where their keys agree, or where
they have a form with a letter or two left out in common (symmetric deletion, W. Garbe, SymSpell, 2012). Distance
is Damerau and Levenshtein's with transpositions of neighbours (optimal string alignment).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

LONGEST = 60  # letters of a key that is compared by distance; longer ones meet by keys only
SHORT, MIDDLE = 4, 8  # below: no slip; below: one; from there: two
WHOLE = 16  # letters of a key of which any two may be left out
MOST_WORDS = 12
MOST_OF_ONE = 50  # forms under one key with letters left out; of more, the most frequent
MUCH_RARER = 3.0  # how many times as frequent a form must be for another to be a slip of it
SLIP_RATE = 0.1  # how often a letter is slipped on, for the confidence
RUN = re.compile(r"(.)\1+", re.DOTALL)
LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")
LETTERS = re.compile(r"[^\w\s]|_")
ELLIPSIS = str.maketrans({"…": " ", "\u2019": "'", "\u2018": "'"})


@dataclass(frozen=True, slots=True)
class Variant:
    """A form that is likely a spelling of its group's. ``place`` is that of the text; ``confidence`` from 0 to 1."""

    place: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """Texts that are likely one: the place of the form to use, and the others, the most frequent first."""

    canonical: int
    variants: tuple[Variant, ...]


def plain(text: str) -> str:
    """A text without what people do not mean by it: case, marks over Latin letters, punctuation, blanks.

    Digits and signs between them stay (3.5 is not 35), and so does a text of nothing but signs.
    """
    kept = unicodedata.normalize("NFKC", text.translate(ELLIPSIS)).casefold()
    if kept.isascii() is False:
        apart = unicodedata.normalize("NFD", kept)
        kept = unicodedata.normalize("NFC", "".join(_without_marks(apart)))
    kept = re.sub(r"(?<=\w)'(?=\w)", "", kept)
    kept = re.sub(r"(?<=\d)[.,:/-](?=\d)", lambda found: f"\0{found.group()}\0", kept)
    parts = [part if place % 2 else LETTERS.sub(" ", part) for place, part in enumerate(kept.split("\0"))]
    bare = " ".join("".join(parts).split())
    return bare or " ".join(kept.replace("\0", "").split())


def _without_marks(text: str) -> Iterator[str]:
    latin = False
    for letter in text:
        if unicodedata.combining(letter):
            if not latin:
                yield letter
        else:
            latin = unicodedata.name(letter, "").startswith("LATIN")
            yield letter


def squeezed(key: str) -> str:
    """A key with every run of one letter as one: ummm, um."""
    return RUN.sub(lambda found: found.group() if found.group()[0].isdigit() else found.group(1), key)


def distance(a: str, b: str, most: int) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours from one key to the other; ``most`` + 1 for more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        row = [i]
        for j, other in enumerate(b, start=1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(last) > most:
            return most + 1
        before, last = last, row
    return min(last[-1], most + 1)


def slips_allowed(key: str) -> int:
    """How many slips a key of this length may hold and still be known."""
    return 0 if len(key) < SHORT else 1 if len(key) < MIDDLE else 2


def clusters(texts: Sequence[str], counts: Sequence[int]) -> list[Cluster]:
    """Groups of two texts or more, those with the most answers first.

    ``texts`` are different ones and ``counts`` say how often each was given (both of length n, counts from 1). Every
    text is in one group at most. Time grows with the letters of all texts, not with the pairs.
    """
    order = sorted(range(len(texts)), key=lambda place: (-counts[place], len(texts[place]), texts[place]))
    families: dict[str, list[int]] = {}
    for place in order:
        families.setdefault(plain(texts[place]), []).append(place)
    weight = {key: sum(counts[place] for place in places) for key, places in families.items()}
    keys = sorted(families, key=lambda key: (-weight[key], len(key), key))
    joins = _joins(keys, weight)
    groups: dict[str, list[tuple[str, float]]] = {key: [] for key in keys if key not in joins}
    for key, (root, confidence) in joins.items():
        groups[root].append((key, confidence))
    found = [_cluster(families, root, members, texts, counts) for root, members in groups.items()]
    several = [one for one in found if one.variants]
    return sorted(several, key=lambda one: (-_total(one, counts), one.canonical))


def _total(cluster: Cluster, counts: Sequence[int]) -> int:
    return counts[cluster.canonical] + sum(counts[one.place] for one in cluster.variants)


def _cluster(
    families: dict[str, list[int]],
    root: str,
    members: Iterable[tuple[str, float]],
    texts: Sequence[str],
    counts: Sequence[int],
) -> Cluster:
    """The form that most people gave leads; its own family differs in nothing that they mean."""
    canonical = min(
        families[root], key=lambda place: (-counts[place], _clumsiness(texts[place]), texts[place])
    )
    variants = [Variant(place, 1.0) for place in families[root] if place != canonical]
    variants += [Variant(place, confidence) for key, confidence in members for place in families[key]]
    return Cluster(canonical, tuple(sorted(variants, key=lambda one: (-counts[one.place], texts[one.place]))))


def _clumsiness(text: str) -> tuple[int, int]:
    """Of forms that are as frequent, the one with fewer signs and shouted letters reads best."""
    return (
        sum(not letter.isalnum() and not letter.isspace() for letter in text),
        sum(map(str.isupper, text[1:])),
    )


def _joins(keys: Sequence[str], weight: dict[str, int]) -> dict[str, tuple[str, float]]:
    """What each key that is a slip of a more frequent one becomes, and how sure that is. ``keys``: most frequent first.

    A key joins one that stands for itself, so that slips of slips do not lead away from what was meant.
    """
    joins: dict[str, tuple[str, float]] = {}
    roots: set[str] = set()
    met = _meetings(keys)
    for key in keys:
        best: tuple[float, str] | None = None
        for other in met.get(key, ()):
            if other in roots:
                confidence = _confidence(key, other, weight)
                if confidence > 0 and (best is None or (-confidence, other) < (-best[0], best[1])):
                    best = (confidence, other)
        if best is None:
            roots.add(key)
        else:
            joins[key] = (best[1], best[0])
    return joins


def _meetings(keys: Sequence[str]) -> dict[str, set[str]]:
    """Which more frequent keys each key is to be compared with."""
    shelves: defaultdict[str, list[str]] = defaultdict(list)
    met: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        for shelf in _shelves(key):
            shelved = shelves[shelf]
            met[key].update(shelved)
            if len(shelved) < MOST_OF_ONE:
                shelved.append(key)
    return met


def _shelves(key: str) -> set[str]:
    """Where a key is looked for: squeezed, without blanks, with its words sorted, and with a few parts left out.

    Letters of a short key; of a long one a letter, or one or two of several words, since slips touch no others.
    """
    words = key.split()
    shelves = {f"s{squeezed(key)}", f"b{key.replace(' ', '')}", f"w{' '.join(sorted(words))}"}
    short = squeezed(key) if LONG_RUN.search(key) else key
    if len(short) <= LONGEST:
        slips = slips_allowed(short) if len(short) <= WHOLE else 1
        shelves |= {f"d{rest}" for n in range(slips + 1) for rest in _left_out(short, n)}
    if len(short) > WHOLE and len(words) <= MOST_WORDS:
        most = min(2, len(words) - 1)
        shelves |= {f"p{rest}" for n in range(1, most + 1) for rest in _left_out(words, n, " ")}
    return shelves


def _left_out(parts: Sequence[str], n: int, between: str = "") -> Iterator[str]:
    for gone in combinations(range(len(parts)), n):
        yield between.join(part for place, part in enumerate(parts) if place not in gone)


def _confidence(key: str, other: str, weight: dict[str, int]) -> float:
    """How sure it is that ``key`` is a spelling of the more frequent ``other``; 0 where it is not to be thought so.

    By how many letters differ for their length, and by how much rarer the form is: P(form | slip) against
    P(form | a word of its own), with a prior that a form seen n times is a word of its own n times as readily.
    """
    if _digits(key) != _digits(other):
        return 0.0
    rarer = weight[other] / weight[key]
    if key.replace(" ", "") == other.replace(" ", ""):
        return 0.98
    if squeezed(key) == squeezed(other) and (LONG_RUN.search(key) or LONG_RUN.search(other)):
        return 0.97
    if sorted(key.split()) == sorted(other.split()):
        return 0.9 if rarer >= MUCH_RARER else 0.0
    if squeezed(key) == squeezed(other) and rarer >= MUCH_RARER:
        return 0.9
    a, b = (squeezed(one) if LONG_RUN.search(one) else one for one in (key, other))
    allowed = min(slips_allowed(a), slips_allowed(b))
    slips = distance(a, b, allowed)
    if slips > allowed or rarer < MUCH_RARER:
        return 0.0
    share = slips / max(len(a), len(b))
    return round((1 - share / (share + SLIP_RATE * 4)) * (1 - 1 / (1 + rarer)), 3)


def _digits(key: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", key))
