"""What a lead does with items, and that the counters follow."""

from typing import Any

import pytest

from core.choices import ItemState, Lane, LeaseState
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import Batch, Event, Flag, Item, ItemVersion, Lease, Membership, Notice
from core.selectors.check_data import findings
from core.selectors.progress import progress_of
from core.services.annotation import Work, submit
from core.services.item import (
    assign_batch,
    correct_item,
    resolve_flags,
    restore_item,
    return_item,
    withdraw_item,
)
from core.services.lease import hand_out
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.imports import csv_items, import_file


@pytest.fixture
def lead(actors: Actors, media: Any) -> Membership:
    """Alice, with three items in her project."""
    member = actors.membership(actors.alice)
    import_file(member, csv_items("a", "b", "c"))
    return member


def answer(actors: Actors, person: Any, count: int = 1) -> list[Item]:
    """Somebody answers the next items."""
    given = hand_out(actors.membership(person), count)
    for lease in given.leases:
        submit(actors_of(person), lease.pk, f"key-{lease.pk}", Work({"answer": "yes"}, count=0))
    return [lease.item for lease in given.leases]


def actors_of(person: Any) -> Any:
    from core.access import Actor

    return Actor(person)


def test_a_withdrawn_item_is_handed_out_no_more_and_its_leases_end(actors: Actors, lead: Membership) -> None:
    held = hand_out(actors.membership(actors.bob), 1).leases[0].item
    assert withdraw_item(lead, held.pk).state == ItemState.WITHDRAWN
    assert Lease.objects.get().state == LeaseState.RELEASED
    assert {lease.item_id for lease in hand_out(actors.membership(actors.carol), 3).leases} == set(
        Item.objects.exclude(pk=held.pk).values_list("pk", flat=True)
    )
    assert progress_of(lead.project_id).items == 2
    assert list(findings()) == []
    with pytest.raises(Conflict, match="withdrawn already"):
        withdraw_item(lead, held.pk)


def test_a_restored_item_comes_back_with_its_answers(actors: Actors, lead: Membership) -> None:
    done = answer(actors, actors.bob)[0]
    withdraw_item(lead, done.pk)
    assert (progress_of(lead.project_id).items, progress_of(lead.project_id).items_done) == (2, 0)
    restored = restore_item(lead, done.pk)
    assert (restored.state, restored.done, restored.free) == (ItemState.OPEN, 1, 0)
    assert (progress_of(lead.project_id).items, progress_of(lead.project_id).items_done) == (3, 1)
    assert list(findings()) == []
    with pytest.raises(Conflict, match="not withdrawn"):
        restore_item(lead, done.pk)


def test_an_unanswered_restored_item_is_handed_out_first(actors: Actors, lead: Membership) -> None:
    last = Item.objects.order_by("-position")[0]
    withdraw_item(lead, last.pk)
    assert restore_item(lead, last.pk).lane == Lane.RETURNED
    assert hand_out(actors.membership(actors.bob), 1).leases[0].item == last


def test_an_item_with_the_lead_is_returned_to_the_annotators(actors: Actors, lead: Membership) -> None:
    item = Item.objects.all()[0]
    Item.objects.filter(pk=item.pk).update(state=ItemState.WITH_LEAD, free=0, skips=2)
    back = return_item(lead, item.pk)
    assert (back.state, back.free, back.skips) == (ItemState.OPEN, 1, 0)
    assert hand_out(actors.membership(actors.bob), 1).leases[0].item == item
    assert list(findings()) == []
    with pytest.raises(Conflict, match="does not wait for the lead"):
        return_item(lead, item.pk)


def test_a_correction_is_a_new_version_and_the_old_answers_stay_with_the_old(
    actors: Actors, lead: Membership
) -> None:
    item = answer(actors, actors.bob)[0]
    Item.objects.filter(pk=item.pk).update(target=2, free=1)
    recount(lead.project_id)
    hand_out(actors.membership(actors.carol), 3)
    corrected = correct_item(lead, item.pk, 1, data={"text": "Corrected"})
    assert (corrected.version, corrected.data, corrected.done, corrected.leased) == (
        2,
        {"text": "Corrected"},
        0,
        0,
    )
    assert (corrected.target, corrected.free) == (1, 1)
    old = ItemVersion.objects.get()
    assert (old.version, old.data, old.replaced_by) == (1, item.data, actors.alice)
    assert progress_of(lead.project_id).annotations == 0
    assert hand_out(actors.membership(actors.bob), 1).leases[0].item == item
    assert list(findings()) == []


