"""The agreement report of one question: every coefficient, class, pair and annotator from a LabelTable.

Codes go in and codes come out; names belong to the caller. Nothing here raises on data: what cannot be computed
is a Figure without a value and with a reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from core.numerics.alpha import Level, Scale, binary_alphas, krippendorff_alpha, nominal_scale
from core.numerics.bootstrap import COEFFICIENTS, item_bootstrap
from core.numerics.chance import AgainstChance, fleiss_against_chance
from core.numerics.coefficients import (
    Observed,
    brennan_prediger,
    conger_kappa,
    fleiss_kappa,
    gwet_ac1,
    percent_agreement,
)
from core.numerics.icc import intraclass, mean_absolute_difference
from core.numerics.intervals import t_interval, wilson_interval
from core.numerics.pairs import PairAgreement, pair_agreements
from core.numerics.planning import Plan, plan
from core.numerics.results import Figure, Method, Reason
from core.numerics.sets import set_agreement
from core.numerics.table import (
    Bools,
    Floats,
    Ints,
    KeyCounter,
    LabelTable,
    PatternIndex,
    Patterns,
    find_patterns,
    pairs_within,
    totals,
)
from core.numerics.texts import text_agreement
from core.numerics.two_way import two_way
from core.numerics.verdicts import Verdict, verdicts
from core.numerics.weights import MOST_CLASSES, Table, WeightName, Weights, named_weights

SKEWED_CLASSES = "skewed_classes"
WEIGHTED = ("percent_agreement", "gwet_ac2", "fleiss_kappa", "brennan_prediger", "conger_kappa")
_SKEW = 0.2  # |AC1 - alpha| above this: chance is judged very differently because classes are uneven
_MIN_ITEMS = 2


class Uncertain(StrEnum):
    """What an answer "I can't tell" counts as."""

    CLASS = "class"  # a class of its own: two people who cannot tell agree
    MISSING = "missing"  # no answer
    DISAGREE = "disagree"  # a disagreement with every other answer, another "can't tell" included


class Interval(StrEnum):
    """How the intervals of the coefficients are made, and so which claim they are about."""

    ITEMS = "items"  # these labelers, other items: Student's t, moved towards the longer tail
    LINEARISED = "linearised"  # the same as it stands in irrCAC, not moved
    ITEM_BOOTSTRAP = "item_bootstrap"  # the same by drawing the items again
    TWO_WAY = "two_way"  # other labelers like these, other items


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """One class: `n` answers, specific agreement, and alpha of the class against the rest."""

    label: int
    n: int
    specific_agreement: Figure
    alpha: Figure


@dataclass(frozen=True, slots=True)
class AnnotatorAgreement:
    """One annotator: `n` answers (uncertain ones included), agreement with the others' plurality, abstention."""

    annotator: int
    n: int
    leave_one_out: Figure
    abstention_rate: Figure


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pairs of answers a/b (a < b) on one item, and their share of all disagreeing pairs."""

    a: int
    b: int
    n: int
    share: float


@dataclass(frozen=True, slots=True)
class UncertainClass:
    """One class, how many answers or items it stands for, and a share of answers."""

    label: int
    n: int
    rate: Figure


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How often people cannot tell, and whether they agree on when.

    `by_class` are the uncertainty classes; `by_majority` the other classes, over the items on which more of the
    certain answers are of the class than of any other: `n` such items, and the share of uncertain answers there.
    """

    rate: Figure
    alpha_on_abstaining: Figure
    by_class: tuple[UncertainClass, ...]
    by_majority: tuple[UncertainClass, ...]


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Everything the report of one question says, in codes.

    `chance` tests Fleiss' kappa against 0, where all items have equally many answers. `weighted` is None without weights, `sets` unless answers are sets, `texts` unless they are texts;
    `intraclass` and `mean_absolute_difference` are None below the interval level. `plan` is None unless it was asked
    for. `n_items` have an answer, `n_items_used` have two or more (after dropping uncertain answers where they count
    as missing). `dropped_one_annotation` items have only one. `*_cut` say how much was left out of a list by
    its limit: lists keep what is most frequent.
    """

    level: Level
    uncertain: Uncertain
    n_items: int
    n_items_used: int
    n_annotations: int
    n_annotators: int
    n_pairs: int
    dropped_one_annotation: int
    dropped_uncertain: int
    coefficients: dict[str, Figure]
    chance: AgainstChance | None
    weighted: dict[str, Figure] | None
    sets: dict[str, Figure] | None
    texts: dict[str, Figure] | None
    intraclass: dict[str, Figure] | None
    mean_absolute_difference: Figure | None
    plan: Plan | None
    verdicts: tuple[Verdict, ...]
    per_class: tuple[ClassAgreement, ...]
    classes_cut: int
    pairs: tuple[PairAgreement, ...]
    pairs_cut: int
    annotators: tuple[AnnotatorAgreement, ...]
    confusions: tuple[Confusion, ...]
    confusions_cut: int
    uncertainty: Uncertainty
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> Verdict | None:
        """That of Landis and Koch's scale."""
        return self.verdicts[0] if self.verdicts else None


