"""Plans: what the model says against simulation and hand-computed cases, and precision as it was measured."""

import numpy as np
import pytest
from scipy.special import ndtri

from core.numerics.alpha import krippendorff_alpha, nominal_scale
from core.numerics.coefficients import Observed, percent_agreement
from core.numerics.planning import DirichletModel, Plan, fit, plan
from core.numerics.results import Reason
from core.numerics.table import LabelTable, Patterns, find_patterns
from tests.numerics.tables import from_matrix

Z = float(ndtri(0.975))


def plan_of(table: LabelTable, half_width: float = 0.05, consensus: float = 0.9) -> Plan:
    return plan_of_crowd(find_patterns(table).patterns, half_width, consensus)


def crowd(
    items: int, labels: int, seed: int = 0, parameters: tuple[float, ...] = (0.9, 0.5, 0.2)
) -> Patterns:
    """Patterns of items whose class shares come from a Dirichlet distribution."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(labels, rng.dirichlet(parameters, size=items))
    kinds, multiplicity = np.unique(counts, axis=0, return_counts=True)
    row, label = np.nonzero(kinds)
    size = kinds.sum(axis=1)
    return Patterns(multiplicity, size, row, label, kinds[row, label], len(parameters))


def plan_of_crowd(patterns: Patterns, half_width: float = 0.05, consensus: float = 0.9) -> Plan:
    percent = percent_agreement(Observed(patterns, np.ones(patterns.n_classes)))
    return plan(patterns, percent, wanted_half_width=half_width, wanted_consensus=consensus)


def test_two_equal_classes_drawn_evenly() -> None:
    """Beta(1, 1): the share of a class is anything with equal probability, so that all can be had by hand.

    One label: the mode is chosen with probability E[max(q, 1 - q)] = 3/4, and a second person agrees with
    E[q² + (1 - q)²] = 2/3. Two labels tell no more, the second only breaks or makes ties: 3/4 again. Three: the
    majority is the mode with 2 ∫ (q³ + 3 q² (1 - q)) dq from 1/2 to 1 = 13/16.
    """
    model = DirichletModel(np.ones(2))
    assert model.consensus(1) == pytest.approx((3 / 4, 2 / 3), abs=1e-5)
    assert model.consensus(2)[0] == pytest.approx(3 / 4, abs=1e-5)
    assert model.consensus(3)[0] == pytest.approx(13 / 16, abs=1e-5)
    # Agreement of two labels is 1 with probability 2/3; with alpha 1/3 and D = 1/2 its influence is 2 (a - 2/3), as the
    # shares of two equally frequent classes have no pull.
    assert model.percent_variance(2) == pytest.approx(2 / 9)
    assert model.alpha_variance(2) == pytest.approx(8 / 9)


@pytest.mark.parametrize("labels", [2, 3, 6])
def test_the_model_says_what_simulation_finds(labels: int) -> None:
    parameters = np.array([0.8, 0.4, 0.3])
    model = DirichletModel(parameters)
    rng = np.random.default_rng(labels)
    q = rng.dirichlet(parameters, size=200_000)
    counts = rng.multinomial(labels, q)
    agreeing = (counts * (counts - 1)).sum(axis=1) / (labels * (labels - 1))
    share = parameters / parameters.sum()
    near, expected, percent = counts @ share / labels, share @ share, agreeing.mean()
    influence = (agreeing - 2 * (1 - percent) / (1 - expected) * near) / (1 - expected)
    most = (counts == counts.max(axis=1, keepdims=True)) * rng.random(counts.shape)
    winner = most.argmax(axis=1)
    consensus, support = model.consensus(labels)
    assert model.percent_variance(labels) == pytest.approx(agreeing.var(), rel=0.02)
    assert model.alpha_variance(labels) == pytest.approx(influence.var(), rel=0.03)
    assert consensus == pytest.approx((winner == q.argmax(axis=1)).mean(), abs=0.005)
    assert support == pytest.approx(q[np.arange(len(q)), winner].mean(), abs=0.005)


def test_the_fit_finds_the_parameters_of_the_crowd() -> None:
    found = fit(crowd(100_000, 3))
    assert found.parameters == pytest.approx([0.9, 0.5, 0.2], rel=0.03)


def test_at_the_present_numbers_precision_is_what_was_measured() -> None:
    patterns = crowd(400, 3)
    found = plan_of_crowd(patterns)
    row = found.rows[2]
    assert found.alpha == krippendorff_alpha(patterns, nominal_scale(3), 400)
    assert (row.labels, row.answers) == (3, 1200)
    assert row.alpha is not None
    assert row.percent is not None
    assert row.alpha.half_width == pytest.approx(Z * (found.alpha.se or 0), rel=0.003)  # 400 or 399 items
    assert row.percent.half_width == pytest.approx(Z * (found.percent.se or 0), rel=0.003)


def test_the_items_asked_for_give_the_wanted_half_width() -> None:
    asked = plan_of_crowd(crowd(300, 3), half_width=0.03).rows[4].alpha
    assert asked is not None
    assert asked.answers == 5 * asked.items
    later = krippendorff_alpha(crowd(asked.items, 5, seed=1), nominal_scale(3), asked.items)
    assert Z * (later.se or 0) == pytest.approx(0.03, rel=0.1)


def test_more_labels_mean_less_doubt() -> None:
    rows = plan_of_crowd(crowd(200, 3)).rows
    assert [row.labels for row in rows] == list(range(1, 10))
    assert [row.answers for row in rows] == [200 * m for m in range(1, 10)]
    assert (rows[0].alpha, rows[0].percent) == (None, None)
    widths = [row.alpha.half_width for row in rows if row.alpha]
    items = [row.alpha.items for row in rows if row.alpha]
    assert widths == sorted(widths, reverse=True)
    assert items == sorted(items, reverse=True)
    consensus = [row.consensus for row in rows[::2]]  # an even number of labels has ties instead
    assert consensus == sorted(consensus)


def test_the_fewest_labels_for_a_wanted_consensus() -> None:
    patterns = crowd(500, 3)
    rows = plan_of_crowd(patterns).rows
    aim = (rows[2].consensus + rows[3].consensus) / 2 if rows[3].consensus > rows[2].consensus else 0.5
    found = plan_of_crowd(patterns, consensus=aim).labels
    assert found == next(row.labels for row in rows if row.consensus >= aim)
    assert plan_of_crowd(patterns, consensus=0.999).labels is None


def test_answers_without_any_agreement_beyond_chance_are_planned_too() -> None:
    table = from_matrix([[0, 1], [1, 0], [0, 1], [1, 0], [0, 0]])
    rows = plan_of(table).rows
    assert rows[0].consensus == pytest.approx(0.6, abs=0.01)  # one answer is as good as a draw of .6 and .4
    assert all(np.isfinite(row.alpha.half_width) for row in rows if row.alpha)


def test_people_who_always_agree_need_one_label() -> None:
    found = plan_of(from_matrix([[0, 0], [1, 1], [2, 2], [1, 1]]))
    assert found.labels == 1
    assert found.rows[2].alpha is not None
    assert found.rows[2].alpha.half_width == pytest.approx(0.0)


def test_many_classes_are_planned_with_the_rare_ones_as_one() -> None:
    rng = np.random.default_rng(4)
    truth = np.repeat(rng.integers(40, size=300), 3)
    label = np.where(rng.random(900) < 0.7, truth, rng.integers(40, size=900))
    table = LabelTable(np.repeat(np.arange(300), 3), np.tile(np.arange(3), 300), label, 40)
    assert fit(find_patterns(table).patterns).parameters.size == 12
    assert 0 < plan_of(table).rows[4].consensus <= 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[0, None], [None, 1]], Reason.NO_OVERLAP),
        ([[0, 1]], Reason.TOO_FEW_ITEMS),
        ([[0, 0], [0, 0]], Reason.ONE_CLASS),
    ],
)
def test_without_alpha_there_is_a_reason_instead_of_a_plan(
    rows: list[list[int | None]], reason: Reason
) -> None:
    found = plan_of(from_matrix(rows, [0, 1]))
    assert (found.rows, found.labels, found.alpha.reason) == ((), None, reason)


@pytest.mark.parametrize("wanted", [{"half_width": 0.0}, {"consensus": 1.0}])
def test_what_is_wanted_must_be_possible(wanted: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        plan_of(from_matrix([[0, 0], [1, 1]]), **wanted)
