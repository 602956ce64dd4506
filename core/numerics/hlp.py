"""Human-level performance of one question, and a model beside it: a LabelTable in, an HlpReport out.

Codes go in and codes come out; names belong to the caller. Nothing here raises on data: what cannot be computed
is a Figure without a value and with a reason. docs/hlp.md says what each figure means.
"""

from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any

import numpy as np

from core.numerics.agreement import Uncertain
from core.numerics.ceiling import Ceiling, noise_ceiling
from core.numerics.coefficients import Observed, percent_agreement
from core.numerics.evaluation import ModelReport, evaluate
from core.numerics.intervals import wilson_interval
from core.numerics.means import one_group
from core.numerics.references import PAIR, References
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, LabelTable, condense, find_patterns, totals

GOLD_ITEMS = 30  # with gold on fewer items, people's agreement speaks for them


class Headline(StrEnum):
    """Which figure speaks for the people."""

    GOLD = "gold"
    BETWEEN_HUMANS = "between_humans"


class HeadlineReason(StrEnum):
    """Why it is this one."""

    GOLD = "gold"  # truth is external, and enough items have it
    NO_GOLD = "no_gold"
    TOO_LITTLE_GOLD = "too_little_gold"
    NO_OVERLAP = "no_overlap"  # some gold, and no item with two answers


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One person's figure; n_items of the figure are the items it rests on."""

    annotator: int
    figure: Figure


@dataclass(frozen=True, slots=True)
class PeopleScore:
    """A figure for people on the whole and for each of them, by code."""

    mean: Figure
    annotators: tuple[PersonScore, ...]


@dataclass(frozen=True, slots=True)
class CoverageAccuracy:
    """How often somebody answers other than "I can't tell", and the score where they do."""

    coverage: Figure
    accuracy: Figure


@dataclass(frozen=True, slots=True)
class Coverage:
    """People and model with the same right to abstain; accuracy is beside `reference`."""

    reference: Headline
    people: CoverageAccuracy
    model: CoverageAccuracy | None


