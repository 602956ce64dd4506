"""A67, A69 to A73 for CSV."""

import io
import tracemalloc

import pytest

from core.formats.errors import FileError, RowError
from core.formats.reader import read_rows
from core.formats.table import Limits, Row
from tests.formats.reading import EndlessLine, read, refusals, values


def refusal(data: bytes, **options: object) -> FileError:
    with pytest.raises(FileError) as refused:
        read(data, **options)
    return refused.value


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_inside_quotes_are_kept_byte_exactly(line_end: str) -> None:
    texts = [
        "one\r\ntwo",
        "one\ntwo",
        "one\rtwo",
        "one\u2028two\u0085three\x0bfour",
        '"quoted", too',
        " ",
        "",
    ]
    quoted = (f'{n},"{text.replace(chr(34), chr(34) * 2)}"' for n, text in enumerate(texts))
    data = line_end.join(["id,text", *quoted]).encode()
    assert [row["text"] for row in values(data)] == texts


def test_line_numbers_are_physical_and_row_numbers_are_not() -> None:
    data = b'id,text\n\na,"1\n2\r\n3"\r\n\r\nb,x\nc,too,many\n'
    rows = read(data)
    assert [(row.number, row.line) for row in rows if isinstance(row, Row)] == [(1, 3), (2, 7)]
    assert refusals(data) == [(3, 8, "ragged-row")]


def test_ragged_rows_are_refused_one_by_one() -> None:
    assert refusals(b"id,text\na\nb,x\nc,x,y\n") == [(1, 2, "ragged-row"), (3, 4, "ragged-row")]


def test_a_quote_that_never_closes_refuses_the_file_and_names_its_line() -> None:
    error = refusal(b'id,text\na,ok\nb,"open\nc,x\nd,y\n')
    assert (error.code, error.data) == ("unbalanced-quote", {"line": 3})


def test_a_quote_that_closes_in_a_later_row_refuses_the_file() -> None:
    error = refusal(b'id,text\na,"open\nb,"fine"\nc,x\n')
    assert (error.code, error.data) == ("unbalanced-quote", {"line": 2})


def test_a_quote_left_open_for_long_refuses_the_file_before_it_is_in_memory() -> None:
    error = refusal(b'id,text\na,"open\n' + b"b,x\n" * 500_000)
    assert (error.code, error.data) == ("unbalanced-quote", {"line": 2})
    many = refusal(b"id,text\na," + b'"x\n",' * 2_000_000)
    assert (many.code, many.data) == ("unbalanced-quote", {"line": 2})


def test_wrong_quoting_within_one_line_refuses_that_row() -> None:
    assert refusals(b'id,text\na,"x"y\nb,ok\n') == [(1, 2, "malformed-quote")]


def test_a_quote_in_the_middle_of_a_plain_field_is_text() -> None:
    assert values(b'id,text\na,5" disk\n') == [{"id": "a", "text": '5" disk'}]


def test_a_field_beyond_the_limit_refuses_its_row() -> None:
    limits = Limits(field_characters=1000)
    data = b"id,text\na," + b"x" * 1001 + b"\nb," + b"x" * 1000 + b"\n"
    assert refusals(data, limits=limits) == [(1, 2, "field-too-long")]


@pytest.mark.parametrize("declared", ["csv", "jsonl", "json"])
@pytest.mark.parametrize("filler", [b"x", b"\xf0\x9f\x98\x80", b" "])
def test_a_line_of_a_gigabyte_is_refused_in_little_memory(declared: str, filler: bytes) -> None:
    starts = {"csv": b"id,text\na,", "jsonl": b'{"id": "', "json": b'[{"id": "'}
    size = 2**30
    stream = EndlessLine(size, starts[declared], filler)
    tracemalloc.start()
    with pytest.raises(FileError) as refused:
        list(read_rows(stream, format=declared))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == ("row-too-long" if declared == "json" else "line-too-long")
    assert peak < 64 * 2**20


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n \n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    assert refusal(content).code == "empty-file"
    assert refusal(content, format="csv").code == "empty-file"


@pytest.mark.parametrize("content", [b"id,text", b"id,text\r\n", b"id,text\n\n\n"])
def test_a_header_without_rows_is_refused(content: bytes) -> None:
    assert refusal(content).code == "no-rows"


def test_five_thousand_columns_are_refused() -> None:
    header = ",".join(f"c{n}" for n in range(5_000)).encode()
    error = refusal(header + b"\n" + b"," * 4_999 + b"\n")
    assert (error.code, error.data) == ("too-many-columns", {"columns": 5_000, "limit": 1_000})


def test_columns_of_one_name_are_refused_by_name() -> None:
    error = refusal(b"id,text,label,text,label\na,b,c,d,e\n")
    assert (error.code, error.data) == ("duplicate-columns", {"columns": ["label", "text"]})


def test_a_column_without_a_name_is_refused() -> None:
    assert refusal(b",text\n0,a\n").code == "unnamed-column"


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("id,text", ","),
        ("id\ttext", "\t"),
        ("id;text", ";"),
        ("id,text;more", ","),
        ("id\ttext;more", "\t"),
        ('"id,x";text', ";"),
        ("text", ","),
    ],
)
def test_the_delimiter_is_what_the_header_leaves_no_doubt_about(header: str, delimiter: str) -> None:
    assert read_rows(io.BytesIO(f"{header}\n".encode())).delimiter == delimiter


def test_a_named_delimiter_wins() -> None:
    assert values(b"id;a,b\n1;2\n", delimiter=";") == [{"id": "1", "a,b": "2"}]
    assert refusal(b"id;a\n1;2\n", delimiter="x").code == "unknown-delimiter"


def test_words_that_look_like_nothing_stay_words() -> None:
    data = b"id,label\na,None\nb,NA\nc,null\nd,\ne,NaN\n"
    assert [row["label"] for row in values(data)] == ["None", "NA", "null", "", "NaN"]


def test_the_same_id_twice_is_left_to_the_caller() -> None:
    assert [row["id"] for row in values(b"id,text\na,x\na,y\n")] == ["a", "a"]


def test_rows_are_read_one_at_a_time_and_not_ahead_of_the_reader() -> None:
    rows = iter(read_rows(io.BytesIO(b'id,text\na,x\nb,"open')))
    assert next(rows) == Row(1, 2, {"id": "a", "text": "x"})
    with pytest.raises(FileError):
        next(rows)


def test_a_large_file_takes_little_memory() -> None:
    line = b"item,%s\n" % (b"x" * 200)
    data = io.BytesIO(b"id,text\n" + line * 100_000)
    tracemalloc.start()
    count = sum(1 for row in read_rows(data) if not isinstance(row, RowError))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 8 * 2**20
