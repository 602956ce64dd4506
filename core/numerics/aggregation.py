"""One label per item from many answers, by one of three rules; the rule by default; how good the labels are.

Answers "I cannot tell" have no vote, unless nobody gave any other answer; models of annotators do not see them.
Ties are told, never broken.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.numerics.dawid_skene import CrowdModel, Model, fit_dawid_skene
from core.numerics.intervals import wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, LabelTable, find_patterns

LABELS_PER_CLASS = 20  # answers per annotator and class from which a confusion matrix pays (a rule of thumb)
LABELS_PER_COIN = 20  # answers per annotator from which one accuracy pays
_PAIR = 2
_SAME = 1e-9  # posteriors closer than this tie


class Rule(StrEnum):
    """How one label is made of many."""

    MAJORITY = "majority"
    ONE_COIN = "one_coin"
    DAWID_SKENE = "dawid_skene"


class Why(StrEnum):
    """Why a rule is the one by default."""

    NO_OVERLAP = "no_overlap"  # no item has answers of two people: nothing is known of anybody
    FEW_ANSWERS = "few_answers"  # per annotator: too few for even one accuracy
    ENOUGH_FOR_ACCURACY = "enough_for_accuracy"
    ENOUGH_FOR_CONFUSION = "enough_for_confusion"


@dataclass(frozen=True, slots=True)
class DefaultRule:
    """The rule, why, and the figures that it follows from: answers per annotator, and where models begin."""

    rule: Rule
    why: Why
    median: float
    for_one_coin: int
    for_dawid_skene: int


@dataclass(frozen=True, eq=False)
class Consensus:
    """One row per item that has an answer (`item`: its code, ascending).

    `label` is the winner, or -1 where several classes tie. `confidence` is, by majority, the share of each winner in
    the `n` answers that voted, and by a model the posterior of each winner. The winners of row i, one or more,
    ascending, are `winners[starts[i]:starts[i + 1]]`.
    """

    item: Ints
    label: Ints
    tied: Bools
    confidence: Floats
    n: Ints
    winners: Ints
    starts: Ints

    def winners_of(self, row: int) -> Ints:
        """Class codes that won the item of a row."""
        return self.winners[self.starts[row] : self.starts[row + 1]]


def voters(table: LabelTable, uncertain: Bools) -> Bools:
    """Which answers vote: the certain ones, and uncertain ones on items that have no other."""
    certain = ~uncertain[table.label]
    n_certain = np.bincount(table.item, weights=certain, minlength=table.sizes.size)
    mask: Bools = certain | (n_certain[table.item] == 0)
    return mask


def default_rule(table: LabelTable, uncertain: Bools) -> DefaultRule:
    """The rule by how many certain answers the median annotator gave, settled before any gold is looked at.

    One accuracy is learnt from 20 answers, a confusion matrix from 20 in every class: from 20 K answers where the K
    classes are even, from more where one is rare (20 / its share in the answers). A full model of fewer answers
    does worse than a simpler one, and with very few a vote does best.
    """
    certain, _ = certain_answers(table, uncertain)
    per_annotator = np.bincount(certain.annotator)
    median = float(np.median(per_annotator[per_annotator > 0])) if len(certain) else 0.0
    in_class = np.bincount(certain.label, minlength=1)
    rarest = int(in_class[in_class > 0].min(initial=len(certain)))
    most = max(-(-LABELS_PER_CLASS * len(certain) // max(rarest, 1)), _PAIR * LABELS_PER_CLASS)
    if not has_overlap(certain):
        return DefaultRule(Rule.MAJORITY, Why.NO_OVERLAP, median, LABELS_PER_COIN, most)
    if median >= most:
        return DefaultRule(Rule.DAWID_SKENE, Why.ENOUGH_FOR_CONFUSION, median, LABELS_PER_COIN, most)
    if median >= LABELS_PER_COIN:
        return DefaultRule(Rule.ONE_COIN, Why.ENOUGH_FOR_ACCURACY, median, LABELS_PER_COIN, most)
    return DefaultRule(Rule.MAJORITY, Why.FEW_ANSWERS, median, LABELS_PER_COIN, most)


def certain_answers(table: LabelTable, uncertain: Bools) -> tuple[LabelTable, Ints]:
    """The answers that say a class, with certain classes only; and the old code of each of these classes."""
    if not uncertain.any():
        return table, np.arange(table.n_classes)
    codes = np.flatnonzero(~uncertain)
    mask = ~uncertain[table.label]
    new = np.cumsum(~uncertain) - 1
    values = None if table.values is None else table.values[codes]
    return (
        LabelTable(table.item[mask], table.annotator[mask], new[table.label[mask]], codes.size, values),
        codes,
    )


def has_overlap(table: LabelTable) -> bool:
    """Whether any item has answers of two annotators."""
    if len(table) == 0:
        return False
    item, annotator = table.by_item(table.item), table.by_item(table.annotator)
    return bool(((item[1:] == item[:-1]) & (annotator[1:] != annotator[:-1])).any())


def resolve(table: LabelTable, rule: Rule, uncertain: Bools) -> Consensus:
    """One label per item by a rule; items with uncertain answers only are voted on whatever the rule."""
    if rule is Rule.MAJORITY:
        return majority_vote(table.keep(voters(table, uncertain)))
    certain, codes = certain_answers(table, uncertain)
    return by_model(table, fit_dawid_skene(certain, Model(rule.value)), codes)


def by_model(table: LabelTable, model: CrowdModel, codes: Ints) -> Consensus:
    """The labels of a model that was fitted to the certain answers of a table (see `certain_answers`)."""
    best = model.confidence
    wins, winners = np.nonzero(model.posterior >= (best - _SAME)[:, None])
    n = model.table.sizes[model.item]
    told = _consensus(model.item, wins, codes[winners], best, n)
    has_certain = np.zeros(table.sizes.size, dtype=np.bool_)
    has_certain[model.item] = True
    rest = majority_vote(table.keep(~has_certain[table.item]))
    return _merged(told, rest) if rest.item.size else told


def _consensus(item: Ints, wins: Ints, winners: Ints, confidence: Floats, n: Ints) -> Consensus:
    """A consensus from (row, winning class) pairs in order."""
    n_winners = np.bincount(wins, minlength=item.size)
    starts = np.concatenate([[0], np.cumsum(n_winners)])
    tied = n_winners > 1
    label = np.where(tied, -1, winners[starts[:-1]]) if item.size else item
    return Consensus(item, label, tied, confidence, n, winners, starts)


def _merged(a: Consensus, b: Consensus) -> Consensus:
    """Two consensus of different items as one."""
    order = np.argsort(np.concatenate([a.item, b.item]), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    row = np.concatenate([_rows_of(a), _rows_of(b) + a.item.size])
    by_row = np.argsort(place[row], kind="stable")
    return _consensus(
        np.concatenate([a.item, b.item])[order],
        place[row][by_row],
        np.concatenate([a.winners, b.winners])[by_row],
        np.concatenate([a.confidence, b.confidence])[order],
        np.concatenate([a.n, b.n])[order],
    )


def _rows_of(consensus: Consensus) -> Ints:
    return np.repeat(np.arange(consensus.item.size), np.diff(consensus.starts))


@dataclass(frozen=True, eq=False)
class Flips:
    """Items whose label is another under another rule; -1 stands for a tie. The surest of the new ones come first."""

    item: Ints
    old: Ints
    new: Ints
    old_confidence: Floats
    new_confidence: Floats


def flips(old: Consensus, new: Consensus) -> Flips:
    """The items (answered under both rules) to which two rules give different labels, or one of them a tie."""
    _, a, b = np.intersect1d(old.item, new.item, assume_unique=True, return_indices=True)
    differ = old.label[a] != new.label[b]
    a, b = a[differ], b[differ]
    order = np.argsort(-new.confidence[b], kind="stable")
    a, b = a[order], b[order]
    return Flips(old.item[a], old.label[a], new.label[b], old.confidence[a], new.confidence[b])


def majority_vote(table: LabelTable) -> Consensus:
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
    return Consensus(
        item=item,
        label=np.where(tied, -1, winners[starts[:-1]]),
        tied=tied,
        confidence=(most / np.maximum(p.size, 1))[pattern],
        n=p.size[pattern],
        winners=winners,
        starts=starts,
    )


def fractional_accuracy(vote: Consensus, gold: Ints) -> Figure:
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
