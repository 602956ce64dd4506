"""Reads of tags."""

from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet

from core.models import ItemTag, Tag
from core.selectors.question import fold


def tags_of(project_id: int) -> QuerySet[Tag]:
    """The tags that some item of a project has, in the order of their names."""
    used = ItemTag.objects.filter(tag=OuterRef("pk"))
    return Tag.objects.filter(Exists(used), project_id=project_id).order_by("name_key")


def tag_lines(project_id: int) -> list[dict[str, Any]]:
    """The same as the API tells them, each with the number of its items."""
    counted = Tag.objects.filter(project_id=project_id).values_list("name", Count("item_tags"))
    return [{"name": name, "n_items": n} for name, n in counted.order_by("name_key") if n]


def items_tagged(project_id: int, name: str) -> QuerySet[ItemTag, int]:
    """The ids of a project's items that have this tag, whatever its case or Unicode form."""
    rows = ItemTag.objects.filter(tag__project_id=project_id, tag__name_key=fold(name))
    return rows.order_by().values_list("item_id", flat=True)
