from django.db import models

from core.choices import Doubt
from core.models.base import Created


class ErrorSearch(Created):
    """One look for labels that are likely wrong: what was asked, and what it rests on."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="error_searches")
    question = models.ForeignKey("core.Question", on_delete=models.CASCADE, related_name="+")
    job = models.OneToOneField("core.Job", on_delete=models.SET_NULL, null=True, related_name="error_search")
    changes = models.BigIntegerField(default=0)
    report = models.JSONField(default=dict)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"search {self.pk}"


class LabelError(models.Model):
    """A label that is likely wrong, and why; ``rank`` 1 is the likeliest of its kind.

    ``score`` falls with the doubt, between 0 and 1. ``other`` is the near-duplicate with another label. ``relabel``
    is set once the item was sent back.
    """

    search = models.ForeignKey("core.ErrorSearch", on_delete=models.CASCADE, related_name="errors")
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="label_errors")
    doubt = models.CharField(max_length=12, choices=Doubt)
    rank = models.PositiveIntegerField()
    score = models.FloatField()
    given = models.ForeignKey("core.LabelClass", on_delete=models.CASCADE, related_name="+")
    likely = models.ForeignKey("core.LabelClass", on_delete=models.CASCADE, null=True, related_name="+")
    other = models.ForeignKey("core.Item", on_delete=models.CASCADE, null=True, related_name="+")
    relabel = models.ForeignKey("core.Relabel", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["search", "doubt", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["search", "doubt", "item"], name="label_error_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.doubt} {self.rank}"
