"""Human-level performance on tables that can be worked by hand, and where the truth is known."""

import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.numerics.agreement import agreement_report
from core.numerics.hlp import Headline, HeadlineReason, HlpReport, hlp_report
from core.numerics.results import Reason
from core.numerics.table import LabelTable
from tests.numerics.tables import from_matrix

YES, NO, UNSURE = 0, 1, 2
NA = None
# Anna, Ben and Cleo on four items.
ROWS: list[list[int | None]] = [[YES, YES, YES], [YES, YES, NO], [NO, NO, YES], [NO, NA, NA]]
TABLE = from_matrix(ROWS, [YES, NO])
CLASSES = 2

Labels = npt.NDArray[np.intp]


def answers(labels: Labels, classes: int) -> LabelTable:
    """Items x people."""
    items, people = labels.shape
    return LabelTable(
        np.repeat(np.arange(items), people), np.tile(np.arange(people), items), labels.ravel(), classes
    )


def noisy(rng: np.random.Generator, truth: Labels, accuracy: float, classes: int) -> Labels:
    wrong = (truth + rng.integers(1, classes, size=truth.shape)) % classes
    return np.where(rng.random(truth.shape) < accuracy, truth, wrong)


def test_people_beside_gold_count_every_answer_once() -> None:
    gold = hlp_report(TABLE, gold=np.array([YES, YES, YES, NO])).gold
    assert gold.mean.value == pytest.approx((3 + 2 + 1 + 1) / 10)
    assert [person.figure.value for person in gold.annotators] == pytest.approx([3 / 4, 2 / 3, 2 / 3])
    assert (gold.mean.n_items, gold.annotators[0].figure.n_items) == (4, 4)


def test_items_without_gold_do_not_count() -> None:
    gold = hlp_report(TABLE, gold=np.array([-1, YES])).gold  # nothing is said of the later items
    assert gold.mean.value == pytest.approx(2 / 3)


def test_two_people_agree_as_in_the_agreement_report() -> None:
    found = hlp_report(TABLE)
    assert found.between_humans.value == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert found.between_humans == agreement_report(TABLE).coefficients["percent_agreement"]


def test_nobody_is_held_against_a_majority_with_their_own_vote() -> None:
    # Anna: {yes}, {yes, no} half, {no, yes} half. Ben the same. Cleo: {yes}, {yes}, {no}.
    found = hlp_report(TABLE).leave_one_out
    assert [p.figure.value for p in found.annotators] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert found.mean.value == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)


def test_leave_one_out_per_person_is_that_of_the_agreement_report() -> None:
    rng = np.random.default_rng(3)
    table = answers(rng.integers(3, size=(60, 5)), 3)
    ours = {p.annotator: p.figure.value for p in hlp_report(table).leave_one_out.annotators}
    theirs = {a.annotator: a.leave_one_out.value for a in agreement_report(table).annotators}
    assert ours == pytest.approx(theirs)


def test_gold_is_the_headline_when_enough_items_have_it() -> None:
    table = answers(np.zeros((40, 2), dtype=np.intp), CLASSES)
    enough, little = np.zeros(30, dtype=np.intp), np.zeros(29, dtype=np.intp)
    found = hlp_report(table, gold=enough)
    assert (found.headline, found.headline_reason) == (Headline.GOLD, HeadlineReason.GOLD)
    found = hlp_report(table, gold=little)
    assert (found.headline, found.headline_reason) == (
        Headline.BETWEEN_HUMANS,
        HeadlineReason.TOO_LITTLE_GOLD,
    )
    assert hlp_report(table).headline_reason is HeadlineReason.NO_GOLD


def test_gold_is_the_headline_where_nobody_can_agree_with_anybody() -> None:
    alone = from_matrix([[YES, NA], [NA, NO]], [YES, NO])
    found = hlp_report(alone, gold=np.array([YES, YES]))
    assert (found.headline, found.headline_reason) == (Headline.GOLD, HeadlineReason.NO_OVERLAP)
    assert found.between_humans.reason is Reason.NO_OVERLAP
    assert found.ceiling.posterior.reason is Reason.NO_OVERLAP


def test_nothing_is_said_of_nothing() -> None:
    nothing = LabelTable(np.array([], int), np.array([], int), np.array([], int), 2)
    found = hlp_report(nothing, model=np.array([], int), gold=np.array([], int), groups=np.array([], int))
    assert found.between_humans.value is None
    assert found.model is not None
    assert found.model.difference.value is None
    assert found.model.verdict == "cannot_tell"
    assert found.model.worth_labelers.value is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="class"):
        hlp_report(TABLE, gold=np.array([7]))


