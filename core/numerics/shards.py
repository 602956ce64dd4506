"""Rows of features on disk: append-only files by item, read through memory maps.

Shard k holds the items with ``id // 65536 == k``, in one or a few files called segments. A segment is written whole
under another name and then renamed; it never changes afterwards. Several processes may append at once, even the same
rows: whatever is there twice is the same and is read once. When a shard has many segments, one that holds them all
takes their place; who reads the old ones keeps the maps. A segment that is torn or damaged is removed when it
is opened, so that its rows are missing and computed again.
"""

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from scipy import sparse

from core.numerics.features import Rows
from core.numerics.table import Bools, Ints

SHARD = 1 << 16
MOST_SEGMENTS = 8
_MAGIC = b"labelapp rows 1\n"
_ALIGN = 64
_VERSION_BITS = 16
_SUFFIX = ".rows"
_LONGEST_HEAD = 10_000
_AT_ONCE = 1 << 20  # bytes


class MissingRows(KeyError):  # noqa: N818 -- says what is missing
    """Rows that were asked for are not in the store."""


@dataclass(frozen=True, eq=False)
class _Segment:
    path: Path
    key: Ints
    rows: Rows


class Store:
    """The rows of one version of a project's features, on this machine.

    ``width`` and ``n_dense`` are the columns of the sparse and the dense form.
    """

    def __init__(self, folder: Path, width: int, n_dense: int) -> None:
        self.folder = folder
        self.width = width
        self.n_dense = n_dense
        self._open: dict[str, _Segment] = {}

    def append(self, item: Ints, version: Ints, rows: Rows) -> None:
        """Keep the rows of some items; durable when it returns. Those that are there already may be given again."""
        order = np.lexsort((version, item))
        for shard, places in _by_shard(item[order]):
            here = order[places]
            self._write(shard, _key(item[here], version[here]), _taken(rows, here))
            self._merge(shard)

    def missing(self, item: Ints, version: Ints) -> Bools:
        """Which of these rows are not here."""
        absent = np.ones(item.size, dtype=np.bool_)
        for shard, places in _by_shard(item):
            key = _key(item[places], version[places])
            for segment in self._segments(shard):
                absent[places[_found(segment.key, key) >= 0]] = False
        return absent

    def take(self, item: Ints, version: Ints) -> Rows:
        """The rows of these items, in this order. A run of rows that lie together is not copied.

        Raises MissingRows where one is not here.
        """
        blocks: list[Rows] = []
        places: list[Ints] = []
        for shard, where in _by_shard(item):
            key = _key(item[where], version[where])
            open_ = np.ones(key.size, dtype=np.bool_)
            for segment in self._segments(shard):
                found = _found(segment.key, key)
                here = np.flatnonzero(open_ & (found >= 0))
                if here.size:
                    blocks.append(_taken(segment.rows, found[here]))
                    places.append(where[here])
                    open_[here] = False
            if open_.any():
                raise MissingRows(f"{np.count_nonzero(open_)} rows of shard {shard}")
        return _joined(blocks, places, self.width, self.n_dense)

    def _names(self, shard: int) -> list[str]:
        try:
            found = [entry.name for entry in os.scandir(self.folder)]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if name.endswith(_SUFFIX) and _shard_of(name) == shard)

    def _segments(self, shard: int) -> list[_Segment]:
        """The shard's sound segments. Damaged ones are removed; only one shard's stay open, to bound the memory."""
        names = self._names(shard)
        self._open = {name: segment for name, segment in self._open.items() if name in names}
        for name in names:
            if name not in self._open:
                try:
                    self._open[name] = self._read(self.folder / name)
                except FileNotFoundError:  # merged away in between
                    return self._segments(shard)
                except (ValueError, KeyError, TypeError):
                    (self.folder / name).unlink(missing_ok=True)
        return [self._open[name] for name in names if name in self._open]

    def _read(self, path: Path) -> _Segment:
        """Raises ValueError, KeyError or TypeError where the file is not a whole segment of this store."""
        arrays = _unpacked(path)
        key, indptr, indices, data = (arrays[name] for name in ("key", "indptr", "indices", "data"))
        shape = (key.size, self.width)
        dense = arrays["dense"].reshape(key.size, self.n_dense)
        return _Segment(path, key, Rows(sparse.csr_matrix((data, indices, indptr), shape, copy=False), dense))

    def _write(self, shard: int, key: Ints, rows: Rows) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self.folder / f".{uuid4().hex}"
        path = self.folder / f"{shard:08}-{uuid4().hex}{_SUFFIX}"
        arrays = {
            "key": key.astype(np.int64),
            "indptr": rows.sparse.indptr.astype(np.int32),
            "indices": rows.sparse.indices.astype(np.int32),
            "data": rows.sparse.data.astype(np.float32),
            "dense": np.ascontiguousarray(rows.dense, dtype=np.float32),
        }
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                _pack(arrays, file)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        part.replace(path)

    def _merge(self, shard: int) -> None:
        """One segment for many."""
        if len(self._names(shard)) <= MOST_SEGMENTS:
            return
        segments = self._segments(shard)
        key, first = np.unique(np.concatenate([segment.key for segment in segments]), return_index=True)
        rows = Rows.stacked([segment.rows for segment in segments])
        self._write(shard, key, _taken(rows, first))
        for segment in segments:
            segment.path.unlink(missing_ok=True)


