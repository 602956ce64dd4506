from django.db import models


class Report(models.Model):
    """A computed report, kept until answers or settings change: what was asked, and what came out.

    ``key`` is a hash of ``asked``; ``marker`` tells the state of the project that the body rests on.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="reports")
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=64)
    asked = models.JSONField()
    marker = models.CharField(max_length=120)
    as_of = models.DateTimeField()
    seconds = models.FloatField()
    body = models.JSONField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "key"], name="report_unique"),
        ]
        indexes = [models.Index(fields=["seen_at"], name="report_seen")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.project_id}"
