"""Files made to break an import: A9, A18 and A64 to A76 of the abuse cases, over HTTP and through the job."""

import io
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from pytest_django import DjangoCaptureOnCommitCallbacks

from core.models import Asset, Import, Item
from core.selectors.check_data import findings
from tests.conftest import Actors, client_of
from tests.factories.imports import csv_items, import_file, packed, png, zipped

PROJECT = "/api/v1/projects/birds"
Told = dict[str, Any]
Upload = Callable[..., Told]


@pytest.fixture
def upload(
    actors: Actors, media: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Upload:
    """Send a file of items as Alice; what its import says once the job has ended."""
    client = client_of(actors.alice)

    def send(content: str | bytes, name: str = "items.csv", **form: str) -> Told:
        data = content.encode() if isinstance(content, str) else content
        with django_capture_on_commit_callbacks(execute=True):
            sent = client.post(
                f"{PROJECT}/imports", {"kind": "items", "file": SimpleUploadedFile(name, data), **form}
            )
        if sent.status_code not in {200, 202}:
            return {"state": "refused", "status": sent.status_code, "error": sent.json()}
        told: Told = client.get(f"{PROJECT}/imports/{sent.json()['id']}").json()
        return told

    return send


def faults(told: Told) -> list[tuple[int, int, str | None, str]]:
    """Row, line, column and code of every refused row."""
    return [(row["row"], row["line"], row["column"], row["code"]) for row in told["errors"]]


def assert_nothing(media: Path, *, items: int = 0) -> None:
    """Nothing was published, and nothing lies about."""
    assert Item.objects.count() == items
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert list(findings()) == []


# --- A64: byte order marks ----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_a64_a_byte_order_mark_says_the_encoding(upload: Upload, encoding: str) -> None:
    told = upload("id,text\né,Grüße 👩‍👧\n".encode(encoding))
    assert (told["state"], told["accepted"]) == ("published", 1)
    item = Item.objects.get()
    assert (item.external_id, item.data) == ("é", {"text": "Grüße 👩‍👧"})


def test_a64_utf_16_without_a_mark_is_refused(upload: Upload, media: Path) -> None:
    told = upload(csv_items("a").encode("utf-16-le"))
    assert (told["state"], told["error"]["code"]) == ("failed", "encoding-utf16-without-bom")
    assert_nothing(media)


def test_a64_a_legacy_code_page_is_read_only_when_it_is_named(upload: Upload) -> None:
    told = upload("id,text\na,Grüße\nb,plain\n".encode("cp1252"))
    assert faults(told) == [(1, 2, "text", "invalid-utf8")]
    told = upload("id,text\nc,Grüße\n".encode("cp1252"), encoding="cp1252")
    assert Item.objects.get(external_id="c").data == {"text": "Grüße"}


# --- A65 to A67: bytes ----------------------------------------------------------------------------------


def test_a65_an_invalid_byte_at_row_9999_is_that_rows_fault_alone(upload: Upload) -> None:
    lines = csv_items(*(f"i{n}" for n in range(1, 10_002))).encode().split(b"\n")
    lines[9999] = b"i9999,Text \xff of"
    told = upload(b"\n".join(lines))
    assert (told["state"], told["accepted"], told["rejected"]) == ("published", 10_000, 1)
    (row,) = told["errors"]
    assert (row["row"], row["line"], row["column"], row["code"]) == (9999, 10_000, "text", "invalid-utf8")
    assert row["byte"] == len(b"\n".join(lines[:9999])) + 1 + len(b"i9999,Text ")


def test_a66_a_nul_is_refused_on_both_databases(upload: Upload) -> None:
    told = upload("id,text\na,be\0low\nb,fine\n")
    assert faults(told) == [(1, 2, "text", "nul-character")]
    told = upload(
        '{"id": "c", "data": {"text": "a\\u0000b"}}\n{"id": "d", "data": {"text": "x"}}\n', "x.jsonl"
    )
    assert [code for *_, code in faults(told)] == ["nul-character"]
    assert set(Item.objects.values_list("external_id", flat=True)) == {"b", "d"}


def test_a66_half_a_surrogate_pair_is_refused(upload: Upload) -> None:
    told = upload('{"id": "c", "data": {"text": "\\ud800"}}\n{"id": "d", "data": {"text": "x"}}\n', "x.jsonl")
    assert [code for *_, code in faults(told)] == ["lone-surrogate"]


def test_a67_an_endless_line_is_refused_before_it_is_in_memory(upload: Upload, media: Path) -> None:
    told = upload(b"id,text\na," + b"x" * (24 * 2**20))
    assert (told["state"], told["error"]["code"]) == ("failed", "line-too-long")
    assert_nothing(media)


# --- A68, A18: archives -----------------------------------------------------------------------------------


def test_a68_a_gzip_bomb_is_refused(upload: Upload, media: Path) -> None:
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"0" * 2**20
    bomb = (
        engine.compress(b"id,text\n") + b"".join(engine.compress(zeros) for _ in range(200)) + engine.flush()
    )
    assert len(bomb) < 300_000
    told = upload(bomb)
    assert told["state"] == "failed"
    assert told["error"]["code"] in {"zip-bomb", "line-too-long"}
    assert_nothing(media)


def test_a68_a_gzip_file_that_ends_in_the_middle_is_refused(upload: Upload, media: Path) -> None:
    told = upload(packed(csv_items(*(os.urandom(8).hex() for _ in range(3000))))[:-500])
    assert (told["state"], told["error"]["code"]) == ("failed", "truncated")
    assert_nothing(media)


def post_archive(actors: Actors, archive: bytes) -> tuple[int, str]:
    sent = client_of(actors.alice).post(
        f"{PROJECT}/assets", {"file": SimpleUploadedFile("images.zip", archive)}
    )
    return sent.status_code, sent.json().get("code", "")


def bomb() -> bytes:
    return zipped({"a.png": png(), "b.png": b"\0" * (20 * 2**20)})


def link() -> bytes:
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped([("a.png", png()), (info, b"/etc/passwd")])


def twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", png("red"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", png("blue"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (lambda: zipped({"ok.png": png(), "../../app/settings.py": b"x"}), "unsafe-path"),
        (lambda: zipped({"ok.png": png(), "/etc/cron.d/x": b"x"}), "unsafe-path"),
        (lambda: zipped({"ok.png": png(), "a/../../x.png": png()}), "unsafe-path"),
        (lambda: zipped({"ok.png": png(), "C:\\x.png": png()}), "unsafe-path"),
        (lambda: zipped({"ok.png": png(), "C:/x.png": png()}), "unsafe-path"),
        (lambda: zipped({"ok.png": png(), "a\nb.png": png()}), "unsafe-path"),
        (link, "special-member"),
        (twice, "duplicate-member"),
        (bomb, "zip-bomb"),
        (lambda: zipped({f"{n}.png": b"" for n in range(20_001)}), "too-many-members"),
        (lambda: zipped({"ok.png": png(), "inner.zip": zipped({"a.png": png()})}), "nested-archive"),
        (lambda: zipped({"ok.png": png(), "page.html": b"<script>alert(1)</script>"}), "not-an-image"),
        (lambda: zipped({"ok.png": png(), "x.svg": b"<svg onload='alert(1)'/>"}), "not-an-image"),
        (lambda: zipped({"ok.png": png(), "x.png": png() + b"<script>alert(1)</script>"}), "polyglot-image"),
        (lambda: zipped({}), "no-images"),
        (png, "type-mismatch"),
        (lambda: zipped({"a.png": png()})[:-30], "truncated"),
    ],
)
def test_a18_an_archive_that_is_not_safe_is_refused_and_nothing_written(
    actors: Actors, media: Path, archive: Callable[[], bytes], code: str
) -> None:
    before = set(media.parent.rglob("*"))
    assert post_archive(actors, archive()) == (400, code)
    assert not Asset.objects.exists()
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert {path for path in media.parent.rglob("*") if path.is_file()} <= before


