"""A model beside the people who labeled the same items: one verdict, and what stands behind it.

Both are judged by the same references. Between people the reference of (item, person) is what the *others* said;
the model is held against it once for every person of the item, so it never has one more label in its reference
than the person beside it. Where there is gold, both are held against gold. Differences are paired by item.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

import numpy as np

from core.numerics.alt_test import AltTest, alt_test
from core.numerics.equivalence import WorthLabelers, worth_labelers
from core.numerics.means import Items, one_group, t_probability
from core.numerics.references import PAIR, References, take_rows
from core.numerics.results import Figure, Method
from core.numerics.table import Bools, Floats, Ints, LabelTable, condense, totals

VERDICT_ITEMS = 30  # below so many items no verdict is given
VERDICT_LEVEL = 0.97  # of the interval of a difference, so that an equal model is misjudged in less than 5 %
SPLIT = 0.2  # people split on an item if more than this share of its answers is outside the leading class
MIN_ITEMS_EACH = 30  # items that a single person must share with the others and the model to be compared
MAX_PARTS = 200  # classes, and groups: those with most items
_RISK = 0.05


class VerdictWord(StrEnum):
    """Where the model stands, as far as the items tell."""

    BELOW = "below"
    AT = "at"
    ABOVE = "above"
    CANNOT_TELL = "cannot_tell"


class VerdictReason(StrEnum):
    """What decided the verdict."""

    INTERVAL = "interval"  # the interval of the difference alone
    TOO_FEW_ITEMS = "too_few_items"  # fewer than VERDICT_ITEMS
    IMITATES_MAJORITY = "imitates_majority"  # the interval says above, the majority rule is as good


@dataclass(frozen=True, slots=True)
class Comparison:
    """Score of the model and of people on the same items by the same references, and the difference.

    The interval of the difference is one of VERDICT_LEVEL, the others are of 95 %. `needed` is about how many more
    items would decide where `verdict` is "cannot_tell" for want of items.
    """

    score: Figure
    human: Figure
    difference: Figure
    verdict: VerdictWord
    verdict_reason: VerdictReason
    needed: int | None


@dataclass(frozen=True, slots=True)
class PartComparison:
    """The comparison on one part of the items: a class (of the references), or a group of the caller."""

    code: int
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class MajorityRule:
    """What somebody earns who adds nothing but the majority's habits, beside what the model earns.

    The rule takes one person's answer and turns it into the class that mostly stands with the others when
    somebody says so (learnt on the other half of the items). `rule` is its score, `lift` its difference to
    people, `model_minus_rule` the model's difference to it; `constant` is what the most frequent class alone
    would earn on every item. `imitates` is true where the model is above people but not above the rule.
    """

    rule: Figure
    lift: Figure
    model_minus_rule: Figure
    constant: Figure
    imitates: bool


@dataclass(frozen=True, slots=True)
class SplitItems:
    """Where the difference between model and people comes from.

    `share` is the part of the difference that comes from items on which people split, None where the model is
    not ahead; between people it may exceed 1, as nobody can be ahead of people who all agree.
    """

    share: Figure | None
    on_split: Comparison
    on_clear: Comparison


@dataclass(frozen=True, slots=True)
class PersonComparison:
    """The model beside one person, on the items of that person. `beaten`: after Holm's correction."""

    annotator: int
    score: Figure
    human: Figure
    difference: Figure
    p: float
    beaten: bool


@dataclass(frozen=True, slots=True)
class HumansBeaten:
    """The model beside every single person who shares MIN_ITEMS_EACH items or more with the others.

    `share` of the `n` people are beaten; `worst` is the difference to the person who is hardest to beat, `median`
    the one in the middle (the lower of two). `n_excluded` people share fewer items. People are listed by code.
    """

    share: float | None
    n: int
    n_beaten: int
    n_excluded: int
    worst: PersonComparison | None
    median: PersonComparison | None
    people: tuple[PersonComparison, ...]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """A model beside humans. `reference` says what `score` to `per_group` are held against: that of the headline.

    `between_humans` and `gold` are the comparisons by either reference, as far as there is one.
    """

    reference: str
    score: Figure
    human: Figure
    difference: Figure
    verdict: VerdictWord
    verdict_reason: VerdictReason
    needed: int | None
    verdict_level: float
    margin: float
    imitates_majority: bool
    majority_rule: MajorityRule
    between_humans: Comparison
    gold: Comparison | None
    alt_test: AltTest
    alt_test_strict: AltTest
    worth_labelers: WorthLabelers
    split_item_share: Figure | None
    split_items: SplitItems
    per_class: tuple[PartComparison, ...]
    per_group: tuple[PartComparison, ...]
    humans_beaten: HumansBeaten
    n_predictions: int
    n_used: int


