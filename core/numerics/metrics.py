"""How good predictions are on items whose label is known: accuracy, macro-F1, figures of every class, calibration."""

from dataclasses import dataclass

import numpy as np

from core.numerics.intervals import logit_interval, wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How one class is predicted; `n` items have it, `n_predicted` were said to have it."""

    code: int
    n: int
    n_predicted: int
    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, eq=False)
class Quality:
    """Figures over `n` items. `confusion[t, p]` counts items of class t that were said to be p.

    The macro-F1 is the mean over the classes that occur in the labels or in the predictions.
    """

    n: int
    accuracy: Figure
    macro_f1: Figure
    per_class: tuple[ClassQuality, ...]
    confusion: Ints


def quality(truth: Ints, predicted: Ints, n_classes: int) -> Quality:
    """All figures; `truth` and `predicted` are class codes, one per item, none missing."""
    n = truth.size
    confusion = np.bincount(truth * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, -1)
    right, of_class, said = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return Quality(
        n=n,
        accuracy=proportion(int(right.sum()), n),
        macro_f1=_macro_f1(truth, predicted, right, of_class + said),
        per_class=tuple(
            ClassQuality(
                code,
                int(of_class[code]),
                int(said[code]),
                proportion(int(right[code]), int(said[code])),
                proportion(int(right[code]), int(of_class[code])),
                _f1(int(right[code]), int(of_class[code] + said[code])),
            )
            for code in range(n_classes)
        ),
        confusion=confusion,
    )


def proportion(k: int, n: int) -> Figure:
    """The share k / n with Wilson's interval (Wilson 1927)."""
    if n == 0:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    share = k / n
    return Figure.estimate(
        share,
        se=np.sqrt(share * (1 - share) / n),
        ci=wilson_interval(share, n),
        method=Method.WILSON,
        n_items=n,
        n_pairs=n,
    )


def difference_of_proportions(k: int, n: int, k_other: int, n_other: int) -> Figure:
    """The difference k / n - k_other / n_other of two independent samples, with Newcombe's interval (1998, method 10).

    Its ends are the roots of the squared distances from either share to the ends of its Wilson interval. ``n_items``
    is n + n_other. Missing (too few items) where a sample is empty.
    """
    one, other = proportion(k, n), proportion(k_other, n_other)
    if one.value is None or other.value is None or one.ci is None or other.ci is None:
        return Figure.missing(Reason.TOO_FEW_ITEMS, n_items=n + n_other)
    value = one.value - other.value
    below = np.hypot(one.value - one.ci[0], other.ci[1] - other.value)
    above = np.hypot(one.ci[1] - one.value, other.value - other.ci[0])
    return Figure.estimate(
        value,
        se=np.hypot(one.se or 0.0, other.se or 0.0),
        ci=(value - below, value + above),
        method=Method.NEWCOMBE,
        n_items=n + n_other,
        n_pairs=n + n_other,
    )


def _f1(right: int, both: int) -> Figure:
    """F1 = 2 tp / (2 tp + fp + fn). It grows with the share J = tp / (tp + fp + fn): F1 = 2 J / (1 + J), so the ends
    of Wilson's interval of J become its own.
    """
    share = proportion(right, both - right)
    if share.value is None or share.se is None or share.ci is None:
        return share
    value = 2 * share.value / (1 + share.value)
    low, high = (2 * end / (1 + end) for end in share.ci)
    return Figure.estimate(
        value,
        se=2 * share.se / (1 + share.value) ** 2,
        ci=(low, high),
        method=Method.WILSON,
        n_items=both - right,
        n_pairs=both - right,
    )


def _macro_f1(truth: Ints, predicted: Ints, right: Ints, both: Ints) -> Figure:
    """Macro-F1 with the standard error of its linearisation over items, on the scale of log odds.

    One more item of class t that is said to be p moves F1 of class k by (2 [t = p = k] - F1 ([t = k] + [p = k])) /
    (labels + predictions of k). Where all items are alike there is no spread; Wilson's interval stands in.
    """
    n, present = truth.size, both > 0
    k = int(np.count_nonzero(present))
    if n <= 1:
        return Figure.missing(Reason.TOO_FEW_ITEMS, n_items=n)
    each = np.where(present, 2 * right / np.maximum(both, 1), 0.0)
    value = float(each.sum() / k)
    per = np.maximum(both, 1)
    influence = (
        2 * (truth == predicted) / per[truth] - each[truth] / per[truth] - each[predicted] / per[predicted]
    )
    se = float(np.sqrt(np.square(influence / k).sum() * n / (n - 1)))
    if se == 0:
        ci, method = wilson_interval(value, n), Method.WILSON
    else:
        ci, method = logit_interval(value, se, n - 1), Method.LINEARISED
    return Figure.estimate(value, se=se, ci=ci, method=method, n_items=n, n_pairs=n)


def accuracy_and_f1(times: Floats, truth: Ints, predicted: Ints, n_classes: int) -> tuple[Floats, Floats]:
    """Accuracy and macro-F1 of items drawn again, one number per row of `times` (draws x items: how often each)."""
    right = truth == predicted
    of_class, said = np.zeros((2, truth.size, n_classes))
    of_class[np.arange(truth.size), truth] = 1
    said[np.arange(truth.size), predicted] = 1
    tp, both = times @ (of_class * right[:, None]), times @ (of_class + said)
    f1 = (2 * tp / np.maximum(both, 1)).sum(axis=1) / np.maximum(np.count_nonzero(both, axis=1), 1)
    return times @ right / np.maximum(times.sum(axis=1), 1), f1


def calibration_error(confidence: Floats, right: Ints) -> float | None:
    """Expected calibration error (Naeini et al. 2015): mean |accuracy - confidence| over bins of equally many items.

    None for fewer than 20 items, where it is mostly noise.
    """
    n = confidence.size
    if n < 2 * CALIBRATION_BINS:
        return None
    order = np.argsort(confidence, kind="stable")
    gap = confidence[order] - right[order]
    starts = np.arange(CALIBRATION_BINS) * n // CALIBRATION_BINS
    return float(np.abs(np.add.reduceat(gap, starts)).sum() / n)
