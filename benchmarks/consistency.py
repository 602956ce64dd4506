"""An effort to make labels consistent, with causes that are known: are they named, does mending help, is it said right?

    python -m benchmarks.consistency [--seeds 100] [--changes 1000] [--audit 150]
    LABELAPP_DATA=FOLDER python -m benchmarks.consistency --database 2

600 items of 8 classes, 3 answers each from 6 people. On c0 and c1 30 % of the answers are swapped (a rule is missing), one
person answers 40 % of the items at random, and c2 and c3 are drawn at .5/.5 whatever the item is (nobody can tell them
apart). First: in how many seeds is each cause the first of its list (numerics.costs, numerics.merging)?

Then they are mended in turn, and an audit slice of --audit items drawn by chance is answered anew after each change: a
new guideline version (swaps fall to 5 %), the person trained (random answers fall to 5 %), c3 merged into c2. Human-level
performance (between people) is printed after each. For --changes seeds the comparison before against after
(numerics.proof) is held against the true change, that of 200,000 items: how often its interval covers it, and what is said.

--database runs so many seeds through the services (guideline, relabel queue, hand-out and submit, merger) and prints what the
rankings, the reports and the timeline of the product say. It makes the tables it needs: name a folder (or by DATABASE_URL a database) of its own.
"""

import argparse
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from core.numerics.alpha import nominal_scale
from core.numerics.costs import pair_costs, people_costs
from core.numerics.dawid_skene import Model, fit_dawid_skene
from core.numerics.hlp import hlp_report
from core.numerics.merging import likenesses
from core.numerics.proof import (
    Compared,
    Measure,
    Outcome,
    alpha,
    alpha_of_classes,
    compare_pairs,
    percent,
    specific_agreement,
)
from core.numerics.table import LabelTable, find_patterns

CLASSES, PEOPLE, ITEMS, ANSWERS = 8, 6, 600, 3
GAP, TWINS, CARELESS = (0, 1), (2, 3), 5
MANY = 200_000
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Habits:
    """What goes wrong: the share of swapped answers on GAP, and of answers that CARELESS gives at random."""

    swapped: float = 0.3
    random: float = 0.4


BEFORE = Habits()
RULE = replace(BEFORE, swapped=0.05)
TRAINED = replace(RULE, random=0.05)


@dataclass(frozen=True)
class Effort:
    """Items with their true class, and who is asked about each."""

    truth: Ints
    people: Ints

    @classmethod
    def of(cls, n: int, draws: np.random.Generator) -> "Effort":
        """A number of items, the people of each drawn at random."""
        order = draws.random((n, PEOPLE)).argsort(axis=1)[:, :ANSWERS]
        return cls(draws.integers(0, CLASSES, n), order)

    def part(self, items: Ints) -> "Effort":
        """Some of the items."""
        return Effort(self.truth[items], self.people[items])

    def answered(self, habits: Habits, draws: np.random.Generator) -> LabelTable:
        """What everybody says once."""
        n = self.truth.size
        item, person = np.repeat(np.arange(n), ANSWERS), self.people.ravel()
        said = self.truth[item]
        swap = np.isin(said, GAP) & (draws.random(said.size) < habits.swapped)
        said = np.where(swap, sum(GAP) - said, said)
        said = np.where(np.isin(said, TWINS), draws.integers(TWINS[0], TWINS[1] + 1, said.size), said)
        careless = (person == CARELESS) & (draws.random(said.size) < habits.random)
        return LabelTable(
            item, person, np.where(careless, draws.integers(0, CLASSES, said.size), said), CLASSES
        )


def merged(table: LabelTable) -> LabelTable:
    """The same answers with c3 read as c2."""
    label = np.where(table.label == TWINS[1], TWINS[0], table.label)
    return LabelTable(table.item, table.annotator, label, CLASSES)


def ranked(table: LabelTable) -> tuple[bool, bool, bool]:
    """Whether the gap, the person and the twins come first in their lists."""
    model = fit_dawid_skene(table, Model.ONE_COIN)
    gap, person = pair_costs(model)[0], people_costs(model)[0]
    twins = likenesses(find_patterns(table).patterns)[0]
    return (
        (gap.a, gap.b) == GAP,
        int(model.annotator[person.place]) == CARELESS,
        (twins.a, twins.b) == TWINS,
    )


def between(table: LabelTable) -> float:
    """Human-level performance between people."""
    value = hlp_report(table).leave_one_out.mean.value
    return float("nan") if value is None else value


def only(*classes: int) -> npt.NDArray[np.bool_]:
    """These classes."""
    return np.isin(np.arange(CLASSES), classes)


WHOLE = alpha(nominal_scale(CLASSES))
MEASURES: dict[str, dict[str, Measure]] = {
    "guideline": {
        "alpha of c0, c1": alpha_of_classes(only(*GAP)),
        "specific": specific_agreement(only(*GAP)),
        "alpha": WHOLE,
    },
    "training": {"alpha": WHOLE, "percent": percent},
    "merger": {"alpha": WHOLE, "percent": percent},
}


