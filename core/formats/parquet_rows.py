"""Parquet, a small batch of rows at a time."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.formats.csv_rows import check_columns
from core.formats.errors import FileError, RowError
from core.formats.strict_json import MAX_SAFE_INTEGER, StrictJsonError, first_error
from core.formats.table import Limits, Row

BATCH_ROWS = 256
BATCH_BYTES = 32 * 2**20
_MAGIC = b"PAR1"
_FEWEST_BYTES = 12


class ParquetReader:
    """Reads the footer at once; `rows()` yields plain Python values, times as ISO 8601 text.

    `stream` must be seekable. Raises FileError `truncated`, `invalid-parquet`, `too-large`,
    `unsupported-column` (bytes, durations and the like), or one of csv_rows.check_columns.
    """

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        import pyarrow as pa
        from pyarrow import parquet as pq

        self._pa = pa
        self._limits = limits
        self._size = _checked_size(stream)
        self._given = 0
        try:
            # Text is read as a dictionary, in which a text that occurs a million times is kept once.
            texts = _text_paths(pq.ParquetFile(stream).metadata)
            stream.seek(0)
            self._file: Any = pq.ParquetFile(
                stream, pre_buffer=False, buffer_size=2**20, read_dictionary=texts
            )
        except (pa.ArrowException, OSError) as error:
            raise _invalid(error) from error
        self._check_sizes()
        self.columns = tuple(self._file.schema_arrow.names)
        check_columns(list(self.columns), limits)
        self._times = self._time_columns()

    def rows(self) -> Iterator[Row | RowError]:
        """Yield the rows; `line` is the row number, for want of lines."""
        number = 0
        try:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                for row in self._batch(batch, number):
                    number += 1
                    yield row
        except (self._pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _invalid(error) from error
        if number == 0:
            raise FileError("no-rows", "The file holds no rows.")

    def _batch(self, batch: Any, before: int) -> Iterator[Row | RowError]:
        rows = batch.num_rows
        if sum(map(self._most_bytes, batch.columns)) > BATCH_BYTES:
            if rows == 1:
                raise FileError("row-too-long", f"Row {before + 1:,} is too long.", row=before + 1)
            yield from self._batch(batch.slice(0, rows // 2), before)
            yield from self._batch(batch.slice(rows // 2), before + rows // 2)
            return
        values = [self._values(name, array) for name, array in zip(self.columns, batch.columns, strict=True)]
        clean = all(list(map(self._is_clean, values)))  # every column is counted
        for number, row in enumerate(zip(*values, strict=True), before + 1):
            named = dict(zip(self.columns, row, strict=True))
            error = None if clean else self._first_error(named)
            yield Row(number, number, named) if error is None else _refused(number, error)

    def _first_error(self, row: dict[str, object]) -> StrictJsonError | None:
        return first_error(row, depth=self._limits.depth, string_limit=self._limits.field_characters)

    def _is_clean(self, column: list[Any]) -> bool:
        """Tell whether a column needs no look at its rows, and count what it holds."""
        kinds = set(map(type, column)) - {type(None), bool}
        if kinds == {str}:
            texts = list(filter(None, column))
            lengths = list(map(len, texts))
            self._count(sum(lengths))
            return max(lengths, default=0) <= self._limits.field_characters and "\0" not in "".join(
                set(texts)
            )
        if kinds <= {int, float}:
            return all(abs(value) <= MAX_SAFE_INTEGER for value in column if value is not None)
        return False

    def _count(self, size: int) -> None:
        """Add to what has come out; a small file can say one long text a million times."""
        self._given += size
        limits = self._limits
        packed_well = self._given > limits.ratio_floor_bytes and self._given > limits.ratio * self._size
        if packed_well or self._given > limits.total_bytes:
            raise FileError("zip-bomb", f"The file unpacks to more than {self._given:,} characters.")

    def _values(self, name: str, array: Any) -> list[Any]:
        if name in self._times:
            array = array.cast(self._pa.string())
        if not self._pa.types.is_dictionary(array.type):
            found: list[Any] = array.to_pylist()
            return found
        used = array.indices.dictionary_encode()
        texts = array.dictionary.take(used.dictionary).to_pylist()
        return [None if place is None else texts[place] for place in used.indices.to_pylist()]

    def _most_bytes(self, array: Any) -> int:
        """Return a bound on what nested values take once each text in them is one of its own."""
        types = self._pa.types
        if types.is_list(array.type) or types.is_large_list(array.type):
            return self._nested_bytes(array.flatten())
        return self._nested_bytes(array) if types.is_struct(array.type) else 0

    def _nested_bytes(self, array: Any) -> int:
        from pyarrow import compute as pc

        types = self._pa.types
        if types.is_dictionary(array.type):
            return len(array) * int(pc.max(pc.binary_length(array.dictionary)).as_py() or 0)
        if types.is_list(array.type) or types.is_large_list(array.type):
            return self._nested_bytes(array.flatten())
        if types.is_struct(array.type):
            return sum(map(self._nested_bytes, array.flatten()))
        return int(array.nbytes)

    def _check_sizes(self) -> None:
        metadata = self._file.metadata
        unpacked = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
        if unpacked > self._limits.total_bytes:
            raise FileError(
                "too-large", f"The file unpacks to {unpacked:,} bytes.", limit=self._limits.total_bytes
            )

    def _time_columns(self) -> frozenset[str]:
        types = self._pa.types
        times: set[str] = set()
        for field in self._file.schema_arrow:
            if types.is_temporal(field.type) and not types.is_duration(field.type):
                times.add(field.name)
            elif types.is_decimal(field.type):
                times.add(field.name)  # exact as text; as a float it would be rounded
            elif not self._is_plain(field.type):
                raise FileError(
                    "unsupported-column",
                    f"The column {field.name} is of type {field.type}, which has no plain text or number.",
                    column=field.name,
                )
        return frozenset(times)

    def _is_plain(self, kind: Any) -> bool:
        types = self._pa.types
        if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
            return self._is_plain(kind.value_type)
        if types.is_struct(kind):
            return all(self._is_plain(kind.field(n).type) for n in range(kind.num_fields))
        tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating)
        return any(test(kind) for test in (*tests, types.is_boolean, types.is_null))


def _text_paths(metadata: Any) -> list[str]:
    columns = (metadata.schema.column(n) for n in range(metadata.num_columns))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def _checked_size(stream: BinaryIO) -> int:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - len(_MAGIC)))
    whole = size >= _FEWEST_BYTES and stream.read(len(_MAGIC)) == _MAGIC
    stream.seek(0)
    if not whole:
        raise FileError("truncated", "The Parquet file has no footer: its end is missing.")
    return size


def _invalid(error: Exception) -> FileError:
    return FileError("invalid-parquet", f"The Parquet file cannot be read: {str(error)[:200]}")


def _refused(number: int, error: StrictJsonError) -> RowError:
    return RowError(number, None, error.pointer[1:].replace("/", ".") or None, error.code, error.detail)
