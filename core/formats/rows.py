"""Typed rows: what an item, an annotation, a gold answer or a prediction must look like in any format.

`columns` maps the names of this contract to the names in the file ({"id": "tweet_id", "text": "body"}):
target to source. A file column that no target claims keeps its own name.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from core.formats.errors import FileError, RowError
from core.formats.table import Row, RowStream

PASS_KINDS = frozenset({"normal", "retest", "gold", "training", "trial"})
MAX_ID_CHARACTERS = 200

ANNOTATION_REQUIRED = ("item_id", "annotator", "question", "label")
ANNOTATION_OPTIONAL = ("created_at", "elapsed_ms", "repeat", "pass")
GOLD_REQUIRED = ("item_id", "question", "label")
PREDICTION_REQUIRED = GOLD_REQUIRED
EMBEDDING = "embedding"
EMBEDDING_REQUIRED = ("item_id", EMBEDDING)
MOST_NUMBERS = 4096

_META = "meta."
PROB = "prob."
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,15}(?:\.0+)?", re.ASCII)
_NUMBER = re.compile(r"\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)

Label = str | int | float | bool | list[object]


class ItemRow(NamedTuple):
    """An item to publish; `id` is None where the file gives none.

    `vector` is its embedding as float32 numbers, little-endian, or None.
    """

    number: int
    line: int
    id: str | None
    data: dict[str, object]
    meta: dict[str, object]
    vector: bytes | None = None


class EmbeddingRow(NamedTuple):
    """The embedding of an item that is there, as in `ItemRow`."""

    number: int
    line: int
    item_id: str
    vector: bytes


class AnnotationRow(NamedTuple):
    """One answer of one person; `label` is text from CSV, any JSON scalar or list from JSON."""

    number: int
    line: int
    item_id: str
    annotator: str
    question: str
    label: Label
    created_at: datetime | None
    elapsed_ms: int | None
    repeat: int | None
    pass_kind: str | None
    extra: dict[str, object]


class GoldRow(NamedTuple):
    """The true answer of one question on one item."""

    number: int
    line: int
    item_id: str
    question: str
    label: Label


class PredictionRow(NamedTuple):
    """What a model says about one question of one item; ``probabilities`` by the name of the class."""

    number: int
    line: int
    item_id: str
    question: str
    label: Label
    probabilities: dict[str, float]


class _Refusal(Exception):  # noqa: N818 -- never leaves this module
    def __init__(self, column: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.column = column
        self.code = code
        self.detail = detail


Rows = RowStream | Iterable[Row | RowError]
_T = TypeVar("_T")


def item_rows(rows: Rows, columns: Mapping[str, str] | None = None) -> Iterator[ItemRow | RowError]:
    """Yield items: nested ({"id", "data": {…}, "meta": {…}}) or flat (`id`, `meta.*`, the rest is data).

    `embedding`, a column or a key beside `data`, is the item's vector and no data. In a nested row, other keys
    beside these are kept in `meta`. Targets of `columns` are `id`, `embedding`, `meta.<key>` or a key of data;
    sources are columns, or in a nested row keys of data and `meta.<key>`.
    Raises FileError `missing-column`, `column-conflict` or `no-data-columns`.
    """
    renames = _renames(columns)
    if isinstance(rows, RowStream) and rows.columns is not None:
        _check_item_columns(rows.columns, renames)
    yield from _typed(rows, lambda row: _item(row, renames))


def annotation_rows(
    rows: Rows, columns: Mapping[str, str] | None = None
) -> Iterator[AnnotationRow | RowError]:
    """Yield annotations; columns outside the contract are kept in `extra`.

    "None", "NA" and the empty string are labels like any other; a JSON null is refused. Times without a
    zone are UTC. Raises FileError `missing-column` or `column-conflict`.
    """
    sources = _sources(rows, columns, ANNOTATION_REQUIRED, ANNOTATION_OPTIONAL)
    yield from _typed(rows, lambda row: _annotation(row, sources))


def gold_rows(rows: Rows, columns: Mapping[str, str] | None = None) -> Iterator[GoldRow | RowError]:
    """Yield gold answers; other columns are not read. Raises FileError as `annotation_rows` does."""
    sources = _sources(rows, columns, GOLD_REQUIRED, ())
    yield from _typed(rows, lambda row: _gold(row, sources))


def prediction_rows(
    rows: Rows, columns: Mapping[str, str] | None = None
) -> Iterator[PredictionRow | RowError]:
    """Yield predictions; ``prob.<class>`` columns, or an object ``prob``, give probabilities from 0 to 1.

    An empty cell is no probability, so one file may hold several questions with classes of their own. Other
    columns are not read. Raises FileError as `annotation_rows` does.
    """
    chosen = {target: source for target, source in (columns or {}).items() if source}
    probable = {target: source for target, source in chosen.items() if target.startswith(PROB)}
    sources = _sources(rows, columns, PREDICTION_REQUIRED, tuple(probable))
    claimed = frozenset(sources.values())
    renames = {source: target.removeprefix(PROB) for target, source in probable.items()}
    yield from _typed(rows, lambda row: _prediction(row, sources, renames, claimed))


def embedding_rows(rows: Rows, columns: Mapping[str, str] | None = None) -> Iterator[EmbeddingRow | RowError]:
    """Yield embeddings; other columns are not read. Raises FileError as `annotation_rows` does."""
    sources = _sources(rows, columns, EMBEDDING_REQUIRED, ())
    yield from _typed(rows, lambda row: _embedding(row, sources))


def _typed(rows: Rows, make: Callable[[Row], _T]) -> Iterator[_T | RowError]:
    for row in rows:
        if isinstance(row, RowError):
            yield row
            continue
        try:
            yield make(row)
        except _Refusal as refusal:
            yield RowError(row.number, row.line, refusal.column, refusal.code, refusal.detail)


def _renames(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return source to target, for targets that are not simply the source's own name."""
    wanted = {target: source for target, source in (columns or {}).items() if source}
    renames = {source: target for target, source in wanted.items()}
    if len(renames) != len(wanted):
        twice = next(source for target, source in wanted.items() if renames[source] != target)
        raise FileError("column-conflict", f"The column {twice} is mapped twice.", column=twice)
    return {source: target for source, target in renames.items() if source != target}


