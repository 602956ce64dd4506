"""Overlap that adapts, replayed on real answers, and how long a decision takes.

    python -m benchmarks.overlap [--data FOLDER] [--orders 20] [--items 200000]

snow_rte has 10 answers per item, hatecheck 5: they are the supply. Items start with two answers, in a random order;
then every item that is not sure gets the next one, again and again. Parameters are learnt only from the answers
bought so far. Printed for thresholds and, at the default one, for budgets: the share of the answers that was
bought and the accuracy of the labels made of these, mean (standard deviation) over random orders. FOLDER holds the
real data sets (LABELAPP_SHARED_DATA/data); without it only the speed is measured, on simulated answers.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.aggregation import PARENT, Answers, read
from core.numerics.aggregation import Rule
from core.numerics.overlap import SURE, Places, decide
from core.numerics.table import LabelTable

SETS = ("snow_rte", "hatecheck")
FIRST = 2
THRESHOLDS = (0.8, 0.9, 0.95, 0.98, 0.99)
BUDGETS = (0.4, 0.5)


def buy(supply: Answers, seed: int, sure: float, share: float = 1.0) -> LabelTable:
    """The answers that are asked for, in a random order, at most this share of all."""
    table = supply.table
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(table)), table.item))
    rank = np.empty(len(table), dtype=np.intp)
    rank[order] = np.arange(len(table)) - (np.cumsum(table.sizes) - table.sizes)[table.item[order]]
    target = np.minimum(FIRST, table.sizes)
    yes = np.ones(target.size, dtype=np.bool_)
    most, start = int(table.sizes.max()), None
    while True:
        known = table.keep(rank < target[table.item])
        budget = int(share * len(table)) - len(known)
        here = Places(target, target, yes, ~yes)
        decision = decide(known, here, most=most, sure=sure, budget=budget, start=start)
        if decision.raised.size == 0:
            return known
        target[decision.raised] += 1
        start = decision.model


def curve(supply: Answers, orders: int) -> Iterator[tuple[str, float, float, float, float]]:
    """Rows of the table: what, share bought and accuracy, mean and standard deviation over the orders."""
    settings = [(f"sure at {sure}", sure, 1.0) for sure in THRESHOLDS]
    settings += [(f"sure at {SURE}, at most {share:.0%}", SURE, share) for share in BUDGETS]
    for name, sure, share in settings:
        bought = [buy(supply, seed, sure, share) for seed in range(orders)]
        shares = np.array([len(known) / len(supply.table) for known in bought])
        right = np.array([supply.accuracy(Rule.ONE_COIN, known) for known in bought])
        yield name, shares.mean(), shares.std(), right.mean(), right.std()


def speed(n_items: int) -> float:
    """Seconds of one decision about so many open items with three answers each of 200 people, five classes."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 5, n_items)
    item = np.repeat(np.arange(n_items), 3)
    annotator = (np.repeat(rng.integers(0, 200, n_items), 3) + np.tile([0, 31, 77], n_items)) % 200
    right = rng.random(item.size) < rng.beta(8, 2.2, 200)[annotator]
    label = np.where(right, truth[item], (truth[item] + rng.integers(1, 5, item.size)) % 5)
    table = LabelTable(item, annotator, label, 5)
    done, yes = table.sizes, np.ones(n_items, dtype=np.bool_)
    begin = time.perf_counter()
    decide(table, Places(done, done, yes, ~yes), most=7, budget=n_items)
    return time.perf_counter() - begin


def main() -> None:
    """Print the curves and the speed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=PARENT / "data")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--items", type=int, default=200_000)
    options = parser.parse_args()
    for name in SETS:
        if not (options.data / name).is_dir():
            print(f"{name}: not in {options.data}")
            continue
        supply = read(options.data, name)
        print(f"\n{name}: {len(supply.table):,} answers to {supply.table.n_items:,} items")
        for rule in (Rule.MAJORITY, Rule.ONE_COIN):
            print(f"  all answers, {rule.value:<12} accuracy {supply.accuracy(rule):.4f}")
        for what, share, share_sd, right, right_sd in curve(supply, options.orders):
            print(
                f"  {what:<26} answers {share:6.1%} ({share_sd:.1%})   accuracy {right:.4f} ({right_sd:.4f})"
            )
    print(f"\none decision about {options.items:,} items: {speed(options.items):.2f} s")


if __name__ == "__main__":
    main()
