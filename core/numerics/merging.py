"""What a merger of classes does to a table's figures, and which classes people cannot tell apart.

Everything is computed from counted answer patterns, so that a what-if costs nothing beyond the pass that counts them,
whatever the number of items. A merger is a `code`: one new class code for every old one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from core.numerics.alpha import Level, Scale, krippendorff_alpha, nominal_scale
from core.numerics.bootstrap import evaluators
from core.numerics.coefficients import Observed, percent_agreement
from core.numerics.intervals import skewed_interval
from core.numerics.metrics import accuracy_and_f1, quality
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, Ints, Patterns, pairs_within, totals

COMPARED = ("percent_agreement", "krippendorff_alpha")
ALIKE = 0.1  # people who agree by less than this beyond chance on which of two classes cannot tell them apart
SEED = 20_240_901  # fixed, so that the same answers give the same figures
_DRAWS, _FEW_DRAWS, _MANY_PATTERNS = 1000, 200, 20_000
_CELLS = 1 << 21
_DEFINED = 0.9  # below this share of draws with a value there is no interval
_NO_SPREAD = 1e-12
_MIN_ITEMS = 2
_PAIR = 2
_SHARES, _MIXES = 32, 16
_MOST_THINGS = 60


@dataclass(frozen=True, eq=False)
class Reading:
    """Answers in patterns, with what makes two of them agree: `weight` is 1 where two answers of a class do, else 0,
    and `scale` says how far classes lie apart for alpha.
    """

    patterns: Patterns
    weight: Floats
    scale: Scale

    @classmethod
    def of(cls, patterns: Patterns, *, ordinal: bool, unsure: Bools, apart: bool) -> "Reading":
        """`ordinal` classes are ordered by their codes; `unsure` ones agree with nothing where `apart` is set."""
        weight = np.where(unsure & apart, 0.0, 1.0)
        level = Level.ORDINAL if ordinal else Level.NOMINAL
        scale = Scale(level, np.arange(patterns.n_classes, dtype=np.float64), unsure, weight)
        return cls(patterns, weight, scale)

    def merged(self, code: Ints, n_classes: int) -> "Reading":
        """The same answers read through `code`; merged classes are unsure, and agree, as their members do."""
        weight, unsure = np.ones(n_classes), np.zeros(n_classes, dtype=np.bool_)
        weight[code], unsure[code] = self.weight, self.scale.unranked
        scale = Scale(self.scale.level, np.arange(n_classes, dtype=np.float64), unsure, weight)
        return Reading(self.patterns.recoded(code, n_classes), weight, scale)

    def coefficients(self) -> dict[str, Figure]:
        """COMPARED, as the agreement report has them."""
        seen = Observed(self.patterns, self.weight)
        return {
            "percent_agreement": percent_agreement(seen),
            "krippendorff_alpha": krippendorff_alpha(self.patterns, self.scale, seen.n_items),
        }


def differences(before: Reading, after: Reading, *, seed: int = SEED) -> dict[str, Figure]:
    """After minus before of COMPARED, the same items drawn again for both.

    The rows of both readings' patterns are the same items in the same order, as `merged` leaves them.
    """
    p = before.patterns
    of_before, of_after = (
        evaluators(side.patterns, list(COMPARED), scale=side.scale, weight=side.weight, n_permitted=0)
        for side in (before, after)
    )
    found: dict[str, list[Floats]] = {name: [] for name in COMPARED}
    for draws in _draws(p, p.n_classes, seed):
        for name in COMPARED:
            found[name].append(of_after[name](draws) - of_before[name](draws))
    figures = {}
    old, new = before.coefficients(), after.coefficients()
    for name in COMPARED:
        values = (old[name].value, new[name].value)
        n_items, n_pairs = old[name].n_items, old[name].n_pairs
        if values[0] is None or values[1] is None:
            reason = old[name].reason or new[name].reason or Reason.NO_OVERLAP
            figures[name] = Figure.missing(reason, n_items=n_items, n_pairs=n_pairs)
        else:
            figures[name] = _drawn(values[1] - values[0], np.concatenate(found[name]), n_items, n_pairs)
    return figures


@dataclass(frozen=True, slots=True)
class Information:
    """What the labels tell, in bits, before and after a merger.

    `entropy` is H = -Σ p log2 p of the shares p of the classes among all answers. `shared` is what one person's answer
    tells of another's to the same item, their mutual information I = 2 H - H(pairs), over the items with two answers
    or more, every answer weighing the same. `lost` and `shared_lost` are before less after; the shares are those of
    what there was before (None where there was nothing).
    """

    entropy_before: float
    entropy_after: float
    lost: Figure
    lost_share: float | None
    shared_before: float
    shared_after: float
    shared_lost: Figure
    shared_lost_share: float | None


def information(patterns: Patterns, code: Ints, n_classes: int, *, seed: int = SEED) -> Information:
    """What a merger loses, with intervals from items drawn again. See Information."""
    single = csr_array(
        (patterns.count.astype(np.float64), (patterns.row, patterns.label)),
        (patterns.size.size, patterns.n_classes),
    )
    pairs, low, high = _pair_counts(patterns)
    merge = csr_array((np.ones(code.size), (np.arange(code.size), code)), (code.size, n_classes))
    first, second = code[low], code[high]
    keys, place = np.unique(
        np.minimum(first, second) * n_classes + np.maximum(first, second), return_inverse=True
    )
    join = csr_array((np.ones(place.size), (np.arange(place.size), place)), (place.size, keys.size))
    same, same_after = low == high, keys // n_classes == keys % n_classes

    def bits(draws: Floats) -> Floats:
        """Rows: entropy before and after, shared before and after; one column per draw."""
        counts, joint = draws @ single, draws @ pairs
        merged, merged_joint = joint @ join, counts @ merge
        return np.stack(
            [
                _entropy(counts),
                _entropy(merged_joint),
                _mutual(joint, same, low, high, patterns.n_classes),
                _mutual(merged, same_after, keys // n_classes, keys % n_classes, n_classes),
            ]
        )

    here = bits(patterns.multiplicity.astype(np.float64)[None, :])[:, 0].tolist()
    width = max(patterns.n_classes, low.size)
    drawn = np.concatenate([bits(draws) for draws in _draws(patterns, width, seed)], axis=1)
    seen = Observed(patterns, np.ones(patterns.n_classes))
    lost = _drawn(here[0] - here[1], drawn[0] - drawn[1], patterns.n_items, seen.n_pairs)
    shared_lost = (
        _drawn(here[2] - here[3], drawn[2] - drawn[3], seen.n_used, seen.n_pairs)
        if seen.n_pairs
        else seen.missing(Reason.NO_OVERLAP)
    )
    return Information(
        entropy_before=here[0],
        entropy_after=here[1],
        lost=lost,
        lost_share=(here[0] - here[1]) / here[0] if here[0] > 0 else None,
        shared_before=here[2],
        shared_after=here[3],
        shared_lost=shared_lost,
        shared_lost_share=(here[2] - here[3]) / here[2] if here[2] > 0 else None,
    )


def entropy_lost(counts: Floats, code: Ints, n_classes: int) -> float:
    """The bits of the entropy of `counts` that a merger takes."""
    return float(_entropy(counts[None, :])[0] - _entropy(totals(code, counts, n_classes)[None, :])[0])


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """Macro-F1 of a model's predictions before and after a merger of its classes, and the paired difference."""

    before: Figure
    after: Figure
    difference: Figure


