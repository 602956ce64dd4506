"""Items in an order that only the seed knows: what every other strategy has to beat."""

import numpy as np

from core.numerics.classifier import Classifier
from core.numerics.strategies.base import Floats32, Labelled, Part, State, Strategy, hashed

_DROPPED_BITS = 40  # of 64: float32 holds the other 24 exactly


class Random(Strategy):
    """Simple random sampling without replacement, the baseline of Lewis and Gale (1994)."""

    name = "random"
    needs_model = False

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        state = super().fit(labelled, model, seed)
        return State(state.models, {"seed": np.array([seed % (1 << 63)], np.int64)})

    def score(self, state: State, part: Part) -> Floats32:
        bits = hashed(part.tie, int(state.arrays["seed"][0])) >> np.uint64(_DROPPED_BITS)
        return np.asarray(bits, np.float32) / np.float32(1 << (64 - _DROPPED_BITS))
