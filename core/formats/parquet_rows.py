"""Parquet, a small batch of rows at a time."""

import io
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

from core.formats.csv_rows import check_columns
from core.formats.errors import FileError, RowError
from core.formats.strict_json import MAX_SAFE_INTEGER, StrictJsonError, first_error
from core.formats.table import Limits, Row

MOST_BATCH_ROWS = 1024
MOST_BATCH_BYTES = 64 * 2**20
MOST_BATCH_NUMBERS = 2**20

_MAGIC = b"PAR1"
_FEWEST_BYTES = 12
_PAGE_HEADER_BYTES = 32
_THRIFT_INTEGER = 0x15  # "next field, a 32-bit integer" in Thrift's compact protocol


class ParquetReader:
    """Reads the footer at once; `rows()` yields plain Python values, lists of numbers, times and decimals as text.

    `stream` must be seekable. Raises FileError `truncated`, `invalid-parquet`, `too-large`, `zip-bomb`,
    `unsupported-column` (bytes, durations, other lists, objects), or one of csv_rows.check_columns.
    """

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        import pyarrow as pa
        from pyarrow import parquet as pq

        self._pa = pa
        self._limits = limits
        self._stream = stream
        self._size = _checked_size(stream)
        self._given = 0
        # What a damaged footer leads to: pyarrow's own errors, undecodable names, seeks to nowhere.
        self._damage = (pa.ArrowException, OSError, ValueError, OverflowError)
        try:
            self._file: Any = pq.ParquetFile(stream, pre_buffer=False, buffer_size=2**20)
            metadata = self._file.metadata
            groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
            self._check_ratio(sum(group.total_byte_size for group in groups))
            self.columns = tuple(self._file.schema_arrow.names)
            check_columns(list(self.columns), limits)
            self._as_text = self._columns_as_text()
        except self._damage as error:
            raise _invalid(error) from error

    def rows(self) -> Iterator[Row | RowError]:
        """Yield the rows; `line` is the row number, for want of lines."""
        number = 0
        for arrays in self.batches():
            for row in self._batch(arrays, number):
                number += 1
                yield row
        if number == 0:
            raise FileError("no-rows", "The file holds no rows.")

    def batches(self) -> Iterator[list[Any]]:
        """Yield a few rows at a time as Arrow arrays; raises FileError `invalid-parquet` or `zip-bomb`."""
        try:
            for group in range(self._file.metadata.num_row_groups):
                size = self._batch_rows(group)
                for batch in self._file.iter_batches(size, row_groups=[group], use_threads=False):
                    arrays = [self._undictionaried(array) for array in batch.columns]
                    self._given += sum(array.nbytes for array in arrays)
                    self._check_ratio(self._given)
                    yield arrays
        except self._damage as error:
            raise _invalid(error) from error

    def _batch_rows(self, group: int) -> int:
        """Return how many rows to take at once: a dictionary can say one long text in every row.

        Lists are counted by their numbers, of which each is an object of Python.
        """
        metadata = self._file.metadata.row_group(group)
        longest = numbers = 1
        for n in range(metadata.num_columns):
            column = metadata.column(n)
            numbers = max(numbers, column.num_values // max(metadata.num_rows, 1))
            if column.has_dictionary_page and column.physical_type == "BYTE_ARRAY":
                longest = max(longest, _page_bytes(self._stream, column.dictionary_page_offset))
        return max(1, min(MOST_BATCH_ROWS, MOST_BATCH_BYTES // longest, MOST_BATCH_NUMBERS // numbers))

    def _undictionaried(self, array: Any) -> Any:
        return array.dictionary_decode() if self._pa.types.is_dictionary(array.type) else array

    def _batch(self, arrays: list[Any], before: int) -> Iterator[Row | RowError]:
        values = [self._values(name, array) for name, array in zip(self.columns, arrays, strict=True)]
        clean = all(map(self._is_clean, values))
        for number, row in enumerate(zip(*values, strict=True), before + 1):
            named = dict(zip(self.columns, row, strict=True))
            error = None if clean else self._first_error(named)
            yield Row(number, number, named) if error is None else _refused(number, error)

    def _values(self, name: str, array: Any) -> list[Any]:
        try:
            found: list[Any] = (array.cast(self._pa.string()) if name in self._as_text else array).to_pylist()
        except self._damage as error:
            raise _invalid(error) from error
        return found

    def _first_error(self, row: dict[str, object]) -> StrictJsonError | None:
        return first_error(row, depth=self._limits.depth, string_limit=self._limits.field_characters)

    def _is_clean(self, column: list[Any]) -> bool:
        """Tell whether a column needs no look at its rows."""
        kinds = set(map(type, column)) - {type(None), bool}
        if kinds == {str}:
            texts = list(filter(None, column))
            longest = max(map(len, texts), default=0)
            return longest <= self._limits.field_characters and "\0" not in "".join(texts)
        if kinds <= {int, float}:
            return all(abs(value) <= MAX_SAFE_INTEGER for value in column if value is not None)
        if kinds == {list}:
            return self._is_clean(list(chain.from_iterable(filter(None, column))))
        return False

    def _check_ratio(self, given: int) -> None:
        """Refuse what unpacks to too much: a small file can say one text a million times."""
        limits = self._limits
        if given > limits.total_bytes:
            raise FileError("too-large", f"The file unpacks to {given:,} bytes.", limit=limits.total_bytes)
        if given > limits.ratio_floor_bytes and given > limits.ratio * self._size:
            raise FileError(
                "zip-bomb",
                f"The file unpacks to more than {limits.ratio} times its size.",
                ratio=limits.ratio,
            )

    def _columns_as_text(self) -> frozenset[str]:
        """Return the columns to read as text: times, and decimals, which a float would round."""
        types = self._pa.types
        found: set[str] = set()
        for field in self._file.schema_arrow:
            kind = field.type.value_type if types.is_dictionary(field.type) else field.type
            if types.is_decimal(kind) or (types.is_temporal(kind) and not types.is_duration(kind)):
                found.add(field.name)
            elif not self._is_plain(kind) and not self._is_numbers(kind):
                raise FileError(
                    "unsupported-column",
                    f"The column {field.name} is of type {field.type}; text, numbers, lists of numbers and times are read.",
                    column=field.name,
                )
        return frozenset(found)

    def _is_plain(self, kind: Any) -> bool:
        types = self._pa.types
        tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating)
        return any(test(kind) for test in (*tests, types.is_boolean, types.is_null))

    def _is_numbers(self, kind: Any) -> bool:
        types = self._pa.types
        if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
            return False
        return bool(types.is_integer(kind.value_type) or types.is_floating(kind.value_type))


def _checked_size(stream: BinaryIO) -> int:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - len(_MAGIC)))
    whole = size >= _FEWEST_BYTES and stream.read(len(_MAGIC)) == _MAGIC
    stream.seek(0)
    if not whole:
        raise FileError("truncated", "The Parquet file has no footer: its end is missing.")
    return size


def _page_bytes(stream: BinaryIO, offset: int) -> int:
    """Return the unpacked size of the page at `offset`, the second number of its header.

    The footer does not give it for dictionaries. Numbers are zigzag variable-length integers.
    """
    stream.seek(offset)
    header = iter(stream.read(_PAGE_HEADER_BYTES))
    value = 0
    for _ in range(2):
        if next(header, None) != _THRIFT_INTEGER:
            raise FileError("invalid-parquet", "A page of the Parquet file has no proper header.")
        value = shift = 0
        for byte in header:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 -- the last byte of a number has no high bit
                break
    return value >> 1


def _invalid(error: Exception) -> FileError:
    return FileError("invalid-parquet", f"The Parquet file cannot be read: {str(error)[:200]}")


def _refused(number: int, error: StrictJsonError) -> RowError:
    return RowError(number, None, error.pointer[1:] or None, error.code, error.detail)
