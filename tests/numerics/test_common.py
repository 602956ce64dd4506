"""What must hold for every coefficient on any answers."""

from dataclasses import fields, is_dataclass
from itertools import combinations
from math import isclose, isfinite, isinf
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.agreement import AgreementReport, agreement_report
from core.numerics.alpha import Level
from core.numerics.results import Figure, Reason
from core.numerics.table import LabelTable
from core.numerics.weights import WeightName

CLASSES = 4
NUMBERS = [0.0, 1.0, 2.5, 7.0]
COEFFICIENTS = [
    "percent_agreement",
    "krippendorff_alpha",
    "gwet_ac1",
    "fleiss_kappa",
    "scott_pi",
    "brennan_prediger",
    "conger_kappa",
]
LEVELS = st.sampled_from(["nominal", "ordinal", "interval", "ratio"])
MODES = st.sampled_from(["class", "missing", "disagree"])
UNSURE = st.sampled_from([frozenset[int](), frozenset({3}), frozenset({0, 2})])
ANSWERS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 5), st.integers(0, CLASSES - 1)),
    max_size=40,
    unique_by=lambda answer: answer[:2],
)
Answers = list[tuple[int, int, int]]
WEIGHTED = ["percent_agreement", "gwet_ac2", "fleiss_kappa", "brennan_prediger", "conger_kappa"]
LOPSIDED = np.array([[1, 0.7, 0.1, 0], [0.2, 1, 0.4, 0], [0, 0.9, 1, 0.5], [0.3, 0, 0.2, 1]])
WEIGHTS = st.sampled_from([None, *WeightName, LOPSIDED, np.eye(CLASSES)])
MEMBERS = np.array([[False, False, False], [True, False, False], [True, True, False], [False, True, True]])
TEXTS = ["wren", "Wren.", "wrens", ""]


def table_of(answers: Answers) -> LabelTable:
    item, annotator, label = (np.array([answer[i] for answer in answers], dtype=np.intp) for i in range(3))
    return LabelTable(item, annotator, label, CLASSES, np.array(NUMBERS))


def figures_in(part: Any) -> list[Figure]:
    """Every Figure anywhere in a report."""
    if isinstance(part, Figure):
        return [part]
    if isinstance(part, dict):
        return [figure for value in part.values() for figure in figures_in(value)]
    if isinstance(part, tuple):
        return [figure for value in part for figure in figures_in(value)]
    if is_dataclass(part):
        return [figure for field in fields(part) for figure in figures_in(getattr(part, field.name))]
    return []


def same(one: Figure, other: Figure) -> bool:
    if one.reason != other.reason or (one.n_items, one.n_pairs) != (other.n_items, other.n_pairs):
        return False
    numbers = [(one.value, other.value), (one.se, other.se)]
    numbers += list(zip(one.ci or (), other.ci or (), strict=True))
    return all(
        a is b or (a is not None and b is not None and isclose(a, b, rel_tol=1e-9, abs_tol=1e-7))
        for a, b in numbers
    )


def of_everybody(report: AgreementReport) -> dict[str, Figure]:
    """Every figure that is about the people as a whole, by the part of the report and its name."""
    parts = ("coefficients", "weighted", "sets", "texts", "intraclass")
    found = {
        f"{part} {name}": figure for part in parts for name, figure in (getattr(report, part) or {}).items()
    }
    if report.mean_absolute_difference is not None:
        found["mean_absolute_difference"] = report.mean_absolute_difference
    return found


def differing(one: AgreementReport, other: AgreementReport, without: tuple[str, ...] = ()) -> list[str]:
    """The figures about everybody that are not the same in two reports, those that end so left out."""
    before, after = of_everybody(one), of_everybody(other)
    assert list(before) == list(after)
    return [
        name
        for name in before
        if not name.endswith(without or ("?",)) and not same(before[name], after[name])
    ]


def whole_report(
    answers: Answers,
    level: str = "nominal",
    mode: str = "class",
    unsure: frozenset[int] = frozenset(),
    weights: Any = "linear",
) -> AgreementReport:
    """The report with everything in it."""
    return agreement_report(
        table_of(answers),
        level=level,
        uncertain=mode,
        uncertain_classes=unsure,
        weights=weights,
        members=MEMBERS,
        texts=TEXTS,
    )


@given(ANSWERS, LEVELS, MODES, UNSURE, WEIGHTS)
@settings(max_examples=200, deadline=None)
def test_every_figure_has_a_finite_value_or_a_reason(
    answers: Answers, level: str, mode: str, unsure: frozenset[int], weights: Any
) -> None:
    report = whole_report(answers, level, mode, unsure, weights)
    assert list(report.coefficients) == COEFFICIENTS
    assert list(report.weighted or {}) == ([] if weights is None else WEIGHTED)
    for test in (report.chance, *(pair.chance for pair in report.pairs)):
        if test is not None:
            assert isfinite(test.z)
            assert test.se > 0
            assert 0 <= test.p <= 1
    units = report.mean_absolute_difference  # the only figure with a unit
    for figure in figures_in(report):
        assert (figure.value is None) == (figure.reason is not None)
        assert (figure.se is None) == (figure.ci is None) == (figure.method is None)
        assert figure.n_items >= 0
        assert figure.n_pairs >= 0
        if figure.value is not None:
            assert isfinite(figure.value)
            assert figure is units or figure.value <= 1
            assert figure is not units or figure.value >= 0
        if figure.se is not None and figure.ci is not None and figure.value is not None:
            assert isfinite(figure.se)
            assert figure.se >= 0
            assert not any(map(isinf, figure.ci))
            assert figure.ci[0] - 1e-9 <= figure.value <= figure.ci[1] + 1e-9
            assert figure is units or figure.ci[1] <= 1


