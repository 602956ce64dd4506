from django.db import models
from django.db.models import F, Q

from core.choices import AuditPart, ItemState, Lane
from core.models.base import Created


class Batch(Created):
    """The items that came in with one file."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    file_hash = models.CharField(max_length=64)
    n_items = models.PositiveIntegerField(default=0)
    members = models.ManyToManyField("core.Membership", blank=True, related_name="batches")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="batch_number_unique")]

    def __str__(self) -> str:
        return self.name


class Item(Created):
    """One thing to label, and its places in the queue.

    ``target`` people must answer; ``done`` have, ``leased`` are at it, ``free`` places are left. The
    database itself refuses a count that does not add up, so no race can go over the overlap.
    ``extra`` of the places are beyond the overlap, because somebody asked for the item to be labeled again.
    ``pool`` is the id of the batch when only named people may have it, else 0 (never null: PostgreSQL would
    not read the queue's index in order). ``position`` orders a lane.
    """

    # Its index is item_list below, by which pages of items are read.
    project = models.ForeignKey(
        "core.Project", on_delete=models.CASCADE, related_name="items", db_index=False
    )
    batch = models.ForeignKey("core.Batch", on_delete=models.PROTECT, related_name="items")
    row = models.PositiveIntegerField()
    external_id = models.CharField(max_length=200)
    version = models.PositiveSmallIntegerField(default=1)
    data = models.JSONField()
    meta = models.JSONField(default=dict)
    audit = models.CharField(max_length=8, choices=AuditPart, default=AuditPart.NONE, blank=True)
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.OPEN)
    pool = models.PositiveBigIntegerField(default=0)
    lane = models.PositiveSmallIntegerField(choices=Lane, default=Lane.MAIN)
    position = models.BigIntegerField()
    target = models.PositiveSmallIntegerField()
    done = models.PositiveSmallIntegerField(default=0)
    leased = models.PositiveSmallIntegerField(default=0)
    free = models.PositiveSmallIntegerField()
    extra = models.PositiveSmallIntegerField(default=0, db_default=0)
    skips = models.PositiveSmallIntegerField(default=0)
    flags = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "external_id"], name="item_id_unique"),
            models.CheckConstraint(
                condition=Q(state=ItemState.OPEN, free=F("target") - F("done") - F("leased"))
                | (~Q(state=ItemState.OPEN) & Q(free=0)),
                name="item_places_add_up",
            ),
            models.CheckConstraint(
                condition=Q(target__gte=F("done") + F("leased")), name="item_overlap_kept"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="item_list"),
            models.Index(
                fields=["project", "pool", "lane", "position"], condition=Q(free__gt=0), name="item_queue"
            ),
            models.Index(fields=["project"], condition=Q(state=ItemState.WITH_LEAD), name="item_with_lead"),
            models.Index(fields=["project"], condition=Q(flags__gt=0), name="item_flagged"),
            models.Index(fields=["project"], condition=Q(audit=AuditPart.HOLDOUT), name="item_holdout"),
            # The few items of which not every answer counts, so that no report has to read the other items.
            models.Index(
                fields=["id"],
                condition=Q(version__gt=1) | Q(state=ItemState.WITHDRAWN),
                name="item_exceptional",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class ItemVersion(Created):
    """What an item's data were before they were corrected; answers to them stay with them."""

    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveSmallIntegerField()
    data = models.JSONField()
    meta = models.JSONField()
    replaced_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "version"], name="item_version_unique")]

    def __str__(self) -> str:
        return f"version {self.version}"


class Asset(Created):
    """An uploaded image, named as the items' data name it, served by what it is."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="assets")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    content_type = models.CharField(max_length=40)
    size = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="asset_name_unique")]

    def __str__(self) -> str:
        return self.name


class Gold(Created):
    """Truth defined outside the labeling, or by an expert who confirmed a resolution."""

    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="gold")
    question = models.ForeignKey("core.Question", on_delete=models.CASCADE, related_name="+")
    label_class = models.ForeignKey("core.LabelClass", on_delete=models.PROTECT, null=True, related_name="+")
    label_classes = models.ManyToManyField("core.LabelClass", related_name="+")
    number = models.FloatField(null=True)
    text = models.TextField(null=True)  # noqa: DJ001 -- null is "another kind", the empty string is an answer
    resolution = models.ForeignKey("core.Resolution", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "question"], name="gold_unique")]

    def __str__(self) -> str:
        return f"gold of {self.item_id}"
