"""The classifier: soft targets, balance, unseen classes, honest probabilities, bytes."""

import io

import numpy as np
import pytest
import scipy.sparse as sp

from core.numerics.classifier import Classifier, calibrate, cross_validated, judged, train
from core.numerics.table import Floats, Ints

WIDTH = 1 << 12


def documents(
    n: int, seed: int, *, shares: tuple[float, ...], noise: float = 0.0
) -> tuple[sp.csr_matrix, Ints]:
    """Rows of length 1 with words of their class and common words, and their classes; some classes are wrong."""
    rng = np.random.default_rng(seed)
    label = rng.choice(len(shares), n, p=shares)
    own = label[:, None] * 40 + rng.integers(40, size=(n, 4))
    common = 3000 + rng.integers(200, size=(n, 8))
    columns = np.hstack([own, common])
    rows = sp.csr_matrix(
        (np.ones(columns.size, dtype=np.float32), columns.ravel(), np.arange(0, columns.size + 1, 12)),
        shape=(n, WIDTH),
    )
    rows.sum_duplicates()
    wrong = rng.random(n) < noise
    label = np.where(wrong, rng.integers(len(shares), size=n), label)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)))
    return sp.csr_matrix(rows.multiply(1 / lengths), dtype=np.float32), label


def one_hot(label: Ints, k: int) -> Floats:
    return np.eye(k)[label]


def trained(rows: sp.csr_matrix, target: Floats, weight: Floats | None = None) -> Classifier:
    model = train(rows, target, seed=7, weight=weight)
    assert model is not None
    return model


def test_three_classes_are_learnt_in_the_projects_order() -> None:
    rows, label = documents(300, 1, shares=(0.5, 0.3, 0.2))
    model = trained(rows, one_hot(label, 3))
    new, truth = documents(400, 2, shares=(0.5, 0.3, 0.2))
    shares = model.probabilities(new)
    assert shares.dtype == np.float32
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert np.mean(shares.argmax(axis=1) == truth) > 0.95
    assert model.scores(new).shape == (400, 3)


def test_two_classes_have_one_column_of_scores_and_its_sign_is_the_class() -> None:
    rows, label = documents(200, 3, shares=(0.8, 0.2))
    model = trained(rows, one_hot(label, 2))
    scores = model.scores(rows)
    assert scores.shape == (200, 1)
    assert np.array_equal(scores[:, 0] > 0, model.probabilities(rows)[:, 1] > 0.5)


def test_a_class_that_no_label_has_gets_probability_zero() -> None:
    rows, label = documents(200, 4, shares=(0.6, 0.4))
    model = trained(rows, one_hot(label * 2, 4))  # classes 0 and 2 of four
    assert model.fitted.tolist() == [0, 2]
    assert not model.probabilities(rows)[:, [1, 3]].any()


@pytest.mark.parametrize("n_classes", [1, 3])
def test_one_class_alone_teaches_nothing(n_classes: int) -> None:
    rows, _ = documents(20, 5, shares=(1.0,))
    target = np.zeros((20, n_classes))
    target[:, 0] = 1
    assert train(rows, target, seed=0) is None


def test_a_rare_class_is_not_drowned() -> None:
    rows, label = documents(2000, 6, shares=(0.97, 0.03))
    model = trained(rows, one_hot(label, 2))
    new, truth = documents(2000, 7, shares=(0.97, 0.03))
    said = model.probabilities(new).argmax(axis=1)
    assert np.mean(said[truth == 1] == 1) > 0.9


def test_a_soft_target_is_a_row_of_each_class_with_that_weight() -> None:
    rows, label = documents(120, 8, shares=(0.4, 0.3, 0.3))
    soft = one_hot(label, 3)
    soft[:40] = 0.7 * soft[:40] + 0.3 * one_hot((label[:40] + 1) % 3, 3)
    twice = sp.vstack([rows, rows[:40]], format="csr")
    target = np.concatenate([one_hot(label, 3), one_hot((label[:40] + 1) % 3, 3)])
    weight = np.concatenate([np.full(40, 0.7), np.ones(80), np.full(40, 0.3)])
    a, b = trained(rows, soft), trained(twice, target, weight=weight)
    assert np.allclose(a.probabilities(rows), b.probabilities(rows), atol=0.02)
    hard = trained(rows, one_hot(label, 3))
    assert np.abs(a.probabilities(rows) - hard.probabilities(rows)).max() > 0.05