# "I can't tell"

UNSURE_TABLE = from_matrix([[YES, YES, UNSURE], [UNSURE, UNSURE, NO], [NO, NO, NO]], [YES, NO, UNSURE])
CANNOT_TELL = frozenset({UNSURE})


def read(uncertain: str, gold: Labels | None = None, model: Labels | None = None) -> HlpReport:
    return hlp_report(
        UNSURE_TABLE, uncertain=uncertain, uncertain_classes=CANNOT_TELL, gold=gold, model=model
    )


@pytest.mark.parametrize(
    ("uncertain", "agreement"),
    [("class", (1 / 3 + 1 / 3 + 1) / 3), ("missing", (1 + 1) / 2), ("disagree", (1 / 3 + 0 + 1) / 3)],
)
def test_the_three_readings_of_uncertain_answers(uncertain: str, agreement: float) -> None:
    assert read(uncertain).between_humans.value == pytest.approx(agreement)


def test_an_uncertain_answer_beside_gold() -> None:
    gold = np.array([YES, NO, NO])
    assert read("class", gold=gold).gold.mean.value == pytest.approx(6 / 9)
    assert read("missing", gold=gold).gold.mean.value == pytest.approx(6 / 6)
    assert read("disagree", gold=gold).gold.mean.value == pytest.approx(6 / 9)


def test_coverage_and_accuracy_give_the_model_the_same_right_to_abstain() -> None:
    coverage = read("class", model=np.array([YES, UNSURE, YES])).coverage
    assert coverage is not None
    assert coverage.model is not None
    assert coverage.people.coverage.value == pytest.approx(6 / 9)
    assert coverage.people.accuracy.value == pytest.approx(1.0)  # where both answered they agreed
    assert coverage.model.coverage.value == pytest.approx(2 / 3)
    assert coverage.model.accuracy.value == pytest.approx(1 / 2)


def test_a_model_that_cannot_tell_disagrees_with_everybody_under_disagree() -> None:
    model = read("disagree", model=np.array([UNSURE, UNSURE, UNSURE])).model
    assert model is not None
    assert model.score.value == 0
    assert all(part.code <= UNSURE for part in model.per_class)


def test_a_model_that_cannot_tell_says_nothing_under_missing() -> None:
    model = read("missing", model=np.array([YES, UNSURE, UNSURE])).model
    assert model is not None
    assert (model.n_predictions, model.n_used, model.score.value) == (1, 1, 1.0)


def test_the_report_is_json_with_every_figure_as_in_the_agreement_report() -> None:
    rng = np.random.default_rng(1)
    table = answers(rng.integers(3, size=(60, 4)), 3)
    truth = rng.integers(3, size=60)
    found = hlp_report(table, gold=truth, model=truth, groups=truth, uncertain_classes=frozenset({2}))
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["headline"] == "gold"
    assert set(document["model"]["difference"]) == set(found.between_humans.to_dict())
    assert document["model"]["verdict"] == "above"
    assert document["ceiling"]["plug_in"]["needed"] is not None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_neither_names_of_classes_nor_the_order_of_answers_matter(data: st.DataObject) -> None:
    cells = st.lists(st.integers(0, 2), min_size=4, max_size=4)
    labels = np.array(data.draw(st.lists(cells, min_size=2, max_size=12)), dtype=np.intp)
    model = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(labels), max_size=len(labels))))
    names = np.array(data.draw(st.permutations([0, 1, 2])))
    order = np.array(data.draw(st.permutations(range(labels.size))))
    table = answers(labels, 3)
    renamed = LabelTable(table.item[order], table.annotator[order], names[table.label[order]], 3)
    one, two = hlp_report(table, model=model), hlp_report(renamed, model=names[model])
    assert one.model is not None
    assert two.model is not None
    for left, right in (
        (one.between_humans, two.between_humans),
        (one.leave_one_out.mean, two.leave_one_out.mean),
        (one.ceiling.split_half, two.ceiling.split_half),
        (one.ceiling.plug_in, two.ceiling.plug_in),
        (one.ceiling.posterior, two.ceiling.posterior),
        (one.model.score, two.model.score),
        (one.model.difference, two.model.difference),
    ):
        assert left.value == pytest.approx(right.value, abs=1e-6)
    assert one.model.verdict == two.model.verdict
    ceiling = one.ceiling
    assert ceiling.plug_in.value is not None
    assert ceiling.split_half.value is not None
    assert ceiling.split_half.value <= ceiling.plug_in.value + 1e-9
