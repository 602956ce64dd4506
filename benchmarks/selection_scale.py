"""Train, score and pick 50 diverse items of 10 thousand, 100 thousand and a million, beside a bare product and peers.

    python -m benchmarks.selection_scale [--items 10000 100000 1000000] [--folder FOLDER] [--skip-peers] [--peers FOLDER]

Texts of 200 characters, ten classes, 1,000 labels. Features are made once by the product's own code and kept in
FOLDER (else thrown away); their time and memory are told apart. Each selection runs in a process of its own, on one
thread, over the memory-mapped features: the classifier is trained, every part scored, the candidates merged, and 50
chosen by margin within clusters. The yardstick is one float32 product of the same maps with weights of the
same shape, warm, in the same process, in turns with it; both are the best of three. All seconds are the processor's, so
that a busy machine changes little. Peers run on the smallest set, each in an environment of its own (made once by
uv), with the LogisticRegression of their documentation, at its default strength and at ours; ours is measured again
right after each, by plain margin where the peer has no diversity. None of them is part of what ships.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from core.numerics.features import Datum, Rows, Spec, choose_spec, fit_basis, transform
from core.numerics.selection import Picks, choose, fit_state, merge, score_part
from core.numerics.shards import SHARD, Store
from core.numerics.strategies.base import Labelled, Part

CHARACTERS, WORDS, VOCABULARY, TOPIC_WORDS = 200, 46, 50_000, 300
CLASSES, LABELS, PICKS, SEED = 10, 1_000, 50, 1
SAMPLE, CHUNK, TIMES = 20_000, 8_192, 3
LONGEST_PEER = 900
STRENGTHS = (1, 10)  # of LogisticRegression: its default, and as ours
DIVERSE, PLAIN = "hybrid", "margin"
AUDIT = 0.12
PEERS = {
    "smalltext_breaking_ties": ["small-text==1.4.1"],
    "modal_margin": ["modAL-python==0.4.2.1", "scikit-learn<1.8"],
    "modal_ranked_batch": ["modAL-python==0.4.2.1", "scikit-learn<1.8"],
}
ONE_THREAD = {
    **os.environ,
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
Labels = npt.NDArray[np.int64]


# --- Texts and their features -------------------------------------------------------------------------


class Texts:
    """Texts of words that are as frequent as words are (Zipf); one in eight is of the text's class."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        letters = rng.integers(97, 123, size=(VOCABULARY, 9)).astype(np.uint8)
        lengths = rng.integers(2, 10, size=VOCABULARY)
        self._words = np.array(
            [bytes(row[:n]).decode() for row, n in zip(letters, lengths, strict=True)], dtype=object
        )
        share = 1 / (np.arange(VOCABULARY) + 2.7)
        self._cumulative = np.cumsum(share / share.sum())
        self._topics = rng.integers(1_000, VOCABULARY, size=(CLASSES, TOPIC_WORDS))

    def chunk(self, start: int, size: int) -> tuple[list[str], Labels]:
        """Some texts with their classes, the same in every run."""
        rng = np.random.default_rng((7, start))
        label = rng.integers(CLASSES, size=size)
        places = np.searchsorted(self._cumulative, rng.random((size, WORDS)))
        topical = self._topics[label[:, None], rng.integers(TOPIC_WORDS, size=(size, WORDS))]
        places = np.where(rng.random((size, WORDS)) < 0.125, topical, places)
        words = self._words[np.minimum(places, VOCABULARY - 1)]
        return [" ".join(row)[:CHARACTERS].ljust(CHARACTERS, "x") for row in words], label


def chunks(items: int) -> Iterator[tuple[int, list[Datum], Labels]]:
    """All texts as the product reads them, a chunk at a time, with the first one's number and the classes."""
    texts = Texts()
    for start in range(0, items, CHUNK):
        found, label = texts.chunk(start, min(CHUNK, items - start))
        yield start, [Datum({"text": text}) for text in found], label


def make_features(items: int, folder: Path) -> None:
    """Write the rows of all texts, a shard at a time, and what a selection has to know of them."""
    began = time.process_time()
    sample: list[Datum] = []
    for _start, data, _label in chunks(min(items, SAMPLE)):
        sample += data
    spec = choose_spec(sample[:500], {"text": "text"}, n_items=items)
    basis = fit_basis(spec, sample[:SAMPLE])
    fitted = time.process_time() - began
    del sample
    store = Store(folder / "store", spec.width, spec.n_dense)
    labels, blocks, busy = [], [], 0.0
    for start, data, label in chunks(items):
        labels.append(label)
        begin = time.process_time()
        blocks.append(transform(spec, basis, data))
        end = start + len(data)
        if end % SHARD == 0 or end == items:
            rows = Rows.stacked(blocks)
            item = np.arange(end - len(rows), end)
            store.append(item, np.ones_like(item), rows)
            blocks = []
        busy += time.process_time() - begin
    (folder / "basis").write_bytes(basis.to_bytes())
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    np.save(folder / "labels.npy", np.concatenate(labels))
    report = {"basis_seconds": fitted, "seconds": busy, "peak_mb": peak_mb()}
    (folder / "features.json").write_text(json.dumps(report))


