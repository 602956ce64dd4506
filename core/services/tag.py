"""Tags: what leads and reviewers note on items, to look at them together."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from core.exceptions import Invalid
from core.models import Item, ItemTag, Membership, Tag
from core.selectors.question import fold
from core.services.archive import check_open
from core.services.audit import record

LONGEST_NAME = 80
LONGEST_KEY = 160
MOST_ITEMS = 1000
MOST_ERRORS = 50


@transaction.atomic
def add_tag(membership: Membership, name: Any, items: Any) -> tuple[str, int]:
    """Put a tag on items, named by their ids in files; returns its name and how many did not have it yet.

    The first spelling of a tag stays. Raises Invalid ``bad-tag``, ``bad-items`` or ``unknown-item``;
    Conflict in an archive.
    """
    name, key = _checked_name(name)
    check_open(membership.project)
    ids = _item_ids(membership.project_id, items)
    tag, _made = Tag.objects.get_or_create(project=membership.project, name_key=key, defaults={"name": name})
    Tag.objects.select_for_update(no_key=True).get(pk=tag.pk)  # two at once count each item once
    known = set(ItemTag.objects.filter(tag=tag, item__in=ids).values_list("item_id", flat=True))
    new = [pk for pk in ids if pk not in known]
    ItemTag.objects.bulk_create(ItemTag(tag=tag, item_id=pk, by=membership.user) for pk in new)
    if new:
        record(membership.user, membership.project, "tag.added", tag.name, items=len(new))
    return tag.name, len(new)


@transaction.atomic
def remove_tag(membership: Membership, name: Any, items: Any) -> tuple[str, int]:
    """Take a tag off items; returns its name and how many had it. Raises as add_tag."""
    name, key = _checked_name(name)
    check_open(membership.project)
    ids = _item_ids(membership.project_id, items)
    tag = Tag.objects.select_for_update(no_key=True).filter(project=membership.project, name_key=key).first()
    if tag is None:
        return name, 0
    removed, _by_model = ItemTag.objects.filter(tag=tag, item__in=ids).delete()
    if removed:
        record(membership.user, membership.project, "tag.removed", tag.name, items=removed)
    return tag.name, removed


def _checked_name(name: Any) -> tuple[str, str]:
    kept = unicodedata.normalize("NFC", " ".join(name.split())) if isinstance(name, str) else ""
    key = fold(kept)
    if not kept or len(kept) > LONGEST_NAME or len(key) > LONGEST_KEY or not kept.isprintable():
        raise Invalid("bad-tag", f"A tag is a text of 1 to {LONGEST_NAME} printable characters.")
    return kept, key


def _item_ids(project_id: int, items: Any) -> list[int]:
    if not isinstance(items, Sequence) or isinstance(items, str) or not 1 <= len(items) <= MOST_ITEMS:
        raise Invalid("bad-items", f"items lists the ids of 1 to {MOST_ITEMS:,} items.")
    if not all(isinstance(name, str) for name in items):
        raise Invalid("bad-items", "The id of an item is a text.")
    known = dict(
        Item.objects.filter(project=project_id, external_id__in=items).values_list("external_id", "pk")
    )
    errors = [
        {
            "pointer": f"/items/{place}",
            "code": "unknown-item",
            "detail": f"The project has no item {name[:80]!r}.",
        }
        for place, name in enumerate(items)
        if name not in known
    ]
    if errors:
        raise Invalid(
            "unknown-item",
            "Some of these items are not here; nothing was changed.",
            errors=errors[:MOST_ERRORS],
        )
    return sorted(known.values())
