"""The items whose class shares are the flattest."""

from core.numerics.strategies.base import Floats32, Part, Shares, State, Strategy


class Entropy(Strategy):
    """Entropy sampling (Dagan and Engelson 1995; Settles 2009); with two classes the same as margin.

    The score is Shannon's entropy of the shares over its largest value.
    """

    name = "entropy"

    def score(self, state: State, part: Part) -> Floats32:
        return Shares(state.model, part.sparse).entropy
