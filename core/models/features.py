from django.db import models

from core.models.base import Created


class FeatureSet(Created):
    """How a project's items become numbers: one version of it.

    ``spec`` says what is read and how (numerics.features.Spec), ``basis`` is what was learnt from ``n_items`` of the
    items (weights of columns, directions of the dense projection). Every machine makes the features themselves from
    these two and the items, and keeps them in a folder of its own.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="feature_sets")
    number = models.PositiveIntegerField()
    spec = models.JSONField()
    basis = models.BinaryField()
    n_items = models.PositiveIntegerField()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="feature_set_number_unique"),
        ]

    def __str__(self) -> str:
        return f"features {self.number}"


class ItemVector(models.Model):
    """A vector that somebody brought for an item: float32, little-endian, of one length within a project."""

    item = models.OneToOneField(
        "core.Item", on_delete=models.CASCADE, primary_key=True, related_name="vector"
    )
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"vector of item {self.item_id}"
