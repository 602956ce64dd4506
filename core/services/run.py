"""Runs of models: what made the predictions that are compared with people."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from core.choices import JobKind, QuestionKind, RunKind
from core.exceptions import Conflict, Invalid
from core.models import (
    FeatureSet,
    Item,
    Job,
    Membership,
    Prediction,
    Project,
    Run,
    RunModel,
    Selection,
    User,
)
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.run import model_content, run_of
from core.selectors.training import items_named, learnable_question
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import create_job
from core.services.staging import NewAnswer

LONGEST_NAME = 120
LONGEST_PARAMETERS = 20_000
LARGEST_SEED = 2**31 - 1
MOST_SCORED = 1_000  # items or data in one request
MODELS_KEPT = 20  # of rounds of selection, per project
TRAIN_FIELDS = frozenset({"question", "seed", "name", "weak_run"})
WEAK_KINDS = frozenset({RunKind.WEAK, RunKind.SPREAD})  # a model would only learn what another has learnt
ALL = "all"


def checked_run_name(name: Any) -> str:
    """The name of a run as it is kept: NFC, without blanks around it. Raises Invalid ``bad-run``."""
    kept = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    if not kept or len(kept) > LONGEST_NAME or not kept.isprintable():
        raise Invalid("bad-run", f"A run has a name of 1 to {LONGEST_NAME} printable characters.")
    return kept


def named_run(project: Project, name: str, user: User | None) -> Run:
    """The run of this name, made where it is not there yet. Call it inside a transaction."""
    run, made = Run.objects.get_or_create(project=project, name=name, defaults={"created_by": user})
    if made:
        record(user, project, "run.created", name, id=run.pk)
    return run


@transaction.atomic
def create_run(
    membership: Membership,
    name: Any,
    *,
    code_version: Any = "",
    parameters: Any = None,
    seed: Any = None,
    predictions: Sequence[NewAnswer] = (),
) -> Run:
    """A new run with what its maker tells of it, and its checked predictions: all of it or nothing.

    Raises Invalid ``bad-run``, ``bad-code-version``, ``bad-parameters``, ``bad-seed``; Conflict
    ``run-exists``, ``questions-changed``, or ``project-archived`` in an archive.
    """
    name = checked_run_name(name)
    if not isinstance(code_version, str) or len(code_version) > LONGEST_NAME or "\0" in code_version:
        raise Invalid("bad-code-version", f"code_version is a text of at most {LONGEST_NAME} characters.")
    parameters = _checked_parameters({} if parameters is None else parameters)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise Invalid("bad-seed", "seed is a whole number, or null.")
    check_open(membership.project)
    told = {"code_version": code_version, "parameters": parameters, "seed": seed}
    run, made = Run.objects.get_or_create(
        project=membership.project, name=name, defaults={**told, "created_by": membership.user}
    )
    if not made:
        raise Conflict(
            "run-exists", "There is a run of this name. Give the new one another, or import a file into it."
        )
    _insert(run, predictions)
    record(membership.user, run.project, "run.created", name, id=run.pk, predictions=len(predictions))
    # Last, because items come before their project wherever both are locked.
    now = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(now)
    if now.schema_version != membership.project.schema_version:
        raise Conflict("questions-changed", "The questions were changed meanwhile. Send it again.")
    return run


def _checked_parameters(parameters: Any) -> dict[str, Any]:
    if not isinstance(parameters, Mapping):
        raise Invalid("bad-parameters", "parameters is an object: name to value.")
    if len(json.dumps(parameters, ensure_ascii=False)) > LONGEST_PARAMETERS:
        raise Invalid("bad-parameters", f"parameters hold at most {LONGEST_PARAMETERS:,} characters.")
    return dict(parameters)


def _insert(run: Run, predictions: Sequence[NewAnswer]) -> None:
    items = {one.item_id for one in predictions}
    version = dict(Item.objects.filter(pk__in=items).values_list("pk", "version"))
    several = {spec.id for spec in schema_of(run.project).questions if spec.kind == QuestionKind.MULTIPLE}
    Prediction.objects.bulk_create(
        (
            Prediction(
                run=run,
                item_id=one.item_id,
                item_version=version[one.item_id],
                question_id=one.question_id,
                label_class_id=one.label_class_id,
                classes=[int(pk) for pk in one.classes.split("|") if pk]
                if one.question_id in several
                else None,
                number=one.number,
                text=one.text,
                probabilities=None if one.probabilities is None else json.loads(one.probabilities),
            )
            for one in predictions
        ),
        batch_size=1000,
    )


class NewPrediction(NamedTuple):
    """What a model says of one item: the likeliest class, and probabilities by class id (as text)."""

    item_id: int
    item_version: int
    label_class_id: int
    probabilities: dict[str, float]


@transaction.atomic
def record_run(
    project: Project,
    question: QuestionSpec,
    *,
    user: User | None,
    name: str | None,
    feature_set: FeatureSet,
    labels_digest: str,
    n_labels: int,
    n_uncertain: int,
    metrics: dict[str, Any],
    parameters: dict[str, Any],
    seed: int,
    content: bytes,
    predictions: Sequence[NewPrediction],
    selection: Selection | None = None,
) -> Run:
    """Keep a model that was trained here: its run, its bytes, what it says of the holdout.

    ``selection`` is the round that it was trained for, which gets the run; of these models the newest 20 are kept, of
    those that people asked for all. Without a name it is "model 12". Raises Conflict ``run-exists``.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # names are given one after the other
    taken = Run.objects.filter(project=project)
    if name is None:
        name = free_name(project, RunKind.TRAINED, "model")
    elif taken.filter(name=name).exists():
        raise Conflict("run-exists", "There is a run of this name. Give the new one another.")
    run = Run.objects.create(
        project=project,
        kind=RunKind.TRAINED,
        question_id=question.id,
        feature_set=feature_set,
        name=name,
        code_version=f"labelapp {settings.VERSION}",
        labels_digest=labels_digest,
        n_labels=n_labels,
        n_uncertain=n_uncertain,
        metrics=metrics,
        parameters=parameters,
        seed=seed,
        created_by=user,
    )
    RunModel.objects.create(run=run, content=content, sha256=hashlib.sha256(content).hexdigest())
    _keep(run, question.id, predictions)
    if selection is not None:
        Selection.objects.filter(pk=selection.pk).update(run=run)
        selection.run = run
        _drop_old_models(project)
    record(user, project, "run.created", name, id=run.pk, labels=n_labels)
    return run


