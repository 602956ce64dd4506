"""What features are made of: which items there are, in which version, and what is in them."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Max, Min, QuerySet

from core.choices import ImportKind, ImportState, ItemState
from core.models import Asset, FeatureSet, Import, Item, ItemVector, ItemVersion, Project
from core.selectors.packed import packed

Ints = npt.NDArray[np.int64]
UInts64 = npt.NDArray[np.uint64]

CHUNK = 5_000
PLACES, AT_EACH = 20, 10


def tie_of(external_id: str) -> int:
    """The number by which ties between items are broken: a 64-bit hash of the item's id (BLAKE2b)."""
    return tie_of_name(external_id.encode())


def tie_of_name(name: bytes) -> int:
    """The same for an id in UTF-8."""
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big")


class ItemKeys(NamedTuple):
    """Items by their row ids, ascending."""

    item: Ints
    version: Ints


def item_keys(project: Project, among: QuerySet[Item] | None = None) -> ItemKeys:
    """The items that are not withdrawn, or those of ``among`` which must be of the project."""
    items = (
        Item.objects.filter(project=project).exclude(state=ItemState.WITHDRAWN) if among is None else among
    )
    rows: QuerySet[Any, tuple[Any, ...]] = items.order_by().values_list("pk", "version")
    item, version = packed(rows, ["i8", "i8"])
    order = np.argsort(item, kind="stable")
    return ItemKeys(item[order], version[order])


def ties_of(project: Project, item: Ints) -> UInts64:
    """The ties of some items, in their order. Raises KeyError where one is not of the project."""
    found = np.zeros(item.size, dtype=np.uint64)
    order = np.argsort(item, kind="stable")
    ordered = item[order]
    for start in range(0, item.size, CHUNK):
        part = ordered[start : start + CHUNK]
        rows = _between(project, part).values_list("pk", "external_id")
        pairs = [(pk, tie_of(external_id)) for pk, external_id in rows.iterator(CHUNK)]
        ids = np.array([pk for pk, _tie in pairs], dtype=np.int64)
        ties = np.array([tie for _pk, tie in pairs], dtype=np.uint64)
        if not np.isin(part, ids).all():
            raise KeyError("items that are not of the project")
        by_id = np.argsort(ids)
        found[order[start : start + CHUNK]] = ties[by_id][np.searchsorted(ids[by_id], part)]
    return found


def _between(project: Project, ordered: Ints) -> QuerySet[Item]:
    """The items of some ascending ids: by their range where they fill it, else one by one (with others between)."""
    items = Item.objects.filter(project=project).order_by()
    low, high = int(ordered[0]), int(ordered[-1])
    if high - low < 2 * ordered.size:
        return items.filter(pk__gte=low, pk__lte=high)
    return items.filter(pk__in=ordered.tolist())


class Content(NamedTuple):
    """What is in one version of an item; ``vector`` as ItemVector keeps it."""

    item: int
    version: int
    data: dict[str, Any]
    vector: bytes | None


def contents_of(project: Project, item: Ints, version: Ints, *, vectors: bool) -> list[Content]:
    """What is in these versions of at most some thousand items, by item; those that do not exist are left out."""
    order = np.lexsort((version, item))
    wanted = list(zip(item[order].tolist(), version[order].tolist(), strict=True))
    rows = _between(project, item[order]).values_list("pk", "version", "data")
    known = {(pk, number): data for pk, number, data in rows.iterator(CHUNK)}
    older = [pk for pk, number in wanted if (pk, number) not in known]
    if older:
        versions = ItemVersion.objects.filter(item__project=project, item__in=older)
        known |= {
            (pk, number): data for pk, number, data in versions.values_list("item_id", "version", "data")
        }
    brought = _vectors(item) if vectors else {}
    return [Content(*key, known[key], brought.get(key[0])) for key in wanted if key in known]


def _vectors(item: Ints) -> dict[int, bytes]:
    vectors = ItemVector.objects.filter(item__in=item.tolist()).values_list("item_id", "content")
    return {pk: bytes(content) for pk, content in vectors}


def sample_of(project: Project, most: int) -> ItemKeys:
    """The ``most`` items with the smallest ties that are not withdrawn, in the order of their ties."""
    items = Item.objects.filter(project=project).exclude(state=ItemState.WITHDRAWN).order_by()
    keys: list[tuple[int, int, int]] = []
    for pk, version, external_id in items.values_list("pk", "version", "external_id").iterator(CHUNK):
        keys.append((tie_of(external_id), pk, version))
        if len(keys) >= 4 * most:
            keys = sorted(keys)[:most]
    keys = sorted(keys)[:most]
    return ItemKeys(
        np.array([pk for _tie, pk, _version in keys], dtype=np.int64),
        np.array([version for _tie, _pk, version in keys], dtype=np.int64),
    )


def spot_of(project: Project) -> list[int]:
    """Some items that are not withdrawn, from places that are evenly spread over the project; few are read for it."""
    items = Item.objects.filter(project=project).order_by("pk")
    ends = items.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return []
    found: set[int] = set()
    for place in range(PLACES):
        low = ends["low"] + place * (ends["high"] - ends["low"]) // PLACES
        here = items.filter(pk__gte=low).exclude(state=ItemState.WITHDRAWN)
        found.update(here.values_list("pk", flat=True)[:AT_EACH])
    return sorted(found)


def n_vectors(item: Sequence[int]) -> int:
    """How many of these items have a brought vector."""
    return ItemVector.objects.filter(item__in=item).count()


def image_hashes(project: Project, names: Iterable[str]) -> dict[str, str]:
    """The hashes of the project's pictures with these names."""
    assets = Asset.objects.filter(project=project, name__in=set(names))
    return dict(assets.values_list("name", "sha256"))


def latest_feature_set(project: Project) -> FeatureSet | None:
    """The project's features in force."""
    return FeatureSet.objects.filter(project=project).order_by("-number").first()


def vectors_came_after(feature_set: FeatureSet) -> bool:
    """Whether vectors were brought for items since these features were made."""
    return Import.objects.filter(
        project=feature_set.project_id,
        kind=ImportKind.EMBEDDINGS,
        state=ImportState.PUBLISHED,
        job__finished_at__gt=feature_set.created_at,
    ).exists()
