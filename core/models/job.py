import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from core.choices import JobKind, JobState
from core.models.base import Created


class Job(Created):
    """One piece of background work. This row is the truth; the broker only wakes workers.

    ``claim`` fences the worker that has it: one whose claim was taken over can write nothing more. A job with
    parts (jobs whose ``parent`` it is) waits until the last of them has ended, and then goes on.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="jobs")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="parts")
    kind = models.CharField(max_length=12, choices=JobKind)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    arguments = models.JSONField(default=dict)
    progress = models.FloatField(default=0)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(progress__gte=0, progress__lte=1), name="job_progress_range"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.WAITING]),
                name="job_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.state})"


class WorkerSign(models.Model):
    """When a task last went all the way through broker and worker: the proof that one is alive."""

    name = models.CharField(max_length=20, primary_key=True)
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