def test_a_correction_made_on_an_old_version_is_refused(lead: Membership) -> None:
    item = Item.objects.all()[0]
    correct_item(lead, item.pk, 1, data={"text": "First"})
    with pytest.raises(Stale) as stale:
        correct_item(lead, item.pk, 1, data={"text": "Second"})
    assert stale.value.data == {"version": 2}
    assert Item.objects.get(pk=item.pk).data == {"text": "First"}


def test_new_metadata_alone_are_no_new_version(actors: Actors, lead: Membership) -> None:
    item = answer(actors, actors.bob)[0]
    changed = correct_item(lead, item.pk, 1, meta={"source": "web"})
    assert (changed.version, changed.meta, changed.done) == (1, {"source": "web"}, 1)
    assert not ItemVersion.objects.exists()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "no-data"),
        ("text", "not-an-object"),
        ({"a": float("nan")}, "bad-data"),
        ({"a": "\ud800"}, "bad-data"),
        ({"a": "\0"}, "nul-character"),
        ({"a": "x" * 2**20}, "item-too-large"),
    ],
)
def test_data_that_cannot_be_stored_are_refused(lead: Membership, data: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        correct_item(lead, Item.objects.all()[0].pk, 1, data=data)
    assert refused.value.code == code
    assert not ItemVersion.objects.exists()


def test_notes_are_marked_as_read(actors: Actors, lead: Membership) -> None:
    item = Item.objects.all()[0]
    bob = actors.membership(actors.bob)
    Flag.objects.create(item=item, annotator=bob, note="blurry", idempotency_key="k")
    Item.objects.filter(pk=item.pk).update(flags=1)
    assert resolve_flags(lead, item.pk).flags == 0
    assert Flag.objects.get().resolved_at is not None


def test_a_batch_given_to_somebody_goes_to_nobody_else(actors: Actors, lead: Membership) -> None:
    import_file(lead, csv_items("x", "y"))
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    assign_batch(lead, 2, [bob.pk])
    assert {lease.item.external_id for lease in hand_out(carol, 5).leases} == {"a", "b", "c"}
    bob.refresh_from_db()
    assert bob.has_batches
    assert {lease.item.external_id for lease in hand_out(bob, 2).leases} == {"x", "y"}
    assert list(findings()) == []


def test_a_batch_given_back_goes_to_everybody(actors: Actors, lead: Membership) -> None:
    bob = actors.membership(actors.bob)
    assign_batch(lead, 1, [bob.pk])
    assert hand_out(actors.membership(actors.carol), 1).leases == []
    assign_batch(lead, 1, [])
    assert len(hand_out(actors.membership(actors.carol), 1).leases) == 1
    bob.refresh_from_db()
    assert not bob.has_batches
    assert list(findings()) == []


def test_whoever_gets_a_batch_is_told_once(actors: Actors, lead: Membership) -> None:
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    withdraw_item(lead, Item.objects.earliest("pk").pk)

    assign_batch(lead, 1, [bob.pk])
    assign_batch(lead, 1, [bob.pk, carol.pk, lead.pk])
    assign_batch(lead, 1, [carol.pk])

    told = Notice.objects.order_by("pk")
    assert [(one.member_id, one.kind) for one in told] == [(bob.pk, "assigned"), (carol.pk, "assigned")]
    name = Batch.objects.get(number=1).name
    assert all(one.data == {"batch": name, "number": 1, "items": 2} for one in told)


def test_a_batch_is_given_to_members_who_can_sign_in_only(actors: Actors, lead: Membership) -> None:
    eve = Membership.objects.get(user=actors.eve)
    imported = Membership.objects.create(project=lead.project, name="w1")
    for stranger in (eve, imported):
        with pytest.raises(Invalid) as refused:
            assign_batch(lead, 1, [stranger.pk])
        assert refused.value.code == "unknown-member"


def test_things_of_another_project_do_not_exist(actors: Actors, lead: Membership) -> None:
    eve = Membership.objects.select_related("project", "user").get(user=actors.eve)
    item = Item.objects.all()[0]
    for change in (withdraw_item, restore_item, return_item, resolve_flags):
        with pytest.raises(Missing):
            change(eve, item.pk)
    with pytest.raises(Missing):
        correct_item(eve, item.pk, 1, data={"text": "x"})
    with pytest.raises(Missing):
        assign_batch(eve, 1, [])


def test_every_change_leaves_one_line_without_the_items_text(lead: Membership) -> None:
    item = Item.objects.all()[0]
    withdraw_item(lead, item.pk)
    restore_item(lead, item.pk)
    correct_item(lead, item.pk, 1, data={"text": "a secret text"})
    lines = Event.objects.filter(verb__startswith="item.").order_by("pk")
    assert [line.verb for line in lines] == ["item.withdrawn", "item.restored", "item.corrected"]
    assert all("secret" not in str(line.data) for line in lines)
