"""Strict decoding in bounded memory; what cannot be decoded is charged to its line, not to the file."""

import codecs
import io
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from core.formats.errors import FileError
from core.formats.sniff import looks_like_utf16
from core.formats.table import Limits

# Code pages in which every byte below 0x40 is plain ASCII, so that lines, quotes and commas can be found
# before decoding. Stateful ones (ISO-2022, UTF-7) are left out for that reason.
LEGACY_ENCODINGS = frozenset(
    {
        *(f"cp125{n}" for n in range(9)),
        *(f"iso8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
        *("ascii", "cp437", "cp850", "cp852", "cp866", "cp874", "koi8-r", "koi8-u", "mac-roman", "tis-620"),
        *("shift_jis", "cp932", "euc_jp", "gbk", "gb2312", "gb18030", "big5", "euc_kr", "cp949"),
    }
)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16", "utf-32")


class Encoding(NamedTuple):
    """The codec to decode with, and how many bytes its mark takes at the start of the file."""

    name: str
    mark: int


class Problem(NamedTuple):
    """Why a line cannot be taken as text; `byte` is None where the offset in the file is not known."""

    code: str
    detail: str
    byte: int | None


def detect_encoding(head: bytes, named: str | None) -> Encoding:
    """Return the encoding: by mark, else the legacy code page that the caller names, else UTF-8.

    Raises FileError `unknown-encoding`, `encoding-mismatch` (mark and name disagree) or
    `encoding-utf16-without-bom`.
    """
    wanted = _codec(named)
    for mark, name in _BOMS:
        if head.startswith(mark):
            if wanted is not None and not name.startswith(wanted):
                raise FileError(
                    "encoding-mismatch",
                    f"Declared as {wanted}, but the file carries the mark of {name}.",
                    declared=wanted,
                    found=name,
                )
            return Encoding(name, len(mark))
    if (wanted is not None and wanted.startswith(_WIDE)) or looks_like_utf16(head):
        raise FileError(
            "encoding-utf16-without-bom",
            "The file looks like UTF-16 or UTF-32 and has no byte order mark. Save it as UTF-8.",
        )
    return Encoding(wanted or "utf-8", 0)


def _codec(named: str | None) -> str | None:
    if not named:
        return None
    try:
        name = codecs.lookup(named).name
    except (LookupError, ValueError):
        name = ""
    if name == "utf-8-sig":
        return "utf-8"
    if name == "utf-8" or name.startswith(_WIDE) or name in LEGACY_ENCODINGS:
        return name
    raise FileError("unknown-encoding", f"The encoding {named!r} is not known here.", declared=named)


def unmarked(chunks: Iterator[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Yield the chunks without the mark; the first chunk is at least as long as any mark."""
    first = next(chunks, b"")[encoding.mark :]
    return chain((first,), chunks) if first else chunks


def narrowed(chunks: Iterator[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Turn UTF-16 or UTF-32 into UTF-8, chunk by chunk; lone surrogates are left for the decoder to refuse.

    Raises FileError `invalid-encoding` or `truncated`.
    """
    decoder = codecs.getincrementaldecoder(encoding.name)("surrogatepass")
    for chunk in chunks:
        try:
            yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise FileError("invalid-encoding", f"The file is not valid {encoding.name}.") from error
    if decoder.getstate()[0]:
        raise FileError("truncated", f"The file ends in the middle of a character of {encoding.name}.")


def strict_text(chunks: Iterator[bytes], encoding: Encoding) -> Iterator[str]:
    """Decode without regard to lines; raises FileError `invalid-utf8` or `invalid-bytes` with the offset."""
    name = encoding.name
    wide = name.startswith(_WIDE)
    decoder = codecs.getincrementaldecoder("utf-8" if wide else name)()
    offset = encoding.mark
    for chunk in chain(narrowed(chunks, encoding) if wide else chunks, (b"",)):
        kept = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            problem = _problem(error, name, None if wide else offset - kept)
            raise FileError(problem.code, problem.detail, byte=problem.byte) from error
        offset += len(chunk)
        if text:
            yield text


class Lines:
    """The physical lines of a file (ended by LF, CR LF or CR, and by nothing else) as text.

    Whole blocks are decoded at once; only a block with something wrong is taken line by line. `problems`
    then holds what is wrong by line number, and the reader of rows takes it from there.
    """

    def __init__(self, chunks: Iterator[bytes], encoding: Encoding, limits: Limits) -> None:
        wide = encoding.name.startswith(_WIDE)
        self.problems: dict[int, Problem] = {}
        self._chunks = narrowed(chunks, encoding) if wide else chunks
        self._codec = "utf-8" if wide else encoding.name
        self._offset = None if wide else encoding.mark
        self._limit = limits.line_bytes
        self._line = 1

    def __iter__(self) -> Iterator[str]:
        """Yield lines with their ends; io.StringIO splits as files do, str.splitlines also at U+2028."""
        return chain.from_iterable(io.StringIO(block, newline="") for block in self.blocks())

    def blocks(self) -> Iterator[str]:
        """Yield text made of whole lines; raises FileError `line-too-long` before such a line is in memory."""
        rest = b""
        for chunk in self._chunks:
            data = rest + chunk if rest else chunk
            cut = _after_last_line_end(data)
            if cut:
                yield self._decoded(data[:cut])
            rest = data[cut:]
            if len(rest) > self._limit:
                raise FileError(
                    "line-too-long",
                    f"Line {self._line:,} is longer than {self._limit:,} bytes.",
                    line=self._line,
                    limit=self._limit,
                )
        if rest:
            yield self._decoded(rest)

    def _decoded(self, raw: bytes) -> str:
        try:
            text = raw.decode(self._codec)
        except UnicodeDecodeError:
            text = self._decoded_by_line(raw)
        else:
            if "\0" in text:
                text = self._decoded_by_line(raw)
        self._line += raw.count(b"\n") + raw.count(b"\r") - raw.count(b"\r\n")
        if self._offset is not None:
            self._offset += len(raw)
        return text

    def _decoded_by_line(self, raw: bytes) -> str:
        texts: list[str] = []
        offset = self._offset
        for number, line in enumerate(raw.splitlines(keepends=True), self._line):
            try:
                text = line.decode(self._codec)
            except UnicodeDecodeError as error:
                self.problems[number] = _problem(error, self._codec, offset)
                # The line is refused; its commas, quotes and end must survive so that the next is read well.
                text = line.decode(self._codec, "surrogateescape" if self._codec == "utf-8" else "replace")
            else:
                if "\0" in text:
                    byte = None if offset is None else offset + line.index(b"\0")
                    self.problems[number] = Problem("nul-character", "The row holds a NUL character.", byte)
            texts.append(text)
            if offset is not None:
                offset += len(line)
        return "".join(texts)


def _after_last_line_end(data: bytes) -> int:
    cut = data.rfind(b"\n") + 1
    # A CR in last place may be the first half of CR LF: it waits for the next chunk.
    return cut or data.rfind(b"\r", 0, -1) + 1


def _problem(error: UnicodeDecodeError, codec: str, offset: int | None) -> Problem:
    byte = None if offset is None else offset + error.start
    found = error.object[error.start]
    after = error.object[error.start + 1 : error.start + 2]
    if codec == "utf-8" and found == 0xED and b"\xa0" <= after <= b"\xbf":  # noqa: PLR2004 -- UTF-8 of U+D800
        return Problem("lone-surrogate", "Half of a surrogate pair stands alone.", byte)
    if codec == "utf-8":
        return Problem("invalid-utf8", f"Byte 0x{found:02X} is not valid UTF-8 here.", byte)
    return Problem("invalid-bytes", f"Byte 0x{found:02X} means nothing in {codec}.", byte)
