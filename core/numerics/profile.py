"""What the columns of a batch look like, read as a stream in bounded memory.

Counts, types, units, extremes, categories, lengths and troubles with encodings are counted over all rows. Tests and
near-duplicates need single rows: 1,000 rows chosen by a hash of their number give the sample of numbers, lengths and
words of every field, and the 1,500 rows whose text has the smallest min-hash (Broder 1997) give the texts that are
compared with each other. Texts that are nearly the same mostly have the same min-hash, so that they come into the
sample together, also in different batches: a sample of 1 % of the rows finds about 1 % of the pairs, not .01 %.
"""

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Document = dict[str, Any]
Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

NUMBER, BOOLEAN, DATE, QUANTITY, TEXT, LIST, OBJECT = (
    *("number", "boolean", "date", "quantity"),
    *("text", "list", "object"),
)
OTHER_DATE, DECIMAL_COMMA, MIXED = "other date", "decimal comma", "mixed"
KINDS = (NUMBER, BOOLEAN, DATE, OTHER_DATE, DECIMAL_COMMA, QUANTITY, TEXT, LIST, OBJECT)
META = "meta."
SAMPLED = 1000
TEXTS = 1500
MOST_FIELDS = 200
MOST_CATEGORIES = 1000
MOST_UNITS = 50
LONGEST_CATEGORY = 80
LONGEST_SHORT = 40
LONGEST_TEXT = 2000
SHORTEST_TEXT = 20  # shorter ones repeat without being copies
MOST_ROWS = 20
WORDS = 512
NAMED_WORDS = 100
LONGEST_SHOWN = 60
PLACEHOLDERS = frozenset(
    ("n/a", "na", "nan", "null", "none", "nil", "-", "--", "?", "#n/a", "#ref!", "unknown", "tbd", "missing")
)
ENCODINGS = (
    *("replacement-characters", "mojibake", "control-characters"),
    *("invisible-characters", "mixed-scripts", "mixed-newlines"),
)

_SLICE = (
    250_000  # characters that are looked at together: what is made of them stays in the processor's cache
)
_GRAM = 5  # bytes of the stretches that a min-hash is taken over
_GRAM_MASK = np.uint64((1 << 8 * _GRAM) - 1)
_SCATTER = np.uint64(0x9E3779B97F4A7C15)
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_KEY_BITS = np.uint64(32)

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COMMA = re.compile(
    r"[+-]?\d{1,3}(?:[.\s]\d{3})+(?:,\d+)?|[+-]?\d+,\d+|[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII
)
_DATE = re.compile(
    r"\d{4}-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_OTHER_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[/.]\d{1,2}[/.]\d{1,2}")
_UNIT_AFTER = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s?([^\W\d_]{1,8}[²³23]?(?:/[^\W\d_]{1,4})?|[%°€$£¥][CF]?)"
)
_UNIT_BEFORE = re.compile(r"([€$£¥])\s?([+-]?(?:\d+(?:\.\d*)?|\.\d+))")
_WORD = re.compile(r"\w+")
# What the second and later bytes of UTF-8 look like when they are read as Windows-1252.
_CONTINUATION = np.zeros(0x2123, dtype=np.bool_)
_CONTINUATION[0x80:0xC0] = True
# The other characters that Windows-1252 has for the bytes 80 to 9F.
_CONTINUATION[
    np.frombuffer(bytes(range(0x80, 0xA0)).decode("cp1252", "ignore").encode("utf-32-le"), dtype="<u4")
] = True


class Row(Protocol):
    """One row of a batch."""

    @property
    def number(self) -> int: ...
    @property
    def id(self) -> str | None: ...
    @property
    def data(self) -> Mapping[str, object]: ...
    @property
    def meta(self) -> Mapping[str, object]: ...


@dataclass
class Marked:
    """How many rows have something, and the first of them."""

    n: int = 0
    rows: list[Document] = field(default_factory=list)


Marks = dict[tuple[str, str], Marked]
Breaks = Callable[[Sequence[object], npt.NDArray[np.int64]], Ints]


@dataclass(frozen=True, slots=True)
class SampledText:
    """A text that near-duplicates are looked for among; ``key`` is its min-hash, ``audit`` its split."""

    key: int
    row: int
    id: str
    audit: bool
    text: str


