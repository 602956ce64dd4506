"""One label per item from many answers: majority vote that tells its ties, and its accuracy against gold."""

from dataclasses import dataclass

import numpy as np

from core.numerics.intervals import wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, LabelTable, find_patterns


@dataclass(frozen=True, eq=False)
class MajorityVote:
    """The classes with most answers, one row per item that has an answer (`item`: its code, ascending).

    `label` is the winner, or -1 where several classes tie; `share` is the winners' share of the `n` answers each.
    The winners of row i, one or more, ascending, are `winners[starts[i]:starts[i + 1]]`.
    """

    item: Ints
    label: Ints
    tied: Bools
    share: Floats
    n: Ints
    winners: Ints
    starts: Ints

    def winners_of(self, row: int) -> Ints:
        """Class codes that won the item of a row."""
        return self.winners[self.starts[row] : self.starts[row + 1]]


def majority_vote(table: LabelTable) -> MajorityVote:
    """Majority vote of every item; a tie stays a tie and is never broken by the order of classes or rows."""
    index = find_patterns(table)
    p = index.patterns
    most = np.zeros(p.size.size, dtype=np.intp)
    np.maximum.at(most, p.row, p.count)
    wins = np.flatnonzero(p.count == most[p.row])
    n_winners = np.bincount(p.row[wins], minlength=p.size.size)
    winner_starts = np.cumsum(n_winners) - n_winners  # entries stand by row, so winners do too

    item = np.flatnonzero(index.of_item >= 0)
    pattern = index.of_item[item]
    starts = np.concatenate([[0], np.cumsum(n_winners[pattern])])
    offset = np.arange(starts[-1]) - np.repeat(starts[:-1], n_winners[pattern])
    winners = p.label[wins[np.repeat(winner_starts[pattern], n_winners[pattern]) + offset]]
    tied = n_winners[pattern] > 1
    return MajorityVote(
        item=item,
        label=np.where(tied, -1, winners[starts[:-1]]),
        tied=tied,
        share=(most / np.maximum(p.size, 1))[pattern],
        n=p.size[pattern],
        winners=winners,
        starts=starts,
    )


def fractional_accuracy(vote: MajorityVote, gold: Ints) -> Figure:
    """Mean credit against gold: 1 / number of winners where gold is among them, else 0.

    `gold` holds a class code for every item code, -1 where there is no gold. It is what breaking ties at random
    would score on average.
    """
    has_gold = gold[vote.item] >= 0
    n = int(np.count_nonzero(has_gold))
    if n == 0:
        return Figure.missing(Reason.NO_OVERLAP)
    n_winners = np.diff(vote.starts)
    row = np.repeat(np.arange(vote.item.size), n_winners)
    right = np.bincount(row, weights=vote.winners == gold[vote.item][row], minlength=vote.item.size)
    credit = (right / n_winners)[has_gold]
    mean = float(credit.mean())
    se = float(credit.std(ddof=1)) / np.sqrt(n) if n > 1 else None
    ci = wilson_interval(mean, n)
    return Figure.estimate(mean, se=se, ci=ci, method=Method.WILSON, n_items=n, n_pairs=n)