# --- A69: duplicate ids --------------------------------------------------------------------------------------


def test_a69_ids_that_occur_twice_are_refused_in_the_file_and_against_the_project(upload: Upload) -> None:
    upload(csv_items("known"))
    told = upload(csv_items("a", "known", "b", "a"))
    assert faults(told) == [(2, 3, "id", "duplicate-id"), (4, 5, "id", "duplicate-id")]
    assert (told["state"], told["accepted"]) == ("published", 2)
    assert list(findings()) == []


# --- A70, A71: values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("NaN", "non-finite-number"),
        ("Infinity", "non-finite-number"),
        ("-Infinity", "non-finite-number"),
        ("1e400", "number-out-of-range"),
        ("9223372036854775808", "number-out-of-range"),
        ("1" * 5000, "number-out-of-range"),
        ("[" * 100_000, "too-deep"),
    ],
)
def test_a70_numbers_that_some_reader_would_change_are_refused(
    upload: Upload, number: str, code: str
) -> None:
    told = upload(
        f'{{"id": "a", "data": {{"n": {number}}}}}\n{{"id": "b", "data": {{"n": -0.0}}}}\n', "x.jsonl"
    )
    assert [found for *_, found in faults(told)] == [code]
    assert Item.objects.get().data == {"n": 0}


def test_a70_a_key_that_occurs_twice_is_refused(upload: Upload) -> None:
    told = upload('{"id": "a", "data": {"t": 1, "t": 2}}\n{"id": "b", "data": {"t": 1}}\n', "x.jsonl")
    assert [code for *_, code in faults(told)] == ["duplicate-key"]


def test_a71_rows_of_another_shape_are_refused_one_by_one(upload: Upload) -> None:
    rows = (
        '{"id": "a", "data": {"text": "x"}}',
        "[1, 2]",
        '"text"',
        '{"id": "b"}',
        '{"id": {"x": 1}, "data": {"text": "x"}}',
        '{"id": "c", "data": {"text": "x"}, "meta": [1]}',
        '{"id": "d", "text": "flat"}',
        "{broken",
    )
    told = upload("\n".join(rows), "x.jsonl")
    assert [(row, column) for row, _, column, _ in faults(told)] == [
        (2, None),
        (3, None),
        (4, "data"),
        (5, "id"),
        (6, "meta"),
        (8, None),
    ]
    assert set(Item.objects.values_list("external_id", flat=True)) == {"a", "d"}