@dataclass(frozen=True)
class TextSample:
    """The texts with the smallest keys: all with a key below ``limit`` (None: every text that is long enough)."""

    texts: list[SampledText]
    limit: int | None
    n_looked: int


def classified(value: str) -> tuple[str, float | None, str]:
    """What a short text holds: its kind, the number in it, the unit of that number."""
    text = value.strip()
    first = text[:1]
    if first.isdigit() or first in "+-.":
        if _NUMBER.fullmatch(text):
            return NUMBER, float(text), ""
        if _DATE.fullmatch(text):
            return DATE, None, ""
        if _OTHER_DATE.fullmatch(text):
            return OTHER_DATE, None, ""
        if _COMMA.fullmatch(text):
            return DECIMAL_COMMA, None, ""
        if found := _UNIT_AFTER.fullmatch(text):
            return QUANTITY, float(found[1]), found[2]
    elif first in "€$£¥" and (found := _UNIT_BEFORE.fullmatch(text)):
        return QUANTITY, float(found[2]), found[1]
    elif text.lower() in {"true", "false"}:
        return BOOLEAN, None, ""
    return TEXT, None, ""


def text_of(data: Mapping[str, object]) -> str:
    """All texts of an item in the order of their names: what near-duplicates are looked for among."""
    return " ".join(value for _, value in sorted(data.items()) if isinstance(value, str))


def is_missing(value: object) -> bool:
    """Whether nothing stands there: absent, null, or blanks alone."""
    return value is None or (isinstance(value, str) and (not value or value.isspace()))


