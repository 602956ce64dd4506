"""Dawid and Skene's model: the published table, people of known accuracy, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.aggregation import coverage, crowd
from core.numerics import dawid_skene
from core.numerics.dawid_skene import CrowdModel, Model, competence, fit_dawid_skene, judge, update
from core.numerics.results import Method, Reason
from core.numerics.table import Bools, LabelTable
from tests.numerics.tables import from_matrix

KINDS = list(Model)
NONE = np.empty(0, dtype=np.intp)

# Dawid and Skene (1979), table 1: fitness for anaesthesia of 45 patients, told by five observers, the first of whom
# was asked three times. A line per telling, a digit per patient.
TOLD = [
    "131222132242121111222222112111131224223111212",
    "131222232342122111222222113111131223233112322",
    "132222232242121111222221112112131223123111212",
    "142333232243131211212232112111131234233112212",
    "131123142243121111232222112111121223224111212",
    "132222132244111111222222112112131234333111212",
    "142122133343121111122122112111131223232111212",
]
OBSERVERS = (0, 0, 0, 1, 2, 3, 4)


def patients() -> LabelTable:
    """The table with classes from 0."""
    told = np.array([[int(mark) - 1 for mark in line] for line in TOLD]).T
    item = np.repeat(np.arange(len(told)), len(OBSERVERS))
    return LabelTable(item, np.tile(OBSERVERS, len(told)), told.ravel(), 4)


def test_the_published_table_is_reproduced() -> None:
    model = fit_dawid_skene(patients(), smoothing=0, tolerance=1e-12)
    assert model.shares.round(2).tolist() == [0.4, 0.42, 0.11, 0.07]
    assert model.confusion(0).round(2).tolist() == [
        [0.89, 0.11, 0.0, 0.0],
        [0.07, 0.88, 0.05, 0.0],
        [0.0, 0.34, 0.66, 0.0],
        [0.0, 0.0, 0.56, 0.44],
    ]
    assert model.log_likelihood == pytest.approx(-192.890881, abs=1e-6)
    assert model.posterior[[6, 34, 37]].round(3).tolist() == [
        [0.981, 0.019, 0.0, 0.0],
        [0.0, 0.948, 0.052, 0.0],
        [0.0, 0.021, 0.979, 0.0],
    ]
    best = "".join(str(k + 1) for k in model.posterior.argmax(axis=1))
    assert best == "142222132243121111222222112111131224233111212"


def test_the_likelihood_counts_the_class_shares_once_per_item() -> None:
    """By hand from the fitted parameters: sum over items of log sum over classes of share times product of theta."""
    model = fit_dawid_skene(patients(), smoothing=0)
    theta = np.stack([model.confusion(j) for j in range(5)])
    told = np.array([[int(mark) - 1 for mark in line] for line in TOLD]).T
    by_class = np.array(
        [
            model.shares * np.prod([theta[j, :, y] for j, y in zip(OBSERVERS, row, strict=True)], axis=0)
            for row in told
        ]
    )
    total = by_class.sum(axis=1)
    assert model.posterior[34] == pytest.approx(by_class[34] / total[34], abs=1e-6)
    assert model.log_likelihood == pytest.approx(np.log(total).sum(), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_climbs_without_smoothing(kind: Model) -> None:
    table, _, _ = crowd(1, n_people=20, per_person=30)
    heights = [
        fit_dawid_skene(table, kind, smoothing=0, tolerance=0, most_iterations=n).log_likelihood
        for n in range(1, 12)
    ]
    assert (np.diff(heights) >= -1e-9).all()


def test_the_model_finds_who_cannot_be_trusted() -> None:
    """Two who are right and one who always says dog: on the items where the two agree, the third is wrong."""
    cat, dog = 0, 1
    table = from_matrix([[cat, cat, dog]] * 10 + [[dog, dog, dog]] * 10 + [[cat, None, dog]] * 3, [cat, dog])
    for kind in KINDS:
        model = fit_dawid_skene(table, kind)
        assert model.posterior[20:].argmax(axis=1).tolist() == [cat, cat, cat]
        assert model.accuracy[2] < 0.7 < model.accuracy[0]


def test_one_accuracy_is_shared_by_all_classes() -> None:
    table, _, _ = crowd(3)
    model = fit_dawid_skene(table, Model.ONE_COIN)
    theta = model.confusion(7)
    assert np.diag(theta).tolist() == [theta[0, 0]] * 3
    assert theta[0, 1] == pytest.approx((1 - theta[0, 0]) / 2)
    assert theta[0, 1] == theta[2, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_smoothing_draws_people_with_few_answers_to_the_average_one(kind: Model) -> None:
    table, _, _ = crowd(4, n_people=20, per_person=6, per_item=3)
    spread = [
        np.std(fit_dawid_skene(table, kind, smoothing=smoothing).accuracy) for smoothing in (0.5, 4, 1000)
    ]
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] < 0.01


def test_few_answers_do_not_run_to_a_single_class_with_one_coin() -> None:
    table, _, truth = crowd(5, n_people=60, per_person=10, per_item=2, n_classes=2, shares=(0.6, 0.4))
    model = fit_dawid_skene(table, Model.ONE_COIN)
    assert (model.posterior.argmax(axis=1) == truth).mean() > 0.7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shares", "least"), [((0.5, 0.3, 0.2), 0.93), ((0.9, 0.08, 0.02), 0.92)])
def test_competence_is_ranked_and_its_intervals_cover(
    kind: Model, shares: tuple[float, ...], least: float
) -> None:
    """Fifty people, a hundred answers each, 1,000 judgements of people in all."""
    covered, rank = coverage(kind, 20, shares=shares)
    assert least <= covered <= 0.97
    assert rank >= 0.9


def test_competence_says_what_it_rests_on() -> None:
    cat, dog = 0, 1
    none = None
    table = from_matrix([[cat, cat, dog, none], [dog, dog, none, none], [none, none, none, dog]], [cat, dog])
    first, _, third, alone = competence(fit_dawid_skene(table))
    assert (first.n_items, first.n_pairs, first.method) == (2, 3, Method.POSTERIOR)
    assert (third.n_items, third.n_pairs) == (1, 2)
    assert (alone.value, alone.reason, alone.n_items) == (None, Reason.NO_OVERLAP, 1)


def test_ones_own_second_answer_is_no_overlap() -> None:
    table = LabelTable(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), np.array([0, 1, 0, 1]), 2)
    alone, second, _ = competence(fit_dawid_skene(table))
    assert (alone.reason, alone.n_pairs) == (Reason.NO_OVERLAP, 0)
    assert second.n_pairs == 1


def test_reasons_instead_of_figures() -> None:
    one_person = LabelTable(np.arange(4), np.zeros(4, dtype=np.intp), np.array([0, 1, 1, 0]), 2)
    assert [figure.reason for figure in competence(fit_dawid_skene(one_person))] == [Reason.ONE_ANNOTATOR]
    one_class = from_matrix([["cat", "cat"], ["cat", "cat"]], ["cat", "dog"])
    assert {figure.reason for figure in competence(fit_dawid_skene(one_class))} == {Reason.ONE_CLASS}
    assert competence(fit_dawid_skene(LabelTable(NONE, NONE, NONE, 3))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_and_nearly_nothing(kind: Model) -> None:
    for smoothing in (0.0, 4.0):
        empty = fit_dawid_skene(LabelTable(NONE, NONE, NONE, 3), kind, smoothing=smoothing)
        assert (empty.posterior.shape, empty.confidence.size) == ((0, 3), 0)
        no_class = fit_dawid_skene(LabelTable(NONE, NONE, NONE, 0), kind, smoothing=smoothing)
        assert no_class.item.size == 0
        only_class = LabelTable(np.array([0, 0]), np.array([0, 1]), np.array([0, 0]), 1)
        assert fit_dawid_skene(only_class, kind, smoothing=smoothing).posterior.tolist() == [[1.0]]


@pytest.mark.parametrize("kind", KINDS)
def test_hundreds_of_contradicting_answers_to_one_item_do_not_underflow(kind: Model) -> None:
    table, _, _ = crowd(6, n_people=1000, per_person=3, per_item=5, n_classes=2)
    rng = np.random.default_rng(6)
    item = np.concatenate([table.item, np.full(1000, table.sizes.size)])
    more = LabelTable(
        item,
        np.concatenate([table.annotator, np.arange(1000)]),
        np.concatenate([table.label, rng.integers(0, 2, 1000)]),
        2,
    )
    model = fit_dawid_skene(more, kind, smoothing=0)
    assert np.isfinite(model.log_likelihood)
    assert model.posterior.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_many_people_of_few_answers_in_several_chunks(kind: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """More (annotator, label) pairs than answers in a chunk: the same as all at once."""
    table, _, truth = crowd(7, n_people=2000, per_person=6, per_item=6)
    whole = fit_dawid_skene(table, kind, tolerance=0, most_iterations=5)
    monkeypatch.setattr(dawid_skene, "_CHUNK_ITEMS", 7)
    parts = fit_dawid_skene(table, kind, tolerance=0, most_iterations=5)
    assert parts.posterior == pytest.approx(whole.posterior)
    assert parts.pair_counts == pytest.approx(whole.pair_counts)
    assert (parts.posterior.argmax(axis=1) == truth).mean() > 0.9


ANSWERS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=60
)


def as_table(answers: list[tuple[int, int, int]]) -> LabelTable:
    item, annotator, label = (np.array(column) for column in zip(*answers, strict=True))
    return LabelTable(item, annotator, label, 3)


@given(ANSWERS, st.sampled_from(KINDS), st.sampled_from([0.0, 4.0]))
@settings(max_examples=60, deadline=None)
def test_posteriors_are_probabilities_whatever_was_answered(
    answers: list[tuple[int, int, int]], kind: Model, smoothing: float
) -> None:
    model = fit_dawid_skene(as_table(answers), kind, smoothing=smoothing)
    assert model.posterior.min() >= 0
    assert model.posterior.sum(axis=1) == pytest.approx(1)
    for place in range(model.annotator.size):
        assert model.confusion(place).sum(axis=1) == pytest.approx(1)
    for figure in competence(model):
        if figure.value is not None and figure.ci is not None:
            assert 0 <= figure.ci[0] <= figure.value <= figure.ci[1] <= 1


@given(ANSWERS, st.sampled_from(KINDS), st.randoms(use_true_random=False), st.permutations(range(3)))
@settings(max_examples=60, deadline=None)
def test_names_and_order_do_not_matter(
    answers: list[tuple[int, int, int]], kind: Model, random: object, code: list[int]
) -> None:
    """Five steps, no more and no less: rounding may end EM a step earlier, and lead ties either way after many."""
    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    plain = fit_dawid_skene(as_table(answers), kind, most_iterations=5, tolerance=-1)
    renamed = fit_dawid_skene(
        as_table([(i, 4 - a, code[k]) for i, a, k in shuffled]), kind, most_iterations=5, tolerance=-1
    )
    assert renamed.posterior[:, code] == pytest.approx(plain.posterior, abs=1e-8)
    assert renamed.accuracy[::-1] == pytest.approx(plain.accuracy, abs=1e-8)
    assert renamed.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)


def parts(table: LabelTable, mask: Bools) -> tuple[LabelTable, LabelTable]:
    return table.keep(mask), table.keep(~mask)


@pytest.mark.parametrize("kind", KINDS)
def test_new_answers_are_folded_in_as_if_all_had_been_fitted(kind: Model) -> None:
    table, _, _ = crowd(8)
    old, new = parts(table, np.random.default_rng(8).random(len(table)) < 0.97)
    before = fit_dawid_skene(old, kind, tolerance=1e-10)
    after = update(before, new, tolerance=1e-10)
    whole = fit_dawid_skene(table, kind, tolerance=1e-10)
    assert after.posterior == pytest.approx(whole.posterior, abs=1e-4)
    assert after.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-4)
    assert update(before, new).iterations < fit_dawid_skene(table, kind).iterations


@pytest.mark.parametrize("kind", KINDS)
def test_new_people_new_items_and_an_empty_model_can_be_updated(kind: Model) -> None:
    table, _, _ = crowd(9, n_people=20)
    old, new = parts(table, (table.annotator < 18) & (table.item < 300))
    after = update(fit_dawid_skene(old, kind, tolerance=1e-10), new, tolerance=1e-10)
    whole = fit_dawid_skene(table, kind, tolerance=1e-10)
    assert after.posterior == pytest.approx(whole.posterior, abs=1e-3)
    nothing = fit_dawid_skene(LabelTable(NONE, NONE, NONE, 3), kind)
    assert update(nothing, table).posterior == pytest.approx(fit_dawid_skene(table, kind).posterior)


def judged(model: CrowdModel, annotators: list[int], labels: list[int]) -> list[float]:
    item = np.zeros(len(labels), dtype=np.intp)
    _, posterior = judge(model, LabelTable(item, np.array(annotators), np.array(labels), 3))
    row: list[float] = posterior[0].tolist()
    return row


@pytest.mark.parametrize("kind", KINDS)
def test_other_items_are_judged_by_what_was_learnt(kind: Model) -> None:
    table, _, _ = crowd(10)
    model = fit_dawid_skene(table, kind)
    _, again = judge(model, table)
    assert again == pytest.approx(model.posterior, abs=1e-3)
    best, worst = model.accuracy.argmax(), model.accuracy.argmin()
    assert judged(model, [int(best), int(worst)], [0, 1])[0] > 0.5
    unknown = judged(model, [999], [0])
    assert unknown[0] == pytest.approx(
        model.shares[0] * model.average[0, 0] / (model.shares @ model.average[:, 0])
    )
    assert judged(model, [999], [0])[0] < judged(model, [int(best)], [0])[0]