def steps(audit: Effort, draws: np.random.Generator) -> list[tuple[str, LabelTable, LabelTable]]:
    """The changes in turn: what the audit slice said before and after each."""
    first = audit.answered(BEFORE, draws)
    second = audit.answered(RULE, draws)
    third = audit.answered(TRAINED, draws)
    return [("guideline", first, second), ("training", second, third), ("merger", third, merged(third))]


def compared(found: list[tuple[str, LabelTable, LabelTable]]) -> dict[tuple[str, str], Compared]:
    """Every change by every measure that speaks of it."""
    return {
        (name, measure): compare_pairs(before, after, of)
        for name, before, after in found
        for measure, of in MEASURES[name].items()
    }


def true_changes() -> dict[tuple[str, str], float]:
    """What the changes come to over very many items."""
    draws = np.random.default_rng(0)
    found = {}
    for name, before, after in steps(Effort.of(MANY, draws), draws):
        sides = [find_patterns(table).patterns for table in (before, after)]
        for measure, of in MEASURES[name].items():
            values = [of(side).value for side in sides]
            found[name, measure] = values[1] - values[0]
    return found


def numeric(seeds: int, changes: int, audit: int) -> None:
    """The rankings, human-level performance after each step, and the intervals' coverage."""
    firsts = np.zeros(3, dtype=int)
    levels = []
    for seed in range(seeds):
        draws = np.random.default_rng(seed)
        effort = Effort.of(ITEMS, draws)
        table = effort.answered(BEFORE, draws)
        firsts += ranked(table)
        last = effort.answered(TRAINED, draws)
        levels.append([between(one) for one in (table, effort.answered(RULE, draws), last, merged(last))])
    for name, n in zip(("c0 and c1", "the person", "c2 and c3"), firsts, strict=True):
        print(f"{name} first in its list: {n} of {seeds} seeds")
    rising = np.diff(np.array(levels), axis=1) > 0
    print("human-level performance (mean): " + ", ".join(f"{value:.3f}" for value in np.mean(levels, axis=0)))
    print(f"it rises with every step in {int(rising.all(axis=1).sum())} of {seeds} seeds")

    true = true_changes()
    covered: Counter[tuple[str, str]] = Counter()
    said: dict[tuple[str, str], Counter[Outcome]] = {key: Counter() for key in true}
    for seed in range(changes):
        draws = np.random.default_rng(10_000 + seed)
        effort = Effort.of(ITEMS, draws).part(draws.choice(ITEMS, audit, replace=False))
        for key, one in compared(steps(effort, draws)).items():
            said[key][one.outcome] += 1
            ends = one.difference.ci
            covered[key] += ends is not None and ends[0] <= true[key] <= ends[1]
    print(f"\n{audit} items of the audit slice, {changes} seeds")
    print("| change | measure | true change | covered | says it rose | cannot tell | same | fell |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for key, value in true.items():
        words = [
            f"{said[key][outcome] / changes:.1%}"
            for outcome in (Outcome.ROSE, Outcome.CANNOT_TELL, Outcome.SAME, Outcome.FELL)
        ]
        print(f"| {key[0]} | {key[1]} | {value:+.3f} | {covered[key] / changes:.1%} | {' | '.join(words)} |")


# --- Through the database -------------------------------------------------------------------------------


def through_the_database(seed: int, audit: int) -> None:
    """One effort through the product's services; prints what its pages would say."""
    from benchmarks.consistency_site import Site

    draws = np.random.default_rng(seed)
    effort = Effort.of(ITEMS, draws)
    site = Site(seed, CLASSES, effort.truth.size, effort.people, draws.choice(ITEMS, audit, replace=False))
    site.answer_first(effort.answered(BEFORE, draws))
    print(f"\nseed {seed}: {site.first_causes()}")
    levels = [site.human_level()]

    def say(habits: Habits) -> Any:
        given = effort.answered(habits, draws)
        return dict(
            zip(
                zip(given.item.tolist(), given.annotator.tolist(), strict=True),
                given.label.tolist(),
                strict=True,
            )
        )

    site.new_guideline(GAP, audit, say(RULE))
    levels.append(site.human_level())
    site.train(CARELESS, audit, say(TRAINED))
    levels.append(site.human_level())
    site.merge(*TWINS)
    levels.append(site.human_level())
    print("human-level performance: " + ", ".join(f"{value:.3f}" for value in levels))
    for line in site.timeline():
        print(line)


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--audit", type=int, default=150)
    parser.add_argument("--database", type=int, default=0)
    given = parser.parse_args()
    if given.database:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
        for seed in range(given.database):
            through_the_database(seed, given.audit)
    else:
        numeric(given.seeds, given.changes, given.audit)


if __name__ == "__main__":
    main()
