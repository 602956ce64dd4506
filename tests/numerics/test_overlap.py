"""Which items are sure enough and which get one more answer, by hand and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.dawid_skene import Model, fit_dawid_skene
from core.numerics.overlap import Places, decide, expected_gain
from core.numerics.table import Ints, LabelTable
from tests.numerics.tables import from_matrix

CAT, DOG, NA = 0, 1, None
NONE = np.empty(0, dtype=np.intp)
ALIKE = [[CAT, CAT, CAT], [DOG, DOG, DOG]] * 30  # people who can be relied on


def places(table: LabelTable, n_items: int | None = None) -> Places:
    """Every item has the answers that it wants and may be decided on."""
    done = np.bincount(table.item, minlength=n_items or 0)
    yes = np.ones(done.size, dtype=np.bool_)
    return Places(done, done, yes, ~yes)


def test_the_gain_of_an_answer_worked_by_hand() -> None:
    """Nobody knows: ln 2 - H(.8, .2) = .1927. At .9: the answer is cat with .74, so H(.74, .26) - H(.8, .2)."""
    theta = np.array([[0.8, 0.2], [0.2, 0.8]])
    noise = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    told = -(0.74 * np.log(0.74) + 0.26 * np.log(0.26))
    gain = expected_gain(np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]]), theta)
    assert gain == pytest.approx([np.log(2) - noise, told - noise, 0.0])


def test_the_gain_is_the_fall_of_entropy_by_enumeration() -> None:
    rng = np.random.default_rng(1)
    theta, posterior = rng.dirichlet(np.ones(4), 4), rng.dirichlet(np.ones(4), 5)
    for row, gain in zip(posterior, expected_gain(posterior, theta), strict=True):
        joint = row[:, None] * theta
        after = joint / joint.sum(axis=0)
        entropy_after = -(after * np.log(after)).sum(axis=0) @ joint.sum(axis=0)
        assert gain == pytest.approx(-(row * np.log(row)).sum() - entropy_after)


def test_an_item_that_people_split_on_gets_one_more_answer() -> None:
    table = from_matrix([*ALIKE, [CAT, DOG, NA]], [CAT, DOG])
    decision = decide(table, places(table), most=5)
    assert decision.raised.tolist() == [60]
    assert decision.sure.tolist() == list(range(60))
    assert decision.confidence[60] == pytest.approx(0.5, abs=0.05)
    assert decision.gain[0] > 0.5


def test_two_answers_of_unknown_people_are_not_sure() -> None:
    """Of a crowd that is right three times in four, two who agree are not enough; a proven pair is."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 300)
    answers = [
        [t if rng.random() < 0.75 else 1 - t for _ in range(6)] + [t, t, NA, NA] for t in truth.tolist()
    ]
    unknown, proven = [NA] * 8 + [CAT, CAT], [NA] * 6 + [CAT, CAT, NA, NA]
    table = from_matrix([*answers, unknown, proven], [CAT, DOG])
    decision = decide(table, places(table), most=5)
    assert decision.confidence[300] < 0.98 <= decision.confidence[301]
    assert 301 in decision.sure


def test_the_audit_slice_is_left_alone() -> None:
    table = from_matrix([*ALIKE, [CAT, DOG, NA]], [CAT, DOG])
    here = places(table)
    audit = np.ones(61, dtype=np.bool_)
    decision = decide(table, Places(here.done, here.target, here.open, audit), most=5)
    assert (decision.raised.size, decision.sure.size) == (0, 0)


def test_items_in_hand_unfinished_or_full_are_not_raised() -> None:
    table = from_matrix([*ALIKE, [CAT, DOG, NA], [CAT, DOG, NA], [CAT, DOG, NA]], [CAT, DOG])
    here = places(table)
    is_open, target = here.open.copy(), here.target.copy()
    is_open[60] = False
    target[61] = 3  # it waits for an answer as it is
    decision = decide(table, Places(here.done, target, is_open, here.audit), most=5)
    assert decision.raised.tolist() == [62]
    assert decide(table, here, most=2).raised.size == 0


def test_the_budget_goes_to_the_largest_gains() -> None:
    table = from_matrix([*ALIKE, [CAT, NA, NA], [CAT, DOG, NA], [DOG, CAT, NA]], [CAT, DOG])
    here = places(table)
    everything = decide(table, here, most=5, sure=0.999)
    assert everything.raised.tolist()[-1] == 60
    assert (np.diff(everything.gain) <= 0).all()
    some = decide(table, here, most=5, sure=0.999, budget=2)
    assert some.raised.tolist() == everything.raised.tolist()[:2]
    assert decide(table, here, most=5, budget=0).raised.size == 0


