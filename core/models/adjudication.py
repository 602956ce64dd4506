from django.db import models
from django.db.models import Q

from core.choices import Cause
from core.models.base import Created


class Resolution(Created):
    """The final answer of an item to one question, by a person. Answers stay as they are.

    Append-only: settling anew is a new revision, and ``current`` the last. One that was taken back has no value and
    is not current. The value stands as in a prediction (``classes``: the class ids of a multiple choice).
    ``overtaken`` tells that an answer was corrected or given after it.
    """

    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="resolutions")
    item_version = models.PositiveSmallIntegerField(default=1)
    question = models.ForeignKey("core.Question", on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveSmallIntegerField(default=1)
    current = models.BooleanField(default=True)
    label_class = models.ForeignKey("core.LabelClass", on_delete=models.PROTECT, null=True, related_name="+")
    classes = models.JSONField(null=True)
    number = models.FloatField(null=True)
    text = models.TextField(null=True)  # noqa: DJ001 -- null is "another kind", the empty string is an answer
    cause = models.CharField(max_length=20, choices=Cause, blank=True)
    comment = models.TextField(blank=True)
    gold_candidate = models.BooleanField(default=False)
    overtaken = models.BooleanField(default=False)
    guideline = models.ForeignKey("core.GuidelineVersion", on_delete=models.PROTECT, related_name="+")
    settled_by = models.ForeignKey("core.Membership", on_delete=models.PROTECT, related_name="resolutions")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "question", "item_version", "revision"], name="resolution_unique"
            ),
            models.UniqueConstraint(
                fields=["item", "question"], condition=Q(current=True), name="resolution_current_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"resolution of item {self.item_id}, revision {self.revision}"


class Review(Created):
    """An item that somebody was asked to look at before it is settled, and what they said."""

    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="reviews")
    item_version = models.PositiveSmallIntegerField(default=1)
    question = models.ForeignKey("core.Question", on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="reviews")
    asked_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=1000, blank=True)
    label_class = models.ForeignKey("core.LabelClass", on_delete=models.PROTECT, null=True, related_name="+")
    classes = models.JSONField(null=True)
    number = models.FloatField(null=True)
    text = models.TextField(null=True)  # noqa: DJ001 -- null is "another kind", the empty string is an answer
    cause = models.CharField(max_length=20, choices=Cause, blank=True)
    comment = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "question", "item_version", "reviewer"], name="review_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"review of item {self.item_id}"
