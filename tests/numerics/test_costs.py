"""What disagreement costs: the value of settling an item, and the causes told apart in a simulated project."""

import numpy as np
import pytest

from core.numerics.aggregation import certain_answers
from core.numerics.costs import (
    pair_costs,
    pair_reliability,
    people_costs,
    settling_values,
    told_apart,
)
from core.numerics.dawid_skene import CrowdModel, Model, fit_dawid_skene
from core.numerics.table import LabelTable, find_patterns

CERTAIN = np.zeros(3, dtype=np.bool_)
K, PEOPLE, ITEMS, OVERLAP = 8, 6, 600, 3
SWAPPED, DRAWN = (0, 1), (2, 3)
RANDOM_PERSON = 0


def table(*rows: tuple[int, int, int], n_classes: int = 3) -> LabelTable:
    """Rows are (item, annotator, label)."""
    columns = np.array(rows, dtype=np.intp).reshape(-1, 3).T
    return LabelTable(columns[0], columns[1], columns[2], n_classes)


def simulated(seed: int, *, slips: float = 0.05) -> LabelTable:
    """8 classes, 6 people, 600 items x 3, and three causes: 30 % of the answers of one pair of classes swapped, a person
    with 40 % random answers, two classes drawn at .5/.5; everybody slips now and then.
    """
    draws = np.random.default_rng(seed)
    truth = draws.permutation(np.arange(ITEMS) % K)
    item = np.repeat(np.arange(ITEMS), OVERLAP)
    person = np.concatenate([draws.permutation(PEOPLE)[:OVERLAP] for _each in range(ITEMS)])
    label = truth[item].copy()
    slip = draws.random(label.size) < slips
    label[slip] = (label[slip] + draws.integers(1, K, np.count_nonzero(slip))) % K
    swapped = np.isin(label, SWAPPED) & (draws.random(label.size) < 0.3)
    label[swapped] = 1 - label[swapped]
    drawn = np.isin(label, DRAWN)
    label[drawn] = draws.choice(DRAWN, np.count_nonzero(drawn))
    guessed = (person == RANDOM_PERSON) & (draws.random(label.size) < 0.4)
    label[guessed] = draws.integers(0, K, np.count_nonzero(guessed))
    return LabelTable(item, person, label, K)


def model_of(answers: LabelTable) -> CrowdModel:
    return fit_dawid_skene(answers, Model.ONE_COIN)


def test_settling_is_worth_disagreement_times_share_times_confidence() -> None:
    answers = table(
        (0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1), (1, 2, 1), (2, 0, 1), (2, 2, 2), (3, 1, 0), (3, 2, 0)
    )
    reliability = np.array([0.9, 0.8, 0.5])

    found = settling_values(answers, CERTAIN, reliability)

    # Of all disagreement 1 + 2/3 is between 0 and 1, and 1 between 1 and 2.
    share_01, share_12 = (5 / 3) / (8 / 3), 1 / (8 / 3)
    assert found.split.tolist() == pytest.approx([1, 2 / 3, 1, 0])
    assert found.value.tolist() == pytest.approx(
        [share_01 * 0.72, share_01 * (0.72 + 0.45) / 3, share_12 * 0.45, 0]
    )


def test_an_uncertain_answer_differs_from_every_other_and_counts_alone() -> None:
    uncertain = np.array([False, False, True])
    answers = table((0, 0, 2), (0, 1, 2), (1, 0, 2), (2, 0, 0), (3, 0, 0), (3, 1, 0))

    found = settling_values(answers, uncertain, np.ones(2))

    assert found.split.tolist() == [1, 1, 0, 0]
    assert found.value.tolist() == [1, 1, 0, 0]


def test_nothing_is_worth_anything_without_answers() -> None:
    found = settling_values(table(), CERTAIN, np.ones(0))
    assert found.value.size == 0


def test_the_value_does_not_depend_on_the_order_of_rows() -> None:
    answers = simulated(1)
    order = np.random.default_rng(2).permutation(len(answers))
    shuffled = LabelTable(answers.item[order], answers.annotator[order], answers.label[order], K)
    certain, ones = np.zeros(K, dtype=np.bool_), np.linspace(0.5, 1, PEOPLE)

    first = settling_values(answers, certain, ones).value
    second = settling_values(shuffled, certain, ones).value

    np.testing.assert_allclose(first, second, rtol=1e-12)


def test_reliability_is_how_often_somebody_says_what_others_say() -> None:
    answers = table((0, 0, 0), (0, 1, 0), (0, 2, 1), (1, 0, 0), (1, 1, 0), (2, 3, 1))
    assert pair_reliability(answers).tolist() == pytest.approx([3 / 5, 3 / 5, 1 / 4, 1 / 2])


