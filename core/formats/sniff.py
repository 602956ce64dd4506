"""What a file really is, told by its first bytes and never by its name."""

import re
from typing import Literal

from core.formats.errors import FileError
from core.formats.table import FORMATS, Format

Kind = Literal[
    "empty", "gzip", "parquet", "zip", "png", "jpeg", "gif", "webp", "pdf", "office", "html", "binary", "text"
]

HEAD_BYTES = 64 * 1024

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r"))
_HTML = re.compile(rb"\s*<(?:!doctype\s|html[\s>]|\?xml\s|svg[\s>])", re.IGNORECASE)
_BINARY_SHARE = 0.1
_UTF16_SHARE = 0.3


def sniff(head: bytes) -> Kind:
    """Return the kind of a file from its first bytes."""
    if not head:
        return "empty"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(_BOMS) or looks_like_utf16(head):
        return "text"
    if _HTML.match(head):
        return "html"
    return "binary" if _looks_binary(head) else "text"


def _looks_binary(head: bytes) -> bool:
    """Text may hold control characters, so many of them count only where the bytes are not UTF-8 either."""
    many = _BINARY_SHARE * len(head)
    if head.count(0) > many:
        return True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > many and "\ufffd" in head.decode("utf-8", "replace")


def looks_like_utf16(head: bytes) -> bool:
    """Tell text in UTF-16 that carries no byte order mark by the NUL in every other byte."""
    half = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return half > 0 and max(even, odd) > _UTF16_SHARE * half and min(even, odd) < max(even, odd) / 4


def decide_format(declared: str | None, kind: Kind, text_head: str) -> Format:
    """Return the format to read with: the declared one if the content allows it, else the evident one.

    `text_head` is the decoded beginning of the file, empty for Parquet.
    Raises FileError `unknown-format`, `empty-file` or `type-mismatch`.
    """
    wanted = _known(declared)
    if kind == "empty":
        raise FileError("empty-file", "The file is empty.")
    if kind == "parquet":
        return _agree(wanted, ("parquet",), "a Parquet file")
    if kind != "text":
        raise FileError("type-mismatch", f"The content is {_article(kind)} file, not a table.", found=kind)
    start = text_head.lstrip(" \t\r\n")
    if not start:
        raise FileError("empty-file", "The file holds only white space.")
    if wanted == "parquet":
        raise FileError("type-mismatch", "The content is text, not Parquet.", declared=wanted, found="text")
    return _text_format(wanted, start)


def _known(declared: str | None) -> Format | None:
    if declared is None:
        return None
    for known in FORMATS:
        if declared == known:
            return known
    raise FileError("unknown-format", f"{declared!r} is none of {', '.join(FORMATS)}.", declared=declared)


def _text_format(wanted: Format | None, start: str) -> Format:
    if start.startswith("["):
        if re.match(r"\[\s*[{\]]", start):
            return _agree(wanted, ("json",), "a JSON array")
        return _agree(wanted, ("csv", "json"), "a JSON array")
    if re.match(r'\{\s*["}]', start):
        first_line, line_end, _ = start.partition("\n")
        whole = not line_end or first_line.rstrip().endswith("}")
        evident: Format = "jsonl" if whole else "json"
        return _agree(wanted, (evident, "jsonl", "json"), "JSON")
    if wanted == "jsonl" and any(line.lstrip().startswith("{") for line in start.splitlines()):
        return "jsonl"  # the first row is broken, others look right: say so row by row
    return _agree(wanted, ("csv",), "not JSON")


def _agree(wanted: Format | None, possible: tuple[Format, ...], found: str) -> Format:
    if wanted is None:
        return possible[0]
    if wanted in possible:
        return wanted
    raise FileError("type-mismatch", f"Declared as {wanted}, but the content is {found}.", declared=wanted)


def _article(kind: Kind) -> str:
    return f"an {kind}" if kind in {"office", "html"} else f"a {kind}"
