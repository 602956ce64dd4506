"""Gold that people make: confirmed one by one, never over what is there without saying so, and taken away."""

from typing import Any

import pytest

from core.choices import ItemState, Pass, QuestionKind
from core.exceptions import Conflict, DomainError, Invalid, Missing, Stale
from core.models import Event, Gold, Item, LabelClass, Membership, Project, Resolution
from core.selectors.gold import (
    candidates_of,
    doubtful_gold,
    gold_by_question,
    gold_of_project,
    gold_shown,
    supply_of,
)
from core.selectors.lease import golden
from core.services.adjudication import answer_review, refer, settle
from core.services.gold import confirm_gold, remove_gold, set_gold
from core.services.guideline import publish_guideline
from core.services.lease import hand_out
from core.services.mapping import apply_merge
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.project import add_member, make_question

pytestmark = pytest.mark.django_db


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Five items; Bob and Carol have answered the first and differ."""
    made = make_items(actors.project, 5, target=2)
    make_answer(actors.membership(actors.bob), made[0], {"answer": "yes"})
    make_answer(actors.membership(actors.carol), made[0], {"answer": "no"})
    return made


@pytest.fixture
def alice(actors: Actors) -> Membership:
    """Alice, who leads."""
    return actors.membership(actors.alice)


def settled(member: Membership, item: Item, value: Any = "yes", **more: Any) -> Resolution:
    """A candidate for gold."""
    settings = {"gold_candidate": True, "comment": "it says so", "revision": 0, **more}
    return settle(member, item.pk, settings.pop("question", "answer"), value, **settings)


def refused(make: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        make()
    return caught.value


def test_a_candidate_becomes_gold_that_remembers_where_it_comes_from(
    alice: Membership, items: list[Item]
) -> None:
    resolution = settled(alice, items[0])
    assert [one.pk for one in candidates_of(alice.project)] == [resolution.pk]
    gold = confirm_gold(alice, resolution.pk)
    assert (gold.item_id, gold.resolution_id) == (items[0].pk, resolution.pk)
    assert gold_shown(alice.project, [gold]) == {gold.pk: "yes"}
    assert list(candidates_of(alice.project)) == []
    line = Event.objects.get(verb="gold.confirmed")
    assert (line.thing, line.data["question"]) == ("item-1", "answer")
    remove_gold(alice, gold.pk)
    assert [one.pk for one in candidates_of(alice.project)] == [resolution.pk]


def test_what_the_guideline_shows_becomes_no_gold(alice: Membership, items: list[Item]) -> None:
    resolution = settled(alice, items[0])
    shown = [{"item": item.external_id, "class": "yes"} for item in items[:2]]
    publish_guideline(alice, "Two.", examples=shown)
    publish_guideline(alice, "Three.", examples=[])  # the version before can still be read
    assert refused(lambda: confirm_gold(alice, resolution.pk)).code == "is-example"
    assert refused(lambda: set_gold(alice, items[1].pk, "answer", "yes")).code == "is-example"
    assert not Gold.objects.exists()


def test_gold_that_the_guideline_shows_is_never_handed_out_as_gold(
    alice: Membership, actors: Actors, items: list[Item]
) -> None:
    Project.objects.filter(pk=alice.project_id).update(gold_rate="0.5")
    publish_guideline(alice, "Two.", examples=[{"item": items[1].external_id, "class": "yes"}])
    for item in items[1:3]:
        make_gold(item, "answer", "yes")  # as an import brings it
    supply = supply_of(alice.project)
    assert (supply.usable, supply.examples) == (1, 1)
    assert golden(actors.membership(actors.dave), 0, 10) == [items[2]]


def test_agreement_alone_makes_no_candidate(alice: Membership, actors: Actors, items: list[Item]) -> None:
    for user in (actors.bob, actors.carol, actors.dave):
        make_answer(actors.membership(user), items[1], {"answer": "yes"})
    settled(alice, items[1], gold_candidate=False)
    assert list(candidates_of(alice.project)) == []
    assert not Gold.objects.exists()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (QuestionKind.MULTIPLE, ["red", "blue"]),
        (QuestionKind.MULTIPLE, []),
        (QuestionKind.NUMBER, 3.5),
        (QuestionKind.TEXT, "a robin"),
    ],
)
def test_every_kind_of_value_becomes_gold(
    alice: Membership, items: list[Item], kind: str, value: Any
) -> None:
    classes = ["red", "green", "blue"] if kind == QuestionKind.MULTIPLE else []
    make_question(alice.project, "more", classes, kind=kind)
    Project.objects.filter(pk=alice.project_id).update(schema_version=2)
    alice.project.refresh_from_db()
    gold = confirm_gold(alice, settled(alice, items[0], value, question="more").pk)
    known = set_gold(alice, items[1].pk, "more", value)
    assert gold_shown(alice.project, [gold, known]) == {gold.pk: value, known.pk: value}


def test_gold_from_outside_is_replaced_only_by_who_saw_it(alice: Membership, items: list[Item]) -> None:
    present = make_gold(items[0], "answer", "no")
    resolution = settled(alice, items[0])
    exists = refused(lambda: confirm_gold(alice, resolution.pk))
    assert (exists.code, exists.data) == ("gold-exists", {"gold": present.pk})
    assert isinstance(refused(lambda: confirm_gold(alice, resolution.pk, replaces=present.pk + 1)), Stale)
    gold = confirm_gold(alice, resolution.pk, replaces=present.pk)
    assert list(Gold.objects.all()) == [gold]
    stale = refused(lambda: set_gold(alice, items[0].pk, "answer", "no", replaces=present.pk))
    assert isinstance(stale, Stale)
    assert gold_shown(alice.project, list(Gold.objects.all())) == {gold.pk: "yes"}


def test_what_one_lead_alone_answered_is_no_gold_of_theirs(
    alice: Membership, actors: Actors, items: list[Item]
) -> None:
    make_answer(alice, items[1], {"answer": "yes"})
    resolution = settled(alice, items[1])
    assert refused(lambda: confirm_gold(alice, resolution.pk)).code == "only-your-answer"
    assert refused(lambda: set_gold(alice, items[1].pk, "answer", "yes")).code == "only-your-answer"
    dave = actors.membership(actors.dave)
    (review,) = refer(alice, items[1].pk, "answer", [dave.pk])
    answer_review(dave, review.pk, "yes")
    assert confirm_gold(alice, resolution.pk)


def test_trial_answers_of_a_lead_are_no_answers(alice: Membership, items: list[Item]) -> None:
    make_answer(alice, items[1], {"answer": "yes"}, pass_kind=Pass.TRIAL, repeat=0)
    assert set_gold(alice, items[1].pk, "answer", "yes")


def test_what_is_refused(alice: Membership, actors: Actors, items: list[Item]) -> None:
    eve = Membership.objects.select_related("project").get(user=actors.eve)
    resolution = settled(alice, items[0])
    assert isinstance(refused(lambda: confirm_gold(eve, resolution.pk)), Missing)
    settled(alice, items[0], "no", revision=1)
    overtaken = refused(lambda: confirm_gold(alice, resolution.pk))
    assert (type(overtaken), overtaken.code) == (Conflict, "not-settled")
    wrong = refused(lambda: set_gold(alice, items[1].pk, "answer", "maybe"))
    assert (type(wrong), wrong.errors[0]["pointer"]) == (Invalid, "/value")
    assert refused(lambda: set_gold(alice, items[1].pk, "colour", "red")).code == "unknown-question"
    assert isinstance(refused(lambda: set_gold(eve, items[1].pk, "answer", "yes")), Missing)
    Item.objects.filter(pk=items[2].pk).update(state=ItemState.WITHDRAWN, free=0)
    assert refused(lambda: set_gold(alice, items[2].pk, "answer", "yes")).code == "item-withdrawn"
    recount(alice.project_id)
    held = hand_out(alice, 1).leases[0].item_id
    assert refused(lambda: set_gold(alice, held, "answer", "yes")).code == "item-in-hand"
    gold = set_gold(alice, items[4].pk, "answer", "yes")
    assert isinstance(refused(lambda: remove_gold(eve, gold.pk)), Missing)
    assert not Event.objects.filter(project=eve.project, verb__startswith="gold").exists()


def test_gold_is_counted_by_question_origin_and_class_as_it_is_read(
    alice: Membership, items: list[Item]
) -> None:
    question = make_question(alice.project, "colour", ["red", "pink", "blue"])
    Project.objects.filter(pk=alice.project_id).update(schema_version=2)
    alice.project.refresh_from_db()
    make_gold(items[1], "colour", "red")
    make_gold(items[2], "colour", "pink")
    make_gold(items[3], "colour", "pink")
    Item.objects.filter(pk=items[3].pk).update(state=ItemState.WITHDRAWN, free=0)
    confirm_gold(alice, settled(alice, items[0]).pk)
    ids = {one.name: one.pk for one in LabelClass.objects.filter(question=question)}
    apply_merge(alice, "colour", [ids["red"], ids["pink"]], ids["red"], version=0)
    alice.project.refresh_from_db()
    answer, colour = gold_by_question(alice.project)
    assert (answer.outside, answer.confirmed, answer.without) == (0, 1, ("no",))
    assert (colour.outside, colour.confirmed) == (2, 0)
    assert (dict(colour.classes), colour.without) == ({"red": 2, "blue": 0}, ("blue",))


def test_gold_that_nearly_everybody_contradicts_is_found_worst_first(
    alice: Membership, actors: Actors
) -> None:
    items = make_items(actors.project, 4, target=9)
    people = [add_member(actors.project, None, name=f"w{n}") for n in range(6)]
    for item in items:
        make_gold(item, "answer", "yes")
    said = {0: "nnnnn", 1: "ynnnn", 2: "yynnn", 3: "nn??"}
    names = {"y": "yes", "n": "no", "?": "cannot tell"}
    for place, answers in said.items():
        for person, letter in zip(people, answers, strict=False):
            make_answer(person, items[place], {"answer": names[letter]})
    make_answer(people[5], items[3], {"answer": "no"}, pass_kind=Pass.TRAINING)
    found = doubtful_gold(actors.project)
    assert [(one.gold.item.external_id, one.agreeing, one.n) for one in found] == [
        ("item-1", 0, 5),
        ("item-2", 1, 5),
    ]
    assert {(one.value, one.instead, one.n_instead) for one in found} == {("yes", "no", 5), ("yes", "no", 4)}


def test_sets_and_merged_classes_contradict_as_they_are_read(alice: Membership, actors: Actors) -> None:
    items = make_items(actors.project, 2, target=9)
    make_question(actors.project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    question = make_question(actors.project, "colour", ["red", "pink", "blue"])
    ids = {one.name: one.pk for one in LabelClass.objects.filter(question=question)}
    Project.objects.filter(pk=actors.project.pk).update(schema_version=2)
    make_gold(items[0], "parts", ["wing", "tail"])
    make_gold(items[0], "colour", "red")
    make_gold(items[1], "colour", "red")
    for n in range(3):
        person = add_member(actors.project, None, name=f"w{n}")
        make_answer(person, items[0], {"parts": ["wing"], "colour": "pink"})
        make_answer(person, items[1], {"colour": "blue"})
    alice.project.refresh_from_db()
    apply_merge(alice, "colour", [ids["red"], ids["pink"]], ids["red"], version=0)
    alice.project.refresh_from_db()
    found = doubtful_gold(alice.project)
    assert [(one.gold.item_id, one.value, one.instead) for one in found] == [
        (items[0].pk, ["wing", "tail"], ["wing"]),
        (items[1].pk, "red", "blue"),
    ]


def test_too_little_gold_for_the_rate_is_told(alice: Membership, actors: Actors) -> None:
    """Two annotators share 100 items three times: 150 each, but nobody gets more than 100; a tenth of 90 % is 12."""
    items = make_items(actors.project, 100, target=3)
    recount(actors.project.pk)
    Project.objects.filter(pk=actors.project.pk).update(overlap=3, gold_rate="0.1")
    for item in items[:5]:
        make_gold(item, "answer", "yes")
    Item.objects.filter(pk=items[0].pk).update(state=ItemState.WITHDRAWN, free=0)
    supply = supply_of(Project.objects.get(pk=actors.project.pk))
    assert (supply.usable, supply.needed) == (4, 12)


def test_gold_is_listed_with_its_items_whatever_became_of_them(alice: Membership, items: list[Item]) -> None:
    make_gold(items[1], "answer", "yes")
    Item.objects.filter(pk=items[1].pk).update(state=ItemState.WITHDRAWN, free=0)
    assert [one.item_id for one in gold_of_project(alice.project)] == [items[1].pk]