@dataclass(frozen=True, eq=False)
class _Read:
    """The answers under one reading of uncertain ones.

    `alone` classes agree with nothing, `weight` is 1 where two answers of a class agree, and `n_classes` are
    permitted.
    """

    table: LabelTable
    index: PatternIndex
    unsure: Bools
    alone: Bools
    weight: Floats
    n_classes: int


def agreement_report(
    table: LabelTable,
    *,
    level: Level | str = Level.NOMINAL,
    uncertain: Uncertain | str = Uncertain.CLASS,
    uncertain_classes: frozenset[int] = frozenset(),
    weights: WeightName | str | Floats | None = None,
    members: Bools | None = None,
    texts: Sequence[str] | None = None,
    interval: Interval | str = Interval.ITEMS,
    planned: bool = False,
    details: bool = True,
    max_pairs: int = 5000,
    max_classes: int = 200,
    max_confusions: int = 500,
) -> AgreementReport:
    """Agreement between the annotators of a table.

    `level` sets the distances of Krippendorff's alpha (with `table.values`, or else the order of the class
    codes); every other coefficient compares answers for equality, and those of `weighted` by `weights`: a name,
    or a table classes x classes of numbers from 0 to 1 (of a pair the annotator with the lower code is the row;
    where nobody is first the table and its mirror image are averaged). Named weights other than quadratic are
    left out beyond MOST_CLASSES classes.

    `uncertain_classes` are the codes of the classes that say "I can't tell"; they have no rank or number: beyond
    the nominal level such an answer lies as far from every other one as the two furthest values in use, and
    named weights give it nothing.

    Where classes are sets, `members` (classes x things) says what they hold, and `per_class` speaks of the
    things, each ticked or not; where they are texts, `texts` are those. `interval` is that of
    bootstrap.COEFFICIENTS; all else keeps its own. `planned` asks for the plan of labels and items. Without `details` there are only counts,
    `coefficients`, `verdicts`, `per_class`, `uncertainty` and `warnings`.
    """
    level, uncertain = Level(level), Uncertain(uncertain)
    unsure = np.zeros(table.n_classes, dtype=np.bool_)
    unsure[[code for code in uncertain_classes if code < table.n_classes]] = True
    said_unsure = unsure[table.label]
    everything = find_patterns(table)
    read = _read(table, everything, uncertain, unsure)
    counted, index = read.table, read.index
    seen = Observed(index.patterns, read.weight)
    scale = _scale(table, level, unsure, read.weight)
    estimates = _coefficients(seen, read, scale)
    partial = _partial(weights, read, scale) if details else None
    weighted = None if partial is None else _weighted(read, scale, weights, partial)
    if table.n_annotators == 1:  # not even two answers of one person to one item are agreement
        alone = seen.missing(Reason.ONE_ANNOTATOR)
        estimates = dict.fromkeys(estimates, alone)
        weighted = None if weighted is None else dict.fromkeys(weighted, alone)
    coefficients = estimates | _intervals(Interval(interval), estimates, read, scale)
    per_class, classes_cut = (
        _per_class(index.patterns, read.alone, max_classes)
        if members is None
        else _per_thing(index.patterns, read.alone, members, max_classes)
    )
    pairs, pairs_cut = pair_agreements(counted, read.weight, max_pairs, partial) if details else ([], 0)
    confusions, confusions_cut = _confusions(seen, max_confusions) if details else ((), 0)
    measured = details and level in {Level.INTERVAL, Level.RATIO} and table.values is not None
    numbers = _certain(read) if measured else None
    return AgreementReport(
        level=level,
        uncertain=uncertain,
        n_items=table.n_items,
        n_items_used=seen.n_used,
        n_annotations=len(table),
        n_annotators=table.n_annotators,
        n_pairs=seen.n_pairs,
        dropped_one_annotation=counted.n_items - seen.n_used,
        dropped_uncertain=len(table) - len(counted),
        coefficients=coefficients,
        chance=fleiss_against_chance(seen, estimates["fleiss_kappa"]),
        weighted=weighted,
        sets=set_agreement(index.patterns, members, read.alone) if details and members is not None else None,
        texts=text_agreement(index.patterns, texts) if details and texts is not None else None,
        intraclass=None if numbers is None else intraclass(numbers.table),
        mean_absolute_difference=None if numbers is None else _mean_difference(numbers),
        plan=_plan(read, estimates["krippendorff_alpha"]) if planned else None,
        verdicts=verdicts(coefficients["krippendorff_alpha"]),
        per_class=per_class,
        classes_cut=classes_cut,
        pairs=tuple(pairs),
        pairs_cut=pairs_cut,
        annotators=_annotators(table, counted, index, read.alone, said_unsure) if details else (),
        confusions=confusions,
        confusions_cut=confusions_cut,
        uncertainty=_uncertainty(everything.patterns, unsure),
        warnings=_warnings(estimates),
    )


