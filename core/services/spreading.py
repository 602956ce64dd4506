"""Labels spread to near neighbours: begun by a lead, kept as predictions of a run, never as answers of people."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction

from core.choices import JobKind, RunKind
from core.models import FeatureSet, Job, Membership, Project, Run, User
from core.selectors.question import QuestionSpec
from core.selectors.training import learnable_question
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import start_once
from core.services.run import NewPrediction, free_name, keep_predictions


def start_spreading(membership: Membership, question: str | None = None) -> Job:
    """Spread the labels of a question, or of the first that a model can learn; the one under way where there is one.

    Raises Invalid ``unknown-question``; Conflict ``no-learnable-question``, ``project-archived``; TooMany.
    """
    check_open(membership.project)
    spec = learnable_question(membership.project, question)
    return start_once(membership, JobKind.SPREAD, spec.key, "labels.spread")


@transaction.atomic
def record_spreading(
    project: Project,
    question: QuestionSpec,
    *,
    user: User | None,
    feature_set: FeatureSet,
    labels_digest: str,
    n_labels: int,
    n_uncertain: int,
    metrics: dict[str, Any],
    parameters: dict[str, Any],
    seed: int,
    predictions: Sequence[NewPrediction],
) -> Run:
    """The run of one spreading, "spreading 3", with what it says of the items that it is confident of."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # names are given one after the other
    name = free_name(project, RunKind.SPREAD, "spreading")
    run = Run.objects.create(
        project=project,
        kind=RunKind.SPREAD,
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
    keep_predictions(run, question.id, predictions)
    record(user, project, "run.created", name, id=run.pk, labels=n_labels, predictions=len(predictions))
    return run
