from django.db import models

from core.models.base import Created


class GuidelineVersion(Created):
    """The written instruction, in Markdown. The newest is in force; every annotation carries its own."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="guideline_number_unique")]

    def __str__(self) -> str:
        return f"version {self.number}"
