"""A first look at an upload, and the list of what was refused of one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

from core.exceptions import Invalid
from core.formats.errors import FileError
from core.formats.preview import preview
from core.formats.rows import ANNOTATION_OPTIONAL, ANNOTATION_REQUIRED, GOLD_REQUIRED
from core.formats.writers import write_rows
from core.models import Import
from core.selectors.imports import refused_table

Kind = Literal["items", "annotations", "gold"]
LONGEST_CELL = 200
REQUIRED: dict[str, tuple[str, ...]] = {"items": (), "annotations": ANNOTATION_REQUIRED, "gold": GOLD_REQUIRED}
OPTIONAL: dict[str, tuple[str, ...]] = {"items": (), "annotations": ANNOTATION_OPTIONAL, "gold": ()}


@dataclass(frozen=True, slots=True)
class FilePreview:
    """The first rows as text, and a guess at what the columns are (``mapping``: our name to the file's).

    ``nested``: rows like {"id", "data": {…}, "meta": {…}}, whose parts need no mapping. ``problems`` are
    rows among the first that will be refused, as (line, sentence).
    """

    format: str
    encoding: str | None
    delimiter: str | None
    columns: tuple[str, ...]
    rows: list[list[str]]
    problems: list[tuple[int, str]]
    mapping: dict[str, str]
    nested: bool


def preview_file(
    file: BinaryIO,
    kind: str,
    format: str = "",  # noqa: A002 -- the word of the outer contract
    encoding: str = "",
) -> FilePreview:
    """Read the first rows of a file. Raises Invalid with the code of what is wrong with it as a whole."""
    try:
        found = preview(file, kind=cast("Kind", kind), format=format or None, encoding=encoding or None)
    except FileError as error:
        raise Invalid(error.code, error.detail) from error
    return FilePreview(
        format=found.format,
        encoding=found.encoding,
        delimiter=found.delimiter,
        columns=found.columns,
        rows=[[_cell(row.values.get(name)) for name in found.columns] for row in found.rows],
        problems=[(error.line or error.row, error.detail) for error in found.errors],
        mapping=found.mapping,
        nested=any(isinstance(row.values.get("data"), dict) for row in found.rows),
    )


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"


def refused_csv(source: Import) -> Iterator[bytes]:
    """Every refused row of an import, as a CSV file that a spreadsheet may open."""
    table = refused_table(source)
    columns = next(table)
    rows = (dict(zip(columns, cells, strict=True)) for cells in table)
    return write_rows(rows, columns, "csv")
