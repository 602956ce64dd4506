"""A model beside people: by hand, and by simulation where the truth is known."""

import numpy as np
import pytest

from core.numerics.evaluation import ModelReport, VerdictWord, compare
from core.numerics.hlp import hlp_report
from core.numerics.means import one_group
from core.numerics.table import LabelTable
from tests.numerics.tables import from_matrix
from tests.numerics.test_hlp import Labels, answers, noisy

A, B, C, D = 0, 1, 2, 3


def model_of(
    table: LabelTable, model: Labels, gold: Labels | None = None, groups: Labels | None = None
) -> ModelReport:
    found = hlp_report(table, model=model, gold=gold, groups=groups).model
    assert found is not None
    return found


def test_the_model_is_held_against_the_same_references_as_each_person() -> None:
    # Anna, Ben, Cleo. Item 1: A A B. The others are {A, B}, {A, B} and {A}: the model's A earns 1/2, 1/2, 1; people
    # 1/2, 1/2, 0. Item 2: A A A, the model says B: 0 beside 1.
    found = model_of(from_matrix([[A, A, B], [A, A, A]], [A, B]), np.array([A, B]))
    assert found.score.value == pytest.approx((2 / 3 + 0) / 2)
    assert found.human.value == pytest.approx((1 / 3 + 1) / 2)
    assert found.difference.value == pytest.approx(-1 / 3)
    assert found.difference.n_items == 2
    assert (found.verdict, found.verdict_reason) == ("cannot_tell", "too_few_items")


def test_items_without_a_prediction_or_with_one_answer_do_not_count() -> None:
    table = from_matrix([[A, A], [A, None], [B, B]], [A, B])
    found = model_of(table, np.array([A, A, -1]))
    assert (found.n_predictions, found.n_used, found.score.value) == (2, 1, 1.0)


def differences(*numbers: float, times: int) -> tuple[str, str]:
    lead = np.tile(np.array(numbers), times)
    whole = np.ones(lead.size)
    found = compare(one_group(whole, whole), 0.5 + lead / 2, 0.5 - lead / 2, whole, 0.05)[0]
    return found.verdict, found.verdict_reason


def test_the_verdict_is_where_the_whole_interval_lies() -> None:
    assert differences(0.4, -0.2, times=200)[0] == "above"  # .1 ± .03
    assert differences(-0.4, 0.2, times=200)[0] == "below"
    assert differences(0.2, -0.2, times=200)[0] == "at"  # 0 ± .02
    assert differences(0.5, -0.4, times=50)[0] == "cannot_tell"  # .05 ± .1


def test_a_lead_that_surely_does_not_matter_is_no_lead() -> None:
    assert differences(0.12, -0.08, times=2000)[0] == "at"  # .02 ± .003


def test_no_verdict_on_few_items() -> None:
    assert differences(0.4, -0.2, times=14) == ("cannot_tell", "too_few_items")


def test_a_model_that_never_differs_on_some_items_is_not_at_once_as_good() -> None:
    assert differences(0.0, times=30)[0] == "cannot_tell"  # one of many items could still differ
    assert differences(0.0, times=200)[0] == "at"


def test_more_items_are_asked_for_until_the_interval_leaves_zero() -> None:
    lead = np.tile(np.array([0.6, -0.4]), 40)  # .1 ± .12
    whole = np.ones(lead.size)
    found = compare(one_group(whole, whole), 0.5 + lead / 2, 0.5 - lead / 2, whole, 0.05)[0]
    assert found.verdict == "cannot_tell"
    assert found.difference.ci is not None
    half = (found.difference.ci[1] - found.difference.ci[0]) / 2
    assert found.needed == int(np.ceil(80 * ((half / 0.1) ** 2 - 1)))


def test_by_class_of_the_references() -> None:
    # Two people. Item 1: A A, the model A. Item 2: B B, the model A. Item 3: A B, the model B: each class is the
    # reference of one of the two answers; people miss both, the model misses A and meets B.
    found = model_of(from_matrix([[A, A], [B, B], [A, B]], [A, B]), np.array([A, A, B]))
    a, b = (part.comparison for part in found.per_class)
    assert [a.score.value, a.human.value] == pytest.approx([1 / 1.5, 1 / 1.5])
    assert [b.score.value, b.human.value] == pytest.approx([0.5 / 1.5, 1 / 1.5])


def test_by_group_of_items() -> None:
    table = from_matrix([[A, A], [B, B], [A, B]], [A, B])
    found = model_of(table, np.array([A, A, B]), groups=np.array([7, 7, -1]))
    (part,) = found.per_group
    assert (part.code, part.comparison.score.value, part.comparison.human.value) == (7, 0.5, 1.0)


def test_by_gold_where_gold_is_the_headline() -> None:
    people = np.tile(np.array([[A, A, B], [B, B, B]]), (20, 1))
    gold = np.tile(np.array([A, A]), 20)
    found = model_of(answers(people, 2), np.tile(np.array([A, B]), 20), gold=gold)
    assert found.reference == "gold"
    assert [found.score.value, found.human.value] == pytest.approx([1 / 2, 1 / 3])
    assert [part.code for part in found.per_class] == [A]
    assert found.gold is not None
    assert found.gold.difference == found.difference
    assert found.between_humans.score.value == pytest.approx((2 / 3 + 1) / 2)