def _read(table: LabelTable, everything: PatternIndex, uncertain: Uncertain, unsure: Bools) -> _Read:
    none = np.zeros_like(unsure)
    if uncertain is Uncertain.CLASS or not unsure.any():
        return _Read(table, everything, unsure, none, np.ones(unsure.size), unsure.size)
    apart = np.where(unsure, 0.0, 1.0)
    if uncertain is Uncertain.DISAGREE:
        return _Read(table, everything, unsure, unsure, apart, unsure.size)
    said = unsure[table.label]
    counted = table.keep(~said) if said.any() else table
    index = everything if counted is table else find_patterns(counted)
    # Not permitted classes: no part in any sum over classes.
    return _Read(counted, index, unsure, none, apart, unsure.size - int(unsure.sum()))


def _certain(read: _Read) -> _Read:
    """Only the answers that are numbers."""
    said = read.unsure[read.table.label]
    if not said.any():
        return read
    counted = read.table.keep(~said)
    return _Read(counted, find_patterns(counted), read.unsure, read.alone, read.weight, read.n_classes)


def _mean_difference(read: _Read) -> Figure:
    values = read.table.values
    return mean_absolute_difference(
        read.index.patterns, np.zeros(0) if values is None else values, read.table.n_items
    )


def _partial(weights: WeightName | str | Floats | None, read: _Read, scale: Scale) -> Weights | None:
    """The weights asked for, under this reading of uncertain answers."""
    if weights is None:
        return None
    if isinstance(weights, str):
        name = WeightName(weights)
        if name is not WeightName.QUADRATIC and scale.value.size > MOST_CLASSES:
            return None
        return named_weights(name, scale.value, read.unsure, read.weight)
    lost = read.weight == 0
    return Table(np.where(lost[:, None] | lost, 0.0, weights))


def _weighted(
    read: _Read, scale: Scale, weights: WeightName | str | Floats | None, partial: Weights
) -> dict[str, Figure]:
    """The coefficients that take weights, the weights being the same in both directions."""
    even = partial.even() if isinstance(partial, Table) else partial
    seen = Observed(read.index.patterns, read.weight, even)
    if isinstance(weights, str) and weights == WeightName.RATIO and (scale.value[~read.unsure] < 0).any():
        return dict.fromkeys(WEIGHTED, seen.missing(Reason.NEGATIVE_VALUES))
    return dict(
        zip(
            WEIGHTED,
            (
                percent_agreement(seen),
                gwet_ac1(seen, read.n_classes),
                fleiss_kappa(seen),
                brennan_prediger(seen, read.n_classes),
                conger_kappa(seen, read.table, read.index),
            ),
            strict=True,
        )
    )


def _scale(table: LabelTable, level: Level, unsure: Bools, weight: Floats) -> Scale:
    values = np.arange(table.n_classes, dtype=np.float64) if table.values is None else table.values
    return Scale(level, values, unsure, weight)


