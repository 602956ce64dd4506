"""Where the items of a report on aggregation are found, as far as their reader may know their labels."""

from collections.abc import Collection

from core.models import Item, Membership
from core.selectors.lease import in_hand


def items_called(reader: Membership, names: Collection[str]) -> dict[str, int | None]:
    """The keys of items by what they are called; None while the reader holds the item."""
    held = set(in_hand(reader).filter(item__external_id__in=names).values_list("item_id", flat=True))
    found = Item.objects.filter(project=reader.project, external_id__in=names)
    return {name: None if pk in held else pk for name, pk in found.values_list("external_id", "pk")}
