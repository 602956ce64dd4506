from django.db import models
from django.db.models import Q

from core.choices import NoticeKind
from core.models.base import Created


class Notice(Created):
    """Something that a member is told within the app. ``data`` holds ids, counts and names, never an item's text."""

    member = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=NoticeKind)
    data = models.JSONField(default=dict)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["member", "id"], condition=Q(read_at__isnull=True), name="notice_unread"),
        ]

    def __str__(self) -> str:
        return self.kind
