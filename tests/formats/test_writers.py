"""A77 and the way back: what is written reads the same."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd  # noqa: TID253 -- a test may start slowly
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.formats.errors import FileError
from core.formats.writers import ColumnType, write_rows
from tests.formats.reading import values

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
TRICKY = st.sampled_from(
    ["", " ", "\r", "\n", "\r\n", '"', '""', ",", ";", "\t", "'", "=1+1", "\ufeff", "\u2028", "a\rb\nc\r\nd"]
)
TABLES = st.lists(
    st.fixed_dictionaries({"id": TEXT | TRICKY, "text": TEXT | TRICKY, "x": TEXT | TRICKY}),
    min_size=1,
    max_size=8,
)
COLUMNS = ["id", "text", "x"]
FORMULAS = ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]


def written(rows: list[dict[str, object]], columns: list[str], kind: str, *, lossless: bool = False) -> bytes:
    return b"".join(write_rows(rows, columns, kind, lossless=lossless))


@settings(max_examples=300, deadline=None)
@given(TABLES, st.sampled_from(["csv", "jsonl", "json", "parquet"]))
def test_text_of_any_kind_reads_back_identical(table: list[dict[str, object]], kind: str) -> None:
    assert values(written(table, COLUMNS, kind, lossless=True), format=kind) == table


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "n": st.none() | st.integers(1 - 2**53, 2**53 - 1),
                "x": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "yes": st.none() | st.booleans(),
            }
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["jsonl", "json", "parquet"]),
)
@settings(deadline=None)
def test_numbers_read_back_identical(table: list[dict[str, object]], kind: str) -> None:
    types: dict[str, ColumnType] = {"n": "integer", "x": "number", "yes": "boolean"}
    data = b"".join(write_rows(table, sorted(types), kind, types=types))
    assert repr(values(data, format=kind)) == repr([dict(sorted(row.items())) for row in table])


@pytest.mark.parametrize("start", FORMULAS)
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    cell = start + "cmd|' /C calc'!A0"
    assert values(written([{"text": cell}], ["text"], "csv")) == [{"text": "'" + cell}]
    assert values(written([{"text": cell}], ["text"], "csv", lossless=True)) == [{"text": cell}]
    for kind in ("jsonl", "json", "parquet"):
        assert values(written([{"text": cell}], ["text"], kind), format=kind) == [{"text": cell}]


def test_the_names_of_columns_are_guarded_too() -> None:
    assert written([{"=x": "a"}], ["=x"], "csv") == b'"\'=x"\r\n"a"\r\n'


def test_a_formula_after_another_spreadsheets_separator_stays_inside_its_quotes() -> None:
    data = written([{"a": "x;=1+1", "b": "y\t=1+1"}], ["a", "b"], "csv")
    assert data == b'"a","b"\r\n"x;=1+1","y\t=1+1"\r\n'


def test_numbers_are_not_text_and_stay() -> None:
    assert (
        written([{"n": -5, "x": -0.5, "t": "-5"}], ["n", "x", "t"], "csv")
        == b'"n","x","t"\r\n-5,-0.5,"\'-5"\r\n'
    )


def test_how_csv_holds_what_is_not_text() -> None:
    row: dict[str, object] = {
        "none": None,
        "yes": True,
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "several": ["a", "b"],
        "piped": ["a|b"],
        "object": {"é": [1]},
    }
    [cells] = list(csv.reader(io.StringIO(written([row], list(row), "csv", lossless=True).decode())))[1:]
    assert cells == ["", "true", "2026-01-02T00:00:00+00:00", "a|b", '["a|b"]', '{"é":[1]}']


@pytest.mark.parametrize(("kind", "empty"), [("csv", b'"a","b"\r\n'), ("jsonl", b""), ("json", b"[]\n")])
def test_no_rows(kind: str, empty: bytes) -> None:
    assert written([], ["a", "b"], kind) == empty


def test_no_rows_in_parquet_still_have_their_columns() -> None:
    assert list(pd.read_parquet(io.BytesIO(written([], ["a", "b"], "parquet"))).columns) == ["a", "b"]


def test_keys_are_in_the_order_asked_for_and_missing_ones_are_null() -> None:
    data = written([{"b": 1, "a": 2, "other": 3}, {}], ["a", "b"], "jsonl")
    assert data == b'{"a":2,"b":1}\n{"a":null,"b":null}\n'


def test_pandas_reads_every_format_alike() -> None:
    rows: list[dict[str, object]] = [
        {"id": f"i{n}", "label": "NA" if n % 2 else "é,\n", "n": n} for n in range(300)
    ]
    types: dict[str, ColumnType] = {"n": "integer"}
    data = {
        kind: io.BytesIO(b"".join(write_rows(rows, ["id", "label", "n"], kind, types=types)))
        for kind in ("csv", "json", "jsonl", "parquet")
    }
    frames = [
        pd.read_csv(data["csv"], keep_default_na=False),
        pd.read_json(data["json"]),
        pd.read_json(data["jsonl"], lines=True),
        pd.read_parquet(data["parquet"]),
    ]
    assert [frame.to_dict("records") for frame in frames] == [rows] * 4


def test_an_unknown_format_is_refused_before_the_first_byte() -> None:
    with pytest.raises(FileError) as refused:
        write_rows([], ["a"], "xlsx")
    assert refused.value.code == "unknown-format"


def test_figures_that_json_cannot_hold_are_not_written_as_something_else() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        written([{"x": float("nan")}], ["x"], "jsonl")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet"])
def test_a_long_file_is_written_in_little_memory_and_begins_at_once(kind: str) -> None:
    taken = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal taken
        for n in range(60_000):
            taken = n
            yield {"id": str(n), "text": "some text", "n": n}

    tracemalloc.start()
    chunks = write_rows(rows(), ["id", "text", "n"], kind, types={"n": "integer"})
    first = next(chunks)
    assert first
    assert taken < 1_000
    assert sum(map(len, chunks)) > 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken == 59_999
    assert peak < 48 * 2**20


def test_json_holds_text_as_it_is() -> None:
    assert json.loads(written([{"t": "é😀\u2028"}], ["t"], "json")) == [{"t": "é😀\u2028"}]
