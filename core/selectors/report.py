"""Kept reports: what was computed before, and the state of the project that it rests on."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from core.choices import AuditPart, ImportState, JobKind
from core.models import (
    Event,
    GuidelineVersion,
    Import,
    Item,
    Job,
    Project,
    Report,
    Tag,
)
from core.selectors.job import unfinished_jobs
from core.selectors.progress import changes_of


@dataclass(frozen=True, slots=True)
class State:
    """What a report on a project depends on. Every part only ever grows."""

    changes: int
    events: int
    imports: int
    schema: int
    settings: int

    def __str__(self) -> str:
        return f"{self.changes}.{self.events}.{self.imports}.{self.schema}.{self.settings}"


def state_of(project: Project) -> State:
    """The state of a project.

    Submits and corrections count themselves; whatever else changes answers, people, items or settings
    writes a line of the audit log, an import or a version. Rows are counted and not compared by their
    greatest id: of two transactions the one with the smaller id may commit last.
    """
    events = Event.objects.filter(project=OuterRef("pk")).order_by().values("project")
    published = Import.objects.filter(project=OuterRef("pk"), state=ImportState.PUBLISHED).order_by()
    row = Project.objects.annotate(
        n_events=_number(events.annotate(n=Count("pk")).values("n")),
        n_imports=_number(published.values("project").annotate(n=Count("pk")).values("n")),
    ).get(pk=project.pk)
    return State(changes_of(project), row.n_events, row.n_imports, row.schema_version, row.version)


def _number(rows: QuerySet[Any, Any]) -> Coalesce:
    return Coalesce(Subquery(rows, output_field=IntegerField()), 0)


def report_with(project: Project, kind: str, key: str) -> Report | None:
    """The kept report that was asked for in these words."""
    return Report.objects.filter(project=project, kind=kind, key=key).first()


def report_job(report: Report) -> Job | None:
    """The job that makes a newer one, if it waits or runs."""
    jobs = unfinished_jobs(report.project_id).filter(kind=JobKind.REPORT)
    return next((job for job in jobs if job.arguments.get("report") == report.pk), None)


NEWEST_ITEMS = 500
MOST_KEYS = 50


def meta_keys(project: Project) -> list[str]:
    """The keys of the newest items' metadata, by name."""
    newest = Item.objects.filter(project=project).order_by("-pk").values_list("meta", flat=True)
    keys = {key for meta in newest[:NEWEST_ITEMS] for key in meta}
    return sorted(keys)[:MOST_KEYS]


def has_tags(project: Project) -> bool:
    """Whether anybody has made a tag."""
    return Tag.objects.filter(project=project).exists()


def has_audit_slice(project: Project) -> bool:
    """Whether items are set apart, and others are not."""
    items = Item.objects.filter(project=project)
    return items.exclude(audit=AuditPart.NONE).exists() and items.filter(audit=AuditPart.NONE).exists()


def n_guidelines(project: Project) -> int:
    """How many versions the guideline has had."""
    return GuidelineVersion.objects.filter(project=project).count()
