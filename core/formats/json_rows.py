"""JSON Lines and JSON documents, one object at a time."""

import json
import re
from collections.abc import Iterator

from core.formats.errors import FileError, RowError
from core.formats.strict_json import Scanned, StrictDecoder, StrictJsonError, too_deep
from core.formats.table import Limits, Row
from core.formats.text import Lines

_CUT_TOKEN = re.compile(r"[\\\w.+-]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_TOKEN = 16  # a cut literal or escape sequence is shorter than this


def jsonl_rows(lines: Lines, limits: Limits) -> Iterator[Row | RowError]:
    """Yield one row per line that is not blank; raises FileError `no-rows` or `line-too-long`."""
    decode = _decoder(limits).decode
    problems = lines.problems
    number = 0
    for line_number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        number += 1
        if problems and (problem := problems.pop(line_number, None)):
            yield RowError(number, line_number, None, problem.code, problem.detail, problem.byte)
            continue
        try:
            value = decode(line)
        except StrictJsonError as error:
            yield _refused(number, line_number, error)
        else:
            yield _row(number, line_number, value)
    if number == 0:
        raise FileError("no-rows", "The file holds no rows.")


def json_rows(texts: Iterator[str], limits: Limits) -> Iterator[Row | RowError]:
    """Yield the objects of one top-level array, or of documents that follow each other.

    Memory is bounded by the largest object, never by the file. Raises FileError `invalid-json`, `too-deep`,
    `row-too-long`, `truncated` or `no-rows`: after bad syntax nobody can tell where the next row starts.
    """
    buffer = _Buffer(texts, limits)
    in_array = buffer.peek() == "["
    if in_array:
        buffer.skip()
    number = 0
    while (mark := buffer.peek()) and not (in_array and mark == "]"):
        if in_array and number:
            buffer.expect(",", number)
            buffer.peek()
        number += 1
        line = buffer.line
        scanned = buffer.element(number)
        yield _refused(number, line, scanned.error) if scanned.error else _row(number, line, scanned.value)
    if in_array:
        buffer.expect("]", number)
        if buffer.peek():
            raise buffer.syntax_error("More text after the array", number)
    if number == 0:
        raise FileError("no-rows", "The file holds no rows.")


class _Buffer:
    """A window on the text: what was read is dropped when more is needed."""

    def __init__(self, texts: Iterator[str], limits: Limits) -> None:
        self._texts = texts
        self._limits = limits
        self._decoder = _decoder(limits)
        self._text = ""
        self._at = 0
        self._counted = 0
        self._line = 1

    @property
    def line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """Return the next character that is not space, or "" at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            if found:
                self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._refill():
                return ""

    def skip(self) -> None:
        self._at += 1

    def expect(self, mark: str, row: int) -> None:
        found = self.peek()
        if not found:
            raise FileError("truncated", f"The file ends inside the array, after row {row:,}.", row=row)
        if found != mark:
            raise self.syntax_error(f"Expected {mark!r}", row)
        self.skip()

    def element(self, row: int) -> Scanned:
        """Read the value at the present place, taking in more text as long as it looks cut off."""
        while True:
            try:
                scanned = self._decoder.scan(self._text, self._at)
            except RecursionError:
                error = too_deep(self._limits.depth)
                raise FileError(error.code, f"Row {row:,}: {error.detail}", row=row, line=self.line) from None
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._grown(row):
                    continue
                raise self._at_error(error, row) from None
            whole = scanned.end < len(self._text) or self._text[scanned.end - 1] in '}]"'
            if whole or not self._grown(row):
                self._at = scanned.end
                return scanned

    def syntax_error(self, detail: str, row: int) -> FileError:
        return FileError(
            "invalid-json", f"{detail} on line {self.line:,}, after row {row:,}.", line=self.line
        )

    def _at_error(self, error: json.JSONDecodeError, row: int) -> FileError:
        line = self.line + self._text.count("\n", self._at, error.pos)
        if self._unterminated(error) or _CUT_TOKEN.fullmatch(self._text, error.pos):
            return FileError("truncated", f"The file ends inside row {row:,}.", row=row, line=line)
        return FileError("invalid-json", f"Row {row:,}, line {line:,}: {error.msg}.", row=row, line=line)

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return self._unterminated(error) or error.pos > len(self._text) - _LONGEST_TOKEN

    @staticmethod
    def _unterminated(error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string")

    def _grown(self, row: int) -> bool:
        limit = self._limits.line_bytes
        if len(self._text) - self._at > limit:
            raise FileError("row-too-long", f"Row {row:,} is longer than {limit:,} characters.", row=row)
        return self._refill()

    def _refill(self) -> bool:
        more = next(self._texts, "")
        if not more:
            return False
        self._line = self.line
        self._text = self._text[self._at :] + more
        self._at = self._counted = 0
        return True


def _decoder(limits: Limits) -> StrictDecoder:
    return StrictDecoder(depth=limits.depth, string_limit=limits.field_characters)


def _row(number: int, line: int, value: object) -> Row | RowError:
    if isinstance(value, dict):
        return Row(number, line, value)
    return RowError(number, line, None, "not-an-object", "A row is a JSON object with named values.")


def _refused(number: int, line: int, error: StrictJsonError) -> RowError:
    column = error.pointer[1:].replace("/", ".") or None
    return RowError(number, line, column, error.code, error.detail)
