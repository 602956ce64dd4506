"""How many items, and how many labels on each, for a wanted precision: from a project's own answers.

People are modelled as drawing their answer to an item from the item's own class shares q, and these from a Dirichlet
distribution with parameters a = s * (class shares of the project). Two answers to an item then correlate by
1 / (1 + s) (Mosimann 1962), which is Fleiss' kappa (Fleiss and Cohen 1973): s is (1 - kappa) / kappa, nothing is
searched for. Every column of the plan follows from the model in closed form or by one-dimensional integration, without
simulation; precision is then scaled so that at the present numbers it is the one that was measured.
"""

from dataclasses import dataclass
from math import ceil, isfinite, sqrt

import numpy as np
from scipy.special import gammainc, gammaincinv, gammaln, ndtri

from core.numerics.alpha import krippendorff_alpha, nominal_scale
from core.numerics.intervals import LEVEL
from core.numerics.results import PRECISION, Figure
from core.numerics.table import Floats, Patterns

MOST_LABELS = 9
WANTED_CONSENSUS = 0.9
_MOST_CLASSES = 12  # the rest are taken as one class: they seldom win an item
_NODES = 48
_LEAST_KAPPA, _MOST_KAPPA = 1e-4, 1 - 1e-6
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Precision:
    """Half width of an interval at the present number of items, and the items for the wanted half width."""

    half_width: float
    items: int
    answers: int


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What `labels` on every item give. `answers` is what they cost for the present items, from the start.

    `percent` and `alpha` are None for a single label, which shows no agreement. `consensus` is the probability that
    the class with most labels (a tie broken at random) is the one most people would choose; `support` is the
    probability that one more person chooses it.
    """

    labels: int
    answers: int
    percent: Precision | None
    alpha: Precision | None
    consensus: float
    support: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A table of labels per item, one row each, from 1 up.

    `percent` and `alpha` (nominal) are the measured figures it rests on; `wanted_half_width` and `wanted_consensus` are
    what it aims at; `labels` is the smallest number of labels whose consensus is as wanted, None if no row's is.
    Without a value of alpha there are no rows, and `alpha.reason` says why.
    """

    n_items: int
    n_answers: int
    percent: Figure
    alpha: Figure
    wanted_half_width: float
    wanted_consensus: float
    labels: int | None
    rows: tuple[PlanRow, ...]


def plan(
    patterns: Patterns,
    percent: Figure,
    *,
    wanted_half_width: float = PRECISION,
    wanted_consensus: float = WANTED_CONSENSUS,
    most_labels: int = MOST_LABELS,
) -> Plan:
    """The plan of a question with classes, `percent` being its percent agreement from the same patterns.

    Items for a half width h are (z / h)² times the variance of one item's influence; all of them get the same number
    of labels. Raises ValueError for a half width or a probability that is not between 0 and 1.
    """
    if not (0 < wanted_half_width < 1 and 0 < wanted_consensus < 1):
        raise ValueError("what is wanted must lie between 0 and 1")
    alpha = krippendorff_alpha(patterns, nominal_scale(patterns.n_classes), patterns.n_items)
    n_items, n_answers = patterns.n_items, int(patterns.multiplicity @ patterns.size)
    rows: list[PlanRow] = []
    if alpha.value is not None and alpha.se is not None and percent.se is not None:
        model = fit(patterns)
        stretch_percent, stretch_alpha = _stretch(patterns, model, percent.se, alpha.se)
        for labels in range(1, most_labels + 1):
            consensus, support = model.consensus(labels)
            several = labels >= _PAIR
            rows.append(
                PlanRow(
                    labels=labels,
                    answers=labels * n_items,
                    percent=_precision(
                        stretch_percent * model.percent_variance(labels), labels, n_items, wanted_half_width
                    )
                    if several
                    else None,
                    alpha=_precision(
                        stretch_alpha * model.alpha_variance(labels), labels, n_items, wanted_half_width
                    )
                    if several
                    else None,
                    consensus=consensus,
                    support=support,
                )
            )
    return Plan(
        n_items=n_items,
        n_answers=n_answers,
        percent=percent,
        alpha=alpha,
        wanted_half_width=wanted_half_width,
        wanted_consensus=wanted_consensus,
        labels=next((row.labels for row in rows if row.consensus >= wanted_consensus), None),
        rows=tuple(rows),
    )