def test_where_the_lead_comes_from() -> None:
    # Beside gold: people split on the first kind of item (the model leads by 1/3), are at one and wrong on the second.
    people = np.tile(np.array([[A, A, B], [B, B, B], [A, A, A]]), (20, 1))
    gold = np.tile(np.array([A, A, A]), 20)
    found = model_of(answers(people, 2), gold, gold=gold)
    assert found.split_item_share is not None
    assert found.split_item_share.value == pytest.approx((1 / 3) / (1 / 3 + 1))
    assert found.split_items.on_split.difference.value == pytest.approx(1 / 3)
    assert found.split_items.on_clear.difference.value == pytest.approx(1 / 2)


def test_without_a_lead_no_share_of_it() -> None:
    found = model_of(answers(np.tile(np.array([[A, A, B]]), (40, 1)), 2), np.full(40, B))
    assert found.split_item_share is None


def test_people_one_by_one() -> None:
    # Anna and Ben always say A, Cleo B; the model says A. Anna's others are {A, B}, Cleo's {A}.
    found = model_of(answers(np.tile(np.array([[A, A, B]]), (40, 1)), 2), np.full(40, A)).humans_beaten
    assert [person.difference.value for person in found.people] == [0.0, 0.0, 1.0]
    assert [person.beaten for person in found.people] == [False, False, True]
    assert (found.n, found.n_beaten) == (3, 1)
    assert found.share == pytest.approx(1 / 3)
    assert found.worst is not None
    assert found.median is not None
    assert (found.worst.difference.value, found.median.difference.value) == (0.0, 0.0)


def test_people_with_few_common_items_are_not_compared() -> None:
    found = model_of(answers(np.tile(np.array([[A, A, B]]), (29, 1)), 2), np.full(29, A)).humans_beaten
    assert (found.n, found.n_excluded, found.share, found.worst) == (0, 3, None, None)


def test_always_saying_the_favourite_is_imitation_and_not_above_people() -> None:
    # 70 % of people say A and 30 % B, on every item, and both are fine: two of them agree on .58.
    rng = np.random.default_rng(4)
    people = answers((rng.random((1000, 3)) < 0.3).astype(np.intp), 2)
    found = model_of(people, np.full(1000, A))
    assert found.human.value == pytest.approx(0.58, abs=0.03)
    assert found.score.value == pytest.approx(0.70, abs=0.03)
    assert found.difference.ci is not None
    assert found.difference.ci[0] > 0
    assert found.imitates_majority
    assert (found.verdict, found.verdict_reason) == ("cannot_tell", "imitates_majority")
    rule = found.majority_rule
    assert rule.rule.value == found.score.value == rule.constant.value
    assert rule.model_minus_rule.value == 0
    assert found.split_item_share is not None
    assert found.split_item_share.value is not None
    assert found.split_item_share.value >= 1


def test_imitation_is_found_where_the_favourite_depends_on_the_item() -> None:
    # Two things with two names each; people know the thing and take the first name with .7.
    rng = np.random.default_rng(4)
    thing = rng.integers(2, size=1000) * 2
    people = answers(thing[:, None] + (rng.random((1000, 3)) < 0.3), 4)
    found = model_of(people, thing)
    assert found.imitates_majority
    assert found.majority_rule.constant.value == pytest.approx(0.35, abs=0.03)


def test_knowing_better_than_people_is_not_imitation() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(3, size=1000)
    people = answers(noisy(rng, np.repeat(truth[:, None], 3, axis=1), 0.75, 3), 3)
    found = model_of(people, noisy(rng, truth, 0.9, 3))
    assert (found.verdict, found.imitates_majority) == ("above", False)


@pytest.mark.parametrize(
    ("lead", "above", "wrong"), [(0.08, 0.8, 0.0), (0.0, 0.0, 0.05)], ids=["better by 8 points", "equal"]
)
def test_verdicts_on_models_of_a_known_lead(lead: float, above: float, wrong: float) -> None:
    """500 items of 3 answers; the 1,000 runs of each cell are in benchmarks/verdicts.py and docs/hlp.md."""
    found = []
    for run in range(200):
        rng = np.random.default_rng((run, 2))
        truth = rng.choice(3, size=500, p=(0.5, 0.3, 0.2))
        people = noisy(rng, np.repeat(truth[:, None], 3, axis=1), 0.76, 3)
        model = noisy(rng, truth, 0.76 + lead, 3)
        whole = np.ones(500)
        right = (model == truth).astype(np.float64)
        human = (people == truth[:, None]).mean(axis=1)
        found.append(compare(one_group(whole, whole), right, human, whole, 0.05)[0].verdict)
    assert found.count(VerdictWord.ABOVE) / 200 >= above
    if lead == 0:
        assert (found.count(VerdictWord.ABOVE) + found.count(VerdictWord.BELOW)) / 200 <= wrong
