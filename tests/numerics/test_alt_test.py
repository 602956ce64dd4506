"""The alternative annotator test by hand."""

import numpy as np
import pytest
from scipy.special import stdtr

from core.numerics.alt_test import alt_test, benjamini_yekutieli
from core.numerics.results import Reason

ANNA, BEN, CLEO = 0, 1, 2


def test_wins_losses_and_the_mean_over_people() -> None:
    # Anna, 40 items: the model better on 20, as good on 12, worse on 8. Ben, 30 items: always as good.
    annotator = np.repeat([ANNA, BEN], [40, 30])
    model = np.concatenate([np.ones(20), np.full(12, 0.5), np.zeros(8), np.full(30, 0.5)])
    person = np.concatenate([np.zeros(20), np.full(12, 0.5), np.ones(8), np.full(30, 0.5)])
    found = alt_test(annotator, model, person, 0.1)
    anna, ben = found.people
    assert (anna.n_items, anna.model_wins, anna.human_wins) == (40, 32 / 40, 20 / 40)
    assert (ben.model_wins, ben.human_wins) == (1.0, 1.0)
    assert found.advantage == pytest.approx((0.8 + 1.0) / 2)
    lead = np.concatenate([-np.ones(20), np.zeros(12), np.ones(8)])
    t = (lead.mean() - 0.1) / (lead.std(ddof=1) / np.sqrt(40))
    assert anna.p == pytest.approx(stdtr(39, t))
    assert ben.p == 0  # never behind, so surely less than .1 behind
    assert (found.winning_rate, found.passed) == (1.0, True)


def test_without_epsilon_being_as_good_is_not_enough() -> None:
    annotator = np.repeat([ANNA, BEN], 40)
    found = alt_test(annotator, np.ones(80), np.ones(80), 0.0)
    assert (found.winning_rate, found.passed) == (0.0, False)


def test_people_with_few_items_have_no_part() -> None:
    annotator = np.repeat([ANNA, BEN, CLEO], [30, 29, 30])
    found = alt_test(annotator, np.ones(89), np.zeros(89), 0.1)
    assert [person.annotator for person in found.people] == [ANNA, CLEO]
    assert (found.n_annotators, found.n_excluded) == (2, 1)


def test_one_person_is_not_enough() -> None:
    found = alt_test(np.zeros(50, dtype=np.intp), np.ones(50), np.zeros(50), 0.1)
    assert (found.winning_rate, found.passed, found.reason) == (None, None, Reason.ONE_ANNOTATOR)
    nobody = alt_test(np.zeros(5, dtype=np.intp), np.ones(5), np.zeros(5), 0.1)
    assert nobody.reason is Reason.TOO_FEW_ITEMS


def test_the_correction_for_many_people() -> None:
    # m = 3: 1 + 1/2 + 1/3 = 11/6, so the limits are .0091, .0182, .0273.
    assert benjamini_yekutieli(np.array([0.009, 0.018, 0.5]), 0.05).tolist() == [True, True, False]
    assert benjamini_yekutieli(np.array([0.027, 0.02, 0.026]), 0.05).tolist() == [True, True, True]
    assert benjamini_yekutieli(np.array([0.01, 0.02, 0.03]), 0.05).tolist() == [False, False, False]
