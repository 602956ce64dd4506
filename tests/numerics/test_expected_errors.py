"""The share of wrong labels is told only where the model is a judge of people: good, and of labels that nobody chose."""

import numpy as np
import pytest

from core.numerics.label_errors import (
    Expected,
    Judged,
    expected_errors,
    trusted,
)
from core.numerics.results import Reason
from core.numerics.table import Bools, Ints


def judged_as(said: Ints, k: int = 2, sure: float = 0.9) -> Judged:
    """A model that says these classes, each with the same probability."""
    probability = np.full((said.size, k), (1 - sure) / (k - 1))
    probability[np.arange(said.size), said] = sure
    return Judged(probability, np.ones(said.size, dtype=np.bool_))


def told(label: Ints, said: Ints, by_chance: Bools | None = None) -> Expected:
    k = int(label.max()) + 1
    judged = judged_as(said, k)
    chance = np.ones(label.size, dtype=np.bool_) if by_chance is None else by_chance
    return trusted(expected_errors(label, judged, seed=0), label, judged, chance)


def test_a_model_that_says_nearly_every_label_again_tells_how_many_are_wrong() -> None:
    label = np.arange(400) % 2
    said = np.where(np.arange(400) % 20 == 0, 1 - label, label)
    found = told(label, said)
    assert found.share.value == pytest.approx(0.05)
    assert found.share.ci is not None
    assert all(figure.value is not None for figure in found.by_class)


def test_a_model_that_is_often_wrong_tells_nothing_and_says_why() -> None:
    label = np.arange(500) % 10
    said = np.where(np.arange(500) % 3 == 0, (label + 1) % 10, label)
    found = told(label, said)
    assert (found.share.value, found.share.reason) == (None, Reason.MODEL_TOO_WEAK)
    assert found.share.n_items == 500
    assert {figure.reason for figure in found.by_class} == {Reason.MODEL_TOO_WEAK}
    assert [figure.n_items for figure in found.by_class] == [50] * 10


def test_a_model_that_always_says_the_commonest_class_is_no_judge() -> None:
    label = (np.arange(1000) % 20 == 0).astype(np.intp)
    found = told(label, np.zeros(1000, dtype=np.intp))
    assert found.share.reason == Reason.MODEL_TOO_WEAK


@pytest.mark.parametrize(("chosen", "reason"), [(40, None), (41, Reason.CHOSEN_ITEMS)])
def test_labels_that_a_strategy_chose_do_not_tell_of_all(chosen: int, reason: Reason | None) -> None:
    label = np.arange(400) % 2
    found = told(label, label, np.arange(400) >= chosen)
    assert found.share.reason == reason


@pytest.mark.parametrize(("n", "reason"), [(200, None), (199, Reason.TOO_FEW_ITEMS)])
def test_a_share_takes_two_hundred_judged_labels(n: int, reason: Reason | None) -> None:
    label = np.arange(n) % 2
    assert told(label, label).share.reason == reason