@given(ANSWERS, MODES, UNSURE, st.permutations(range(CLASSES)))
@settings(max_examples=60, deadline=None)
def test_names_of_classes_do_not_matter_at_the_nominal_level(
    answers: Answers, mode: str, unsure: frozenset[int], new: list[int]
) -> None:
    renamed = [(item, annotator, new[label]) for item, annotator, label in answers]
    old = np.argsort(new)
    before = agreement_report(
        table_of(answers),
        uncertain=mode,
        uncertain_classes=unsure,
        weights=LOPSIDED,
        members=MEMBERS,
        texts=TEXTS,
    )
    after = agreement_report(
        table_of(renamed),
        uncertain=mode,
        uncertain_classes=frozenset(new[code] for code in unsure),
        weights=LOPSIDED[np.ix_(old, old)],
        members=MEMBERS[old],
        texts=[TEXTS[code] for code in old],
    )
    assert differing(before, after) == []
    for name in ("sets", "texts"):
        assert getattr(before, name) is not None
    # Where classes are sets, what they hold keeps its name.
    for one, other in zip(before.per_class, after.per_class, strict=True):
        assert (one.label, one.n) == (other.label, other.n)
        assert same(one.alpha, other.alpha)
        assert same(one.specific_agreement, other.specific_agreement)
    plain = agreement_report(table_of(answers), uncertain=mode, uncertain_classes=unsure)
    by_new_name = {
        row.label: row
        for row in agreement_report(
            table_of(renamed), uncertain=mode, uncertain_classes=frozenset(new[code] for code in unsure)
        ).per_class
    }
    for row in plain.per_class:
        assert same(row.alpha, by_new_name[new[row.label]].alpha)
        assert same(row.specific_agreement, by_new_name[new[row.label]].specific_agreement)


