from django.db import models
from django.db.models import Q

from core.choices import InquiryState
from core.models.base import Created


class Inquiry(Created):
    """What an annotator asks about an item; the lead answers, and may make a rule of the guideline of it."""

    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="inquiries")
    annotator = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="inquiries")
    text = models.CharField(max_length=2000)
    state = models.CharField(max_length=10, choices=InquiryState, default=InquiryState.OPEN)
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)
    guideline = models.ForeignKey(
        "core.GuidelineVersion", on_delete=models.SET_NULL, null=True, related_name="inquiries"
    )
    idempotency_key = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "inquiries"
        constraints = [
            models.UniqueConstraint(fields=["annotator", "idempotency_key"], name="inquiry_key_unique"),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state=InquiryState.OPEN), name="inquiry_open")]

    def __str__(self) -> str:
        return self.text
