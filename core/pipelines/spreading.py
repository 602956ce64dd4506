"""Spread labels to near neighbours: compared with plain training first, and kept only where it is not worse."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from django.db import transaction

from core.exceptions import Conflict
from core.models import Job, Project, Run
from core.numerics.features import Rows
from core.numerics.metrics import calibration_error, quality
from core.numerics.spreading import (
    ALPHA,
    CONFIDENT,
    NEIGHBOURS,
    Comparison,
    Spread,
    compare,
    neighbour_graph,
    spread,
)
from core.numerics.table import Ints
from core.pipelines.features import Features, ready_features
from core.pipelines.training import predictions_of, quality_document
from core.pipelines.training_set import TrainingSet, training_set
from core.selectors.features import ItemKeys, item_keys, ties_of
from core.selectors.training import learnable_question
from core.services.job import beat, finish_job
from core.services.spreading import record_spreading

MOST_ITEMS = 200_000
ENOUGH_HELD = 50  # labels in the holdout from which it alone judges
SEED = 0
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Nodes:
    """The items of the graph in the order of their hash, and where the labelled and the held-out ones stand."""

    keys: ItemKeys
    labelled: Ints
    held: Ints


def run_spread(job: Job) -> None:
    """Spread the labels of a question (argument ``question``), if that is not worse than plain training.

    The result tells ``question``, ``offered``, ``why`` (``better``, ``as_good``, ``worse``, ``cannot_tell``,
    ``too_few_labels``), ``judged_on`` (``holdout``, ``chance``: labels that no strategy chose, or ``labels``), the
    figures ``spread``, ``trained``, ``difference`` and ``confident`` (accuracy of the labels it is confident of),
    ``n_labels``, ``n_items`` in the graph, ``n_left_out`` (beyond 200,000), and, where it is offered, ``run``, ``name``
    and ``n_spread``: items without a label that got one with a confidence of at least ``least``. Fails with
    ``no-items`` and ``no-labels``.
    """
    project = Project.objects.get(pk=job.project_id)
    question = learnable_question(project, job.arguments.get("question"))
    features = ready_features(project, job)
    if features is None:
        raise Conflict("no-items", "There are no items to which labels could be spread.")
    training = training_set(project, question)
    if not len(training):
        raise Conflict("no-labels", "There are no labels yet that could be spread.")
    beat(job, 0.1)
    nodes, n_left_out = _nodes(project, training)
    rows = features.rows(nodes.keys.item, nodes.keys.version)
    tie = ties_of(project, nodes.keys.item)
    beat(job, 0.3)
    graph = neighbour_graph(rows.sparse, rows.dense, tie)
    beat(job, 0.6)
    judged_on, found = _compared(training, nodes, graph, rows)
    beat(job, 0.8)
    result: Json = {
        "question": question.key,
        "offered": found.offered,
        "why": found.word.value,
        "judged_on": judged_on,
        **_figures(found),
        "n_labels": len(training),
        "n_items": int(nodes.keys.item.size),
        "n_left_out": n_left_out,
        "least": CONFIDENT,
    }
    if not found.offered:
        finish_job(job, result)
        return
    told = spread(graph, nodes.labelled, training.target)
    with transaction.atomic():
        beat(job)
        run, n = _record(job, project, features, training, nodes, told, result)
        finish_job(job, {**result, "run": run.pk, "name": run.name, "n_spread": n})


def _figures(found: Comparison) -> Json:
    return {
        "spread": found.spread.to_dict(),
        "trained": found.trained.to_dict(),
        "difference": found.difference.to_dict(),
        "confident": found.confident.to_dict(),
    }


def _nodes(project: Project, training: TrainingSet) -> tuple[_Nodes, int]:
    """Labelled and held-out items and, up to 200,000 in all, others by the hash of their ids; how many are left out."""
    keys = item_keys(project)
    ours = np.concatenate([training.item, training.holdout.item])
    others = ~np.isin(keys.item, ours)
    room = max(MOST_ITEMS - ours.size, 0)
    rest = np.flatnonzero(others)
    if rest.size > room:
        tie = ties_of(project, keys.item[rest])
        rest = np.sort(rest[np.argsort(tie, kind="stable")[:room]])
    item = np.concatenate([ours, keys.item[rest]])
    version = np.concatenate([training.version, training.holdout.version, keys.version[rest]])
    n = len(training)
    nodes = _Nodes(ItemKeys(item, version), np.arange(n), np.arange(n, n + len(training.holdout)))
    return nodes, int(np.count_nonzero(others)) - rest.size


def _compared(
    training: TrainingSet, nodes: _Nodes, graph: sp.csr_matrix, rows: Rows
) -> tuple[str, Comparison]:
    """Judged on the holdout where it has labels enough, else on labels that came by chance, else on all labels."""
    known = training.holdout.labelled
    label = training.target.argmax(axis=1)
    alone = np.count_nonzero(training.target >= training.target.max(axis=1, keepdims=True), axis=1) == 1
    chance = np.flatnonzero(alone & training.by_chance)
    if known.size >= ENOUGH_HELD:
        judged_on, judge, truth = "holdout", nodes.held[known], training.holdout.label[known]
    elif chance.size >= ENOUGH_HELD:
        judged_on, judge, truth = "chance", nodes.labelled[chance], label[chance]
    else:
        judged_on, judge, truth = "labels", nodes.labelled[alone], label[alone]
    sparse = sp.vstack([rows.sparse[nodes.labelled], rows.sparse[judge]], format="csr")
    found = compare(graph, sparse, nodes.labelled, training.target, judge=judge, label=truth, seed=SEED)
    return judged_on, found


def _record(  # noqa: PLR0917 -- everything that the run tells of
    job: Job,
    project: Project,
    features: Features,
    training: TrainingSet,
    nodes: _Nodes,
    told: Spread,
    result: Json,
) -> tuple[Run, int]:
    """The run with what it says of the holdout, whole, and of items without a label where it is confident."""
    confident = told.confidence >= CONFIDENT
    confident[nodes.labelled] = False
    n = int(np.count_nonzero(np.delete(confident, np.concatenate([nodes.labelled, nodes.held]))))
    confident[nodes.held] = told.share[nodes.held].any(axis=1)
    kept = np.flatnonzero(confident)
    predictions = predictions_of(
        training.class_ids, nodes.keys.item[kept], nodes.keys.version[kept], told.share[kept]
    )
    run = record_spreading(
        project,
        training.question,
        user=job.created_by,
        feature_set=features.feature_set,
        labels_digest=training.digest,
        n_labels=len(training),
        n_uncertain=training.n_uncertain,
        metrics=_metrics(training, nodes, told, result),
        parameters={
            "model": "label spreading",
            "neighbours": NEIGHBOURS,
            "alpha": ALPHA,
            "least_confidence": CONFIDENT,
        },
        seed=SEED,
        predictions=predictions,
    )
    return run, n


def _metrics(training: TrainingSet, nodes: _Nodes, told: Spread, result: Json) -> Json:
    """As pipelines.training tells of a model, with ``spreading``: the comparison that it was offered by."""
    known = training.holdout.labelled
    truth, share = training.holdout.label[known], told.share[nodes.held[known]]
    said = share.argmax(axis=1) if known.size else truth
    right = (truth == said).astype(np.intp)
    seen = training.target.sum(axis=0)
    confidence = told.confidence[nodes.held[known]]
    return {
        "classes": list(training.classes),
        "class_ids": list(training.class_ids),
        "unseen": [name for name, mass in zip(training.classes, seen, strict=True) if mass == 0],
        "labels": np.round(seen, 3).tolist(),
        "holdout": quality_document(quality(truth, said, training.n_classes), training.classes),
        "calibration": {
            "temperature": None,
            "ece": calibration_error(confidence, right) if known.size else None,
            "n": int(known.size),
        },
        "selected_cv": None,
        "weak": 0,
        "weak_cut": 0,
        "spreading": result,
    }
