"""Every item left out once: as if the measure were computed anew without it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.numerics import jackknife
from core.numerics.alpha import Level, Scale, nominal_scale
from core.numerics.proof import Measure, alpha, alpha_of_classes, compare_pairs, percent, specific_agreement
from core.numerics.table import Floats, Ints, LabelTable, find_patterns


def measured(table: LabelTable, measure: Measure) -> Floats:
    """By item code, the measure without the item."""
    index = find_patterns(table)
    return measure(index.patterns).without[index.of_item]


def recomputed(table: LabelTable, measure: Measure) -> Floats:
    """The same with a table that does not hold the item."""
    return np.array(
        [
            measure(find_patterns(table.keep(table.item != item)).patterns).value
            for item in np.unique(table.item)
        ]
    )


def table_of(items: list[list[int]], n_classes: int) -> LabelTable:
    """A table of the labels that each item was given."""
    item = np.repeat(np.arange(len(items)), [len(labels) for labels in items])
    return LabelTable(item, np.arange(item.size), np.concatenate(items), n_classes)


def answered(n_items: int, n_classes: int, seed: int) -> LabelTable:
    """Two to five answers to each item, around what the item is."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    given = [
        np.clip(one + rng.integers(-2, 3, rng.integers(2, 6)), 0, n_classes - 1).tolist() for one in truth
    ]
    return table_of(given, n_classes)


tables = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, k - 1), min_size=2, max_size=5), min_size=3, max_size=25).map(
        lambda items: table_of(items, k)
    )
)


@given(table=tables, data=st.data())
def test_alpha_of_every_level_without_an_item(table: LabelTable, data: Any) -> None:
    """Any numbers, equal ones too; some classes without a number, some of these not even like themselves."""
    k = table.n_classes
    level = data.draw(st.sampled_from(list(Level)))
    value = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 1e4]), min_size=k, max_size=k)))
    unranked = np.array(data.draw(st.lists(st.booleans(), min_size=k, max_size=k)))
    weight = np.where(unranked, data.draw(st.sampled_from([0.0, 1.0])), 1.0)
    measure = alpha(Scale(level, value, unranked, weight))
    assert measured(table, measure) == pytest.approx(
        recomputed(table, measure), rel=0, abs=1e-12, nan_ok=True
    )


@given(table=tables, data=st.data())
def test_shares_and_single_classes_without_an_item(table: LabelTable, data: Any) -> None:
    k = table.n_classes
    classes = np.array(data.draw(st.lists(st.booleans(), min_size=k, max_size=k)))
    for measure in (percent, alpha_of_classes(classes), specific_agreement(classes)):
        assert measured(table, measure) == pytest.approx(
            recomputed(table, measure), rel=0, abs=1e-12, nan_ok=True
        )


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("unsure", [False, True])
def test_alpha_of_many_items_without_one(level: Level, *, unsure: bool) -> None:
    """Beyond a few items nothing is evaluated anew, whatever the level."""
    table = answered(150, 9, 1)
    unranked = np.arange(9) == (4 if unsure else -1)
    measure = alpha(Scale(level, np.arange(9.0) ** 1.5, unranked, np.ones(9)))
    assert measured(table, measure) == pytest.approx(
        recomputed(table, measure), rel=0, abs=1e-12, nan_ok=True
    )


def test_of_very_many_numbers_the_distances_are_summed_by_boxes() -> None:
    rng = np.random.default_rng(2)
    table = table_of(rng.integers(0, 600, (300, 3)).tolist(), 600)
    measure = alpha(
        Scale(Level.RATIO, np.exp(np.arange(600) / 40), np.zeros(600, dtype=np.bool_), np.ones(600))
    )
    assert measured(table, measure) == pytest.approx(recomputed(table, measure), rel=0, abs=1e-11)


@pytest.mark.parametrize("level", [Level.INTERVAL, Level.RATIO])
def test_the_digits_of_the_rest_are_kept_when_a_far_number_is_left_out(level: Level) -> None:
    """Forty items around 1 and one at a million: without it alpha is that of the forty."""
    rng = np.random.default_rng(3)
    table = table_of([*rng.integers(0, 9, (40, 3)).tolist(), [9, 9]], 10)
    value = np.append(1 + np.arange(9) / 8, 1e6)
    measure = alpha(Scale(level, value, np.zeros(10, dtype=np.bool_), np.ones(10)))
    alone = alpha(Scale(level, value[:9], np.zeros(9, dtype=np.bool_), np.ones(9)))
    forty = LabelTable(table.item[:-2], table.annotator[:-2], table.label[:-2], 9)
    assert measured(table, measure)[-1] == pytest.approx(alone(find_patterns(forty).patterns).value, abs=1e-9)


@given(table=tables)
def test_a_difference_without_an_item_is_that_of_the_two_sides_without_it(table: LabelTable) -> None:
    """The standard error of a paired difference is the jackknife's over items, each left out on both sides."""
    k = table.n_classes
    other = LabelTable(table.item, table.annotator, np.roll(table.label, 1), k)
    measure = alpha(nominal_scale(k))
    found = compare_pairs(table, other, measure)
    lost = recomputed(other, measure) - recomputed(table, measure)
    if found.difference.value is None or not np.isfinite(lost).all():
        assert found.difference.se is None
        return
    n = lost.size
    se = float(np.sqrt((n - 1) / n * ((lost - lost.mean()) ** 2).sum()))
    assert (found.difference.se or 0.0) == pytest.approx(se, rel=1e-9, abs=1e-12 * n)


def test_few_patterns_are_evaluated_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3,000 different patterns none that leaves most of the sum: the time does not go by their square."""
    rng = np.random.default_rng(4)
    table = table_of(rng.integers(0, 9000, (3000, 3)).tolist(), 9000)
    asked: list[int] = []
    evaluated = jackknife._evaluated

    def noted(values: Floats, large: Ints, *rest: Any) -> Floats:
        asked.append(large.size)
        return evaluated(values, large, *rest)

    monkeypatch.setattr(jackknife, "_evaluated", noted)
    for level in (Level.NOMINAL, Level.INTERVAL, Level.RATIO):
        scale = Scale(level, np.arange(1.0, 9001), np.zeros(9000, dtype=np.bool_), np.ones(9000))
        assert measured(table, alpha(scale)).size == 3000
    assert asked == [0, 0, 0]
