"""What monitors read: is the database there and safe, are migrations applied, is a worker alive."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max
from django.db.models.functions import Now
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from core.access import LEADS
from core.choices import JobState
from core.models import Annotation, Job, Membership, Outbox, User, WorkerSign

WORKER_SILENT_SECONDS = 45


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold."""

    name: str
    ok: bool
    detail: str


def readiness() -> list[Check]:
    """Every check, in the order in which they matter. A database that is away raises OperationalError."""
    return [_durable(), _migrated()]


def _durable() -> Check:
    """Commits must survive a power cut: acknowledged is durable."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            level = cursor.fetchone()[0]
            return Check("durable commits", level >= 2, f"synchronous={level}")  # noqa: PLR2004 -- 2 is FULL
        wrong = []
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {setting}")
            value = cursor.fetchone()[0]
            if value == "off":
                wrong.append(f"{setting}={value}")
        return Check("durable commits", not wrong, ", ".join(wrong) or "on")


def _migrated() -> Check:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Check("migrations", not waiting, f"{len(waiting)} waiting")


def may_see_detail(user: User | AnonymousUser) -> bool:
    """Whoever leads a project here may see how the installation fares."""
    return isinstance(user, User) and (
        user.may_create_projects or Membership.objects.filter(user=user, active=True, role__in=LEADS).exists()
    )


def worker_seen() -> tuple[bool, datetime | None]:
    """Whether a worker lives, and when one was last heard of (database clock).

    The canary proves it by going through broker and worker; while long jobs hold every process, their
    heartbeats do.
    """
    sign = WorkerSign.objects.annotate(now=Now()).filter(name="canary").first()
    if sign is not None and (sign.now - sign.seen_at).total_seconds() < WORKER_SILENT_SECONDS:
        return True, sign.seen_at
    running = Job.objects.annotate(now=Now()).filter(state=JobState.RUNNING, heartbeat_at__isnull=False)
    job = running.order_by("-heartbeat_at").first()
    if job is not None and job.heartbeat_at is not None:
        alive = (job.now - job.heartbeat_at).total_seconds() < WORKER_SILENT_SECONDS
        return alive, job.heartbeat_at
    return False, sign.seen_at if sign else None


def metrics_text() -> bytes:
    """The installation's figures in Prometheus' text format."""
    registry = CollectorRegistry()
    alive, _seen = worker_seen()
    Gauge("labelapp_worker_alive", "1 if a task went through lately", registry=registry).set(alive)
    last = Annotation.objects.aggregate(last=Max("id"))["last"]
    Gauge("labelapp_annotations_last_id", "Id of the newest annotation", registry=registry).set(last or 0)
    Gauge("labelapp_outbox_rows", "Rows that wait to be folded", registry=registry).set(
        Outbox.objects.count()
    )
    jobs = Gauge("labelapp_jobs", "Jobs by state", ["state"], registry=registry)
    counted = dict(Job.objects.values_list("state").annotate(n=Count("id")).order_by())
    for state in JobState.values:
        jobs.labels(state).set(counted.get(state, 0))
    return generate_latest(registry)
