"""A64, A65, A66: encodings, broken bytes and NUL."""

import codecs
import io

import pytest

from core.formats.errors import FileError, RowError
from core.formats.reader import read_rows
from core.formats.table import Row
from tests.formats.reading import read, refusals, values

TABLE = "id,text\r\na,Grüße 😀 \u2028 日本\r\nb,plain\r\n"
ROWS = [{"id": "a", "text": "Grüße 😀 \u2028 日本"}, {"id": "b", "text": "plain"}]
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("name", MARKS)
def test_a_byte_order_mark_decides(name: str) -> None:
    data = MARKS[name] + TABLE.encode(name)
    assert values(data) == ROWS
    assert read_rows(io.BytesIO(data)).encoding == name


@pytest.mark.parametrize("name", MARKS)
def test_json_in_every_marked_encoding(name: str) -> None:
    text = '{"id": "a", "text": "Grüße 😀"}\n'
    data = MARKS[name] + text.encode(name)
    assert values(data, format="jsonl") == values(data, format="json") == [{"id": "a", "text": "Grüße 😀"}]


def test_utf8_without_a_mark() -> None:
    assert values(TABLE.encode()) == ROWS


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("named", [None, "utf-16", "utf-16-le"])
def test_utf16_without_a_mark_is_refused_by_name(name: str, named: str | None) -> None:
    with pytest.raises(FileError) as refused:
        read("id,text\nalpha,beta\n".encode(name), encoding=named)
    assert refused.value.code == "encoding-utf16-without-bom"


def test_a_legacy_code_page_only_when_named() -> None:
    data = "id,text\na,Grüße\n".encode("cp1252")
    assert values(data, encoding="windows-1252") == [{"id": "a", "text": "Grüße"}]
    assert refusals(data) == [(1, 2, "invalid-utf8")]
    sjis = "id,text\na,表示\n".encode("shift_jis")
    assert values(sjis, encoding="shift_jis") == [{"id": "a", "text": "表示"}]


def test_a_byte_that_the_code_page_does_not_have_is_a_row_error() -> None:
    data = b"id,text\na,ok\nb,\x81\nc,ok\n"
    assert refusals(data, encoding="cp1252") == [(2, 3, "invalid-bytes")]


@pytest.mark.parametrize("named", ["utf-7", "rot13", "idna", "no-such", "iso2022_jp", "a\0b"])
def test_unknown_encodings_are_refused(named: str) -> None:
    with pytest.raises(FileError) as refused:
        read(b"id,text\na,b\n", encoding=named)
    assert refused.value.code == "unknown-encoding"


def test_a_mark_that_contradicts_the_named_encoding_is_refused() -> None:
    with pytest.raises(FileError) as refused:
        read(codecs.BOM_UTF8 + b"id,text\na,b\n", encoding="cp1252")
    assert refused.value.code == "encoding-mismatch"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_an_invalid_byte_at_row_9999_refuses_that_row_only(line_end: bytes) -> None:
    lines = [b"id,text", *(b"item%d,some text" % n for n in range(1, 10_001))]
    lines[9_999] = b"item9999,broken \xff byte"
    data = line_end.join(lines) + line_end
    rows = read(data, format="csv")
    [error] = [row for row in rows if isinstance(row, RowError)]
    assert (error.row, error.line, error.column, error.code) == (9_999, 10_000, "text", "invalid-utf8")
    assert error.byte == data.index(b"\xff")
    assert sum(isinstance(row, Row) for row in rows) == 9_999


def test_an_invalid_byte_in_json_lines_refuses_that_row_only() -> None:
    data = b'{"t": "a"}\n{"t": "\xc3("}\n{"t": "c"}\n'
    rows = read(data)
    assert [row.code if isinstance(row, RowError) else row.values["t"] for row in rows] == [
        "a",
        "invalid-utf8",
        "c",
    ]
    [error] = [row for row in rows if isinstance(row, RowError)]
    assert (error.row, error.line, error.byte) == (2, 2, data.index(b"\xc3"))


def test_an_invalid_byte_in_a_json_array_refuses_the_file_with_its_offset() -> None:
    data = b"[" + b'{"t": "a"},' * 50_000 + b'{"t": "\xff"}]'
    with pytest.raises(FileError) as refused:
        read(data)
    assert (refused.value.code, refused.value.data["byte"]) == ("invalid-utf8", data.index(b"\xff"))


def test_the_offset_counts_the_mark_and_earlier_blocks() -> None:
    data = codecs.BOM_UTF8 + b"id,text\n" + b"a,b\n" * 200_000 + b"a,\xe2\x82\n"
    [error] = [row for row in read(data) if isinstance(row, RowError)]
    assert (error.row, error.byte) == (200_001, data.index(b"\xe2"))


def test_an_invalid_byte_inside_a_quoted_field_of_many_lines_keeps_the_rows_in_step() -> None:
    data = b'id,text\na,"one\n\xff, ""two""\nthree"\nb,ok\n'
    rows = read(data)
    assert [(row.row, row.line, row.column) for row in rows if isinstance(row, RowError)] == [(1, 2, "text")]
    assert [row.values for row in rows if isinstance(row, Row)] == [{"id": "b", "text": "ok"}]


def test_an_invalid_header_refuses_the_file() -> None:
    with pytest.raises(FileError) as refused:
        read(b"id,te\xffxt\na,b\n")
    assert (refused.value.code, refused.value.data["byte"]) == ("invalid-utf8", 5)


def test_nul_refuses_its_row() -> None:
    assert refusals(b"id,text\na,x\0y\nb,ok\n") == [(1, 2, "nul-character")]
    assert refusals(b'{"t": "a\0b"}\n{"t": "ok"}\n') == [(1, 1, "nul-character")]
    assert refusals(b'{"t": "a\\u0000b"}\n{"t": "ok"}\n') == [(1, 1, "nul-character")]
    assert refusals(b'[{"t": {"deep": ["a\\u0000b"]}}, {"t": "ok"}]') == [(1, 1, "nul-character")]


def test_lone_surrogates_refuse_their_row() -> None:
    assert refusals(b'{"t": "\\ud83d"}\n{"t": "\\ud83d\\ude00"}\n') == [(1, 1, "lone-surrogate")]
    assert refusals(b"id,text\na,\xed\xa0\xbd\nb,ok\n") == [(1, 2, "lone-surrogate")]
    utf16 = codecs.BOM_UTF16_LE + "id,text\na,\ud83d\nb,ok\n".encode("utf-16-le", "surrogatepass")
    assert refusals(utf16) == [(1, 2, "lone-surrogate")]


def test_utf16_that_ends_in_half_a_character_is_truncated() -> None:
    with pytest.raises(FileError) as refused:
        read(codecs.BOM_UTF16_LE + "id,text\na,b\n".encode("utf-16-le")[:-1])
    assert refused.value.code == "truncated"