def test_only_columns_of_the_labelled_rows_have_weights() -> None:
    rows, label = documents(50, 9, shares=(0.5, 0.5))
    model = trained(rows, one_hot(label, 2))
    assert model.columns.tolist() == np.unique(rows.indices).tolist()
    assert model.weights.shape == (model.columns.size, 1)
    assert model.weights.dtype == np.float32


def test_rows_without_any_feature_can_be_learnt_from() -> None:
    rows = sp.csr_matrix((10, 50), dtype=np.float32)
    model = trained(rows, one_hot(np.arange(10) % 2, 2))
    assert model.columns.size == 0
    assert np.isfinite(model.probabilities(rows)).all()


def test_dense_vectors_can_be_learnt_from() -> None:
    rng = np.random.default_rng(10)
    label = rng.integers(3, size=300)
    vectors = rng.normal(size=(300, 16)) + 3 * np.eye(3, 16)[label]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    model = trained(sp.csr_matrix(vectors.astype(np.float32)), one_hot(label, 3))
    said = model.probabilities(sp.csr_matrix(vectors.astype(np.float32))).argmax(axis=1)
    assert np.mean(said == label) > 0.9


def test_people_who_contradict_each_other_do_not_keep_it_from_ending() -> None:
    rows, label = documents(100, 11, shares=(0.5, 0.5))
    both = sp.vstack([rows, rows], format="csr")
    model = trained(both, one_hot(np.concatenate([label, 1 - label]), 2))
    assert np.abs(model.probabilities(rows) - 0.5).max() < 0.05


def test_the_same_labels_and_seed_give_the_same_bytes_and_they_come_back_the_same() -> None:
    rows, label = documents(150, 12, shares=(0.4, 0.3, 0.3))
    model = calibrate(trained(rows, one_hot(label, 3)), *documents(60, 13, shares=(0.4, 0.3, 0.3)))
    content = model.to_bytes()
    again = calibrate(trained(rows, one_hot(label, 3)), *documents(60, 13, shares=(0.4, 0.3, 0.3)))
    assert again.to_bytes() == content
    back = Classifier.from_bytes(content)
    assert back.to_bytes() == content
    assert np.array_equal(back.probabilities(rows), model.probabilities(rows))


