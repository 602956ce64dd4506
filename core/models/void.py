from django.db import models

from core.models.base import Created


class Void(Created):
    """A decision to take one person's answers out of the counts, all or from a time on; it can be undone."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="voids")
    member = models.ForeignKey("core.Membership", on_delete=models.PROTECT, related_name="voids")
    reason = models.CharField(max_length=500)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    n_annotations = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"answers of {self.member_id}"
