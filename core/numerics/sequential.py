"""A share that is looked at again and again: an interval that holds at every look at once.

An interval of 95 % that is made anew after each answer misses the truth at some time almost surely. So the
interval is made at planned looks only, after 20, 40, 80, 160, ... answers, each with a part of the permitted
error (alpha spending; Lan and DeMets, Biometrika 70, 1983), and stands until the next look. At a look it is
the exact one of Clopper and Pearson (Biometrika 26, 1934) at that look's error. By Bonferroni's inequality the
probability that any look ever misses, on either side, is at most 1 - level.

Most of the error is spent at the second look: after 40 answers a share of .5 is told from .8.
"""

from collections.abc import Sequence

from scipy.special import betaincinv

from core.numerics.intervals import LEVEL
from core.numerics.results import Figure, Method, Reason

FIRST_LOOK = 20
FIRST_SHARE, SECOND_SHARE = 0.12, 0.78  # of the permitted error; the looks after them halve what is left


def last_look(n: int) -> int:
    """The number of the last look that `n` answers have reached, from 1; 0 before the first."""
    return (n // FIRST_LOOK).bit_length()


def answers_at(look: int) -> int:
    """How many answers a look rests on, from look 1."""
    return int(FIRST_LOOK * 2 ** (look - 1))


def error_at(look: int, level: float = LEVEL) -> float:
    """The error that a look may make on each side. Over all looks these add up to `(1 - level) / 2`."""
    if look <= 2:  # noqa: PLR2004 -- the first two have shares of their own
        share = (FIRST_SHARE, SECOND_SHARE)[look - 1]
    else:
        share = (1 - FIRST_SHARE - SECOND_SHARE) / 2.0 ** (look - 2)
    return share * (1 - level) / 2


def exact_interval(right: int, n: int, error: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, which misses it by chance at most `error` on each side."""
    lower = 0.0 if right == 0 else float(betaincinv(right, n - right + 1, error))
    upper = 1.0 if right == n else float(betaincinv(right + 1, n - right, 1 - error))
    return lower, upper


def share_so_far(right: Sequence[bool], level: float = LEVEL) -> Figure:
    """The share of `right` in answers in their order, with the interval of the last look.

    There is none before the first look. The value is that of all answers, also of those since the look; where it has
    left the interval meanwhile, that reaches up (or down) to it, which makes it miss the truth no more often.
    """
    n = len(right)
    if n == 0:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    share = sum(right) / n
    look = last_look(n)
    if look == 0:
        return Figure.estimate(share, n_items=n, n_pairs=n)
    seen = answers_at(look)
    low, high = exact_interval(sum(right[:seen]), seen, error_at(look, level))
    return Figure.estimate(
        share,
        se=(share * (1 - share) / n) ** 0.5,
        ci=(min(low, share), max(high, share)),
        method=Method.EXACT,
        n_items=n,
        n_pairs=n,
    )


def is_below(figure: Figure, bound: float) -> bool:
    """Whether a share is surely below a bound: its interval ends there, and so does the share of all answers."""
    return figure.ci is not None and figure.ci[1] < bound
