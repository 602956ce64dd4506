"""Labels that are likely wrong: those that a model which never saw them doubts, and near-duplicates that differ.

Confident learning (Northcutt, Jiang and Chuang 2021), as cleanlab has it: out-of-fold probabilities, the normalised
margin of the given class for the order, and the confident joint for how many are wrong.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from core.numerics.classifier import train
from core.numerics.duplicates import Pairs
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints

UInts64 = npt.NDArray[np.uint64]

FOLDS = 5
FEWEST_OF_CLASS = 5  # a class with fewer labels is not judged: no fold could learn it
FEWEST_LABELS = 50
LARGEST_GROUP = 0.1  # of the labels; near-duplicates in a larger group may be in different folds
DRAWS = 1000
LEVEL = 0.95
FEWEST_TO_TELL = 200  # judged labels from which the share of wrong ones is told
LEAST_AGREED = 0.88  # of the judged labels the model must say again, and so much of every class
LEAST_AGREED_IN_CLASS = 0.5
MOST_CHOSEN = 0.1  # of the judged labels may be of items that a strategy chose
_SUM = 1e-3


@dataclass(frozen=True, eq=False)
class Judged:
    """What models say that did not see the label: probabilities (labels x classes), rows sum to 1.

    `known` is False where the label's class could not be learnt without it, or there are too few of the class; the row
    is then not to be used.
    """

    probability: Floats
    known: Bools


@dataclass(frozen=True, eq=False)
class Doubts:
    """Rows (places of labels) in order, the most doubtful first, with scores that fall with the doubt (0 to 1).

    `likely` is the class that the label should rather be. `other` is the near-duplicate that says so, or -1.
    """

    row: Ints
    score: Floats
    likely: Ints
    other: Ints

    def take(self, places: Ints | slice) -> "Doubts":
        """Some of them, in this order."""
        return Doubts(self.row[places], self.score[places], self.likely[places], self.other[places])


@dataclass(frozen=True, eq=False)
class Expected:
    """How many labels are wrong: the share of all judged labels, and the share in every given class."""

    share: Figure
    by_class: tuple[Figure, ...]


def out_of_fold(
    sparse: sp.csr_matrix, target: Floats, label: Ints, tie: UInts64, group: Ints, *, seed: int
) -> Judged | None:
    """Probabilities of every label by a model of the other four fifths; None where there is too little to learn from.

    `target` (labels x classes) is what is learnt, `label` the class that is judged, or -1: not to be judged, learnt
    from all the same. `group` numbers near-duplicates, which are kept in one fold: a model that has seen the same text
    with the same wrong label would not doubt it. Folds are dealt by class and by `tie`, so that the same labels always
    come to the same folds, whatever their order.
    """
    n, k = target.shape
    count = np.bincount(label[label >= 0], minlength=k)
    if n < FEWEST_LABELS or np.count_nonzero(count >= FEWEST_OF_CLASS) < 2:  # noqa: PLR2004 -- nothing to take it for
        return None
    order = np.argsort(tie, kind="stable")
    fold = _folds(target.argmax(axis=1), tie, group)
    probability = np.zeros((n, k))
    seen = np.zeros((n, k), dtype=np.bool_)
    for number in range(FOLDS):
        inside, outside = order[fold[order] == number], order[fold[order] != number]
        model = train(sparse[outside], target[outside], seed=seed)
        if model is None or inside.size == 0:
            continue
        probability[inside] = model.probabilities(sparse[inside])
        seen[np.ix_(inside, model.fitted)] = True
    given = np.maximum(label, 0)
    known = (label >= 0) & (count[given] >= FEWEST_OF_CLASS) & seen[np.arange(n), given]
    return Judged(probability / np.maximum(probability.sum(axis=1, keepdims=True), _SUM), known)


def _folds(label: Ints, tie: UInts64, group: Ints) -> Ints:
    """A fold for every label: the groups of each class, in the order of their ties, are dealt one after another."""
    size = np.bincount(group)
    alone = size[group] > max(LARGEST_GROUP * label.size, 1)
    key = np.where(alone, group.max(initial=0) + 1 + np.arange(label.size), group)
    order = np.lexsort((tie, key))
    first = np.concatenate([[True], key[order][1:] != key[order][:-1]]) if order.size else order.astype(bool)
    heads = order[first]
    dealt = np.lexsort((tie[heads], label[heads]))
    fold_of_head = np.empty(heads.size, dtype=np.intp)
    fold_of_head[dealt] = np.arange(heads.size) % FOLDS
    fold = np.empty(label.size, dtype=np.intp)
    fold[order] = fold_of_head[np.cumsum(first) - 1]
    return fold


def by_confidence(label: Ints, judged: Judged, tie: UInts64) -> Doubts:
    """All judged labels, by the normalised margin of their class: (p(given) - max p(other) + 1) / 2."""
    from cleanlab.rank import get_label_quality_scores

    rows = np.flatnonzero(judged.known)
    probability = judged.probability[rows]
    score = np.asarray(
        get_label_quality_scores(label[rows], probability, method="normalized_margin"), dtype=np.float64
    )
    rivals = probability.copy()
    rivals[np.arange(rows.size), label[rows]] = -1.0
    order = np.lexsort((tie[rows], score))
    rows = rows[order]
    return Doubts(rows, score[order], rivals.argmax(axis=1)[order], np.full(rows.size, -1, dtype=np.intp))


def by_duplicates(pairs: Pairs, label: Ints, judged: Judged | None, tie: UInts64) -> Doubts:
    """Labels that differ from those of most of their near-duplicates; where as many say both, what a model doubts.

    The score is the share of the group with the same label, averaged with the out-of-fold probability of the label
    where that is known. Labels of -1 do not count.
    """
    group = pairs.groups()
    with_label = label >= 0
    order = np.flatnonzero(with_label)
    order = order[np.lexsort((tie[order], group[order]))]
    low, high = label[order].copy(), label[order].copy()
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    mixed = (
        np.minimum.reduceat(low, starts) != np.maximum.reduceat(high, starts) if starts.size else starts > 0
    )
    ends = np.append(starts[1:], order.size)
    nearest = _neighbours(pairs)
    found: list[tuple[float, int, int, int]] = []
    for start, end in zip(starts[mixed].tolist(), ends[mixed].tolist(), strict=True):
        found += _outvoted(order[start:end], label, judged, nearest)
    ranked = sorted(found, key=lambda one: (one[0], int(tie[one[1]])))
    columns = list(zip(*ranked, strict=True)) or [(), (), (), ()]
    score, row, likely, other = columns
    return Doubts(
        np.array(row, dtype=np.intp),
        np.array(score, dtype=np.float64),
        np.array(likely, dtype=np.intp),
        np.array(other, dtype=np.intp),
    )


def _neighbours(pairs: Pairs) -> dict[int, list[tuple[float, int]]]:
    found: dict[int, list[tuple[float, int]]] = {}
    for a, b, cosine in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.cosine.tolist(), strict=True):
        found.setdefault(a, []).append((cosine, b))
        found.setdefault(b, []).append((cosine, a))
    return found


def _outvoted(
    rows: Ints, label: Ints, judged: Judged | None, nearest: dict[int, list[tuple[float, int]]]
) -> list[tuple[float, int, int, int]]:
    """Score, row, likely class and duplicate of those of a group (by tie) that do not have its label."""
    classes, place, count = np.unique(label[rows], return_inverse=True, return_counts=True)
    own = np.full(rows.size, np.nan)
    if judged is not None:
        known = judged.known[rows]
        own[known] = judged.probability[rows[known], label[rows[known]]]
    trust = np.array(
        [
            np.nanmean(own[place == one]) if np.isfinite(own[place == one]).any() else 0.0
            for one in range(classes.size)
        ]
    )
    eldest = np.array([int(np.argmax(place == one)) for one in range(classes.size)])
    best = int(np.lexsort((eldest, -trust, -count))[0])
    winners = rows[place == best]
    among = set(winners.tolist())
    found = []
    for row, here, trusted in zip(rows.tolist(), place.tolist(), own.tolist(), strict=True):
        if here == best:
            continue
        share = float(count[here]) / rows.size
        score = share if np.isnan(trusted) else (share + trusted) / 2
        direct = [(-cosine, one) for cosine, one in nearest.get(row, ()) if one in among]
        other = min(direct)[1] if direct else int(winners[0])
        found.append((score, row, int(classes[best]), other))
    return found


def expected_errors(label: Ints, judged: Judged, *, seed: int) -> Expected:
    """The share of wrong labels by the confident joint, its interval by drawing the counted labels again.

    The joint counts labels of a class whose probability of another class is at least what that class's own labels
    have on average (Northcutt et al. 2021, equation 1). In every class its row is scaled to the number of labels.
    """
    from cleanlab.count import compute_confident_joint

    k = judged.probability.shape[1]
    rows = np.flatnonzero(judged.known)
    n = np.bincount(label[rows], minlength=k)
    if rows.size < FEWEST_LABELS:
        few = Figure.missing(Reason.TOO_FEW_ITEMS, n_items=rows.size)
        return Expected(few, (few,) * k)
    present = np.flatnonzero(n)
    code = np.searchsorted(present, label[rows])
    probability = judged.probability[np.ix_(rows, present)]
    joint = np.asarray(compute_confident_joint(code, probability, calibrate=False), dtype=np.int64)
    share = _off_diagonal(joint)
    rng = np.random.default_rng(seed)
    drawn = np.stack(
        [
            _off_diagonal(rng.multinomial(row.sum(), row / row.sum(), size=DRAWS), place)
            for place, row in enumerate(joint)
        ]
    )
    weight = n[present] / rows.size
    total = _figure(float(share @ weight), weight @ drawn, int(rows.size))
    of_class = [Figure.missing(Reason.TOO_FEW_ITEMS)] * k
    for place, number in enumerate(present.tolist()):
        of_class[number] = _figure(float(share[place]), drawn[place], int(n[number]))
    return Expected(total, tuple(of_class))


def trusted(expected: Expected, label: Ints, judged: Judged, by_chance: Bools) -> Expected:
    """The expected errors where they can be believed, else null with the reason.

    The joint counts as people's mistakes what the model is surely wrong about. That is little only where the model is
    good: it must say again most of the judged labels, and half of every class (one that always says the commonest
    class is right on most labels, too). Items that a strategy chose (`by_chance` False) are those that are hard for
    the model. The bounds were measured (docs/label_errors.md).
    """
    rows = np.flatnonzero(judged.known)
    given = label[rows]
    again = judged.probability[rows].argmax(axis=1) == given
    n = np.bincount(given, minlength=len(expected.by_class))
    of_class = np.bincount(given[again], minlength=n.size)[n > 0] / n[n > 0]
    if rows.size < FEWEST_TO_TELL:
        reason = Reason.TOO_FEW_ITEMS
    elif np.count_nonzero(~by_chance[rows]) > MOST_CHOSEN * rows.size:
        reason = Reason.CHOSEN_ITEMS
    elif again.mean() < LEAST_AGREED or of_class.min() < LEAST_AGREED_IN_CLASS:
        reason = Reason.MODEL_TOO_WEAK
    else:
        return expected
    return Expected(
        Figure.missing(reason, n_items=rows.size),
        tuple(Figure.missing(reason, n_items=one) for one in n.tolist()),
    )


def _off_diagonal(counts: npt.NDArray[np.int64], place: int | None = None) -> Floats:
    """The share of every row that is not of its own class: of a square matrix, or of draws of one of its rows."""
    right = counts.diagonal() if place is None else counts[:, place]
    shares: Floats = 1 - right / np.maximum(counts.sum(axis=1), 1)
    return shares


def _figure(value: float, drawn: Floats, n: int) -> Figure:
    ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure.estimate(
        value,
        se=float(drawn.std()),
        ci=(float(ends[0]), float(ends[1])),
        method=Method.ITEM_BOOTSTRAP,
        n_items=n,
        n_pairs=n,
    )
