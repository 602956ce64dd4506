"""Published values, to the digits that were printed, each with where it stands."""

from math import sqrt
from typing import Any

import numpy as np
import pytest

from core.numerics.agreement import agreement_report
from core.numerics.icc import intraclass
from core.numerics.intervals import t_interval
from core.numerics.results import Figure, Method
from core.numerics.sets import Sets, masi_similarity
from core.numerics.table import LabelTable
from core.numerics.verdicts import ALTMAN, LANDIS_KOCH, benchmark_probabilities, verdicts
from core.numerics.weights import WeightName, named_weights
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


def student(figure: Figure, table: LabelTable) -> tuple[float, float]:
    """The interval as irrCAC has it: the one shown is moved towards the longer tail."""
    lower, upper = t_interval(value(figure), se(figure), table.n_items - 1)
    return float(lower), float(upper)


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


def test_fleiss_kappa_against_chance() -> None:
    """z by the irr package for R, with the standard error of Fleiss, Nee and Landis (1979)."""
    chance = agreement_report(from_counts(FLEISS_DIAGNOSES)).chance
    assert chance is not None
    assert round(chance.z, 5) == 17.65183
    assert agreement_report(from_matrix(IRRCAC_RAW)).chance is None  # unequal numbers of answers


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
    table = from_matrix(IRRCAC_RAW)
    figure = coefficients(table)[name]
    assert (round(value(figure), 5), round(se(figure), 5)) == (printed, printed_se)
    lower, upper = student(figure, table)
    assert (round(lower, 3), upper) == (printed_low, 1.0)
    assert figure.method == Method.SKEWNESS
    assert figure.ci is not None
    assert figure.ci[0] < lower  # the few items that people disagree on are the longer tail


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


def test_sas_kappa_against_chance() -> None:
    (pair,) = agreement_report(from_contingency(SAS_KAPPA)).pairs
    assert pair.chance is not None
    assert (round(pair.chance.se, 4), round(pair.chance.z, 4)) == (0.1484, 3.2626)
    assert pair.chance.p == pytest.approx(0.0011, abs=5e-5)  # twice the .0006 of one side


def test_bangdiwala_b() -> None:
    """irrCAC for R, README: B of the two abstractors."""
    (pair,) = agreement_report(from_contingency(IRRCAC_ABSTRACTORS)).pairs
    assert round(value(pair.bangdiwala_b), 7) == 0.8059604


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
    found = benchmark_probabilities(0.67, 0.15, ALTMAN)
    assert found.round(5).tolist() == [0.18168, 0.67511, 0.96356, 0.99912, 1.0]
    # "Moderate", because "substantial" or better has a probability of .675 only.
    figure = Figure.estimate(
        0.67, se=0.15, ci=(0.376, 0.964), method=Method.LINEARISED, n_items=10, n_pairs=10
    )
    assert [(found.scale, found.level) for found in verdicts(figure)] == [
        ("landis_koch", "moderate"), ("altman", "moderate"), ("krippendorff", "unreliable")
    ]  # fmt: skip


# irrCAC for Python, unit tests on cac.raw4raters with weights: agreement, and of each coefficient its value, its
# standard error and the lower end of its interval: AC2, Fleiss, Brennan-Prediger, Conger.
IRRCAC_WEIGHTED = {
    "bipolar": (0.968, (0.900, 0.106, 0.667), (0.853, 0.145, 0.535), (0.888, 0.112, 0.641), (0.845, 0.142, 0.532)),
    "circular": (0.902, (0.830, 0.133, 0.538), (0.807, 0.149, 0.479), (0.824, 0.137, 0.522), (0.805, 0.147, 0.481)),
    "linear": (0.939, (0.859, 0.117, 0.600), (0.818, 0.149, 0.491), (0.848, 0.123, 0.577), (0.814, 0.145, 0.494)),
    "ordinal": (0.968, (0.899, 0.107, 0.664), (0.850, 0.147, 0.527), (0.886, 0.114, 0.636), (0.844, 0.144, 0.526)),
    "quadratic": (0.975, (0.914, 0.104, 0.685), (0.865, 0.146, 0.544), (0.902, 0.111, 0.657), (0.858, 0.144, 0.541)),
    "radical": (0.897, (0.820, 0.128, 0.537), (0.790, 0.150, 0.460), (0.813, 0.133, 0.520), (0.788, 0.146, 0.466)),
    "ratio": (0.954, (0.857, 0.122, 0.589), (0.821, 0.152, 0.486), (0.840, 0.132, 0.549), (0.812, 0.149, 0.485)),
}  # fmt: skip
# The same, "custom" weights, which differ by direction.
IRRCAC_CUSTOM = [
    [1.00, 0.75, 0.50, 0.25, 0.00], [0.00, 1.00, 0.75, 0.50, 0.25], [0.25, 0.00, 1.00, 0.75, 0.50],
    [0.50, 0.25, 0.00, 1.00, 0.75], [0.75, 0.50, 0.25, 0.00, 1.00],
]  # fmt: skip
# Shrout and Fleiss (1979), table 2: 6 targets, 4 judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def weighted(table: LabelTable, weights: Any) -> dict[str, Figure]:
    found = agreement_report(table, weights=weights).weighted
    assert found is not None
    return found


