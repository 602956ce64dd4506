"""Questions about items: who may ask about what, who is told, and two leads who answer at once."""

import pytest

from core.choices import InquiryState, NoticeKind, ProjectState
from core.exceptions import Conflict, Invalid, Missing, Stale, Unprocessable
from core.models import Event, Inquiry, Item, Notice, Project
from core.services.inquiry import LONGEST_TEXT, answer_inquiry, ask, own_item, revision_of
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(actors: Actors) -> Item:
    return make_items(actors.project, "a")[0]


def test_the_leads_are_told_that_somebody_asks_and_not_what(actors: Actors, item: Item) -> None:
    bob = actors.membership(actors.bob)
    asked = ask(bob, item, "  Is a feather a bird?\n", "k")
    assert (asked.made, asked.inquiry.text, asked.inquiry.state) == (True, "Is a feather a bird?", "open")
    (notice,) = Notice.objects.all()
    assert (notice.member, notice.kind) == (actors.membership(actors.alice), NoticeKind.ASKED)
    assert notice.data == {"inquiry": asked.inquiry.pk, "item": "a", "item_id": item.pk, "member": bob.pk}


def test_the_same_key_asks_once(actors: Actors, item: Item) -> None:
    bob = actors.membership(actors.bob)
    first = ask(bob, item, "Why?", "k")
    again = ask(bob, item, "Why?", "k")
    assert (again.made, again.inquiry) == (False, first.inquiry)
    assert Notice.objects.count() == 1
    with pytest.raises(Unprocessable, match="another question"):
        ask(bob, item, "How?", "k")
    assert ask(actors.membership(actors.carol), item, "How?", "k").made


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST_TEXT + 1), "a\0b"])
def test_a_question_is_a_text(actors: Actors, item: Item, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        ask(actors.membership(actors.bob), item, text, "k")
    assert refused.value.errors[0]["pointer"] == "/text"


def test_people_ask_about_what_they_hold_or_have_answered_and_learn_nothing_of_the_rest(
    actors: Actors,
) -> None:
    answered, _open = make_items(actors.project, "answered", "open")
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    make_answer(bob, answered, {"answer": "yes"})
    held = hand_out(carol, 1).leases[0].item
    assert own_item(bob, "answered") == answered
    assert own_item(carol, held.external_id) == held
    make_items(make_project("trees"), "oak")
    told = []
    for name in ("open", "nowhere", "oak"):
        with pytest.raises(Invalid) as refused:
            own_item(bob, name)
        told.append((refused.value.code, refused.value.detail, refused.value.errors))
    assert told[0] == told[1] == told[2]


def test_who_asked_is_told_of_the_answer_and_of_a_better_one(actors: Actors, item: Item) -> None:
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    inquiry = ask(bob, item, "Is a feather a bird?", "k").inquiry
    answered = answer_inquiry(alice, inquiry.pk, " No. ", "0")
    assert (answered.state, answered.answer, answered.answered_by) == ("answered", "No.", actors.alice)
    notice = Notice.objects.get(member=bob)
    assert (notice.kind, notice.data) == (NoticeKind.ANSWERED, {"inquiry": inquiry.pk, "item": "a"})
    assert Event.objects.get(verb="inquiry.answered").thing == "a"
    answer_inquiry(alice, inquiry.pk, "No, but two are.", revision_of(answered))
    assert Notice.objects.filter(member=bob).count() == 2


def test_of_two_leads_the_later_one_is_told(actors: Actors, item: Item) -> None:
    alice = actors.membership(actors.alice)
    inquiry = ask(actors.membership(actors.bob), item, "Is a feather a bird?", "k").inquiry
    answer_inquiry(alice, inquiry.pk, "No.", "0")
    with pytest.raises(Stale):
        answer_inquiry(alice, inquiry.pk, "Yes.", "0")
    assert Inquiry.objects.get().answer == "No."


def test_a_rule_stays_a_rule_when_its_answer_is_put_better(actors: Actors, item: Item) -> None:
    alice = actors.membership(actors.alice)
    inquiry = ask(actors.membership(actors.bob), item, "Is a feather a bird?", "k").inquiry
    Inquiry.objects.update(state=InquiryState.RULE)
    assert answer_inquiry(alice, inquiry.pk, "No.", "0").state == InquiryState.RULE


def test_an_answer_needs_words_and_a_question_of_this_project(actors: Actors, item: Item) -> None:
    alice = actors.membership(actors.alice)
    inquiry = ask(actors.membership(actors.bob), item, "Is a feather a bird?", "k").inquiry
    with pytest.raises(Invalid, match="1 to 5,000"):
        answer_inquiry(alice, inquiry.pk, " ", "0")
    elsewhere = add_member(make_project("trees"), actors.alice, "lead")
    with pytest.raises(Missing):
        answer_inquiry(elsewhere, inquiry.pk, "No.", "0")


def test_nobody_asks_or_answers_in_an_archive(actors: Actors, item: Item) -> None:
    bob = actors.membership(actors.bob)
    inquiry = ask(bob, item, "Is a feather a bird?", "k").inquiry
    Project.objects.filter(pk=actors.project.pk).update(state=ProjectState.ARCHIVED)
    bob, alice = actors.membership(actors.bob), actors.membership(actors.alice)
    with pytest.raises(Conflict):
        ask(bob, item, "And an egg?", "l")
    with pytest.raises(Conflict):
        answer_inquiry(alice, inquiry.pk, "No.", "0")
