"""Rows to bytes, as a stream: JSON, JSON Lines, CSV and Parquet from the same dictionaries."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from core.formats.errors import FileError
from core.formats.table import FORMATS

ColumnType = Literal["text", "integer", "number", "boolean", "time"]
Record = Mapping[str, object]

FIRST_ROWS = 100  # a small first batch, so that the first byte leaves at once
BATCH_ROWS = 5_000
PARQUET_ROWS = 50_000

# Spreadsheets take a cell that begins so for a formula; the last four are the full-width forms.
FORMULA_STARTS = frozenset("=+-@\t\r＝＋－＠")  # noqa: RUF001 -- they are meant


def write_rows(
    rows: Iterable[Record],
    columns: Sequence[str],
    format: str,  # noqa: A002 -- the word of the outer contract
    *,
    lossless: bool = False,
    types: Mapping[str, ColumnType] | None = None,
) -> Iterator[bytes]:
    """Yield the bytes of a file with these columns in this order; a key that a row lacks is null.

    In CSV, text that a spreadsheet would run as a formula gets a leading apostrophe unless `lossless`;
    numbers are not text and stay. There, null and the empty string are both an empty cell, booleans are
    true and false, lists of plain text are joined by `|`, other lists and objects are JSON, times ISO 8601.
    `types` is for Parquet, which must know them before the first row; the default is text.
    Raises FileError `unknown-format` at once.
    """
    if format == "csv":
        return _csv(rows, columns, lossless=lossless)
    if format == "jsonl":
        return _jsonl(rows, columns)
    if format == "json":
        return _json(rows, columns)
    if format == "parquet":
        return _parquet(rows, columns, types or {})
    raise FileError("unknown-format", f"{format!r} is none of {', '.join(FORMATS)}.", declared=format)


def _batches(rows: Iterable[Record], size: int = BATCH_ROWS) -> Iterator[list[Record]]:
    source = iter(rows)
    batch = list(islice(source, FIRST_ROWS))
    while batch:
        yield batch
        batch = list(islice(source, size))


def _csv(rows: Iterable[Record], columns: Sequence[str], *, lossless: bool) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    # With the guard on, all text is quoted: a spreadsheet that also splits at semicolons or tabs would
    # otherwise find the start of a formula in the middle of a cell.
    quoting: Literal[0, 2] = csv.QUOTE_MINIMAL if lossless else csv.QUOTE_NONNUMERIC
    writer = csv.writer(buffer, lineterminator="\r\n", quoting=quoting)
    cell: Callable[[object], object] = csv_cell if lossless else guarded_cell
    writer.writerow([cell(name) for name in columns])
    for batch in _batches(rows):
        writer.writerows([cell(row.get(name)) for name in columns] for row in batch)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if header := buffer.getvalue():
        yield header.encode()


def csv_cell(value: object) -> object:
    """Return the value as CSV holds it: text, or a number left as it is."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    return _as_text(value)


def guarded_cell(value: object) -> object:
    """Return what `csv_cell` does, with an apostrophe before text that would run as a formula."""
    if value is None:  # a million rows pass here, and most cells are one of these two
        return ""
    cell = value if type(value) is str else csv_cell(value)
    if isinstance(cell, str) and cell[:1] in FORMULA_STARTS:
        return "'" + cell
    return cell


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple) and all(isinstance(part, str) and "|" not in part for part in value):
        return "|".join(value)
    return _ENCODER.encode(value)


def _json_default(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_default, check_circular=False
)


def _lines(rows: Iterable[Record], columns: Sequence[str]) -> Iterator[list[str]]:
    encode = _ENCODER.encode
    for batch in _batches(rows):
        yield [encode({name: row.get(name) for name in columns}) for row in batch]


def _jsonl(rows: Iterable[Record], columns: Sequence[str]) -> Iterator[bytes]:
    for lines in _lines(rows, columns):
        yield ("\n".join(lines) + "\n").encode()


def _json(rows: Iterable[Record], columns: Sequence[str]) -> Iterator[bytes]:
    between = "[\n"
    for lines in _lines(rows, columns):
        yield (between + ",\n".join(lines)).encode()
        between = ",\n"
    yield b"[]\n" if between == "[\n" else b"\n]\n"


class _Sink(io.RawIOBase):
    """Takes what the Parquet writer writes, to be handed on and forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def drain(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _parquet(
    rows: Iterable[Record], columns: Sequence[str], types: Mapping[str, ColumnType]
) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet as pq

    kinds = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    wanted = [types.get(name, "text") for name in columns]
    schema = pa.schema([(name, kinds[kind]) for name, kind in zip(columns, wanted, strict=True)])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="snappy") as writer:
        for batch in _batches(rows, PARQUET_ROWS):
            arrays = [
                pa.array(_column(batch, name, kind), type=kinds[kind])
                for name, kind in zip(columns, wanted, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            if data := sink.drain():
                yield data
    yield sink.drain()


def _column(batch: list[Record], name: str, kind: ColumnType) -> list[object]:
    values = [row.get(name) for row in batch]
    if kind != "text":
        return values
    return [value if value is None or isinstance(value, str) else _as_text(value) for value in values]
