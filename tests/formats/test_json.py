"""A34, A35, A70, A71, A73, A74 for JSON Lines and JSON."""

import io
import json
import sys
import tracemalloc

import pytest

from core.formats.errors import FileError, RowError
from core.formats.json_rows import json_rows
from core.formats.reader import read_rows
from core.formats.table import DEFAULT_LIMITS, Row
from tests.formats.reading import read, refusals, values


def refusal(data: bytes, **options: object) -> FileError:
    with pytest.raises(FileError) as refused:
        read(data, **options)
    return refused.value


BAD_NUMBERS = [
    ("NaN", "non-finite-number"),
    ("Infinity", "non-finite-number"),
    ("-Infinity", "non-finite-number"),
    ("1e400", "number-out-of-range"),
    ("-1e400", "number-out-of-range"),
    ("9223372036854775808", "number-out-of-range"),
    ("9007199254740992", "number-out-of-range"),
    ("-9007199254740992", "number-out-of-range"),
    ("1" * 4_301, "number-out-of-range"),
    ("-" + "1" * 100_000, "number-out-of-range"),
]


@pytest.mark.parametrize(("number", "code"), BAD_NUMBERS)
def test_numbers_that_would_not_survive_refuse_their_row(number: str, code: str) -> None:
    row = f'{{"id": "b", "data": {{"score": {number}}}}}'
    lines = '{"id": "a"}\n' + row + '\n{"id": "c"}\n'
    assert refusals(lines.encode()) == [(2, 2, code)]
    [error] = [row for row in read(lines.encode()) if isinstance(row, RowError)]
    assert error.column == "data.score"
    array = '[{"id": "a"},\n' + row + ',\n{"id": "c"}]'
    assert refusals(array.encode()) == [(2, 2, code)]


def test_numbers_at_the_edge_are_kept() -> None:
    data = b'{"a": 9007199254740991, "b": -9007199254740991, "c": -0, "d": -0.0, "e": 1e308, "f": 0.1}'
    [row] = values(data)
    assert json.dumps(row) == json.dumps(
        {"a": 2**53 - 1, "b": 1 - 2**53, "c": 0, "d": -0.0, "e": 1e308, "f": 0.1}
    )


def test_duplicate_keys_refuse_their_row() -> None:
    assert refusals(b'{"a": 1, "a": 2}\n{"a": {"b": [{"c": 1, "c": 1}]}}\n{"a": 3}\n') == [
        (1, 1, "duplicate-key"),
        (2, 2, "duplicate-key"),
    ]
    assert refusals(b'[{"a": 1, "a": 2}, {"a": 3}]') == [(1, 1, "duplicate-key")]


@pytest.mark.parametrize("depth", [65, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_refuses_its_row_and_never_overflows_the_stack(
    depth: int, opening: str, closing: str
) -> None:
    deep = opening * depth + "1" + closing * depth
    lines = f'{{"id": "a"}}\n{{"id": {deep}}}\n{{"id": "c"}}\n'.encode()
    tracemalloc.start()
    assert refusals(lines) == [(2, 2, "too-deep")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * 2**20


def test_deep_nesting_in_an_array_is_refused() -> None:
    assert refusals(b'[{"a": ' + b"[" * 64 + b"]" * 64 + b'}, {"b": 1}]') == [(1, 1, "too-deep")]
    assert refusal(b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]").code == "too-deep"
    assert refusal(b"[" * 100_000, format="json").code == "too-deep"


def test_nesting_within_the_limit_is_kept() -> None:
    deep = b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}"
    assert len(values(deep)) == 1


def test_mixed_rows_are_kept_and_rows_that_are_no_objects_are_refused() -> None:
    data = b'{"a": 1}\n{"b": [1, "x", null, true]}\n[1]\n"text"\n7\nnull\n{}\n'
    assert refusals(data) == [(n, n, "not-an-object") for n in (3, 4, 5, 6)]
    array = b'[{"a": 1}, 17, "x", null, [], {"b": 2}]'
    assert [row[0] for row in refusals(array)] == [2, 3, 4, 5]


def test_bad_syntax_in_a_line_refuses_that_line() -> None:
    data = b'{"a": 1}\n{"a": }\n{"a": 1} x\n{\'a\': 1}\n{"a": 1,}\n\n{"a": 2}\n'
    assert refusals(data) == [(n, n, "invalid-json") for n in (2, 3, 4, 5)]


def test_a_cut_last_line_is_refused() -> None:
    assert refusals(b'{"a": "x"}\n{"a": "y') == [(2, 2, "invalid-json")]


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a": 1}, {"a": ',
        b'[{"a": 1}',
        b'[{"a": 1},',
        b"[",
        b'[{"a": "\\u12',
        b'{"a": 1}\n{\n"a": [1',
        b'[{"a": tru',
    ],
)
def test_a_cut_document_is_truncated(data: bytes) -> None:
    assert refusal(data, format="json").code == "truncated"


@pytest.mark.parametrize(
    "data",
    [b'[{"a": 1} {"a": 2}]', b'[{"a": 1}] [', b'[{"a": 1},]', b'[{"a": x}, {"a": 2}]', b'{"a": 1}, {"a": 2}'],
)
def test_a_document_of_bad_syntax_is_refused(data: bytes) -> None:
    assert refusal(data, format="json").code == "invalid-json"


def test_bad_syntax_names_row_and_line() -> None:
    error = refusal(b'[{"a": 1},\n{"a": 2},\n{"a":\n\noops}]')
    assert (error.code, error.data) == ("invalid-json", {"row": 3, "line": 5})


@pytest.mark.parametrize("data", [b"[]", b" [ ] \n"])
def test_an_array_without_rows_is_refused(data: bytes) -> None:
    assert refusal(data).code == "no-rows"


def test_documents_that_follow_each_other() -> None:
    data = b'{"a": 1}\n{\n "a": 2\n}{"a": 3}'
    rows = read(data, format="json")
    assert [(row.number, row.line) for row in rows if isinstance(row, Row)] == [(1, 1), (2, 2), (3, 4)]


def test_an_array_cut_at_every_place_into_two_pieces_reads_the_same() -> None:
    text = (
        '[{"a": "x\\u00e9 \\"q\\" \\\\", "n": -12.5e3, "t": true},\r\n {"b": [null, {"c": 10}]} , 17, -3 ]\n'
    )
    whole = list(json_rows(iter([text]), DEFAULT_LIMITS))
    assert len(whole) == 4
    for cut in range(1, len(text)):
        pieces = iter([text[:cut], text[cut:]])
        assert list(json_rows(pieces, DEFAULT_LIMITS)) == whole
    assert list(json_rows(iter(text), DEFAULT_LIMITS)) == whole


def test_a_long_array_takes_little_memory() -> None:
    element = json.dumps({"id": "item", "data": {"text": "é" * 200}})
    data = io.BytesIO(("[" + ",".join([element] * 20_000) + "]").encode())
    tracemalloc.start()
    count = sum(1 for _ in read_rows(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 8 * 2**20


def test_the_stack_is_not_deepened_for_the_readers_sake() -> None:
    before = sys.getrecursionlimit()
    refusals(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b'}\n{"a": 1}\n')
    assert sys.getrecursionlimit() == before