def _check_item_columns(found: tuple[str, ...], renames: Mapping[str, str]) -> None:
    for source in renames:
        if source not in found:
            raise FileError("missing-column", f"The file has no column {source}.", column=source)
    targets = [renames.get(name, name) for name in found]
    if len(set(targets)) != len(targets):
        twice = next(name for name in targets if targets.count(name) > 1)
        raise FileError("column-conflict", f"Two columns would both become {twice}.", column=twice)
    if all(name in {"id", EMBEDDING} or name.startswith(_META) for name in targets):
        raise FileError("no-data-columns", "The file has no column with data to label.", columns=list(found))


def _item(row: Row, renames: Mapping[str, str]) -> ItemRow:
    values = row.values
    nested = values.get("data")
    if isinstance(nested, dict):
        return _nested_item(row, nested, renames)
    data: dict[str, object] = {}
    meta: dict[str, object] = {}
    raw_id: object = None
    raw_vector: object = None
    if renames:
        values = _renamed(values, renames)
    for name, value in values.items():
        if name == "id":
            raw_id = value
        elif name.startswith(_META):
            meta[name[5:]] = value
        elif name == "meta" and isinstance(value, dict):
            meta.update(value)
        elif name == EMBEDDING:
            raw_vector = value
        else:
            data[name] = value
    return _checked_item(row, raw_id, data, meta, raw_vector)


