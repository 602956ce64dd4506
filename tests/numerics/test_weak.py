"""Votes of labeling functions: what they cover, where they differ, and a label model that needs no label."""

from itertools import product

import numpy as np
import pytest

from core.numerics.results import Reason
from core.numerics.table import Floats, Ints
from core.numerics.weak import (
    Votes,
    balance,
    compare,
    fit_label_model,
    function_accuracy,
    vote_report,
    voted_balance,
    winners,
)

SHARES = np.array([0.7, 0.3])


def votes_from(rows: list[list[int | None]], n_classes: int = 2) -> Votes:
    """One row per item, one entry per function: the class, None for silence."""
    cells = [
        (item, function, label)
        for item, row in enumerate(rows)
        for function, label in enumerate(row)
        if label is not None
    ]
    columns = np.array(cells, dtype=np.intp).reshape(-1, 3)
    item, function, label = columns.T
    return Votes(item, function, label, len(rows), len(rows[0]), n_classes)


def drawn(seed: int, n: int, shares: list[float], cues: list[tuple[int, float, float]]) -> tuple[Votes, Ints]:
    """Items of known classes, and functions of one class each: which, and how often it votes there and elsewhere."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(shares), n, p=shares)
    item, function = [], []
    for place, (label, on, off) in enumerate(cues):
        hits = np.flatnonzero(rng.random(n) < np.where(truth == label, on, off))
        item.append(hits)
        function.append(np.full(hits.size, place))
    places = np.concatenate(function)
    labels = np.array([cue[0] for cue in cues])[places]
    return Votes(np.concatenate(item), places, labels, n, len(cues), len(shares)), truth


CUES = [(0, 0.4, 0.1), (0, 0.3, 0.2), (0, 0.5, 0.05), (1, 0.5, 0.02), (1, 0.3, 0.1), (1, 0.4, 0.3)]


def test_coverage_overlap_and_conflict_are_counted_by_hand() -> None:
    votes = votes_from([[0, 0, None], [0, 1, None], [None, None, 1], [None, None, None], [0, None, 1]])
    told = vote_report(votes)
    assert (told.coverage.value, told.overlap.value, told.conflict.value) == (0.8, 0.6, 0.4)
    first, second, third = told.functions
    assert (first.n, first.coverage.value, first.overlap.value) == (3, 0.6, 1.0)
    assert first.conflict.value == pytest.approx(2 / 3)
    assert (second.classes, third.classes) == ((0, 1), (1,))
    assert [(pair.a, pair.b, pair.n_both, pair.n_differ) for pair in told.pairs] == [
        (0, 1, 2, 1),
        (0, 2, 1, 1),
    ]
    assert told.coverage.ci == pytest.approx((0.37553, 0.96378), abs=1e-5)  # Wilson, 4 of 5


def test_functions_that_are_silent_have_no_shares_and_no_accuracy() -> None:
    votes = votes_from([[0, None], [0, None]])
    _, silent = vote_report(votes).functions
    assert (silent.n, silent.coverage.value, silent.overlap.reason) == (0, 0.0, Reason.TOO_FEW_ITEMS)
    right, unknown = function_accuracy(votes, np.array([0, 1]))
    assert (right.value, right.n_items, unknown.reason) == (0.5, 2, Reason.TOO_FEW_ITEMS)


def test_items_whose_class_is_unknown_judge_nobody() -> None:
    (right,) = function_accuracy(votes_from([[0], [0], [1]]), np.array([0, -1, -1]))
    assert (right.value, right.n_items) == (1.0, 1)


def test_patterns_stand_for_all_items_that_were_voted_on_in_the_same_way() -> None:
    rows = [list(row) for row in product([None, 0, 1], repeat=3)]
    votes = votes_from(rows * 3)
    assert votes.patterns.times.tolist() == [3] * 27
    assert votes.patterns.of_item[:27].tolist() == votes.patterns.of_item[27:54].tolist()
    dense = votes.patterns.by_function[votes.patterns.of_item]
    assert dense.tolist() == [[float(label is not None) for label in row] for row in rows * 3]


def test_the_label_model_finds_out_who_is_right_without_any_label() -> None:
    shares = [0.7, 0.3]
    votes, truth = drawn(1, 20_000, shares, CUES)
    model = fit_label_model(votes, np.array(shares))
    known = [on * shares[label] / (on * shares[label] + off * (1 - shares[label])) for label, on, off in CUES]
    assert model.converged
    assert model.function.tolist() == list(range(6))
    assert model.accuracy == pytest.approx(known, abs=0.06)
    compared = compare(model, votes, truth)
    assert compared.difference.ci is not None
    assert compared.difference.ci[0] > 0  # majority has no weights
    assert not compared.chosen_majority


def test_its_probabilities_mean_what_they_say() -> None:
    votes, truth = drawn(2, 20_000, [0.7, 0.3], CUES)
    model = fit_label_model(votes, SHARES)
    every = np.arange(votes.patterns.times.size)
    spam = model.probabilities(votes.patterns, every)[votes.patterns.of_item][:, 1]
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        here = (spam >= low) & (spam < low + 0.2)
        assert truth[here].mean() == pytest.approx(spam[here].mean(), abs=0.08)


def test_silence_of_everybody_says_little_and_unknown_votes_nothing() -> None:
    model = fit_label_model(votes_from([[0, None], [0, None], [1, None]]), SHARES)
    other = votes_from([[None, 1], [None, None]])
    unknown, silent = model.probabilities(other.patterns, other.patterns.of_item)
    assert unknown.tolist() == silent.tolist()


def test_a_rare_class_is_not_outvoted_by_a_common_one() -> None:
    """Two weak cues for the common class, one strong one for the rare: majority says common."""
    cues = [(0, 0.6, 0.5), (0, 0.6, 0.5), (1, 0.8, 0.01)]
    votes, truth = drawn(3, 20_000, [0.9, 0.1], cues)
    compared = compare(fit_label_model(votes, np.array([0.9, 0.1])), votes, truth)
    assert compared.label_model.value is not None
    assert compared.majority.value is not None
    assert compared.label_model.value > compared.majority.value + 0.01


def test_majority_is_chosen_where_the_model_is_surely_below() -> None:
    """Four copies of one wrong rule agree with each other, which the model takes for being right."""
    rng = np.random.default_rng(4)
    truth = rng.integers(2, size=2000)
    wrong = np.where(rng.random(2000) < 0.45, truth, 1 - truth)
    right = [np.where(rng.random(2000) < 0.75, truth, 1 - truth) for _ in range(5)]
    rows = np.stack([*[wrong] * 4, *right], axis=1).tolist()
    votes = votes_from(rows)
    model = fit_label_model(votes, np.array([0.5, 0.5]))
    compared = compare(model, votes, truth)
    assert compared.chosen_majority
    assert compared.difference.ci is not None
    assert compared.difference.ci[1] < 0
    few = compare(model, votes, np.where(np.arange(2000) < 30, truth, -1))
    assert few.difference.ci is not None
    assert few.difference.ci[0] < 0 < few.difference.ci[1]  # below, and not surely
    assert not few.chosen_majority


def test_a_function_with_few_votes_counts_as_the_average_one_for_its_class() -> None:
    """The same lift means more for a frequent class: 0.7 would be an argument against it."""
    cues = [(0, 0.5, 0.1), (0, 0.4, 0.1), (1, 0.5, 0.05), (1, 0.4, 0.05)]
    votes, _ = drawn(7, 5000, [0.9, 0.1], cues)
    alone = Votes(
        np.concatenate([votes.item, [0, 1]]),
        np.concatenate([votes.function, [4, 5]]),
        np.concatenate([votes.label, [0, 1]]),
        5000,
        6,
        2,
    )
    model = fit_label_model(alone, np.array([0.9, 0.1]))
    common, rare = model.accuracy[4:]
    assert common > 0.95
    assert 0.2 < rare < 0.65


def test_no_function_counts_as_a_vote_against_its_own_class() -> None:
    """Four functions are worse than chance and agree; the fifth is right, and must not be turned around by them."""
    cues = [(0, 0.5, 0.6), (0, 0.3, 0.5), (1, 0.5, 0.6), (1, 0.3, 0.5), (0, 0.6, 0.3)]
    votes, truth = drawn(9, 20_000, [0.7, 0.3], cues)
    model = fit_label_model(votes, SHARES)
    assert (model.accuracy >= SHARES[model.label]).all()
    compared = compare(model, votes, truth)
    assert compared.label_model.value is not None
    assert compared.label_model.value > 0.6


def test_the_order_of_items_and_votes_changes_nothing() -> None:
    votes, _ = drawn(5, 3000, [0.7, 0.3], CUES)
    rng = np.random.default_rng(6)
    shuffled = rng.permutation(votes.item.size)
    moved = rng.permutation(3000)
    other = Votes(moved[votes.item[shuffled]], votes.function[shuffled], votes.label[shuffled], 3000, 6, 2)
    first, second = fit_label_model(votes, SHARES), fit_label_model(other, SHARES)
    assert first.accuracy.tobytes() == second.accuracy.tobytes()
    assert np.array_equal(votes.patterns.of_item, other.patterns.of_item[moved])


def test_the_balance_comes_from_labels_or_else_half_from_the_votes() -> None:
    assert balance(np.array([0, 0, 1]), 3).tolist() == pytest.approx([2.5 / 4.5, 1.5 / 4.5, 0.5 / 4.5])
    votes = votes_from([[0, 0], [0, 1], [None, None]])
    assert voted_balance(votes).tolist() == pytest.approx([(0.75 + 0.5) / 2, (0.25 + 0.5) / 2])
    assert voted_balance(votes_from([[None], [None]])).tolist() == [0.25, 0.25]


def test_ties_go_to_the_more_frequent_class() -> None:
    scores: Floats = np.array([[0.5, 0.5], [0.2, 0.8]])
    assert winners(scores, np.array([0.3, 0.7])).tolist() == [1, 1]
    assert winners(scores, np.array([0.5, 0.5])).tolist() == [0, 1]


def test_nothing_is_said_of_nothing() -> None:
    votes = votes_from([[None, None]])
    model = fit_label_model(votes, SHARES)
    compared = compare(model, votes, np.array([0]))
    assert (model.iterations, model.converged) == (0, True)
    assert compared.difference.reason is Reason.TOO_FEW_ITEMS
    assert not compared.chosen_majority
    none = np.empty(0, dtype=np.intp)
    empty = Votes(none, none, none, 0, 0, 2)
    assert vote_report(empty).coverage.value is None


@pytest.mark.parametrize("wrong", [[0.5], [0.5, 0.0], [0.5, np.nan]])
def test_shares_must_fit_the_classes(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="one positive number per class"):
        fit_label_model(votes_from([[0, 1]]), np.array(wrong))


def test_codes_must_fit() -> None:
    with pytest.raises(ValueError, match="label has a code out of range"):
        votes_from([[0, 2]])
