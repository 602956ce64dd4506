"""The one shape of every figure: a value with its interval, or null with the reason."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, isfinite
from typing import Self, SupportsFloat

PRECISION = 0.05  # the half width of an interval that `needed` aims at


class Reason(StrEnum):
    """Why a figure has no value."""

    NO_OVERLAP = "no_overlap"  # no item has answers of two people
    ONE_CLASS = "one_class"  # only one class (or one number) was used: chance agreement is total
    ONE_ANNOTATOR = "one_annotator"  # everything comes from one person
    TOO_FEW_ANNOTATORS = "too_few_annotators"  # fewer than three people, for a claim about others like them
    TOO_FEW_ITEMS = "too_few_items"  # fewer than two items, or none with this class
    NEGATIVE_VALUES = "negative_values"  # the ratio level is not defined below zero
    NOT_CROSSED = "not_crossed"  # not everybody answered every item once
    ITEMS_ALIKE = "items_alike"  # the items do not differ from each other, so nothing can be told apart
    CHOSEN_ITEMS = "chosen_items"  # a strategy chose them, so that they do not stand for others
    MODEL_TOO_WEAK = "model_too_weak"  # its own mistakes would be taken for people's


class Method(StrEnum):
    """How the interval of a figure was made."""

    SKEWNESS = "skewness_corrected"  # as linearised, moved towards the longer tail of the items' influences
    LINEARISED = "linearised"  # linearised standard error, items as the sampling unit, Student's t
    DELTA = "delta"  # Fleiss, Cohen and Everitt's large-sample standard error, normal
    WILSON = "wilson"  # Wilson's score interval
    ITEM_BOOTSTRAP = "item_bootstrap"  # items drawn again with replacement, percentiles
    TWO_WAY = "two_way"  # items and labelers both as sampling units
    PAIRED_ITEMS = "paired_items"  # differences on the same items, items as the sampling unit, Student's t
    POSTERIOR = "posterior"  # a credible interval of the stated model
    EXACT = "exact"  # the exact distribution of the statistic
    NEWCOMBE = "newcombe"  # Newcombe's hybrid score interval of a difference of two shares
    VARIANCE_RATIO = "variance_ratio"  # ratios of mean squares, Fisher's F


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate. `value` is None exactly when `reason` is set; `se` and `ci` may be None with a value.

    `n_items` and `n_pairs` are the items and the pairs of answers that the figure rests on.
    """

    value: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    method: Method | None = None
    n_items: int = 0
    n_pairs: int = 0
    reason: Reason | None = None

    @classmethod
    def missing(cls, reason: Reason, *, n_items: int = 0, n_pairs: int = 0) -> Self:
        """A figure that cannot be computed."""
        return cls(value=None, n_items=int(n_items), n_pairs=int(n_pairs), reason=reason)

    @classmethod
    def estimate(
        cls,
        value: SupportsFloat,
        *,
        n_items: int,
        n_pairs: int,
        se: SupportsFloat | None = None,
        ci: tuple[SupportsFloat, SupportsFloat] | None = None,
        method: Method | None = None,
    ) -> Self:
        """A figure with a value; `se` and `ci` are left out unless both are finite numbers."""
        spread = None if se is None else float(se)
        ends = None if ci is None else (float(ci[0]), float(ci[1]))
        known = spread is not None and ends is not None and all(map(isfinite, (spread, *ends)))
        return cls(
            value=float(value),
            se=spread if known else None,
            ci=ends if known else None,
            method=method if known else None,
            n_items=int(n_items),
            n_pairs=int(n_pairs),
        )

    @property
    def needed(self) -> int | None:
        """How many more such items bring the interval to ±0.05, as it shrinks with the root of their number.

        None over items and people: there more items alone do not do it.
        """
        if self.ci is None or self.n_items == 0 or self.method is Method.TWO_WAY:
            return None
        half = (self.ci[1] - self.ci[0]) / 2
        return max(0, ceil(self.n_items * ((half / PRECISION) ** 2 - 1)))

    def to_dict(self) -> dict[str, float | int | str | list[float] | None]:
        """The figure as JSON of the agreement report."""
        return {
            "value": self.value,
            "se": self.se,
            "ci": None if self.ci is None else list(self.ci),
            "method": None if self.method is None else self.method.value,
            "n_items": self.n_items,
            "n_pairs": self.n_pairs,
            "reason": None if self.reason is None else self.reason.value,
            "needed": self.needed,
        }
