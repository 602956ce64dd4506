"""Items as rows of numbers: hashed words and characters, scaled numbers, categories, pictures, brought vectors.

A ``Spec`` says what is read, a ``Basis`` what was learnt from a sample (how rare a column is, how numbers spread,
the directions of the dense projection). Both together turn an item into the same row on every machine.

A row has two forms. ``sparse`` is what models learn from: Weinberger et al. (2009, Feature hashing for large scale
multitask learning), counts dampened by 1 + ln(count), weighted by the inverse document frequency
ln((1 + n) / (1 + df)) + 1, every block (words; characters; categories and numbers; picture; vector) of length 1
before the whole row is; words beside characters, which say the same once more, of half of it (of several shares tried
on sms and banking77 it learnt best from few labels). ``dense`` is what clustering uses: the row in the directions of a truncated SVD of the
sample (Halko, Martinsson & Tropp 2011), of length 1 again. For texts the directions are half whitened, each divided by the root of
its singular value, where the sample is large enough to tell them from noise. Pictures and vectors keep their own
distances.
"""

import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from core.numerics.hashing import gram_counts
from core.numerics.images import N_DESCRIPTOR, describe
from core.numerics.table import Floats, Ints

Floats32 = npt.NDArray[np.float32]

VERSION = 1
BESIDE_CHARACTERS = np.float32(0.5)  # the length of the words of a row that has characters, too
N_HASHED = 1 << 18
N_DENSE = 64
N_DENSE_SMALL = 128  # of pools of which characters are read
MOST_CHARACTERS = 10_000_000  # in the pool: above, character n-grams would cost more than they teach
LONGEST_TEXT = 20_000
MOST_COLUMNS = 1 << 14  # that the dense projection looks at
MOST_ROWS = 8_000  # of the sample, from which its directions are found
_NEARLY_ALL = 0.95
_SPREAD = 5.0  # numbers further out than so many interquartile ranges are cut
_CATEGORY_LENGTH = 40
_FEW_CATEGORIES = 20
_OVERSAMPLE = 16
_POWER_STEPS = 3
_ENOUGH = 10  # items per direction
_AT_ONCE = 1 << 20  # characters hashed together
# 1 + ln(count), counts above 4,096 as that; from a table, because numpy's logarithm differs between processors
_DAMPENED = np.array([1 + math.log(count) for count in range(1, 4097)], dtype=np.float32)


class Kind(StrEnum):
    """What an item is, on the whole."""

    TEXT = "text"
    PAIR = "pair"
    TABLE = "table"
    IMAGE = "image"
    VECTOR = "vector"


class Datum(NamedTuple):
    """One item: its fields, the bytes of its picture, the vector that somebody brought for it."""

    data: Mapping[str, Any]
    image: bytes | None = None
    vector: Floats32 | None = None