# --- One selection ------------------------------------------------------------------------------------


class Pool:
    """The features as a worker has them, the labels that there are, and which items may be chosen."""

    def __init__(self, folder: Path) -> None:
        self.spec = Spec.from_json(json.loads((folder / "spec.json").read_text()))
        self.store = Store(folder / "store", self.spec.width, self.spec.n_dense)
        self.truth = np.load(folder / "labels.npy")
        self.items = len(self.truth)
        rng = np.random.default_rng(3)
        self.tie = rng.integers(2**63, size=self.items).astype(np.uint64)
        audit = rng.random(self.items) < AUDIT
        self.chosen = np.sort(rng.choice(np.flatnonzero(~audit), size=LABELS, replace=False))
        self.label = self.truth[self.chosen]
        self.open = ~audit
        self.open[self.chosen] = False

    def rows(self, item: Labels) -> Rows:
        """Features of some items."""
        return self.store.take(item, np.ones_like(item))

    def labelled(self) -> Labelled:
        """The labelled rows, with all of each item's target on one class."""
        rows = self.rows(self.chosen)
        return Labelled(rows.sparse, rows.dense, np.eye(CLASSES)[self.label], self.tie[self.chosen])

    def parts(self) -> Iterator[Part]:
        """What may be chosen, a shard at a time."""
        for item in self.shards():
            left = item[self.open[item]]
            rows = self.rows(left)
            yield Part(left, self.tie[left], rows.sparse, rows.dense)

    def shards(self) -> Iterator[Labels]:
        """All items, a shard at a time."""
        for start in range(0, self.items, SHARD):
            yield np.arange(start, min(start + SHARD, self.items))


def select(folder: Path) -> dict[str, Any]:
    """Seconds of the stages of a selection by each strategy, its memory, and the yardstick's seconds."""
    pool = Pool(folder)
    with memory() as used:
        first = once(pool, DIVERSE)
    product(pool)
    bare, runs = [], {DIVERSE: [first], PLAIN: [once(pool, PLAIN)]}
    for _ in range(TIMES):  # in turns, so that all have the same share of a busy machine
        bare.append(product(pool))
        for strategy, found in runs.items():
            found.append(once(pool, strategy))
    for found in runs.values():
        assert len({picks.item.tobytes() for picks, _ in found}) == 1
    stages = {
        strategy: min((seconds for _, seconds in found[1:]), key=lambda seconds: sum(seconds.values()))
        for strategy, found in runs.items()
    }
    entries = sum(pool.rows(item).sparse.nnz for item in pool.shards())
    return {
        "entries_per_row": entries / pool.items,
        "product": min(bare),
        "stages": stages,
        "memory": used,
        "accuracy": accuracy(pool),
    }


def once(pool: Pool, strategy: str) -> tuple[Picks, dict[str, float]]:
    """One selection, with the seconds of its stages."""
    marks = [time.process_time()]
    state = fit_state(strategy, pool.labelled(), SEED, n_pool=pool.items)
    marks.append(time.process_time())
    candidates = merge([score_part(strategy, state, part, PICKS) for part in pool.parts()])
    marks.append(time.process_time())
    picks = choose(strategy, state, candidates, PICKS, SEED)
    marks.append(time.process_time())
    return picks, dict(zip(("train", "score", "choose"), np.diff(marks).tolist(), strict=True))


def product(pool: Pool) -> float:
    """Seconds of one pass of CSR @ W over all rows of the same maps, in float32; opening the files is not counted."""
    weights = np.random.default_rng(2).standard_normal((pool.spec.width, CLASSES)).astype(np.float32)
    seconds = 0.0
    for item in pool.shards():
        rows = pool.rows(item).sparse
        begin = time.process_time()
        found = rows @ weights
        seconds += time.process_time() - begin
        assert found.dtype == np.float32
    return seconds


def accuracy(pool: Pool) -> float:
    """The classifier's share of right answers on what is not labelled."""
    model = fit_state(PLAIN, pool.labelled(), SEED).model
    right = sum(
        np.count_nonzero(model.scores(part.sparse).argmax(axis=1) == pool.truth[part.item])
        for part in pool.parts()
    )
    return float(right / np.count_nonzero(pool.open))


def peak_mb() -> int:
    """The process's largest resident memory so far, maps included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def memory() -> Iterator[dict[str, int]]:
    """The largest resident memory in MB, and the largest of its own and of the maps' part (shared between workers)."""
    used = {"peak": 0, "own": 0, "maps": 0}
    done = threading.Event()

    def look() -> None:
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            sizes = {
                name: int(rest.split()[0]) >> 10
                for name, _, rest in (line.partition(":") for line in lines)
                if name.startswith("Rss")
            }
            used["own"] = max(used["own"], sizes["RssAnon"])
            used["maps"] = max(used["maps"], sizes["RssFile"] + sizes["RssShmem"])
            if done.wait(0.01):
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield used
    finally:
        done.set()
        watcher.join()
        used["peak"] = peak_mb()


