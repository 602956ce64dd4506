"""Label spreading: against its closed form, by what is far and near, and against plain training."""

import numpy as np
import pytest
import scipy.sparse as sp

from core.numerics import spreading
from core.numerics.results import Method
from core.numerics.spreading import (
    ALPHA,
    FEWEST,
    Comparison,
    Word,
    _compared,
    compare,
    neighbour_graph,
    spread,
)

N = 500


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """500 digits: rows of norm 1, classes, ties."""
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = (data.data[:N] / np.linalg.norm(data.data[:N], axis=1, keepdims=True)).astype(np.float32)
    return rows, data.target[:N].astype(np.intp), np.random.default_rng(2).permutation(N).astype(np.uint64)


Digits = tuple[np.ndarray, np.ndarray, np.ndarray]


def test_the_graph_joins_each_row_with_its_nearest(digits: Digits) -> None:
    rows, _label, tie = digits
    graph = neighbour_graph(sp.csr_matrix(rows), rows, tie, k=5)
    assert (abs(graph - graph.T) > 0).nnz == 0
    assert graph.diagonal().sum() == 0
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, -1)
    for row in range(0, N, 50):
        nearest = set(np.argsort(-cosine[row])[:5].tolist())
        assert nearest <= set(graph[row].indices.tolist())
    assert graph.data.max() <= 1
    assert graph.data.min() > 0


def test_the_order_of_the_rows_changes_nothing(digits: Digits) -> None:
    rows, _label, tie = digits
    shuffled = np.random.default_rng(3).permutation(N)
    here, there = (
        neighbour_graph(sp.csr_matrix(rows), rows, tie),
        neighbour_graph(sp.csr_matrix(rows[shuffled]), rows[shuffled], tie[shuffled]),
    )
    assert (here[shuffled][:, shuffled] != there).nnz == 0