@given(ANSWERS, st.tuples(LEVELS, MODES, UNSURE, WEIGHTS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_does_not_matter(answers: Answers, asked: Any, random: Any) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)
    one, other = whole_report(answers, *asked), whole_report(shuffled, *asked)
    assert differing(one, other) == []
    assert one.confusions == other.confusions
    for a, b in zip(figures_in(one.pairs), figures_in(other.pairs), strict=True):
        assert same(a, b)
    for a, b in zip(figures_in(one.annotators), figures_in(other.annotators), strict=True):
        assert same(a, b)


@given(ANSWERS, LEVELS, MODES, UNSURE, st.permutations(range(8)))
@settings(max_examples=60, deadline=None)
def test_names_of_items_do_not_matter(
    answers: Answers, level: str, mode: str, unsure: frozenset[int], new: list[int]
) -> None:
    renamed = [(new[item], annotator, label) for item, annotator, label in answers]
    one, other = whole_report(answers, level, mode, unsure), whole_report(renamed, level, mode, unsure)
    assert differing(one, other) == []
    for a, b in zip(figures_in(one.pairs), figures_in(other.pairs), strict=True):
        assert same(a, b)


@given(ANSWERS, LEVELS, st.permutations(range(6)))
@settings(max_examples=60, deadline=None)
def test_names_of_annotators_do_not_matter(answers: Answers, level: str, new: list[int]) -> None:
    renamed = [(item, new[annotator], label) for item, annotator, label in answers]
    one, other = whole_report(answers, level), whole_report(renamed, level)
    assert differing(one, other) == []
    # A pair is the same from either side.
    after = {(pair.a, pair.b): pair for pair in other.pairs}
    for pair in one.pairs:
        a, b = sorted((new[pair.a], new[pair.b]))
        assert same(pair.percent, after[a, b].percent)
        assert same(pair.cohen_kappa, after[a, b].cohen_kappa)
        assert same(pair.bangdiwala_b, after[a, b].bangdiwala_b)
        turned = after[a, b].weighted_kappa
        assert pair.weighted_kappa is not None
        assert turned is not None
        assert same(pair.weighted_kappa, turned)


@given(ANSWERS)
@settings(max_examples=60, deadline=None)
def test_two_annotators_with_one_name_do_not_change_what_needs_no_names(answers: Answers) -> None:
    merged = [(item, min(annotator, 1), label) for item, annotator, label in answers]
    one, other = whole_report(answers, "interval"), whole_report(merged, "interval")
    if one.n_annotators > 1 and other.n_annotators > 1:
        by_name = ("conger_kappa", "icc_2", "icc_2k", "icc_3", "icc_3k")
        assert differing(one, other, without=by_name) == []
    assert all(pair.a != pair.b for pair in other.pairs)


@given(ANSWERS, LEVELS, st.integers(0, CLASSES - 1))
@settings(max_examples=60, deadline=None)
def test_an_item_labelled_once_changes_neither_alpha_nor_percent_agreement(
    answers: Answers, level: str, label: int
) -> None:
    """Nor any pair. The kappas and AC1 do move a little: irrCAC counts such items in the class shares."""
    more = [*answers, (8, 0, label)]
    one, other = whole_report(answers, level), whole_report(more, level)
    if one.n_annotators > 1:
        before, after = of_everybody(one), of_everybody(other)
        kappas = ("ac1", "ac2", "kappa", "pi")
        for name in (name for name in before if not name.endswith(kappas)):
            assert (before[name].value, before[name].n_items) == (after[name].value, after[name].n_items), (
                name
            )
        alpha, still = one.coefficients["krippendorff_alpha"], other.coefficients["krippendorff_alpha"]
        assert (alpha.value, alpha.se, alpha.n_items) == (still.value, still.se, still.n_items)
        assert one.coefficients["percent_agreement"].value == other.coefficients["percent_agreement"].value
        assert one.pairs == other.pairs
        assert one.confusions == other.confusions


@given(ANSWERS, LEVELS)
@settings(max_examples=60, deadline=None)
def test_alpha_is_its_definition_by_pairs(answers: Answers, level: str) -> None:
    found = agreement_report(table_of(answers), level=level).coefficients["krippendorff_alpha"]
    if found.value is not None:
        assert isclose(found.value, alpha_by_pairs(answers, Level(level)), rel_tol=1e-9, abs_tol=1e-9)


def alpha_by_pairs(answers: Answers, level: Level) -> float:
    """Krippendorff (2011), written out: a sum over pairs within items, one over all pairs."""
    items: dict[int, list[int]] = {}
    for item, _, label in answers:
        items.setdefault(item, []).append(label)
    items = {item: labels for item, labels in items.items() if len(labels) > 1}
    every = [label for labels in items.values() for label in labels]
    count = [every.count(k) for k in range(CLASSES)]

    def distance(a: int, b: int) -> float:
        a, b = sorted((a, b))
        if level is Level.NOMINAL:
            return float(a != b)
        if level is Level.ORDINAL:
            return (sum(count[a : b + 1]) - (count[a] + count[b]) / 2) ** 2
        if level is Level.INTERVAL:
            return (NUMBERS[a] - NUMBERS[b]) ** 2
        return 0.0 if a == b else ((NUMBERS[a] - NUMBERS[b]) / (NUMBERS[a] + NUMBERS[b])) ** 2

    within = sum(
        2 * distance(a, b) / (len(labels) - 1)
        for labels in items.values()
        for a, b in combinations(labels, 2)
    )
    between = sum(2 * distance(a, b) for a, b in combinations(every, 2))
    return 1 - (len(every) - 1) * within / between


def test_reasons_of_figures_that_cannot_be_computed() -> None:
    def reasons(answers: Answers, level: str = "nominal") -> dict[str, Reason | None]:
        report = agreement_report(table_of(answers), level=level)
        return {name: report.coefficients[name].reason for name in COEFFICIENTS}

    nothing: Answers = []
    assert reasons(nothing) == dict.fromkeys(COEFFICIENTS, Reason.NO_OVERLAP)
    apart = [(0, 0, 1), (1, 1, 2), (2, 0, 1)]
    assert reasons(apart) == dict.fromkeys(COEFFICIENTS, Reason.NO_OVERLAP)
    alone = [(0, 0, 1), (1, 0, 2), (2, 0, 1)]
    assert reasons(alone) == dict.fromkeys(COEFFICIENTS, Reason.ONE_ANNOTATOR)
    one_class = [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)]
    chance_corrected = [name for name in COEFFICIENTS if name != "percent_agreement"]
    for level in Level:
        assert reasons(one_class, level) == {
            "percent_agreement": None,
            **dict.fromkeys(chance_corrected, Reason.ONE_CLASS),
        }
    one_item = [(0, 0, 1), (0, 1, 2)]
    assert reasons(one_item) == {
        "percent_agreement": None,
        **dict.fromkeys(chance_corrected, Reason.TOO_FEW_ITEMS),
    }


def test_one_class_is_full_percent_agreement() -> None:
    report = agreement_report(table_of([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)]))
    assert report.coefficients["percent_agreement"].value == 1.0
    assert report.pairs[0].percent.value == 1.0
    assert report.pairs[0].cohen_kappa.reason is Reason.ONE_CLASS
    assert report.verdict is None


def test_the_ratio_level_needs_numbers_from_zero_up() -> None:
    rows = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1])
    table = LabelTable(*rows, n_classes=2, values=np.array([-1.0, 3.0]))
    alpha = agreement_report(table, level="ratio").coefficients["krippendorff_alpha"]
    assert (alpha.value, alpha.reason) == (None, Reason.NEGATIVE_VALUES)
