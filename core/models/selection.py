from django.db import models
from django.db.models import Q

from core.choices import Strategy, Stream
from core.models.base import Created


class Selection(Created):
    """One round of choosing what to label next, with its books.

    ``strategy`` is what was asked for, ``used`` what was done (a cold start has no model). ``n_pool`` items could
    be picked, ``n_labels`` labels had been learnt from. ``pool_digest`` is a hash of the pool's ids in their order,
    ``kappa`` how far the model's predictions agree with those of the round at least 50 labels before, ``predicted`` those predictions
    on a fixed sample of items (one uint16 each), ``report`` what pipelines.selection tells besides. ``applied_at``
    is when the picks went into the queue (null: only looked at), ``ended_at`` when the next round's replaced them.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="selections")
    number = models.PositiveIntegerField()
    question = models.ForeignKey("core.Question", on_delete=models.CASCADE, related_name="+")
    job = models.OneToOneField("core.Job", on_delete=models.SET_NULL, null=True, related_name="selection")
    run = models.ForeignKey("core.Run", on_delete=models.SET_NULL, null=True, related_name="selections")
    feature_set = models.ForeignKey("core.FeatureSet", on_delete=models.SET_NULL, null=True, related_name="+")
    strategy = models.CharField(max_length=20, choices=Strategy)
    used = models.CharField(max_length=20, blank=True)
    size = models.PositiveSmallIntegerField()
    seed = models.BigIntegerField()
    apply = models.BooleanField(default=True)
    changes = models.BigIntegerField(default=0)
    n_pool = models.PositiveIntegerField(default=0)
    n_labels = models.PositiveIntegerField(default=0)
    pool_digest = models.CharField(max_length=64, blank=True)
    kappa = models.FloatField(null=True)
    predicted = models.BinaryField(null=True)
    report = models.JSONField(default=dict)
    applied_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="selection_number_unique"),
        ]

    def __str__(self) -> str:
        return f"round {self.number}"


class SelectionPart(models.Model):
    """What one part of the pool came to: its best items, as pipelines.selection writes them."""

    selection = models.ForeignKey("core.Selection", on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["selection", "number"], name="selection_part_unique"),
        ]

    def __str__(self) -> str:
        return f"part {self.number}"


class Pick(models.Model):
    """An item that a round chose, why, and with which probability it would have been chosen.

    ``inclusion_probability`` is that of the draw for random streams, and 1 for items that a strategy's score and the
    round's seed determine. ``reason`` is for people: the classes between which the model hesitates, the cluster.
    """

    selection = models.ForeignKey("core.Selection", on_delete=models.CASCADE, related_name="picks")
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="picks")
    item_version = models.PositiveSmallIntegerField()
    order = models.PositiveIntegerField()
    stream = models.CharField(max_length=10, choices=Stream)
    score = models.FloatField(null=True)
    inclusion_probability = models.FloatField()
    reason = models.JSONField(default=dict)

    class Meta:
        ordering = ["selection", "order"]
        constraints = [
            models.UniqueConstraint(fields=["selection", "item"], name="pick_unique"),
            models.CheckConstraint(
                condition=Q(inclusion_probability__gt=0, inclusion_probability__lte=1),
                name="pick_probability_range",
            ),
        ]

    def __str__(self) -> str:
        return f"pick {self.order}"
