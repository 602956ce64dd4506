"""Short words for the tests of this folder: read bytes, and say what came of it."""

import gzip
import io
from typing import Any

from core.formats.errors import RowError
from core.formats.parquet_rows import ParquetReader
from core.formats.reader import read_rows
from core.formats.table import DEFAULT_LIMITS, Row, RowStream


def read(data: bytes, **options: Any) -> list[Row | RowError]:
    """All rows; Parquet without its trial run in a child, which takes a second and has tests of its own."""
    if data.startswith(b"PAR1") and options.get("format") in {None, "parquet"}:
        return list(ParquetReader(io.BytesIO(data), DEFAULT_LIMITS).rows())
    return list(read_rows(io.BytesIO(data), **options))


def values(data: bytes, **options: Any) -> list[dict[str, object]]:
    """The values of the rows; fails when a row is refused."""
    rows = read(data, **options)
    assert [row for row in rows if isinstance(row, RowError)] == []
    return [row.values for row in rows if isinstance(row, Row)]


def refusals(data: bytes, **options: Any) -> list[tuple[int, int | None, str]]:
    return [(row.row, row.line, row.code) for row in read(data, **options) if isinstance(row, RowError)]


def packed(data: bytes) -> bytes:
    return gzip.compress(data)


class EndlessLine(io.RawIOBase):
    """A file of one line of `size` bytes that never stands in memory as a whole."""

    def __init__(self, size: int, start: bytes, filler: bytes = b"x") -> None:
        super().__init__()
        self._left = size
        self._start = start
        self._filler = filler * 2**18

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._start:
            data, self._start = self._start, b""
        else:
            size = min(self._left, size, len(self._filler))
            data = self._filler[: size - size % 4]
        self._left -= len(data)
        return data


def read_stream(text: str, **options: Any) -> RowStream:
    return read_rows(io.BytesIO(text.encode()), **options)
