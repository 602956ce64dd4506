from django.db import models

from core.choices import RelabelTo
from core.models.base import Created


class Relabel(Created):
    """Items that were sent out again, to whom and why. Earlier answers stay as they are."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="relabels")
    reason = models.CharField(max_length=500)
    to = models.CharField(max_length=10, choices=RelabelTo, default=RelabelTo.OTHERS)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.reason


class RelabelItem(models.Model):
    """One of the items: why, and how many answers it had when it was sent out again."""

    relabel = models.ForeignKey("core.Relabel", on_delete=models.CASCADE, related_name="items")
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="relabels")
    reason = models.CharField(max_length=200, blank=True)
    done_before = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["relabel", "item"], name="relabel_item_unique")]

    def __str__(self) -> str:
        return f"item {self.item_id}"
