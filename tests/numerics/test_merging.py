"""Mergers from counted patterns: equal to the figures of merged answers, and pairs that nobody can tell apart first."""

import numpy as np
import numpy.typing as npt
import pytest

from core.numerics.agreement import agreement_report
from core.numerics.merging import (
    Reading,
    differences,
    entropy_lost,
    information,
    likenesses,
    model_quality,
    told_apart,
)
from core.numerics.metrics import quality
from core.numerics.table import LabelTable, Patterns, find_patterns

Codes = npt.NDArray[np.intp]
NO_CLASS_UNSURE = np.zeros(5, dtype=np.bool_)


def table_of(seed: int, n_items: int = 80, n_classes: int = 5, each: int = 3) -> LabelTable:
    """Answers that mostly say the item's class, of four people."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    item = np.repeat(np.arange(n_items), each)
    label = np.where(rng.random(item.size) < 0.6, truth[item], rng.integers(0, n_classes, item.size))
    person = np.concatenate([rng.permutation(4)[:each] for _ in range(n_items)])
    return LabelTable(item, person, label, n_classes)


def patterns_of(items: list[str]) -> Patterns:
    """Each item a string of class letters, one per answer."""
    item = np.repeat(np.arange(len(items)), [len(one) for one in items])
    label = np.array([ord(letter) - ord("a") for letter in "".join(items)])
    return find_patterns(LabelTable(item, np.zeros_like(item), label, 5)).patterns


@pytest.mark.parametrize("ordinal", [False, True])
@pytest.mark.parametrize("uncertain", ["class", "disagree"])
def test_a_merger_of_patterns_is_that_of_the_answers(uncertain: str, *, ordinal: bool) -> None:
    table = table_of(3)
    code = np.array([0, 0, 1, 2, 3])
    unsure = np.array([False, False, False, False, True])
    merged = LabelTable(table.item, table.annotator, code[table.label], 4)
    report = agreement_report(
        merged,
        level="ordinal" if ordinal else "nominal",
        uncertain=uncertain,
        uncertain_classes=frozenset({3}),
    )
    before = Reading.of(
        find_patterns(table).patterns, ordinal=ordinal, unsure=unsure, apart=uncertain == "disagree"
    )
    after = before.merged(code, 4).coefficients()
    for name, figure in after.items():
        assert figure.value == pytest.approx(report.coefficients[name].value, abs=1e-14)
        assert figure.ci == pytest.approx(report.coefficients[name].ci, abs=1e-12)


def test_the_difference_is_on_the_same_items() -> None:
    before = Reading.of(
        find_patterns(table_of(4)).patterns, ordinal=False, unsure=NO_CLASS_UNSURE, apart=False
    )
    after = before.merged(np.array([0, 0, 1, 2, 3]), 4)
    change = differences(before, after)
    for name, figure in change.items():
        old, new = before.coefficients()[name], after.coefficients()[name]
        assert figure.value == pytest.approx((new.value or 0) - (old.value or 0))
        assert figure.ci is not None
        assert old.ci is not None
        low, high = figure.ci
        assert low < (figure.value or 0) < high
        assert high - low < old.ci[1] - old.ci[0]  # pairing pays
    nothing = differences(before, before.merged(np.arange(5), 5))
    assert all((figure.value, figure.ci) == (0, (0, 0)) for figure in nothing.values())


def test_the_interval_of_a_difference_holds_it_about_as_often_as_it_says() -> None:
    """Of 400 samples of a large table, about 95 % hold the large table's own difference."""
    whole, code = table_of(5, n_items=20_000), np.array([0, 0, 1, 2, 3])
    reading = Reading.of(find_patterns(whole).patterns, ordinal=False, unsure=NO_CLASS_UNSURE, apart=False)
    truth = {name: figure.value for name, figure in differences(reading, reading.merged(code, 4)).items()}
    labels = whole.label.reshape(-1, 3)
    rng = np.random.default_rng(60)
    hits = dict.fromkeys(truth, 0)
    for _ in range(400):
        drawn = labels[rng.integers(0, len(labels), 100)]
        sample = LabelTable(np.repeat(np.arange(100), 3), np.zeros(300, dtype=int), drawn.ravel(), 5)
        one = Reading.of(find_patterns(sample).patterns, ordinal=False, unsure=NO_CLASS_UNSURE, apart=False)
        for name, figure in differences(one, one.merged(code, 4)).items():
            assert figure.ci is not None
            hits[name] += figure.ci[0] <= (truth[name] or 0) <= figure.ci[1]
    assert all(360 <= n <= 394 for n in hits.values()), hits


def bits(shares: list[float]) -> float:
    return float(-sum(share * np.log2(share) for share in shares if share))


