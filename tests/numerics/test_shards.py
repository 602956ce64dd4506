"""Rows on disk: whole or not there, the same for everybody who reads them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from core.numerics.features import Rows
from core.numerics.shards import MOST_SEGMENTS, SHARD, MissingRows, Store
from core.numerics.table import Ints

WIDTH, N_DENSE = 50, 3


def ints(*numbers: int) -> Ints:
    return np.array(numbers, dtype=np.int64)


def rows_of(item: Ints, version: Ints) -> Rows:
    """Rows that tell whose they are."""
    dense = np.stack([item, version, item + version], axis=1).astype(np.float32)
    table = np.zeros((item.size, WIDTH), dtype=np.float32)
    table[np.arange(item.size), item % WIDTH] = version
    return Rows(sparse.csr_matrix(table), dense)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "rows", WIDTH, N_DENSE)


def again(store: Store) -> Store:
    """The same folder, read by another process."""
    return Store(store.folder, WIDTH, N_DENSE)


def put(store: Store, *item: int, version: int = 1) -> None:
    items = ints(*item)
    store.append(items, np.full(items.size, version), rows_of(items, np.full(items.size, version)))


def assert_there(store: Store, item: Ints, version: Ints) -> None:
    found, wanted = store.take(item, version), rows_of(item, version)
    assert (found.sparse != wanted.sparse).nnz == 0
    assert np.array_equal(found.dense, wanted.dense)


def test_rows_come_back_in_the_order_that_was_asked_for(store: Store) -> None:
    put(store, 5, 3, SHARD + 1, 3 * SHARD)
    put(store, 4, 1)

    for asked in (ints(1, 3, 4, 5), ints(3 * SHARD, 4, 5, SHARD + 1, 4), ints(4), ints()):
        assert_there(again(store), asked, np.ones_like(asked))


def test_versions_of_an_item_are_apart(store: Store) -> None:
    put(store, 1, 2, 3)
    put(store, 2, version=2)

    assert_there(store, ints(2, 2, 1), ints(2, 1, 1))
    assert store.missing(ints(1, 2, 2, 3), ints(2, 2, 3, 1)).tolist() == [True, False, True, False]


def test_what_is_not_there_is_said(store: Store) -> None:
    assert store.missing(ints(1), ints(1)).all()
    put(store, 1)
    with pytest.raises(MissingRows):
        store.take(ints(1, 2), ints(1, 1))


def test_two_processes_may_keep_the_same_rows(store: Store) -> None:
    other = again(store)
    put(store, 1, 2, 3)
    put(other, 2, 3, 4)

    for reader in (store, other):
        assert_there(reader, ints(1, 2, 3, 4), ints(1, 1, 1, 1))


def test_many_segments_become_one_and_readers_keep_theirs(store: Store) -> None:
    put(store, 0)
    reader = again(store)
    early = reader.take(ints(0), ints(1))

    for item in range(1, MOST_SEGMENTS + 3):
        put(store, item)

    everything = np.arange(MOST_SEGMENTS + 3)
    assert len(list(store.folder.iterdir())) <= MOST_SEGMENTS
    assert_there(reader, everything, np.ones_like(everything))
    assert early.dense[0].tolist() == [0, 1, 1]


def test_a_run_of_rows_is_not_copied(store: Store) -> None:
    put(store, *range(100))

    found = store.take(np.arange(10, 90), np.ones(80, dtype=np.int64))

    assert not found.dense.flags.owndata
    assert not found.sparse.data.flags.owndata


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "foreign"])
@pytest.mark.parametrize("place", [0.02, 0.2, 0.5, 0.99])
def test_a_damaged_segment_is_dropped_and_can_be_made_again(store: Store, damage: str, place: float) -> None:
    put(store, *range(300))
    (path,) = store.folder.iterdir()
    content = bytearray(path.read_bytes())
    at = int(len(content) * place)
    if damage == "flipped":
        content[at] ^= 0x40
    damaged = {"torn": content[:at], "empty": bytearray(), "foreign": bytearray(500), "flipped": content}
    path.write_bytes(damaged[damage])

    reader = again(store)
    absent = reader.missing(np.arange(300), np.ones(300, dtype=np.int64))

    assert absent.all() or (damage == "flipped" and not absent.any())  # a flip may hit the padding
    put(reader, *range(300))
    assert_there(reader, np.arange(300), np.ones(300, dtype=np.int64))


def test_what_a_killed_writer_left_is_not_read(store: Store) -> None:
    put(store, 1)
    (path,) = store.folder.iterdir()
    (store.folder / ".half").write_bytes(path.read_bytes()[:50])

    assert_there(again(store), ints(1), ints(1))


def test_rows_of_nothing_are_rows(store: Store) -> None:
    item, version = ints(1, 2), ints(1, 1)
    nothing = Rows(sparse.csr_matrix((2, WIDTH), dtype=np.float32), np.zeros((2, N_DENSE), dtype=np.float32))
    store.append(item, version, nothing)

    found = again(store).take(item[::-1], version)

    assert (found.sparse.nnz, found.sparse.shape) == (0, (2, WIDTH))
    assert not found.dense.any()


def test_many_who_append_and_merge_at_once_lose_nothing(store: Store) -> None:
    def append(first: int) -> None:
        own = again(store)
        for item in range(first, 60, 2):
            put(own, item)
            assert_there(own, ints(first, item), ints(1, 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, [0, 1, 2, 3]))

    assert_there(again(store), np.arange(60), np.ones(60, dtype=np.int64))
    assert len(list(store.folder.iterdir())) <= 2 * MOST_SEGMENTS