@dataclass(frozen=True)
class Spec:
    """What is read of an item, and how.

    ``display`` are the project's display settings that it was chosen under. ``characters`` says whether character
    n-grams are read beside words: only while the pool of ``n_pool`` items has at most ten million characters (its
    size times the sample's mean length), so that a row of a large pool of 200-character texts keeps some 60 entries.
    Such a small pool has 128 dense columns, any other 64.
    ``n_vector`` is the length of brought vectors; when it is not 0 nothing else is read.
    """

    kind: Kind
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    image: str | None = None
    characters: bool = False
    n_vector: int = 0
    n_hashed: int = N_HASHED
    n_dense: int = N_DENSE
    n_pool: int = 0
    display: tuple[tuple[str, str], ...] = ()
    version: int = VERSION

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that is read."""
        return self.texts + self.numbers + self.categories + ((self.image,) if self.image else ())

    @property
    def blocks(self) -> dict[str, tuple[int, int]]:
        """The columns of each block: first and one past the last."""
        sizes = {
            "words": self.n_hashed if self.texts else 0,
            "characters": self.n_hashed if self.characters else 0,
            "categories": self.n_hashed if self.categories else 0,
            "numbers": 2 * len(self.numbers) + 1 if self.numbers else 0,
            "image": N_DESCRIPTOR if self.image else 0,
            "vector": self.n_vector,
        }
        ends = np.cumsum([0, *sizes.values()]).tolist()
        return {
            name: (ends[place], ends[place + 1]) for place, (name, size) in enumerate(sizes.items()) if size
        }

    @property
    def width(self) -> int:
        """The number of columns of the sparse form."""
        return max((end for _start, end in self.blocks.values()), default=1)

    @property
    def n_counted(self) -> int:
        """How many of the first columns hold counts, which the basis weights by rarity."""
        return self.n_hashed * sum(name in {"words", "characters", "categories"} for name in self.blocks)

    @property
    def digest(self) -> str:
        """A hash of all that is said here (64 hexadecimal digits)."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """As it was kept. Raises ValueError where another version of this code wrote it."""
        if kept.get("version") != VERSION:
            raise ValueError(f"features of version {kept.get('version')}, not {VERSION}")
        lists = {name: tuple(kept[name]) for name in ("texts", "numbers", "categories")}
        pairs = tuple((name, kind) for name, kind in kept["display"])
        return cls(**{**kept, **lists, "kind": Kind(kept["kind"]), "display": pairs})


@dataclass(frozen=True, eq=False)
class Rows:
    """Items as numbers: ``sparse`` float32 (n, width), ``dense`` float32 (n, n_dense); rows of length 1, or all zero
    where nothing could be read.
    """

    sparse: Any
    dense: Floats32

    def __len__(self) -> int:
        return int(self.dense.shape[0])

    @classmethod
    def stacked(cls, blocks: Sequence["Rows"]) -> "Rows":
        """The rows of several blocks (at least one) under each other."""
        if len(blocks) == 1:
            return blocks[0]
        rows = sparse.vstack([block.sparse for block in blocks], format="csr")
        return cls(rows, np.concatenate([block.dense for block in blocks]))


@dataclass(frozen=True, eq=False)
class Basis:
    """What was learnt from ``n`` items.

    ``frequency`` counts the items that have each counted column; ``centre`` and ``scale`` are the median and the
    interquartile range of each number; ``directions`` float32 (len(columns), n_dense) are the right singular vectors
    on ``columns`` (ascending), the others being left out.
    """

    n: int
    frequency: Ints
    centre: Floats
    scale: Floats
    columns: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    directions: Floats32 = field(default_factory=lambda: np.zeros((0, N_DENSE), dtype=np.float32))

    @cached_property
    def weight(self) -> Floats32:
        """The inverse document frequency of every counted column."""
        most = int(self.frequency.max(initial=0))
        weights = np.array([math.log((1 + self.n) / (1 + count)) + 1 for count in range(most + 1)])
        return weights.astype(np.float32)[self.frequency]

    def to_bytes(self) -> bytes:
        """The same basis always gives the same bytes."""
        seen = np.flatnonzero(self.frequency)
        file = io.BytesIO()
        np.savez_compressed(
            file,
            n=np.int64(self.n),
            size=np.int64(self.frequency.size),
            seen=seen.astype(np.int32),
            frequency=self.frequency[seen].astype(np.int32),
            centre=self.centre,
            scale=self.scale,
            columns=self.columns.astype(np.int32),
            directions=self.directions.astype(np.float16),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """As it was kept."""
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            frequency = np.zeros(int(kept["size"]), dtype=np.intp)
            frequency[kept["seen"]] = kept["frequency"]
            return cls(
                n=int(kept["n"]),
                frequency=frequency,
                centre=kept["centre"],
                scale=kept["scale"],
                columns=kept["columns"].astype(np.intp),
                directions=kept["directions"].astype(np.float32),
            )


# --- What is read -----------------------------------------------------------------------------------


def choose_spec(sample: Sequence[Datum], display: Mapping[str, str], *, n_items: int | None = None) -> Spec:
    """What to read, from a sample of a pool of ``n_items`` (default: the sample is the pool).

    Vectors when nearly every item of the sample has one (of the commonest length), and nothing else then. Otherwise the fields that
    ``display`` (field to ``text``, ``pair``, ``image``, ``table`` or ``hidden``) shows, or every field when it names
    none. What is shown as text is read as text, what is shown as picture as picture; of the other fields those that
    hold only numbers are numbers, those of few short values that come again and again are categories (unless items have
    no other field), all others are texts. Several texts are read each for itself, with what they have in common. A field that the sample
    never fills is not read.
    """
    pool = len(sample) if n_items is None else n_items
    shown = tuple(sorted(display.items()))
    n_vector = _vector_length(sample)
    if n_vector:
        return Spec(
            Kind.VECTOR, n_vector=n_vector, n_dense=min(N_DENSE, n_vector), n_pool=pool, display=shown
        )
    roles = _roles(sample, display)
    texts, numbers, categories, images = (
        tuple(name for name, role in roles.items() if role == wanted)
        for wanted in ("text", "number", "category", "image")
    )
    image = images[0] if images else None
    length = sum(len(_text_of(datum.data.get(name))) for datum in sample for name in texts)
    if numbers or categories:
        kind = Kind.TABLE
    elif texts:
        kind = Kind.PAIR if len(texts) > 1 else Kind.TEXT
    else:
        kind = Kind.IMAGE if image else Kind.TEXT
    characters = bool(texts) and length * pool <= MOST_CHARACTERS * max(len(sample), 1)
    return Spec(
        kind,
        texts,
        numbers,
        categories,
        image,
        characters=characters,
        n_dense=N_DENSE_SMALL if characters else N_DENSE,
        n_pool=pool,
        display=shown,
    )


def _vector_length(sample: Sequence[Datum]) -> int:
    """The commonest length of the sample's vectors where nearly every item has one, or 0."""
    lengths = Counter(datum.vector.size for datum in sample if datum.vector is not None)
    if not sample or lengths.total() < _NEARLY_ALL * len(sample):
        return 0
    return min(lengths, key=lambda length: (-lengths[length], length))


def _roles(sample: Sequence[Datum], display: Mapping[str, str]) -> dict[str, str]:
    """What each field that is read is read as, in the order of their names."""
    names = sorted({name for datum in sample for name in datum.data})
    roles = {}
    for name in names:
        shown = display.get(name, "hidden" if display else "")
        values = [datum.data.get(name) for datum in sample]
        filled = [value for value in values if not _is_missing(value)]
        if shown == "hidden" or not filled:
            continue
        if shown == "image":
            roles[name] = "image"
        elif shown in {"text", "pair"}:
            roles[name] = "text"
        elif all(not math.isnan(_number_of(value)) for value in filled):
            roles[name] = "number"
        else:
            roles[name] = "category" if len(names) > 1 and _are_categories(filled) else "text"
    return roles


def _are_categories(filled: Sequence[Any]) -> bool:
    texts = [_text_of(value) for value in filled]
    few = max(_FEW_CATEGORIES, len(texts) // 50)
    different = len(set(texts))
    return different <= few and 2 * different <= len(texts) and max(map(len, texts)) <= _CATEGORY_LENGTH


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number_of(value: Any) -> float:
    """A number, also one written as text; nan where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _text_of(value: Any) -> str:
    """A value as text, its first 20,000 characters."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(_text_of(part) for part in value)[:LONGEST_TEXT]
    if isinstance(value, dict):
        return " ".join(_text_of(part) for part in value.values())[:LONGEST_TEXT]
    return str(value)


# --- What is learnt from a sample -------------------------------------------------------------------


def fit_basis(spec: Spec, sample: Sequence[Datum]) -> Basis:
    """Rarity of columns, spread of numbers and directions of the projection, from a sample of items.

    The same sample in the same order gives the same basis (random numbers have a fixed seed).
    """
    centre, scale = _spread(_number_table(spec, sample))
    flat = Basis(n=len(sample), frequency=np.zeros(spec.n_counted, dtype=np.intp), centre=centre, scale=scale)
    counts = _counts(spec, sample)
    frequency = np.bincount(counts.indices, minlength=spec.n_counted)[: spec.n_counted].astype(np.intp)
    known = Basis(n=len(sample), frequency=frequency, centre=flat.centre, scale=flat.scale)
    whiten = bool(spec.texts) and len(sample) >= _ENOUGH * spec.n_dense
    columns, directions = _directions(_assemble(spec, known, sample, counts), spec.n_dense, whiten=whiten)
    return Basis(
        n=known.n,
        frequency=frequency,
        centre=centre,
        scale=scale,
        columns=columns,
        # as to_bytes keeps them, so that a basis gives the same rows before and after it was kept
        directions=directions.astype(np.float16).astype(np.float32),
    )


def _spread(table: Floats) -> tuple[Floats, Floats]:
    """Median and interquartile range of every column without what is missing; 1 for a range of nothing."""
    centre, scale = np.zeros(table.shape[1]), np.ones(table.shape[1])
    for place, column in enumerate(table.T):
        there = column[~np.isnan(column)]
        if there.size:
            low, centre[place], high = np.quantile(there, [0.25, 0.5, 0.75])
            scale[place] = (high - low) or there.std() or 1.0
    return centre, scale


def _directions(rows: Any, n_dense: int, *, whiten: bool) -> tuple[Ints, Floats32]:
    """The columns with the largest sums of squares and the first right singular vectors on them, from 8,000 rows.

    Whitened: the vectors after the first are made longer by the root of how much smaller their singular values are.

    Randomised range finder with power steps (Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.1). The sign of
    a direction makes its largest entry positive.
    """
    weight = np.bincount(rows.indices, weights=rows.data.astype(float) ** 2, minlength=rows.shape[1])
    occurring = np.flatnonzero(weight)
    order = np.lexsort((occurring, -weight[occurring]))
    columns = np.sort(occurring[order[:MOST_COLUMNS]])
    directions = np.zeros((columns.size, n_dense), dtype=np.float32)
    if columns.size == 0:
        return columns, directions
    part = rows[:MOST_ROWS, columns]
    flipped = part.T.tocsr()
    size = min(n_dense + _OVERSAMPLE, *part.shape)
    random = np.random.default_rng(0)
    basis = np.linalg.qr(part @ random.standard_normal((columns.size, size), dtype=np.float32))[0]
    for _step in range(_POWER_STEPS):
        basis = np.linalg.qr(part @ np.linalg.qr(flipped @ basis)[0])[0]
    _left, values, right = np.linalg.svd((flipped @ basis).T, full_matrices=False)
    kept = right[: min(n_dense, int(np.count_nonzero(values > values[0] * 1e-6)))]
    largest = kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)]
    longer = np.sqrt(values[0] / values[: len(kept)]) if whiten else np.ones(len(kept))
    directions[:, : len(kept)] = (kept * (longer * np.sign(largest))[:, None]).T
    return columns, directions


