"""Planted wrong labels: how many are in the first tenth of the list, beside cleanlab as its documentation has it.

    python -m benchmarks.label_errors [--data FOLDER] [--seeds 5]

A twentieth of the labels of sms (texts, 2 classes) and digits (64 numbers as a vector, 10 classes) is changed to
another class, drawn evenly. Ours are the product's own features, near-duplicates, folds and order. cleanlab beside it
gets `cross_val_predict(LogisticRegression, cv=5, method="predict_proba")` on TF-IDF vectors (sms) or pixels (digits)
and `get_label_quality_scores` with its defaults. Printed are the share of the planted ones in the first 10 % of the
labels (mean, worst seed), the same for other scores on our probabilities, the expected share of wrong labels with how
often its interval covers the planted share, and what near-duplicates find. FOLDER holds sms.jsonl.gz
(LABELAPP_SHARED_DATA/data/selection).
"""

import argparse
import gzip
import json
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from core.numerics.duplicates import NEAR, NEARLY_SAME, near_duplicates
from core.numerics.features import Datum, choose_spec, fit_basis, transform
from core.numerics.label_errors import (
    Judged,
    by_confidence,
    by_duplicates,
    expected_errors,
    out_of_fold,
)
from core.numerics.table import Bools, Floats, Ints

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared")
PLANTED, FIRST = 0.05, 0.1
SCORES = {
    "normalised margin": ("normalized_margin", False),
    "self-confidence": ("self_confidence", False),
    "self-confidence, adjusted": ("self_confidence", True),
    "normalised margin, adjusted": ("normalized_margin", True),
    "confidence-weighted entropy": ("confidence_weighted_entropy", False),
}


def tie_of(name: str) -> int:
    """As selectors.features has it, which this does without."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True, eq=False)
class Labels:
    """Items with their true classes, as the product and as cleanlab's documentation read them."""

    name: str
    sparse: sp.csr_matrix
    plain: "sp.csr_matrix | Floats"
    truth: Ints
    tie: np.ndarray
    near: float


def sms(folder: Path) -> Labels:
    """The texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    with gzip.open(folder / "sms.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    data = [Datum(row["data"]) for row in rows]
    truth = np.unique([row["gold"] for row in rows], return_inverse=True)[1]
    plain = TfidfVectorizer().fit_transform([row["data"]["text"] for row in rows])
    tie = np.array([tie_of(row["id"]) for row in rows], dtype=np.uint64)
    return Labels("sms", _sparse(data), plain, truth.astype(np.intp), tie, NEAR)


def digits() -> Labels:
    """The digits of scikit-learn, as vectors that somebody brought."""
    from sklearn.datasets import load_digits

    found = load_digits()
    data = [
        Datum({"name": str(row)}, None, vector.astype(np.float32)) for row, vector in enumerate(found.data)
    ]
    tie = np.array([tie_of(f"digit {row}") for row in range(len(data))], dtype=np.uint64)
    return Labels("digits", _sparse(data), found.data / 16, found.target.astype(np.intp), tie, NEARLY_SAME)


def _sparse(data: list[Datum]) -> sp.csr_matrix:
    spec = choose_spec(data[:500], {}, n_items=len(data))
    return transform(spec, fit_basis(spec, data), data).sparse


def plant(truth: Ints, seed: int) -> tuple[Ints, Bools]:
    """The labels with a twentieth of them wrong, and which."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros(truth.size, dtype=np.bool_)
    wrong[rng.choice(truth.size, round(PLANTED * truth.size), replace=False)] = True
    k = int(truth.max()) + 1
    return np.where(wrong, (truth + rng.integers(1, k, truth.size)) % k, truth), wrong


def found_first(order: Ints, wrong: Bools) -> float:
    """The share of the wrong ones in the first tenth of the labels."""
    return float(wrong[order[: round(FIRST * wrong.size)]].sum() / wrong.sum())


def directly(labels: Labels, label: Ints) -> Ints:
    """The order of cleanlab on the probabilities that its documentation would give it."""
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    model = LogisticRegression(max_iter=1000)
    probability = cross_val_predict(model, labels.plain, label, cv=5, method="predict_proba")
    order: Ints = np.argsort(get_label_quality_scores(label, probability), kind="stable")
    return order


def by_score(label: Ints, judged: Judged, method: str, *, adjusted: bool) -> Ints:
    """Another of cleanlab's scores on our probabilities."""
    from cleanlab.rank import get_label_quality_scores

    score = get_label_quality_scores(label, judged.probability, method=method, adjust_pred_probs=adjusted)
    order: Ints = np.argsort(score, kind="stable")
    return order


def show(labels: Labels, seeds: int) -> None:
    """The table of one set."""
    started = time.process_time()
    pairs = near_duplicates(labels.sparse, labels.near)
    print(
        f"\n{labels.name}: {labels.truth.size:,} labels, {pairs.first.size:,} pairs of near-duplicates "
        f"({time.process_time() - started:.2f} s)"
    )
    found: dict[str, list[float]] = defaultdict(list)
    shares, covered, seconds, duplicates = [], 0, 0.0, []
    k = int(labels.truth.max()) + 1
    for seed in range(seeds):
        label, wrong = plant(labels.truth, seed)
        target = np.eye(k)[label]
        started = time.process_time()
        judged = out_of_fold(labels.sparse, target, label, labels.tie, pairs.groups(), seed=0)
        assert judged is not None
        doubts = by_confidence(label, judged, labels.tie)
        seconds += time.process_time() - started
        found["ours"].append(found_first(doubts.row, wrong))
        found["cleanlab directly"].append(found_first(directly(labels, label), wrong))
        for name, (method, adjusted) in SCORES.items():
            order = by_score(label, judged, method, adjusted=adjusted)
            found[f"our probabilities, {name}"].append(found_first(order, wrong))
        alone = np.arange(label.size)
        free = out_of_fold(labels.sparse, target, label, labels.tie, alone, seed=0)
        assert free is not None
        found["ours, near-duplicates in any fold"].append(
            found_first(by_confidence(label, free, labels.tie).row, wrong)
        )
        expected = expected_errors(label, judged, seed=0).share
        assert expected.value is not None
        assert expected.ci is not None
        shares.append(expected.value)
        covered += expected.ci[0] <= wrong.mean() <= expected.ci[1]
        listed = by_duplicates(pairs, label, judged, labels.tie).row
        duplicates.append((listed.size, int(wrong[listed].sum())))
    for name, values in found.items():
        print(f"  {name:48} {np.mean(values):.3f}  worst {min(values):.3f}")
    print(f"  expected share of wrong labels {np.mean(shares):.3f}, interval covers {covered} of {seeds}")
    print(f"  near-duplicates that differ: {duplicates} (listed, of these planted)")
    print(f"  {seconds / seeds:.2f} CPU-s per look")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=PARENT / "data" / "selection")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for labels in (sms(options.data), digits()):
        show(labels, options.seeds)


if __name__ == "__main__":
    main()
