"""Data validation: reports kept, schema versions and rules edited, an import published with its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from core.choices import JobKind, Severity
from core.exceptions import Conflict, Invalid, Stale
from core.models import Batch, DataSchema, Import, Job, Membership, Project, User, Validation, ValidationRule
from core.selectors.job import unfinished_jobs
from core.selectors.validation import newest_data_schema, rule_of, rules_of
from core.services.archive import check_open
from core.services.audit import record
from core.services.edit import write_changes
from core.services.job import beat, create_job, finish_job
from core.services.publishing import publish

MOST_RULES = 200
LONGEST_NAME = 120
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Report:
    """What the validation of a batch found, as pipelines.validation has made it."""

    n_items: int
    profile: dict[str, Any]
    findings: Sequence[dict[str, Any]]
    severity: str
    schema_id: int | None


@dataclass(frozen=True, slots=True)
class NewRule:
    """A rule as pipelines.validation has checked it."""

    name: str
    severity: str
    document: dict[str, Any]
    active: bool = True


@transaction.atomic
def keep_import_report(job: Job, source: Import, report: Report) -> Validation:
    """The report on the rows of an import, in place of one that an earlier try has left. Raises LostClaim."""
    beat(job)
    Validation.objects.filter(source=source, batch=None).delete()
    return _keep(source.project, report, source.created_by, source=source)


@transaction.atomic
def keep_batch_report(job: Job, batch: Batch, report: Report) -> Validation:
    """A further report on a batch; ends the job. Raises LostClaim."""
    made = _keep(job.project, report, job.created_by, batch=batch)
    finish_job(job, {"validation": made.pk, "severity": made.severity, "findings": len(made.findings)})
    record(job.created_by, job.project, "validation.made", str(batch), id=made.pk, severity=made.severity)
    return made


def _keep(
    project: Project,
    report: Report,
    user: User | None,
    source: Import | None = None,
    batch: Batch | None = None,
) -> Validation:
    return Validation.objects.create(
        project=project,
        source=source,
        batch=batch,
        schema_id=report.schema_id,
        severity=report.severity,
        n_items=report.n_items,
        profile=report.profile,
        findings=list(report.findings),
        created_by=user,
    )


@transaction.atomic
def publish_validated(job: Job, source: Import, settled: int | None, inferred: dict[str, Any] | None) -> None:
    """Publish an import; its report is told of the batch, and the project's first schema is kept with it.

    ``inferred`` is the schema that the rows fit; it counts only where there is none. Raises what ``publish`` raises.
    """
    publish(job, source, settled)
    if source.batch_id is None:
        return
    Validation.objects.filter(source=source, batch=None).update(batch=source.batch_id)
    if inferred is None or newest_data_schema(source.project_id) is not None:
        return
    made = DataSchema.objects.create(
        project=source.project, number=1, document=inferred, created_by=source.created_by
    )
    Validation.objects.filter(source=source, schema=None).update(schema=made)
    record(source.created_by, source.project, "data-schema.created", str(made), number=1)


@transaction.atomic
def save_data_schema(
    membership: Membership, document: dict[str, Any], note: str, number: int, *, check: bool = True
) -> DataSchema:
    """A new version of the schema (``document`` as pipelines.validation has checked it); where nothing changes, none.

    ``number`` is the version that the editor saw (0 where there was none). With ``check`` the newest batch is
    checked by it again. Raises Stale ``stale`` where it is not the newest; Invalid; Conflict ``project-archived``.
    """
    project = _locked(membership)
    newest = newest_data_schema(project.pk)
    if number != (newest.number if newest else 0):
        raise Stale(
            "stale", "Somebody has changed the schema since you read it.", number=newest and newest.number
        )
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        _refuse("/note", "note-too-long", f"A note has at most {LONGEST_NOTE} characters.")
    if newest is not None and newest.document == document:
        return newest
    made = DataSchema.objects.create(
        project=project, number=number + 1, document=document, note=note, created_by=membership.user
    )
    record(membership.user, project, "data-schema.changed", str(made), number=made.number)
    batch = Batch.objects.filter(project=project).order_by("-number").first()
    if check and batch is not None:
        start_validation(membership, batch)
    return made


@transaction.atomic
def start_validation(membership: Membership, batch: Batch) -> Job:
    """Let a worker check a batch again; the job that does so already and has not begun, if there is one."""
    project = _locked(membership)
    for job in unfinished_jobs(project.pk).filter(kind=JobKind.VALIDATE, state="queued"):
        if job.arguments == {"batch": batch.pk}:
            return job
    return create_job(project, JobKind.VALIDATE, {"batch": batch.pk}, membership.user)


@transaction.atomic
def create_rule(membership: Membership, new: NewRule) -> ValidationRule:
    """A new rule. Raises Invalid ``name-taken``, ``bad-name``; Conflict ``too-many-rules``, ``project-archived``."""
    project = _locked(membership)
    _check_name(project, new.name)
    if rules_of(project.pk).count() >= MOST_RULES:
        raise Conflict("too-many-rules", f"A project has at most {MOST_RULES} rules.")
    made = ValidationRule.objects.create(
        project=project,
        name=new.name,
        severity=new.severity,
        document=new.document,
        active=new.active,
        created_by=membership.user,
    )
    record(membership.user, project, "validation-rule.created", made.name, id=made.pk)
    return rule_of(project.pk, made.pk)


@transaction.atomic
def edit_rule(membership: Membership, rule_id: int, new: NewRule, version: int) -> ValidationRule:
    """Change a rule; where nothing changes, its version stays.

    Raises Missing; Stale ``stale`` where ``version`` is not the present one; Invalid ``name-taken``, ``bad-name``.
    """
    project = _locked(membership)
    found = rule_of(project.pk, rule_id)
    if version != found.version:
        raise Stale("stale", "Somebody has changed this rule since you read it.", version=found.version)
    _check_name(project, new.name, found.pk)
    changed = write_changes(found, new, ("name", "severity", "document", "active"))
    if changed:
        record(membership.user, project, "validation-rule.changed", found.name, id=found.pk, fields=changed)
    return rule_of(project.pk, rule_id)


@transaction.atomic
def remove_rule(membership: Membership, rule_id: int) -> None:
    """Remove a rule; what it found stays in the reports. Raises Missing, Conflict ``project-archived``."""
    project = _locked(membership)
    found = rule_of(project.pk, rule_id)
    record(membership.user, project, "validation-rule.removed", found.name, id=found.pk)
    found.delete()


def checked_rule_name(name: Any) -> str:
    """A rule's name without blanks around it. Raises Invalid ``bad-name``."""
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        _refuse("/name", "bad-name", f"A rule has a name of at most {LONGEST_NAME} characters.")
    return str(name).strip()


def checked_severity(severity: Any) -> str:
    """A severity. Raises Invalid ``bad-severity``."""
    if severity not in Severity.values:
        _refuse("/severity", "bad-severity", f"severity is one of {', '.join(Severity.values)}.")
    return str(severity)


def _refuse(pointer: str, code: str, detail: str) -> None:
    row = {"pointer": pointer, "field": pointer.rsplit("/", 1)[-1], "code": code, "detail": detail}
    raise Invalid(code, detail, errors=[row])


def _check_name(project: Project, name: str, but: int | None = None) -> None:
    named = ValidationRule.objects.filter(project=project, name=name).values_list("pk", flat=True)
    if set(named) - {but}:
        _refuse("/name", "name-taken", "Another rule has this name.")


def _locked(membership: Membership) -> Project:
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(project)
    return project
