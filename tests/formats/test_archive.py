"""A9, A10, A18, A68: archives of images."""

import io
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from core.formats.archive import ArchiveLimits, image_type, read_members
from core.formats.errors import FileError


def image(kind: str = "PNG", size: tuple[int, int] = (3, 2)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, "red").save(data, kind)
    return data.getvalue()


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return data.getvalue()


def read(data: bytes, limits: ArchiveLimits | None = None) -> list[tuple[str, bytes]]:
    return list(read_members(io.BytesIO(data), limits or ArchiveLimits()))


def refusal(data: bytes, limits: ArchiveLimits | None = None) -> str:
    """The code; and nothing was handed out before it."""
    members = read_members(io.BytesIO(data), limits or ArchiveLimits())
    with pytest.raises(FileError) as refused:
        next(members)
    return refused.value.code


def test_members_are_handed_out_by_name_without_folders_and_litter() -> None:
    data = archive(
        ("a.png", image()),
        ("folder/", b""),
        ("folder/ü b.png", image()),
        ("__MACOSX/._a.png", b"x"),
        ("folder/.DS_Store", b"x"),
    )
    assert read(data) == [("a.png", image()), ("folder/ü b.png", image())]


@pytest.mark.parametrize(
    "name",
    [
        "../../app/settings.py",
        "a/../../b.png",
        "/etc/passwd",
        "//server/share.png",
        "..\\x.png",
        "C:\\x.png",
        "C:x.png",
        "a//b.png",
        "./a.png",
        "a.png\r\nSet-Cookie:x",
        "a\u202egnp.exe",
        "x" * 301,
    ],
)
def test_names_that_lead_elsewhere_refuse_the_archive(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(archive(("good.png", image()), (name, b"x"))) == "unsafe-path"
    assert list(tmp_path.iterdir()) == []


def test_a_name_cut_by_nul_refuses_the_archive() -> None:
    data = archive(("a.png_.html", b"x")).replace(b"a.png_.html", b"a.png\0.html")
    assert refusal(data) == "unsafe-path"


def test_a_link_refuses_the_archive() -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert refusal(archive(("good.png", image()), (link, b"/etc/passwd"))) == "special-member"


def test_two_members_of_one_name_refuse_the_archive() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archive(("a.png", image()), ("a.png", b"other"))
    assert refusal(data) == "duplicate-member"


def test_an_encrypted_member_refuses_the_archive() -> None:
    data = bytearray(archive(("a.png", image()), method=zipfile.ZIP_STORED))
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    assert refusal(bytes(data)) == "encrypted"


def test_unusual_packing_refuses_the_archive() -> None:
    assert refusal(archive(("a.png", image()), method=zipfile.ZIP_BZIP2)) == "corrupt-zip"


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    assert refusal(archive(("a.png", b"\0" * 10_000_000))) == "zip-bomb"
    limits = ArchiveLimits(member_bytes=1_000)
    assert refusal(archive(("a.png", os.urandom(1_001))), limits) == "too-large"
    limits = ArchiveLimits(total_bytes=1_500)
    assert refusal(archive(("a.png", os.urandom(1_000)), ("b.png", os.urandom(1_000))), limits) == "too-large"


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    data = archive(("a.png", os.urandom(100) + b"\0" * 100_000))
    size = struct.pack("<I", 100_100)
    with pytest.raises(FileError) as refused:
        read(data.replace(size, struct.pack("<I", 100)))
    assert refused.value.code == "corrupt-zip"


@pytest.mark.parametrize("inner", [archive(("x", b"y")), zlib.compress(b"x", wbits=31)])
def test_an_archive_in_an_archive_is_refused(inner: bytes) -> None:
    assert refusal(archive(("inner.png", inner))) == "nested-archive"


def test_a_million_tiny_entries_are_refused_by_the_directory_alone() -> None:
    data = archive(*((f"{n}.png", b"") for n in range(100)))
    assert refusal(data, ArchiveLimits(members=99)) == "too-many-members"
    assert len(read(data, ArchiveLimits(members=100))) == 100
    lying = bytearray(data)
    end = data.rindex(b"PK\x05\x06")
    lying[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
    assert refusal(bytes(lying), ArchiveLimits(members=99)) == "too-many-members"
    assert refusal(data, ArchiveLimits(directory_bytes=1_000)) == "too-many-members"


def test_the_directory_of_a_large_archive_is_not_read() -> None:
    entry = struct.pack("<4s20xI", b"PK\x03\x04", 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert refusal(entry + locator + end) == "too-many-members"
    small = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)
    assert refusal(entry + locator + small) == "too-many-members"


def test_what_is_no_zip_or_is_cut_off_is_refused() -> None:
    assert refusal(image()) == "type-mismatch"
    assert refusal(b"") == "type-mismatch"
    assert refusal(archive(("a.png", image()))[:-10]) == "truncated"


def test_damage_is_refused() -> None:
    data = bytearray(archive(("a.png", image()), method=zipfile.ZIP_STORED))
    data[60] ^= 0xFF
    with pytest.raises(FileError) as refused:
        read(bytes(data))
    assert refused.value.code == "corrupt-zip"


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_images_are_told_by_their_content(kind: str) -> None:
    assert image_type(image(kind.upper())) == kind


def image_refusal(data: bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(FileError) as refused:
        image_type(data, limits or ArchiveLimits())
    return refused.value.code


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"<?xml version='1.0'?><svg/>",
        b"plain text",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n and nothing more",
        image("BMP"),
        image("TIFF"),
        image("PNG")[:-20],
        image("JPEG", (200, 200))[:-200],
    ],
)
def test_anything_else_is_no_image(content: bytes) -> None:
    assert image_refusal(content) == "not-an-image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize(
    "tail", [b"<HTML><body>", b"<script>alert(1)</script>", b"<svg/onload=alert(1)>", archive(("a", b"b"))]
)
def test_an_image_that_is_also_something_else_is_refused(kind: str, tail: bytes) -> None:
    assert image_refusal(image(kind) + tail) == "polyglot-image"


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    assert image_refusal(image("PNG", (101, 100)), ArchiveLimits(pixels=10_000)) == "image-too-large"
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I4s", len(header), b"IHDR") + header
    bomb = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + image()[33:]
    assert image_refusal(bomb) == "image-too-large"


def test_an_image_between_pillows_warning_and_its_error_is_an_error_here() -> None:
    header = struct.pack(">II5B", 10_000, 10_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I4s", len(header), b"IHDR") + header
    large = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + image()[33:]
    assert image_refusal(large) == "image-too-large"
