"""How near the replayed cost of random labels comes to the true one, on real data whose labels are all known.

    nice -n 19 python -m benchmarks.random_cost [--sets sms banking77 digits] [--seeds 6]

A model is trained on half as many, as many, twice and four times as many labels by chance as the replay may look at
(200; of digits 100), so that what random labels cost for its quality is known. Quality is measured on 300 items.
The replay sees other labels and the same 300 items. Prints, by set: the median factor by which the estimate is off,
how many estimates lie beyond reach, and how often the 95 % band holds the true number (an open end holds all beyond).
"""

import argparse
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from benchmarks.selection_curves import PARENT, SETS, Pool, read
from core.numerics.classifier import train
from core.numerics.learning_curve import Measure, random_cost
from core.numerics.replay import models_by_chance
from core.numerics.table import Ints

HOLDOUT = 300
SEEN = {"digits": 100}
USUAL = 200
TIMES = (0.5, 1, 2, 4)


class Outcome(NamedTuple):
    """One estimate: how far off on the scale of doublings (None: beyond reach), and whether the band holds it."""

    doublings: float | None
    inside: bool


def outcomes(pool: Pool, seed: int) -> dict[float, list[Outcome]]:
    """Both measures, by how many times the seen labels the true cost is."""
    order = np.random.default_rng(seed).permutation(pool.label.size)
    holdout, rest = order[:HOLDOUT], order[HOLDOUT:]
    n = SEEN.get(pool.name, USUAL)
    seen, others = rest[:n], rest[n:]
    truth, held = pool.label[holdout], pool.rows.sparse[holdout]
    sizes, said = models_by_chance(pool.rows.sparse[seen], target(pool, seen), held, seed=seed)
    found = defaultdict(list)
    for times in TIMES:
        cost = round(times * n)
        model = train(pool.rows.sparse[others[:cost]], target(pool, others[:cost]), seed=seed)
        if model is None:
            continue
        present = model.probabilities(held).argmax(axis=1)
        for measure in Measure:
            told = random_cost(sizes, said, present, truth, pool.n_classes, measure=measure, seed=seed)
            low = np.inf if told.low is None else told.low
            high = np.inf if told.high is None else told.high
            off = None if told.value is None else float(np.log2(told.value / cost))
            found[times].append(Outcome(off, bool(low <= cost <= high)))
    return found


def target(pool: Pool, rows: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.eye(pool.n_classes)[pool.label[rows]]


def line(name: str, some: list[Outcome]) -> str:
    near = [abs(one.doublings) for one in some if one.doublings is not None]
    beyond = len(some) - len(near)
    inside = 100 * np.mean([one.inside for one in some])
    return f"| {name} | {len(some)} | {2 ** np.median(near):.2f} | {beyond} | {inside:.0f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    by_set, by_times = defaultdict(list), defaultdict(list)
    for name in options.sets:
        pool = read(name, PARENT / "data" / "selection")
        if pool is None:
            print(f"{name} is not in {PARENT}")
            continue
        for seed in range(options.seeds):
            for times, found in outcomes(pool, seed).items():
                by_set[name].extend(found)
                by_times[times].extend(found)
    print("| | estimates | off by a factor of (median) | beyond reach | bands that hold the truth |")
    print("|---|---|---|---|---|")
    for name, found in by_set.items():
        print(line(name, found))
    for times, found in by_times.items():
        print(line(f"{times} times the labels that were seen", found))
    print(line("all", [one for found in by_set.values() for one in found]))


if __name__ == "__main__":
    main()
