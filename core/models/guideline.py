from django.db import models

from core.models.base import Created


class GuidelineVersion(Created):
    """The written instruction, in Markdown. The newest is in force; every annotation carries its own.

    ``touches`` are the classes whose rules it changed.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    note = models.CharField(max_length=500, blank=True)
    touches = models.ManyToManyField("core.LabelClass", blank=True, related_name="+")
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="guideline_number_unique")]

    def __str__(self) -> str:
        return f"version {self.number}"


class GuidelineExample(models.Model):
    """An item shown beside a class in one version of the guideline: what belongs there, or only nearly does."""

    version = models.ForeignKey("core.GuidelineVersion", on_delete=models.CASCADE, related_name="examples")
    label_class = models.ForeignKey("core.LabelClass", on_delete=models.PROTECT, null=True, related_name="+")
    item = models.ForeignKey("core.Item", on_delete=models.PROTECT, related_name="+")
    near_miss = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["order", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "label_class", "item"], name="guideline_example_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"example {self.item_id}"
