"""The page of questions: the lead's list with the items beside, and everybody's own."""

import pytest
from django.urls import reverse

from core.models import Inquiry, Item
from core.services.inquiry import answer_inquiry, ask
from core.services.lease import hand_out
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold, make_items

pytestmark = pytest.mark.django_db
ADDRESS = "/projects/birds/inquiries/"


@pytest.fixture
def item(actors: Actors) -> Item:
    return make_items(actors.project, "a")[0]


@pytest.fixture
def asked(actors: Actors, item: Item) -> Inquiry:
    """Bob has answered yes, Carol no; Bob asks."""
    bob = actors.membership(actors.bob)
    make_answer(bob, item, {"answer": "yes"})
    make_answer(actors.membership(actors.carol), item, {"answer": "no"})
    return ask(bob, item, "Is a feather a bird?", "k").inquiry


def answer_address(inquiry: Inquiry) -> str:
    return reverse("inquiry_answer", args=["birds", inquiry.pk])


def test_the_lead_sees_who_asks_what_about_which_item_and_what_people_said(
    actors: Actors, asked: Inquiry
) -> None:
    page = client_of(actors.alice).get(ADDRESS)
    for words in ("Is a feather a bird?", "bob", "Text of a", "yes: 1", "no: 1", f'id="inquiry-{asked.pk}"'):
        assert words in page.text
    assert page.context["tabs"][0]["n"] == 1


def test_a_lead_who_has_the_item_in_hand_sees_no_answers(actors: Actors, asked: Inquiry) -> None:
    assert hand_out(actors.membership(actors.alice), 1).leases[0].item == asked.item
    text = client_of(actors.alice).get(ADDRESS).text
    assert "Is a feather a bird?" in text
    assert "You have this item in hand." in text
    assert "yes: 1" not in text
    assert "no: 1" not in text


def test_who_asked_reads_the_answer_and_nobody_else_does(actors: Actors, asked: Inquiry) -> None:
    alice = client_of(actors.alice)
    done = alice.post(answer_address(asked), {"answer": "No, it is a part of one.", "seen": "0"})
    assert done["Location"] == ADDRESS
    assert "Is a feather" not in alice.get(ADDRESS).text
    assert "No, it is a part of one." in alice.get(f"{ADDRESS}?state=answered").text
    bob = client_of(actors.bob).get(ADDRESS).text
    assert "No, it is a part of one." in bob
    assert "Alice" not in bob
    assert "yes: 1" not in bob
    for other in (actors.carol, actors.dave):
        assert "feather" not in client_of(other).get(f"{ADDRESS}?state=answered").text
    assert client_of(actors.bob).post(answer_address(asked), {"answer": "x", "seen": "0"}).status_code == 403


def test_an_answer_that_somebody_else_gave_first_is_shown_before_it_is_replaced(
    actors: Actors, asked: Inquiry
) -> None:
    answer_inquiry(actors.membership(actors.alice), asked.pk, "Hers.", "0")
    alice = client_of(actors.alice)
    late = alice.post(answer_address(asked), {"answer": "His.", "seen": "0"})
    assert late.status_code == 412
    assert "Hers." in late.text
    assert "His." in late.text
    (row,) = late.context["rows"]
    assert (
        alice.post(answer_address(asked), {"answer": "His.", "seen": row["form"]["seen"].value()}).status_code
        == 302
    )
    assert Inquiry.objects.get().answer == "His."


def test_an_answer_needs_words_and_a_rule_does_not(actors: Actors, asked: Inquiry) -> None:
    alice = client_of(actors.alice)
    assert alice.post(answer_address(asked), {"answer": "", "seen": "0"}).status_code == 422
    to_editor = alice.post(answer_address(asked), {"answer": "", "seen": "0", "rule": "1"})
    assert to_editor["Location"] == reverse("guideline_new", args=["birds"]) + f"?inquiry={asked.pk}"
    assert Inquiry.objects.get().state == "open"
    missing = reverse("inquiry_answer", args=["birds", asked.pk + 1])
    assert alice.post(missing, {"answer": "x", "seen": "0"}).status_code == 404


def test_an_item_with_gold_is_not_offered_as_an_example(actors: Actors, asked: Inquiry) -> None:
    make_gold(asked.item, "answer", "yes")
    page = client_of(actors.alice).get(reverse("guideline_new", args=["birds"]) + f"?inquiry={asked.pk}")
    assert page.context["inquiry"] == asked
    assert [form.initial for form in page.context["examples"] if form.initial] == []


def test_many_questions_come_twenty_five_at_a_time(actors: Actors, item: Item) -> None:
    bob = actors.membership(actors.bob)
    for number in range(27):
        ask(bob, item, f"Question {number:02}?", f"{number}")
    alice = client_of(actors.alice)
    first = alice.get(ADDRESS)
    assert "Question 26?" in first.text
    assert "Question 01?" not in first.text
    second = alice.get(ADDRESS + first.context["next_url"])
    assert [row["inquiry"].text for row in second.context["rows"]] == ["Question 01?", "Question 00?"]


def test_nobody_has_asked(actors: Actors) -> None:
    assert "Nobody waits for an answer" in client_of(actors.alice).get(ADDRESS).text
    assert "You have asked nothing yet" in client_of(actors.bob).get(ADDRESS).text