def _key(item: Ints, version: Ints) -> Ints:
    return (item.astype(np.int64) << _VERSION_BITS) | version.astype(np.int64)


def _shard_of(name: str) -> int:
    head = name.split("-", 1)[0]
    return int(head) if head.isdigit() else -1


def _by_shard(item: Ints) -> Iterator[tuple[int, Ints]]:
    """Each shard with the places of its items."""
    shard = item // SHARD
    order = np.argsort(shard, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(shard[order])) + 1):
        if places.size:
            yield int(shard[places[0]]), places


def _found(known: Ints, key: Ints) -> Ints:
    """Where each key stands among the known ones (ascending), or -1."""
    if known.size == 0:
        return np.full(key.size, -1, dtype=np.intp)
    place = np.minimum(np.searchsorted(known, key), known.size - 1)
    return np.where(known[place] == key, place, -1)


def _taken(rows: Rows, places: Ints) -> Rows:
    """Some of the rows; views where they are one run."""
    if places.size and places[-1] - places[0] == places.size - 1 and bool((np.diff(places) == 1).all()):
        first, last = int(places[0]), int(places[-1]) + 1
        if last - first == len(rows):
            return rows
        indptr = rows.sparse.indptr[first : last + 1]
        span = slice(int(indptr[0]), int(indptr[-1]))
        part = (rows.sparse.data[span], rows.sparse.indices[span], indptr - indptr[0])
        return Rows(
            sparse.csr_matrix(part, (places.size, rows.sparse.shape[1]), copy=False), rows.dense[first:last]
        )
    return Rows(rows.sparse[places], rows.dense[places])


def _joined(blocks: list[Rows], places: list[Ints], width: int, n_dense: int) -> Rows:
    """The blocks' rows, each at its place."""
    if not blocks:
        return Rows(sparse.csr_matrix((0, width), dtype=np.float32), np.zeros((0, n_dense), dtype=np.float32))
    return _taken(Rows.stacked(blocks), np.argsort(np.concatenate(places), kind="stable"))


# --- Files ------------------------------------------------------------------------------------------

_sound: set[tuple[str, int]] = set()  # files whose checksums this process has seen to be right


def _pack(arrays: dict[str, npt.NDArray[Any]], file: Any) -> None:
    """Magic words, the length of a head, the head (JSON: type, size, checksum of each array), the arrays."""
    head = {
        name: {"dtype": array.dtype.str, "size": array.size, "crc": zlib.crc32(_bytes(array))}
        for name, array in arrays.items()
    }
    text = json.dumps(head).encode()
    start = _aligned(len(_MAGIC) + 8 + len(text))
    file.write((_MAGIC + len(text).to_bytes(8, "little") + text).ljust(start, b"\0"))
    for array in arrays.values():
        file.write(_bytes(array))
        file.write(b"\0" * (_aligned(array.nbytes) - array.nbytes))


def _unpacked(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays as views of the file. Raises ValueError, KeyError or TypeError where something is not as it was
    written, which is looked at once per process.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("not a segment")
        length = int.from_bytes(file.read(8), "little")
        head = json.loads(file.read(min(length, _LONGEST_HEAD)))
        start = _aligned(len(_MAGIC) + 8 + length)
        state = os.fstat(file.fileno())
        seen = (str(path), state.st_mtime_ns)
        spans = {}
        for name, said in head.items():
            size = int(said["size"]) * np.dtype(said["dtype"]).itemsize
            spans[name] = (start, start + size, np.dtype(said["dtype"]))
            if start + size > state.st_size or (
                seen not in _sound and _crc(file, start, size) != said["crc"]
            ):
                raise ValueError(f"{name} is damaged")
            start += _aligned(size)
    _sound.add(seen)
    content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    return {name: content[first:last].view(dtype) for name, (first, last, dtype) in spans.items()}


def _crc(file: BinaryIO, start: int, size: int) -> int:
    """The checksum of a stretch of a file, by reading: a map would count as this process' memory."""
    file.seek(start)
    crc = 0
    while size > 0 and (part := file.read(min(size, _AT_ONCE))):
        crc = zlib.crc32(part, crc)
        size -= len(part)
    return crc


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    """An array's bytes, not copied."""
    return memoryview(array.ravel().view(np.uint8).data)


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN
