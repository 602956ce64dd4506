"""Versions of the guideline: their examples, who is told, and two leads at once."""

from typing import Any

import pytest

from core.choices import InquiryState, NoticeKind, ProjectState
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import Event, GuidelineVersion, LabelClass, Membership, Notice, Project
from core.selectors.guideline import classes_named, example_document, known_to_all, touched_by
from core.services.guideline import MOST_EXAMPLES, publish_guideline
from core.services.inquiry import ask
from core.services.mapping import apply_merge
from tests.conftest import Actors
from tests.factories.answers import make_gold, make_items
from tests.factories.project import add_member, make_project, make_question
from tests.factories.queue import make_training_round

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice_leads(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def documents(version: GuidelineVersion) -> list[dict[str, Any]]:
    return [example_document(one) for one in version.examples.all()]


def codes_of(error: Invalid) -> list[tuple[str, str]]:
    return [(row["pointer"], row["code"]) for row in error.errors]


def test_everybody_who_can_read_it_is_told_once_except_who_wrote_it(
    actors: Actors, alice_leads: Membership
) -> None:
    add_member(actors.project, None)  # an imported annotator cannot read
    Membership.objects.filter(project=actors.project, user=actors.carol).update(active=False)
    publish_guideline(alice_leads, "Look twice.", "Hurry")
    told = Notice.objects.filter(member__project=actors.project)
    assert {notice.member.name for notice in told} == {"bob", "dave"}
    assert {notice.kind for notice in told} == {NoticeKind.GUIDELINE}
    assert told[0].data == {"version": 2, "note": "Hurry"}
    read = Membership.objects.filter(project=actors.project, guideline_read=2)
    assert [member.name for member in read] == ["alice"]


def test_examples_go_on_to_the_next_version_until_they_are_changed(
    actors: Actors, alice_leads: Membership
) -> None:
    make_items(actors.project, "a", "b")
    examples: list[dict[str, Any]] = [
        {"item": "a", "class": "yes", "note": "The whole bird"},
        {"item": "b", "question": "answer", "class": "no", "near_miss": True},
    ]
    second = publish_guideline(alice_leads, "Two.", examples=examples)
    third = publish_guideline(alice_leads, "Three.")
    assert documents(second) == documents(third)
    assert documents(third) == [
        {"item": "a", "question": "answer", "class": "yes", "near_miss": False, "note": "The whole bird"},
        {"item": "b", "question": "answer", "class": "no", "near_miss": True, "note": ""},
    ]
    assert documents(publish_guideline(alice_leads, "Four.", examples=[])) == []
    assert len(documents(third)) == 2


def test_an_example_of_a_merged_class_is_one_of_what_that_is_read_as(
    actors: Actors, alice_leads: Membership
) -> None:
    make_items(actors.project, "a")
    second = publish_guideline(alice_leads, "Two.", examples=[{"item": "a", "class": "no"}])
    yes, no = (LabelClass.objects.get(question__project=actors.project, name=name) for name in ("yes", "no"))
    second.touches.set([no])
    apply_merge(alice_leads, "answer", [yes.pk, no.pk], yes.pk, version=0)
    second = GuidelineVersion.objects.get(pk=second.pk)
    assert [one["class"] for one in documents(second)] == ["yes"]
    assert [spec.name for spec in touched_by(second)] == ["yes"]


def test_every_wrong_example_is_told_with_its_place(actors: Actors, alice_leads: Membership) -> None:
    make_items(actors.project, "a", "b")
    (golden,) = make_items(actors.project, "golden")
    make_gold(golden, "answer", "yes")
    make_question(actors.project, "again", ["yes", "maybe"])
    examples: list[Any] = [
        {"item": "a", "class": "maybe"},
        {"item": "nowhere"},
        {"item": "golden", "class": "maybe"},
        {"item": "a", "class": "yes"},
        {"item": "a", "class": "eagle"},
        {"item": "a", "class": "maybe", "note": "again"},
        {"item": "b", "note": "x" * 501},
        {"item": "b", "class": ["maybe"]},
        {"item": "b", "near_miss": 1},
        {"item": "b", "colour": "red"},
        "b",
    ]
    with pytest.raises(Invalid) as refused:
        publish_guideline(alice_leads, "Two.", examples=examples)
    assert refused.value.code == "bad-examples"
    assert codes_of(refused.value) == [
        ("/examples/1", "unknown-item"),
        ("/examples/2", "has-gold"),
        ("/examples/3", "unknown-class"),  # two questions have a class of that name
        ("/examples/4", "unknown-class"),
        ("/examples/5", "repeated-example"),
        ("/examples/6", "bad-note"),
        ("/examples/7", "bad-example"),
        ("/examples/8", "bad-example"),
        ("/examples/9", "bad-example"),
        ("/examples/10", "bad-example"),
    ]
    assert GuidelineVersion.objects.filter(project=actors.project).count() == 1
    with pytest.raises(Invalid, match="at most 200"):
        publish_guideline(alice_leads, "Two.", examples=[{"item": "a"}] * (MOST_EXAMPLES + 1))


def test_what_got_gold_since_is_no_example_of_the_next_version(
    actors: Actors, alice_leads: Membership
) -> None:
    first, _second = make_items(actors.project, "a", "b")
    publish_guideline(alice_leads, "Two.", examples=[{"item": "a"}, {"item": "b"}])
    make_gold(first, "answer", "yes")
    assert [one["item"] for one in documents(publish_guideline(alice_leads, "Three."))] == ["b"]


def test_examples_of_another_project_are_unknown(actors: Actors, alice_leads: Membership) -> None:
    make_items(make_project("trees"), "oak")
    with pytest.raises(Invalid) as refused:
        publish_guideline(alice_leads, "Two.", examples=[{"item": "oak"}])
    assert codes_of(refused.value) == [("/examples/0", "unknown-item")]


def test_what_rests_on_an_example_is_told(actors: Actors) -> None:
    make_items(actors.project, "plain")
    make_items(actors.project, "stream", audit="stream")
    make_training_round(actors.project, make_items(actors.project, "trained"))
    assert known_to_all(actors.project, ["plain", "stream", "trained"]) == ["stream", "trained"]


def test_whoever_started_from_an_older_version_is_told(actors: Actors, alice_leads: Membership) -> None:
    publish_guideline(alice_leads, "Hers.", seen=1)
    with pytest.raises(Stale) as refused:
        publish_guideline(alice_leads, "His.", seen=1)
    assert refused.value.data == {"version": 2}
    assert GuidelineVersion.objects.filter(project=actors.project).count() == 2


def test_classes_are_touched_by_name(actors: Actors, alice_leads: Membership) -> None:
    make_question(actors.project, "again", ["yes", "maybe"])
    touches = classes_named(actors.project, [{"class": "maybe"}, {"class": "yes", "question": "answer"}])
    version = publish_guideline(alice_leads, "Two.", touches=touches)
    assert [(spec.question.key, spec.name) for spec in touched_by(version)] == [
        ("answer", "yes"),
        ("again", "maybe"),
    ]
    event = Event.objects.get(verb="guideline.published")
    assert event.data["touches"] == sorted(touches)
    with pytest.raises(Invalid) as refused:
        classes_named(actors.project, [{"class": "yes"}, {"class": "no"}])
    assert codes_of(refused.value) == [("/touches/0", "unknown-class")]
    foreign = LabelClass.objects.exclude(question__project=actors.project).first()
    assert foreign is not None
    with pytest.raises(Invalid, match="Not all of these are classes"):
        publish_guideline(alice_leads, "Three.", touches=[foreign.pk])


def test_a_question_that_becomes_a_rule_is_answered_by_it(actors: Actors, alice_leads: Membership) -> None:
    (item,) = make_items(actors.project, "a")
    bob = actors.membership(actors.bob)
    inquiry = ask(bob, item, "Is a feather a bird?", "k").inquiry
    publish_guideline(alice_leads, "A feather is a no.", inquiry_id=inquiry.pk)
    inquiry.refresh_from_db()
    assert (inquiry.state, inquiry.answered_by) == (InquiryState.RULE, actors.alice)
    assert inquiry.answered_at is not None
    notice = Notice.objects.get(member=bob, kind=NoticeKind.ANSWERED)
    assert notice.data == {"inquiry": inquiry.pk, "item": "a", "version": 2}
    with pytest.raises(Missing):
        publish_guideline(alice_leads, "Three.", inquiry_id=inquiry.pk + 1)
    assert Project.objects.get(pk=actors.project.pk).guideline == inquiry.guideline


def test_an_archive_keeps_its_guideline(actors: Actors, alice_leads: Membership) -> None:
    Project.objects.filter(pk=actors.project.pk).update(state=ProjectState.ARCHIVED)
    with pytest.raises(Conflict):
        publish_guideline(alice_leads, "Two.")
