import uuid

from django.db import models
from django.db.models import Q

from core.choices import LeaseState, Pass, SkipReason
from core.models.base import Created


class Lease(Created):
    """An item handed to one annotator until a time. Its id fences the submit: whoever holds it may answer.

    ``suggestion`` is what a run has to say of the item, as selectors.suggestion words it, whether it was shown or
    withheld; null where there was nothing to suggest.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="leases", db_index=False)
    item_version = models.PositiveSmallIntegerField()
    annotator = models.ForeignKey(
        "core.Membership", on_delete=models.CASCADE, related_name="leases", db_index=False
    )
    state = models.CharField(max_length=10, choices=LeaseState, default=LeaseState.ACTIVE)
    pass_kind = models.CharField(max_length=10, choices=Pass, default=Pass.NORMAL)
    repeat = models.PositiveSmallIntegerField(default=1)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, choices=SkipReason, blank=True)
    note = models.CharField(max_length=1000, blank=True)
    idempotency_key = models.CharField(max_length=64, blank=True)
    relabel = models.ForeignKey(
        "core.Relabel", on_delete=models.PROTECT, null=True, related_name="leases", db_index=False
    )
    suggestion = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "annotator"], condition=Q(state=LeaseState.ACTIVE), name="lease_active_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["item", "annotator"], name="lease_item_annotator"),
            models.Index(
                fields=["annotator"], condition=Q(state=LeaseState.ACTIVE), name="lease_of_annotator"
            ),
            models.Index(fields=["expires_at"], condition=Q(state=LeaseState.ACTIVE), name="lease_expiry"),
            models.Index(
                fields=["annotator", "closed_at"],
                condition=Q(state=LeaseState.DEFERRED),
                name="lease_deferred",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} lease of item {self.item_id}"


class Flag(Created):
    """A note that an annotator left on an item, for the lead."""

    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="flagged")
    annotator = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="flags")
    note = models.CharField(max_length=1000, blank=True)
    broken = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=64)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "idempotency_key"], name="flag_key_unique"),
        ]

    def __str__(self) -> str:
        return self.note
