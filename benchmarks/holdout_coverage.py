"""Whether the holdout tells the truth while labels are chosen, on simulated projects whose truth is known.

    nice -n 19 python -m benchmarks.holdout_coverage [--projects 1000] [--seed 1]

Every project has a pool of 1,000 to 3,000 items from two to five Gaussian classes of unequal size, some labels wrong,
and a holdout that was drawn by hash at import (50 to 300 items). 30 labels by chance are followed by four rounds of
40 that the product's own strategies choose (core.numerics.selection); each time the model is trained, calibrated and
judged by the product's own code. The truth is the last model's accuracy on 10,000 new items. Prints how often the
95 % interval from the holdout holds it, its bias, and the same of the naive estimate: cross-validation on the labels
that were chosen.
"""

import argparse
import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from core.numerics.classifier import cross_validated, judged, train
from core.numerics.metrics import proportion, quality
from core.numerics.results import Figure
from core.numerics.selection import choose, fit_state, merge, score_part
from core.numerics.strategies.base import Labelled, Part
from core.numerics.table import Ints

WIDTH = 12
FIRST, ROUNDS, BATCH = 30, 4, 40
TEST = 10_000
HOLDOUTS = (50, 100, 200, 300)
STRATEGIES = ("hybrid", "margin")


class Data(NamedTuple):
    """Items of a project: their features, as models and as clusterings want them, and their labels."""

    sparse: sp.csr_matrix
    dense: npt.NDArray[np.float32]
    label: Ints


class Outcome(NamedTuple):
    """One project: what was true, what the holdout and the naive estimate said."""

    strategy: str
    holdout: int
    truth: float
    honest: Figure
    honest_f1: Figure
    truth_f1: float
    naive: Figure


class World:
    """Where a project's items come from."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.k = int(rng.integers(2, 6))
        self.shares = rng.dirichlet(np.full(self.k, 3.0))
        self.centres = rng.normal(size=(self.k, WIDTH)) * rng.uniform(0.5, 1.1)
        self.wrong = rng.uniform(0.0, 0.1)

    def draw(self, n: int) -> Data:
        own = self.rng.choice(self.k, n, p=self.shares)
        dense = self.rng.normal(size=(n, WIDTH)) + self.centres[own]
        dense = (dense / np.linalg.norm(dense, axis=1, keepdims=True)).astype(np.float32)
        label = np.where(self.rng.random(n) < self.wrong, self.rng.integers(self.k, size=n), own)
        return Data(sp.csr_matrix(dense), dense, label)


def one_project(seed: int) -> Outcome | None:
    """A project from its import to its last model; None where chance gave one class only."""
    rng = np.random.default_rng(seed)
    world = World(rng)
    pool = world.draw(int(rng.integers(1_000, 3_001)))
    n, n_holdout = pool.label.size, int(rng.choice(HOLDOUTS))
    tie = rng.integers(0, 2**64, size=n, dtype=np.uint64)
    order = np.argsort(rng.random(n))
    holdout, rest = order[:n_holdout], order[n_holdout:]
    labelled, strategy = rest[:FIRST], STRATEGIES[seed % len(STRATEGIES)]
    for number in range(ROUNDS):
        open_ = np.setdiff1d(rest, labelled)
        state = fit_state(strategy, learnt_from(pool, labelled, world.k, tie), seed + number)
        part = Part(open_, tie[open_], pool.sparse[open_], pool.dense[open_])
        best = merge([score_part(strategy, state, part, BATCH)])
        labelled = np.concatenate([labelled, choose(strategy, state, best, BATCH, seed + number).item])
    labelled = labelled[np.argsort(tie[labelled])]
    target = np.eye(world.k)[pool.label[labelled]]
    model = train(pool.sparse[labelled], target, seed=seed)
    naive = cross_validated(pool.sparse[labelled], target, seed=seed)
    if model is None or naive is None:
        return None
    final, said = judged(model, pool.sparse[holdout], pool.label[holdout], tie[holdout])
    found = quality(pool.label[holdout], said.argmax(axis=1), world.k)
    new = world.draw(TEST)
    true = quality(new.label, final.probabilities(new.sparse).argmax(axis=1), world.k)
    right = int(np.count_nonzero(naive[0] == naive[1]))
    return Outcome(
        strategy,
        n_holdout,
        value(true.accuracy),
        found.accuracy,
        found.macro_f1,
        value(true.macro_f1),
        proportion(right, naive[0].size),
    )


def learnt_from(pool: Data, rows: Ints, k: int, tie: npt.NDArray[np.uint64]) -> Labelled:
    return Labelled(pool.sparse[rows], pool.dense[rows], np.eye(k)[pool.label[rows]], tie[rows])


def value(figure: Figure) -> float:
    assert figure.value is not None
    return figure.value


def row(name: str, said: Iterable[Figure], truth: Iterable[float]) -> str:
    """Projects, share of intervals that hold the truth, bias with its standard error, mean width."""
    figures, true = list(said), np.array(list(truth))
    ends = np.array([figure.ci for figure in figures])
    off = np.array([value(figure) for figure in figures]) - true
    inside = float(np.mean((ends[:, 0] <= true) & (true <= ends[:, 1])))
    se = off.std(ddof=1) / np.sqrt(off.size)
    width = float((ends[:, 1] - ends[:, 0]).mean())
    return f"| {name} | {off.size:,} | {100 * inside:.1f} % | {off.mean():+.4f} ± {1.96 * se:.4f} | {width:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--projects", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()
    rng = np.random.default_rng(options.seed)
    seeds = rng.integers(2**31, size=options.projects).tolist()
    done = [found for found in map(one_project, seeds) if found is not None]
    truth = [one.truth for one in done]
    print("| estimate of accuracy | projects | 95 % intervals that hold the truth | bias | mean width |")
    print("|---|---|---|---|---|")
    print(row("holdout", (one.honest for one in done), truth))
    for size in HOLDOUTS:
        some = [one for one in done if one.holdout == size]
        print(row(f"holdout of {size}", (one.honest for one in some), (one.truth for one in some)))
    for name in STRATEGIES:
        some = [one for one in done if one.strategy == name]
        print(row(f"holdout, {name}", (one.honest for one in some), (one.truth for one in some)))
    print(row("macro-F1 on the holdout", (one.honest_f1 for one in done), (one.truth_f1 for one in done)))
    print(row("naive: cross-validation on chosen labels", (one.naive for one in done), truth))
    left_out = options.projects - len(done)
    print(f"\nmean true accuracy {np.mean(truth):.3f}; {left_out} projects had too few classes; ", end="")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