@dataclass(frozen=True, slots=True)
class HlpReport:
    """Everything the page on human-level performance says of one question, in codes.

    `gold` and `leave_one_out` have a mean and one figure per person; `coverage` is None where the question has no
    uncertain class, `model` where no predictions were given.
    """

    headline: Headline
    headline_reason: HeadlineReason
    uncertain: Uncertain
    gold: PeopleScore
    between_humans: Figure
    leave_one_out: PeopleScore
    ceiling: Ceiling
    coverage: Coverage | None
    model: ModelReport | None
    n_items: int
    n_annotations: int
    n_annotators: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values; every figure as in the agreement report."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def hlp_report(
    table: LabelTable,
    *,
    uncertain: Uncertain | str = Uncertain.CLASS,
    uncertain_classes: frozenset[int] = frozenset(),
    gold: Ints | None = None,
    model: Ints | None = None,
    groups: Ints | None = None,
    margin: float = 0.05,
    epsilon: float = 0.1,
    seed: int = 0,
) -> HlpReport:
    """Human-level performance of the people of a table, and a model beside them.

    `gold` and `model` are one class per item code (-1: none), `groups` any code per item (a slice; -1: none).
    They may be shorter or longer than the items of the table. `uncertain_classes` say "I can't tell", read as
    `uncertain` says, for the model as for people. `margin` is the difference from people that does not matter,
    `epsilon` that of the alternative annotator test. `seed` sets the halves that the majority's habits are learnt
    on, and the resampling of the worth in labelers. Raises ValueError on a class beyond the table's.
    """
    uncertain = Uncertain(uncertain)
    given = _Given(table, _unsure(table, uncertain_classes), gold, model, groups)
    counted, truth, predicted, parts = given.read(uncertain)
    references = References(find_patterns(counted))
    by_gold = _gold(counted, truth)
    between = _between(counted, references)
    n_gold = by_gold.mean.n_items
    headline, reason = Headline.BETWEEN_HUMANS, HeadlineReason.NO_GOLD
    if n_gold >= GOLD_ITEMS:
        headline, reason = Headline.GOLD, HeadlineReason.GOLD
    elif n_gold and between.value is None:
        headline, reason = Headline.GOLD, HeadlineReason.NO_OVERLAP
    elif n_gold:
        reason = HeadlineReason.TOO_LITTLE_GOLD
    return HlpReport(
        headline=headline,
        headline_reason=reason,
        uncertain=uncertain,
        gold=by_gold,
        between_humans=between,
        leave_one_out=_leave_one_out(counted, references),
        ceiling=noise_ceiling(references.patterns),
        coverage=given.coverage(headline),
        model=None
        if model is None
        else evaluate(
            counted,
            references,
            predicted,
            gold=truth,
            groups=parts,
            against_gold=headline is Headline.GOLD,
            margin=margin,
            epsilon=epsilon,
            seed=seed,
            n_classes=table.n_classes,
        ),
        n_items=table.n_items,
        n_annotations=len(table),
        n_annotators=table.n_annotators,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Given:
    """What was handed in, to be read in different ways. `unsure` has one more place, for no class at all."""

    table: LabelTable
    unsure: Bools
    gold: Ints | None
    model: Ints | None
    groups: Ints | None

    def read(self, uncertain: Uncertain) -> tuple[LabelTable, Ints, Ints, Ints]:
        """Answers, gold, model and groups under a reading of the uncertain classes."""
        table, k = self.table, self.table.n_classes
        said = self.unsure[table.label]
        if uncertain is Uncertain.MISSING and said.any():
            table = table.keep(~said)
        elif uncertain is Uncertain.DISAGREE:
            table = _apart(table, said)
        n = table.sizes.size
        gold, model = _per_item(self.gold, n, k), _per_item(self.model, n, k)
        if uncertain is Uncertain.MISSING:
            gold, model = np.where(self.unsure[gold], -1, gold), np.where(self.unsure[model], -1, model)
        elif uncertain is Uncertain.DISAGREE:
            model = np.where(self.unsure[model], table.n_classes - 1, model)
        return table, gold, model, _per_item(self.groups, n, None)

    def coverage(self, headline: Headline) -> Coverage | None:
        """How often people and model answer at all, and how well where they do."""
        if not self.unsure.any():
            return None
        table = self.table
        sure = ~self.unsure[table.label]
        answers = totals(table.item, None, table.sizes.size)
        people = _by_items(totals(table.item, sure, answers.size), answers)
        counted, gold, model, _ = self.read(Uncertain.MISSING)
        references = References(find_patterns(counted))
        by_gold = headline is Headline.GOLD
        accuracy = _gold(counted, gold).mean if by_gold else _leave_one_out(counted, references).mean
        return Coverage(
            headline,
            CoverageAccuracy(people, accuracy),
            None if self.model is None else self._model_coverage(references, gold, model, by_gold=by_gold),
        )

    def _model_coverage(
        self, references: References, gold: Ints, model: Ints, *, by_gold: bool
    ) -> CoverageAccuracy:
        everything = _per_item(self.model, self.table.sizes.size, self.table.n_classes)
        asked = ((everything >= 0) & (self.table.sizes > 0)).astype(np.float64)
        coverage = _by_items(asked * ~self.unsure[everything], asked)
        sizes = references.index.table.sizes
        comparable = (model >= 0) & ((gold >= 0) if by_gold else (sizes >= PAIR))
        right = model == gold if by_gold else references.earned(references.index.of_item, model)
        return CoverageAccuracy(coverage, _by_items(right * comparable, comparable.astype(np.float64)))


def _unsure(table: LabelTable, uncertain_classes: frozenset[int]) -> Bools:
    unsure = np.zeros(table.n_classes + 1, dtype=np.bool_)
    unsure[[code for code in uncertain_classes if code < table.n_classes]] = True
    return unsure


def _per_item(codes: Ints | None, n_codes: int, n_classes: int | None) -> Ints:
    """One code per item code, -1 where there is none."""
    full = np.full(n_codes, -1, dtype=np.intp)
    if codes is not None:
        given = np.asarray(codes, dtype=np.intp)
        if n_classes is not None and given.size and given.max() >= n_classes:
            raise ValueError("a class beyond n_classes")
        full[: given.size] = given[:n_codes]
    return np.maximum(full, -1)


def _apart(table: LabelTable, said: Bools) -> LabelTable:
    """Every uncertain answer as a class that no other answer of its item has; the last class is nobody's."""
    where = np.flatnonzero(said)
    where = where[np.argsort(table.item[where], kind="stable")]
    item = table.item[where]
    number = np.arange(where.size) - np.searchsorted(item, item)
    label = table.label.copy()
    label[where] = table.n_classes + number
    n_classes = table.n_classes + int(number.max(initial=-1)) + 2
    return LabelTable(table.item, table.annotator, label, n_classes)


def _by_items(part: Floats, whole: Floats) -> Figure:
    """A share of all answers, with items as the sampling unit."""
    return one_group(np.ones(part.size), np.zeros(part.size)).ratios(part, whole)[0]


def _people(table: LabelTable, kept: Ints, earned: Floats, pairs: Floats) -> tuple[PersonScore, ...]:
    """What each person earned per answer, with Wilson's interval; `kept` are positions of answers."""
    codes, place = condense(table.annotator[kept].astype(np.int64))
    n = totals(place, None, codes.size)
    mean = np.clip(totals(place, earned, codes.size) / n, 0.0, 1.0)
    variance = np.maximum(totals(place, earned**2, codes.size) / n - mean**2, 0.0) / np.maximum(n - 1, 1)
    low, high = wilson_interval(mean, n)
    shared = totals(place, pairs, codes.size)
    return tuple(
        PersonScore(
            int(codes[a]),
            Figure.estimate(
                mean[a],
                se=np.sqrt(variance[a]),
                ci=(low[a], high[a]),
                method=Method.WILSON,
                n_items=n[a],
                n_pairs=shared[a],
            ),
        )
        for a in range(codes.size)
    )


def _gold(table: LabelTable, gold: Ints) -> PeopleScore:
    """How often answers are right: over all answers, items as the sampling unit, and by person."""
    kept = np.flatnonzero(gold[table.item] >= 0)
    item = table.item[kept]
    right = (table.label[kept] == gold[item]).astype(np.float64)
    mean = _by_items(totals(item, right, gold.size), totals(item, None, gold.size))
    return PeopleScore(mean, _people(table, kept, right, np.zeros(kept.size)))


def _between(table: LabelTable, references: References) -> Figure:
    p = references.patterns
    if table.n_annotators == 1:  # not even two answers of one person to one item are agreement
        return Figure.missing(Reason.ONE_ANNOTATOR)
    return percent_agreement(Observed(p, np.ones(p.n_classes)))


def _leave_one_out(table: LabelTable, references: References) -> PeopleScore:
    """What an answer earns beside the others of its item: mean of the items, and by person."""
    p = references.patterns
    several = (p.size >= PAIR).astype(np.float64)
    items = one_group(p.multiplicity.astype(np.float64), p.size * (p.size - 1) / 2)
    mean = items.ratios(p.per_row(p.count * references.own) / p.size, several)[0]
    if mean.value is None:
        return PeopleScore(Figure.missing(Reason.NO_OVERLAP), ())
    kept = np.flatnonzero(table.sizes[table.item] >= PAIR)
    earned = references.own[references.index.entry_of_answer[kept]]
    return PeopleScore(
        mean, _people(table, kept, earned, (table.sizes[table.item[kept]] - 1).astype(np.float64))
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Figure):
        return value.to_dict()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