def _coefficients(seen: Observed, read: _Read, scale: Scale) -> dict[str, Figure]:
    fleiss = fleiss_kappa(seen)
    return {
        "percent_agreement": percent_agreement(seen),
        "krippendorff_alpha": krippendorff_alpha(seen.patterns, scale, seen.n_items),
        "gwet_ac1": gwet_ac1(seen, read.n_classes),
        "fleiss_kappa": fleiss,
        "scott_pi": fleiss,  # Fleiss' kappa is Scott's pi for any number of labelers
        "brennan_prediger": brennan_prediger(seen, read.n_classes),
        "conger_kappa": conger_kappa(seen, read.table, read.index),
    }


def _intervals(
    interval: Interval, estimates: dict[str, Figure], read: _Read, scale: Scale
) -> dict[str, Figure]:
    """The coefficients that have other intervals than their own, with those."""
    if interval is Interval.ITEMS:
        return {}
    if interval is Interval.LINEARISED:
        return {
            name: _linearised(name, estimates[name], read.index.patterns.n_items) for name in COEFFICIENTS
        }
    if interval is Interval.ITEM_BOOTSTRAP:
        return item_bootstrap(
            read.index.patterns, estimates, scale=scale, weight=read.weight, n_permitted=read.n_classes
        )
    return two_way(read.index, estimates, scale=scale, weight=read.weight, n_permitted=read.n_classes)


def _linearised(name: str, figure: Figure, n_items: int) -> Figure:
    if figure.value is None or figure.se is None:
        return figure
    lower = 0.0 if name == "percent_agreement" else -np.inf
    low, high = t_interval(figure.value, figure.se, n_items - 1, lower=lower)
    return replace(figure, ci=(float(low), float(high)), method=Method.LINEARISED)


def _plan(read: _Read, alpha: Figure) -> Plan:
    """Two who cannot tell agree here, unless their answers are dropped: the plan knows classes only."""
    p = read.index.patterns
    same = percent_agreement(Observed(p, np.ones(p.n_classes)))
    if alpha.reason is Reason.ONE_ANNOTATOR:
        same = Figure.missing(Reason.ONE_ANNOTATOR, n_items=same.n_items, n_pairs=same.n_pairs)
    return plan(p, same)


def _warnings(coefficients: dict[str, Figure]) -> tuple[str, ...]:
    ac1, alpha = coefficients["gwet_ac1"].value, coefficients["krippendorff_alpha"].value
    skewed = ac1 is not None and alpha is not None and abs(ac1 - alpha) > _SKEW
    return (SKEWED_CLASSES,) if skewed else ()


def _per_class(all_patterns: Patterns, alone: Bools, limit: int) -> tuple[tuple[ClassAgreement, ...], int]:
    """Classes in use, by code; the `limit` most frequent of them."""
    answers = all_patterns.per_class(all_patterns.multiplicity[all_patterns.row] * all_patterns.count)
    used = np.flatnonzero(answers)
    chosen = np.sort(used[np.argsort(-answers[used], kind="stable")[:limit]])
    # The rest become one class behind the chosen ones, so that the work is for the chosen ones only.
    code = np.full(all_patterns.n_classes, chosen.size, dtype=np.intp)
    code[chosen] = np.arange(chosen.size)
    apart = alone[chosen]
    n_classes = chosen.size + 1
    singled = np.append(apart, np.zeros(1, dtype=np.bool_))
    patterns = all_patterns if used.size == 0 else all_patterns.recoded(code, n_classes)
    alphas = binary_alphas(patterns, singled, all_patterns.n_items) if used.size else []
    specific = _specific_agreements(patterns, singled) if used.size else []
    return tuple(
        ClassAgreement(int(label), int(answers[label]), specific[k], alphas[k])
        for k, label in enumerate(chosen)
    ), int(used.size - chosen.size)


def _per_thing(
    p: Patterns, alone: Bools, members: Bools, limit: int
) -> tuple[tuple[ClassAgreement, ...], int]:
    """What sets hold, each thing ticked or not; the `limit` most frequent things."""
    answers = (p.per_class(p.multiplicity[p.row] * p.count) @ members).astype(np.intp)
    used = np.flatnonzero(answers)
    chosen = np.sort(used[np.argsort(-answers[used], kind="stable")[:limit]])
    rows = []
    apart = np.array([False, False, True])  # ticked, not ticked, and sets that agree with nothing
    for thing in chosen.tolist():
        ticked = p.recoded(np.where(alone, 2, np.where(members[:, thing], 0, 1)), 3)
        specific, alpha = _specific_agreements(ticked, apart)[0], binary_alphas(ticked, apart, p.n_items)[0]
        rows.append(ClassAgreement(thing, int(answers[thing]), specific, alpha))
    return tuple(rows), int(used.size - chosen.size)