def _nested_item(row: Row, nested: dict[str, object], renames: Mapping[str, str]) -> ItemRow:
    inner = row.values.get("meta")
    if inner is not None and not isinstance(inner, dict):
        raise _Refusal("meta", "not-an-object", "meta is an object with named values.")
    meta: dict[str, object] = dict(inner or {})
    for name, value in row.values.items():
        if name not in {"id", "data", "meta", EMBEDDING}:
            if name in meta:
                raise _Refusal(name, "column-conflict", f"{name} stands both beside meta and in it.")
            meta[name] = value
    raw_id, raw_vector = row.values.get("id"), row.values.get(EMBEDDING)
    if not renames:
        return _checked_item(row, raw_id, nested, meta, raw_vector)
    data: dict[str, object] = {}
    moved: dict[str, object] = {}
    for source, value in (*nested.items(), *((_META + key, value) for key, value in meta.items())):
        target = renames.get(source, source)
        if target == "id" and source != "id":
            raw_id = value
        elif target == EMBEDDING and source != EMBEDDING:
            raw_vector = value
        elif target in data or target in moved:
            raise _Refusal(target, "column-conflict", f"Two values would both become {target}.")
        else:
            (moved if target.startswith(_META) else data)[target] = value
    meta = {key[5:]: value for key, value in moved.items()}
    return _checked_item(row, raw_id, data, meta, raw_vector)


