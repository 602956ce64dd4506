"""Parquet in, with the same promises as text (A68, A70, A73, A74)."""

import decimal
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa  # noqa: TID253 -- a test may start slowly
import pytest
from pyarrow import parquet as pq  # noqa: TID253 -- a test may start slowly

from core.formats.errors import FileError
from core.formats.parquet_rows import ParquetReader
from core.formats.reader import read_rows
from core.formats.table import DEFAULT_LIMITS, Row
from tests.formats.reading import packed, read, refusals, values


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    data = io.BytesIO()
    pq.write_table(pa.table(columns), data, **options)
    return data.getvalue()


def refusal(data: bytes, **options: Any) -> FileError:
    with pytest.raises(FileError) as refused:
        read(data, **options)
    return refused.value


def test_values_of_every_plain_type() -> None:
    data = parquet(
        {
            "id": ["a", None],
            "n": [1, None],
            "x": [0.5, None],
            "yes": [True, None],
            "when": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None],
            "day": [date(2026, 1, 2), None],
            "price": [decimal.Decimal("1.50"), None],
            "word": pa.array(["u", "v"]).dictionary_encode(),
        }
    )
    assert values(data) == [
        {
            "id": "a",
            "n": 1,
            "x": 0.5,
            "yes": True,
            "when": "2026-01-02 03:04:05.000000Z",
            "day": "2026-01-02",
            "price": "1.50",
            "word": "u",
        },
        {
            "id": None,
            "n": None,
            "x": None,
            "yes": None,
            "when": None,
            "day": None,
            "price": None,
            "word": "v",
        },
    ]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.int64()), pa.list_(pa.float64(), 2)]
)
def test_lists_of_numbers(kind: Any) -> None:
    assert values(parquet({"id": ["a", "b"], "x": pa.array([[1, 2], None], kind)})) == [
        {"id": "a", "x": [1, 2]},
        {"id": "b", "x": None},
    ]


def test_numbers_in_lists_that_would_not_survive_refuse_their_row() -> None:
    data = parquet({"x": pa.array([[0.5], [float("nan"), 1], [None, 1]], pa.list_(pa.float64()))})
    assert refusals(data) == [(2, None, "non-finite-number")]


def test_long_lists_are_read_a_few_rows_at_a_time() -> None:
    data = parquet({"x": [[0.5] * 2**19] * 5})
    sizes = [len(arrays[0]) for arrays in ParquetReader(io.BytesIO(data), DEFAULT_LIMITS).batches()]
    assert sizes == [2, 2, 1]


def test_a_packed_file_and_one_that_cannot_seek_are_read_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: Any) -> int:
            raise io.UnsupportedOperation

    data = parquet({"id": ["a", "b"]})
    rows = [Row(1, 1, {"id": "a"}), Row(2, 2, {"id": "b"})]
    assert list(read_rows(io.BytesIO(packed(data)))) == rows
    assert list(read_rows(Pipe(data))) == rows


@pytest.mark.parametrize("missing", [1, 4, 100])
def test_a_cut_file_is_truncated(missing: int) -> None:
    assert refusal(parquet({"id": ["a"]})[:-missing]).code == "truncated"


@pytest.mark.parametrize("place", [19, 20, 35])
def test_a_footer_that_ends_the_process_of_its_reader_is_refused_and_this_process_lives(place: int) -> None:
    data = bytearray(parquet({"id": ["a", None, "b"], "n": [1, None, 3]}, store_schema=False))
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[footer + place] ^= 1
    with pytest.raises(FileError) as refused:
        list(read_rows(io.BytesIO(bytes(data))))
    assert refused.value.code == "invalid-parquet"


def test_an_uploaded_file_on_disk_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(parquet({"id": ["a", "b"]}))
    with path.open("rb") as file:
        assert list(read_rows(file)) == [Row(1, 1, {"id": "a"}), Row(2, 2, {"id": "b"})]


def test_numbers_and_text_that_would_not_survive_refuse_their_row() -> None:
    data = parquet(
        {
            "n": [1, 2**53, 3, 4, 5],
            "x": pa.array([0.5, 0.5, float("nan"), float("inf"), 0.5], pa.float64()),
            "t": ["a", "b", "c", "d", "e\0"],
        }
    )
    assert refusals(data) == [
        (2, None, "number-out-of-range"),
        (3, None, "non-finite-number"),
        (4, None, "non-finite-number"),
        (5, None, "nul-character"),
    ]


def test_a_text_beyond_the_limit_refuses_its_row() -> None:
    assert refusals(parquet({"t": ["a", "x" * (2**20 + 1)]})) == [(2, None, "field-too-long")]


def test_columns_of_other_kinds_are_refused_by_name() -> None:
    for column in ([b"bytes"], [["a", "list"]], [{"an": "object"}]):
        error = refusal(parquet({"id": ["a"], "other": column}))
        assert (error.code, error.data) == ("unsupported-column", {"column": "other"})


def test_too_many_columns_and_no_rows_are_refused() -> None:
    assert refusal(parquet({f"c{n}": [1] for n in range(1_001)})).code == "too-many-columns"
    assert refusal(parquet({"id": pa.array([], pa.string())})).code == "no-rows"


def test_text_declared_as_parquet_and_parquet_declared_as_csv_are_refused() -> None:
    assert refusal(parquet({"id": ["a"]}), format="csv").code == "type-mismatch"


def test_a_small_file_that_says_one_long_text_very_often_is_refused() -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 500_000]))
    data = parquet({"t": text}, store_schema=False)
    assert len(data) < 100_000
    assert refusal(data).code == "zip-bomb"


def test_many_row_groups_are_numbered_through() -> None:
    data = parquet({"id": [str(n) for n in range(5_000)]}, row_group_size=700)
    assert [int(str(row["id"])) for row in values(data)] == list(range(5_000))
    assert refusals(parquet({"t": ["a"] * 2_999 + ["\0"]}, row_group_size=700)) == [
        (3_000, None, "nul-character")
    ]
