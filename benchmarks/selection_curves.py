"""Learning curves of every strategy on real data, replayed through the code that a project uses.

    python -m benchmarks.selection_curves [--sets sms banking77 digits] [--strategies hybrid random …] [--seeds 5]
        [--most 1500] [--data FOLDER] [--kept FOLDER [--tables-only]] [--write docs/selection.md]

Gold classes stand for the answers. The test set is 30 % of the items (at most 4,000), by class; the rest is the
pool. By a hash of the id and the seed, 12 % of the pool is the audit slice, of which a third (at most 300 items)
is the holdout: it is never learnt from, and its labels are counted beside. Every batch of 50 labels takes 10 from
the rest of the audit slice, or at random from the pool when that is spent, and 40 by the strategy. The first batch is
a cold start; `random` begins at random, and `random_after_cold_start` tells what the cold start alone does.
Seeds are paired: the same slices, the same random stream. --data is the folder of the real data sets
(LABELAPP_SHARED_DATA/data/selection); digits is scikit-learn's. With --kept, finished runs are kept in a
folder and not made again.
"""

import argparse
import gzip
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np

from core.numerics.classifier import Classifier, train
from core.numerics.features import Datum, Rows, choose_spec, fit_basis, transform
from core.numerics.selection import STRATEGIES, choose, fit_state, merge, score_part
from core.numerics.strategies.base import Labelled, Part, hashed
from core.numerics.table import Bools, Floats, Ints

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared")
SETS = ("sms", "banking77", "digits")
BEGIN, END = "<!-- curves -->", "<!-- end of curves -->"
BATCH, FROM_STREAM = 50, 10
AUDIT, MOST_HOLDOUT, HOLDOUT_SHARE = 0.12, 300, 3
MOST_TEST, TEST_SHARE = 4000, 0.3
PLAIN = "random_after_cold_start"
# label_again is for labels that may be wrong, which gold is not.
NAMES = ("random", PLAIN, *(name for name in STRATEGIES if name not in {"random", "label_again"}))


@dataclass(frozen=True, eq=False)
class Pool:
    """A set: rows, class codes, hashes of the ids, and which of them are tested on."""

    name: str
    rows: Rows
    label: Ints
    tie: Any
    test: Bools
    n_classes: int

    def part(self, inside: Ints) -> Part:
        return Part(inside, self.tie[inside], self.rows.sparse[inside], self.rows.dense[inside])

    def labelled(self, inside: Ints) -> Labelled:
        inside = inside[np.argsort(self.tie[inside])]
        target = np.eye(self.n_classes)[self.label[inside]]
        return Labelled(self.rows.sparse[inside], self.rows.dense[inside], target, self.tie[inside])

    def macro_f1(self, model: Classifier | None) -> float:
        """On the test set; without a model the commonest class cannot be known, and nothing is right."""
        if model is None:
            return 0.0
        test = np.flatnonzero(self.test)
        told = model.probabilities(self.rows.sparse[test]).argmax(axis=1)
        return macro_f1(self.label[test], told, self.n_classes)


def macro_f1(truth: Ints, told: Ints, n_classes: int) -> float:
    """The mean of the classes' F1; a class that never occurs and is never told is left out."""
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (truth, told), 1)
    right, size = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    there = size > 0
    return float((2 * right[there] / size[there]).mean())


def read(name: str, folder: Path) -> Pool | None:
    """A set with its features, or None where it is not in the folder."""
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        data = [Datum({}, None, row.astype(np.float32)) for row in digits.data]
        ids, gold = [f"digit{n}" for n in range(len(data))], digits.target.astype(str).tolist()
    else:
        path = folder / f"{name}.jsonl.gz"
        if not path.exists():
            return None
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        data = [Datum(line["data"], None, None) for line in lines]
        ids, gold = [line["id"] for line in lines], [line["gold"] for line in lines]
    names, label = np.unique(gold, return_inverse=True)
    tie = np.array(
        [int.from_bytes(blake2b(one.encode(), digest_size=8).digest(), "big") for one in ids], np.uint64
    )
    test = split(label, len(names))
    known = [data[row] for row in np.flatnonzero(~test)[np.argsort(tie[~test])]]
    spec = choose_spec(known, {})
    return Pool(name, transform(spec, fit_basis(spec, known), data), label, tie, test, len(names))


