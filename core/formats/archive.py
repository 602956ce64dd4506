"""Images out of an uploaded zip: members are checked and handed on in memory, nothing is written."""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from core.formats.errors import FileError
from core.formats.sniff import sniff

ImageKind = Literal["png", "jpeg", "gif", "webp"]

_KINDS: dict[str, ImageKind] = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg", "GIF": "gif", "WEBP": "webp"}
_END = b"PK\x05\x06"
_END_BYTES = 22
_END64_LOCATOR = b"PK\x06\x07"
_END64_LOCATOR_BYTES = 20
_LONGEST_COMMENT = 2**16 - 1
_ENCRYPTED = 0x1
_NOISE = ("__MACOSX/",)
_NOISE_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
# A tag and some plain text after it: a bare "<svg" turns up by chance in one large photo out of fifty.
_MARKUP = re.compile(rb"<(?:!doctype|\?php|html|script|svg|iframe|body)[\s/>][\t-~]{5}", re.IGNORECASE)
_END_ON_ONE_DISK = _END + bytes(4)
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive of images may hold."""

    members: int = 20_000
    directory_bytes: int = 8 * 2**20
    member_bytes: int = 32 * 2**20
    total_bytes: int = 4 * 2**30
    ratio: int = 100
    ratio_floor_bytes: int = 2**20
    name_characters: int = 300
    pixels: int = 40_000_000


DEFAULT_ARCHIVE_LIMITS = ArchiveLimits()


def read_members(
    stream: BinaryIO, limits: ArchiveLimits = DEFAULT_ARCHIVE_LIMITS
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file in a zip; folders and the litter of desktops are passed over.

    All names and declared sizes are checked before the first member is unpacked. `stream` must be seekable.
    Raises FileError `type-mismatch`, `truncated`, `unsafe-path`, `duplicate-member`, `special-member`,
    `encrypted`, `too-many-members`, `too-large`, `zip-bomb`, `nested-archive` or `corrupt-zip`.
    """
    _check_directory(stream, limits)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = _checked_members(archive, limits)
            for member in members:
                yield member.filename, _content(archive, member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise FileError("corrupt-zip", f"The archive cannot be read: {error}.") from error


def image_type(data: bytes, limits: ArchiveLimits = DEFAULT_ARCHIVE_LIMITS) -> ImageKind:
    """Return what kind of image the bytes are, by decoding them; a name or a declared type plays no part.

    Raises FileError `not-an-image` (anything but PNG, JPEG, GIF, WebP; damaged or cut off),
    `image-too-large` (in pixels) or `polyglot-image` (an image that is also a page, script or archive).
    """
    kind = sniff(data[:_HEAD_BYTES])
    if kind not in {"png", "jpeg", "gif", "webp"}:
        raise FileError(
            "not-an-image", f"The content is {kind}, not a PNG, JPEG, GIF or WebP image.", found=kind
        )
    if _MARKUP.search(data) or b"%PDF-" in data[:_HEAD_BYTES]:
        raise FileError("polyglot-image", "The image also holds a page, a script or a document.")
    if _END_ON_ONE_DISK in data[-(_END_BYTES + _LONGEST_COMMENT) :]:
        raise FileError("polyglot-image", "The image also holds an archive.")
    return _decoded_kind(data, limits)


def _decoded_kind(data: bytes, limits: ArchiveLimits) -> ImageKind:
    from PIL import Image  # noqa: PLC0415 -- slow import

    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
            if image.width * image.height > limits.pixels:
                raise _too_many_pixels(limits)
            found = _KINDS[image.format or ""]
            image.verify()
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
            image.load()  # verify() leaves the pixels of most formats unread
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, zlib.error) as error:
        raise FileError("not-an-image", f"The image is damaged: {str(error)[:100]}.") from error
    return found


def _too_many_pixels(limits: ArchiveLimits) -> FileError:
    return FileError(
        "image-too-large", f"The image has more than {limits.pixels:,} pixels.", limit=limits.pixels
    )


def _check_directory(stream: BinaryIO, limits: ArchiveLimits) -> None:
    """Refuse by the end record alone: zipfile would make an object of every entry before we could count."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if sniff(stream.read(_END_BYTES)) != "zip":
        raise FileError("type-mismatch", "The content is not a zip archive.", declared="zip")
    tail_bytes = min(size, _END_BYTES + _LONGEST_COMMENT + _END64_LOCATOR_BYTES)
    stream.seek(size - tail_bytes)
    tail = stream.read(tail_bytes)
    stream.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise FileError("truncated", "The archive has no directory: its end is missing.")
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    large = tail[max(0, at - _END64_LOCATOR_BYTES) : at].startswith(_END64_LOCATOR)
    if large or entries > limits.members or directory > limits.directory_bytes:
        raise _too_many_members(limits)


def _too_many_members(limits: ArchiveLimits) -> FileError:
    return FileError(
        "too-many-members", f"The archive holds more than {limits.members:,} files.", limit=limits.members
    )


def _checked_members(archive: zipfile.ZipFile, limits: ArchiveLimits) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > limits.members:
        raise _too_many_members(limits)
    members: list[zipfile.ZipInfo] = []
    names: set[str] = set()
    total = 0
    for info in infos:
        _check_name(info, limits)
        if info.filename in names:
            raise FileError(
                "duplicate-member", f"The archive holds {info.filename!r} twice.", name=info.filename
            )
        names.add(info.filename)
        _check_nature(info)
        total += info.file_size
        _check_size(info, total, limits)
        if not info.is_dir() and not _is_noise(info.filename):
            members.append(info)
    return members


def _check_name(info: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    unsafe = (
        not name
        or len(name) > limits.name_characters
        or "\\" in name
        or ":" in name  # drive letters, and streams of NTFS
        or not name.isprintable()
        or any(part in {"", ".", ".."} for part in parts)
    )
    if unsafe:
        raise FileError("unsafe-path", f"The archive holds the name {name[:200]!r}.", name=name[:200])


def _check_nature(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise FileError("encrypted", f"{info.filename!r} is encrypted.", name=info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise FileError("special-member", f"{info.filename!r} is a link or a device.", name=info.filename)
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise FileError("corrupt-zip", f"{info.filename!r} is packed in an unusual way.", name=info.filename)


def _check_size(info: zipfile.ZipInfo, total: int, limits: ArchiveLimits) -> None:
    if info.file_size > limits.member_bytes or total > limits.total_bytes:
        raise FileError(
            "too-large", f"{info.filename!r} or the whole archive is too large.", name=info.filename
        )
    if info.file_size > limits.ratio_floor_bytes and info.file_size > limits.ratio * info.compress_size:
        raise FileError(
            "zip-bomb",
            f"{info.filename!r} unpacks to more than {limits.ratio} times its size.",
            ratio=limits.ratio,
        )


def _is_noise(name: str) -> bool:
    return name.startswith(_NOISE) or name.rsplit("/", 1)[-1] in _NOISE_NAMES


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Unpack one member; zipfile stops at the declared size, which was checked, and compares the checksum."""
    with archive.open(member) as file:
        data = file.read()
    if len(data) != member.file_size:
        raise FileError(
            "corrupt-zip", f"{member.filename!r} is not as long as declared.", name=member.filename
        )
    if sniff(data[:_HEAD_BYTES]) in {"zip", "gzip"}:
        raise FileError("nested-archive", f"{member.filename!r} is an archive itself.", name=member.filename)
    return data
