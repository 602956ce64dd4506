"""Findings about a batch, the tests behind them, and how they are judged together.

Everything that is counted is compared by one argument. If the batch and the rows before it come from one source, then
of the k rows (of both) that have some trait, those in the batch are a draw without replacement: their number is
hypergeometric, and the binomial tail with q = n / (n + n before) lies above it. That needs no distribution: "the
maximum so far was exceeded k times" has the probability q^k at most. Samples of numbers and lengths are compared by
Kolmogorov and Smirnov's two-sample test, categories and types by Pearson's chi-squared test of homogeneity. All tests
of a batch share one level by Holm's correction, and beside the level each finding needs an effect of some size, so that
a million rows do not raise an alarm on nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as with_default

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, chdtrc, kolmogorov

from core.numerics.intervals import wilson_interval
from core.numerics.profile import Document
from core.numerics.results import Figure, Method

NOTE, WARN, STOP = "note", "warn", "stop"
LEVEL = 0.01  # of all tests of a batch together
FEWEST = 20  # values in a sample that is compared
EXPECTED = 5
RATIO, DIFFERENCE = 1.5, 0.05

KIND_OF: dict[str, str] = {
    "missing-field": "missing",
    "missing-values": "missing",
    "missing-placeholders": "missing",
    "new-field": "schema-skew",
    "field-renamed": "schema-skew",
    "types-drifted": "schema-skew",
    "type-changed": "type",
    "unit-changed": "unit",
    "unit-missing": "unit",
    "unit-suspected": "unit",
    "below-minimum": "range",
    "above-maximum": "range",
    "unseen-category": "category",
    "too-short": "length",
    "too-long": "length",
    "replacement-characters": "encoding",
    "mojibake": "encoding",
    "control-characters": "encoding",
    "invisible-characters": "encoding",
    "mixed-scripts": "encoding",
    "mixed-newlines": "encoding",
    "outliers": "outlier",
    "near-duplicates": "duplicate",
    "near-duplicates-earlier": "duplicate",
    "near-duplicates-splits": "duplicate",
    "slice-balance-shifted": "balance",
    "class-balance-shifted": "balance",
    "class-balance-in-slice-shifted": "balance",
    "numbers-drifted": "distribution-skew",
    "categories-drifted": "distribution-skew",
    "lengths-drifted": "distribution-skew",
    "words-drifted": "distribution-skew",
    "schema-inferred": "schema",
    "fields-left-out": "schema",
    "rule-broken": "rule",
}
TROUBLES_AT_FIRST = frozenset({"replacement-characters", "mojibake", "control-characters"})


@dataclass(frozen=True)
class Finding:
    """One thing that was found. ``said`` has what its sentence needs; ``n`` of ``of`` rows have it.

    ``p`` is the probability of as much in rows of the same source, None where nothing was tested; ``large`` says
    whether the effect is worth an alarm, ``listed`` whether it is told as a note when there is none.
    """

    code: str
    field: str = ""
    severity: str = NOTE
    slice: str = ""
    n: int = 0
    of: int = 0
    rows: Sequence[Document] = ()
    said: Document = with_default(default_factory=dict)
    figure: Figure | None = None
    p: float | None = None
    large: bool = True
    gross: bool = False
    listed: bool = True

    @property
    def share(self) -> float:
        """The share of rows that have it."""
        return self.n / self.of if self.of else 0.0


def more_often(k: float, n: int, before: float, n_before: int) -> float:
    """The probability of at least k of the k + before marked rows among n of n + n_before rows, at most.

    The upper tail of the binomial distribution is the regularised incomplete beta function I_q(k, before + 1).
    """
    if k <= 0:
        return 1.0
    if n_before <= 0:
        return 1.0
    return float(betainc(k, before + 1, n / (n + n_before)))


def clearly(k: float, n: int, before: float, n_before: int) -> bool:
    """Whether the share is larger by half, or by five points."""
    share, old = k / max(n, 1), before / max(n_before, 1)
    return share >= RATIO * old or share - old >= DIFFERENCE


def kolmogorov_smirnov(sample: npt.ArrayLike, before: npt.ArrayLike) -> tuple[float, float]:
    """The largest distance of the two distribution functions, and its asymptotic p (conservative with ties)."""
    a, b = np.sort(np.asarray(sample)), np.sort(np.asarray(before))
    both = np.concatenate([a, b])
    distance = float(
        np.abs(
            np.searchsorted(a, both, side="right") / a.size - np.searchsorted(b, both, side="right") / b.size
        ).max()
    )
    root = math.sqrt(a.size * b.size / (a.size + b.size))
    return distance, float(kolmogorov((root + 0.12 + 0.11 / root) * distance))  # Stephens (1970)


def homogeneous(now: Mapping[str, int], before: Mapping[str, int]) -> tuple[float, float, str] | None:
    """Total variation of two distributions, Pearson's p, and the category that moved most; None of one category.

    Categories with fewer than five expected rows count as one.
    """
    names = sorted({*now, *before})
    a = np.array([now.get(name, 0) for name in names], dtype=np.float64)
    b = np.array([before.get(name, 0) for name in names], dtype=np.float64)
    if not a.sum() or not b.sum():
        return None
    least = min(a.sum(), b.sum()) / (a.sum() + b.sum())
    common = (a + b) * least >= EXPECTED
    rest = ~common
    pooled_a, pooled_b = np.append(a[common], a[rest].sum()), np.append(b[common], b[rest].sum())
    if (pooled_a[-1] + pooled_b[-1]) * least < EXPECTED:
        pooled_a, pooled_b = pooled_a[:-1], pooled_b[:-1]
    if pooled_a.size < 2 or not pooled_a.sum() or not pooled_b.sum():  # noqa: PLR2004 -- nothing to compare
        return None
    table = np.stack([pooled_a, pooled_b])
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    difference = a / a.sum() - b / b.sum()
    most = names[int(np.argmax(np.abs(np.where(common, difference, 0.0))))]
    shift = float(np.abs(pooled_a / pooled_a.sum() - pooled_b / pooled_b.sum()).sum() / 2)
    return shift, float(chdtrc(pooled_a.size - 1, statistic)), most


def judged(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with their severity: those that are tested by Holm's correction over all tests.

    The gravest come first; what was tested and is neither an alarm nor to be listed is left out.
    """
    tested = sorted((one for one in findings if one.p is not None), key=lambda one: one.p or 0.0)
    told: list[Finding] = []
    alarm = True
    for place, one in enumerate(tested):
        alarm = alarm and (one.p or 0.0) * (len(tested) - place) <= LEVEL
        if alarm and one.large and (one.n or not one.listed):
            told.append(replace(one, severity=STOP if one.gross else WARN))
        elif one.listed and one.n:
            told.append(replace(one, severity=NOTE))
    told += [one for one in findings if one.p is None]
    order = {STOP: 0, WARN: 1, NOTE: 2}
    return sorted(told, key=lambda one: (order[one.severity], -one.share, one.code, one.field, one.slice))


def share_figure(n: int, of: int) -> Figure | None:
    """A share with Wilson's interval; None of nothing."""
    if not of:
        return None
    low, high = wilson_interval(n / of, of)
    return Figure.estimate(
        n / of,
        se=math.sqrt(n / of * (1 - n / of) / of),
        ci=(float(low), float(high)),
        method=Method.WILSON,
        n_items=of,
        n_pairs=0,
    )
