"""Label spreading beside plain training on the same labels, and what the product would have said of it.

    python -m benchmarks.spreading [--data FOLDER] [--seeds 5]

Items are those of sms, banking77 and digits; 50, 100, 300 and 1,000 of them, drawn at random, have their true label. All
other items are judged: accuracy of the product's classifier, of spreading, of the labels that spreading is confident
of (and their share), means over the seeds. Then the comparison as a project sees it, which has 300 labelled items of a
holdout to judge by: how often spreading is offered, and how often it was then truly not worse on all other items.
FOLDER holds sms.jsonl.gz and banking77.jsonl.gz (LABELAPP_SHARED_DATA/data/selection).
"""

import argparse
import gzip
import json
import os
import time
from hashlib import blake2b
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from core.numerics.classifier import train
from core.numerics.features import Datum, Rows, choose_spec, fit_basis, transform
from core.numerics.spreading import CONFIDENT, compare, neighbour_graph, spread
from core.numerics.table import Ints

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared")
SIZES = (50, 100, 300, 1_000)
HELD = 300


def tie_of(name: str) -> int:
    """As selectors.features has it, which this does without."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def texts(folder: Path, name: str) -> tuple[list[Datum], Ints]:
    """Items and classes of a set of texts."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    truth = np.unique([row["gold"] for row in rows], return_inverse=True)[1]
    return [Datum(row["data"]) for row in rows], truth.astype(np.intp)


def digits() -> tuple[list[Datum], Ints]:
    """The digits of scikit-learn, as vectors that somebody brought."""
    from sklearn.datasets import load_digits

    found = load_digits()
    data = [
        Datum({"name": str(row)}, None, vector.astype(np.float32)) for row, vector in enumerate(found.data)
    ]
    return data, found.target.astype(np.intp)


def features(data: list[Datum]) -> Rows:
    """Rows as the product makes them."""
    spec = choose_spec(data[:500], {}, n_items=len(data))
    return transform(spec, fit_basis(spec, data), data)


def show(name: str, data: list[Datum], truth: Ints, seeds: int) -> None:
    """The table of one set."""
    rows, k = features(data), int(truth.max()) + 1
    tie = np.array([tie_of(f"{name} {number}") for number in range(truth.size)], dtype=np.uint64)
    started = time.process_time()
    graph = neighbour_graph(rows.sparse, rows.dense, tie)
    print(f"\n{name}: {truth.size:,} items, {k} classes, graph {time.process_time() - started:.1f} CPU-s")
    print("  labels  trained  spread  confident (share)   offered, not worse then   CPU-s")
    for size in SIZES:
        found = []
        offered = fine = 0
        started = time.process_time()
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(truth.size)
            labelled, held, rest = order[:size], order[size : size + HELD], order[size:]
            target = np.eye(k)[truth[labelled]]
            told = spread(graph, labelled, target)
            model = train(rows.sparse[labelled], target, seed=0)
            assert model is not None
            ours = told.share[rest].argmax(axis=1) == truth[rest]
            theirs = model.probabilities(rows.sparse[rest]).argmax(axis=1) == truth[rest]
            sure = told.confidence[rest] >= CONFIDENT
            found.append(
                (theirs.mean(), ours.mean(), ours[sure].mean() if sure.any() else np.nan, sure.mean())
            )
            both = sp.vstack([rows.sparse[labelled], rows.sparse[held]], format="csr")
            judged = compare(graph, both, labelled, target, judge=held, label=truth[held], seed=0)
            offered += judged.offered
            fine += judged.offered and bool(ours.mean() >= theirs.mean())
        trained, spreading, confident, share = np.nanmean(found, axis=0)
        print(
            f"  {size:6,}  {trained:7.3f}  {spreading:6.3f}  {confident:9.3f} ({share:.2f})"
            f"   {offered} of {seeds}, {fine:13}   {(time.process_time() - started) / seeds:12.2f}"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=PARENT / "data" / "selection")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    show("digits", *digits(), options.seeds)
    for name in ("sms", "banking77"):
        show(name, *texts(options.data, name), options.seeds)


if __name__ == "__main__":
    main()
