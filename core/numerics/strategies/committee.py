"""Items about which models that learnt from different draws of the labels disagree."""

import numpy as np

from core.numerics.classifier import Classifier, calibrate
from core.numerics.strategies.base import Floats32, Labelled, Part, State, Strategy, entropy_of, model_of

_MEMBERS = 5


class Committee(Strategy):
    """Query by committee (Seung, Opper and Sompolinsky 1992) with bagged members (Abe and Mamitsuka 1998).

    Each of five members learns from a bootstrap sample of the labels, drawn class by class so that none is lost, and
    is calibrated on the labels that it did not see. The score is the Jensen-Shannon divergence of their class
    probabilities (McCallum and Nigam 1998).
    """

    name = "committee"

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        state = super().fit(labelled, model, seed)
        rng = np.random.default_rng(seed)
        members = [_member(labelled, rng, seed + n) for n in range(_MEMBERS)]
        return State((*state.models, *(member for member in members if member is not None)))

    def score(self, state: State, part: Part) -> Floats32:
        return divergence(state.models[1:] or state.models, part)


def divergence(members: tuple[Classifier, ...], part: Part) -> Floats32:
    """Entropy of the members' mean probabilities less the mean of their entropies, in nats, for every row."""
    every = [np.ascontiguousarray(member.probabilities(part.sparse).T, np.float32) for member in members]
    mean = every[0].copy()
    within = entropy_of(every[0])
    for one in every[1:]:
        mean += one
        within += entropy_of(one)
    n = np.float32(len(every))
    return np.asarray(np.maximum(entropy_of(mean / n) - within / n, 0), np.float32)


def _member(labelled: Labelled, rng: np.random.Generator, seed: int) -> Classifier | None:
    label = labelled.target.argmax(axis=1)
    by_class = [np.flatnonzero(label == code) for code in np.unique(label)]
    drawn = np.concatenate([rng.choice(own, len(own)) for own in by_class])
    times = np.bincount(drawn, minlength=len(labelled))
    seen, unseen = np.flatnonzero(times), np.flatnonzero(times == 0)
    model = model_of(labelled.take(seen), seed, times[seen].astype(np.float64))
    return model and calibrate(model, labelled.sparse[unseen], label[unseen])
