"""Intraclass correlations beside Shrout and Fleiss's example, and the mean absolute difference."""

import numpy as np
import pytest

from core.numerics.agreement import agreement_report
from core.numerics.icc import NAMES, intraclass, mean_absolute_difference
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import LabelTable, find_patterns
from tests.numerics.tables import from_matrix


def numbers(rows: list[list[float | None]]) -> LabelTable:
    return from_matrix(rows)


def reasons(found: dict[str, Figure]) -> list[Reason | None]:
    return [found[name].reason for name in NAMES]


def test_two_people_on_three_items_by_hand() -> None:
    # Rows 1 2, 3 4, 5 9: means 1.5 3.5 7, of all 4; columns 3 and 5.
    found = intraclass(numbers([[1, 2], [3, 4], [5, 9]]))
    rows, within = 2 * (2.5**2 + 0.5**2 + 3**2) / 2, (0.5 + 0.5 + 8) / 3
    columns = 3 * (1 + 1) / 1
    rest = (9 - columns) / 2
    expected = {
        "icc_1": (rows - within) / (rows + within),
        "icc_2": (rows - rest) / (rows + rest + 2 * (columns - rest) / 3),
        "icc_3": (rows - rest) / (rows + rest),
        "icc_1k": (rows - within) / rows,
        "icc_2k": (rows - rest) / (rows + (columns - rest) / 3),
        "icc_3k": (rows - rest) / rows,
    }
    assert {name: figure.value for name, figure in found.items()} == pytest.approx(expected)
    for figure in found.values():
        assert figure.method is Method.VARIANCE_RATIO
        assert figure.ci is not None
        assert figure.value is not None
        assert figure.ci[0] < figure.value < figure.ci[1] <= 1
        assert (figure.n_items, figure.n_pairs) == (3, 3)


def test_unequal_numbers_of_answers_leave_the_one_way_ones() -> None:
    # Rows 1 2 3, 5 6 and one answer that has no partner: means 2 and 5.5 of all 3.4.
    found = intraclass(numbers([[1, 2, 3], [5, 6, None], [9, None, None]]))
    rows, within = 3 * 1.4**2 + 2 * 2.1**2, (2 + 0.5) / 3
    k = 5 - (9 + 4) / 5
    assert found["icc_1"].value == pytest.approx((rows - within) / (rows + (k - 1) * within))
    assert found["icc_1k"].value == pytest.approx((rows - within) / rows)
    assert [found[name].reason for name in ("icc_2", "icc_3", "icc_2k", "icc_3k")] == [Reason.NOT_CROSSED] * 4


def test_everybody_but_in_changing_pairs_is_not_crossed() -> None:
    found = intraclass(numbers([[1, 2, None], [None, 4, 5], [7, None, 8]]))
    assert found["icc_1"].value is not None
    assert found["icc_3"].reason is Reason.NOT_CROSSED


def test_one_way_is_what_analysis_of_variance_simulates() -> None:
    """Item effects with variance 4, errors with variance 1: the correlation is .8, and of means of three 12/13."""
    random = np.random.default_rng(6)
    n = 4000
    value = (np.repeat(2 * random.normal(size=n), 3) + random.normal(size=3 * n)).round(3)
    values, label = np.unique(value, return_inverse=True)
    annotator = np.concatenate([random.permutation(9)[:3] for _item in range(n)])
    found = intraclass(LabelTable(np.repeat(np.arange(n), 3), annotator, label, values.size, values))
    for name, truth in (("icc_1", 4 / 5), ("icc_1k", 12 / 13)):
        figure = found[name]
        assert figure.ci is not None
        assert figure.ci[0] < truth < figure.ci[1]
        assert figure.ci[1] - figure.ci[0] < 0.03


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], [Reason.NO_OVERLAP] * 6),
        ([[1, None], [None, 2]], [Reason.NO_OVERLAP] * 6),
        ([[1, 2]], [Reason.TOO_FEW_ITEMS] * 6),
        ([[3, 3], [3, 3]], [Reason.ONE_CLASS] * 6),
        # Items with the same mean: no mean can tell them apart.
        ([[1, 3], [3, 1], [1, 3]], [None, None, None, *[Reason.ITEMS_ALIKE] * 3]),
        # And the same mean of each of two people, so that nothing is left to divide by.
        ([[1, 3], [3, 1]], [None, Reason.ITEMS_ALIKE, None, *[Reason.ITEMS_ALIKE] * 3]),
        # All the difference is between the two people: absolute agreement is 0.
        ([[1, 2], [1, 2]], [None, None, Reason.ITEMS_ALIKE, Reason.ITEMS_ALIKE, None, Reason.ITEMS_ALIKE]),
        ([[1, 1], [2, 2]], [None] * 6),
    ],
)
def test_reasons(rows: list[list[float | None]], expected: list[Reason | None]) -> None:
    assert reasons(intraclass(numbers(rows))) == expected


def test_full_agreement_is_one_and_a_shift_matters_to_absolute_agreement_only() -> None:
    same = intraclass(numbers([[1, 1], [2, 2], [7, 7]]))
    assert [figure.value for figure in same.values()] == [1.0] * 6
    shifted = intraclass(numbers([[1, 2], [2, 3], [7, 8]]))
    assert shifted["icc_3"].value == pytest.approx(1.0)
    assert shifted["icc_2"].value is not None
    assert shifted["icc_2"].value < 0.99


def test_the_unit_does_not_matter() -> None:
    rows: list[list[float | None]] = [[9, 2, 5], [6, 1, 3], [8, 4, 6], [7, 1, 2]]
    huge = [[None if x is None else x * 1e306 for x in row] for row in rows]
    one, other = intraclass(numbers(rows)), intraclass(numbers(huge))
    for name in NAMES:
        assert one[name].value == pytest.approx(other[name].value)
        assert one[name].se == pytest.approx(other[name].se)


def test_mean_absolute_difference_by_hand() -> None:
    # Item 1: 2, item 2: (1 + 4 + 5) / 3, item 3 has one answer.
    table = numbers([[1, 3, None], [0, 1, 5], [9, None, None]])
    assert table.values is not None
    figure = mean_absolute_difference(find_patterns(table).patterns, table.values, 3)
    assert figure.value == pytest.approx((2 + 10 / 3) / 2)
    assert figure.ci is not None
    assert figure.ci[0] == 0.0
    report = agreement_report(table, level="interval")
    assert report.mean_absolute_difference == figure
    assert agreement_report(table, level="ordinal").mean_absolute_difference is None


def test_a_difference_beyond_all_numbers_is_the_largest_number() -> None:
    table = numbers([[-1.7e308, 1.7e308], [-1.7e308, 1.7e308]])
    assert table.values is not None
    figure = mean_absolute_difference(find_patterns(table).patterns, table.values, 2)
    assert figure.value == np.finfo(np.float64).max


def test_uncertain_answers_are_no_numbers() -> None:
    table = from_matrix([[0, 1, 2], [1, 1, 2], [0, 0, None]], [0, 1, 2])
    doubt = frozenset({2})
    whole = agreement_report(table, level="interval", uncertain="class", uncertain_classes=doubt)
    without = agreement_report(table, level="interval", uncertain="missing", uncertain_classes=doubt)
    assert whole.intraclass == without.intraclass
    assert whole.mean_absolute_difference == without.mean_absolute_difference