def scattered(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A hash of every number, the same on every machine (splitmix64)."""
    mixed = numbers * _SCATTER
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return hashed


class Profiler:
    """Reads rows chunk by chunk; what the schema asks is looked at on the way, so that rows can be named.

    ``schema`` is a document as of core.numerics.validation.infer_schema; a rule is a name, a field, and a function from
    that field's values and the numbers of their rows to the places of those that break it.
    """

    def __init__(
        self,
        schema: Mapping[str, Any] | None = None,
        rules: Sequence[tuple[str, str, Breaks]] = (),
    ) -> None:
        self.n = 0
        self.marks: Marks = {}
        self._schema: Mapping[str, Any] = (schema or {}).get("fields", {})
        self._rules = rules
        self._columns: dict[str, _Column] = {}
        self._left_out: set[str] = set()
        self._drawn = np.empty(0, dtype=np.uint64)  # of the sampled rows
        self._draw_limit = _NONE
        self._texts: list[SampledText] = []
        self._limit: int | None = None
        self._looked = 0

    def add(self, rows: Sequence[Row], audit: Sequence[bool]) -> None:
        """Some more rows; ``audit`` says which of them belong to the audit slice."""
        if not rows:
            return
        data = [row.data for row in rows]
        meta = [row.meta for row in rows]
        numbers = np.array([row.number for row in rows], dtype=np.int64)
        draw = scattered(numbers.astype(np.uint64))
        chosen = np.flatnonzero(draw < self._draw_limit)
        chunk = _Chunk(rows, chosen, self._mark)
        columns = {name: [one.get(name) for one in data] for name in dict.fromkeys(chain.from_iterable(data))}
        texts = {name for name, values in columns.items() if self._add(name, values, chunk)}
        strings = [columns[name] for name in sorted(texts)]
        for name in dict.fromkeys(chain.from_iterable(meta)):
            self._add(META + name, [one.get(name) for one in meta], chunk)
        for column in self._columns.values():
            if column.n_rows == self.n:  # not in this chunk at all
                column.add([None] * len(rows), chunk)
        for name, known in self._schema.items():
            if name not in self._columns and known.get("required"):
                chunk.mark("missing-values", name, np.arange(len(rows)), None)
        empty: list[object] = [None] * len(rows)
        for code, name, broken in self._rules:
            if name.startswith(META):
                values = [one.get(name.removeprefix(META)) for one in meta]
            else:
                values = columns.get(name, empty)
            chunk.mark(code, name, broken(values, numbers), values)
        self.n += len(rows)
        self._cut(draw[chosen])
        self._sample_texts(rows, audit, strings)

    def _mark(self, code: str, name: str, n: int, rows: list[Document]) -> None:
        marked = self.marks.setdefault((code, name), Marked())
        marked.n += n
        marked.rows += rows[: MOST_ROWS - len(marked.rows)]

    def _add(self, name: str, values: list[object], chunk: "_Chunk") -> bool:
        """Whether the column has texts."""
        column = self._columns.get(name)
        if column is None:
            if len(self._columns) >= MOST_FIELDS:
                self._left_out.add(name[:LONGEST_CATEGORY])
                self._left_out = set(sorted(self._left_out)[:MOST_ROWS])
                return False
            column = self._columns[name] = _Column(name, self._schema.get(name), self.n, self._drawn.size)
        return column.add(values, chunk)

    def _cut(self, draw: npt.NDArray[np.uint64]) -> None:
        """Keep the rows with the smallest numbers, once there are twice as many as needed."""
        self._drawn = np.concatenate([self._drawn, draw])
        if self._drawn.size > 2 * SAMPLED:
            self._keep(np.argsort(self._drawn, kind="stable")[:SAMPLED])
            self._draw_limit = self._drawn.max()

    def _keep(self, order: Ints) -> None:
        self._drawn = self._drawn[order]
        for column in self._columns.values():
            column.keep(order)

    def _sample_texts(
        self, rows: Sequence[Row], audit: Sequence[bool], strings: Sequence[list[object]]
    ) -> None:
        if not strings:
            return
        if len(strings) == 1:
            texts = [one if isinstance(one, str) else "" for one in strings[0]]
        else:
            texts = [
                " ".join([one for one in several if isinstance(one, str)])
                for several in zip(*strings, strict=True)
            ]
        long = np.flatnonzero(np.fromiter(map(len, texts), dtype=np.intp, count=len(texts)) >= SHORTEST_TEXT)
        self._looked += int(long.size)
        key = min_hashes([texts[at] for at in long.tolist()])
        if self._limit is not None:
            below = key <= self._limit  # equal ones are told apart by a hash of their row when they are cut
            long, key = long[below], key[below]
        for at, one in zip(long.tolist(), key.tolist(), strict=True):
            row = rows[at]
            self._texts.append(
                SampledText(one, row.number, row.id or "", bool(audit[at]), texts[at][:LONGEST_TEXT])
            )
        if len(self._texts) > 2 * TEXTS:
            self._cut_texts()

    def _cut_texts(self) -> None:
        draw = scattered(np.array([one.row for one in self._texts], dtype=np.uint64)).tolist()
        order = sorted(range(len(draw)), key=lambda at: (self._texts[at].key, draw[at]))
        if len(order) > TEXTS:
            self._limit = self._texts[order[TEXTS]].key
            order = order[:TEXTS]
        self._texts = [self._texts[at] for at in order]

    def texts(self) -> TextSample:
        """The texts that near-duplicates are looked for among."""
        self._cut_texts()
        return TextSample(self._texts, self._limit, self._looked)

    def profile(self) -> Document:
        """The summary as JSON: what the columns hold, and where the sampled texts stand (not the texts)."""
        if self._drawn.size > SAMPLED:
            self._keep(np.argsort(self._drawn, kind="stable")[:SAMPLED])
        texts = self.texts()
        return {
            "n": self.n,
            "fields": {name: column.document() for name, column in self._columns.items()},
            "left_out": sorted(self._left_out),
            "texts": {
                "limit": texts.limit,
                "n_looked": texts.n_looked,
                "keys": [one.key for one in texts.texts],
                "rows": [one.row for one in texts.texts],
                "ids": [one.id for one in texts.texts],
                "audit": [int(one.audit) for one in texts.texts],
            },
        }


class _Chunk:
    """The rows at hand, and how some of them are marked."""

    def __init__(
        self, rows: Sequence[Row], chosen: Ints, keep: Callable[[str, str, int, list[Document]], None]
    ) -> None:
        self.rows, self.chosen, self._keep = rows, chosen, keep

    def mark(self, code: str, name: str, at: Ints, values: Sequence[object] | None) -> None:
        """Mark the rows at these places."""
        if not at.size:
            return
        rows = []
        for place in at[:MOST_ROWS].tolist():
            row = self.rows[place]
            told: Document = {"row": row.number, "id": row.id or ""}
            if values is not None and values[place] is not None:
                told["value"] = str(values[place])[:LONGEST_SHOWN]
            rows.append(told)
        self._keep(code, name, int(at.size), rows)


@dataclass(frozen=True)
class _Seen:
    """The values of one field in a chunk: length and number of each (NaN: none), whether it is missing, or wrong."""

    values: list[object]
    length: Floats
    number: Floats
    missing: Booleans
    wrong: Booleans


class _Column:
    """One field of the rows, and what the schema says of it."""

    def __init__(self, name: str, known: Mapping[str, Any] | None, n_before: int, n_sampled: int) -> None:
        self.name, self.known = name, known or {}
        self.n_rows = n_before
        self.present = self.filled = 0
        self.placeholders = 0
        self.types: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.values: Counter[str] | None = Counter()
        self.encodings: Counter[str] = Counter()
        self.number_ends: list[float] = []
        self.length_ends: list[float] = []
        self.numbers = np.full(n_sampled, np.nan)
        self.lengths = np.full(n_sampled, np.nan)
        self.words: list[frozenset[str] | None] = [None] * n_sampled
        self._classified: dict[str, tuple[str, float | None, str]] = {}
        categories = self.known.get("categories")
        self._categories = None if categories is None else frozenset(map(str, categories))

    def add(self, values: list[object], chunk: _Chunk) -> bool:
        """Count some more values; whether there are texts among them."""
        n = len(values)
        self.n_rows += n
        kinds = Counter(map(type, values))
        seen = _Seen(
            values, *(np.full(n, np.nan) for _ in range(2)), *(np.zeros(n, dtype=np.bool_) for _ in range(2))
        )
        length, number, missing, wrong = seen.length, seen.number, seen.missing, seen.wrong
        self.present += n - kinds[type(None)]
        at = np.arange(n) if kinds[str] == n else _places(values, str)
        if kinds[type(None)]:
            missing[_places(values, type(None))] = True
        if at.size:
            texts: list[str] = values if at.size == n else [values[place] for place in at.tolist()]  # type: ignore[assignment]
            length[at] = np.fromiter(map(len, texts), dtype=np.float64, count=at.size)
            self._add_texts(texts, at, seen, chunk)
            self._add_troubles(texts, at, seen, chunk)
        self._add_others(kinds, seen, chunk)
        self.filled += n - int(missing.sum())
        if self.known.get("required"):
            chunk.mark("missing-values", self.name, np.flatnonzero(missing), None)
        if self.known.get("type") not in {None, MIXED}:
            chunk.mark("type-changed", self.name, np.flatnonzero(wrong & ~missing), values)
        length[missing] = np.nan
        self.number_ends = self._ends(self.number_ends, number)
        self.length_ends = self._ends(self.length_ends, length)
        self._judge(number, "minimum", "maximum", values, chunk)
        self._judge(length, "shortest", "longest", values, chunk)
        chosen = chunk.chosen
        self.numbers = np.concatenate([self.numbers, number[chosen]])
        self.lengths = np.concatenate([self.lengths, length[chosen]])
        self.words += [_words(values[place]) for place in chosen.tolist()]
        return bool(at.size)

    def _add_texts(self, texts: list[str], at: Ints, seen: _Seen, chunk: _Chunk) -> None:
        length, wrong = seen.length, seen.wrong
        short = np.flatnonzero(length[at] <= LONGEST_SHORT)
        self.types[TEXT] += at.size - short.size
        expected = self.known.get("type")
        if expected not in {None, TEXT, MIXED}:
            wrong[at] = length[at] > LONGEST_SHORT
        if short.size:
            here = texts if short.size == at.size else [texts[place] for place in short.tolist()]
            self._add_short(here, at[short], seen, chunk)
        if self.values is not None:
            if short.size < at.size:
                longer = [texts[place] for place in np.flatnonzero(length[at] > LONGEST_SHORT).tolist()]
                self._count(Counter(longer))
        elif self._categories is not None and short.size < at.size:
            longer_at = np.flatnonzero(length[at] > LONGEST_SHORT)
            unseen = [place for place in longer_at.tolist() if texts[place] not in self._categories]
            chunk.mark("unseen-category", self.name, at[unseen], None)

    def _add_short(self, texts: list[str], at: Ints, seen: _Seen, chunk: _Chunk) -> None:
        counts = Counter(texts)
        known = self._classified
        if len(known) > 20_000:  # noqa: PLR2004 -- a bound of memory
            known.clear()
        expected, unit = self.known.get("type"), self.known.get("unit")
        marked: dict[str, set[str]] = {}
        for text, n in counts.items():
            found = known.get(text)
            if found is None:
                found = known[text] = classified(text)
            kind, _, its_unit = found
            if not text or text.isspace():
                marked.setdefault("missing", set()).add(text)
                continue
            self.types[kind] += n
            if its_unit:
                self.units[its_unit] += n
            if text.strip().lower() in PLACEHOLDERS:
                self.placeholders += n
                marked.setdefault("placeholders", set()).add(text)
            if expected is not None and not fits(kind, expected):
                marked.setdefault("wrong", set()).add(text)
            if unit and kind == QUANTITY and its_unit != unit:
                marked.setdefault("unit-changed", set()).add(text)
            if unit and kind == NUMBER:
                marked.setdefault("unit-missing", set()).add(text)
            if self._categories is not None and text not in self._categories:
                marked.setdefault("unseen-category", set()).add(text)
        if len(self.units) > MOST_UNITS:
            self.units = Counter(dict(_most(self.units, MOST_UNITS)))
        if any(known[text][1] is not None for text in counts):
            held = [known[text][1] for text in texts]
            seen.number[at] = np.array([np.nan if one is None else one for one in held])
        for code, those in marked.items():
            places = at[[place for place, text in enumerate(texts) if text in those]]
            if code == "missing":
                seen.missing[places] = True
            elif code == "wrong":
                seen.wrong[places] = True
            else:
                chunk.mark(code, self.name, places, seen.values)
        for blank in marked.get("missing", ()):
            del counts[blank]
        self._count(counts)

    def _count(self, counts: Counter[str]) -> None:
        """Add to the categories, until there are too many to be any."""
        if self.values is None:
            return
        if any(len(text) > LONGEST_CATEGORY for text in counts):
            self.values = None
            return
        self.values.update(counts)
        if len(self.values) > MOST_CATEGORIES:
            self.values = None

    def _add_others(self, kinds: Counter[type], seen: _Seen, chunk: _Chunk) -> None:
        values, number, wrong = seen.values, seen.number, seen.wrong
        expected = self.known.get("type")
        for kind in kinds:
            if kind in {str, type(None)}:
                continue
            name = _JSON.get(kind, OBJECT)
            self.types[name] += kinds[kind]
            at = _places(values, kind)
            if expected is not None and not fits(name, expected):
                wrong[at] = True
            if name == NUMBER:
                number[at] = [_as_float(values[place]) for place in at.tolist()]
            if name in {NUMBER, BOOLEAN} and (self.values is not None or self._categories is not None):
                held = [_plain(values[place]) for place in at.tolist()]
                self._count(Counter(held))
                if self._categories is not None:
                    unseen = [place for place, one in enumerate(held) if one not in self._categories]
                    chunk.mark("unseen-category", self.name, at[unseen], values)

    def _add_troubles(self, texts: list[str], at: Ints, seen: _Seen, chunk: _Chunk) -> None:
        """Troubles with the encoding, and the rows that have them."""
        found: dict[str, list[Ints]] = {}
        start = 0
        for some in _slices(texts):
            for name, places in troubles(some):
                found.setdefault(name, []).append(at[start + places])
            start += len(some)
        for name, parts in found.items():
            places = np.concatenate(parts)
            self.encodings[name] += int(places.size)
            chunk.mark(name, self.name, places, seen.values)

    @staticmethod
    def _ends(ends: list[float], values: Floats) -> list[float]:
        held = values[np.isfinite(values)]
        return (
            [float(f(np.append(held, ends[i : i + 1]))) for i, f in enumerate((np.min, np.max))]
            if held.size
            else ends
        )

    def _judge(self, found: Floats, low: str, high: str, values: list[object], chunk: _Chunk) -> None:
        """Mark what lies outside of the schema's bounds, and what lies far outside (see ``fences``)."""
        least, most = self.known.get(low), self.known.get(high)
        lower, upper = _OUTSIDE[low], _OUTSIDE[high]
        if least is not None:
            chunk.mark(lower, self.name, np.flatnonzero(found < least), values)
        if most is not None:
            chunk.mark(upper, self.name, np.flatnonzero(found > most), values)
        if self.known.get("far"):
            under, over = self.known["far"]
            if low == "minimum":
                chunk.mark("outliers", self.name, np.flatnonzero((found < under) | (found > over)), values)

    def keep(self, order: Ints) -> None:
        self.numbers, self.lengths = self.numbers[order], self.lengths[order]
        self.words = [self.words[at] for at in order.tolist()]

    def document(self) -> Document:
        """The column as JSON."""
        values = self.values
        rare = values is not None and len(values) > 1 and sum(values.values()) < 2 * len(values)
        return {
            "filled": self.filled,
            "present": self.present,
            "placeholders": self.placeholders,
            "types": {kind: n for kind in KINDS if (n := self.types[kind])},
            "units": dict(_most(self.units, MOST_UNITS)),
            "values": None if values is None or rare else dict(_most(values, MOST_CATEGORIES)),
            "encodings": {name: self.encodings[name] for name in ENCODINGS if self.encodings[name]},
            "numbers": _summary(self.numbers, self.number_ends),
            "lengths": _summary(self.lengths, self.length_ends),
            "words": self._word_counts(),
        }

    def _word_counts(self) -> Document | None:
        """In how many of the sampled texts words of each of 512 hashed kinds stand, and the most frequent words."""
        texts = [one for one in self.words if one]
        if not texts:
            return None
        counted = Counter(word for one in texts for word in one)
        kinds = Counter(kind for one in texts for kind in {word_kind(word) for word in one})
        return {
            "n": len(texts),
            "kinds": [kinds[kind] for kind in range(WORDS)],
            "named": dict(_most(counted, NAMED_WORDS)),
        }


_JSON = {int: NUMBER, float: NUMBER, bool: BOOLEAN, list: LIST, dict: OBJECT}
_OUTSIDE = {
    "minimum": "below-minimum",
    "maximum": "above-maximum",
    "shortest": "too-short",
    "longest": "too-long",
}


def fits(kind: str, expected: str) -> bool:
    """Whether a value of this kind may stand where ``expected`` is asked; a text may look like anything."""
    return expected in {MIXED, kind} or (expected == TEXT and kind not in {LIST, OBJECT})


def word_kind(word: str) -> int:
    """Which of the 512 kinds a word falls into."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % WORDS


def _as_float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _plain(value: object) -> str:
    """A number or truth value as text, whole numbers without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _words(value: object) -> frozenset[str] | None:
    if not isinstance(value, str) or len(value) < SHORTEST_TEXT:
        return None
    return frozenset(words_of(value[:LONGEST_TEXT]))


def words_of(text: str) -> list[str]:
    """The words of a text, lower case, in their order."""
    return _WORD.findall(text.lower())


def _places(values: Sequence[object], kind: type) -> Ints:
    return np.array([place for place, value in enumerate(values) if type(value) is kind], dtype=np.intp)


def _most(counts: Counter[str], most: int) -> list[tuple[str, int]]:
    """The most frequent ones, ties in the order of their letters."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]


def _summary(sample: Floats, ends: list[float]) -> Document | None:
    """The sample in the order in which it was drawn, so that its beginning is a sample, too."""
    held = sample[np.isfinite(sample)]
    if not ends:
        return None
    return {"min": ends[0], "max": ends[1], "sample": [float(f"{value:.6g}") for value in held.tolist()]}


# --- Texts, many at once ------------------------------------------------------------------------------


def _slices(texts: Sequence[str]) -> Iterable[list[str]]:
    """Runs of texts of about 250,000 characters together."""
    end = np.cumsum(np.fromiter(map(len, texts), dtype=np.intp, count=len(texts)))
    number = end // _SLICE
    cuts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(texts)]
    for start, stop in pairwise(cuts):
        if start < stop:
            yield list(texts[start:stop])


def min_hashes(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """The smallest hash of the stretches of five bytes in every text, lower case: 32 bits.

    Two texts have the same one with a probability of the Jaccard index of their stretches.
    """
    parts = [np.empty(0, dtype=np.int64)]
    for some in _slices(texts):
        clipped = [text[:LONGEST_TEXT].ljust(_GRAM) for text in some]
        joined = "".join(clipped)
        if joined.isascii():
            content, sizes = joined.lower().encode(), map(len, clipped)
        else:
            held = [text.lower().encode("utf-8", "surrogatepass") for text in clipped]
            content, sizes = b"".join(held), map(len, held)
        end = np.cumsum(np.fromiter(sizes, dtype=np.intp, count=len(some)))
        joined_bytes = content + bytes(8)
        windows = np.ndarray((len(content),), dtype="<u8", buffer=joined_bytes, strides=(1,))
        hashed = (windows & _GRAM_MASK) * _SCATTER
        hashed[(end[:, None] - np.arange(1, _GRAM)).ravel()] = _NONE  # a stretch stays within its text
        least = np.minimum.reduceat(hashed, np.concatenate([[0], end[:-1]]))
        parts.append((least >> _KEY_BITS).astype(np.int64))
    return np.concatenate(parts)


def troubles(texts: Sequence[str]) -> list[tuple[str, Ints]]:
    """What is wrong with the characters of some texts, and the places of the texts that have it.

    ``mojibake`` is UTF-8 that was read as Windows-1252; ``mixed-scripts`` are Latin letters beside Greek or
    Cyrillic ones within a word; ``mixed-newlines`` are line ends other than a line feed.
    """
    joined = "\n".join(texts)
    found: dict[str, Booleans] = {}
    if joined.isascii():
        points: npt.NDArray[Any] = np.frombuffer(joined.encode(), dtype=np.uint8)
    else:
        points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        found["replacement-characters"] = points == 0xFFFD  # noqa: PLR2004 -- the replacement character
        found["mojibake"] = _mojibake(points)
        found["invisible-characters"] = (
            (points == 0xFEFF)  # noqa: PLR2004
            | (points == 0x200B)  # noqa: PLR2004
            | ((points >= 0x202A) & (points <= 0x202E))  # noqa: PLR2004
            | ((points >= 0x2066) & (points <= 0x2069))  # noqa: PLR2004
        )
        found["mixed-scripts"] = _mixed_scripts(points)
    control = (points < 32) & (points != 9) & (points != 10) & (points != 13)  # noqa: PLR2004 -- tab, line ends
    if points.dtype == np.uint32:
        # C1 controls; where mojibake explains them, that is what is told.
        control |= (points >= 0x7F) & (points < 0xA0) & ~found["mojibake"]  # noqa: PLR2004
    else:
        control |= points == 0x7F  # noqa: PLR2004
    found["control-characters"] = control
    if "\r" in joined:
        found["mixed-newlines"] = points == 13  # noqa: PLR2004
    start: Ints | None = None
    told = []
    for name, where in found.items():
        at = np.flatnonzero(where)
        if at.size:
            if start is None:
                start = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])
            told.append((name, np.unique(np.searchsorted(start, at, side="right") - 1)))
    return told


def _mojibake(points: npt.NDArray[np.uint32]) -> Booleans:
    """Characters of sequences of two or three that are the bytes of one character of UTF-8."""
    follows = _CONTINUATION[np.minimum(points, _CONTINUATION.size - 1)] & (points < _CONTINUATION.size)
    found = np.zeros(points.size, dtype=np.bool_)
    two = ((points >= 0xC2) & (points <= 0xC5)) | (points == 0xD0) | (points == 0xD1)  # noqa: PLR2004
    hit = np.flatnonzero(two[:-1] & follows[1:])
    found[hit], found[hit + 1] = True, True
    three = (points >= 0xE0) & (points <= 0xEF)  # noqa: PLR2004
    hit = np.flatnonzero(three[:-2] & follows[1:-1] & follows[2:])
    found[hit], found[hit + 1], found[hit + 2] = True, True, True
    return found


def _mixed_scripts(points: npt.NDArray[np.uint32]) -> Booleans:
    latin = ((points >= 0x41) & (points <= 0x5A)) | ((points >= 0x61) & (points <= 0x7A))  # noqa: PLR2004
    other = (points >= 0x370) & (points <= 0x52F) & (points != 0x37E) & (points != 0x3BC)  # noqa: PLR2004 -- µ
    found = np.zeros(points.size, dtype=np.bool_)
    hit = np.flatnonzero((latin[:-1] & other[1:]) | (other[:-1] & latin[1:]))
    found[hit] = True
    return found
