"""Labeling functions: made, changed, removed; and the runs that they make together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from core.choices import JobKind, RunKind
from core.exceptions import Conflict, Invalid, Stale
from core.models import Job, LabelingFunction, Membership, Prediction, Project, Run
from core.selectors.function import applying, function_of, functions_of
from core.services.archive import check_open
from core.services.audit import record
from core.services.edit import write_changes
from core.services.job import beat, create_job, finish_job

MOST_FUNCTIONS = 200


@dataclass(frozen=True, slots=True)
class NewFunction:
    """A function as pipelines.function has checked it."""

    name: str
    question_id: int
    kind: str
    arguments: dict[str, Any]
    label_class_id: int | None
    active: bool = True


@dataclass(frozen=True, slots=True)
class NewPrediction:
    """What functions say of one item together: the class, and the probability of each class id."""

    item_id: int
    item_version: int
    label_class_id: int
    probabilities: Mapping[str, float]


@transaction.atomic
def create_function(membership: Membership, new: NewFunction) -> LabelingFunction:
    """A new function. Raises Invalid ``name-taken``; Conflict ``too-many-functions``, ``project-archived``."""
    project = _locked(membership)
    _check_name(project, new.name)
    if functions_of(project.pk).count() >= MOST_FUNCTIONS:
        raise Conflict("too-many-functions", f"A project has at most {MOST_FUNCTIONS} labeling functions.")
    made = LabelingFunction.objects.create(
        project=project,
        question_id=new.question_id,
        name=new.name,
        kind=new.kind,
        arguments=new.arguments,
        label_class_id=new.label_class_id,
        active=new.active,
        created_by=membership.user,
    )
    record(membership.user, project, "function.created", made.name, id=made.pk, kind=made.kind)
    return function_of(project.pk, made.pk)


@transaction.atomic
def edit_function(
    membership: Membership, function_id: int, new: NewFunction, version: int | None = None
) -> LabelingFunction:
    """Change a function; where nothing changes, its version stays.

    Raises Missing, Invalid ``name-taken``, Stale ``changed-meanwhile`` where ``version`` is not the present one,
    Conflict ``project-archived``.
    """
    project = _locked(membership)
    found = function_of(project.pk, function_id)
    if version is not None and version != found.version:
        raise Stale("changed-meanwhile", "Somebody has changed this function meanwhile. Look at it again.")
    _check_name(project, new.name, found.pk)
    changed = write_changes(
        found, new, ("name", "question_id", "kind", "arguments", "label_class_id", "active")
    )
    if changed:
        record(membership.user, project, "function.changed", found.name, id=found.pk, fields=changed)
    return function_of(project.pk, function_id)


@transaction.atomic
def remove_function(membership: Membership, function_id: int) -> None:
    """Remove a function; runs that it has helped to make stay. Raises Missing, Conflict ``project-archived``."""
    project = _locked(membership)
    found = function_of(project.pk, function_id)
    record(membership.user, project, "function.removed", found.name, id=found.pk)
    found.delete()


def _locked(membership: Membership) -> Project:
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(project)
    return project


def _check_name(project: Project, name: str, but: int | None = None) -> None:
    named = LabelingFunction.objects.filter(project=project, name=name).values_list("pk", flat=True)
    if set(named) - {but}:
        detail = "Another function has this name."
        row = {"pointer": "/name", "field": "name", "code": "name-taken", "detail": detail}
        raise Invalid("name-taken", detail, errors=[row])


# --- What they say together ---------------------------------------------------------------------------


@transaction.atomic
def start_applying(membership: Membership, question_id: int, rule: str) -> Job:
    """Let a worker label all items by the functions of a question; the job that does so already, if there is one.

    ``rule`` is one of pipelines.function.RULES. Raises Conflict ``no-functions``, ``project-archived``.
    """
    project = _locked(membership)
    running = applying(project.pk)
    if running is not None:
        return running
    if not functions_of(project.pk).filter(question_id=question_id, active=True).exists():
        raise Conflict("no-functions", "No labeling function is switched on for this question.")
    arguments = {"question": question_id, "rule": rule}
    return create_job(project, JobKind.WEAK, arguments, membership.user)


@transaction.atomic
def begin_weak_run(job: Job, question_id: int, parameters: Mapping[str, Any]) -> Run:
    """The empty run of a job; what earlier tries have written is dropped. Raises LostClaim."""
    beat(job)
    drop_weak_run(job.project)
    number = Run.objects.filter(project=job.project, kind=RunKind.WEAK).count() + 1
    taken = set(Run.objects.filter(project=job.project).values_list("name", flat=True))
    while (name := f"Labeling functions {number}") in taken:
        number += 1
    return Run.objects.create(
        project=job.project,
        kind=RunKind.WEAK,
        question_id=question_id,
        name=name,
        code_version=settings.VERSION,
        parameters=dict(parameters),
        created_by=job.created_by,
    )


@transaction.atomic
def add_predictions(job: Job, run: Run, new: Sequence[NewPrediction], progress: float) -> None:
    """Some of the run's predictions. Raises LostClaim, JobCancelled."""
    beat(job, progress)
    question_id = run.question_id or 0
    Prediction.objects.bulk_create(
        [
            Prediction(
                run=run,
                item_id=one.item_id,
                item_version=one.item_version,
                question_id=question_id,
                label_class_id=one.label_class_id,
                probabilities=dict(one.probabilities),
            )
            for one in new
        ],
        batch_size=500,
    )


@transaction.atomic
def end_weak_run(job: Job, run: Run, metrics: Mapping[str, Any]) -> None:
    """The run is complete, with its line in the audit log. Raises LostClaim."""
    Run.objects.filter(pk=run.pk).update(metrics=dict(metrics))
    finish_job(job, {"run": run.pk, "name": run.name, "n_predictions": metrics["n_predictions"]})
    record(job.created_by, job.project, "run.created", run.name, id=run.pk, kind=RunKind.WEAK.value)


@transaction.atomic
def drop_weak_run(project: Project) -> None:
    """Remove what was written of runs that are not complete: one job at a time makes them, and it gave up."""
    Run.objects.filter(project=project, kind=RunKind.WEAK, metrics__isnull=True).delete()