@dataclass(frozen=True, eq=False)
class DirichletModel:
    """Class shares of items drawn from a Dirichlet distribution with these parameters, all above 0."""

    parameters: Floats

    def percent_variance(self, labels: int) -> float:
        """Variance of an item's agreement with that many labels (two at least).

        Var(Σ q²) + E[4 (m - 2) ζ₁ + 2 ζ₂] / (m (m - 1)) with ζ₁ = Σ q³ - (Σ q²)² and ζ₂ = Σ q² (1 - Σ q²): the
        variance of a mean over pairs (Hoeffding 1948).
        """
        second, third, squared = self._moments()
        first_order, second_order = third - squared, second - squared
        among = squared - second**2
        return among + (4 * (labels - 2) * first_order + 2 * second_order) / (labels * (labels - 1))

    def alpha_variance(self, labels: int) -> float:
        """Variance of an item's influence on nominal alpha with that many labels (two at least).

        The influence is (a - P) / D - 2 (1 - alpha) (e - E) / D: `a` is the agreement on the item, `e` the mean share of
        its answers' classes in the project, P and E their means, D = 1 - E and 1 - alpha = (1 - P) / D.
        """
        a, m = self.parameters, labels
        s = float(a.sum())
        share = a / s
        expected = float(share @ share)
        second, _, _ = self._moments()
        # Products of class shares of one item: E[q_k q_l] and E[q_k² q_l].
        two = s * (s + 1)
        three = two * (s + 2)
        weighted = float(share @ a)
        of_answer = float(share**2 @ share)  # E of the square of one answer's share
        of_two = (weighted**2 + float(share**2 @ a)) / two  # E of the product of two answers' shares
        variance_e = of_answer / m + (1 - 1 / m) * of_two - expected**2
        inside = float(share @ (a * (a + 1))) / two  # the answer is one of the pair
        squares, cubes = a * (a + 1), a * (a + 1) * (a + 2)
        outside = (
            float(squares.sum()) * weighted - float(share @ (squares * a)) + float(share @ cubes)
        ) / three
        covariance = 2 / m * inside + (1 - 2 / m) * outside - second * expected
        room = 1 - expected
        pull = 2 * (1 - second) / room
        variance = self.percent_variance(m) - 2 * pull * covariance + pull**2 * variance_e
        return max(variance, 0.0) / room**2

    def consensus(self, labels: int) -> tuple[float, float]:
        """Probability that the class with most labels is the most likely one, and that one more person agrees.

        Shares are gammas over their sum. Given that class k has v labels and its gamma the value x, every other class
        has fewer labels (or as many: a tie, broken at random) and a smaller gamma independently of each other,
        but for the number of labels left; so the sum over all outcomes is a product of polynomials in the number of
        labels and of ties. The integral over x is a Gauss-Legendre sum over the quantiles of k's gamma.
        """
        a = self.parameters
        counts = np.arange(labels + 1)
        # One class alone with c labels: rising factorial over factorial.
        chance = np.exp(gammaln(a[:, None] + counts) - gammaln(a)[:, None] - gammaln(counts + 1))
        whole = float(np.exp(gammaln(a.sum() + labels) - gammaln(a.sum()) - gammaln(labels + 1)))
        node, node_weight = np.polynomial.legendre.leggauss(_NODES)
        quantile, node_weight = (node + 1) / 2, node_weight / 2
        right = support = 0.0
        for k in range(a.size):
            others = np.arange(a.size) != k
            for won in range(ceil(labels / a.size), labels + 1):
                x = gammaincinv(a[k] + won, quantile)
                below = gammainc(a[others][:, None, None] + counts[:, None], x)  # class, labels, node
                weighted = chance[others][:, :, None] * below
                both = chance[k, won] / whole
                right += both * float(_outcomes(weighted, won, labels - won) @ node_weight)
                plain = float(_outcomes(chance[others][:, :, None], won, labels - won)[0])
                support += both * plain * (a[k] + won) / (a.sum() + labels)
        return min(float(right), 1.0), min(float(support), 1.0)

    def _moments(self) -> tuple[float, float, float]:
        """E of Σ q², Σ q³ and (Σ q²)²."""
        a = self.parameters
        s = float(a.sum())
        two = a * (a + 1)
        three = two * (a + 2)
        four = three * (a + 3)
        squared = float(two.sum()) ** 2 - float(two @ two) + float(four.sum())
        rising = s * (s + 1)
        return (
            float(two.sum()) / rising,
            float(three.sum()) / (rising * (s + 2)),
            squared / (rising * (s + 2) * (s + 3)),
        )