def _renamed(values: Mapping[str, object], renames: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for source, value in values.items():
        target = renames.get(source, source)
        if target in found:
            raise _Refusal(target, "column-conflict", f"Two values would both become {target}.")
        found[target] = value
    return found


def _checked_item(
    row: Row, raw_id: object, data: dict[str, object], meta: dict[str, object], raw_vector: object
) -> ItemRow:
    if not data:
        raise _Refusal("data", "no-data", "The item has nothing to label.")
    name = None if raw_id is None else _name("id", raw_id)
    return ItemRow(row.number, row.line, name, data, meta, _vector(raw_vector))


def _sources(
    rows: Rows, columns: Mapping[str, str] | None, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, str]:
    """Return target to source for every column of the contract."""
    chosen = {target: source for target, source in (columns or {}).items() if source}
    for target in chosen:
        if target not in required and target not in optional:
            raise FileError(
                "unknown-column", f"{target} is not a column of this kind of file.", column=target
            )
    _renames(chosen)
    sources = {name: chosen.get(name, name) for name in (*required, *optional)}
    found = rows.columns if isinstance(rows, RowStream) else None
    for name in (*required, *chosen):
        if found is not None and sources[name] not in found:
            raise FileError(
                "missing-column", f"The file has no column {sources[name]}.", column=sources[name]
            )
    return sources


def _annotation(row: Row, sources: Mapping[str, str]) -> AnnotationRow:
    extra = dict(row.values)
    return AnnotationRow(
        row.number,
        row.line,
        _name("item_id", _taken(extra, sources, "item_id")),
        _name("annotator", _taken(extra, sources, "annotator")),
        _name("question", _taken(extra, sources, "question")),
        _label(_taken(extra, sources, "label")),
        _time(extra.pop(sources["created_at"], None)),
        _whole("elapsed_ms", extra.pop(sources["elapsed_ms"], None), least=0),
        _whole("repeat", extra.pop(sources["repeat"], None), least=1),
        _pass_kind(extra.pop(sources["pass"], None)),
        extra,
    )


def _gold(row: Row, sources: Mapping[str, str]) -> GoldRow:
    values = dict(row.values)
    return GoldRow(
        row.number,
        row.line,
        _name("item_id", _taken(values, sources, "item_id")),
        _name("question", _taken(values, sources, "question")),
        _label(_taken(values, sources, "label")),
    )


def _prediction(
    row: Row, sources: Mapping[str, str], renames: Mapping[str, str], claimed: frozenset[str]
) -> PredictionRow:
    values = dict(row.values)
    item_id = _name("item_id", _taken(values, sources, "item_id"))
    question = _name("question", _taken(values, sources, "question"))
    label = _label(_taken(values, sources, "label"))
    given: list[tuple[str, object]] = []
    for name, value in values.items():
        if name in renames:
            given.append((renames[name], value))
        elif name.startswith(PROB) and name not in claimed:
            given.append((name.removeprefix(PROB), value))
        elif name == "prob" and isinstance(value, dict):
            given.extend(value.items())
    found: dict[str, float] = {}
    for name, value in given:
        if value is None or value == "":
            continue
        if name in found:
            raise _Refusal(PROB + name, "column-conflict", f"The probability of {name} stands there twice.")
        found[name] = _probability(PROB + name, value)
    return PredictionRow(row.number, row.line, item_id, question, label, found)


def _probability(column: str, value: object) -> float:
    number: float | None = None
    if isinstance(value, str):
        number = float(value) if _NUMBER.fullmatch(value) else None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(min(value, 2))
    if number is None or not 0 <= number <= 1:
        raise _Refusal(column, "bad-probability", f"{column} must be a number from 0 to 1.")
    return number


def _embedding(row: Row, sources: Mapping[str, str]) -> EmbeddingRow:
    values = dict(row.values)
    item_id = _name("item_id", _taken(values, sources, "item_id"))
    vector = _vector(_taken(values, sources, EMBEDDING))
    if vector is None:
        raise _Refusal(EMBEDDING, "missing-value", "The row has no embedding.")
    return EmbeddingRow(row.number, row.line, item_id, vector)


def _vector(value: object) -> bytes | None:
    """Return a list of numbers, or its JSON text, as float32; None for null and the empty cell."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list) or not value or not set(map(type, value)) <= {int, float}:
        raise _Refusal(EMBEDDING, "bad-embedding", "An embedding is a list of numbers.")
    if len(value) > MOST_NUMBERS:
        detail = f"The embedding has {len(value):,} numbers; at most {MOST_NUMBERS:,} are taken."
        raise _Refusal(EMBEDDING, "bad-embedding-length", detail)
    try:
        if all(map(math.isfinite, value)):
            return struct.pack(f"<{len(value)}f", *value)
    except (OverflowError, struct.error):
        pass
    raise _Refusal(EMBEDDING, "bad-embedding", "A number of the embedding is beyond what 32 bits hold.")


_ABSENT = object()


def _taken(values: dict[str, object], sources: Mapping[str, str], name: str) -> object:
    value = values.pop(sources[name], _ABSENT)
    if value is _ABSENT:
        raise _Refusal(name, "missing-value", f"The row has no {sources[name]}.")
    return value


def _name(column: str, value: object) -> str:
    """Return an identifier byte-exact; a JSON integer is taken in its decimal form."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None:
        raise _Refusal(column, "missing-value", f"{column} is null.")
    if not isinstance(value, str):
        raise _Refusal(column, "wrong-type", f"{column} must be text.")
    if not value:
        raise _Refusal(column, "empty-value", f"{column} is empty.")
    if len(value) > MAX_ID_CHARACTERS:
        raise _Refusal(column, "too-long", f"{column} exceeds {MAX_ID_CHARACTERS} characters.")
    if _CONTROL.search(value):
        raise _Refusal(column, "control-character", f"{column} holds a control character or a line break.")
    return value


def _label(value: object) -> Label:
    if value is None:
        raise _Refusal("label", "missing-value", "The label is null.")
    if isinstance(value, str | int | float | list):
        return value
    raise _Refusal("label", "wrong-type", "A label is text, a number, true or false, or a list.")


def _time(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        if not isinstance(value, str):
            raise TypeError  # noqa: TRY301 -- one message for every way of not being a time
        when = datetime.fromisoformat(value)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise _Refusal("created_at", "invalid-time", "created_at is not an ISO 8601 time.") from None


def _whole(column: str, value: object, *, least: int) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        number = int(value.partition(".")[0]) if _WHOLE_NUMBER.fullmatch(value) else None
    elif isinstance(value, float):
        number = int(value) if value.is_integer() else None
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number is None or number < least:
        raise _Refusal(column, "invalid-number", f"{column} must be a whole number from {least}.")
    return number


def _pass_kind(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value in PASS_KINDS:
        return value
    raise _Refusal("pass", "invalid-pass", f"pass must be one of {', '.join(sorted(PASS_KINDS))}.")
