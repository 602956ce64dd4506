"""Likely wrong labels: labels and features in, three ranked lists and an estimate of how many are wrong out.

The holdout is left alone: what is measured on it must not depend on what a model thinks of its labels.
"""

from typing import Any

import numpy as np

from core.choices import Doubt
from core.exceptions import Conflict
from core.models import Job, Project
from core.numerics.aggregation import Rule, certain_answers, default_rule
from core.numerics.dawid_skene import Model, fit_dawid_skene
from core.numerics.duplicates import NEAR, NEARLY_SAME, Pairs, near_duplicates
from core.numerics.features import Kind
from core.numerics.label_errors import (
    Doubts,
    Judged,
    by_confidence,
    by_duplicates,
    expected_errors,
    out_of_fold,
    trusted,
)
from core.numerics.results import Figure, Reason
from core.numerics.table import Floats, Ints, LabelTable, condense
from core.pipelines.features import ready_features
from core.pipelines.training_set import TrainingSet, training_set
from core.selectors.agreement import ALL_LABELS, answer_columns
from core.selectors.label import settled_classes
from core.selectors.label_error import checked_items
from core.selectors.moment import one_moment
from core.selectors.progress import changes_of
from core.selectors.question import QuestionSpec
from core.selectors.training import learnable_question
from core.services.job import beat
from core.services.label_error import NewError, keep_search

MOST_FOUND = 2_000  # of every doubt
SURE = 0.95  # a posterior from which people are taken to agree
SEED = 0
COSINES = {
    Kind.TEXT: NEAR,
    Kind.PAIR: NEAR,
}  # from which rows are near-duplicates; of other kinds: nearly the same
_SAME = 1e-9
Json = dict[str, Any]


def run_errors(job: Job) -> None:
    """Look at all labels of a question (argument ``question``) outside the holdout.

    The report tells ``n_labels`` that were looked at, ``n_uncertain`` items without a certain answer, ``n_tied`` items
    whose votes are even, ``n_unjudged`` labels that no model could judge; ``n_doubted``: where the model says another
    class; ``expected``: the share of wrong labels (a figure, null where numerics.label_errors.trusted does not
    believe it), ``classes``: for each ``class`` its ``n`` labels and its ``expected`` share; ``complete``: whether all near-duplicates were looked for; ``rule`` by which people were held
    against their consensus. Fails with ``no-items`` in a project without items.
    """
    project = Project.objects.get(pk=job.project_id)
    question = learnable_question(project, job.arguments.get("question"))
    changes = changes_of(project)
    features = ready_features(project, job)
    if features is None:
        raise Conflict("no-items", "There are no items whose labels could be looked at.")
    training = training_set(project, question)
    beat(job, 0.2)
    sparse = features.rows(training.item, training.version).sparse
    label = _given(training.target)
    pairs = near_duplicates(sparse, COSINES.get(features.spec.kind, NEARLY_SAME))
    beat(job, 0.4)
    judged = out_of_fold(sparse, training.target, label, training.tie, pairs.groups(), seed=SEED)
    beat(job, 0.8)
    report: Json = {
        "n_labels": int(np.count_nonzero(label >= 0)),
        "n_uncertain": training.n_uncertain,
        "n_tied": int(np.count_nonzero(label < 0)),
        **_expected(training, label, judged),
        "complete": pairs.complete,
    }
    found = {
        Doubt.CONFIDENCE: _by_confidence(training, label, judged),
        Doubt.DUPLICATE: _by_duplicates(training, label, judged, pairs),
    }
    found[Doubt.CONSENSUS], report["rule"] = _by_consensus(project, question)
    keep_search(job, question, changes=changes, report=report, found=found)


def _given(target: Floats) -> Ints:
    """The label of every row, -1 where several classes are even."""
    if target.size == 0:
        return np.empty(0, dtype=np.intp)
    top = target.max(axis=1)
    alone = np.count_nonzero(target >= top[:, None] - _SAME, axis=1) == 1
    return np.where(alone, target.argmax(axis=1), -1)


