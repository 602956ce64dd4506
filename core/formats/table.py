"""The shapes that every reader shares: limits, one raw row, and the stream of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from core.formats.errors import RowError

Format = Literal["csv", "jsonl", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "json", "parquet")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader accepts before it refuses the file.

    `total_bytes` is counted after unpacking. `ratio` is output over input of a compressed file and is
    asked only once `ratio_floor_bytes` have come out, because small files of one repeated word pack well.
    """

    total_bytes: int = 8 * 2**30
    ratio: int = 200
    ratio_floor_bytes: int = 32 * 2**20
    line_bytes: int = 4 * 2**20
    field_characters: int = 2**20
    columns: int = 1000
    depth: int = 64


DEFAULT_LIMITS = Limits()


class Row(NamedTuple):
    """One raw row: `number` is the data row from 1, `line` the physical line on which it starts.

    A named tuple and not a dataclass: a million of them are made per import.
    """

    number: int
    line: int
    values: dict[str, object]


class RowStream:
    """Rows and row errors in file order, and what was found out about the file on the way.

    `columns` is None for JSON, where every row names its own.
    """

    def __init__(
        self,
        rows: Iterator[Row | RowError],
        *,
        format: Format,  # noqa: A002 -- the word of the outer contract
        encoding: str | None,
        delimiter: str | None = None,
        columns: tuple[str, ...] | None = None,
    ) -> None:
        self._rows = rows
        self.format = format
        self.encoding = encoding
        self.delimiter = delimiter
        self.columns = columns

    def __iter__(self) -> Iterator[Row | RowError]:
        return self._rows

    def __next__(self) -> Row | RowError:
        return next(self._rows)
