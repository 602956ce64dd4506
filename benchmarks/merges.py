"""How long suggesting pairs of classes and a what-if take, and how often what was planted comes first.

    nice -n 19 python -m benchmarks.merges [--items 16927] [--answers 10] [--classes 10] [--seeds 100]

The table is of the size of UKPConvArg (16,927 items; 168,890 answers) with ten classes: all 45 pairs with their
posterior, the coefficients after each merger and the entropy it loses, and one whole what-if (differences and
information with their intervals). The second part plants a pair drawn at .5/.5, a pair with 30 % of its answers
swapped and a person who is 40 % random among 8 classes, 6 people and 600 items of 3 answers. The figures of
docs/mappings.md are this program's.
"""

import argparse
import time

import numpy as np

from core.numerics.merging import Reading, differences, entropy_lost, information, likenesses
from core.numerics.table import LabelTable, find_patterns


def noisy(seed: int, items: int, answers: int, classes: int) -> LabelTable:
    """Answers that say the item's class four times of five, people by chance."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    item = np.repeat(np.arange(items), answers)
    label = np.where(rng.random(item.size) < 0.8, truth[item], rng.integers(0, classes, item.size))
    return LabelTable(item, rng.integers(0, 3815, item.size), label, classes)


def planted(seed: int) -> LabelTable:
    """Classes 0 and 1 swapped in 30 % of their answers, 2 or 3 by a coin, the first person 40 % at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 8, 600)
    item = np.repeat(np.arange(600), 3)
    person = np.concatenate([rng.permutation(6)[:3] for _ in range(600)])
    label = truth[item]
    label = np.where((label < 2) & (rng.random(label.size) < 0.3), 1 - label, label)
    coin = (truth[item] == 2) | (truth[item] == 3)
    label = np.where(coin, rng.integers(2, 4, label.size), label)
    random = (person == 0) & (rng.random(label.size) < 0.4)
    return LabelTable(item, person, np.where(random, rng.integers(0, 8, label.size), label), 8)


def reading_of(table: LabelTable) -> Reading:
    """The table's patterns, all classes certain."""
    unsure = np.zeros(table.n_classes, dtype=np.bool_)
    return Reading.of(find_patterns(table).patterns, ordinal=False, unsure=unsure, apart=False)


def merger(a: int, b: int, classes: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The code that reads b as a."""
    code = np.arange(classes)
    code[b] = a
    return np.unique(code, return_inverse=True)[1]


def timed(items: int, answers: int, classes: int) -> None:
    """Prints seconds of each part."""
    table = noisy(1, items, answers, classes)
    start = time.perf_counter()
    reading = reading_of(table)
    counted = time.perf_counter()
    pairs = likenesses(reading.patterns)
    counts = np.bincount(table.label, minlength=classes).astype(np.float64)
    for one in pairs:
        code = merger(one.a, one.b, classes)
        reading.merged(code, classes - 1).coefficients()
        entropy_lost(counts, code, classes - 1)
    suggested = time.perf_counter()
    code = merger(0, 1, classes)
    differences(reading, reading.merged(code, classes - 1))
    information(reading.patterns, code, classes - 1)
    tried = time.perf_counter()
    print(f"{len(table):,} answers, {reading.patterns.size.size:,} patterns, {len(pairs)} pairs")
    print(
        f"counting {counted - start:.3f} s, all pairs {suggested - counted:.3f} s, one what-if {tried - suggested:.3f} s"
    )


def first(seeds: int) -> None:
    """Prints in how many seeds the coin pair comes first, and the two planted pairs come first and second."""
    coin = both = 0
    for seed in range(seeds):
        pairs = [(one.a, one.b) for one in likenesses(reading_of(planted(seed)).patterns)]
        coin += pairs[0] == (2, 3)
        both += set(pairs[:2]) == {(0, 1), (2, 3)}
    print(f"of {seeds} seeds: the coin first in {coin}, coin and swapped pair the first two in {both}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=16_927)
    parser.add_argument("--answers", type=int, default=10)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=100)
    asked = parser.parse_args()
    timed(asked.items, asked.answers, asked.classes)
    first(asked.seeds)
