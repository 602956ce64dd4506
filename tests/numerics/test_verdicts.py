"""Words for coefficients, and differences between groups of items."""

import pytest

from core.numerics.changes import change
from core.numerics.intervals import t_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.verdicts import verdicts


def figure(value: float, se: float, n: int = 100) -> Figure:
    return Figure.estimate(
        value, se=se, ci=t_interval(value, se, n - 1), method=Method.LINEARISED, n_items=n, n_pairs=3 * n
    )


def words(found: Figure) -> dict[str, str]:
    return {verdict.scale: verdict.level for verdict in verdicts(found)}


def test_krippendorff_judges_by_the_lower_end() -> None:
    # The lower ends are about .81, .71 and .62: two standard errors below.
    assert words(figure(0.85, 0.02))["krippendorff"] == "reliable"
    assert words(figure(0.85, 0.07))["krippendorff"] == "tentative"
    assert words(figure(0.72, 0.05))["krippendorff"] == "unreliable"


def test_the_same_number_is_worth_less_when_it_is_less_sure() -> None:
    assert words(figure(0.7, 0.02)) == {
        "landis_koch": "substantial", "altman": "good", "krippendorff": "unreliable"
    }  # fmt: skip
    assert words(figure(0.7, 0.2)) == {
        "landis_koch": "fair", "altman": "fair", "krippendorff": "unreliable"
    }  # fmt: skip


def test_probabilities_are_those_of_the_level_or_better() -> None:
    found = {verdict.scale: verdict.probability for verdict in verdicts(figure(0.8, 0.05))}
    assert found["krippendorff"] == pytest.approx(0.996, abs=0.001)  # of more than .667: 2.66 standard errors
    assert all(0.95 <= probability <= 1 for probability in found.values())


def test_without_a_standard_error_there_are_no_words() -> None:
    assert verdicts(Figure.estimate(1.0, n_items=1, n_pairs=1)) == ()
    assert verdicts(Figure.missing(Reason.ONE_CLASS)) == ()


def test_a_certain_value_stands_where_it_stands() -> None:
    assert words(figure(1.0, 0.0)) == {
        "landis_koch": "almost_perfect", "altman": "very_good", "krippendorff": "reliable"
    }  # fmt: skip
    assert words(figure(-0.4, 0.0)) == {
        "landis_koch": "poor", "altman": "poor", "krippendorff": "unreliable"
    }  # fmt: skip


def test_a_change_by_hand() -> None:
    # .3 - .1 = .2 with standard error .05; equal halves give 198 degrees of freedom.
    se = 0.05 / 2**0.5
    found = change(figure(0.1, se), figure(0.3, se))
    assert found.difference.value == pytest.approx(0.2)
    assert found.difference.se == pytest.approx(0.05)
    assert found.difference.ci == pytest.approx((0.2 - 1.97202 * 0.05, 0.2 + 1.97202 * 0.05), abs=1e-6)
    assert found.p == pytest.approx(8.9e-5, rel=0.01)  # t = 4
    assert (found.difference.n_items, found.difference.n_pairs) == (200, 600)
    assert change(figure(0.3, se), figure(0.1, se)).p == found.p


def test_a_small_group_has_few_degrees_of_freedom() -> None:
    # All the variance is in a group of five items: t with four degrees of freedom, 2.776.
    found = change(figure(0.5, 0.1, n=5), figure(0.5, 0.0, n=1000)).difference
    assert found.ci == pytest.approx((-0.27764, 0.27764), abs=1e-4)
    assert change(figure(0.5, 0.1, n=5), figure(0.5, 0.0, n=1000)).p == pytest.approx(1.0)


def test_what_has_no_spread_has_no_test() -> None:
    bare = Figure.estimate(0.2, n_items=1, n_pairs=1)
    found = change(bare, figure(0.5, 0.1))
    assert found.difference.value == pytest.approx(0.3)
    assert (found.difference.ci, found.p) == (None, None)
    assert change(figure(1.0, 0.0), figure(1.0, 0.0)).p == 1.0
    assert change(figure(1.0, 0.0), figure(0.0, 0.0)).p == 0.0


def test_a_missing_side_is_told() -> None:
    nothing = Figure.missing(Reason.ONE_CLASS, n_items=7, n_pairs=7)
    for found in (change(nothing, figure(0.5, 0.1)), change(figure(0.5, 0.1), nothing)):
        assert (found.difference.value, found.difference.reason, found.p) == (None, Reason.ONE_CLASS, None)
        assert found.difference.n_items == 107


def test_a_claim_about_others_like_these_people_gets_no_word() -> None:
    two_way = Figure.estimate(0.85, se=0.02, ci=(0.6, 1.0), method=Method.TWO_WAY, n_items=100, n_pairs=300)
    assert verdicts(two_way) == ()