def free_name(project: Project, kind: RunKind, noun: str) -> str:
    """The next name like "model 12" for a run of this kind. The caller has locked the project."""
    taken = Run.objects.filter(project=project)
    start = taken.filter(kind=kind).count() + 1
    return next(f"{noun} {n}" for n in count(start) if not taken.filter(name=f"{noun} {n}").exists())


def _drop_old_models(project: Project) -> None:
    chosen = Run.objects.filter(project=project, selections__isnull=False).order_by("-pk").distinct()
    old = list(chosen.values_list("pk", flat=True)[MODELS_KEPT:])
    RunModel.objects.filter(run__in=old).delete()


def keep_predictions(run: Run, question_id: int, predictions: Sequence[NewPrediction]) -> int:
    """Add what a run says of more items, in place of what it said of earlier versions of them; returns how many.

    What it said of an item as it is stays: on the holdout that comes from a calibration without the item's label.
    """
    with transaction.atomic():
        ids = [one.item_id for one in predictions]
        there = dict(
            Prediction.objects.filter(run=run, question_id=question_id, item__in=ids).values_list(
                "item_id", "item_version"
            )
        )
        new = [one for one in predictions if there.get(one.item_id) != one.item_version]
        Prediction.objects.filter(
            run=run, question_id=question_id, item__in=[one.item_id for one in new if one.item_id in there]
        ).delete()
        _keep(run, question_id, new)
    return len(predictions)


