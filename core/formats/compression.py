"""Bytes of an upload as chunks, unpacked when gzip, and never more of them than allowed."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from core.formats.errors import FileError
from core.formats.sniff import HEAD_BYTES
from core.formats.table import Limits

CHUNK_BYTES = 256 * 1024
GZIP_INPUT_BYTES = 64 * 1024

_GZIP_WINDOW = 31  # zlib's number for "gzip header and trailer, largest window"
_MAX_MEMBERS = 100_000  # block-wise gzip of several GB has fewer; a flood of empty members has more


def read_head(stream: BinaryIO, size: int = HEAD_BYTES) -> bytes:
    """Read exactly `size` bytes, or fewer only at the end of the stream."""
    parts: list[bytes] = []
    missing = size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def plain_chunks(head: bytes, stream: BinaryIO, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield the head that was already read, then the rest of the stream."""
    if head:
        yield head
    while chunk := read_head(stream, size):
        yield chunk


def limited(chunks: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """Pass chunks on until they exceed the total; raises FileError `too-large`."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limits.total_bytes:
            raise FileError(
                "too-large",
                f"The file holds more than {limits.total_bytes:,} bytes.",
                limit=limits.total_bytes,
            )
        yield chunk


def gathered(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join small chunks: readers look again at an unfinished line or value whenever a chunk comes."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def gunzip(chunks: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """Unpack gzip, member after member, at most CHUNK_BYTES at a time.

    Raises FileError `zip-bomb` (output over input beyond the ratio), `truncated` or `corrupt-gzip`.
    """
    engine = zlib.decompressobj(wbits=_GZIP_WINDOW)
    taken = given = 0
    members = 1
    for chunk in chunks:
        taken += len(chunk)
        pending = chunk
        while pending:
            if engine.eof:
                pending = pending.lstrip(b"\0")  # padding between and after members is allowed
                if not pending:
                    break
                engine = zlib.decompressobj(wbits=_GZIP_WINDOW)
                members += 1
                if members > _MAX_MEMBERS:
                    raise FileError("zip-bomb", f"The gzip file has more than {_MAX_MEMBERS:,} members.")
            output = _inflate(engine, pending)
            pending = engine.unused_data if engine.eof else engine.unconsumed_tail
            given += len(output)
            _check_ratio(taken, given, limits)
            if output:
                yield output
    while not engine.eof and (output := _inflate(engine, b"")):
        yield output
    if not engine.eof:
        raise FileError("truncated", "The gzip file ends in the middle.")


def _inflate(engine: "zlib._Decompress", data: bytes) -> bytes:
    try:
        return engine.decompress(data, CHUNK_BYTES)
    except zlib.error as error:
        raise FileError("corrupt-gzip", f"The gzip file is damaged: {error}.") from error


def _check_ratio(taken: int, given: int, limits: Limits) -> None:
    if given > limits.ratio_floor_bytes and given > limits.ratio * taken:
        raise FileError(
            "zip-bomb",
            f"The file unpacks to more than {limits.ratio} times its size.",
            ratio=limits.ratio,
        )
