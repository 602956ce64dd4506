"""Overlap that adapts: which items are sure enough, and which get one more answer, the most informative first.

The model is the one-coin model, learnt only from the answers that there are; with few answers per annotator it is
the one with the fewest parameters. Everybody is credited with some answers of the average annotator, so that one
or two answers of unknown people look as sure as the average annotator makes them, not more.
"""

from dataclasses import dataclass

import numpy as np

from core.numerics.aggregation import certain_answers
from core.numerics.dawid_skene import CrowdModel, Model, fit_dawid_skene, judge
from core.numerics.table import Bools, Floats, Ints, LabelTable

SURE = 0.98  # probability of the best class from which an item needs no more answers
_PAIR = 2


@dataclass(frozen=True, eq=False)
class Places:
    """How far the items are, one entry per item code.

    `done` answers of `target` wanted ones are there. `open` says that an item may be decided on now (nobody is
    about to answer it, it has not been withdrawn). Items of the `audit` slice keep their overlap.
    """

    done: Ints
    target: Ints
    open: Bools
    audit: Bools


@dataclass(frozen=True, eq=False)
class Decision:
    """What to do: item codes. `gain[r]` is the information, in nats, that an answer to `raised[r]` is expected to
    bring; the largest comes first. `sure` (ascending) need no more answers. `confidence` has one entry per item
    code: the probability of its best class, that of the largest class where nobody has answered.

    `model` is None where no item has answers of two: then nothing is known of anybody, and nothing is sure.
    """

    sure: Ints
    raised: Ints
    gain: Floats
    confidence: Floats
    model: CrowdModel | None


def decide(
    table: LabelTable,
    places: Places,
    *,
    most: int,
    sure: float = SURE,
    budget: int | None = None,
    uncertain: Bools | None = None,
    start: CrowdModel | None = None,
) -> Decision:
    """Decide on all open items outside the audit slice.

    `table` holds the answers so far, its item codes index `places` (items without answers are allowed). An item
    is sure from probability `sure`; others that have all their wanted answers get one more, up to `most` in all,
    and up to `budget` such answers (None: no limit). `uncertain` says of each label whether it is "I cannot
    tell": such an answer tells nothing of the item. Ties in the gain go to the item with the smaller code.
    `start` is the model of an earlier decision with the same annotator codes: it saves most of the fitting.
    """
    posterior, model = _posterior(table, places.done.size, uncertain, start)
    confidence = posterior.max(axis=1, initial=0.0)
    decidable = places.open & ~places.audit
    if model is None:
        is_sure = np.zeros(decidable.size, dtype=np.bool_)
        gain = np.zeros(decidable.size)
    else:
        is_sure = confidence >= sure
        gain = expected_gain(posterior, model.average)
    wanting = decidable & ~is_sure & (places.done >= places.target) & (places.target < most)
    raised = np.flatnonzero(wanting)
    raised = raised[np.argsort(-gain[raised], kind="stable")]
    if budget is not None:
        raised = raised[: max(budget, 0)]
    return Decision(np.flatnonzero(decidable & is_sure), raised, gain[raised], confidence, model)


def expected_gain(posterior: Floats, theta: Floats) -> Floats:
    """Information, in nats, that one more answer is expected to bring on items with these posteriors.

    It is H(z) - sum_y P(y) H(z | y), which is H(y) - sum_z P(z) H(y | z): answer and class tell as much of each
    other. `theta[z, y]` is the confusion of whoever will answer.
    """
    answers = posterior @ theta
    noise = _entropy(theta)
    gain: Floats = np.maximum(_entropy(answers) - posterior @ noise, 0.0)
    return gain


def _entropy(shares: Floats) -> Floats:
    logs = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
    entropy: Floats = -np.einsum("ij,ij->i", shares, logs)
    return entropy


def _posterior(
    table: LabelTable, n_items: int, uncertain: Bools | None, start: CrowdModel | None
) -> tuple[Floats, CrowdModel | None]:
    """The posterior of every item code, and the model; an even one without a model."""
    certain = table if uncertain is None else certain_answers(table, uncertain)[0]
    # An answer that stands alone says nothing of who gave it, but would be believed.
    shared = certain.keep(certain.sizes[certain.item] >= _PAIR)
    if shared.n_annotators < _PAIR:
        return np.full((n_items, max(certain.n_classes, 1)), 1 / max(certain.n_classes, 1)), None
    model = fit_dawid_skene(shared, Model.ONE_COIN, start=start)
    posterior = np.repeat(model.shares[None, :], n_items, axis=0)
    item, judged = judge(model, certain)
    posterior[item] = judged
    return posterior, model