def model_quality(truth: Ints, predicted: Ints, code: Ints, *, seed: int = SEED) -> ModelQuality:
    """Of labels and predictions as codes, one per item: both are read through `code`. The model is not trained anew."""
    k = int(code.size)
    before = quality(truth, predicted, k).macro_f1
    after = quality(code[truth], code[predicted], k).macro_f1
    if before.value is None or after.value is None:
        missing = Figure.missing(before.reason or after.reason or Reason.TOO_FEW_ITEMS)
        return ModelQuality(before, after, missing)
    cells, cell = np.unique(truth * k + predicted, return_inverse=True)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(truth.size, np.bincount(cell) / truth.size, size=_DRAWS).astype(np.float64)
    of_truth, said = cells // k, cells % k
    old = accuracy_and_f1(times, of_truth, said, k)[1]
    new = accuracy_and_f1(times, code[of_truth], code[said], k)[1]
    return ModelQuality(before, after, _drawn(after.value - before.value, new - old, truth.size, truth.size))


# --- Which classes cannot be told apart -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two classes (codes a < b), and how well people tell them apart.

    `n` pairs of answers on one item say a and b; `told_apart` is Krippendorff's alpha over the answers that say a or
    b: 1 where such answers always agree within an item, 0 where they agree no more than the two classes' shares give
    by chance. `alike` is the probability that it is below ALIKE, by a posterior (see told_apart).
    """

    a: int
    b: int
    n: int
    told_apart: Figure
    alike: float


def likenesses(patterns: Patterns, members: Bools | None = None) -> list[Likeness]:
    """The pairs of classes that were ever said of one item, those that cannot be told apart first.

    Where labels are sets, `members` (sets x things) says what they hold; a pair is then told by the answers that hold
    exactly one of the two (of the 60 things that were ticked most). Ties go to the lower alpha, then to the more
    pairs, then to the lower codes.
    """
    found = [
        Likeness(a, b, n, *told_apart(x, y, patterns.multiplicity))
        for a, b, x, y in (_single_pairs(patterns) if members is None else _thing_pairs(patterns, members))
        if (n := int(patterns.multiplicity @ (x * y)))
    ]
    return sorted(found, key=_most_alike)


def _most_alike(one: Likeness) -> tuple[float, float, int, int, int]:
    value = one.told_apart.value
    return -one.alike, 1.0 if value is None else value, -one.n, one.a, one.b


def told_apart(x: Ints, y: Ints, multiplicity: Ints) -> tuple[Figure, float]:
    """Alpha over the answers for either of two classes, and the probability that it is below ALIKE.

    `multiplicity[r]` items have `x[r]` answers for the one and `y[r]` for the other. The model: an item is of one of
    two kinds (the first with a probability m), and an answer to it is for the one class with the probability p of its
    kind, independently; alpha is then m (1 - m) (p1 - p2)² / (q (1 - q)) with q the mean of p. The prior is even over
    m, p1 and p2; the posterior is summed over a grid. Items with fewer than two such answers tell nothing.
    """
    keys = (x + y >= _PAIR).nonzero()[0]
    base = int(max(x.max(initial=0), y.max(initial=0))) + 1
    cells, place = np.unique(x[keys] * base + y[keys], return_inverse=True)
    times = totals(place, multiplicity[keys], cells.size)
    counts = np.stack([cells // base, cells % base])
    label, row = np.nonzero(counts)
    order = np.lexsort((label, row))
    label, row = label[order], row[order]
    items = Patterns(times.astype(np.intp), counts.sum(axis=0), row, label, counts[label, row], 2)
    figure = krippendorff_alpha(items, nominal_scale(2), items.n_items)
    return figure, _probability_alike(counts[0], counts[1], times)


@lru_cache(maxsize=1)
def _grid() -> tuple[Floats, Floats, Ints, Ints, Bools]:
    """Shares p, mixes m, the kinds of p1 > p2 as places in p, and where alpha is below ALIKE (m x kinds)."""
    p = (np.arange(_SHARES) + 0.5) / _SHARES
    m = (np.arange(_MIXES) + 0.5) / _MIXES
    first, second = np.tril_indices(_SHARES, -1)
    mix = m[:, None]
    q = mix * p[first] + (1 - mix) * p[second]
    alpha = mix * (1 - mix) * (p[first] - p[second]) ** 2 / (q * (1 - q))
    return p, m, first, second, alpha < ALIKE


def _probability_alike(x: Ints, y: Ints, times: Floats) -> float:
    p, m, first, second, alike = _grid()
    one = x * np.log(p)[:, None] + y * np.log(1 - p)[:, None]  # p x cells
    one = np.exp(one - one.max(axis=0))
    likelihood = np.zeros(alike.shape)
    mix = m[:, None]
    with np.errstate(divide="ignore"):  # so unlikely that it rounds to 0
        for cell, n in enumerate(times.tolist()):
            likelihood += n * np.log(mix * one[first, cell] + (1 - mix) * one[second, cell])
    weight = np.exp(likelihood - likelihood.max())
    return float(weight[alike].sum() / weight.sum())


def _single_pairs(p: Patterns) -> Iterator[tuple[int, int, Ints, Ints]]:
    """Codes a < b that occur in one pattern, and how many answers for either every pattern has."""
    k = p.n_classes
    entries = np.arange(p.row.size)
    seen = [np.unique(p.label[low] * k + p.label[high]) for low, high in pairs_within(entries, _per_row(p))]
    for key in np.unique(np.concatenate(seen)).tolist() if seen else ():
        a, b = divmod(int(key), k)
        yield a, b, _counts(p, p.label == a), _counts(p, p.label == b)


def _thing_pairs(p: Patterns, members: Bools) -> Iterator[tuple[int, int, Ints, Ints]]:
    ticked = p.per_class((p.multiplicity[p.row] * p.count).astype(np.float64)) @ members.astype(np.float64)
    things = np.sort(np.argsort(-ticked, kind="stable")[:_MOST_THINGS]).tolist()
    for place, a in enumerate(things):
        for b in things[place + 1 :]:
            only_a, only_b = members[:, a] & ~members[:, b], members[:, b] & ~members[:, a]
            yield a, b, _counts(p, only_a[p.label]), _counts(p, only_b[p.label])


def _counts(p: Patterns, entries: Bools) -> Ints:
    return totals(p.row[entries], p.count[entries], p.size.size).astype(np.intp)


def _per_row(p: Patterns) -> Ints:
    """Entries of every pattern."""
    return np.bincount(p.row, minlength=p.size.size)


# --- Parts ----------------------------------------------------------------------------------------------


def _draws(p: Patterns, width: int, seed: int) -> Iterator[Floats]:
    """How often each pattern comes up when the items are drawn again, in chunks of replicates."""
    rng = np.random.default_rng(seed)
    share = p.multiplicity / max(p.n_items, 1)
    n = _DRAWS if share.size <= _MANY_PATTERNS else _FEW_DRAWS
    step = max(1, _CELLS // max(share.size, width, 1))
    for begin in range(0, n, step) if p.n_items else ():
        yield rng.multinomial(p.n_items, share, size=min(step, n - begin)).astype(np.float64)


def _drawn(value: float, values: Floats, n_items: int, n_pairs: int) -> Figure:
    """A figure with Student's interval from the spread of the draws, moved towards their longer tail.

    Percentiles are too short for so few items as disagree about two classes. Without an interval where more than a
    tenth of the draws have no value.
    """
    known = values[np.isfinite(values)]
    if known.size < max(2, _DEFINED * values.size) or n_items < _MIN_ITEMS:
        return Figure.estimate(value, n_items=n_items, n_pairs=n_pairs)
    se = float(known.std(ddof=1))
    skew = float(((known - known.mean()) ** 3).mean()) / se**3 if se > _NO_SPREAD else 0.0
    return Figure.estimate(
        value,
        se=se,
        ci=skewed_interval(value, se, skew, n_items - 1, upper=np.inf),
        method=Method.ITEM_BOOTSTRAP,
        n_items=n_items,
        n_pairs=n_pairs,
    )


def _pair_counts(p: Patterns) -> tuple[csr_array, Ints, Ints]:
    """Ordered pairs of answers per pattern and per pair of classes (low <= high), each divided by the answers less one."""
    entries = np.arange(p.row.size)
    apart = list(pairs_within(entries, _per_row(p)))
    low = np.concatenate([entries, *(left for left, _ in apart)])
    high = np.concatenate([entries, *(right for _, right in apart)])
    alone = low == high
    count = p.count.astype(np.float64)
    times = np.where(alone, count[low] * (count[low] - 1), 2 * count[low] * count[high])
    times /= np.maximum(p.size[p.row[low]] - 1, 1)
    keys, place = np.unique(p.label[low] * p.n_classes + p.label[high], return_inverse=True)
    matrix = csr_array((times, (p.row[low], place)), (p.size.size, keys.size))
    return matrix, keys // max(p.n_classes, 1), keys % max(p.n_classes, 1)


def _entropy(counts: Floats) -> Floats:
    """Bits of every row of counts."""
    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.where(total > 0, total, 1.0)
    logs: Floats = np.log2(np.where(share > 0, share, 1.0))
    found: Floats = -(share * logs).sum(axis=1)
    return found


def _mutual(joint: Floats, same: Bools, low: Ints, high: Ints, n_classes: int) -> Floats:
    """Mutual information of every row of counted pairs; pairs of different classes stand for both orders."""
    half = np.where(same, joint, joint / 2)
    one = csr_array((np.ones(low.size), (np.arange(low.size), low)), (low.size, n_classes))
    other = csr_array((np.ones(high.size), (np.arange(high.size), high)), (high.size, n_classes))
    marginal = half @ one + np.where(same, 0.0, half) @ other
    both = np.concatenate([half, np.where(same, 0.0, half)], axis=1)
    return 2 * _entropy(marginal) - _entropy(both)
