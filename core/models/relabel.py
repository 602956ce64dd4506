from django.db import models
from django.db.models import Q

from core.choices import RelabelFor, RelabelTo
from core.models.base import Created


class Relabel(Created):
    """Items that were sent out again, to whom and why. Earlier answers stay as they are.

    Where it is not ``blind`` people see what was answered before. ``guideline`` is the version that made it necessary.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="relabels")
    reason = models.CharField(max_length=500)
    source = models.CharField(max_length=10, choices=RelabelFor, default=RelabelFor.LIST, db_default="list")
    blind = models.BooleanField(default=True, db_default=True)
    guideline = models.ForeignKey(
        "core.GuidelineVersion", on_delete=models.SET_NULL, null=True, related_name="relabels"
    )
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


class RelabelPlace(models.Model):
    """An item that waits for one person's answer (the same people, or named ones), apart from the overlap.

    It is handed out before everything else; ``annotation`` is what came of it, ``dropped`` says that nothing will.
    """

    relabel = models.ForeignKey("core.Relabel", on_delete=models.CASCADE, related_name="places")
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="relabel_places")
    item_version = models.PositiveSmallIntegerField()
    annotator = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="relabel_places")
    annotation = models.ForeignKey("core.Annotation", on_delete=models.SET_NULL, null=True, related_name="+")
    dropped = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["relabel", "item", "annotator"], name="relabel_place_unique"),
        ]
        indexes = [
            models.Index(
                fields=["annotator", "id"],
                condition=Q(annotation__isnull=True, dropped=False),
                name="relabel_place_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"item {self.item_id} for {self.annotator_id}"
