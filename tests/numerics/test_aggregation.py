"""Majority vote and its accuracy, the other rules, the one by default and what they change, worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.aggregation import (
    Consensus,
    DefaultRule,
    Rule,
    Why,
    default_rule,
    flips,
    fractional_accuracy,
    majority_vote,
    resolve,
)
from core.numerics.results import Method, Reason
from core.numerics.table import LabelTable
from tests.numerics.tables import from_matrix

CAT, DOG, COW = 0, 1, 2
NA = None
PETS = from_matrix(
    [
        [CAT, CAT, DOG],  # cat by two to one
        [CAT, DOG, NA],  # a tie of two
        [COW, DOG, CAT],  # a tie of three
        [NA, COW, NA],  # one answer
    ],
    [CAT, DOG, COW],
)


def test_the_class_with_most_answers_wins_and_ties_stay_ties() -> None:
    vote = majority_vote(PETS)
    assert vote.item.tolist() == [0, 1, 2, 3]
    assert vote.label.tolist() == [CAT, -1, -1, COW]
    assert vote.tied.tolist() == [False, True, True, False]
    assert vote.n.tolist() == [3, 2, 3, 1]
    assert vote.confidence.tolist() == [2 / 3, 1 / 2, 1 / 3, 1.0]
    assert [vote.winners_of(row).tolist() for row in range(4)] == [[CAT], [CAT, DOG], [CAT, DOG, COW], [COW]]


def test_a_tie_earns_its_share_of_gold() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.array([CAT, DOG, DOG, CAT]))
    assert accuracy.value == pytest.approx((1 + 1 / 2 + 1 / 3 + 0) / 4)
    assert (accuracy.n_items, accuracy.method) == (4, Method.WILSON)


def test_items_without_gold_do_not_count() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.array([-1, DOG, -1, COW]))
    assert (accuracy.value, accuracy.n_items) == (0.75, 2)


def test_gold_of_a_class_that_nobody_said_is_missed() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.array([7, -1, -1, -1]))
    assert (accuracy.value, accuracy.se) == (0.0, None)


def test_no_gold_at_all() -> None:
    accuracy = fractional_accuracy(majority_vote(PETS), np.full(4, -1))
    assert (accuracy.value, accuracy.reason) == (None, Reason.NO_OVERLAP)


def test_no_answers_at_all() -> None:
    none = np.empty(0, dtype=np.intp)
    vote = majority_vote(LabelTable(none, none, none, 3))
    assert (vote.item.size, vote.winners.size) == (0, 0)
    assert fractional_accuracy(vote, none).reason is Reason.NO_OVERLAP


def test_item_codes_without_answers_have_no_row() -> None:
    table = LabelTable(np.array([5, 2, 5]), np.array([0, 0, 1]), np.array([1, 0, 1]), 2)
    vote = majority_vote(table)
    assert (vote.item.tolist(), vote.label.tolist()) == ([2, 5], [0, 1])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_winners_are_those_of_plain_counting(answers: list[tuple[int, int]]) -> None:
    """With 61 classes the patterns are found by sorting, with few classes by counting: both end here."""
    item = np.array([i for i, _ in answers])
    for n_classes in (61, 3):
        label = np.array([k % n_classes for NA, k in answers])
        vote = majority_vote(LabelTable(item, np.zeros_like(item), label, n_classes))
        for row, code in enumerate(vote.item.tolist()):
            counts = np.bincount(label[item == code], minlength=n_classes)
            assert vote.winners_of(row).tolist() == np.flatnonzero(counts == counts.max()).tolist()
            assert (vote.n[row], vote.confidence[row]) == (counts.sum(), counts.max() / counts.sum())


CERTAIN = np.zeros(3, dtype=np.bool_)
COW_IS_UNSURE = np.array([False, False, True])


def labels_of(consensus: Consensus) -> dict[int, int]:
    return dict(zip(consensus.item.tolist(), consensus.label.tolist(), strict=True))


@pytest.mark.parametrize("rule", list(Rule))
def test_i_cannot_tell_has_no_vote_unless_nobody_gave_another(rule: Rule) -> None:
    table = from_matrix(
        [[CAT, COW, COW], [COW, COW, NA], [DOG, DOG, DOG], [CAT, CAT, NA], [COW, COW, DOG]], [CAT, DOG, COW]
    )
    result = resolve(table, rule, COW_IS_UNSURE)
    assert labels_of(result) == {0: CAT, 1: COW, 2: DOG, 3: CAT, 4: DOG}
    assert result.n.tolist() == [1, 2, 3, 2, 1]
    assert result.confidence[1] == 1.0


@pytest.mark.parametrize("rule", [Rule.ONE_COIN, Rule.DAWID_SKENE])
def test_a_model_breaks_a_tie_only_where_it_knows_better(rule: Rule) -> None:
    """Two strangers who contradict each other once stay a tie; between a good and a bad one it is decided."""
    strangers = from_matrix([[CAT, DOG]], [CAT, DOG])
    result = resolve(strangers, rule, CERTAIN[:2])
    assert (result.label.tolist(), result.tied.tolist()) == ([-1], [True])
    assert (result.winners_of(0).tolist(), result.confidence.tolist()) == ([CAT, DOG], [0.5])
    known = from_matrix(
        [[CAT, CAT, DOG], [DOG, DOG, CAT]] * 10 + [[CAT, CAT, CAT]] * 2 + [[CAT, NA, DOG]], [CAT, DOG]
    )
    assert resolve(known, rule, CERTAIN[:2]).label[-1] == CAT


@pytest.mark.parametrize("rule", list(Rule))
def test_no_answers_have_no_labels(rule: Rule) -> None:
    none = np.empty(0, dtype=np.intp)
    result = resolve(LabelTable(none, none, none, 3), rule, CERTAIN)
    assert (result.item.size, result.winners.size, result.starts.tolist()) == (0, 0, [0])


def people(n_items: int, per_item: int, n_people: int, n_classes: int) -> LabelTable:
    """Every item is answered by the next few people, all of whom say the same."""
    item = np.repeat(np.arange(n_items), per_item)
    return LabelTable(item, np.arange(item.size) % n_people, item % n_classes, n_classes)


@pytest.mark.parametrize(
    ("n_items", "rule", "why"),
    [
        (60, Rule.DAWID_SKENE, Why.ENOUGH_FOR_CONFUSION),
        (57, Rule.ONE_COIN, Why.ENOUGH_FOR_ACCURACY),
        (20, Rule.ONE_COIN, Why.ENOUGH_FOR_ACCURACY),
        (19, Rule.MAJORITY, Why.FEW_ANSWERS),
    ],
)
def test_the_default_rule_follows_from_answers_per_annotator(n_items: int, rule: Rule, why: Why) -> None:
    """Three even classes: 60 answers of each person are wanted for a confusion matrix."""
    told = default_rule(people(n_items, 3, 3, 3), CERTAIN)
    assert (told.rule, told.why, told.median, told.for_one_coin) == (rule, why, n_items, 20)
    if n_items % 3 == 0:
        assert told.for_dawid_skene == 60


def test_a_rare_class_wants_more_answers_for_a_confusion_matrix() -> None:
    """Twenty answers of a class that is a tenth of all take 200 answers."""
    label = np.arange(400) % 10 == 0
    table = LabelTable(np.arange(400) // 2, np.arange(400) % 2, label.astype(np.intp), 2)
    assert default_rule(table, CERTAIN[:2]) == DefaultRule(
        Rule.DAWID_SKENE, Why.ENOUGH_FOR_CONFUSION, 200.0, 20, 200
    )
    fewer = default_rule(table.keep(table.item < 190), CERTAIN[:2])
    assert (fewer.rule, fewer.median, fewer.for_dawid_skene) == (Rule.ONE_COIN, 190.0, 200)


def test_without_overlap_the_default_is_a_vote() -> None:
    """Also where the only second answers are people's own."""
    assert default_rule(people(500, 1, 5, 3), CERTAIN).why is Why.NO_OVERLAP
    twice = LabelTable(np.repeat(np.arange(100), 2), np.repeat(np.arange(100) % 2, 2), np.zeros(200, int), 3)
    assert default_rule(twice, CERTAIN).why is Why.NO_OVERLAP
    nothing = np.empty(0, dtype=np.intp)
    assert default_rule(LabelTable(nothing, nothing, nothing, 3), CERTAIN).median == 0.0