def evaluate(
    table: LabelTable,
    references: References,
    model: Ints,
    *,
    gold: Ints,
    groups: Ints,
    against_gold: bool,
    margin: float,
    epsilon: float,
    seed: int,
    n_classes: int,
) -> ModelReport:
    """A model beside the people of a table.

    `model`, `gold` and `groups` are one code per item code of the table, -1 for none. `against_gold` makes gold
    the reference of the headline. `margin` is the difference that does not matter, `epsilon` that of the
    alternative annotator test. Classes from `n_classes` up are stand-ins and not told by class.
    """
    beside = _Beside(table, references, model, gold, seed)
    between = _people_reference(beside)
    by_gold = _gold_reference(beside)
    main = by_gold if against_gold else between
    compared = compare(between.items, between.model, between.human, between.whole, margin)[0]
    gold_compared = compare(by_gold.items, by_gold.model, by_gold.human, by_gold.whole, margin)[0]
    rule = _majority_rule(beside, between, compared)
    chosen = gold_compared
    if not against_gold:
        if rule.imitates and compared.verdict is VerdictWord.ABOVE:
            compared = Comparison(
                compared.score,
                compared.human,
                compared.difference,
                VerdictWord.CANNOT_TELL,
                VerdictReason.IMITATES_MAJORITY,
                None,
            )
        chosen = compared
    per_class = (
        _parts(by_gold, gold[by_gold.item], margin) if against_gold else _per_class(beside, between, margin)
    )
    split = _split_items(beside, main, chosen, margin)
    return ModelReport(
        reference="gold" if against_gold else "between_humans",
        score=chosen.score,
        human=chosen.human,
        difference=chosen.difference,
        verdict=chosen.verdict,
        verdict_reason=chosen.verdict_reason,
        needed=chosen.needed,
        verdict_level=VERDICT_LEVEL,
        margin=margin,
        imitates_majority=rule.imitates and not against_gold,
        majority_rule=rule,
        between_humans=compared,
        gold=gold_compared if by_gold.item.size else None,
        alt_test=beside.alt_test(epsilon),
        alt_test_strict=beside.alt_test(0.0),
        worth_labelers=_worth(beside, between, seed),
        split_item_share=split.share,
        split_items=split,
        per_class=tuple(part for part in per_class if part.code < n_classes),
        per_group=_parts(main, groups[main.item], margin),
        humans_beaten=_humans_beaten(beside),
        n_predictions=int((model >= 0).sum()),
        n_used=int(main.item.size),
    )


def compare(items: Items, model: Floats, human: Floats, whole: Floats, margin: float) -> list[Comparison]:
    """Model and people, per group: both as shares of `whole`, their difference, and the verdict.

    The verdict is "at" if the whole interval of the difference lies within the margin, else "above" if its lower
    end is over 0, "below" if its upper end is under 0, and else "cannot_tell". "At" comes first: a lead that is
    surely smaller than what matters is no lead to speak of (see docs/hlp.md).
    """
    scores = items.ratios(model, whole)
    humans = items.ratios(human, whole)
    differences = _differences(items, model - human, whole)
    return [
        Comparison(score, person, difference, *_verdict(difference, margin))
        for score, person, difference in zip(scores, humans, differences, strict=True)
    ]


def _differences(items: Items, lead: Floats, whole: Floats) -> list[Figure]:
    return items.ratios(lead, whole, lower=-1.0, method=Method.PAIRED_ITEMS, level=VERDICT_LEVEL)


def _verdict(difference: Figure, margin: float) -> tuple[VerdictWord, VerdictReason, int | None]:
    n = difference.n_items
    if difference.value is None or difference.ci is None or n < VERDICT_ITEMS:
        return VerdictWord.CANNOT_TELL, VerdictReason.TOO_FEW_ITEMS, VERDICT_ITEMS - min(n, VERDICT_ITEMS - 1)
    low, high = difference.ci
    if -margin <= low and high <= margin:
        return VerdictWord.AT, VerdictReason.INTERVAL, None
    if low > 0 or high < 0:
        return VerdictWord.ABOVE if low > 0 else VerdictWord.BELOW, VerdictReason.INTERVAL, None
    # The interval shrinks with the root of n until it leaves 0, or fits into the margin, whichever is nearer.
    distance = abs(difference.value)
    half = (high - low) / 2
    needed = ceil(n * ((half / max(distance, margin - distance)) ** 2 - 1))
    return VerdictWord.CANNOT_TELL, VerdictReason.INTERVAL, max(needed, 1)


@dataclass(frozen=True, eq=False)
class _Reference:
    """Scores on the items of one kind of reference, one row per item."""

    items: Items
    item: Ints
    row: Ints
    model: Floats
    human: Floats
    whole: Floats

    def regrouped(self, group: Ints, n_groups: int) -> Items:
        return Items(self.items.times, self.items.pairs, group, n_groups)


