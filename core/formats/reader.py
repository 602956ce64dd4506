"""One door to every format: bytes in, rows and row errors out."""

import tempfile
import weakref
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from core.formats.compression import (
    GZIP_INPUT_BYTES,
    gathered,
    gunzip,
    limited,
    plain_chunks,
    read_head,
)
from core.formats.csv_rows import CsvReader
from core.formats.errors import FileError
from core.formats.json_rows import json_rows, jsonl_rows
from core.formats.parquet_probe import probe
from core.formats.parquet_rows import ParquetReader
from core.formats.sniff import HEAD_BYTES, decide_format, sniff
from core.formats.table import DEFAULT_LIMITS, Limits, RowStream
from core.formats.text import Encoding, Lines, detect_encoding, strict_text, unmarked


def read_rows(
    stream: BinaryIO,
    *,
    format: str | None = None,  # noqa: A002 -- the word of the outer contract
    encoding: str | None = None,
    delimiter: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> RowStream:
    """Open an upload (plain or gzip) and return its rows in file order, in bounded memory.

    `format` is csv, jsonl, json, parquet, or None to go by the content; a declared format that the content
    contradicts is refused. `encoding` names a legacy code page; None is UTF-8, and a byte order mark decides
    for UTF-16 and UTF-32. `delimiter` is for CSV; None is a comma, or a tab or semicolon where the header
    leaves no doubt.

    The head of the file is read here and the rest while iterating: both raise FileError, after which the
    rows that came before it should not be published.
    """
    if delimiter is not None and delimiter not in {",", ";", "\t", "|"}:
        raise FileError("unknown-delimiter", f"{delimiter!r} is not a delimiter that is read here.")
    head = read_head(stream)
    chunks: Iterator[bytes]
    kind = sniff(head)
    packed = kind == "gzip"
    if packed:
        chunks = gathered(gunzip(plain_chunks(head, stream, GZIP_INPUT_BYTES), limits))
        head, chunks = _first(limited(chunks, limits))
        kind = sniff(head)
    else:
        chunks = limited(plain_chunks(head, stream), limits)
    if kind == "parquet":
        decide_format(format, kind, "")
        parquet = _parquet(stream, chunks, limits, packed=packed)
        return RowStream(parquet.rows(), format="parquet", encoding=None, columns=parquet.columns)
    found = detect_encoding(head, encoding) if kind == "text" else Encoding("utf-8", 0)
    chosen = decide_format(format, kind, head[found.mark : HEAD_BYTES].decode(found.name, "replace"))
    chunks = unmarked(chunks, found)
    if chosen == "csv":
        table = CsvReader(Lines(chunks, found, limits), delimiter=delimiter, limits=limits)
        return RowStream(
            table.rows(),
            format="csv",
            encoding=found.name,
            delimiter=table.delimiter,
            columns=table.columns,
        )
    if chosen == "jsonl":
        return RowStream(
            jsonl_rows(Lines(chunks, found, limits), limits), format="jsonl", encoding=found.name
        )
    return RowStream(json_rows(strict_text(chunks, found), limits), format="json", encoding=found.name)


def _first(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of unpacked chunks, and all chunks including them."""
    parts: list[bytes] = []
    for chunk in chunks:
        parts.append(chunk)
        if sum(map(len, parts)) >= HEAD_BYTES:
            break
    head = b"".join(parts)
    return head, chain((head,), chunks) if head else chunks


def _parquet(stream: BinaryIO, chunks: Iterator[bytes], limits: Limits, *, packed: bool) -> ParquetReader:
    """Parquet is read from its end, and tried in a child: what is not a plain file goes through one."""
    if not packed and _is_file(stream):
        probe(stream)
        return ParquetReader(stream, limits)
    spool = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with its reader
    try:
        for chunk in chunks:
            spool.write(chunk)
        spool.flush()
        probe(spool)
        reader = ParquetReader(spool, limits)
    except FileError:
        spool.close()
        raise
    weakref.finalize(reader, spool.close)
    return reader


def _is_file(stream: BinaryIO) -> bool:
    try:
        stream.fileno()
    except (OSError, AttributeError):
        return False
    return stream.seekable()