def printed(figure: Figure, table: LabelTable) -> tuple[float, float, float]:
    return round(value(figure), 3), round(se(figure), 3), round(student(figure, table)[0], 3)


@pytest.mark.parametrize("name", list(IRRCAC_WEIGHTED))
def test_irrcac_raw_with_weights(name: str) -> None:
    table = from_matrix(IRRCAC_RAW)
    found = weighted(table, name)
    agreement, *coefficients = IRRCAC_WEIGHTED[name]
    assert round(value(found["percent_agreement"]), 3) == agreement
    names = ("gwet_ac2", "fleiss_kappa", "brennan_prediger", "conger_kappa")
    assert {key: printed(found[key], table) for key in names} == dict(zip(names, coefficients, strict=True))


def test_irrcac_raw_with_a_table_of_weights() -> None:
    table = from_matrix(IRRCAC_RAW)
    found = weighted(table, np.array(IRRCAC_CUSTOM))
    assert round(value(found["percent_agreement"]), 3) == 0.886
    assert printed(found["brennan_prediger"], table) == (0.773, 0.145, 0.454)
    assert printed(found["conger_kappa"], table) == (0.763, 0.149, 0.435)


def test_irrcac_weights_of_three_classes() -> None:
    """irrCAC for Python, unit tests of the weights of 1, 2, 3: the weight of 1 and 2, of 1 and 3, of 2 and 3."""
    expected = {
        "linear": [0.5, 0.0, 0.5],
        "quadratic": [0.75, 0.0, 0.75],
        "ordinal": [0.667, 0.0, 0.667],
        "radical": [0.293, 0.0, 0.293],
        "ratio": [0.556, 0.0, 0.84],
        "circular": [0.0, 0.0, 0.0],
        "bipolar": [0.667, 0.0, 0.667],
    }
    one, other = np.array([0, 0, 1]), np.array([1, 2, 2])
    values, ranked, ones = np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=bool), np.ones(3)
    for name in WeightName:
        weights = named_weights(name, values, ranked, ones)
        assert weights.of(one, other).round(3) == pytest.approx(expected[name], abs=1e-12)
        assert weights.own.tolist() == [1.0, 1.0, 1.0]


def weighted_kappa_of(table: LabelTable, weights: Any) -> Figure:
    (pair,) = agreement_report(table, weights=weights).pairs
    assert pair.weighted_kappa is not None
    return pair.weighted_kappa


@pytest.mark.parametrize(
    ("disagreement", "published"),
    [
        # Cohen (1968), as printed by the psych package for R.
        ([[0, 1, 3], [1, 0, 6], [3, 6, 0]], 0.348),
        # With weights that depend on who said what; "Cohen reports .353" (the same documentation).
        ([[0, 1, 4], [1, 0, 6], [2, 2, 0]], 0.353),
    ],
)
def test_cohen_1968_weighted(disagreement: list[list[int]], published: float) -> None:
    kappa = weighted_kappa_of(from_contingency(COHEN_1960), 1 - np.array(disagreement) / 6)
    assert round(value(kappa), 3) == published


def test_sas_linearly_weighted_kappa_with_its_interval() -> None:
    kappa = weighted_kappa_of(from_contingency(SAS_KAPPA), "linear")
    assert (round(value(kappa), 4), round(se(kappa), 4)) == (0.4701, 0.1457)
    assert kappa.ci is not None
    assert (round(kappa.ci[0], 4), round(kappa.ci[1], 4)) == (0.1845, 0.7558)


def test_masi_distances() -> None:
    """Passonneau (2006), J x M with M one of 1, 2/3, 1/3, 0; the first is a doctest of nltk."""
    pairs = [
        ("12", "1234", 0.6666666666666667),
        ("a", "a", 0.0),
        ("ab", "bc", 0.8888888888888888),
        ("a", "b", 1.0),
        ("abc", "ab", 0.5555555555555556),
    ]
    things = sorted(set("1234abc"))
    members = np.array([[thing in side for thing in things] for pair in pairs for side in pair[:2]])
    first = 2 * np.arange(len(pairs))
    distances = 1 - masi_similarity(Sets.of(members), first, first + 1)
    assert distances.tolist() == pytest.approx([distance for _, _, distance in pairs], abs=1e-15)


def test_shrout_and_fleiss_1979() -> None:
    """Table 4: .17 .29 .71 .44 .62 .91; the intervals are those that the psych package for R prints of it."""
    found = intraclass(from_matrix(SHROUT_FLEISS))
    assert [round(value(figure), 2) for figure in found.values()] == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    exact = [round(value(figure), 4) for figure in found.values()]
    assert exact == [0.1657, 0.2898, 0.7148, 0.4428, 0.6201, 0.9093]
    assert list(found) == ["icc_1", "icc_2", "icc_3", "icc_1k", "icc_2k", "icc_3k"]
    ends = [figure.ci for figure in found.values() if figure.ci is not None]
    assert [(round(lower, 3), round(upper, 2)) for lower, upper in ends] == [
        (-0.133, 0.72), (0.019, 0.76), (0.342, 0.95), (-0.884, 0.91), (0.071, 0.93), (0.676, 0.99)
    ]  # fmt: skip
