"""Labels spread to near neighbours: label spreading over a sparse graph (Zhou et al. 2004).

"Learning with local and global consistency": F = (1 - a) (I - a S)^-1 Y, with S the symmetrically normalised weights of
a graph that joins every row with its nearest neighbours. Nothing here is rows x rows: the graph has neighbours x rows
edges, and cosines are computed in chunks.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from core.numerics.classifier import train
from core.numerics.intervals import LEVEL, t_interval
from core.numerics.metrics import proportion
from core.numerics.results import Figure, Method, Reason
from core.numerics.sequential import exact_interval
from core.numerics.table import Bools, Floats, Ints

Floats32 = npt.NDArray[np.float32]
UInts64 = npt.NDArray[np.uint64]

NEIGHBOURS = 10
CANDIDATES = 50  # by the dense rows, for each row
ALPHA = 0.8  # how much a row takes from its neighbours
FAR = 0.05  # so much of the mean mass is added as ignorance: a row that labels hardly reach is not confident
CONFIDENT = 0.9
MARGIN = 0.02  # so much accuracy less is still as good
FEWEST = 30  # labels to compare by
FEWEST_APART = 6  # rows that only one of two gets right, for Student's interval
FOLDS = 5
SETTLED = 1e-6
MOST_STEPS = 300
EXACT_ROWS = 50_000  # more rows are compared with those that are near the same landmarks only
ROWS_PER_LANDMARK = 1_000
LANDMARKS = 3  # of every row
_CHUNK = 8_000_000  # cosines at a time
_PAIRS = 50_000  # of rows multiplied at a time
_TINY = 1e-12


class Word(StrEnum):
    """What a comparison with plain training comes to; spreading is offered by the first two only."""

    BETTER = "better"
    AS_GOOD = "as_good"
    WORSE = "worse"
    CANNOT_TELL = "cannot_tell"
    TOO_FEW_LABELS = "too_few_labels"


@dataclass(frozen=True, eq=False)
class Spread:
    """Shares of the classes for every row, which sum to 1, or are all 0 where no label reaches.

    What is missing to 1 before they are normalised is ignorance: it grows with the distance to labels, and
    `confidence` is the share of the best class when each class has its part of it.
    """

    share: Floats
    confidence: Floats


@dataclass(frozen=True, eq=False)
class Comparison:
    """Spreading beside plain training on labels that neither had seen.

    `difference` is the accuracy of spreading less that of training, on the same items. `confident` is the accuracy of
    the labels that spreading is confident of (its `n_items` tells how many), of `n` in all.
    """

    word: Word
    n: int
    spread: Figure
    trained: Figure
    difference: Figure
    confident: Figure

    @property
    def offered(self) -> bool:
        """Whether spreading is not worse."""
        return self.word in {Word.BETTER, Word.AS_GOOD}


def neighbour_graph(
    sparse: sp.csr_matrix, dense: Floats32, tie: UInts64, *, k: int = NEIGHBOURS
) -> sp.csr_matrix:
    """Symmetric weights (rows x rows, float64) of every row's `k` nearest; a row is not its own neighbour.

    Of the 50 nearest by the cosine of the `dense` rows the nearest by that of the `sparse` ones are taken: both say
    more together than each alone (docs/label_errors.md). Rows have norm 1, or 0 for those without features, which are
    joined with none. The weight falls from 1 at the same place to exp(-1) at the median distance of a row's furthest
    neighbour.
    """
    n = len(dense)
    order = np.argsort(tie, kind="stable")
    dense, sparse = np.ascontiguousarray(dense[order], dtype=np.float32), sparse[order]
    near, found = _nearest(dense, min(CANDIDATES, max(n - 1, 0)))
    cosine = np.where(found > 0, _cosines(sparse, near), -1.0)
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    near, cosine = np.take_along_axis(near, best, axis=1), np.take_along_axis(cosine, best, axis=1)
    row, column = np.repeat(np.arange(n), near.shape[1]), near.ravel()
    kept = cosine.ravel() >= 0
    row, column, away = row[kept], column[kept], np.maximum(1 - cosine.ravel()[kept], 0.0)
    furthest = np.zeros(n)
    np.maximum.at(furthest, row, away)
    scale = float(np.median(furthest[furthest > 0])) if (furthest > 0).any() else 1.0
    weight = np.exp(-away / scale)
    graph = sp.csr_matrix((weight, (order[row], order[column])), shape=(n, n))
    return graph.maximum(graph.T).tocsr()


def _cosines(sparse: sp.csr_matrix, near: Ints) -> Floats:
    """The cosine of every row with each of its candidates, 0 at least."""
    cosine = np.zeros(near.shape)
    step = max(1, _PAIRS // max(near.shape[1], 1))
    for start in range(0, len(near), step):
        others = near[start : start + step]
        rows = np.repeat(np.arange(start, start + len(others)), near.shape[1])
        value = sparse[rows].multiply(sparse[others.ravel()]).sum(axis=1)
        cosine[start : start + step] = np.asarray(value, dtype=np.float64).reshape(others.shape)
    return np.maximum(cosine, 0.0)


def _nearest(dense: Floats32, k: int) -> tuple[Ints, Floats32]:
    """For every row the places of `k` others with the largest cosine, and the cosines; 0 where there are not so many."""
    n = len(dense)
    near, cosine = np.zeros((n, k), dtype=np.intp), np.zeros((n, k), dtype=np.float32)
    if k == 0:
        return near, cosine
    if n <= EXACT_ROWS:
        everybody = np.arange(n)
        step = max(1, _CHUNK // n)
        for start in range(0, n, step):
            _update(dense, np.arange(start, min(start + step, n)), everybody, near, cosine)
        return near, cosine
    landmarks = np.arange(
        0, n, ROWS_PER_LANDMARK
    )  # rows stand in the order of a hash: these are drawn at random
    homes = _homes(dense, landmarks)
    for number in range(landmarks.size):
        members = np.flatnonzero((homes == number).any(axis=1))
        step = max(1, _CHUNK // max(members.size, 1))
        for start in range(0, members.size, step):
            _update(dense, members[start : start + step], members, near, cosine)
    return near, cosine


def _homes(dense: Floats32, landmarks: Ints) -> Ints:
    """The nearest landmarks of every row."""
    homes = np.empty((len(dense), LANDMARKS), dtype=np.intp)
    step = max(1, _CHUNK // landmarks.size)
    for start in range(0, len(dense), step):
        value = dense[start : start + step] @ dense[landmarks].T
        homes[start : start + step] = np.argpartition(-value, LANDMARKS, axis=1)[:, :LANDMARKS]
    return homes


def _update(dense: Floats32, rows: Ints, others: Ints, near: Ints, cosine: Floats32) -> None:
    """Put those of the others into the lists of the rows that are nearer than what stands there."""
    k = near.shape[1]
    value = dense[rows] @ dense[others].T
    value[others[None, :] == rows[:, None]] = -1.0
    most = min(k, others.size - 1)
    if most <= 0:
        return
    best = np.argpartition(-value, most - 1, axis=1)[:, :most]
    found = np.take_along_axis(value, best, axis=1)
    both, places = np.hstack([cosine[rows], found]), np.hstack([near[rows], others[best]])
    # What was found twice stands side by side after sorting by place; the second one is struck out.
    by_place = np.argsort(places, axis=1, kind="stable")
    both, places = np.take_along_axis(both, by_place, axis=1), np.take_along_axis(places, by_place, axis=1)
    both[:, 1:][(places[:, 1:] == places[:, :-1]) & (both[:, :-1] > 0)] = 0.0
    chosen = np.argsort(-both, axis=1, kind="stable")[:, :k]
    cosine[rows] = np.take_along_axis(both, chosen, axis=1)
    near[rows] = np.take_along_axis(places, chosen, axis=1)


def spread(graph: sp.csr_matrix, labelled: Ints, target: Floats, *, alpha: float = ALPHA) -> Spread:
    """Labels of all rows from those of the `labelled` rows, whose `target` (rows x classes) sums to 1 each."""
    n, k = graph.shape[0], target.shape[1]
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = np.zeros(n)
    root[degree > 0] = 1 / np.sqrt(degree[degree > 0])
    smooth = (sp.diags(root) @ graph @ sp.diags(root)).tocsr()
    start = np.zeros((n, k))
    start[labelled] = (1 - alpha) * target
    now = start
    for _step in range(MOST_STEPS):
        following = alpha * (smooth @ now) + start
        change = float(np.abs(following - now).max(initial=0.0))
        now = following
        if change < SETTLED:
            break
    mass = now.sum(axis=1)
    ignorance = FAR * float(mass.mean()) if n else 0.0
    best = now.max(axis=1, initial=0.0)
    reached = mass > _TINY
    confidence = np.where(reached, (best + ignorance / k) / np.maximum(mass + ignorance, _TINY), 1 / k)
    return Spread(now / np.maximum(mass, _TINY)[:, None], confidence)


def compare(
    graph: sp.csr_matrix,
    sparse: sp.csr_matrix,
    labelled: Ints,
    target: Floats,
    *,
    judge: Ints,
    label: Ints,
    seed: int,
) -> Comparison:
    """Spreading against training on the same labels, judged on the rows `judge` whose class is `label`.

    `sparse` has the features of the labelled rows and then of the rows of `judge`. Where those are among the
    labelled ones, they are left out a fifth at a time, in their order; else all labels are used at once.
    """
    if judge.size < FEWEST:
        few = Figure.missing(Reason.TOO_FEW_ITEMS, n_items=judge.size)
        return Comparison(Word.TOO_FEW_LABELS, int(judge.size), few, few, few, few)
    by_spread, by_training = np.full(judge.size, -1), np.full(judge.size, -1)
    sure = np.zeros(judge.size, dtype=np.bool_)
    inside = np.isin(judge, labelled)
    fold = np.arange(judge.size) % FOLDS if inside.any() else np.zeros(judge.size, dtype=np.intp)
    for number in np.unique(fold):
        mine = np.flatnonzero(fold == number)
        left = np.flatnonzero(~np.isin(labelled, judge[mine]))
        found = spread(graph, labelled[left], target[left])
        rows = judge[mine]
        by_spread[mine] = _told(found.share[rows])
        sure[mine] = found.confidence[rows] >= CONFIDENT
        model = train(sparse[left], target[left], seed=seed)
        if model is not None:
            by_training[mine] = _told(model.probabilities(sparse[labelled.size + mine]).astype(np.float64))
    return _compared(by_spread == label, by_training == label, sure)


def _told(share: Floats) -> Ints:
    """The class with the largest share, -1 where no label reaches."""
    return np.where(share.max(axis=1) > 0, share.argmax(axis=1), -1)


def _compared(ours: Bools, theirs: Bools, sure: Bools) -> Comparison:
    n = ours.size
    difference, low, high = _difference(ours, theirs)
    if low > 0:
        word = Word.BETTER
    elif low >= -MARGIN:
        word = Word.AS_GOOD
    else:
        word = Word.WORSE if high < 0 else Word.CANNOT_TELL
    return Comparison(
        word,
        n,
        proportion(int(ours.sum()), n),
        proportion(int(theirs.sum()), n),
        difference,
        proportion(int((ours & sure).sum()), int(sure.sum())),
    )


def _difference(ours: Bools, theirs: Bools) -> tuple[Figure, float, float]:
    """The share right of ours less that of theirs on the same rows, and the two ends of its interval.

    The interval is Student's. Where the two differ on hardly any row their spread says too little; then the ends are
    those that the shares of rows which only one gets right may have (Clopper and Pearson 1934): the difference is at
    most the one and at least the other below 0.
    """
    n = ours.size
    each = ours.astype(np.float64) - theirs
    value, se = float(each.mean()), float(each.std(ddof=1) / np.sqrt(n))
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    if only_ours + only_theirs < FEWEST_APART:
        method, error = Method.EXACT, (1 - LEVEL) / 2
        low, high = -exact_interval(only_theirs, n, error)[1], exact_interval(only_ours, n, error)[1]
    else:
        method = Method.PAIRED_ITEMS
        low, high = (float(end) for end in t_interval(value, se, n - 1, lower=-1.0))
    figure = Figure.estimate(value, se=se, ci=(low, high), method=method, n_items=n, n_pairs=n)
    return figure, low, high