# --- A72, A73: shape of CSV --------------------------------------------------------------------------------------


def test_a72_line_ends_within_quotes_belong_to_the_text(upload: Upload) -> None:
    told = upload('id,text\r\na,"one\r\ntwo\rthree\u2028four"\r\nb,plain\r\n')
    assert told["accepted"] == 2
    assert Item.objects.get(external_id="a").data == {"text": "one\r\ntwo\rthree\u2028four"}


def test_a72_a_quote_that_never_ends_refuses_the_file(upload: Upload, media: Path) -> None:
    told = upload('id,text\na,fine\nb,"open\nc,lost\n')
    assert (told["state"], told["error"]["code"], told["error"]["line"]) == ("failed", "unbalanced-quote", 3)
    assert_nothing(media)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("id,text\n", "no-rows"),
        ("\n\n", "empty-file"),
        ("id,text,text\na,b,c\n", "duplicate-columns"),
        ("id,,text\na,b,c\n", "unnamed-column"),
        (",".join(f"c{n}" for n in range(5000)) + "\n" + ",".join("x" * 5000) + "\n", "too-many-columns"),
        ("id\na\n", "no-data-columns"),
        ("[]", "no-rows"),
        ('[{"id": 1, "data": {"a": 1}}', "truncated"),
    ],
)
def test_a73_a_file_without_a_usable_table_is_refused(
    upload: Upload, media: Path, content: str, code: str
) -> None:
    told = upload(content)
    assert (told["state"], told["error"]["code"]) == ("failed", code)
    assert_nothing(media)


def test_a73_an_empty_file_is_refused_at_once(upload: Upload, media: Path) -> None:
    told = upload("")
    assert (told["status"], told["error"]["code"]) == (400, "empty-file")
    assert_nothing(media)


# --- A74 and A75: uploads that break off, and the same file at once --------------------------------------------------


def test_a74_a_parquet_file_without_its_end_is_refused(upload: Upload, media: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table({"id": ["a"], "text": ["x"]}), file)
    told = upload(file.getvalue()[:-20], "x.parquet")
    assert (told["state"], told["error"]["code"]) == ("failed", "truncated")
    assert_nothing(media)
    assert upload(file.getvalue(), "x.parquet")["accepted"] == 1


@pytest.mark.django_db(transaction=True)
def test_a75_two_uploads_of_one_file_at_once_publish_it_once(
    transactional_db: None, actors: Actors, media: Path
) -> None:
    start = threading.Barrier(4)
    answers: list[tuple[int, str]] = []

    def send() -> None:
        client = client_of(actors.alice)
        start.wait(timeout=10)
        try:
            sent = client.post(
                f"{PROJECT}/imports",
                {"kind": "items", "file": SimpleUploadedFile("a.csv", csv_items("a", "b").encode())},
            )
            answers.append((sent.status_code, sent.json()["state"]))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(status for status, _ in answers) == [200, 200, 200, 202]
    assert sorted(Import.objects.values_list("state", flat=True)) == ["published", *["repeated"] * 3]
    assert Item.objects.count() == 2
    assert [path for path in media.rglob("*") if path.is_file()] == []


# --- A76: names that lie ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "form", "code"),
    [
        (png(), "items.csv", {}, "type-mismatch"),
        (png(), "items.csv", {"format": "csv"}, "type-mismatch"),
        (b"%PDF-1.7\n", "items.csv", {}, "type-mismatch"),
        (b"\x7fELF\x02\x01", "items.csv", {}, "no-rows"),
        (csv_items("a").encode(), "items.parquet", {"format": "parquet"}, "type-mismatch"),
        (csv_items("a").encode(), "items.jsonl", {"format": "jsonl"}, "type-mismatch"),
        (b"<html><script>alert(1)</script></html>", "items.csv", {}, "type-mismatch"),
        (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
            "a.csv",
            {},
            "type-mismatch",
        ),
    ],
)
def test_a76_the_content_decides_and_not_the_name(  # noqa: PLR0917 -- fixtures and one case
    upload: Upload, media: Path, content: bytes, name: str, form: dict[str, str], code: str
) -> None:
    told = upload(content, name, **form)
    assert (told["state"], told["error"]["code"]) == ("failed", code)
    assert_nothing(media)


def test_a76_a_csv_file_called_png_is_a_csv_file(upload: Upload) -> None:
    assert upload(csv_items("a"), "picture.png")["accepted"] == 1


# --- A19: paths within the data -----------------------------------------------------------------------------------------


def test_a19_a_path_in_an_items_data_is_text_and_opens_nothing(actors: Actors, media: Path) -> None:
    import_file(actors.membership(actors.alice), "id,image\na,../../../../etc/passwd\n")
    assert Item.objects.get().data == {"image": "../../../../etc/passwd"}
    client = client_of(actors.alice)
    for name in ("../../../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/etc/passwd"):
        assert client.get(f"{PROJECT}/assets/{name}").status_code == 404
