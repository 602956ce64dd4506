"""Labels in doubt: out-of-fold probabilities, their order, near-duplicates, and how many are wrong."""

import numpy as np
import pytest
import scipy.sparse as sp

from core.numerics.duplicates import near_duplicates
from core.numerics.label_errors import (
    FOLDS,
    Judged,
    _folds,
    by_confidence,
    by_duplicates,
    expected_errors,
    out_of_fold,
)
from core.numerics.table import Bools, Floats, Ints

N = 600


@pytest.fixture(scope="module")
def digits() -> tuple[sp.csr_matrix, Ints, Bools]:
    """600 digits with normalised rows, 5 % of the labels planted wrong; and which."""
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = data.data[:N] / np.linalg.norm(data.data[:N], axis=1, keepdims=True)
    rng = np.random.default_rng(5)
    wrong = np.zeros(N, dtype=np.bool_)
    wrong[rng.choice(N, N // 20, replace=False)] = True
    label = np.where(wrong, (data.target[:N] + rng.integers(1, 10, N)) % 10, data.target[:N])
    return sp.csr_matrix(rows).astype(np.float32), label.astype(np.intp), wrong


def ties(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)


def judge(rows: sp.csr_matrix, label: Ints, tie: np.ndarray) -> Judged:
    found = out_of_fold(rows, one_hot(label), label, tie, np.arange(label.size), seed=0)
    assert found is not None
    return found


def one_hot(label: Ints, k: int = 10) -> Floats:
    return np.eye(k)[label]


def test_planted_errors_are_in_the_first_tenth(digits: tuple[sp.csr_matrix, Ints, Bools]) -> None:
    from cleanlab.rank import get_label_quality_scores

    rows, label, wrong = digits
    tie = ties(N)
    judged = judge(rows, label, tie)
    doubts = by_confidence(label, judged, tie)
    assert wrong[doubts.row[: N // 10]].sum() >= 0.9 * wrong.sum()
    assert (np.diff(doubts.score) >= 0).all()
    assert (doubts.likely != label[doubts.row]).all()
    assert doubts.score == pytest.approx(
        get_label_quality_scores(label, judged.probability, method="normalized_margin")[doubts.row]
    )


def test_the_order_of_the_rows_changes_nothing(digits: tuple[sp.csr_matrix, Ints, Bools]) -> None:
    rows, label, _wrong = digits
    tie, shuffled = ties(N), np.random.default_rng(1).permutation(N)
    here, there = judge(rows, label, tie), judge(rows[shuffled], label[shuffled], tie[shuffled])
    assert (here.probability[shuffled] == there.probability).all()
    first, second = by_confidence(label, here, tie), by_confidence(label[shuffled], there, tie[shuffled])
    assert (tie[first.row] == tie[shuffled][second.row]).all()


def test_the_share_of_wrong_labels_is_that_of_the_confident_joint(
    digits: tuple[sp.csr_matrix, Ints, Bools],
) -> None:
    from cleanlab.count import compute_confident_joint

    rows, label, wrong = digits
    judged = judge(rows, label, ties(N))
    expected = expected_errors(label, judged, seed=0)
    joint = compute_confident_joint(label, judged.probability)  # scaled to the labels, rounded
    assert expected.share.value == pytest.approx(1 - np.trace(joint) / N, abs=10 / N)
    assert expected.share.ci is not None
    low, high = expected.share.ci
    assert low < wrong.mean() < high
    assert len(expected.by_class) == 10
    again = expected_errors(label, judged, seed=0)
    assert (expected.share, expected.by_class) == (again.share, again.by_class)


def test_rare_classes_and_rows_without_a_label_are_not_judged(
    digits: tuple[sp.csr_matrix, Ints, Bools],
) -> None:
    rows, label, _wrong = digits
    target = np.hstack([one_hot(label), np.zeros((N, 2))])
    label = label.copy()
    target[:3], label[:3] = np.eye(12)[10], 10
    label[3:6] = -1
    judged = out_of_fold(rows, target, label, ties(N), np.arange(N), seed=0)
    assert judged is not None
    assert not judged.known[:6].any()
    assert judged.known[6:].all()
    assert judged.probability.sum(axis=1) == pytest.approx(1)
    doubts = by_confidence(label, judged, ties(N))
    assert set(doubts.row.tolist()) == set(range(6, N))
    assert expected_errors(label, judged, seed=0).by_class[10].reason == "too_few_items"


@pytest.mark.parametrize(("n", "k"), [(49, 2), (60, 1)])
def test_too_little_to_learn_from_judges_nothing(n: int, k: int) -> None:
    label = np.arange(n) % k
    rows = sp.csr_matrix(np.eye(n, dtype=np.float32))
    assert out_of_fold(rows, one_hot(label, 2), label, ties(n), np.arange(n), seed=0) is None


def test_near_duplicates_share_a_fold_and_every_class_is_in_all_of_them() -> None:
    group = np.repeat(np.arange(100), 3)
    label = (np.arange(300) // 3) % 4
    fold = _folds(label, ties(300), group)
    assert all(np.unique(fold[group == one]).size == 1 for one in range(100))
    for one in range(4):
        sizes = np.bincount(fold[label == one], minlength=FOLDS)
        assert sizes.min() >= 12
    one_group = _folds(label, ties(300), np.zeros(300, dtype=np.intp))
    assert np.bincount(one_group).tolist() == [60] * FOLDS


def test_no_label_is_judged_by_a_model_that_saw_its_near_duplicate(
    digits: tuple[sp.csr_matrix, Ints, Bools], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every digit stands there twice, and each row says of itself which digit it is."""
    rows, label, _wrong = digits
    digit = np.repeat(np.arange(100), 2)
    rows, label = rows[digit], label[digit]
    learnt: list[set[int]] = []

    class Told:
        fitted = np.arange(10)

        def probabilities(self, judged_rows: sp.csr_matrix) -> Floats:
            assert learnt[-1].isdisjoint(_names(judged_rows))
            return np.full((judged_rows.shape[0], 10), 0.1)

    def _names(these: sp.csr_matrix) -> set[int]:
        return {hash(row.tobytes()) for row in these.toarray()}

    def remembered(these: sp.csr_matrix, _target: Floats, *, seed: int) -> Told:
        learnt.append(_names(these))
        return Told()

    monkeypatch.setattr("core.numerics.label_errors.train", remembered)
    assert out_of_fold(rows, one_hot(label), label, ties(200), digit, seed=0) is not None
    assert len(learnt) == FOLDS


def test_the_outvoted_of_near_duplicates_are_told_and_of_two_the_doubted_one() -> None:
    """Three alike of which one differs; two alike, of which the model doubts the second."""
    rows = sp.csr_matrix(np.eye(5, dtype=np.float32)[[0, 0, 0, 1, 1, 2, 3]])
    label = np.array([0, 1, 0, 1, 0, 1, -1])
    probability = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8], [0.3, 0.7], [0.5, 0.5], [0.5, 0.5]])
    judged = Judged(probability, np.ones(7, dtype=np.bool_))
    doubts = by_duplicates(near_duplicates(rows), label, judged, ties(7))
    assert doubts.row.tolist() == [1, 4]
    assert doubts.likely.tolist() == [0, 1]
    assert doubts.other.tolist()[1] == 3
    assert doubts.other.tolist()[0] in {0, 2}
    assert doubts.score.tolist() == pytest.approx([(1 / 3 + 0.1) / 2, (1 / 2 + 0.3) / 2])
    without = by_duplicates(near_duplicates(rows), label, None, ties(7))
    assert without.row.size == 2
    assert without.row[0] == 1
    assert without.score.tolist() == pytest.approx([1 / 3, 1 / 2])