# --- Items to rows ----------------------------------------------------------------------------------


def transform(spec: Spec, basis: Basis, data: Sequence[Datum]) -> Rows:
    """The rows of some items, in their order. Each depends on its own item alone.

    A picture that cannot be opened and a vector of another length add nothing to their row.
    """
    rows = _assemble(spec, basis, data, _counts(spec, data))
    return Rows(rows, _project(basis, rows, spec.n_dense))


def _project(basis: Basis, rows: Any, n_dense: int) -> Floats32:
    """The rows in the basis' directions, of length 1 where anything is left of them."""
    place = np.full(rows.shape[1], -1, dtype=np.int32)
    place[basis.columns] = np.arange(basis.columns.size, dtype=np.int32)
    found = place[rows.indices]
    kept = found >= 0
    before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
    part = sparse.csr_matrix(
        (rows.data[kept], found[kept], before[rows.indptr]), shape=(rows.shape[0], basis.columns.size)
    )
    dense = np.asarray(part @ basis.directions, dtype=np.float32).reshape(-1, n_dense)
    length = np.sqrt(np.square(dense, dtype=np.float64).sum(axis=1))
    small = length < 1e-6  # noqa: PLR2004 -- nothing but rounding
    dense[small] = 0
    return (dense / np.where(small, 1, length)[:, None]).astype(np.float32)


def _assemble(spec: Spec, basis: Basis, data: Sequence[Datum], counts: Any) -> Any:
    """All blocks side by side, each of length 1 in a row, and the row too."""
    parts = []
    if spec.n_counted:
        dampened = _DAMPENED[np.minimum(counts.data, _DAMPENED.size).astype(np.intp) - 1]
        values = dampened * basis.weight[counts.indices]
        counted = sparse.csr_matrix((values, counts.indices, counts.indptr), counts.shape)
        counted = _scaled(counted, spec.n_hashed)
        if spec.characters:
            counted.data[counted.indices < spec.n_hashed] *= BESIDE_CHARACTERS
        parts.append(counted)
    blocks = (_numbers(spec, basis, data), _images(spec, data), _vectors(spec, data))
    parts += [
        _scaled(sparse.csr_matrix(block.astype(np.float32)), block.shape[1])
        for block in blocks
        if block is not None
    ]
    if not parts:
        return sparse.csr_matrix((len(data), spec.width), dtype=np.float32)
    rows = parts[0] if len(parts) == 1 else sparse.hstack(parts, format="csr")
    return _scaled(rows, rows.shape[1])


