"""Versions of a project's features, and the job that makes them."""

from typing import Any

from django.db import transaction

from core.choices import JobKind, JobState
from core.models import FeatureSet, Job, Project, User
from core.selectors.features import latest_feature_set
from core.services.audit import record
from core.services.job import create_job


@transaction.atomic
def create_feature_set(
    project: Project, after: FeatureSet | None, *, spec: dict[str, Any], basis: bytes, n_items: int
) -> FeatureSet:
    """The next version after ``after``; when somebody else has made it meanwhile, theirs."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    latest = latest_feature_set(project)
    number = after.number if after is not None else 0
    if latest is not None and latest.number > number:
        return latest
    made = FeatureSet.objects.create(
        project=project, number=number + 1, spec=spec, basis=basis, n_items=n_items
    )
    record(None, project, "features.made", str(made), id=made.pk, n_items=n_items)
    return made


def start_features(project: Project, user: User | None) -> Job:
    """A job that makes the features of all items here and now; the waiting one when there is one."""
    waiting = Job.objects.filter(project=project, kind=JobKind.FEATURES, state=JobState.QUEUED).first()
    return waiting or create_job(project, JobKind.FEATURES, {}, user)
