from django.db import models

from core.models.base import Created


class Tag(Created):
    """A lead's note on items for error analysis: "blurry", "car noise". ``name_key`` is NFC and case-folded."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=80)
    name_key = models.CharField(max_length=160)

    class Meta:
        ordering = ["name_key"]
        constraints = [models.UniqueConstraint(fields=["project", "name_key"], name="tag_name_unique")]

    def __str__(self) -> str:
        return self.name


class ItemTag(Created):
    """A tag on an item, and who put it there."""

    tag = models.ForeignKey("core.Tag", on_delete=models.CASCADE, related_name="item_tags", db_index=False)
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="item_tags")
    by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "item"], name="item_tag_unique")]

    def __str__(self) -> str:
        return f"tag {self.tag_id} on item {self.item_id}"