def _scaled(rows: Any, block: int) -> Any:
    """The rows with every run of ``block`` columns of length 1 (a run of nothing stays so)."""
    n_blocks = -(-rows.shape[1] // block)
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    group = row * n_blocks + rows.indices // block if n_blocks > 1 else row
    squares = np.bincount(
        group, weights=np.square(rows.data, dtype=np.float64), minlength=rows.shape[0] * n_blocks
    )
    length = np.sqrt(squares)
    values = (rows.data / length[group]).astype(np.float32)
    return sparse.csr_matrix((values, rows.indices, rows.indptr), rows.shape)


def _counts(spec: Spec, data: Sequence[Datum]) -> Any:
    """Counts of hashed words, characters and categories: csr (n, n_counted), columns ascending in every row."""
    parts = []
    start = size = 0
    for place, datum in enumerate(data):
        size += sum(len(_text_of(datum.data.get(name))) for name in spec.texts) if spec.texts else 16
        if size > _AT_ONCE:
            parts.append(_count_some(spec, data[start : place + 1]))
            start, size = place + 1, 0
    parts.append(_count_some(spec, data[start:]))
    return parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr")


def _count_some(spec: Spec, data: Sequence[Datum]) -> Any:
    blocks = spec.blocks
    keys: list[npt.NDArray[np.int64]] = []
    if spec.texts:
        texts = [[_text_of(datum.data.get(name)) for datum in data] for name in spec.texts]
        keys += gram_counts(
            texts,
            width=max(spec.n_counted, 1),
            n_hashed=spec.n_hashed,
            characters=blocks["characters"][0] if spec.characters else None,
        )
    if spec.categories:
        first = blocks["categories"][0]
        column = {name: f"{name}\0" for name in spec.categories}
        keys.append(
            np.array(
                [
                    row * spec.n_counted + first + _column_of(before + _text_of(datum.data.get(name)), spec)
                    for row, datum in enumerate(data)
                    for name, before in column.items()
                ],
                dtype=np.int64,
            )
        )
    if not keys:
        return sparse.csr_matrix((len(data), max(spec.n_counted, 1)), dtype=np.float32)
    key = np.concatenate(keys)
    key.sort()
    first_of = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if key.size else key
    count = np.diff(np.append(first_of, key.size)).astype(np.float32)
    row, indices = np.divmod(key[first_of], spec.n_counted)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(data)))])
    return sparse.csr_matrix(
        (count, indices.astype(np.int32), indptr.astype(np.int32)), (len(data), spec.n_counted)
    )


def _column_of(text: str, spec: Spec) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % spec.n_hashed


def _number_table(spec: Spec, data: Sequence[Datum]) -> Floats:
    """Numbers by item and field, nan where there is none."""
    table = [[_number_of(datum.data.get(name)) for name in spec.numbers] for datum in data]
    return np.array(table, dtype=np.float64).reshape(len(data), len(spec.numbers))


def _numbers(spec: Spec, basis: Basis, data: Sequence[Datum]) -> Floats | None:
    """Scaled numbers, then for each whether it is missing, then a one, so that a row's length keeps their size."""
    if not spec.numbers:
        return None
    table = _number_table(spec, data)
    missing = np.isnan(table)
    scaled = np.clip((np.where(missing, basis.centre, table) - basis.centre) / basis.scale, -_SPREAD, _SPREAD)
    return np.hstack([scaled, missing, np.ones((len(data), 1))])


def _images(spec: Spec, data: Sequence[Datum]) -> Floats | None:
    if spec.image is None:
        return None
    block = np.zeros((len(data), N_DESCRIPTOR))
    for row, datum in enumerate(data):
        found = describe(datum.image) if datum.image else None
        if found is not None:
            block[row] = found
    return block


def _vectors(spec: Spec, data: Sequence[Datum]) -> Floats | None:
    if not spec.n_vector:
        return None
    block = np.zeros((len(data), spec.n_vector))
    for row, datum in enumerate(data):
        if datum.vector is not None and datum.vector.size == spec.n_vector:
            block[row] = datum.vector
    block[~np.isfinite(block).all(axis=1)] = 0
    return block
