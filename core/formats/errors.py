"""What can be wrong with a file: one row of it, or all of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowError:
    """One refused row.

    `row` counts data rows from 1, `line` counts physical lines from 1 (None where a format has no lines),
    `byte` is the offset of the offending byte in the unpacked file. `code` is stable and kebab-case.
    """

    row: int
    line: int | None
    column: str | None
    code: str
    detail: str
    byte: int | None = None


class FileError(Exception):
    """The whole file is refused. `code` is stable and kebab-case; `data` holds what the code is about."""

    def __init__(self, code: str, detail: str, **data: object) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.data = data
