"""CSV by the strict rules of RFC 4180: row by row, fields byte-exact, every refusal with its line."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain

from core.formats.errors import FileError, RowError
from core.formats.table import Limits, Row
from core.formats.text import Lines, Problem

_QUOTED = re.compile(r'"[^"]*"?')
_UNREADABLE = re.compile("[\0\ufffd\ud800-\udfff]")


class CsvReader:
    """Reads the header at once; `rows()` then yields the rest.

    Raises FileError `empty-file`, `duplicate-columns`, `unnamed-column`, `too-many-columns`,
    `unbalanced-quote`, or the code of a header that cannot be decoded.
    """

    def __init__(self, lines: Lines, *, delimiter: str | None, limits: Limits) -> None:
        self._lines = lines
        self._limits = limits
        self._line = ""
        self._pending = 0
        self._start = 1
        blocks = lines.blocks()
        first_block = next(blocks, "")
        self.delimiter = delimiter or guess_delimiter(first_block)
        physical = chain.from_iterable(
            io.StringIO(block, newline="") for block in chain((first_block,), blocks)
        )
        csv.field_size_limit(limits.field_characters)
        self._reader = csv.reader(self._tapped(physical), delimiter=self.delimiter, strict=True)
        self.columns = self._header()

    def _tapped(self, physical: Iterator[str]) -> Iterator[str]:
        """Pass lines on, keeping the last one for error messages and the size of the row so far."""
        limit = self._limits.line_bytes
        for line in physical:
            self._line = line
            self._pending += len(line)
            if self._pending > limit:
                raise _unbalanced(self._start, f"is not closed within {limit:,} characters")
            yield line

    def _header(self) -> tuple[str, ...]:
        try:
            header = next((fields for fields in self._reader if fields), None)
        except csv.Error as error:
            raise FileError("malformed-header", f"The header cannot be read: {error}.", line=1) from error
        if header is None:
            raise FileError("empty-file", "The file holds no header and no rows.")
        problem = self._problem(1, self._reader.line_num)
        if problem is not None:
            raise FileError(problem.code, f"In the header: {problem.detail}", byte=problem.byte)
        check_columns(header, self._limits)
        return tuple(header)

    def rows(self) -> Iterator[Row | RowError]:
        """Yield the data rows; raises FileError `no-rows`, `unbalanced-quote` or `line-too-long`."""
        reader, columns, problems = self._reader, self.columns, self._lines.problems
        width = len(columns)
        number = 0
        line = reader.line_num
        self._pending, self._start = 0, line + 1
        while True:
            try:
                for fields in reader:
                    start, line = line + 1, reader.line_num
                    self._pending, self._start = 0, line + 1
                    if not fields:
                        continue  # a blank line
                    number += 1
                    if problems and (problem := self._problem(start, line)):
                        yield self._undecodable(problem, number, start, fields)
                    elif len(fields) != width:
                        yield _ragged(number, start, len(fields), width)
                    else:
                        yield Row(number, start, dict(zip(columns, fields, strict=True)))
                break
            except csv.Error as error:
                number += 1
                yield self._malformed(str(error), number, line + 1)
                line = reader.line_num
                self._pending, self._start = 0, line + 1
        if number == 0:
            raise FileError("no-rows", "The file holds a header and no rows.")

    def _problem(self, first: int, last: int) -> Problem | None:
        found = [self._lines.problems.pop(n) for n in range(first, last + 1) if n in self._lines.problems]
        return found[0] if found else None

    def _undecodable(self, problem: Problem, number: int, line: int, fields: list[str]) -> RowError:
        named = zip(self.columns, fields, strict=False)
        column = next((name for name, field in named if _UNREADABLE.search(field)), None)
        return RowError(number, line, column, problem.code, problem.detail, problem.byte)

    def _malformed(self, reason: str, number: int, start: int) -> RowError:
        """Refuse the row if its damage ends with its line, else the file: later rows could be misread."""
        if start < self._reader.line_num or self._line.count('"') % 2:
            raise _unbalanced(start, "does not end where the field does")
        self._problem(start, start)
        if reason.startswith("field larger"):
            limit = self._limits.field_characters
            return RowError(number, start, None, "field-too-long", f"A field exceeds {limit:,} characters.")
        return RowError(number, start, None, "malformed-quote", f"The quoting is wrong: {reason}.")


def guess_delimiter(text: str) -> str:
    """Return the delimiter: a comma, unless the header has none and has tabs, or else semicolons."""
    header = _QUOTED.sub("", re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0])
    if "," in header:
        return ","
    return next((mark for mark in "\t;" if mark in header), ",")


def check_columns(names: list[str], limits: Limits) -> None:
    """Raise FileError if there are too many columns, or one without a name, or two of one name."""
    if len(names) > limits.columns:
        raise FileError(
            "too-many-columns",
            f"The file has {len(names):,} columns; at most {limits.columns:,} are read.",
            columns=len(names),
            limit=limits.columns,
        )
    if "" in names:
        place = names.index("") + 1
        raise FileError("unnamed-column", f"Column {place} has no name in the header.", position=place)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError("duplicate-columns", f"The header repeats {', '.join(twice)}.", columns=twice)


def _ragged(number: int, line: int, found: int, width: int) -> RowError:
    return RowError(number, line, None, "ragged-row", f"The row has {found:,} fields, the header {width:,}.")


def _unbalanced(line: int, how: str) -> FileError:
    return FileError("unbalanced-quote", f"A quote in the row that starts on line {line:,} {how}.", line=line)