def test_landmarks_find_nearly_all_neighbours(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _label, tie = digits
    exact = neighbour_graph(sp.csr_matrix(rows), rows, tie)
    monkeypatch.setattr(spreading, "EXACT_ROWS", 100)
    monkeypatch.setattr(spreading, "ROWS_PER_LANDMARK", 100)
    near = neighbour_graph(sp.csr_matrix(rows), rows, tie)
    shared = exact.astype(bool).multiply(near.astype(bool)).nnz
    assert shared >= 0.9 * exact.nnz
    assert (abs(near - near.T) > 0).nnz == 0


def test_spreading_is_its_closed_form(digits: Digits) -> None:
    rows, label, tie = digits
    graph = neighbour_graph(sp.csr_matrix(rows), rows, tie)
    labelled = np.arange(0, N, 20)
    target = np.eye(10)[label[labelled]]
    found = spread(graph, labelled, target)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    smooth = graph.toarray() / np.sqrt(np.outer(degree, degree))
    start = np.zeros((N, 10))
    start[labelled] = target
    exact = (1 - ALPHA) * np.linalg.solve(np.eye(N) - ALPHA * smooth, start)
    assert found.share == pytest.approx(exact / exact.sum(axis=1, keepdims=True), abs=1e-3)
    right = found.share.argmax(axis=1) == label
    assert right.mean() > 0.85
    assert right[found.confidence >= 0.9].mean() > right.mean()


def test_what_no_label_reaches_has_no_share_and_the_confidence_of_chance() -> None:
    """Two islands, one without labels, and a row without features; confidence falls with the distance."""
    angle = np.array([0.0, 0.1, 0.2, 0.3])
    island = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rows = np.zeros((9, 4), dtype=np.float32)
    rows[:4, :2], rows[4:8, 2:] = island, island
    graph = neighbour_graph(sp.csr_matrix(rows), rows, np.arange(9, dtype=np.uint64), k=1)
    found = spread(graph, np.array([0]), np.array([[1.0, 0.0]]))
    assert (found.share[:2] == [1, 0]).all()
    assert (found.share[4:] == 0).all()
    assert (found.confidence[4:] == 0.5).all()
    assert found.confidence[0] > found.confidence[1] > 0.5


def test_spreading_is_better_than_training_on_few_labels_of_digits(digits: Digits) -> None:
    rows, label, tie = digits
    graph = neighbour_graph(sp.csr_matrix(rows), rows, tie)
    labelled, judge = np.arange(0, 80), np.arange(80, N)
    sparse = sp.csr_matrix(rows)
    target = np.eye(10)[label[labelled]]
    found = compare(graph, sparse, labelled, target, judge=judge, label=label[judge], seed=0)
    assert found.word in {Word.BETTER, Word.AS_GOOD}
    assert found.offered
    assert found.n == judge.size
    assert found.difference.value == pytest.approx((found.spread.value or 0) - (found.trained.value or 0))
    assert (found.confident.value or 0) > (found.spread.value or 0)


def test_on_a_graph_that_knows_nothing_it_is_worse_and_not_offered(digits: Digits) -> None:
    """Neighbours at random; judged by folds of the labelled rows."""
    rows, label, tie = digits
    random_rows = np.random.default_rng(4).normal(size=(N, 20))
    random_rows /= np.linalg.norm(random_rows, axis=1, keepdims=True)
    graph = neighbour_graph(sp.csr_matrix(random_rows), random_rows.astype(np.float32), tie)
    labelled = np.arange(200)
    sparse = sp.csr_matrix(np.vstack([rows[labelled], rows[labelled]]))
    target = np.eye(10)[label[labelled]]
    found = compare(graph, sparse, labelled, target, judge=labelled, label=label[labelled], seed=0)
    assert found.word is Word.WORSE
    assert not found.offered


def test_too_few_labels_say_nothing(digits: Digits) -> None:
    rows, label, tie = digits
    few = np.arange(FEWEST - 1)
    sparse = sp.csr_matrix(np.vstack([rows[few], rows[few]]))
    found = compare(
        neighbour_graph(sp.csr_matrix(rows), rows, tie),
        sparse,
        few,
        np.eye(10)[label[few]],
        judge=few,
        label=label[few],
        seed=0,
    )
    assert found.word is Word.TOO_FEW_LABELS
    assert not found.offered
    assert found.difference.value is None


def judged(n: int, *, only_ours: int = 0, only_theirs: int = 0) -> Comparison:
    """Of so many rows each gets right what the other does, but for these."""
    ours, theirs = np.ones(n, dtype=np.bool_), np.ones(n, dtype=np.bool_)
    theirs[:only_ours] = False
    ours[only_ours : only_ours + only_theirs] = False
    return _compared(ours, theirs, ours)


def test_few_rows_that_all_come_out_alike_prove_nothing() -> None:
    found = judged(30)
    assert (found.word, found.offered) == (Word.CANNOT_TELL, False)
    assert found.difference.method is Method.EXACT
    assert found.difference.ci == pytest.approx((-(1 - 0.025 ** (1 / 30)), 1 - 0.025 ** (1 / 30)))
    assert judged(60, only_ours=2).word is Word.CANNOT_TELL
    assert judged(200).word is Word.AS_GOOD


@pytest.mark.parametrize("n", [30, 60, 100, 200])
def test_what_is_five_points_worse_is_hardly_ever_offered(n: int) -> None:
    rng = np.random.default_rng(n)
    for only_ours in (0.0, 0.02):
        lots = rng.multinomial(n, [only_ours, only_ours + 0.05, 0.95 - 2 * only_ours], size=500)
        offered = sum(judged(n, only_ours=ours, only_theirs=theirs).offered for ours, theirs, _ in lots)
        assert offered <= 0.02 * 500


def test_it_is_offered_by_the_lower_end_of_the_interval_and_not_by_what_was_seen() -> None:
    """Twelve rows each way of 100: no difference was seen, but it may be ten points."""
    found = judged(100, only_ours=12, only_theirs=12)
    assert found.difference.value == 0
    assert found.difference.ci is not None
    assert found.difference.ci[0] < -spreading.MARGIN
    assert (found.word, found.offered) == (Word.CANNOT_TELL, False)
    assert judged(2000, only_ours=12, only_theirs=12).word is Word.AS_GOOD
    assert judged(100, only_ours=20, only_theirs=2).word is Word.BETTER
    assert judged(100, only_ours=2, only_theirs=20).word is Word.WORSE