def test_every_cause_is_first_in_its_list() -> None:
    for seed in range(8):
        model = model_of(simulated(seed))
        pairs, people = pair_costs(model), people_costs(model)
        coin = max(pairs, key=lambda one: one.coin_cost)

        assert (pairs[0].a, pairs[0].b) == SWAPPED
        assert (coin.a, coin.b) == DRAWN
        assert people[0].place == RANDOM_PERSON
        assert people[0].cost > 5 * max(people[1].cost, 1)
        assert pairs[2].cost < 0.2 * pairs[0].cost  # no third pair stands out


def test_what_a_person_costs_does_not_rest_on_the_items_they_got() -> None:
    """Careful people who got all items of two classes that nobody can tell apart cost nothing."""
    above = 0
    for seed in range(20):
        draws = np.random.default_rng(seed)
        person = np.concatenate([4 * (place % 2) + draws.permutation(4)[:3] for place in range(200)])
        item = np.repeat(np.arange(200), 3)
        label = np.where(item % 2, 2 + (item // 2) % 2, draws.integers(0, 2, 600))
        rates = [one.rate for one in people_costs(model_of(LabelTable(item, person, label, 4)))]
        above += sum(rate.ci is not None and rate.ci[0] > 0 for rate in rates)
    assert above <= 6  # of 160 one-sided intervals at 2.5 %, half of which are of width 0


def test_of_two_answers_the_less_reliable_one_is_doubted() -> None:
    """Everybody answers with everybody else; one of four guesses."""
    draws = np.random.default_rng(7)
    person = np.concatenate([draws.permutation(4)[:2] for _each in range(300)])
    item = np.repeat(np.arange(300), 2)
    label = np.where((person == 3) & (draws.random(600) < 0.5), draws.integers(0, 3, 600), item % 3)

    first = people_costs(model_of(LabelTable(item, person, label, 3)))[0]

    assert first.place == 3
    assert first.rate.ci is not None
    assert first.rate.ci[0] > 0.1


def test_rates_have_intervals_and_reasons() -> None:
    pairs, people = pair_costs(model_of(simulated(3))), people_costs(model_of(simulated(3)))
    rate = pairs[0].rate
    assert rate.value is not None
    assert rate.ci is not None
    assert rate.ci[0] < 0.3 < rate.ci[1] + 0.1
    worst = people[0].rate
    assert worst.ci is not None
    assert worst.ci[0] > 0.1
    alone = people_costs(model_of(table((0, 0, 0), (1, 1, 0))))
    assert [one.rate.value for one in alone] == [None, None]


def test_two_kinds_of_items_are_told_from_classes_that_are_drawn() -> None:
    draws = np.random.default_rng(5)
    item, person = np.repeat(np.arange(200), 3), np.tile(np.arange(3), 200)
    drawn = LabelTable(item, person, draws.integers(0, 2, 600), 2)
    swapped = LabelTable(item, person, (item % 2) ^ (draws.random(600) < 0.25), 2)

    assert told_apart(find_patterns(drawn).patterns, 0, 1) < 0.2
    assert told_apart(find_patterns(swapped).patterns, 0, 1) > 0.95
    nothing = find_patterns(table((0, 0, 0), (1, 0, 1))).patterns  # one answer each
    assert told_apart(nothing, 0, 1) == 0.5


def test_a_question_with_two_classes_has_one_pair_and_no_expectation() -> None:
    draws = np.random.default_rng(6)
    item, person = np.repeat(np.arange(200), 3), np.tile(np.arange(3), 200)
    (pair,) = pair_costs(model_of(LabelTable(item, person, (item % 2) ^ (draws.random(600) < 0.2), 2)))

    assert pair.expected == pytest.approx(0, abs=1e-9)
    assert pair.confused > 60
    assert pair.cost > 60


def test_people_who_agree_cost_nothing() -> None:
    item, person = np.repeat(np.arange(50), 2), np.tile(np.arange(2), 50)
    model = model_of(LabelTable(item, person, item % 3, 3))
    assert all(one.cost < 1 for one in pair_costs(model))
    assert all(abs(one.cost) < 0.1 for one in people_costs(model))


def test_the_lists_know_certain_classes_only() -> None:
    uncertain = np.array([False, True, False])
    answers = table((0, 0, 0), (0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 1, 2), (2, 0, 0), (2, 1, 0))
    certain, codes = certain_answers(answers, uncertain)

    pairs = pair_costs(model_of(certain))

    assert codes.tolist() == [0, 2]
    assert {(one.a, one.b) for one in pairs} == {(0, 1)}
