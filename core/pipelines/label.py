"""Resolved labels: what people's answers to one question on one item come to, and by which rule.

- Single choice, scale, text: the value that most people gave (texts compared with blanks collapsed). Answers
  "I cannot tell" have no vote, unless nobody gave any other; the rule in the row says which it was.
- Multiple choice: every class is voted on by itself; a class exactly half ticked is a tie.
- Number: the mean.

A tie is never broken: the value is null and the tied values are listed.

Where a person has settled an item, their resolution is the label; the answers stay beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.numerics.aggregation import Consensus, Rule, resolve
from core.numerics.table import Bools, LabelTable

OF_CERTAIN = "majority_of_certain"
OF_UNCERTAIN = "majority_of_uncertain"
PER_CLASS = "majority_per_class"
MEAN = "mean"
GOLD = "gold"
ADJUDICATED = "adjudicated"
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Label:
    """The label of one item: ``value`` is null where ``tied`` lists more than one value.

    ``n`` answers made it; ``n_uncertain`` were given and had no vote. ``confidence`` is the share of the
    ``n`` behind the value (behind each tied value), for multiple choice that of the least clear class.
    ``only_uncertain`` says of several choices that nobody gave another answer, so that those had the vote.
    """

    value: Any
    how: str
    rule: str
    confidence: float | None
    n: int
    n_uncertain: int
    tied: tuple[str, ...] = ()
    only_uncertain: bool = False

    @property
    def cannot_tell(self) -> float | None:
        """The share of the answers that say "I cannot tell"; None without answers."""
        given = self.n + self.n_uncertain
        if given == 0:
            return None
        return 1.0 if self.only_uncertain or self.rule == OF_UNCERTAIN else self.n_uncertain / given

    @property
    def told_apart(self) -> bool | None:
        """Whether at least half of the people could tell; None without answers.

        A class that an item does not have is trusted only where people could tell.
        """
        share = self.cannot_tell
        return None if share is None else share <= _HALF


def vote(table: LabelTable, uncertain: Bools) -> Consensus:
    """Majority of every item by the rule above."""
    return resolve(table, Rule.MAJORITY, uncertain)


def majority_labels(
    item: Sequence[int], code: Sequence[int], names: Sequence[str], uncertain: Bools
) -> dict[int, Label]:
    """The labels by item, of parallel columns of item numbers and codes of ``names``."""
    if not item:
        return {}
    table = LabelTable(np.array(item), np.zeros(len(item), dtype=np.intp), np.array(code), len(names))
    result = vote(table, uncertain)
    given = table.sizes[result.item]
    labels: dict[int, Label] = {}
    columns = (result.item, result.label, result.confidence, result.n, given)
    for row, (place, label, share, n, n_given) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        winners = result.winners_of(row).tolist() if label < 0 else [label]
        labels[place] = Label(
            value=None if label < 0 else names[label],
            how="majority",
            rule=OF_UNCERTAIN if uncertain[winners[0]] else OF_CERTAIN,
            confidence=share,
            n=n,
            n_uncertain=n_given - n,
            tied=tuple(names[winner] for winner in winners) if label < 0 else (),
        )
    return labels


def mean_label(numbers: Sequence[float]) -> Label:
    """The mean of at least one number."""
    return Label(sum(numbers) / len(numbers), "mean", MEAN, None, len(numbers), 0)


def set_label(sets: Sequence[frozenset[int]], names: Sequence[str], uncertain: Bools) -> Label:
    """What most people ticked, class by class; ``sets`` holds the codes that each of them ticked.

    A set with an uncertainty class has no vote, unless all are such.
    """
    certain = [chosen for chosen in sets if not any(uncertain[code] for code in chosen)]
    voting = certain or sets
    n = len(voting)
    ticks = [sum(code in chosen for chosen in voting) for code in range(len(names))]
    tied = tuple(name for name, count in zip(names, ticks, strict=True) if 2 * count == n)
    return Label(
        value=None if tied else [name for name, count in zip(names, ticks, strict=True) if 2 * count > n],
        how="majority",
        rule=PER_CLASS,
        confidence=min((max(count, n - count) / n for count in ticks), default=1.0),
        n=n,
        n_uncertain=len(sets) - n,
        tied=tied,
        only_uncertain=bool(sets) and not certain,
    )
