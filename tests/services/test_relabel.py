"""Items that are sent out again: one more place each, to somebody else, with the books right."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from core.access import Actor
from core.choices import ItemState, Lane, ProjectState, RelabelTo
from core.exceptions import Conflict, Invalid
from core.models import Annotation, Event, Item, Membership, Project, RelabelItem
from core.selectors.check_data import findings
from core.selectors.progress import progress_of
from core.selectors.relabel import progress_of_relabels, relabels_of
from core.services.annotation import Work, submit
from core.services.item import assign_batch, correct_item, withdraw_item
from core.services.lease import hand_out
from core.services.progress import recount
from core.services.relabel import Skipped, send_again
from tests.conftest import Actors
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _counters_agree() -> Iterator[None]:
    """After every one of these, every counter is what it counts."""
    yield
    assert [(found.rule.name, found.ids) for found in findings()] == []


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Four items for one person each, of which Bob has answered the first three: yes, yes, no."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=1, audit_overlap=1)
    made = make_items(Project.objects.get(pk=actors.project.pk), 4, target=1)
    recount(actors.project.pk)
    for value in ("yes", "yes", "no"):
        answer(actors, actors.bob, value)
    return made


def member(actors: Actors, user: Any) -> Membership:
    return actors.membership(user)


def answer(actors: Actors, user: Any, value: str) -> int:
    """The next item of somebody, answered; its key."""
    (lease,) = hand_out(actors.membership(user), 1).leases
    submit(Actor(user), lease.pk, str(uuid4()), Work({"answer": value}, count=0))
    return int(lease.item_id)


def places(item: Item) -> tuple[Any, ...]:
    return Item.objects.values_list("target", "done", "leased", "free", "extra").get(pk=item.pk)


def test_somebody_else_gets_them_before_everything_else_in_the_order_asked(
    actors: Actors, items: list[Item]
) -> None:
    lead = member(actors, actors.alice)
    sent = send_again(
        lead, [items[2].pk, items[0].pk], "The model  doubts them", reasons={items[2].pk: "yes?"}
    )
    assert sent.sent == [items[2].pk, items[0].pk]
    assert not sent.skipped
    assert places(items[2]) == (2, 1, 0, 1, 1)
    assert progress_of(actors.project.pk).items_done == 1
    assert answer(actors, actors.carol, "no") == items[2].pk
    assert answer(actors, actors.carol, "no") == items[0].pk
    assert answer(actors, actors.carol, "no") == items[3].pk
    assert progress_of(actors.project.pk).items_done == 4
    assert Annotation.objects.filter(item=items[0], current=True).count() == 2
    assert sent.relabel is not None
    assert sent.relabel.reason == "The model doubts them"
    assert RelabelItem.objects.get(item=items[2]).reason == "yes?"
    assert Event.objects.get(verb="items.relabeled").data == {"id": sent.relabel.pk, "items": 2}


def test_bob_does_not_get_his_own_items_again(actors: Actors, items: list[Item]) -> None:
    send_again(member(actors, actors.alice), [items[0].pk], "Look again")
    assert answer(actors, actors.bob, "yes") == items[3].pk
    assert hand_out(member(actors, actors.bob), 1).leases == []


def test_what_cannot_be_sent_is_told_with_why(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    withdraw_item(lead, items[1].pk)
    send_again(lead, [items[0].pk], "Once")
    sent = send_again(lead, [*(item.pk for item in items), 10**9], "All of them")
    assert sent.sent == [items[2].pk]
    assert sent.skipped == {
        items[0].pk: Skipped.WAITS_ALREADY,
        items[1].pk: Skipped.NOT_OPEN,
        items[3].pk: Skipped.NOT_ANSWERED,
        10**9: Skipped.NOT_HERE,
    }
    again = send_again(lead, [items[0].pk], "Twice")
    assert again.relabel is None
    assert relabels_of(actors.project.pk).count() == 2


def test_an_item_that_all_have_answered_or_hold_stays(actors: Actors, items: list[Item]) -> None:
    """Carol is the only other person; once she holds the extra place, there is nobody for one more."""
    lead = member(actors, actors.alice)
    send_again(lead, [items[0].pk], "Once")
    (lease,) = hand_out(member(actors, actors.carol), 1).leases
    assert lease.item_id == items[0].pk
    assert send_again(lead, [items[0].pk], "Twice").skipped == {items[0].pk: Skipped.WAITS_ALREADY}
    submit(Actor(actors.carol), lease.pk, str(uuid4()), Work({"answer": "no"}, count=0))
    assert send_again(lead, [items[0].pk], "Again").skipped == {items[0].pk: Skipped.NOBODY_LEFT}
    Membership.objects.filter(user=actors.carol).update(cap=1)
    assert send_again(lead, [items[1].pk], "Her cap is reached").skipped == {items[1].pk: Skipped.NOBODY_LEFT}


def test_the_last_person_is_kept_for_the_place_that_is_free_already(actors: Actors) -> None:
    Project.objects.filter(pk=actors.project.pk).update(overlap=2)
    (item,) = make_items(Project.objects.get(pk=actors.project.pk), 1, target=2)
    recount(actors.project.pk)
    answer(actors, actors.bob, "yes")
    lead = member(actors, actors.alice)
    assert send_again(lead, [item.pk], "Two people, and Carol is the second").skipped == {
        item.pk: Skipped.NOBODY_LEFT
    }
    assert places(item) == (2, 1, 0, 1, 0)


def test_a_batch_of_named_people_has_only_these(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    assign_batch(lead, items[0].batch.number, [member(actors, actors.bob).pk])
    assert send_again(lead, [items[0].pk], "Only Bob may").skipped == {items[0].pk: Skipped.NOBODY_LEFT}
    assign_batch(lead, items[0].batch.number, [member(actors, one).pk for one in (actors.bob, actors.carol)])
    assert send_again(lead, [items[0].pk], "Carol may, too").sent == [items[0].pk]
    assert answer(actors, actors.carol, "no") == items[0].pk


def test_a_queue_tells_how_far_it_is_and_what_it_changed(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    send_again(lead, [item.pk for item in items[:3]], "Look again")
    assert answer(actors, actors.carol, "yes") == items[0].pk  # as Bob
    assert answer(actors, actors.carol, "no") == items[1].pk  # against Bob: even
    correct_item(lead, items[2].pk, 1, data={"text": "Another sentence."})
    (told,) = progress_of_relabels(actors.project, relabels_of(actors.project.pk))
    assert (told.items, told.answered, told.waiting, told.dropped) == (3, 2, 0, 1)
    assert (told.question, told.kept, told.changed, told.tied) == ("answer", 1, 0, 1)


def test_an_answer_that_cannot_tell_is_outvoted_by_the_next(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1, target=1)
    recount(actors.project.pk)
    answer(actors, actors.bob, "cannot tell")
    send_again(member(actors, actors.alice), [item.pk], "Bob cannot tell")
    answer(actors, actors.carol, "no")
    (told,) = progress_of_relabels(actors.project, relabels_of(actors.project.pk))
    assert (told.kept, told.changed, told.tied) == (0, 1, 0)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\0b", None])
def test_a_reason_is_needed(actors: Actors, items: list[Item], reason: Any) -> None:
    with pytest.raises(Invalid) as refused:
        send_again(member(actors, actors.alice), [items[0].pk], reason)
    assert refused.value.code == "bad-reason"
    assert refused.value.errors[0]["pointer"] == "/reason"


@pytest.mark.parametrize("to", [RelabelTo.SAME, RelabelTo.NAMED])
def test_to_the_same_or_named_people_is_not_offered(actors: Actors, items: list[Item], to: RelabelTo) -> None:
    with pytest.raises(Invalid, match="others") as refused:
        send_again(member(actors, actors.alice), [items[0].pk], "Again", to=to)
    assert refused.value.code == "not-offered"
    assert places(items[0]) == (1, 1, 0, 0, 0)


def test_an_archive_stays_as_it_is(actors: Actors, items: list[Item]) -> None:
    Project.objects.filter(pk=actors.project.pk).update(state=ProjectState.ARCHIVED)
    with pytest.raises(Conflict) as refused:
        send_again(member(actors, actors.alice), [items[0].pk], "Again")
    assert refused.value.code == "project-archived"


def test_the_lead_of_another_project_reaches_nothing_here(actors: Actors, items: list[Item]) -> None:
    eve = Membership.objects.select_related("project").get(user=actors.eve)
    sent = send_again(eve, [items[0].pk], "Mine?")
    assert sent.relabel is None
    assert sent.skipped == {items[0].pk: Skipped.NOT_HERE}
    assert Item.objects.get(pk=items[0].pk).state == ItemState.OPEN
    assert Item.objects.get(pk=items[0].pk).lane == Lane.MAIN
