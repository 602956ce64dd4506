"""A64, A76: what a file is, is told by its content."""

import io

import pytest
from PIL import Image

from core.formats.errors import FileError
from core.formats.reader import read_rows
from tests.formats.reading import packed, read, values


def image(kind: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(data, kind)
    return data.getvalue()


def refusal(data: bytes, **options: str) -> str:
    with pytest.raises(FileError) as refused:
        read(data, **options)
    return refused.value.code


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("declared", ["csv", "jsonl", "json", "parquet"])
def test_an_image_is_no_table_whatever_it_is_called(kind: str, declared: str) -> None:
    assert refusal(image(kind), format=declared) == "type-mismatch"
    assert refusal(packed(image(kind)), format=declared) == "type-mismatch"


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 a zip or an xlsx",
        b"%PDF-1.7 a document",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old xls",
        b"<!DOCTYPE html><html>please sign in</html>",
        b"<html>please sign in</html>",
        bytes(range(256)) * 4,
    ],
)
def test_other_files_are_no_table_either(content: bytes) -> None:
    assert refusal(content, format="csv") == "type-mismatch"


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("csv", b'{"id": "a", "data": {"text": "x"}}\n'),
        ("csv", b'[{"id": "a"}]'),
        ("jsonl", b"id,text\na,b\n"),
        ("json", b"id,text\na,b\n"),
        ("parquet", b"id,text\na,b\n"),
        ("jsonl", b'[\n{"id": "a"},\n{"id": "b"}\n]'),
    ],
)
def test_a_declared_format_that_the_content_contradicts_is_refused(declared: str, content: bytes) -> None:
    assert refusal(content, format=declared) == "type-mismatch"


@pytest.mark.parametrize(
    ("content", "format_found"),
    [
        (b"id,text\na,b\n", "csv"),
        (b'{"id": "a"}\n{"id": "b"}\n', "jsonl"),
        (b' [ {"id": "a"} ]', "json"),
        (b'{\n  "id": "a"\n}\n', "json"),
        (b"[id],text\na,b\n", "csv"),
    ],
)
def test_without_a_declared_format_the_content_decides(content: bytes, format_found: str) -> None:
    assert read_rows(io.BytesIO(content)).format == format_found


def test_a_declared_csv_may_start_with_a_bracket() -> None:
    assert values(b"[id],text\na,b\n", format="csv") == [{"[id]": "a", "text": "b"}]


def test_an_unknown_format_is_refused() -> None:
    assert refusal(b"a,b\n1,2\n", format="xlsx") == "unknown-format"


def test_a_broken_first_line_of_json_lines_is_a_row_error_and_not_a_mismatch() -> None:
    rows = read(b'oops\n{"id": "a"}\n', format="jsonl")
    assert [type(row).__name__ for row in rows] == ["RowError", "Row"]
