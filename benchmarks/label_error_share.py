"""The estimated share of wrong labels: how often its interval holds the planted share, always told and where it is told.

    python -m benchmarks.label_error_share [--data FOLDER] [--seeds 5] [--sizes 200,500,1000,2000,5000]

Labels of sms, digits and banking77 are drawn by chance, a share of them changed to another class, and judged by the
product's own folds. Printed are looks (seeds x planted shares), how many intervals hold the planted share, how many of
the looks numerics.label_errors.trusted tells, how many of these hold, and how far off the told ones are (mean, largest).
FOLDER holds sms.jsonl.gz and banking77.jsonl.gz (LABELAPP_SHARED_DATA/data/selection).
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.label_errors import PARENT
from benchmarks.selection_curves import Pool, read
from core.numerics.duplicates import NEAR, NEARLY_SAME, near_duplicates
from core.numerics.label_errors import expected_errors, out_of_fold, trusted
from core.numerics.results import Figure
from core.numerics.table import Ints

PLANTED = (0.0, 0.02, 0.05, 0.1, 0.2)


def look(pool: Pool, known: Ints, planted: float, seed: int) -> tuple[float, Figure, Figure] | None:
    """The share that was changed, the estimate, and what of it is told; None where too few labels can be judged."""
    rows = pool.rows.sparse[known]
    groups = near_duplicates(rows, NEARLY_SAME if pool.name == "digits" else NEAR).groups()
    rng = np.random.default_rng(seed)
    truth = pool.label[known]
    wrong = rng.random(truth.size) < planted
    label = np.where(wrong, (truth + rng.integers(1, pool.n_classes, truth.size)) % pool.n_classes, truth)
    judged = out_of_fold(rows, np.eye(pool.n_classes)[label], label, pool.tie[known], groups, seed=0)
    if judged is None:
        return None
    expected = expected_errors(label, judged, seed=0)
    told = trusted(expected, label, judged, np.ones(label.size, dtype=np.bool_))
    return float(wrong[judged.known].mean()), expected.share, told.share


def holds(figure: Figure, share: float) -> bool:
    """Whether the interval holds it."""
    return figure.ci is not None and figure.ci[0] <= share <= figure.ci[1]


def show(pool: Pool, size: int, seeds: int) -> None:
    """A line of the table."""
    found = []
    for seed in range(seeds):
        known = np.sort(np.random.default_rng(100 + seed).permutation(pool.label.size)[:size])
        found += [one for planted in PLANTED if (one := look(pool, known, planted, seed)) is not None]
    told = [(share, figure) for share, _always, figure in found if figure.value is not None]
    off = [abs(figure.value - share) for share, figure in told if figure.value is not None]
    print(
        f"{pool.name:10} {size:6,} labels: {len(found)} looks, held {sum(holds(one[1], one[0]) for one in found)}, "
        f"told {len(told)}, of these held {sum(holds(figure, share) for share, figure in told)}"
        + (f", off by {np.mean(off):.3f}, at most {max(off):.3f}" if off else "")
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=PARENT / "data" / "selection")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", default="200,500,1000,2000,5000")
    options = parser.parse_args()
    for name in ("sms", "digits", "banking77"):
        pool = read(name, options.data)
        if pool is None:
            continue
        for size in (int(text) for text in options.sizes.split(",")):
            if size <= pool.label.size:
                show(pool, size, options.seeds)


if __name__ == "__main__":
    main()