# --- Peers --------------------------------------------------------------------------------------------


def peer(name: str, folder: Path, arrays: Path, strength: int) -> dict[str, Any]:
    """A peer's seconds on the same features and labels; what it said where it could not be installed or did not end."""
    home = folder / "-".join(PEERS[name]).replace("<", "-below-")
    python = home / "bin" / "python"
    try:
        if not python.exists():
            uv = [sys.executable, "-m", "uv"]
            subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(home)], check=True)
            install = [*uv, "pip", "install", "-q", "--python", str(python), *PEERS[name]]
            subprocess.run(install, check=True)
        command = [str(python), str(Path(__file__).with_name("peers.py")), name, str(arrays), str(strength)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=LONGEST_PEER, env=ONE_THREAD
        )
    except subprocess.CalledProcessError as error:
        return {"failed": str(error.stderr or error).strip().splitlines()[-1]}
    except subprocess.TimeoutExpired:
        return {"failed": f"did not end within {LONGEST_PEER} s"}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def beside_peers(folder: Path, environments: Path) -> None:
    """Each peer's seconds, and how many times ours they are, measured right after: in all, and without the training."""
    pool = Pool(folder)
    rows = sparse.vstack([pool.rows(item).sparse for item in pool.shards()], format="csr")
    with tempfile.TemporaryDirectory() as scratch:
        arrays = Path(scratch) / "pool.npz"
        np.savez(
            arrays,
            data=rows.data,
            indices=rows.indices,
            indptr=rows.indptr,
            width=rows.shape[1],
            chosen=pool.chosen,
            open=np.flatnonzero(pool.open),
            truth=pool.truth,
        )
        print(
            f"\nPeers on {pool.items:,} items, one run each on one thread, same features and labels; C is of LogisticRegression"
        )
        print(f"{'':34}{'train s':>9}{'query s':>9}{'accuracy':>10}{'ours s':>9}{'times':>7}{'query':>7}")
        for name, strength in itertools.product(PEERS, STRENGTHS):
            theirs = peer(name, environments, arrays, strength)
            title = f"{name}, C = {strength}"
            if "failed" in theirs:
                print(f"{title:34}{theirs['failed']}")
                continue
            ours = json.loads(child("--select", str(folder)))
            stages = ours["stages"][DIVERSE if name == "modal_ranked_batch" else PLAIN]
            all_of_it, query = sum(stages.values()), stages["score"] + stages["choose"]
            print(
                f"{title:34}{theirs['train']:9.2f}{theirs['query']:9.3f}{theirs['accuracy']:10.3f}{all_of_it:9.3f}"
                f"{(theirs['train'] + theirs['query']) / all_of_it:6.0f}x{theirs['query'] / query:6.0f}x",
                flush=True,
            )


# --- The table ----------------------------------------------------------------------------------------


def child(*words: str) -> str:
    """Run one step in a process of its own, on one thread."""
    command = [sys.executable, "-m", "benchmarks.selection_scale", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ONE_THREAD).stdout


def measure(items: int, root: Path) -> None:
    """Features if they are not there, then a selection: one row of the table."""
    folder = root / str(items)
    if not (folder / "features.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        child("--make", str(items), str(folder))
    made = json.loads((folder / "features.json").read_text())
    found = json.loads(child("--select", str(folder)))
    stages, used = found["stages"][DIVERSE], found["memory"]
    total = sum(stages.values())
    print(
        f"{items:10,}{found['entries_per_row']:9.0f}{items / made['seconds']:10,.0f}{made['peak_mb']:9}"
        f"{stages['train']:9.3f}{stages['score']:9.3f}{stages['choose']:9.3f}{total:9.3f}"
        f"{found['product']:10.3f}{total / found['product']:7.2f}"
        f"{used['peak']:9}{used['own']:7}{used['maps']:7}{found['accuracy']:10.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--peers", type=Path, default=Path("data/peers"))
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--select", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_features(int(options.make[0]), Path(options.make[1]))
        return
    if options.select:
        print(json.dumps(select(options.select)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        print(
            f"{'':10}{'entries':>9}{'features':>19}{'seconds to':>18}{'':18}{'one CSR @':>10}{'':7}{'memory MB':>23}"
        )
        print(
            f"{'items':>10}{'a row':>9}{'rows/s':>10}{'peak MB':>9}{'train':>9}{'score':>9}{'choose':>9}{'all':>9}"
            f"{'W, s':>10}{'ratio':>7}{'peak':>9}{'own':>7}{'maps':>7}{'accuracy':>10}"
        )
        for items in sorted(options.items):
            measure(items, root)
        if not options.skip_peers:
            beside_peers(root / str(min(options.items)), options.peers)


if __name__ == "__main__":
    main()