def test_uncertain_answers_and_classes_do_not_count_for_the_default() -> None:
    """Of 60 answers each 20 are uncertain, and the certain classes are two: 40 are wanted, and there."""
    told = default_rule(people(60, 3, 3, 3), COW_IS_UNSURE)
    assert (told.rule, told.median, told.for_dawid_skene) == (Rule.DAWID_SKENE, 40.0, 40)


def test_what_changes_between_two_rules() -> None:
    """Two who are right and one who is wrong: the tie between a good one and the bad one falls."""
    table = from_matrix([[CAT, CAT, DOG], [DOG, DOG, CAT]] * 20 + [[CAT, NA, DOG]], [CAT, DOG])
    change = flips(resolve(table, Rule.MAJORITY, CERTAIN[:2]), resolve(table, Rule.ONE_COIN, CERTAIN[:2]))
    assert (change.item.tolist(), change.old.tolist(), change.new.tolist()) == ([40], [-1], [CAT])
    assert change.old_confidence.tolist() == [0.5]
    assert change.new_confidence[0] > 0.9
    same = majority_vote(table)
    assert flips(same, same).item.size == 0


def test_the_surest_change_comes_first() -> None:
    old = majority_vote(from_matrix([[CAT], [CAT], [CAT], [CAT]], [CAT, DOG]))
    new = majority_vote(
        from_matrix([[DOG, DOG, CAT], [DOG, NA, NA], [CAT, NA, NA], [DOG, CAT, NA]], [CAT, DOG])
    )
    change = flips(old, new)
    assert change.item.tolist() == [1, 0, 3]
    assert change.new.tolist() == [DOG, DOG, -1]