def fit(patterns: Patterns) -> DirichletModel:
    """The model with the class shares and Fleiss' kappa of these patterns, of which two answers disagree somewhere.

    Classes never used are left out, and those beyond the twelve most frequent are one class.
    """
    p = patterns
    shares = p.per_class(p.multiplicity[p.row] * p.count / p.size[p.row]) / p.n_items
    shares = np.sort(shares[shares > 0])[::-1]
    agreeing = p.per_row(p.count * (p.count - 1)) / np.maximum(p.size * (p.size - 1), 1)
    observed = float(p.multiplicity @ agreeing) / int(p.multiplicity @ (p.size >= _PAIR))
    expected = float(shares @ shares)
    kappa = min(max((observed - expected) / max(1 - expected, 1e-12), _LEAST_KAPPA), _MOST_KAPPA)
    if shares.size > _MOST_CLASSES:
        shares = np.append(shares[: _MOST_CLASSES - 1], shares[_MOST_CLASSES - 1 :].sum())
    return DirichletModel(shares / shares.sum() * (1 - kappa) / kappa)


def _outcomes(weights: Floats, won: int, left: int) -> Floats:
    """Sum over the ways in which classes share `left` labels, none more than `won`, of the product of their weights.

    `weights` are classes x labels x nodes; a way in which t classes have `won` labels too counts 1 / (1 + t).
    """
    most_ties = left // won
    ways = np.zeros((left + 1, most_ties + 1, weights.shape[2]))
    ways[0, 0] = 1.0
    for of_class in weights:
        grown = np.zeros_like(ways)
        for labels in range(min(won - 1, left) + 1):
            grown[labels:] += ways[: left + 1 - labels] * of_class[labels]
        if most_ties:
            grown[won:, 1:] += ways[: left + 1 - won, :-1] * of_class[won]
        ways = grown
    found: Floats = (ways[left] / (1 + np.arange(most_ties + 1))[:, None]).sum(axis=0)
    return found


def _stretch(p: Patterns, model: DirichletModel, percent_se: float, alpha_se: float) -> tuple[float, float]:
    """Measured over modelled variance of percent agreement and of alpha, at the present labels per item."""
    several = p.size >= _PAIR
    sizes, place = np.unique(p.size[several], return_inverse=True)
    items = np.bincount(place, weights=p.multiplicity[several])
    percent = np.array([model.percent_variance(m) for m in sizes.tolist()])
    alpha = np.array([model.alpha_variance(m) for m in sizes.tolist()])
    answers = items * sizes  # an item weighs in alpha by its answers
    modelled_percent = float(items @ percent) / float(items.sum()) ** 2
    modelled_alpha = float((answers * sizes) @ alpha) / float(answers.sum()) ** 2
    return _over(percent_se**2, modelled_percent), _over(alpha_se**2, modelled_alpha)


def _over(measured: float, modelled: float) -> float:
    stretch = measured / modelled if modelled > 0 else 1.0
    return stretch if isfinite(stretch) else 1.0


def _precision(variance: float, labels: int, n_items: int, wanted: float) -> Precision:
    z = float(ndtri(0.5 + LEVEL / 2))
    items = max(ceil(variance * (z / wanted) ** 2), 2)
    return Precision(half_width=z * sqrt(variance / n_items), items=items, answers=items * labels)