def split(label: Ints, n_classes: int) -> Bools:
    """The test items: of every class the same share."""
    rng = np.random.default_rng(0)
    share = min(TEST_SHARE, MOST_TEST / len(label))
    test = np.zeros(len(label), np.bool_)
    for code in range(n_classes):
        inside = rng.permutation(np.flatnonzero(label == code))
        test[inside[: round(share * len(inside))]] = True
    return test


def replay(pool: Pool, strategy: str, seed: int, most: int) -> dict[str, Any]:
    """One project: macro-F1 on the test set after every batch, and the seconds of processor time."""
    started = process_time()
    inside = np.flatnonzero(~pool.test)
    inside = inside[np.argsort(hashed(pool.tie[inside], 2 * seed + 1))]  # an order for audit and random picks
    n_audit = round(AUDIT * len(inside))
    n_holdout = min(MOST_HOLDOUT, n_audit // HOLDOUT_SHARE)
    stream, free = inside[n_holdout:n_audit], inside[n_audit:]
    rng = np.random.default_rng(seed)
    free = free[rng.permutation(len(free))]
    known = np.empty(0, np.intp)
    model: Classifier | None = None
    f1: list[float] = []
    while len(known) + BATCH <= min(most, len(inside) - n_holdout):
        by_chance, stream = stream[:FROM_STREAM], stream[FROM_STREAM:]
        missing = FROM_STREAM - len(by_chance)
        by_chance, free = np.concatenate([by_chance, free[:missing]]), free[missing:]
        name = strategy
        if strategy == PLAIN:
            name = "random" if len(known) else "margin"  # any but random begins with the cold start
        step = Step(name, known, free, 1000 * seed + len(f1))
        picked = picks(pool, step, model)
        free = free[~np.isin(free, picked)]
        known = np.concatenate([known, by_chance, picked])
        model = train(*learnt(pool, known), seed=seed)
        f1.append(round(pool.macro_f1(model), 5))
    return {
        "set": pool.name,
        "strategy": strategy,
        "seed": seed,
        "labels": [BATCH * (n + 1) for n in range(len(f1))],
        "f1": f1,
        "holdout": n_holdout,
        "seconds": round(process_time() - started, 1),
    }


class Step(NamedTuple):
    """What is asked of a strategy: so many of the free items, these being known."""

    strategy: str
    known: Ints
    free: Ints
    seed: int
    n: int = BATCH - FROM_STREAM


def learnt(pool: Pool, known: Ints) -> tuple[Any, Floats]:
    labelled = pool.labelled(known)
    return labelled.sparse, labelled.target


def picks(pool: Pool, step: Step, model: Classifier | None) -> Ints:
    """The strategy's share of the next batch."""
    strategy, free, count, seed = step.strategy, step.free, step.n, step.seed
    state = fit_state(strategy, pool.labelled(step.known), seed, model=model, n_pool=len(free))
    return choose(
        strategy, state, merge([score_part(strategy, state, pool.part(free), count)]), count, seed
    ).item


def cold_starts(pool: Pool, draws: int) -> dict[str, dict[str, Any]]:
    """Macro-F1 and classes found after the first 50 labels, the mean of some draws.

    `clusters` are 50 items of the cold start, `mixed` 40 of them and 10 random ones, as a project begins.
    """
    told: dict[str, list[tuple[float, int]]] = {"random": [], "clusters": [], "mixed": []}
    none = np.empty(0, np.intp)
    for seed in range(draws):
        inside = np.flatnonzero(~pool.test)
        inside = inside[np.argsort(hashed(pool.tie[inside], 2 * seed + 1))]
        for name, by_chance in (("random", BATCH), ("clusters", 0), ("mixed", FROM_STREAM)):
            count = BATCH - by_chance
            step = Step("margin", none, inside[by_chance:], seed, count)
            picked = picks(pool, step, None) if count else none
            known = np.concatenate([inside[:by_chance], picked])
            model = train(*learnt(pool, known), seed=seed)
            told[name].append((pool.macro_f1(model), len(np.unique(pool.label[known]))))
    return {
        name: {
            "f1": round(float(np.mean([f1 for f1, _ in draws_of])), 3),
            "classes": round(float(np.mean([found for _, found in draws_of])), 1),
        }
        for name, draws_of in told.items()
    }


# --- Tables -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curves:
    """All runs of one set: curves by strategy and seed, and what there is to reach."""

    name: str
    full: float
    cold: dict[str, dict[str, Any]]
    runs: dict[str, dict[int, dict[str, Any]]]

    def area(self, strategy: str, seed: int) -> float:
        """The mean height of a curve (trapezoids over the number of labels)."""
        run = self.runs[strategy][seed]
        f1, labels = np.array(run["f1"]), np.array(run["labels"])
        return float(((f1[1:] + f1[:-1]) / 2 * np.diff(labels)).sum() / (labels[-1] - labels[0]))

    def gain(self, strategy: str) -> tuple[float, float, int]:
        """Area above that of random, half its 95 % interval (paired by seed, Student's t), number of seeds."""
        from scipy.stats import t

        seeds = sorted(set(self.runs[strategy]) & set(self.runs["random"]))
        apart = np.array([self.area(strategy, seed) - self.area("random", seed) for seed in seeds])
        if len(apart) < 2:
            return float(apart.mean()), float("nan"), len(apart)
        half = t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
        return float(apart.mean()), float(half), len(apart)

    def early(self, strategy: str) -> float:
        """The mean difference to random from 100 to 500 labels."""
        seeds = sorted(set(self.runs[strategy]) & set(self.runs["random"]))
        return float(np.mean([self._early(strategy, seed) - self._early("random", seed) for seed in seeds]))

    def _early(self, strategy: str, seed: int) -> float:
        run = self.runs[strategy][seed]
        return float(np.mean([f1 for n, f1 in zip(run["labels"], run["f1"], strict=True) if 100 <= n <= 500]))

    def needed(self, strategy: str, share: float) -> tuple[float, bool]:
        """Labels to this share of the full-data F1, the mean of seeds, and whether all of them reached it.

        A run that does not reach it counts as one batch more than it had.
        """
        told, all_of_them = [], True
        for run in self.runs[strategy].values():
            there = [n for n, f1 in zip(run["labels"], run["f1"], strict=True) if f1 >= share * self.full]
            all_of_them &= bool(there)
            told.append(there[0] if there else run["labels"][-1] + BATCH)
        return float(np.mean(told)), all_of_them


def curves_of(pool: Pool, options: argparse.Namespace) -> Curves:
    """Every strategy with every seed, run here unless it was kept."""
    kept, most = options.kept, options.most
    begun = kept_or_made(kept, f"{pool.name}-full", partial(ends_of, pool, options.draws))
    runs: dict[str, dict[int, dict[str, Any]]] = {}
    for strategy in options.strategies:
        for seed in range(options.seeds):
            name = f"{pool.name}-{strategy}-{seed}-{most}"
            if options.tables_only and not (kept / f"{name}.json").exists():
                continue
            run = kept_or_made(kept, name, partial(replay, pool, strategy, seed, most))
            runs.setdefault(strategy, {})[seed] = run
    return Curves(pool.name, begun["full"], begun["cold"], runs)


def ends_of(pool: Pool, draws: int) -> dict[str, Any]:
    """What all labels of the pool come to, and the first 50."""
    model = train(*learnt(pool, np.flatnonzero(~pool.test)), seed=0)
    return {"full": round(pool.macro_f1(model), 5), "cold": cold_starts(pool, draws)}


def kept_or_made(kept: Path | None, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    path = None if kept is None else kept / f"{name}.json"
    if path is not None and path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    made = make()
    print(f"{name}: {made.get('seconds', '')}", flush=True)
    if path is not None:
        path.write_text(json.dumps(made))
    return made


def tables(sets: Sequence[Curves]) -> str:
    """All of it as Markdown."""
    names = [name for name in NAMES if any(name in one.runs for one in sets)]
    others = [name for name in names if name != "random"]
    columns = [f"{one.name} ({one.full:.3f})" for one in sets]

    def rows(figure: Callable[[Curves, str], str], wanted: Sequence[str], heads: Sequence[str]) -> str:
        lines = [["strategy", *heads], ["---"] * (len(heads) + 1)]
        lines += [
            [f"`{name}`", *(figure(one, name) if name in one.runs else "" for one in sets)] for name in wanted
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def area(one: Curves, name: str) -> str:
        if name == "random":
            return f"{np.mean([100 * one.area(name, seed) for seed in one.runs[name]]):.1f}"
        gain, half, n = one.gain(name)
        if n < 2:
            return f"{100 * gain:+.1f} ({n})"
        told = f"{100 * gain:+.1f} ± {100 * half:.1f} ({n})"
        return f"**{told}**" if gain + half < 0 else told

    def needed(one: Curves, name: str) -> str:
        told = [one.needed(name, share) for share in (0.9, 0.95)]
        return " / ".join(f"{'' if all_of_them else '> '}{n:.0f}" for n, all_of_them in told)

    plain = [one.name for one in sets]
    cold = ["| after 50 labels | " + " | ".join(plain) + " |", "|" + " --- |" * (len(plain) + 1)]
    for key, words in (
        ("random", "50 random items"),
        ("clusters", "50 items of the cold start"),
        ("mixed", "40 of the cold start, 10 random"),
    ):
        told = [f"{one.cold[key]['f1']:.3f} ({one.cold[key]['classes']:g})" for one in sets]
        cold.append("| " + " | ".join([words, *told]) + " |")
    held = ", ".join(f"{one.name} {next(iter(one.runs[names[0]].values()))['holdout']}" for one in sets)
    return "\n".join(
        [
            "",
            (
                "Area under the curve of macro-F1, 100 times, above that of `random`; ± half the 95 % interval of the "
                "difference paired by seed (seeds). **Bold: worse than random**, the interval being below 0."
            ),
            "",
            rows(area, names, plain),
            "",
            "Mean difference to `random` in macro-F1, 100 times, from 100 to 500 labels.",
            "",
            rows(lambda one, name: f"{100 * one.early(name):+.1f}", others, plain),
            "",
            (
                "Training labels to 90 % / 95 % of what the same model learns from the whole pool (in brackets); the "
                "mean of seeds, > where one of them did not come to it (counted as one batch more than there was)."
            ),
            "",
            rows(needed, names, columns),
            "",
            f"Labels of the holdout, besides: {held}.",
            "",
            "Macro-F1 after the first 50 labels (classes found), and how they were chosen.",
            "",
            *cold,
            "",
            "",
        ]
    )


def main() -> None:
    """Run what is not kept, and print or write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=PARENT / "data" / "selection")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--strategies", nargs="+", default=[*NAMES], choices=NAMES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most", type=int, default=1500)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--tables-only", action="store_true", help="of the runs that are kept; run nothing")
    parser.add_argument("--write", type=Path, help="put the tables into this document")
    options = parser.parse_args()
    if options.tables_only and options.kept is None:
        parser.error("--tables-only needs --kept")
    if options.kept is not None:
        options.kept.mkdir(parents=True, exist_ok=True)
    found: list[Curves] = []
    for name in options.sets:
        pool = read(name, options.data)
        if pool is None:
            print(f"{name}: not in {options.data}")
            continue
        found.append(curves_of(pool, options))
    table = tables(found)
    print(table)
    if options.write is not None:
        before, _, rest = options.write.read_text().partition(BEGIN)
        options.write.write_text(before + BEGIN + "\n" + table + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