def test_bytes_that_would_run_code_are_refused() -> None:
    file = io.BytesIO()
    np.savez(file, head=np.array([{"format": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        Classifier.from_bytes(file.getvalue())


def test_another_format_is_refused() -> None:
    file = io.BytesIO()
    np.savez(file, head=np.frombuffer(b'{"format": 99}', dtype=np.uint8))
    with pytest.raises(ValueError, match="99"):
        Classifier.from_bytes(file.getvalue())


def test_calibrated_probabilities_are_as_large_as_the_share_that_is_right() -> None:
    shares = (0.85, 0.1, 0.05)
    model = trained(*_targets(400, 14, (1 / 3, 1 / 3, 1 / 3), 0.25))  # chosen labels are not like the items
    new, truth = documents(4000, 15, shares=shares, noise=0.25)
    honest = calibrate(model, *documents(300, 16, shares=shares, noise=0.25))
    before, after = model.probabilities(new), honest.probabilities(new)
    rows = np.arange(truth.size)
    assert -np.log(after[rows, truth]).mean() < -np.log(before[rows, truth]).mean() - 0.02
    assert abs(after.max(axis=1).mean() - np.mean(after.argmax(axis=1) == truth)) < 0.05
    assert abs(after.mean(axis=0)[0] - np.mean(truth == 0)) < abs(
        before.mean(axis=0)[0] - np.mean(truth == 0)
    )


def _targets(n: int, seed: int, shares: tuple[float, ...], noise: float) -> tuple[sp.csr_matrix, Floats]:
    rows, label = documents(n, seed, shares=shares, noise=noise)
    return rows, one_hot(label, len(shares))


def test_forty_right_answers_do_not_make_a_model_certain() -> None:
    rows, label = documents(300, 17, shares=(0.5, 0.5))
    model = calibrate(trained(rows, one_hot(label, 2)), *documents(40, 18, shares=(0.5, 0.5)))
    assert model.probabilities(rows).max() < 0.9999


def test_few_labels_leave_the_model_as_it_is() -> None:
    rows, label = documents(100, 19, shares=(0.5, 0.5))
    model = trained(rows, one_hot(label, 2))
    new, truth = documents(60, 20, shares=(0.5, 0.5))
    truth[19:] = -1  # no label yet
    assert calibrate(model, new, truth) is model


def test_shapes_that_do_not_fit_are_refused() -> None:
    rows, label = documents(10, 21, shares=(0.5, 0.5))
    with pytest.raises(ValueError, match="target"):
        train(rows, one_hot(label[:5], 2), seed=0)


def test_what_is_said_of_a_judged_item_has_not_seen_its_label() -> None:
    rows, label = documents(300, 22, shares=(0.4, 0.3, 0.3), noise=0.3)
    model = trained(rows, one_hot(label, 3))
    held, truth = documents(120, 23, shares=(0.4, 0.3, 0.3), noise=0.3)
    tie = np.arange(120, dtype=np.uint64)  # even and odd rows are the two halves
    final, said = judged(model, held, truth, tie)
    other = truth.copy()
    other[::2] = (other[::2] + 1) % 3
    changed, said_then = judged(model, held, other, tie)
    assert np.array_equal(said[::2], said_then[::2])
    assert not np.array_equal(said[1::2], said_then[1::2])
    assert changed.to_bytes() != final.to_bytes()


def test_an_item_without_a_label_is_told_by_the_final_calibration() -> None:
    rows, label = documents(200, 24, shares=(0.5, 0.5), noise=0.2)
    held, truth = documents(80, 25, shares=(0.5, 0.5), noise=0.2)
    truth[50:] = -1
    final, said = judged(trained(rows, one_hot(label, 2)), held, truth, np.arange(80, dtype=np.uint64))
    assert np.array_equal(said[50:], final.probabilities(held)[50:])


def test_cross_validation_does_not_look_at_the_answer() -> None:
    rng = np.random.default_rng(26)
    rows = sp.identity(300, dtype=np.float32, format="csr")  # each row is known by its own column alone
    found = cross_validated(rows, one_hot(rng.integers(2, size=300), 2), seed=0)
    assert found is not None
    assert np.mean(found[0] == found[1]) < 0.6
    assert cross_validated(rows[:3], np.eye(3), seed=0) is not None
    assert cross_validated(rows[:2], np.eye(2), seed=0) is None


def test_whoever_must_say_that_they_live_is_called_while_it_learns() -> None:
    rows, label = documents(60, 27, shares=(0.4, 0.3, 0.3))
    calls: list[int] = []
    train(rows, one_hot(label, 3), seed=0, tick=lambda: calls.append(1))
    assert len(calls) > 1


def test_each_class_is_told_from_the_rest_as_liblinear_does_with_balanced_weights() -> None:
    from sklearn.linear_model import LogisticRegression

    rows, label = documents(300, 28, shares=(0.6, 0.3, 0.1), noise=0.1)
    scores = trained(rows, one_hot(label, 3)).scores(rows)
    for code in range(3):
        known = LogisticRegression(
            solver="liblinear", dual=True, C=10, class_weight="balanced", tol=1e-6, max_iter=100_000
        ).fit(rows.astype(np.float64), label == code)
        assert np.allclose(scores[:, code], known.decision_function(rows), atol=0.02)
