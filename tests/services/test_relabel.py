"""Items that are sent out again: one more place each, to somebody else, with the books right."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from core.access import Actor
from core.choices import AuditPart, ItemState, Lane, NoticeKind, ProjectState, RelabelFor, RelabelTo
from core.exceptions import Conflict, Invalid, Missing
from core.models import (
    Annotation,
    Answer,
    Event,
    GuidelineVersion,
    Item,
    LabelClass,
    Membership,
    Notice,
    Project,
    Relabel,
    RelabelItem,
    RelabelPlace,
)
from core.selectors.check_data import findings
from core.selectors.progress import progress_of
from core.selectors.relabel import (
    DRAWN,
    Skipped,
    Wanted,
    items_wanted,
    people_of_relabel,
    progress_of_relabels,
    relabels_of,
)
from core.services.annotation import Work, submit
from core.services.item import assign_batch, correct_item, withdraw_item
from core.services.lease import hand_out
from core.services.progress import recount
from core.services.relabel import Order, close_relabel, preview_send, send_again
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.factories.project import add_member

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


# --- To the same and to named people ------------------------------------------------------------------


def answer_place(place: RelabelPlace, value: str) -> None:
    """The person of a place is handed its item next, and answers it."""
    (lease,) = hand_out(place.annotator, 1).leases
    assert (lease.item_id, lease.relabel_id) == (place.item_id, place.relabel_id)
    submit(Actor(place.annotator.user), lease.pk, str(uuid4()), Work({"answer": value}, count=0))  # type: ignore[arg-type]


def waiting(actors: Actors, user: Any) -> int:
    return int(member(actors, user).waiting)


def test_the_same_people_are_asked_again_and_the_queue_stays_as_it_is(
    actors: Actors, items: list[Item]
) -> None:
    lead = member(actors, actors.alice)
    ids = [items[2].pk, items[0].pk]
    sent = send_again(lead, ids, "A new rule", order=Order(to=RelabelTo.SAME, blind=False))
    assert sent.relabel is not None
    assert (sent.sent, sent.places) == (ids, 2)
    bob = member(actors, actors.bob)
    assert sent.people == {bob.pk: 2}
    assert bob.waiting == 2
    assert not sent.relabel.blind
    asked = RelabelPlace.objects.order_by("pk").values_list("item", "annotator", "item_version")
    assert list(asked) == [(pk, bob.pk, 1) for pk in ids]
    assert places(items[0]) == (1, 1, 0, 0, 0)
    notice = Notice.objects.get(member=bob)
    assert notice.kind == NoticeKind.ASSIGNED
    assert notice.data == {"relabel": sent.relabel.pk, "items": 2, "guideline": None}
    again = send_again(lead, ids, "Once more", order=Order(to=RelabelTo.SAME))
    assert again.skipped == dict.fromkeys(ids, Skipped.WAITS_ALREADY)


def test_people_without_an_account_here_are_told_of(actors: Actors, items: list[Item]) -> None:
    imported = add_member(actors.project, None)
    for item in items[:2]:
        make_answer(imported, item, {"answer": "no"})
        Item.objects.filter(pk=item.pk).update(target=2, done=2)
    make_answer(imported, items[3], {"answer": "no"})
    Item.objects.filter(pk=items[3].pk).update(done=1, free=0)
    Membership.objects.filter(pk=imported.pk).update(answered=3)
    recount(actors.project.pk)
    order = Order(to=RelabelTo.SAME)
    sent = send_again(
        member(actors, actors.alice), [items[0].pk, items[1].pk, items[3].pk], "A rule", order=order
    )
    assert sent.people == {member(actors, actors.bob).pk: 2}
    assert sent.unreachable == {imported.pk: 2}
    assert sent.skipped == {items[3].pk: Skipped.NOBODY_LEFT}


def test_named_people_get_every_item(actors: Actors, items: list[Item]) -> None:
    people = [member(actors, one).pk for one in (actors.carol, actors.dave)]
    order = Order(to=RelabelTo.NAMED, members=people)
    sent = send_again(member(actors, actors.alice), [items[0].pk, items[1].pk], "Experts", order=order)
    assert sent.people == dict.fromkeys(people, 2)
    assert waiting(actors, actors.carol) == 2
    assert places(items[0]) == (1, 1, 0, 0, 0)


def test_a_preview_says_the_same_and_writes_nothing(actors: Actors, items: list[Item]) -> None:
    lead, order = member(actors, actors.alice), Order(to=RelabelTo.SAME)
    ids = [item.pk for item in items]
    seen = preview_send(lead, ids, order)
    assert not Relabel.objects.exists()
    assert waiting(actors, actors.bob) == 0
    sent = send_again(lead, ids, "Now", order=order)
    assert (seen.sent, seen.places, seen.people, seen.skipped) == (
        sent.sent,
        sent.places,
        sent.people,
        sent.skipped,
    )


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (Order(to=RelabelTo.NAMED), "bad-members"),
        (Order(to=RelabelTo.NAMED, members=[0]), "unknown-member"),
        (Order(to=RelabelTo.SAME, members=[1]), "bad-members"),
        (Order(source=RelabelFor.GUIDELINE), "guideline-needed"),
        (Order(guideline=9), "unknown-guideline"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(
    actors: Actors, items: list[Item], order: Order, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        send_again(member(actors, actors.alice), [items[0].pk], "Again", order=order)
    assert refused.value.code == code
    assert not Relabel.objects.exists()


def test_progress_counts_items_and_people_and_whose_answers_changed(
    actors: Actors, items: list[Item]
) -> None:
    lead = member(actors, actors.alice)
    sent = send_again(lead, [item.pk for item in items[:3]], "A rule", order=Order(to=RelabelTo.SAME))
    assert sent.relabel is not None
    first, second, _third = RelabelPlace.objects.select_related(
        "item", "annotator__project", "relabel"
    ).order_by("pk")
    answer_place(first, "yes")
    answer_place(second, "no")
    (told,) = progress_of_relabels(actors.project, relabels_of(actors.project.pk))
    assert (told.items, told.answered, told.waiting, told.dropped) == (3, 2, 1, 0)
    assert (told.kept, told.changed, told.tied) == (1, 1, 0)
    assert (told.places, told.places_answered) == (3, 2)
    (bob,) = people_of_relabel(actors.project, sent.relabel)
    assert (bob.member.name, bob.places, bob.answered, bob.waiting, bob.changed) == ("bob", 3, 2, 1, 1)
    assert Annotation.objects.filter(item=items[1]).count() == 2


def test_closing_drops_what_nobody_has_in_hand(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    sent = send_again(lead, [item.pk for item in items[:3]], "A rule", order=Order(to=RelabelTo.SAME))
    assert sent.relabel is not None
    first = RelabelPlace.objects.select_related("item", "annotator__project", "relabel").earliest("pk")
    answer_place(first, "no")
    assert close_relabel(lead, sent.relabel.pk) == 2
    assert waiting(actors, actors.bob) == 0
    (told,) = progress_of_relabels(actors.project, relabels_of(actors.project.pk))
    assert (told.answered, told.waiting, told.dropped) == (1, 0, 2)
    assert Annotation.objects.get(item=items[0], current=True).relabel_id == sent.relabel.pk
    assert close_relabel(lead, sent.relabel.pk) == 0


def test_what_somebody_has_in_hand_when_a_queue_is_closed_can_be_answered(
    actors: Actors, items: list[Item]
) -> None:
    lead = member(actors, actors.alice)
    sent = send_again(lead, [item.pk for item in items[:2]], "A rule", order=Order(to=RelabelTo.SAME))
    assert sent.relabel is not None
    (lease,) = hand_out(member(actors, actors.bob), 1).leases
    assert close_relabel(lead, sent.relabel.pk) == 1
    assert waiting(actors, actors.bob) == 1
    submit(Actor(actors.bob), lease.pk, str(uuid4()), Work({"answer": "no"}, count=0))
    assert waiting(actors, actors.bob) == 0
    (told,) = progress_of_relabels(actors.project, relabels_of(actors.project.pk))
    assert (told.answered, told.waiting, told.dropped) == (1, 0, 1)


def test_closing_a_queue_for_others_takes_the_further_places_back(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    sent = send_again(lead, [item.pk for item in items[:3]], "Doubtful")
    assert sent.relabel is not None
    assert answer(actors, actors.carol, "no") == items[0].pk
    (held,) = hand_out(member(actors, actors.carol), 1).leases
    assert close_relabel(lead, sent.relabel.pk) == 1
    assert places(items[2]) == (1, 1, 0, 0, 0)
    assert places(items[1]) == (2, 1, 1, 0, 1)
    assert held.item_id == items[1].pk
    assert progress_of(actors.project.pk).items_done == 2
    with pytest.raises(Missing):
        close_relabel(Membership.objects.get(user=actors.eve), sent.relabel.pk)


@pytest.mark.parametrize("to", [RelabelTo.OTHERS, RelabelTo.SAME])
def test_a_long_queue_takes_no_more_statements_than_a_short_one(
    actors: Actors, to: RelabelTo, django_assert_max_num_queries: Any
) -> None:
    Project.objects.filter(pk=actors.project.pk).update(overlap=1)
    made = make_items(Project.objects.get(pk=actors.project.pk), 60, target=1)
    bob = member(actors, actors.bob)
    answered = Annotation.objects.bulk_create(
        Annotation(item=item, annotator=bob, guideline_id=actors.project.guideline_id or 0) for item in made
    )
    yes = LabelClass.objects.get(question__project=actors.project, name="yes")
    Answer.objects.bulk_create(
        Answer(annotation=one, question_id=yes.question_id, label_class=yes) for one in answered
    )
    Item.objects.filter(pk__in=[item.pk for item in made]).update(done=1, free=0)
    Membership.objects.filter(pk=bob.pk).update(answered=60)
    recount(actors.project.pk)
    lead = member(actors, actors.alice)
    with django_assert_max_num_queries(22):
        sent = send_again(lead, [item.pk for item in made], "All", order=Order(to=to))
    assert len(sent.sent) == 60


# --- Which items --------------------------------------------------------------------------------------


def test_a_guideline_change_finds_what_it_touches(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    version = GuidelineVersion.objects.create(project=actors.project, number=2, text="Look closer.")
    version.touches.set(LabelClass.objects.filter(question__project=actors.project, name="no"))
    Project.objects.filter(pk=actors.project.pk).update(guideline=version)
    make_answer(member(actors, actors.carol), items[1], {"answer": "no"}, guideline=version)
    Item.objects.filter(pk=items[1].pk).update(target=2, done=2)
    recount(actors.project.pk)
    Membership.objects.filter(user=actors.carol).update(answered=1)
    found = items_wanted(lead, Wanted(source=RelabelFor.GUIDELINE, guideline=2))
    assert found.ids == [items[2].pk]  # the no of Carol is of the new version
    sent = send_again(
        lead,
        found.ids,
        "Version 2",
        order=Order(to=RelabelTo.SAME, source=RelabelFor.GUIDELINE, guideline=2),
    )
    assert sent.relabel is not None
    assert sent.relabel.guideline == version


def test_what_people_differ_on_or_cannot_tell_or_a_filter_leaves(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    for item, value in ((items[0], "no"), (items[1], "yes"), (items[2], "cannot tell")):
        make_answer(member(actors, actors.carol), item, {"answer": value})
        Item.objects.filter(pk=item.pk).update(target=2, done=2)
    Membership.objects.filter(user=actors.carol).update(answered=3)
    recount(actors.project.pk)
    assert items_wanted(lead, Wanted(source=RelabelFor.AGREEMENT)).ids == [items[0].pk, items[2].pk]
    assert items_wanted(lead, Wanted(source=RelabelFor.UNCERTAIN)).ids == [items[2].pk]
    found = items_wanted(lead, Wanted(filters={"q": "Sentence"}, most=2))
    assert (found.ids, found.left_out) == ([items[0].pk, items[1].pk], 1)
    with pytest.raises(Invalid) as refused:
        items_wanted(lead, Wanted(source=RelabelFor.ERRORS))
    assert refused.value.code == "no-search"


def test_items_of_the_audit_slice_are_drawn_whatever_was_answered(actors: Actors, items: list[Item]) -> None:
    lead = member(actors, actors.alice)
    for item in items[:3]:
        make_answer(member(actors, actors.carol), item, {"answer": "yes"})
        Item.objects.filter(pk=item.pk).update(target=2, done=2, audit=AuditPart.STREAM)
    Item.objects.filter(pk=items[2].pk).update(audit=AuditPart.NONE)
    Membership.objects.filter(user=actors.carol).update(answered=3)
    recount(actors.project.pk)
    found = items_wanted(lead, Wanted(ids=[items[2].pk], drawn=2))
    assert found.drawn == {items[0].pk, items[1].pk}
    assert set(found.ids) == {item.pk for item in items[:3]}
    sent = send_again(lead, found.ids, "A rule", drawn=found.drawn, order=Order(to=RelabelTo.SAME))
    assert RelabelItem.objects.filter(relabel=sent.relabel, reason=DRAWN).count() == 2
    (told,) = progress_of_relabels(actors.project, relabels_of(actors.project.pk))
    assert (told.items, told.drawn, told.places) == (3, 2, 6)


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