def test_i_cannot_tell_says_nothing_of_the_item() -> None:
    unsure = 2
    table = from_matrix([*ALIKE, [unsure, unsure, unsure], [CAT, CAT, unsure]], [CAT, DOG, unsure])
    decision = decide(table, places(table), most=5, uncertain=np.array([False, False, True]))
    assert decision.raised.tolist() == [60]
    assert 61 in decision.sure
    assert decision.model is not None
    assert decision.model.average.shape == (2, 2)


def test_without_overlap_nothing_is_sure() -> None:
    table = LabelTable(np.arange(20), np.arange(20) % 4, np.arange(20) % 2, 2)
    decision = decide(table, places(table), most=3)
    assert (decision.sure.size, decision.raised.tolist(), decision.model) == (0, list(range(20)), None)


def test_answers_that_stand_alone_teach_nothing_of_people() -> None:
    """A thousand items answered once do not make people look right."""
    rng = np.random.default_rng(3)
    shared = [[int(rng.random() < 0.5) for _ in range(3)] for _ in range(100)]
    alone = [[int(rng.random() < 0.5), NA, NA] for _ in range(1000)]
    table = from_matrix([*shared, *alone], [CAT, DOG])
    few = decide(from_matrix(shared, [CAT, DOG]), places(from_matrix(shared, [CAT, DOG])), most=9)
    many = decide(table, places(table), most=9)
    assert many.confidence[:100] == pytest.approx(few.confidence)


def test_no_answers_no_items() -> None:
    empty = LabelTable(NONE, NONE, NONE, 2)
    assert decide(empty, places(empty), most=3).raised.size == 0
    assert decide(empty, places(empty, 4), most=3).raised.tolist() == [0, 1, 2, 3]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
    st.integers(0, 12),
)
@settings(max_examples=50, deadline=None)
def test_rows_in_another_order_decide_the_same_and_within_bounds(
    answers: list[tuple[int, int, int]], random: object, budget: int
) -> None:
    def table_of(rows: list[tuple[int, int, int]]) -> LabelTable:
        item, annotator, label = (np.array(column) for column in zip(*rows, strict=True))
        return LabelTable(item, annotator, label, 3)

    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    here = places(table_of(answers), 10)
    audit = np.arange(10) % 3 == 0
    here = Places(here.done, here.target, here.open, audit)
    first = decide(table_of(answers), here, most=4, budget=budget)
    second = decide(table_of(shuffled), here, most=4, budget=budget)
    assert second.confidence == pytest.approx(first.confidence, abs=1e-6)
    assert first.raised.size <= budget
    assert not audit[first.raised].any()
    assert not audit[first.sure].any()
    assert (here.target[first.raised] < 4).all()
    assert np.intersect1d(first.raised, first.sure).size == 0


def bought(supply: LabelTable, order: Ints, *, first: int, most: int) -> LabelTable:
    """The answers that are asked for when the n-th answers to an item come in this order."""
    target = np.minimum(first, supply.sizes)
    yes = np.ones(target.size, dtype=np.bool_)
    start = None
    while True:
        known = supply.keep(order < target[supply.item])
        decision = decide(known, Places(target, target, yes, ~yes), most=most, start=start)
        if decision.raised.size == 0:
            return known
        target[decision.raised] += 1
        start = decision.model


def test_answers_are_saved_and_little_is_lost() -> None:
    """Forty people who are right 80 % of the time, eight answers to each of 500 items to be had."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 500)
    item = np.repeat(np.arange(500), 8)
    annotator = np.concatenate([rng.permutation(40) for _ in range(100)])
    accuracy = np.clip(rng.normal(0.8, 0.08, 40), 0.5, 0.97)
    right = rng.random(4000) < accuracy[annotator]
    label = np.where(right, truth[item], (truth[item] + rng.integers(1, 3, 4000)) % 3)
    supply = LabelTable(item, annotator, label, 3)
    known = bought(supply, np.arange(4000) % 8, first=2, most=8)
    every = fit_dawid_skene(supply, Model.ONE_COIN).posterior.argmax(axis=1)
    some = fit_dawid_skene(known, Model.ONE_COIN).posterior.argmax(axis=1)
    assert len(known) < 0.6 * len(supply)
    assert (some == truth).mean() >= (every == truth).mean() - 0.015
