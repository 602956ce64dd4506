"""The alternative annotator test: may the model stand in for a person? (Calderon, Reichart and Dror 2025)"""

from dataclasses import dataclass

import numpy as np

from core.numerics.means import t_probability
from core.numerics.results import Reason
from core.numerics.table import Bools, Floats, Ints, condense, totals

MIN_ITEMS = 30  # with fewer items of a person the t test does not hold, and the person is left out
_RATE = 0.05  # false replacements among all, at most
_HALF = 0.5
_MIN_PEOPLE = 2


@dataclass(frozen=True, slots=True)
class AltTestPerson:
    """One person left out. On `n_items` shared items the model was as good or better on a share `model_wins`,
    the person on a share `human_wins`, each beside the others' answers; ties count for both. `p` is the
    probability of such a mean difference or a smaller one if people led by epsilon; `won`: the model replaces
    this person (after Benjamini and Yekutieli's correction).
    """

    annotator: int
    n_items: int
    model_wins: float
    human_wins: float
    p: float
    won: bool


@dataclass(frozen=True, slots=True)
class AltTest:
    """The test over all people with enough items. `winning_rate` is the share of people the model replaces,
    `passed` whether it is at least one half; `advantage` the mean over people of `model_wins`. All three are
    None with a `reason` where fewer than two people have enough items. `n_excluded` people have fewer.
    """

    epsilon: float
    winning_rate: float | None
    advantage: float | None
    passed: bool | None
    reason: Reason | None
    n_annotators: int
    n_excluded: int
    people: tuple[AltTestPerson, ...]


def alt_test(annotator: Ints, model: Floats, person: Floats, epsilon: float) -> AltTest:
    """The test from one row per answer whose item has a prediction and another answer.

    `model` and `person` are the shares of the other answers of the item that are the model's class, and the
    person's. A person with fewer than 30 such items has no part. `epsilon` is the lead that people are granted
    for their cost: .2 for experts, .15 for skilled people, .1 for crowds; 0 asks whether the model is better.
    """
    codes, place = condense(annotator.astype(np.int64))
    n = totals(place, None, codes.size)
    wins = totals(place, model >= person, codes.size)
    losses = totals(place, person >= model, codes.size)
    lead = (person >= model).astype(np.float64) - (model >= person)
    squares = totals(place, lead**2, codes.size)
    able = np.flatnonzero(n >= MIN_ITEMS)
    n, wins, losses, squares = n[able], wins[able], losses[able], squares[able]
    mean = (losses - wins) / np.maximum(n, 1)
    spread = np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 0.0) / np.maximum(n - 1, 1))
    p = t_probability(mean - epsilon, spread, n - 1)
    won = benjamini_yekutieli(p, _RATE)
    people = tuple(
        AltTestPerson(
            int(codes[a]),
            int(n[i]),
            float(wins[i] / n[i]),
            float(losses[i] / n[i]),
            float(p[i]),
            bool(won[i]),
        )
        for i, a in enumerate(able)
    )
    left_out = int(codes.size - able.size)
    if able.size < _MIN_PEOPLE:
        reason = Reason.ONE_ANNOTATOR if able.size else Reason.TOO_FEW_ITEMS
        return AltTest(epsilon, None, None, None, reason, int(able.size), left_out, people)
    rate = float(won.mean())
    advantage = float((wins / n).mean())
    return AltTest(epsilon, rate, advantage, rate >= _HALF, None, int(able.size), left_out, people)


def benjamini_yekutieli(p: Floats, rate: float) -> Bools:
    """Which hypotheses to reject so that at most `rate` of the rejections are false, however they depend.

    The k smallest of m probabilities for the largest k with p_(k) <= k / m * rate / (1 + 1/2 + … + 1/m)
    (Benjamini and Yekutieli 2001).
    """
    m = p.size
    if m == 0:
        return np.zeros(0, dtype=np.bool_)
    place = np.arange(1, m + 1)
    ordered = np.sort(p)
    below = np.flatnonzero(ordered <= place / m * rate / (1 / place).sum())
    return p <= (ordered[below[-1]] if below.size else -1.0)