def _expected(training: TrainingSet, label: Ints, judged: Judged | None) -> Json:
    n = np.bincount(label[label >= 0], minlength=training.n_classes)
    few = Figure.missing(Reason.TOO_FEW_ITEMS, n_items=int(n.sum()))
    share, by_class, unjudged, doubted = few, (few,) * training.n_classes, int(n.sum()), 0
    if judged is not None:
        expected = trusted(expected_errors(label, judged, seed=SEED), label, judged, training.by_chance)
        share, by_class = expected.share, expected.by_class
        unjudged -= int(np.count_nonzero(judged.known))
        doubted = int(np.count_nonzero(judged.known & (judged.probability.argmax(axis=1) != label)))
    return {
        "n_unjudged": unjudged,
        "n_doubted": doubted,
        "expected": share.to_dict(),
        "classes": [
            {"class": name, "n": int(count), "expected": figure.to_dict()}
            for name, count, figure in zip(training.classes, n, by_class, strict=True)
        ],
    }


def _by_confidence(training: TrainingSet, label: Ints, judged: Judged | None) -> list[NewError]:
    """Labels of which the model says another class, the surest of it first."""
    if judged is None:
        return []
    doubts = by_confidence(label, judged, training.tie)
    others = judged.probability[doubts.row].argmax(axis=1) != label[doubts.row]
    kept = np.flatnonzero(others)[:MOST_FOUND]
    return _errors(training, label, doubts.take(kept))


def _by_duplicates(training: TrainingSet, label: Ints, judged: Judged | None, pairs: Pairs) -> list[NewError]:
    doubts = by_duplicates(pairs, label, judged, training.tie)
    return _errors(training, label, doubts.take(slice(MOST_FOUND)))


def _errors(training: TrainingSet, label: Ints, doubts: Doubts) -> list[NewError]:
    ids = training.class_ids
    columns = (doubts.row, doubts.score, doubts.likely, doubts.other)
    return [
        NewError(
            item_id=int(training.item[row]),
            score=score,
            given_id=ids[int(label[row])],
            likely_id=ids[likely],
            other_id=int(training.item[other]) if other >= 0 else None,
        )
        for row, score, likely, other in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _by_consensus(project: Project, question: QuestionSpec) -> tuple[list[NewError], str]:
    """Items on which people differ and nobody can be sure, the least sure first; and the rule that says so.

    By a model of the annotators where they have answered enough for one (then a class that only a poor annotator
    gave is no reason for doubt), else by the share of the answers. Where votes are even, the first class in the
    question's order stands for the label.
    """
    with one_moment():
        columns = answer_columns(project, question, ALL_LABELS)
        settled = settled_classes(project, question)  # what a person has decided is not in doubt
        checked = checked_items(project, set(np.unique(columns.item).tolist()) - set(settled))
    columns = columns.keep(np.isin(columns.item, checked.item))
    if len(columns) == 0:
        return [], Rule.MAJORITY.value
    _, annotator = condense(columns.annotator)
    table = LabelTable(
        np.searchsorted(checked.item, columns.item), annotator, columns.label, len(columns.names)
    )
    rule = default_rule(table, columns.uncertain).rule
    votes, codes = certain_answers(table, columns.uncertain)
    share, item = _shares(votes, rule)
    split = _vote_sizes(votes)[item] > 1
    ranked = np.argsort(-share, axis=1, kind="stable")
    best = share[np.arange(item.size), ranked[:, 0]]
    found = np.flatnonzero(split & (best < SURE))
    found = found[np.lexsort((checked.tie[item[found]], best[found]))][:MOST_FOUND]
    ids = [question.classes[code].id for code in codes.tolist()]
    errors = [
        NewError(
            item_id=int(checked.item[item[row]]),
            score=float(best[row]),
            given_id=ids[ranked[row, 0]],
            likely_id=ids[ranked[row, 1]],
            other_id=None,
        )
        for row in found.tolist()
    ]
    return errors, rule.value


def _shares(votes: LabelTable, rule: Rule) -> tuple[Floats, Ints]:
    """Shares of the classes (items x certain classes) by the rule, and the items' codes."""
    if rule is not Rule.MAJORITY:
        model = fit_dawid_skene(votes, Model(rule.value))
        return model.posterior, model.item
    k = votes.n_classes
    counts = np.bincount(votes.item * k + votes.label, minlength=votes.sizes.size * k).reshape(-1, k)
    item = np.flatnonzero(counts.sum(axis=1))
    return counts[item] / counts[item].sum(axis=1, keepdims=True), item


def _vote_sizes(votes: LabelTable) -> Ints:
    """How many different classes were given to every item."""
    k = votes.n_classes
    seen = np.unique(votes.item * k + votes.label)
    return np.bincount(seen // k, minlength=votes.sizes.size)