def _specific_agreements(patterns: Patterns, alone: Bools) -> list[Figure]:
    """Share of a class's partners that are of the class too, items weighing 1 / (answers - 1)."""
    p = patterns.overlapping()
    m, c = p.multiplicity[p.row], p.count.astype(np.float64)
    others = p.size[p.row] - 1.0
    agreeing = np.where(alone[p.label], 0.0, c * (c - 1) / others)
    answers = p.per_class(m * c)
    share = p.per_class(m * agreeing) / np.maximum(answers, 1.0)
    spread = p.per_class(m * (agreeing - share[p.label] * c) ** 2)
    items = p.per_class(m)
    pairs = p.per_class(m * (c * (c - 1) / 2 + c * (others + 1 - c)))
    several = np.maximum(items, 2.0)
    se = np.sqrt(spread * several / (several - 1)) / np.maximum(answers, 1.0)
    lower, upper = t_interval(share, se, several - 1, lower=0.0)
    figures = []
    for k in range(p.n_classes):
        n, n_pairs = int(items[k]), int(pairs[k])
        if n == 0:
            reason = Reason.TOO_FEW_ITEMS if p.n_items else Reason.NO_OVERLAP
            figures.append(Figure.missing(reason))
            continue
        known = n >= _MIN_ITEMS
        figures.append(
            Figure.estimate(
                min(share[k], 1.0),
                se=se[k] if known else None,
                ci=(lower[k], upper[k]) if known else None,
                method=Method.LINEARISED,
                n_items=n,
                n_pairs=n_pairs,
            )
        )
    return figures


