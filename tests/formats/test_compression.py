"""A68, A74: gzip within limits."""

import gzip
import io
import zlib

import pytest

from core.formats.errors import FileError
from core.formats.reader import read_rows
from core.formats.table import Limits
from tests.formats.reading import packed, read, values

TABLE = b"id,text\n" + b"".join(b"item%d,text number %d\n" % (n, n * n) for n in range(50_000))


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(FileError) as refused:
        read(data, limits=limits or Limits())
    return refused.value.code


def test_gzip_reads_as_plain() -> None:
    assert values(packed(TABLE)) == values(TABLE)


def test_members_that_follow_each_other_are_one_file() -> None:
    half = TABLE.index(b"\n", len(TABLE) // 2) + 1
    assert values(packed(TABLE[:half]) + packed(b"") + packed(TABLE[half:]) + b"\0" * 20) == values(TABLE)


@pytest.mark.parametrize("missing", [1, 8, 9, 1000, 100_000])
def test_a_cut_gzip_is_truncated(missing: int) -> None:
    assert refusal(packed(TABLE)[:-missing]) == "truncated"


def test_a_damaged_gzip_is_refused() -> None:
    data = bytearray(packed(TABLE))
    data[len(data) // 2] ^= 0xFF
    assert refusal(bytes(data)) == "corrupt-gzip"
    assert refusal(packed(TABLE) + b"more") == "corrupt-gzip"


def test_a_bomb_is_refused_by_its_ratio() -> None:
    engine = zlib.compressobj(wbits=31)
    bomb = (
        b"".join(engine.compress((b"a," + b"x" * 1021 + b"\n") * 2**10) for _ in range(100)) + engine.flush()
    )
    assert len(bomb) < 2**20
    assert refusal(bomb) == "zip-bomb"


def test_the_absolute_limit_holds_for_packed_and_plain_files() -> None:
    limits = Limits(total_bytes=100_000)
    assert refusal(packed(TABLE), limits) == "too-large"
    assert refusal(TABLE, limits) == "too-large"


def test_a_flood_of_empty_members_is_refused() -> None:
    assert refusal(packed(b"id,text\n") + packed(b"") * 100_001) == "zip-bomb"


def test_many_small_members_do_not_make_a_long_line_slow_to_read() -> None:
    data = packed(b"id,text\na," + b"x" * 3_000_000) + packed(b"y") * 50_000 + packed(b"\n")
    limits = Limits(field_characters=2**22)
    assert [len(str(row["text"])) for row in values(data, limits=limits)] == [3_050_000]


def test_gzip_in_gzip_is_refused() -> None:
    assert refusal(packed(packed(TABLE))) == "type-mismatch"


def test_an_empty_gzip_is_an_empty_file() -> None:
    assert refusal(packed(b"")) == "empty-file"


def test_a_stream_that_gives_few_bytes_at_a_time() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 7) if size != -1 else 7)

    rows = list(read_rows(Slow(gzip.compress(TABLE[:5_000].rsplit(b"\n", 1)[0]))))
    assert len(rows) == TABLE[:5_000].count(b"\n") - 1
