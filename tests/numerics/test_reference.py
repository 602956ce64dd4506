"""Published values, to the digits that were printed, each with where it stands."""

from math import sqrt
from typing import Any

import pytest

from core.numerics.agreement import LANDIS_KOCH, agreement_report, benchmark_probabilities
from core.numerics.results import Figure
from core.numerics.table import LabelTable
from tests.numerics.tables import from_answers, from_contingency, from_counts, from_matrix, from_units

NA = None

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section A: 2 observers, 10 units.
KRIPPENDORFF_A = [
    [0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
    [1, 1, 1, 0, 0, 1, 0, 0, 0, 0],
]
# The same, sections C and D: 4 observers, 12 units, missing answers.
KRIPPENDORFF_C = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
    [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
]
# Wikipedia, "Krippendorff's alpha": 3 coders, 15 units.
WIKIPEDIA_ALPHA = [
    [NA, NA, NA, NA, NA, 3, 4, 1, 2, 1, 1, 3, 3, NA, 3],
    [1, NA, 2, 1, 3, 3, 4, 3, NA, NA, NA, NA, NA, NA, NA],
    [NA, NA, 2, 1, 3, 4, 4, NA, 2, 1, 1, 3, 3, NA, 4],
]
# Fleiss (1971), table 1: 30 patients, 6 psychiatrists; depression, personality disorder, schizophrenia, neurosis,
# other.
FLEISS_DIAGNOSES = [
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0],
    [0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0],
    [1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
]  # fmt: skip
# Wikipedia, "Fleiss' kappa": 10 subjects, 14 raters.
WIKIPEDIA_FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
# Gwet's irrCAC for R, data set cac.raw4raters. Unit 12 was rated by rater 3 (observer B in Krippendorff 2011).
IRRCAC_RAW: list[list[int | None]] = [
    [1, 1, NA, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [NA, 5, 5, 5], [NA, NA, 1, 1], [NA, NA, 3, NA],
]  # fmt: skip
# irrCAC for Python, unit tests ("raw_5observers").
IRRCAC_OBSERVERS: list[list[int | None]] = [
    [1, 1, 2, NA, 2], [1, 1, 0, 1, NA], [2, 3, 3, 3, NA], [NA, 0, 0, NA, 0], [0, 0, 0, NA, 0],
    [0, 0, 0, NA, 0], [1, 0, 2, NA, 1], [1, NA, 2, 0, NA], [2, 2, 2, NA, 2], [2, 1, 1, 1, NA],
    [NA, 1, 0, 0, NA], [0, 0, 0, 0, NA], [1, 2, 2, 2, NA], [3, 3, 2, 2, 3], [1, 1, 1, NA, 1],
]  # fmt: skip
# irrCAC for Python, unit tests ("raw_g1g2": Ben and Gerry).
IRRCAC_BEN_GERRY: list[list[str | None]] = [
    ["a", "b"], ["a", "a"], ["b", "b"], ["b", "b"], ["d", "b"], ["c", "c"],
    ["c", "c"], ["c", "c"], ["e", "e"], ["d", NA], ["d", "d"], ["a", "d"],
]  # fmt: skip
# irrCAC for R, README: two abstractors, ectopic pregnancy, 100 charts.
IRRCAC_ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
# irrCAC for R, README: cac.dist4cat[, 2:4].
IRRCAC_DISTRIBUTION = [
    [3, 0, 1], [2, 1, 1], [2, 1, 1], [2, 0, 2], [3, 1, 0], [3, 1, 0], [0, 4, 0], [0, 3, 1],
    [0, 0, 4], [3, 1, 0], [0, 4, 0], [0, 3, 1], [0, 2, 2], [0, 0, 4], [3, 1, 0],
]  # fmt: skip
# SAS, PROC FREQ with AGREE, as printed in the tests of statsmodels.
SAS_KAPPA = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
# Cohen (1960): two raters, 200 cases (proportions .44 .07 .09 / .05 .20 .05 / .01 .03 .06).
COHEN_1960 = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# Artstein and Poesio (2008), table 1: coder A in rows, coder B in columns; stat, ireq, chck.
ARTSTEIN_POESIO = [[46, 0, 0], [6, 32, 6], [0, 0, 10]]
# Feinstein and Cicchetti (1990), the balanced table.
FEINSTEIN_CICCHETTI = [[40, 9], [6, 45]]
# McHugh (2012), figure 3. The kappa printed there, .85, does not follow from the table printed there.
MCHUGH = [[147, 3], [10, 62]]


def coefficients(table: LabelTable, level: str = "nominal") -> dict[str, Figure]:
    return agreement_report(table, level=level).coefficients


def value(figure: Figure) -> float:
    assert figure.value is not None, figure.reason
    return figure.value


def se(figure: Figure) -> float:
    assert figure.se is not None
    return figure.se


def low(figure: Figure) -> float:
    assert figure.ci is not None
    return figure.ci[0]


def kappa_of(table: LabelTable) -> Figure:
    """Cohen's kappa of the only pair."""
    (pair,) = agreement_report(table).pairs
    return pair.cohen_kappa


def test_krippendorff_2011_binary() -> None:
    assert round(value(coefficients(from_units(KRIPPENDORFF_A))["krippendorff_alpha"]), 3) == 0.095


@pytest.mark.parametrize(
    ("level", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_krippendorff_2011_missing_answers(level: str, printed: float) -> None:
    alpha = coefficients(from_units(KRIPPENDORFF_C), level)["krippendorff_alpha"]
    assert round(value(alpha), 3) == printed


def test_nltk_prints_more_digits_of_the_same_alpha() -> None:
    alpha = coefficients(from_units(KRIPPENDORFF_C))["krippendorff_alpha"]
    assert round(value(alpha), 12) == 0.743421052632


@pytest.mark.parametrize(("level", "printed"), [("nominal", 0.691358), ("interval", 0.810845)])
def test_wikipedia_alpha(level: str, printed: float) -> None:
    assert round(value(coefficients(from_units(WIKIPEDIA_ALPHA), level)["krippendorff_alpha"]), 6) == printed


def test_nltk_alpha_below_zero_ignores_the_item_with_one_answer() -> None:
    said = [
        ("coder1", "dress1", "YES"), ("coder2", "dress1", "NO"), ("coder3", "dress1", "NO"),
        ("coder1", "dress2", "YES"), ("coder2", "dress2", "NO"), ("coder3", "dress3", "NO"),
    ]  # fmt: skip
    assert round(value(coefficients(from_answers(said))["krippendorff_alpha"]), 7) == -0.3333333


def test_fleiss_1971_as_printed_and_by_the_irr_package_for_r() -> None:
    kappa = value(coefficients(from_counts(FLEISS_DIAGNOSES))["fleiss_kappa"])
    assert (round(kappa, 2), round(kappa, 7)) == (0.43, 0.4302445)


def test_wikipedia_fleiss() -> None:
    assert round(value(coefficients(from_counts(WIKIPEDIA_FLEISS))["fleiss_kappa"]), 2) == 0.21


def test_randolph_online_calculator() -> None:
    found = coefficients(from_counts([[7, 1], [3, 5]]))
    # Randolph's free-marginal kappa is Brennan and Prediger's coefficient.
    assert round(value(found["fleiss_kappa"]), 6) == 0.161905
    assert round(value(found["brennan_prediger"]), 6) == 0.214286


@pytest.mark.parametrize(
    ("name", "printed", "printed_se", "printed_low"),
    [
        ("gwet_ac1", 0.77544, 0.14295, 0.461),
        ("fleiss_kappa", 0.76117, 0.15302, 0.424),
        ("scott_pi", 0.76117, 0.15302, 0.424),
        ("krippendorff_alpha", 0.74342, 0.14548, 0.423),
        ("conger_kappa", 0.76282, 0.14917, 0.435),
        ("brennan_prediger", 0.77273, 0.14472, 0.454),
    ],
)
def test_irrcac_raw(name: str, printed: float, printed_se: float, printed_low: float) -> None:
    figure = coefficients(from_matrix(IRRCAC_RAW))[name]
    assert (round(value(figure), 5), round(se(figure), 5)) == (printed, printed_se)
    assert round(low(figure), 3) == printed_low
    assert figure.ci is not None
    assert figure.ci[1] == 1.0


def test_irrcac_raw_percent_agreement() -> None:
    figure = coefficients(from_matrix(IRRCAC_RAW))["percent_agreement"]
    assert (round(value(figure), 7), round(se(figure), 5)) == (0.8181818, 0.12561)


@pytest.mark.parametrize(
    ("rows", "name", "printed", "printed_se", "digits"),
    [
        (IRRCAC_OBSERVERS, "brennan_prediger", 0.487, 0.121, 3),
        (IRRCAC_OBSERVERS, "fleiss_kappa", 0.458, 0.120, 3),
        (IRRCAC_OBSERVERS, "gwet_ac1", 0.496622, 0.121973, 6),
        (IRRCAC_BEN_GERRY, "brennan_prediger", 0.659, 0.185, 3),
        (IRRCAC_BEN_GERRY, "fleiss_kappa", 0.649, 0.191, 3),
        (IRRCAC_BEN_GERRY, "conger_kappa", 0.657, 0.179, 3),
        (IRRCAC_BEN_GERRY, "gwet_ac1", 0.661442, 0.183962, 6),
        (IRRCAC_BEN_GERRY, "krippendorff_alpha", 0.664894, 0.180071, 6),
    ],
)
def test_irrcac_unit_tests(
    rows: list[list[Any]], name: str, printed: float, printed_se: float, digits: int
) -> None:
    figure = coefficients(from_matrix(rows))[name]
    assert (round(value(figure), digits), round(se(figure), digits)) == (printed, printed_se)


def test_irrcac_alpha_with_unequal_numbers_of_answers() -> None:
    """The R package and its Python port agree on alpha and differ in the standard error: .11356 and .11351.

    R, which printed .14548 for the raw table above, is the one followed.
    """
    figure = coefficients(from_matrix(IRRCAC_OBSERVERS))["krippendorff_alpha"]
    assert (round(value(figure), 5), round(se(figure), 5)) == (0.48053, 0.11356)


@pytest.mark.parametrize(
    ("name", "printed", "printed_se"),
    [
        ("conger_kappa", 0.7964094, 0.05891072),  # for two raters it is Cohen's
        ("scott_pi", 0.7962397, 0.05905473),
        ("gwet_ac1", 0.8493305, 0.04321747),
        ("brennan_prediger", 0.835, 0.04693346),
        ("krippendorff_alpha", 0.7972585, 0.05905473),
        ("percent_agreement", 0.89, 0.03128898),
    ],
)
def test_irrcac_two_raters(name: str, printed: float, printed_se: float) -> None:
    """irrCAC divides by n for contingency tables and by n - 1 for raw answers, which is done here throughout."""
    figure = coefficients(from_contingency(IRRCAC_ABSTRACTORS))[name]
    n = 100
    assert (round(value(figure), 7), round(se(figure) * sqrt((n - 1) / n), 8)) == (printed, printed_se)


def test_irrcac_two_raters_as_a_pair() -> None:
    (pair,) = agreement_report(from_contingency(IRRCAC_ABSTRACTORS)).pairs
    assert (round(value(pair.cohen_kappa), 7), round(se(pair.cohen_kappa), 8)) == (0.7964094, 0.05891072)
    assert (round(value(pair.percent), 2), round(se(pair.percent), 8)) == (0.89, 0.03128898)


def test_irrcac_distribution_of_raters() -> None:
    assert round(value(coefficients(from_counts(IRRCAC_DISTRIBUTION))["gwet_ac1"]), 7) == 0.3518903


def test_sas_kappa_with_its_interval() -> None:
    kappa = kappa_of(from_contingency(SAS_KAPPA))
    assert (round(value(kappa), 4), round(se(kappa), 4)) == (0.4842, 0.138)
    assert kappa.ci is not None
    assert (round(kappa.ci[0], 4), round(kappa.ci[1], 4)) == (0.2137, 0.7547)


def test_cohen_1960() -> None:
    assert round(value(kappa_of(from_contingency(COHEN_1960))), 3) == 0.492


def test_artstein_and_poesio_2008() -> None:
    table = from_contingency(ARTSTEIN_POESIO)
    found = coefficients(table)
    assert round(value(found["percent_agreement"]), 2) == 0.88
    assert round(value(found["brennan_prediger"]), 2) == 0.82
    assert (round(value(found["scott_pi"]), 5), round(value(found["scott_pi"]), 6)) == (0.79953, 0.799532)
    assert (round(value(kappa_of(table)), 1), round(value(kappa_of(table)), 6)) == (0.8, 0.801325)
    assert round(value(found["krippendorff_alpha"]), 6) == 0.800535


def test_feinstein_and_cicchetti_1990() -> None:
    report = agreement_report(from_contingency(FEINSTEIN_CICCHETTI))
    found = report.coefficients
    assert round(value(found["percent_agreement"]), 2) == 0.85
    assert round(value(report.pairs[0].cohen_kappa), 1) == 0.7
    assert round(value(found["gwet_ac1"]), 6) == 0.700748
    assert round(value(found["brennan_prediger"]), 4) == 0.7
    specific = [round(value(row.specific_agreement), 6) for row in report.per_class]
    assert specific == [0.842105, 0.857143]


def test_mchugh_2012_recomputed() -> None:
    table = from_contingency(MCHUGH)
    kappa = kappa_of(table)
    assert round(value(coefficients(table)["percent_agreement"]), 2) == 0.94
    assert (round(value(kappa), 4), round(value(kappa), 6), round(se(kappa), 6)) == (
        0.8629,
        0.862924,
        0.036749,
    )


def test_gwet_benchmark() -> None:
    """Gwet (2018), kappa .67 with standard error .15: cumulative probabilities, Landis-Koch and Altman."""
    landis_koch = benchmark_probabilities(0.67, 0.15, LANDIS_KOCH)
    assert landis_koch.round(5).tolist() == [0.18168, 0.67511, 0.96356, 0.99912, 1.0, 1.0]
    altman = (
        ("very_good", 0.8, 1.0),
        ("good", 0.6, 0.8),
        ("moderate", 0.4, 0.6),
        ("fair", 0.2, 0.4),
        ("poor", -1.0, 0.2),
    )
    found = benchmark_probabilities(0.67, 0.15, altman)
    assert found.round(5).tolist() == [0.18168, 0.67511, 0.96356, 0.99912, 1.0]