def _confusions(seen: Observed, limit: int) -> tuple[tuple[Confusion, ...], int]:
    """Pairs of different classes on one item, the most frequent first."""
    p = seen.patterns
    k = max(p.n_classes, 1)
    entries = np.bincount(p.row, minlength=p.size.size)
    counter = KeyCounter(k * k, int((entries * (entries - 1) // 2).sum()))
    for left, right in pairs_within(np.arange(p.row.size), entries):
        weight = p.multiplicity[p.row[left]] * p.count[left] * p.count[right]
        counter.add(p.label[left] * k + p.label[right], weight)
    keys, count = counter.result()
    agreeing = seen.weight[p.label] * p.count * (p.count - 1) / 2
    disagreeing = seen.n_pairs - float(p.multiplicity[p.row] @ agreeing)
    order = np.lexsort((keys, -count))[:limit]
    found = tuple(
        Confusion(int(keys[i] // k), int(keys[i] % k), int(count[i]), float(count[i] / disagreeing))
        for i in order
    )
    return found, int(keys.size - order.size)


def _leave_one_out_credit(p: Patterns, alone: Bools) -> Floats:
    """For one answer of each entry: 1 / size of the others' plurality set if it is in the set, else 0.

    An answer is in the set only if its class leads alone with it; without it the class either still leads, or
    ties with the runners-up. Answers of a class in `alone` are classes of one answer each.
    """
    single = alone[p.label]
    strength = np.where(single, 1, p.count)
    multiple = np.where(single, p.count, 1)
    rows = p.size.size
    best = np.zeros(rows, dtype=np.intp)
    np.maximum.at(best, p.row, strength)
    leads = strength == best[p.row]
    second = np.zeros(rows, dtype=np.intp)
    np.maximum.at(second, p.row, np.where(leads, 0, strength))
    leaders = p.per_row(multiple * leads)
    runners = p.per_row(multiple * (~leads & (strength == second[p.row])))
    sole = leads & (leaders[p.row] == 1) & ~single & (p.size[p.row] > 1)
    tied = strength - 1 == second[p.row]
    return np.where(sole, np.where(tied, 1 / (1 + runners[p.row]), 1.0), 0.0)


def _annotators(
    table: LabelTable, counted: LabelTable, index: PatternIndex, alone: Bools, said_unsure: Bools
) -> tuple[AnnotatorAgreement, ...]:
    span = int(table.annotator.max(initial=-1)) + 1
    n = np.bincount(table.annotator, minlength=span)
    abstained = totals(table.annotator, said_unsure, span)
    sizes = counted.sizes[counted.item]
    # The credit of the average answer, its spread and the pairs with others, over items shared with others.
    credit = _leave_one_out_credit(index.patterns, alone)[index.entry_of_answer]
    shared = _per_annotator(counted, sizes > 1, span)
    total = _per_annotator(counted, credit, span)
    squares = _per_annotator(counted, credit**2, span)
    pairs = _per_annotator(counted, sizes - 1, span)

    usable = np.maximum(shared, 1.0)
    mean = np.clip(total / usable, 0.0, 1.0)
    variance = np.maximum(squares / usable - mean**2, 0.0) * usable / np.maximum(usable - 1, 1.0)
    loo = _means(mean, np.sqrt(variance / usable), shared, pairs)
    rate = abstained / np.maximum(n, 1)
    abstention = _means(rate, np.sqrt(rate * (1 - rate) / np.maximum(n, 1)), n, np.zeros_like(n))
    return tuple(AnnotatorAgreement(int(a), int(n[a]), loo[a], abstention[a]) for a in np.flatnonzero(n))


def _per_annotator(table: LabelTable, weights: Floats | Ints | Bools, span: int) -> Floats:
    return totals(table.annotator, weights, span)


def _means(mean: Floats, se: Floats, n: Floats | Ints, pairs: Floats | Ints) -> list[Figure]:
    """Means of numbers in [0, 1] over n items with Wilson's interval; without a value where n is 0."""
    lower, upper = wilson_interval(mean, np.maximum(n, 1))
    return [
        Figure.estimate(
            mean[i], se=se[i], ci=(lower[i], upper[i]), method=Method.WILSON, n_items=n[i], n_pairs=pairs[i]
        )
        if n[i]
        else Figure.missing(Reason.NO_OVERLAP)
        for i in range(mean.size)
    ]


def _uncertainty(patterns: Patterns, unsure: Bools) -> Uncertainty:
    binary = patterns.recoded(unsure.astype(np.intp), 2) if unsure.size else patterns
    answers = patterns.per_class(patterns.multiplicity[patterns.row] * patterns.count)
    return Uncertainty(
        rate=_rate(patterns, unsure),
        alpha_on_abstaining=krippendorff_alpha(binary, nominal_scale(2), patterns.n_items),
        by_class=tuple(
            UncertainClass(int(k), int(answers[k]), _rate(patterns, np.arange(unsure.size) == k))
            for k in np.flatnonzero(unsure)
        ),
        by_majority=_by_majority(patterns, unsure),
    )


def _by_majority(p: Patterns, unsure: Bools) -> tuple[UncertainClass, ...]:
    """The share of uncertain answers where one class leads among the certain ones, by that class."""
    if not unsure.any():
        return ()
    votes = np.where(unsure[p.label], 0, p.count)
    most = np.zeros(p.size.size, dtype=np.intp)
    np.maximum.at(most, p.row, votes)
    leads = (votes == most[p.row]) & (votes > 0)
    sole = leads & (p.per_row(leads)[p.row] == 1)
    winner = np.full(p.size.size, -1, dtype=np.intp)
    winner[p.row[sole]] = p.label[sole]
    found = []
    for k in np.unique(p.label[sole]).tolist():
        led = p.standing_for(np.where(winner == k, p.multiplicity, 0))
        found.append(UncertainClass(k, led.n_items, _rate(led, unsure)))
    return tuple(found)


def _rate(p: Patterns, chosen: Bools) -> Figure:
    """Share of the answers that are of the chosen classes; a ratio with items as the sampling unit."""
    n, answers = p.n_items, int(p.multiplicity @ p.size)
    if n == 0:
        return Figure.missing(Reason.NO_OVERLAP)
    found = p.per_row(p.count * chosen[p.label])
    share = float(p.multiplicity @ found) / answers
    if n < _MIN_ITEMS:
        return Figure.estimate(share, n_items=n, n_pairs=0)
    squares = float(p.multiplicity @ (found - share * p.size) ** 2)
    se = np.sqrt(squares * n / (n - 1)) / answers
    ci = t_interval(share, se, n - 1, lower=0.0)
    return Figure.estimate(share, se=se, ci=ci, method=Method.LINEARISED, n_items=n, n_pairs=0)
