"""Rules of aggregation against gold on real answers, and intervals of competence against known accuracies.

    python -m benchmarks.aggregation [--data FOLDER] [--draws 200]

The first table sets every rule beside the gold of four data sets; "published" is Dawid and Skene's model without
smoothing. The second draws crowds of fifty people with a hundred answers each, whose accuracies are known: how many
of the 95 % intervals of their competence hold them, and how well people are ranked (Spearman). FOLDER holds the real
data sets (LABELAPP_SHARED_DATA/data); what is not there is left out.
"""

import argparse
import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.numerics.aggregation import (
    Rule,
    by_model,
    certain_answers,
    default_rule,
    fractional_accuracy,
    resolve,
)
from core.numerics.dawid_skene import Model, competence, fit_dawid_skene
from core.numerics.table import Bools, Floats, Ints, LabelTable, factorise

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared")
SETS = {
    "snow_rte": "entailment",
    "music_genre": "genre",
    "weather_amt": "weather_sentiment",
    "hatecheck": "hateful",
}
UNCERTAIN = {"weather_amt": "4"}
PEOPLE, PER_PERSON = 50, 100
CELLS = (
    ("even", None, 3, 5),
    ("even", None, 3, 3),
    ("even", None, 5, 5),
    (".5 .3 .2", (0.5, 0.3, 0.2), 3, 5),
    (".9 .08 .02", (0.9, 0.08, 0.02), 3, 5),
)


@dataclass(frozen=True)
class Answers:
    """The first answer of everybody to every item, which labels are uncertain, and the gold of every item code."""

    table: LabelTable
    uncertain: Bools
    gold: Ints

    def accuracy(self, rule: Rule, table: LabelTable | None = None) -> float:
        """Of the labels that a rule makes of these answers (or of some of them), against gold."""
        told = resolve(self.table if table is None else table, rule, self.uncertain)
        return fractional_accuracy(told, self.gold).value or 0.0

    def published(self) -> float:
        """Of Dawid and Skene's model as published."""
        certain, codes = certain_answers(self.table, self.uncertain)
        told = by_model(self.table, fit_dawid_skene(certain, smoothing=0), codes)
        return fractional_accuracy(told, self.gold).value or 0.0


def read(folder: Path, name: str) -> Answers:
    """A data set from its files."""
    rows = {}
    for kind in ("annotations", "gold"):
        with gzip.open(folder / name / f"{kind}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows[kind] = [row for row in csv.DictReader(file) if row["question"] == SETS[name]]
    first = {(row["item_id"], row["annotator"]): row["label"] for row in reversed(rows["annotations"])}
    truth = {row["item_id"]: row["label"] for row in rows["gold"]}
    names = sorted({*first.values(), *truth.values()})
    item, items = factorise([item for item, _ in first])
    annotator, _ = factorise([annotator for _, annotator in first])
    label, _ = factorise(list(first.values()), first=names)
    gold = np.array([names.index(truth[key]) if key in truth else -1 for key in items], dtype=np.intp)
    uncertain = np.array([label_name == UNCERTAIN.get(name) for label_name in names])
    return Answers(LabelTable(item, annotator, label, len(names)), uncertain, gold)


def crowd(
    seed: int,
    *,
    n_people: int = PEOPLE,
    per_person: int = PER_PERSON,
    per_item: int = 5,
    n_classes: int = 3,
    shares: tuple[float, ...] | None = None,
) -> tuple[LabelTable, Floats, Ints]:
    """Answers of people of known accuracy, whose errors are spread evenly; the accuracies, and the truth."""
    rng = np.random.default_rng(seed)
    accuracy = np.clip(rng.beta(8, 2.2, n_people), 0.34, 0.99)
    n_items = n_people * per_person // per_item
    truth = rng.choice(n_classes, n_items, p=shares)
    annotator = np.concatenate([rng.permutation(n_people) for _ in range(per_person)])[: n_items * per_item]
    item = np.repeat(np.arange(n_items), per_item)
    right = rng.random(item.size) < accuracy[annotator]
    label = np.where(right, truth[item], (truth[item] + rng.integers(1, n_classes, item.size)) % n_classes)
    return LabelTable(item, annotator, label, n_classes), accuracy, truth


def coverage(kind: Model, draws: int, **wanted: object) -> tuple[float, float]:
    """Share of intervals that hold the known accuracy, and mean rank correlation, over so many crowds."""
    covered, ranked = [], []
    for seed in range(draws):
        table, accuracy, _ = crowd(seed, **wanted)  # type: ignore[arg-type]
        figures = competence(fit_dawid_skene(table, kind))
        value = np.array([figure.value for figure in figures])
        ends = np.array([figure.ci for figure in figures])
        covered.append(float(((ends[:, 0] <= accuracy) & (accuracy <= ends[:, 1])).mean()))
        ranked.append(float(np.corrcoef(value.argsort().argsort(), accuracy.argsort().argsort())[0, 1]))
    return float(np.mean(covered)), float(np.mean(ranked))


def against_gold(folder: Path) -> None:
    """Print the table of the rules."""
    names = "".join(f"{rule.value:>13}" for rule in Rule)
    print(f"{'set':13}{'answers':>8}{'people':>7}{'median':>8}{names}{'published':>11}  default")
    for name in SETS:
        if not (folder / name).is_dir():
            print(f"{name}: not in {folder}")
            continue
        answers = read(folder, name)
        told = default_rule(answers.table, answers.uncertain)
        figures = "".join(f"{answers.accuracy(rule):13.4f}" for rule in Rule)
        print(
            f"{name:13}{len(answers.table):8,}{answers.table.n_annotators:7}{told.median:8g}{figures}"
            f"{answers.published():11.4f}  {told.rule.value} ({told.why.value})"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=PARENT / "data")
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    against_gold(options.data)
    print(f"\n{PEOPLE} people, {PER_PERSON} answers each, {options.draws} crowds: covered (rank correlation)")
    for shares_name, shares, n_classes, per_item in CELLS:
        cell = f"{n_classes} classes, {shares_name}, {per_item} per item"
        told = [
            coverage(kind, options.draws, shares=shares, n_classes=n_classes, per_item=per_item)
            for kind in Model
        ]
        figures = "  ".join(
            f"{kind.value} {covered:.1%} ({rank:.3f})"
            for kind, (covered, rank) in zip(Model, told, strict=True)
        )
        table, _, _ = crowd(0, shares=shares, n_classes=n_classes, per_item=per_item)
        default = default_rule(table, np.zeros(n_classes, dtype=np.bool_)).rule.value
        print(f"{cell:34}{figures}  default {default}", flush=True)


if __name__ == "__main__":
    main()