@dataclass(frozen=True, eq=False)
class _Beside:
    """Everything that is asked about the model, by item code."""

    table: LabelTable
    references: References
    model: Ints
    gold: Ints
    seed: int

    def reference(self, item: Ints, model: Floats, human: Floats) -> _Reference:
        sizes = self.table.sizes[item]
        items = one_group(np.ones(item.size), sizes * (sizes - 1) / 2)
        return _Reference(items, item, self.references.index.of_item[item], model, human, np.ones(item.size))

    def alt_test(self, epsilon: float) -> AltTest:
        """Every answer beside the other answers of its item, and so the model."""
        answers, same, own, models = self.answers()
        others = self.table.sizes[self.table.item[answers]] - 1
        return alt_test(self.table.annotator[answers], (models - same) / others, (own - 1) / others, epsilon)

    def answers(self) -> tuple[Ints, Bools, Ints, Ints]:
        """Answers with others and a prediction: their positions, whether they are the model's class, and how
        many answers of the item are of their own class and of the model's.
        """
        item = self.table.item
        kept = np.flatnonzero((self.table.sizes[item] >= PAIR) & (self.model[item] >= 0))
        item = item[kept]
        index = self.references.index
        same = self.table.label[kept] == self.model[item]
        own = index.patterns.count[index.entry_of_answer[kept]]
        predicted = self.references.counts(index.of_item, self.model)[item]
        return kept, same, own, predicted


def _people_reference(beside: _Beside) -> _Reference:
    table, references = beside.table, beside.references
    p = references.patterns
    item = np.flatnonzero((table.sizes >= PAIR) & (beside.model >= 0))
    row = references.index.of_item[item]
    human = p.per_row(p.count * references.own) / p.size
    return beside.reference(item, references.earned(row, beside.model[item]), human[row])


def _gold_reference(beside: _Beside) -> _Reference:
    item = np.flatnonzero((beside.table.sizes > 0) & (beside.model >= 0) & (beside.gold >= 0))
    row = beside.references.index.of_item[item]
    right = beside.references.counts(row, beside.gold[item]) / beside.table.sizes[item]
    return beside.reference(item, (beside.model[item] == beside.gold[item]).astype(np.float64), right)


def _majority_rule(beside: _Beside, between: _Reference, compared: Comparison) -> MajorityRule:
    references, p = beside.references, beside.references.patterns
    n_rows = p.size.size
    half = np.random.default_rng(beside.seed).integers(2, size=beside.table.sizes.size)
    usable = beside.table.sizes >= PAIR
    rule, constant = np.zeros(between.item.size), np.zeros(between.item.size)
    for side in range(2):
        learnt = np.bincount(references.index.of_item[usable & (half != side)], minlength=n_rows)
        habit = references.habits(learnt)[p.label] if p.label.size else p.label
        said = references.counts(p.row, habit)
        earned = (
            p.per_row(p.count * references.credit(np.arange(p.row.size), said, habit == p.label)) / p.size
        )
        common = int(np.argmax(p.per_class(learnt[p.row] * references.weight))) if p.n_classes else 0
        mine = half[between.item] == side
        rule[mine] = earned[between.row[mine]]
        constant[mine] = references.earned(between.row[mine], np.full(int(mine.sum()), common))
    items, whole = between.items, between.whole
    lift = _differences(items, rule - between.human, whole)[0]
    ahead = _differences(items, between.model - rule, whole)[0]
    imitates = _over(compared.difference) and not _over(ahead) and lift.value is not None and lift.value > 0
    return MajorityRule(items.ratios(rule, whole)[0], lift, ahead, items.ratios(constant, whole)[0], imitates)


def _over(figure: Figure) -> bool:
    return figure.ci is not None and figure.ci[0] > 0


def _split_items(beside: _Beside, main: _Reference, compared: Comparison, margin: float) -> SplitItems:
    p = beside.references.patterns
    most = np.zeros(p.size.size, dtype=np.intp)
    np.maximum.at(most, p.row, p.count)
    split = (1 - most / p.size > SPLIT)[main.row]
    clear, divided = compare(
        main.regrouped(split.astype(np.intp), 2), main.model, main.human, main.whole, margin
    )
    return SplitItems(_split_share(main, split, compared.difference), divided, clear)


def _split_share(main: _Reference, split: Bools, difference: Figure) -> Figure | None:
    """The difference on split items over the whole difference: a ratio, by items."""
    if difference.value is None or difference.value <= 0:
        return None
    lead = main.model - main.human
    n = lead.size
    share = float(lead[split].sum() / lead.sum())
    residual = lead * split - share * lead
    se = np.sqrt(float(residual @ residual) * n / max(n - 1, 1)) / lead.sum()
    reach = 1.959963984540054 * se  # normal: the ratio has no t distribution anyway
    known = _over(difference)  # a ratio to something that may be 0 has no interval
    return Figure.estimate(
        share,
        se=se if known else None,
        ci=(share - reach, share + reach) if known else None,
        method=Method.LINEARISED,
        n_items=n,
        n_pairs=int(main.items.pairs.sum()),
    )