def test_what_is_lost_is_the_entropy_and_what_people_share() -> None:
    told = information(patterns_of(["aa", "ab", "bc", "cc"]), np.array([0, 0, 1, 1, 1]), 2)
    assert told.entropy_before == pytest.approx(bits([3 / 8, 2 / 8, 3 / 8]))
    assert told.entropy_after == pytest.approx(bits([5 / 8, 3 / 8]))
    assert told.lost.value == pytest.approx(told.entropy_before - told.entropy_after)
    joint = [2 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 8, 2 / 8]  # aa, ab, ba, bc, cb, cc
    assert told.shared_before == pytest.approx(2 * told.entropy_before - bits(joint))
    joint = [4 / 8, 1 / 8, 1 / 8, 2 / 8]  # a or b with itself, with c, c with it, cc
    assert told.shared_after == pytest.approx(2 * told.entropy_after - bits(joint))
    assert entropy_lost(np.array([3.0, 2.0, 3.0]), np.array([0, 0, 1]), 2) == pytest.approx(told.lost.value)


def test_a_coin_shares_nothing_so_nothing_shared_is_lost() -> None:
    items = ["aa", "ab", "ba", "bb"] * 25 + ["cc"] * 100
    told = information(patterns_of(items), np.array([0, 0, 1, 1, 1]), 2)
    assert told.lost_share == pytest.approx(0.5 / 1.5)
    assert told.shared_lost.value == pytest.approx(0, abs=1e-12)
    assert told.shared_after == pytest.approx(1)


def test_the_models_figure_is_that_of_merged_labels() -> None:
    rng = np.random.default_rng(7)
    truth, said = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    code = np.array([0, 0, 1, 2])
    told = model_quality(truth, said, code)
    assert told.after == quality(code[truth], code[said], 4).macro_f1
    assert told.before == quality(truth, said, 4).macro_f1
    low, high = told.difference.ci or (0, 0)
    assert low < (told.difference.value or 0) < high
    empty = np.empty(0, dtype=np.intp)
    assert model_quality(empty, empty, code).difference.value is None


@pytest.mark.parametrize(
    ("x", "y", "times", "alpha", "alike"),
    [
        ([2, 0], [0, 2], [50, 50], 1.0, 0.0),
        ([2, 1, 0], [0, 1, 2], [100, 200, 100], 0.0, 1.0),
        ([1], [1], [3], None, 0.75),
        ([3, 0, 0], [0, 0, 1], [9, 1, 1], None, None),
    ],
)
def test_how_well_two_classes_are_told_apart(
    x: list[int], y: list[int], times: list[int], alpha: float | None, alike: float | None
) -> None:
    figure, probability = told_apart(np.array(x), np.array(y), np.array(times))
    if alpha is not None:
        assert figure.value == pytest.approx(alpha, abs=0.01)
    if alike is not None:
        assert probability == pytest.approx(alike, abs=0.1)
    assert 0 <= probability <= 1


def planted(seed: int) -> LabelTable:
    """600 items x 3 of 6 people: of a and b 30 % swapped, c or d drawn at .5, one person 40 % at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 8, 600)
    item = np.repeat(np.arange(600), 3)
    person = np.concatenate([rng.permutation(6)[:3] for _ in range(600)])
    label = truth[item]
    swapped = (label < 2) & (rng.random(label.size) < 0.3)
    label = np.where(swapped, 1 - label, label)
    coin = (truth[item] == 2) | (truth[item] == 3)
    label = np.where(coin, rng.integers(2, 4, label.size), label)
    random = (person == 0) & (rng.random(label.size) < 0.4)
    return LabelTable(item, person, np.where(random, rng.integers(0, 8, label.size), label), 8)


def test_the_coin_comes_first_and_the_swapped_pair_second() -> None:
    first, second = 0, 0
    for seed in range(100):
        pairs = likenesses(find_patterns(planted(seed)).patterns)
        first += (pairs[0].a, pairs[0].b) == (2, 3)
        second += {(one.a, one.b) for one in pairs[:2]} == {(0, 1), (2, 3)}
    assert first >= 95
    assert second == 100


def test_of_sets_those_count_that_hold_one_of_the_two() -> None:
    members = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=np.bool_)
    pairs = likenesses(patterns_of(["ab", "ab", "ac", "cc", "ad", "dd"]), members)
    assert [(one.a, one.b, one.n) for one in pairs] == [(0, 1, 2), (0, 2, 1)]


def test_no_answers_make_no_pairs() -> None:
    empty = np.empty(0, dtype=np.intp)
    patterns = find_patterns(LabelTable(empty, empty, empty, 3)).patterns
    assert likenesses(patterns) == []
    reading = Reading.of(patterns, ordinal=False, unsure=np.zeros(3, dtype=np.bool_), apart=False)
    found = differences(reading, reading.merged(np.array([0, 0, 1]), 2))
    assert all(figure.value is None for figure in found.values())
