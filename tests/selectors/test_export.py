"""Items in chunks by key."""

from core.choices import ItemState
from core.models import Item, Project
from core.selectors.export import CHUNK_ITEMS, FIRST_ITEMS, item_chunks
from tests.factories.answers import make_batch, make_items


def test_the_first_chunk_is_small_and_all_items_come_once_in_order(project: Project) -> None:
    names = [f"i{number:05}" for number in range(FIRST_ITEMS + CHUNK_ITEMS + 5)]
    make_items(project, *reversed(names))

    chunks = list(item_chunks(project))

    assert [len(chunk) for chunk in chunks] == [FIRST_ITEMS, CHUNK_ITEMS, 5]
    assert [item.external_id for chunk in chunks for item in chunk] == names


def test_withdrawn_items_and_those_of_other_batches_stay_out(project: Project) -> None:
    gone, _ = make_items(project, "gone", "stays")
    Item.objects.filter(pk=gone.pk).update(state=ItemState.WITHDRAWN, free=0)
    make_items(project, "later", batch=make_batch(project, "second.csv"))

    assert [item.external_id for chunk in item_chunks(project) for item in chunk] == ["later", "stays"]
    assert [item.external_id for chunk in item_chunks(project, batch=2) for item in chunk] == ["later"]


def test_a_project_without_items_has_no_chunk(project: Project) -> None:
    assert list(item_chunks(project)) == []
