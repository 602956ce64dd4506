"""The items whose two likeliest classes are closest."""

from core.numerics.strategies.base import Floats32, Part, Shares, State, Strategy


class Margin(Strategy):
    """Margin sampling, also called breaking ties (Scheffer, Decomain and Wrobel 2001; Luo et al. 2005).

    The score is 1 - (share of the likeliest class - share of the second).
    """

    name = "margin"

    def score(self, state: State, part: Part) -> Floats32:
        return Shares(state.model, part.sparse).closeness