def _keep(run: Run, question_id: int, predictions: Sequence[NewPrediction]) -> None:
    Prediction.objects.bulk_create(
        (
            Prediction(
                run=run,
                question_id=question_id,
                item_id=one.item_id,
                item_version=one.item_version,
                label_class_id=one.label_class_id,
                probabilities=one.probabilities,
            )
            for one in predictions
        ),
        batch_size=1000,
    )


def start_training(membership: Membership, asked: Any) -> Job:
    """Train a model in the background: ``question``, ``seed``, ``name``, ``weak_run`` of a request, all optional.

    Raises Invalid ``bad-train``, ``unknown-field``, ``bad-seed``, ``bad-run``, ``unknown-question``, ``bad-weak-run``;
    Conflict ``no-learnable-question``, ``run-exists``, ``project-archived``; TooMany ``too-many-jobs``.
    """
    project = membership.project
    check_open(project)
    if not isinstance(asked, Mapping):
        raise Invalid("bad-train", "train is an object: question, seed, name, weak_run, all optional.")
    unknown = [field for field in asked if field not in TRAIN_FIELDS]
    if unknown:
        raise Invalid("unknown-field", f"There is no field train.{unknown[0][:60]} here.")
    key = asked.get("question")
    if key is not None and not isinstance(key, str):
        raise Invalid("unknown-question", "question is the key of a question.")
    question = learnable_question(project, key)
    seed = asked.get("seed")
    if seed is not None and (not _is_whole(seed) or not 0 <= seed <= LARGEST_SEED):
        raise Invalid("bad-seed", f"seed is a whole number from 0 to {LARGEST_SEED:,}, or null.")
    name = asked.get("name")
    if name is not None:
        name = checked_run_name(name)
        if Run.objects.filter(project=project, name=name).exists():
            raise Conflict("run-exists", "There is a run of this name. Give the new one another.")
    weak_run = asked.get("weak_run")
    if weak_run is not None and not (_is_whole(weak_run) and _teaches(project, question.id, weak_run)):
        raise Invalid(
            "bad-weak-run",
            "weak_run is the number of a run of labeling functions or of spreading here that says something of "
            "the question.",
        )
    arguments = {"question": question.key, "seed": seed or 0, "name": name, "weak_run": weak_run}
    return create_job(project, JobKind.TRAIN, arguments, membership.user)


def _teaches(project: Project, question_id: int, run_id: int) -> bool:
    """Whether a model may learn from what the run says: a complete one of WEAK_KINDS that speaks of the question."""
    said = Prediction.objects.filter(
        run__project=project, run__kind__in=WEAK_KINDS, run_id=run_id, question_id=question_id
    )
    return said.exclude(run__kind=RunKind.WEAK, run__metrics=None).exists()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def start_scoring(membership: Membership, run_id: int, asked: Mapping[str, Any]) -> Job:
    """Score items with a run's model in the background: ``items`` (ids, or "all") or ``data`` (objects like items).

    Raises Missing, ModelDropped; Invalid ``unknown-field``, ``bad-items``, ``unknown-item``, ``bad-data``; Conflict
    ``project-archived``; TooMany ``too-many-jobs``.
    """
    project = membership.project
    run = run_of(project.pk, run_id)
    model_content(run)
    check_open(project)
    unknown = [field for field in asked if field not in {"items", "data"}]
    if unknown:
        raise Invalid("unknown-field", f"There is no field {unknown[0][:60]!r} here.")
    if ("items" in asked) == ("data" in asked):
        raise Invalid("bad-items", "Give either items or data.")
    if "data" in asked:
        rows = asked["data"]
        if not _is_list_of(dict, rows):
            raise Invalid("bad-data", f"data is a list of 1 to {MOST_SCORED:,} objects.")
    elif asked["items"] != ALL:
        if not _is_list_of(str, asked["items"]):
            raise Invalid("bad-items", f'items is a list of 1 to {MOST_SCORED:,} ids of items, or "all".')
        items_named(project, asked["items"])
    return create_job(project, JobKind.PREDICT, {"run": run.pk, **asked}, membership.user)


def _is_list_of(kind: type, value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST_SCORED
        and all(isinstance(one, kind) for one in value)
    )
