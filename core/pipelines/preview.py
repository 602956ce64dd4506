"""A first look at an upload, before anything of it is kept."""

from typing import Any, BinaryIO, cast

from core.choices import ImportKind
from core.exceptions import Invalid
from core.formats.errors import FileError
from core.formats.preview import Kind, preview
from core.services.imports import checked_options

LONGEST_CELL = 500
LONGEST_LIST = 50


def preview_upload(upload: BinaryIO, *, kind: str, format: str = "", encoding: str = "") -> dict[str, Any]:  # noqa: A002 -- the word of the outer contract
    """Columns, first rows (long texts and lists cut short) and a guess at the mapping. Raises Invalid with the file's fault."""
    checked_options(kind, format, encoding, None)
    wanted = cast("Kind", ImportKind(kind).value)
    try:
        found = preview(upload, kind=wanted, format=format or None, encoding=encoding or None)
    except FileError as error:
        raise Invalid(error.code, error.detail) from None
    return {
        "format": found.format,
        "encoding": found.encoding,
        "delimiter": found.delimiter,
        "columns": list(found.columns),
        "rows": [{name: _cut(value) for name, value in row.values.items()} for row in found.rows],
        "errors": [
            {
                "row": error.row,
                "line": error.line or error.row,
                "column": error.column,
                "byte": error.byte,
                "code": error.code,
                "detail": error.detail,
            }
            for error in found.errors
        ],
        "mapping": found.mapping,
    }


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        return f"{value[:LONGEST_CELL]}…"
    if isinstance(value, list) and len(value) > LONGEST_LIST:
        return [*value[:LONGEST_LIST], "…"]
    return value
