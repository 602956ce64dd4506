"""The items whose likeliest class is the least likely."""

from core.numerics.strategies.base import Floats32, Part, Shares, State, Strategy


class LeastConfidence(Strategy):
    """Uncertainty sampling (Lewis and Gale 1994); with two classes the same as margin.

    The score is 1 - share of the likeliest class.
    """

    name = "least_confidence"

    def score(self, state: State, part: Part) -> Floats32:
        return Shares(state.model, part.sparse).unsure
