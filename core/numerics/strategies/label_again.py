"""A new item, or another answer to one that has some: whichever is likelier to be wrong as it stands."""

from dataclasses import replace

import numpy as np

from core.numerics.classifier import Classifier
from core.numerics.strategies.base import (
    Candidates,
    Chosen,
    Floats32,
    Labelled,
    Part,
    State,
    Strategy,
    UInts64,
    model_of,
)
from core.numerics.table import Bools, Floats, Ints

_FOLDS = 5
_AGREEMENT = 0.9  # of one annotator with the consensus, as long as no item has two answers
_SUREST = 0.999


class LabelAgain(Strategy):
    """ActiveLab (Goh and Mueller 2023) with one weight for all annotators.

    The quality of an item's label is the weighted mean of what the model, each answer and the guess 1 / K say for the
    consensus; items without answers have the model's likeliest class for it. The score is 1 - quality. Weights compare
    errors with those of the commonest class, for the model from predictions of folds that did not see the item; the
    model weighs as much more as the root of the mean number of answers.
    """

    name = "label_again"

    def fit(self, labelled: Labelled, model: Classifier | None, seed: int) -> State:
        state = super().fit(labelled, model, seed)
        if not state.models:
            return state
        n, k = labelled.target.shape
        answers = np.ones(n) if labelled.answers is None else labelled.answers.astype(np.float64)
        label = labelled.target.argmax(axis=1)
        share = labelled.target.max(axis=1)
        held_out = _out_of_fold(labelled, state.model, seed)
        several = answers > 1
        agreement = float(share[several].mean()) if several.any() else _AGREEMENT
        commonest = float(np.bincount(label, answers, k).max() / answers.sum())
        known = held_out.sum(axis=1) > 0
        right = float((held_out[known].argmax(axis=1) == label[known]).mean()) if known.any() else 0.0
        annotator = _weight(agreement, commonest)
        by_model = _weight(right, commonest) * np.sqrt(answers.mean())
        wrong = (1 - agreement) / max(k - 1, 1)
        told = share * agreement + (1 - share) * wrong
        said = held_out[np.arange(n), label]
        quality = (by_model * said + annotator * answers * told + annotator / k) / (
            by_model + annotator * answers + annotator
        )
        order = np.argsort(labelled.tie)
        return State(
            state.models,
            {
                "tie": labelled.tie[order],
                "doubt": (1 - quality[order]).astype(np.float32),
                "weights": np.array([by_model, annotator], np.float64),
            },
        )

    def score(self, state: State, part: Part) -> Floats32:
        by_model, annotator = state.arrays["weights"]
        likeliest = state.model.probabilities(part.sparse).max(axis=1)
        k = state.model.n_classes
        doubt = (1 - (by_model * likeliest + annotator / k) / (by_model + annotator)).astype(np.float32)
        known, place = among(part.tie, state.arrays["tie"])
        doubt[known] = state.arrays["doubt"][place[known]]
        return np.asarray(doubt, np.float32)

    def details(self, state: State, part: Part) -> Floats32:
        known, _ = among(part.tie, state.arrays["tie"])
        return known.astype(np.float32)[:, None]

    def choose(self, state: State, candidates: Candidates, count: int, seed: int) -> Chosen:
        rows = super().choose(state, candidates, count, seed).rows
        return Chosen(rows, notes=[{"again": int(known)} for known in candidates.details[rows, 0].tolist()])


def among(tie: UInts64, labelled: UInts64) -> tuple[Bools, Ints]:
    """Which of the hashes are among the labelled ones (ascending), and where."""
    place = np.minimum(np.searchsorted(labelled, tie), len(labelled) - 1)
    return labelled[place] == tie, place


def _weight(right: float, commonest: float) -> float:
    """1 - errors over those of somebody who always says the commonest class; a little at least."""
    return max(1 - (1 - right) / max(1 - commonest, 1 - _SUREST), 1 - _SUREST)


def _out_of_fold(labelled: Labelled, model: Classifier, seed: int) -> Floats:
    """Class probabilities of every labelled item by a model that did not see it; 0 where there is none."""
    fold = np.empty(len(labelled), np.intp)
    fold[np.lexsort((labelled.tie, labelled.target.argmax(axis=1)))] = np.arange(len(labelled)) % _FOLDS
    told = np.zeros(labelled.target.shape)
    for one in range(_FOLDS):
        inside, outside = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        trained = model_of(labelled.take(outside), seed)
        if trained is not None and len(inside):
            like = replace(trained, temperature=model.temperature)
            told[inside] = like.probabilities(labelled.sparse[inside])
    return told
