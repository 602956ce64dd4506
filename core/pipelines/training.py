"""Training: resolved labels and features in, a model with its run, its quality on the holdout and its books out.

A run's metrics hold: ``classes`` and their ``class_ids``; ``unseen`` (classes that no label had); ``labels`` (how much of each class the
targets had); ``holdout``: ``n``, ``accuracy``, ``macro_f1`` (figures), ``per_class`` (``class``, ``n``, ``n_predicted``,
``precision``, ``recall``, ``f1``), ``confusion`` (cells [labelled as, said to be, items], numbers as in ``classes``);
``calibration``: ``temperature``, ``ece`` (null unless both halves of the holdout have 20 labels), ``n``;
``selected_cv``: the naive estimate by cross-validation on the training labels themselves (``n``, ``folds``,
``accuracy``, ``difference`` to the holdout), null where there is none;
``weak``: rows that no person labelled, ``weak_cut``: those that were too many.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from django.db import transaction

from core.exceptions import Conflict, Invalid
from core.models import FeatureSet, Job, Project, Run, Selection, User
from core.numerics.classifier import CALIBRATION_ITEMS, Classifier, cross_validated, judged, train
from core.numerics.features import Datum, transform
from core.numerics.intervals import normal_interval
from core.numerics.learning_curve import Measure, learning, random_cost
from core.numerics.metrics import Quality, calibration_error, proportion, quality
from core.numerics.replay import models_by_chance
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints
from core.pipelines.features import Features, ready_features
from core.pipelines.training_set import Holdout, TrainingSet, training_set
from core.selectors.features import item_keys
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.run import model_content, run_of
from core.selectors.training import items_named, learnable_question
from core.services.job import beat, finish_job
from core.services.run import NewPrediction, keep_predictions, record_run

__all__ = [
    "Holdout",
    "Trained",
    "TrainingSet",
    "fit",
    "replay",
    "run_predict",
    "run_train",
    "train_and_record",
    "training_set",
]

FOLDS = 3
WEAK_WEIGHT = 0.3
MOST_CHANCE = 5_000  # labels by chance that are learnt from
BEAT_SECONDS = 3
MOST_KEPT_PREDICTIONS = 200_000
AT_ONCE = 10_000
LEAST_KEPT = 0.001  # probability of a prediction that is kept
ALL = "all"
Json = dict[str, Any]
Shares = npt.NDArray[Any]  # float32 or float64


@dataclass(frozen=True, eq=False)
class Trained:
    """A calibrated model, what it says of the holdout (items x classes, in the holdout's order), and its metrics.

    The model has never seen the holdout; its calibration has. So the probabilities of a labelled item come from the
    calibration on the other half.
    """

    model: Classifier
    probabilities: Floats
    metrics: Json


def fit(training: TrainingSet, features: Features, *, seed: int, job: Job | None = None) -> Trained | None:
    """Train, calibrate and judge a model; None while the labels hold fewer than two classes.

    With ``job`` its worker says now and then that it lives (raises LostClaim, JobCancelled).
    """
    tick = _sign_of_life(job)
    rows = features.rows(training.item, training.version).sparse
    target, weight = training.target, None
    learnt = rows
    if len(training.weak):
        learnt = sp.vstack(
            [rows, features.rows(training.weak.item, training.weak.version).sparse], format="csr"
        )
        target = np.concatenate([target, training.weak.target])
        weight = np.concatenate([np.ones(len(training)), np.full(len(training.weak), WEAK_WEIGHT)])
    model = train(learnt, target, seed=seed, weight=weight, tick=tick)
    if model is None:
        return None
    holdout = training.holdout
    held = features.rows(holdout.item, holdout.version).sparse
    final, said = judged(model, held, holdout.label, holdout.tie)
    probabilities = said.astype(np.float64)
    metrics = _metrics(training, final, probabilities)
    metrics["selected_cv"] = _naive(training, rows, metrics["holdout"], seed, tick)
    return Trained(final, probabilities, metrics)


def _metrics(training: TrainingSet, model: Classifier, probabilities: Floats) -> Json:
    known = training.holdout.labelled
    truth, said = training.holdout.label[known], probabilities[known]
    predicted = said.argmax(axis=1)
    side = (training.holdout.tie[known] & np.uint64(1)).astype(np.intp)
    # With fewer in a half the model is not calibrated for the other: the items would be judged of two models.
    calibrated = np.bincount(side, minlength=2).min() >= CALIBRATION_ITEMS
    found = quality(truth, predicted, training.n_classes)
    seen = set(model.fitted.tolist())
    return {
        "classes": list(training.classes),
        "class_ids": list(training.class_ids),
        "unseen": [name for code, name in enumerate(training.classes) if code not in seen],
        "labels": np.round(training.target.sum(axis=0), 3).tolist(),
        "holdout": quality_document(found, training.classes),
        "calibration": {
            "temperature": model.temperature,
            "ece": calibration_error(said.max(axis=1), (truth == predicted).astype(np.intp))
            if calibrated
            else None,
            "n": int(known.size),
        },
        "weak": len(training.weak),
        "weak_cut": training.weak.n_cut,
    }


def quality_document(found: Quality, names: Sequence[str]) -> Json:
    cells = np.argwhere(found.confusion)
    return {
        "n": found.n,
        "accuracy": found.accuracy.to_dict(),
        "macro_f1": found.macro_f1.to_dict(),
        "per_class": [
            {
                "class": names[one.code],
                "n": one.n,
                "n_predicted": one.n_predicted,
                "precision": one.precision.to_dict(),
                "recall": one.recall.to_dict(),
                "f1": one.f1.to_dict(),
            }
            for one in found.per_class
        ],
        "confusion": [[int(t), int(p), int(found.confusion[t, p])] for t, p in cells],
    }


def _sign_of_life(job: Job | None) -> Callable[[], None]:
    """To be called often: says every few seconds that the job's worker lives."""
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        if job is not None and time.monotonic() - last > BEAT_SECONDS:
            beat(job)
            last = time.monotonic()

    return tick


def _naive(
    training: TrainingSet, rows: sp.csr_matrix, holdout: Json, seed: int, tick: Callable[[], None]
) -> Json | None:
    """Cross-validated accuracy on the training labels, which selection has made harder than the items are."""
    found = cross_validated(rows, training.target, seed=seed, folds=FOLDS, tick=tick)
    if found is None:
        return None
    truth, predicted = found
    naive = proportion(int(np.count_nonzero(predicted == truth)), truth.size)
    return {
        "n": int(truth.size),
        "folds": FOLDS,
        "accuracy": naive.to_dict(),
        "difference": _difference(naive, holdout["accuracy"]).to_dict(),
    }


def _difference(naive: Figure, honest: Json) -> Figure:
    """The naive estimate less the one on the holdout, of different items."""
    if naive.value is None or naive.se is None or honest["value"] is None or honest["se"] is None:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    value, se = naive.value - honest["value"], float(np.hypot(naive.se, honest["se"]))
    return Figure.estimate(
        value,
        se=se,
        ci=normal_interval(value, se, lower=-1.0),
        method=Method.LINEARISED,
        n_items=honest["n_items"],
        n_pairs=naive.n_items,
    )


def train_and_record(
    project: Project,
    question: QuestionSpec,
    features: Features,
    *,
    seed: int,
    user: User | None,
    name: str | None = None,
    job: Job | None = None,
    training: TrainingSet | None = None,
    selection: Selection | None = None,
) -> tuple[Run, Classifier] | None:
    """Train on what is known now (or on ``training``) and keep the run; None while there are fewer than two classes.

    With ``selection`` the round gets the run in the same transaction. With ``job`` its worker says that it lives
    (raises LostClaim, JobCancelled).
    """
    training = training or training_set(project, question)
    if job is not None:
        beat(job)
    trained = fit(training, features, seed=seed, job=job)
    if trained is None:
        return None
    with transaction.atomic():
        if job is not None:
            beat(job)
        run = _record(
            project, features, training, trained, seed=seed, user=user, name=name, selection=selection
        )
    return run, trained.model


def _record(
    project: Project,
    features: Features,
    training: TrainingSet,
    trained: Trained,
    *,
    seed: int,
    user: User | None,
    name: str | None,
    selection: Selection | None = None,
    weak_run: Run | None = None,
) -> Run:
    parameters: Json = {"model": "one-vs-rest logistic regression", "C": 10}
    if weak_run is not None:
        parameters |= {"weak_run": weak_run.pk, "weak_weight": WEAK_WEIGHT}
    holdout = training.holdout
    return record_run(
        project,
        training.question,
        user=user,
        name=name,
        feature_set=features.feature_set,
        labels_digest=training.digest,
        n_labels=len(training),
        n_uncertain=training.n_uncertain,
        metrics=trained.metrics,
        parameters=parameters,
        seed=seed,
        content=trained.model.to_bytes(),
        predictions=predictions_of(training.class_ids, holdout.item, holdout.version, trained.probabilities),
        selection=selection,
    )


def predictions_of(
    class_ids: Sequence[int], item: Ints, version: Ints, probabilities: Shares
) -> list[NewPrediction]:
    """Predictions as they are kept; probabilities have four digits, and those below .001 are left out."""
    best = probabilities.argmax(axis=1) if item.size else item
    return [
        NewPrediction(int(pk), int(number), class_ids[top], _by_class(class_ids, row))
        for pk, number, top, row in zip(item, version, best.tolist(), probabilities, strict=True)
    ]


def _by_class(class_ids: Sequence[int], row: Shares) -> dict[str, float]:
    shown = np.round(row.astype(np.float64), 4)
    return {str(class_ids[code]): float(shown[code]) for code in np.flatnonzero(shown >= LEAST_KEPT).tolist()}


def replay(
    training: TrainingSet,
    features: Features,
    *,
    seed: int,
    model: Classifier | None = None,
    job: Job | None = None,
) -> Json:
    """What labels by chance would have cost for the quality of the model on all labels: an estimate, with its method.

    Models are trained on nested parts of the labels that came by chance (the audit stream, random picks, labels from
    before selection), six sizes in four orders, of 5,000 labels at most, and scored on the holdout without
    calibration. ``model`` is the one on all labels where there is one already; ``job`` as for `fit`.

    ``points``: ``n``, ``accuracy`` and ``macro_f1`` (figures) of each size in the order of the hash; ``accuracy`` and
    ``macro_f1``: ``reach``, ``value``, ``low``, ``high``, ``most``, ``quality`` as in
    numerics.learning_curve.RandomCost; ``n_labels`` all labels, ``n_chance`` those by chance, and ``n_holdout`` the
    holdout's, which neither way is spared.
    """
    holdout = training.holdout
    known, chance = holdout.labelled, np.flatnonzero(training.by_chance)[:MOST_CHANCE]
    tick = _sign_of_life(job)
    rows = features.rows(training.item, training.version).sparse
    held = features.rows(holdout.item[known], holdout.version[known]).sparse
    truth, k = holdout.label[known], training.n_classes
    sizes, predicted = models_by_chance(rows[chance], training.target[chance], held, seed=seed, tick=tick)
    if model is not None:
        present: Classifier | None = replace(model, temperature=1.0, log_prior_shift=None)
    else:
        present = train(rows, training.target, seed=seed, tick=tick) if sizes.size else None
    now = truth if present is None else present.probabilities(held).argmax(axis=1)
    found = learning(sizes, predicted[0], truth, k, seed=seed)
    return {
        "n_labels": len(training),
        "n_chance": int(np.count_nonzero(training.by_chance)),
        "n_holdout": int(known.size),
        "points": [
            {"n": int(n), "accuracy": one.accuracy.to_dict(), "macro_f1": one.macro_f1.to_dict()}
            for n, one in zip(found.n, found.points, strict=True)
        ],
        **{
            measure.value: asdict(random_cost(sizes, predicted, now, truth, k, measure=measure, seed=seed))
            for measure in Measure
        },
    }


def run_train(job: Job) -> None:
    """Train because somebody asked: arguments ``question``, ``seed``, ``name``, ``weak_run``, all optional.

    The result tells the ``run`` and its ``name``. Fails with ``too-few-classes`` while the labels hold fewer than two
    classes, ``no-items`` in a project without items.
    """
    asked, project = job.arguments, Project.objects.get(pk=job.project_id)
    question = learnable_question(project, asked.get("question"))
    features = _features(project, job)
    weak_run = run_of(project.pk, asked["weak_run"]) if asked.get("weak_run") is not None else None
    training = training_set(project, question, weak_run=weak_run)
    beat(job)
    seed = asked.get("seed") or 0
    trained = fit(training, features, seed=seed, job=job)
    if trained is None:
        raise Conflict(
            "too-few-classes",
            "A model needs labels of at least two classes outside the holdout, and there are fewer so far.",
        )
    with transaction.atomic():
        beat(job)
        run = _record(
            project,
            features,
            training,
            trained,
            seed=seed,
            user=job.created_by,
            name=asked.get("name"),
            weak_run=weak_run,
        )
        finish_job(job, {"run": run.pk, "name": run.name})


def _features(project: Project, job: Job) -> Features:
    features = ready_features(project, job)
    if features is None:
        raise Conflict("no-items", "There are no items that a model could learn from.")
    return features


def run_predict(job: Job) -> None:
    """Score items with a run's model: arguments ``run`` and one of ``items`` (ids, or "all") and ``data`` (objects).

    The result tells ``run`` and ``predictions``: for each item, in the order asked, ``item`` (its id; not for data),
    ``label``, ``probabilities`` by class. Of all items the predictions become the run's, and the result tells ``n``.
    Fails with ``model-dropped``, ``features-dropped``, ``unknown-item``.
    """
    asked, project = job.arguments, Project.objects.get(pk=job.project_id)
    run = run_of(project.pk, asked["run"])
    scorer = _scorer(project, run)
    if asked.get("items") == ALL:
        n = _keep_all(project, run, scorer, job)
        beat(job, 1)
        finish_job(job, {"run": run.pk, "n": n})
        return
    features = scorer.features
    names: list[str | None]
    if asked.get("data") is not None:
        names = [None] * len(asked["data"])
        rows = transform(
            features.spec, features.basis, [_datum(features, data) for data in asked["data"]]
        ).sparse
    else:
        names = list(asked["items"])
        item, version = items_named(project, asked["items"])
        rows = features.rows(item, version).sparse
    predictions = []
    for name, row in zip(names, scorer.shares(rows), strict=True):
        told: Json = {
            "label": scorer.classes[int(row.argmax())],
            "probabilities": _by_name(scorer.classes, row),
        }
        predictions.append(told if name is None else {"item": name, **told})
    finish_job(job, {"run": run.pk, "predictions": predictions})


def _datum(features: Features, data: Json) -> Datum:
    """Data that are no item: a brought vector stands in their field ``embedding``; pictures are not read."""
    length = features.spec.n_vector
    if not length:
        return Datum(data)
    try:
        vector = np.array(data.get("embedding"), dtype=np.float32)
    except (TypeError, ValueError):
        vector = np.empty(0, dtype=np.float32)
    if vector.shape != (length,) or not np.isfinite(vector).all():
        raise Invalid("bad-embedding", f"Each of the data has an embedding: a list of {length:,} numbers.")
    return Datum(data, None, vector)


@dataclass(frozen=True, eq=False)
class _Scorer:
    """A kept model, the features that it reads, its question's id, and its classes: their ids and present names.

    ``code`` is the class among those that each class of the model is read as: shares of merged classes are added up.
    """

    model: Classifier
    features: Features
    question_id: int
    class_ids: tuple[int, ...]
    classes: tuple[str, ...]
    code: tuple[int, ...]

    def shares(self, rows: sp.csr_matrix) -> Shares:
        """Probabilities, rows x classes."""
        said: Shares = self.model.probabilities(rows)
        if self.code == tuple(range(len(self.class_ids))):
            return said
        read = np.zeros((len(said), len(self.class_ids)), dtype=said.dtype)
        for column, code in enumerate(self.code):
            read[:, code] += said[:, column]
        return read


def _scorer(project: Project, run: Run) -> _Scorer:
    """The project may have got classes since the model was trained, but not lost any that it knows."""
    content = model_content(run)
    question = next((spec for spec in schema_of(project).questions if spec.id == run.question_id), None)
    class_ids = tuple((run.metrics or {}).get("class_ids", ()))
    reads = {} if question is None else question.reads
    if question is None or not set(class_ids) <= set(reads):
        raise Conflict("classes-changed", "A class that this model knows is not there any more.")
    if run.feature_set_id is None:
        raise Conflict("features-dropped", "The features that this model reads are not kept any more.")
    features = Features(FeatureSet.objects.select_related("project").get(pk=run.feature_set_id))
    called = {reads[pk].id: reads[pk].name for pk in class_ids}
    current = tuple(called)
    code = tuple(current.index(reads[pk].id) for pk in class_ids)
    classes = tuple(called.values())
    return _Scorer(Classifier.from_bytes(content), features, question.id, current, classes, code)


def _keep_all(project: Project, run: Run, scorer: _Scorer, job: Job) -> int:
    keys, done = item_keys(project), 0
    if keys.item.size > MOST_KEPT_PREDICTIONS:
        raise Conflict(
            "too-many-items",
            f"Predictions are kept for at most {MOST_KEPT_PREDICTIONS:,} items; score some of them.",
        )
    for start in range(0, keys.item.size, AT_ONCE):
        item, version = keys.item[start : start + AT_ONCE], keys.version[start : start + AT_ONCE]
        said = scorer.shares(scorer.features.rows(item, version).sparse)
        done += keep_predictions(
            run, scorer.question_id, predictions_of(scorer.class_ids, item, version, said)
        )
        beat(job, start / keys.item.size)
    return done


def _by_name(classes: Sequence[str], row: Shares) -> dict[str, float]:
    return {name: round(float(share), 4) for name, share in zip(classes, row, strict=True)}
