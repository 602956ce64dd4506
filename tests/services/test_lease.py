"""Handing out: nobody over the overlap, nobody twice, nobody stuck."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from core.access import Actor
from core.choices import EmptyBecause, ItemState, Lane, LeaseState, ProjectState
from core.exceptions import Conflict, Invalid, Missing
from core.models import Flag, Item, Lease, Membership, Project
from core.selectors.progress import progress_of
from core.services.annotation import Work, submit
from core.services.item import assign_batch
from core.services.lease import defer, expire_leases, extend_leases, flag, hand_out, release_leases_of, skip
from core.services.membership import remove_member
from core.services.progress import recount
from core.services.project import edit_project, set_state
from tests.conftest import Actors
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(actors: Actors) -> tuple[Membership, Membership, Membership]:
    """Bob, Carol and Dave as members; the project wants two answers an item."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=2)
    return (
        actors.membership(actors.bob),
        actors.membership(actors.carol),
        actors.membership(actors.dave),
    )


def names(leases: list[Lease]) -> list[str]:
    return [lease.item.external_id for lease in leases]


def answer(member: Membership, lease: Lease, value: str = "duck") -> None:
    assert member.user is not None
    key = member.project.questions.get().key
    submit(Actor(member.user), lease.pk, str(uuid4()), Work({key: value}, count=0))


def two(actors: Actors, n: int) -> list[Item]:
    return make_items(Project.objects.get(pk=actors.project.pk), n)


def first_class(actors: Actors) -> str:
    return actors.project.questions.get().classes.first().name  # type: ignore[union-attr]