def _per_class(beside: _Beside, between: _Reference, margin: float) -> tuple[PartComparison, ...]:
    """By class of the references: where people say k, how often model and person say so (ties shared)."""
    references, k = beside.references, max(beside.references.patterns.n_classes, 1)
    predicted = beside.model[between.item]
    cases, times = np.unique(between.row * k + predicted, return_counts=True)
    p = take_rows(references.patterns, cases // k)
    at = references.entries((cases // k)[p.row], p.label)
    weight = references.weight[at]
    said = weight * (p.label == (cases % k)[p.row])
    human = p.count * references.own[at] / p.size[p.row]
    pairs = (p.size * (p.size - 1) / 2)[p.row]
    codes, group = _largest(p.label, times[p.row])
    items = Items(times[p.row].astype(np.float64), pairs, group, codes.size)
    found = compare(items, said, human, weight, margin)
    return tuple(
        PartComparison(int(code), one)
        for code, one in zip(codes, found, strict=True)
        if one.score.value is not None
    )


def _parts(main: _Reference, code: Ints, margin: float) -> tuple[PartComparison, ...]:
    """The comparison for every code of the items but -1."""
    codes, group = _largest(code, np.ones(code.size))
    found = compare(main.regrouped(group, codes.size), main.model, main.human, main.whole, margin)
    return tuple(PartComparison(int(c), one) for c, one in zip(codes, found, strict=True))


def _largest(code: Ints, times: Floats | Ints) -> tuple[Ints, Ints]:
    """The codes in use, the MAX_PARTS most frequent of them, ascending; and the place of each row's code or -1."""
    kept = np.flatnonzero(code >= 0)
    codes, place = condense(code[kept].astype(np.int64))
    many = totals(place, times[kept], codes.size)
    chosen = np.sort(np.argsort(-many, kind="stable")[:MAX_PARTS])
    number = np.full(codes.size, -1, dtype=np.intp)
    number[chosen] = np.arange(chosen.size)
    group = np.full(code.size, -1, dtype=np.intp)
    group[kept] = number[place]
    return codes[chosen].astype(np.intp), group


def _worth(beside: _Beside, between: _Reference, seed: int) -> WorthLabelers:
    references, k = beside.references, max(beside.references.patterns.n_classes, 1)
    cases, times = np.unique(between.row * k + beside.model[between.item], return_counts=True)
    row, label = cases // k, cases % k
    p = take_rows(references.patterns, row)
    return worth_labelers(p, times, references.counts(row, label) / np.maximum(p.size, 1), seed)


def _humans_beaten(beside: _Beside) -> HumansBeaten:
    references, table = beside.references, beside.table
    answers, same, _, predicted = beside.answers()
    entry = references.index.entry_of_answer[answers]
    human, model = references.own[entry], references.credit(entry, predicted, same)
    codes, place = condense(table.annotator[answers].astype(np.int64))
    n = totals(place, None, codes.size)
    able = np.flatnonzero(n >= MIN_ITEMS_EACH)
    number = np.full(codes.size, -1, dtype=np.intp)
    number[able] = np.arange(able.size)
    items = Items(
        np.ones(answers.size),
        (table.sizes[table.item[answers]] - 1).astype(np.float64),
        number[place],
        int(able.size),
    )
    whole = np.ones(answers.size)
    scores, humans = items.ratios(model, whole), items.ratios(human, whole)
    differences = items.ratios(model - human, whole, lower=-1.0, method=Method.PAIRED_ITEMS)
    mean = np.array([d.value or 0.0 for d in differences])
    p = t_probability(-mean, np.array([d.se or 0.0 for d in differences]), n[able] - 1)
    beaten = _holm(p)
    people = tuple(
        PersonComparison(int(codes[a]), scores[i], humans[i], differences[i], float(p[i]), bool(beaten[i]))
        for i, a in enumerate(able)
    )
    order = np.argsort(mean, kind="stable")
    m = able.size
    return HumansBeaten(
        share=float(beaten.mean()) if m else None,
        n=int(m),
        n_beaten=int(beaten.sum()),
        n_excluded=int(codes.size - m),
        worst=people[order[0]] if m else None,
        median=people[order[(m - 1) // 2]] if m else None,
        people=people,
    )


def _holm(p: Floats) -> Bools:
    """Which hypotheses to reject so that with 95 % none is rejected falsely (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    good = p[order] <= _RISK / (p.size - np.arange(p.size))
    rejected = np.zeros(p.size, dtype=np.bool_)
    rejected[order[np.logical_and.accumulate(good)]] = True
    return rejected
