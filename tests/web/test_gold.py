"""The page of gold: warnings, candidates that are confirmed one by one, people, and gold that is taken away."""

from typing import Any

import pytest
from django.urls import reverse

from core.choices import Cause, Pass, PausedBecause
from core.models import Gold, Item, Membership, Project
from core.services.adjudication import settle
from core.services.guideline import publish_guideline
from core.services.pause import pause_for_gold
from core.services.progress import recount
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.project import make_question

pytestmark = pytest.mark.django_db


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Forty items that Bob and Carol may get."""
    made = make_items(actors.project, 40, target=2)
    recount(actors.project.pk)
    return made


def page(actors: Actors, query: str = "") -> str:
    answer = client_of(actors.alice).get(reverse("gold", args=["birds"]) + query)
    assert answer.status_code == 200
    return answer.text


def sent(actors: Actors, **values: Any) -> str:
    answer = client_of(actors.alice).post(reverse("gold_confirm", args=["birds"]), values, follow=True)
    assert answer.status_code == 200
    return answer.text


def settled(actors: Actors, item: Item, value: str = "yes") -> int:
    member = actors.membership(actors.dave)
    made = settle(
        member,
        item.pk,
        "answer",
        value,
        cause=Cause.SLIP,
        comment="It <b>says</b> so.",
        gold_candidate=True,
        revision=0,
    )
    return made.pk


def test_an_empty_page_says_where_gold_comes_from(actors: Actors) -> None:
    text = page(actors)
    assert "There is no gold yet" in text
    assert reverse("import_new", args=["birds"]) in text


def test_a_candidate_is_shown_with_its_reason_and_confirmed(actors: Actors, items: list[Item]) -> None:
    resolution = settled(actors, items[0])
    text = page(actors)
    assert "It &lt;b&gt;says&lt;/b&gt; so." in text
    assert "a slip" in text
    assert "Make gold" in text
    told = sent(actors, do="confirm", resolution=resolution)
    assert "item-1 has gold now." in told
    assert "confirmed; settled by dave" in told
    assert "has no gold of: no" in told


def test_a_question_without_any_gold_is_not_warned_of(actors: Actors, items: list[Item]) -> None:
    make_question(actors.project, "song", ["sings", "silent"], title="Does it sing?")
    make_gold(items[0], "answer", "yes")
    text = page(actors)
    assert "has no gold of: no" in text
    assert "sings, silent" not in text
    assert text.count("has no gold of:") == 1


def test_gold_from_outside_is_replaced_only_after_asking(actors: Actors, items: list[Item]) -> None:
    gold = make_gold(items[0], "answer", "no")
    resolution = settled(actors, items[0])
    text = page(actors)
    assert "gold from outside:" in text
    assert "It said “no” and will say “yes”." in text
    assert "has gold already" in sent(actors, do="confirm", resolution=resolution)
    assert Gold.objects.get() == gold
    sent(actors, do="confirm", resolution=resolution, replaces=gold.pk)
    assert Gold.objects.get().resolution_id == resolution
    assert "is another since you read it" in sent(
        actors, do="confirm", resolution=resolution, replaces=gold.pk
    )


def test_contradicted_gold_can_be_taken_away(actors: Actors, items: list[Item]) -> None:
    gold = make_gold(items[0], "answer", "no")
    for user in (actors.bob, actors.carol, actors.dave):
        make_answer(actors.membership(user), items[0], {"answer": "yes"})
    text = page(actors)
    assert "1 item has gold that nearly everybody contradicts" in text
    assert "0 of 3" in text
    assert "The gold is taken away." in sent(actors, do="remove", gold=gold.pk)
    assert not Gold.objects.exists()
    assert "nothing here under that name" in sent(actors, do="remove", gold=gold.pk)


def test_gold_is_entered_by_hand(actors: Actors, items: list[Item]) -> None:
    assert "item-2 has gold now." in sent(actors, do="set", item="item-2", question="answer", value=" yes ")
    assert Gold.objects.get().resolution_id is None
    for wrong in ({"value": "maybe"}, {"item": "robin"}, {"question": "colour"}, {"item": ""}):
        values = {"do": "set", "item": "item-3", "question": "answer", "value": "no", **wrong}
        assert "has gold now" not in sent(actors, **values)
    assert Gold.objects.count() == 1


def test_people_with_their_accuracy_and_why_they_are_paused(actors: Actors, items: list[Item]) -> None:
    bob = actors.membership(actors.bob)
    for place, item in enumerate(items):
        make_gold(item, "answer", "yes")
        said = "yes" if place % 4 == 0 else "no"
        make_answer(bob, item, {"answer": said}, pass_kind=Pass.GOLD)
    Project.objects.filter(slug="birds").update(gold_bound="0.8", gold_rate="0.1")
    pause_for_gold(bob, n=40, right=10, bound=0.8)
    text = page(actors)
    assert "10 of 40" in text
    assert "accuracy on gold below the bound" in text
    assert "surely below 80" in text
    assert "no gold answered" in text
    assert Membership.objects.get(pk=bob.pk).paused_because == PausedBecause.GOLD


def test_all_gold_in_pages_and_by_origin(actors: Actors, items: list[Item]) -> None:
    for item in items[1:30]:
        make_gold(item, "answer", "yes")
    sent(actors, do="confirm", resolution=settled(actors, items[0]))
    first = page(actors)
    after = Gold.objects.order_by("pk")[24].pk
    assert f"?gold={after}#all-gold" in first
    assert ">item-30<" in page(actors, f"?gold={after}")
    confirmed = page(actors, "?origin=confirmed")
    assert ">item-1<" in confirmed
    assert ">item-2<" not in confirmed
    assert page(actors, "?origin=nowhere&gold=x&candidate=-1&question=colour")


def test_a_bound_without_gold_to_judge_by_is_told(actors: Actors, items: list[Item]) -> None:
    make_gold(items[0], "answer", "yes")
    Project.objects.filter(slug="birds").update(gold_bound="0.8")
    assert "nobody is ever judged" in page(actors)
    Project.objects.filter(slug="birds").update(gold_rate="0.2")
    text = page(actors)
    assert "open items with gold: 1" in text
    assert "At this rate one person would be handed about" in text


def test_an_example_of_the_guideline_is_refused_and_told(actors: Actors, items: list[Item]) -> None:
    publish_guideline(actors.membership(actors.alice), "Two.", examples=[{"item": "item-1", "class": "yes"}])
    refused = sent(actors, do="set", item="item-1", question="answer", value="yes")
    assert "The guideline shows this item as an example." in refused
    assert "never handed out" not in refused
    make_gold(items[0], "answer", "yes")  # as an import brings it
    assert "1 item with gold is an example in the guideline: it is never handed out as gold." in page(actors)


def test_candidates_come_twenty_five_at_a_time(actors: Actors, items: list[Item]) -> None:
    made = [settled(actors, item) for item in items[:26]]
    first = page(actors)
    assert f"?candidate={made[24]}#candidates" in first
    assert "Further candidates" in first
    rest = page(actors, f"?candidate={made[24]}")
    assert rest.count("Make gold<span") == 1
    assert "The first candidates" in rest