def test_an_item_is_handed_to_as_many_people_as_the_overlap(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    two(actors, 1)
    bob, carol, dave = people
    assert names(hand_out(bob, 1).leases) == ["item-1"]
    assert names(hand_out(carol, 1).leases) == ["item-1"]
    late = hand_out(dave, 1)
    assert late.leases == []
    assert late.empty_because == EmptyBecause.HELD_BY_OTHERS
    assert late.held_by_others == 1
    assert late.until is not None
    assert Item.objects.values_list("done", "leased", "free").get() == (0, 2, 0)


def test_a_person_never_gets_the_same_item_twice(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 2)
    bob = people[0]
    given = hand_out(bob, 5).leases
    assert names(given) == ["item-1", "item-2"]
    answer(bob, given[0], first_class(actors))
    answer(bob, given[1], first_class(actors))
    after = hand_out(bob, 5)
    assert after.leases == []
    assert after.empty_because == EmptyBecause.ALL_DONE


def test_a_reload_gets_back_what_is_held_already(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 6)
    bob = people[0]
    held = hand_out(bob, 3, []).leases
    assert hand_out(bob, 3, []).leases == held
    assert names(hand_out(bob, 4, [held[0].pk]).leases) == ["item-2", "item-3", "item-4"]
    assert Membership.objects.get(pk=bob.pk).held == 4


def test_at_most_twenty_are_held(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 30)
    bob = people[0]
    assert len(hand_out(bob, 20).leases) == 20
    with pytest.raises(Conflict) as refusal:
        hand_out(bob, 1)
    assert refusal.value.code == "too-many-held"
    with pytest.raises(Invalid):
        hand_out(bob, 21)


def test_a_cap_counts_what_is_answered_and_held(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 5)
    bob = people[0]
    Membership.objects.filter(pk=bob.pk).update(cap=2)
    given = hand_out(bob, 5).leases
    assert len(given) == 2
    for lease in given:
        answer(bob, lease, first_class(actors))
    assert hand_out(bob, 5).empty_because == EmptyBecause.CAPPED


def test_a_paused_project_hands_out_nothing(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 1)
    set_state(actors.membership(actors.alice), ProjectState.PAUSED)
    assert hand_out(people[0], 1).empty_because == EmptyBecause.PAUSED


def test_a_skipped_item_goes_to_others_and_after_two_skips_to_the_lead(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    two(actors, 1)
    bob, carol, dave = people
    skip(hand_out(bob, 1).leases[0].pk, "k1", "too_hard")
    assert hand_out(bob, 1).leases == []
    skip(hand_out(carol, 1).leases[0].pk, "k2", "other", "no idea")
    item = Item.objects.get()
    assert (item.state, item.free, item.skips, item.leased) == (ItemState.WITH_LEAD, 0, 2, 0)
    assert hand_out(dave, 1).leases == []


def test_a_skip_sent_twice_is_one_skip(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 1)
    lease = hand_out(people[0], 1).leases[0]
    skip(lease.pk, "k1", "too_hard")
    skip(lease.pk, "k1", "too_hard")
    assert Item.objects.get().skips == 1
    with pytest.raises(Conflict) as refusal:
        defer(lease.pk, "k2")
    assert refusal.value.code == "lease-closed"


def test_what_was_saved_for_later_comes_back_at_the_end(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    two(actors, 2)
    bob = people[0]
    lease = hand_out(bob, 1).leases[0]
    defer(lease.pk, "k")
    assert Item.objects.get(external_id="item-1").free == 2
    assert names(hand_out(bob, 1).leases) == ["item-2"]
    assert names(hand_out(bob, 1).leases) == ["item-1"]


def test_a_flag_leaves_the_lease_and_a_broken_item_goes_to_the_lead(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    two(actors, 2)
    one, other = hand_out(people[0], 2).leases
    flag(one.pk, "k1", "is this a joke", broken=False)
    flag(one.pk, "k1", "is this a joke", broken=False)
    flag(other.pk, "k2", "the text is cut", broken=True)
    assert Flag.objects.count() == 2
    assert Lease.objects.get(pk=one.pk).state == LeaseState.ACTIVE
    assert Lease.objects.get(pk=other.pk).state == LeaseState.SKIPPED
    assert Item.objects.get(external_id="item-2").state == ItemState.WITH_LEAD


def test_an_expired_lease_is_given_to_the_next_person(actors: Actors, people: tuple[Membership, ...]) -> None:
    Project.objects.update(overlap=1)
    two(actors, 1)
    bob, carol, _dave = people
    hand_out(bob, 1)
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert names(hand_out(carol, 1).leases) == ["item-1"]
    assert Membership.objects.get(pk=bob.pk).held == 0
    assert Item.objects.values_list("leased", "lane").get() == (1, Lane.RETURNED)


def test_a_returned_item_is_handed_out_before_the_rest_of_the_queue(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    Project.objects.update(overlap=1)
    two(actors, 10)
    bob, carol, _dave = people
    hand_out(bob, 2)
    assert names(hand_out(carol, 1).leases) == ["item-3"]
    release_leases_of(bob)
    assert sorted(names(hand_out(carol, 3).leases)) == ["item-1", "item-2", "item-4"]


def test_extending_keeps_only_what_is_still_held(actors: Actors, people: tuple[Membership, ...]) -> None:
    two(actors, 2)
    bob, carol, _dave = people
    one, other = hand_out(bob, 2).leases
    skip(other.pk, "k", "other")
    Lease.objects.update(expires_at=Now() + timedelta(seconds=1))
    assert [lease.pk for lease in extend_leases(bob, [one.pk, other.pk])] == [one.pk]
    assert extend_leases(carol, [one.pk]) == []
    assert expire_leases() == 0


def test_a_batch_given_to_carol_is_handed_to_nobody_else(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    items = two(actors, 2)
    bob, carol, _dave = people
    assign_batch(actors.membership(actors.alice), items[0].batch.number, [carol.pk])
    assert hand_out(bob, 1).leases == []
    assert names(hand_out(carol, 2).leases) == ["item-1", "item-2"]
    assign_batch(actors.membership(actors.alice), items[0].batch.number, [])
    assert names(hand_out(bob, 1).leases) == ["item-1"]


def test_the_database_refuses_a_place_too_many(actors: Actors) -> None:
    from django.db import IntegrityError, transaction

    two(actors, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Item.objects.update(leased=F("target") + 1)


def test_a_hand_out_takes_the_same_statements_for_three_items_and_three_hundred(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    from django.db import connection

    two(actors, 3)
    with CaptureQueriesContext(connection) as few:
        hand_out(people[0], 1)
    two(actors, 300)
    with CaptureQueriesContext(connection) as many:
        hand_out(people[1], 1)
    assert len(few) == len(many)


def test_somebody_who_was_removed_meanwhile_is_handed_nothing(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    two(actors, 1)
    Membership.objects.filter(pk=people[0].pk).update(active=False)
    with pytest.raises(Missing):
        hand_out(people[0], 1)


def test_a_batch_goes_to_everybody_when_its_people_have_left(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    items = two(actors, 1)
    bob, carol, _dave = people
    alice = actors.membership(actors.alice)
    assign_batch(alice, items[0].batch.number, [bob.pk])
    remove_member(alice, bob.pk)
    assert names(hand_out(carol, 1).leases) == ["item-1"]


def test_a_place_that_comes_back_after_the_overlap_was_lowered_is_closed(
    actors: Actors, people: tuple[Membership, ...]
) -> None:
    two(actors, 1)
    bob, carol, dave = people
    alice = actors.membership(actors.alice)
    recount(alice.project_id)
    answer(bob, hand_out(bob, 1).leases[0], first_class(actors))
    lease = hand_out(carol, 1).leases[0]
    edit_project(alice, {"overlap": 1})
    defer(lease.pk, "k")
    assert Item.objects.values_list("target", "done", "leased", "free").get() == (1, 1, 0, 0)
    assert progress_of(alice.project_id).items_done == 1
    assert hand_out(dave, 1).empty_because == EmptyBecause.ALL_DONE
