"""Settling items: revisions, who may, two at once, reviews, and that answers never change."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from core.choices import AuditPart, ItemState, NoticeKind, ProjectState, QuestionKind, Role
from core.exceptions import Conflict, DomainError, Invalid, Missing, NotAllowed, Stale
from core.models import Answer, Event, Item, Membership, Notice, Project, Resolution, Review
from core.services.adjudication import Left, answer_review, refer, settle, settle_many, take_back
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member, make_question

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


@pytest.fixture
def dave(actors: Actors) -> Membership:
    return actors.membership(actors.dave)


@pytest.fixture
def frank(actors: Actors) -> Membership:
    """A second lead."""
    return add_member(actors.project, make_user("frank"), Role.LEAD)


@pytest.fixture
def item(actors: Actors) -> Item:
    """Bob says yes, Carol says no."""
    (made,) = make_items(actors.project, "a")
    make_answer(actors.membership(actors.bob), made, {"answer": "yes"})
    make_answer(actors.membership(actors.carol), made, {"answer": "no"})
    return made


def test_a_resolution_stands_beside_the_answers(alice: Membership, item: Item) -> None:
    before = list(Answer.objects.order_by("pk").values())

    made = settle(
        alice, item.pk, "answer", "YES ", cause="slip", comment="Look", gold_candidate=True, revision=0
    )

    assert (made.revision, made.current, made.cause, made.gold_candidate) == (1, True, "slip", True)
    assert made.label_class is not None
    assert made.label_class.name == "yes"
    assert made.guideline == alice.project.guideline
    assert list(Answer.objects.order_by("pk").values()) == before
    (line,) = Event.objects.filter(verb="adjudication.settled")
    assert line.data == {"id": item.pk, "question": "answer", "revision": 1, "cause": "slip"}


def test_settling_anew_is_a_further_revision(alice: Membership, item: Item) -> None:
    first = settle(alice, item.pk, "answer", "yes", revision=0)
    second = settle(alice, item.pk, "answer", "no", revision=1)

    first.refresh_from_db()
    assert (first.current, first.label_class_id is not None) == (False, True)
    assert (second.revision, second.current) == (2, True)


def test_taking_back_is_a_revision_without_a_value(alice: Membership, item: Item) -> None:
    made = settle(alice, item.pk, "answer", "yes", revision=0)

    back = take_back(alice, made.pk, 1)

    assert (back.revision, back.current, back.label_class) == (2, False, None)
    assert not Resolution.objects.filter(current=True).exists()
    with pytest.raises(Stale):
        settle(alice, item.pk, "answer", "no", revision=0)
    assert settle(alice, item.pk, "answer", "no", revision=2).revision == 3
    with pytest.raises(Conflict, match="not what the item is settled as"):
        take_back(alice, made.pk, 3)


def test_whoever_saw_an_older_revision_is_refused(alice: Membership, frank: Membership, item: Item) -> None:
    made = settle(frank, item.pk, "answer", "no", revision=0)
    for late in (
        partial(settle, alice, item.pk, "answer", "yes", revision=0),
        partial(take_back, alice, made.pk, 0),
    ):
        with pytest.raises(Stale) as refused:
            late()
        assert refused.value.data == {"revision": 1}
    assert Resolution.objects.get() == made


def test_a_corrected_item_is_settled_anew_from_the_start(alice: Membership, item: Item) -> None:
    old = settle(alice, item.pk, "answer", "yes", revision=0)
    Item.objects.filter(pk=item.pk).update(version=2)

    made = settle(alice, item.pk, "answer", "no", revision=0)

    assert (made.item_version, made.revision) == (2, 1)
    old.refresh_from_db()
    assert not old.current


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"question_key": "colour"}, "unknown-question"),
        ({"value": "perhaps"}, "invalid-value"),
        ({"value": None}, "invalid-value"),
        ({"cause": "weather"}, "bad-cause"),
        ({"comment": "x" * 5001}, "bad-comment"),
        ({"withdraw": True, "cause": "slip"}, "withdraw-not-broken"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    alice: Membership, item: Item, fields: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        settle(alice, item.pk, **{"question_key": "answer", "value": "yes", "revision": 0, **fields})
    assert refused.value.code == code
    assert refused.value.errors[0]["pointer"].startswith("/")
    assert not Resolution.objects.exists()


def test_every_kind_of_question_can_be_settled(alice: Membership, item: Item) -> None:
    make_question(alice.project, "seen", ["wing", "beak"], kind=QuestionKind.MULTIPLE)
    make_question(alice.project, "size", [], kind=QuestionKind.NUMBER)
    make_question(alice.project, "name", [], kind=QuestionKind.TEXT)
    alice.project.schema_version += 1
    wing, _beak = alice.project.questions.get(key="seen").classes.order_by("order")

    assert settle(alice, item.pk, "seen", ["wing"], revision=0).classes == [wing.pk]
    assert settle(alice, item.pk, "size", 4, revision=0).number == 4.0
    assert settle(alice, item.pk, "name", "", revision=0).text == ""
    assert Resolution.objects.filter(item=item, current=True).count() == 3


def test_a_broken_item_is_withdrawn_when_a_lead_asks_for_it(
    alice: Membership, dave: Membership, item: Item
) -> None:
    with pytest.raises(NotAllowed):
        settle(dave, item.pk, "answer", "no", cause="broken", withdraw=True, revision=0)
    settle(alice, item.pk, "answer", "no", cause="broken", withdraw=True, revision=0)

    item.refresh_from_db()
    assert item.state == ItemState.WITHDRAWN
    with pytest.raises(Conflict, match="withdrawn"):
        settle(alice, item.pk, "answer", "yes", revision=1)


def test_items_of_the_audit_slice_are_settled_like_any_other(alice: Membership, item: Item) -> None:
    for number, part in enumerate((AuditPart.HOLDOUT, AuditPart.STREAM)):
        Item.objects.filter(pk=item.pk).update(audit=part)
        assert settle(alice, item.pk, "answer", "yes", revision=number).current


def test_whoever_has_the_item_in_hand_answers_first(alice: Membership, item: Item) -> None:
    hand_out(alice, 1)
    for early in (
        partial(settle, alice, item.pk, "answer", "yes", revision=0),
        partial(refer, alice, item.pk, "answer", [alice.pk]),
    ):
        with pytest.raises(Conflict) as refused:
            early()
        assert refused.value.code == "item-in-hand"
    assert settle_many(alice, [item.pk], "answer", "yes").left == {item.pk: Left.IN_HAND}


def test_an_archive_and_another_project_are_left_alone(alice: Membership, item: Item, actors: Actors) -> None:
    eve = Membership.objects.select_related("project").get(user=actors.eve)
    with pytest.raises(Missing):
        settle(eve, item.pk, "answer", "yes", revision=0)
    assert settle_many(eve, [item.pk], "answer", "yes").left == {item.pk: Left.NOT_HERE}
    alice.project.state = ProjectState.ARCHIVED
    with pytest.raises(Conflict, match="archived"):
        settle(alice, item.pk, "answer", "yes", revision=0)


def test_many_items_are_each_looked_at_again(alice: Membership, frank: Membership, actors: Actors) -> None:
    items = make_items(actors.project, *"abcde")
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    for item in items:
        make_answer(bob, item, {"answer": "yes"})
        make_answer(carol, item, {"answer": "no"})
    _fine, settled, changed, withdrawn, _also = items
    settle(frank, settled.pk, "answer", "no", revision=0)
    make_answer(frank, changed, {"answer": "no"})
    Item.objects.filter(pk=withdrawn.pk).update(state=ItemState.WITHDRAWN, free=0)

    done = settle_many(
        alice, [item.pk for item in items], "answer", "yes", pattern={"no": 1, "yes": 1}, cause="slip"
    )

    assert [made.item.external_id for made in done.made] == ["a", "e"]
    assert done.left == {
        settled.pk: Left.SETTLED,
        changed.pk: Left.CHANGED,
        withdrawn.pk: Left.WITHDRAWN,
    }
    with pytest.raises(Invalid, match="1 to 500"):
        settle_many(alice, [], "answer", "yes")


def test_many_more_items_take_few_more_statements(alice: Membership, actors: Actors) -> None:
    items = make_items(actors.project, *(f"i{number}" for number in range(25)))
    bob = actors.membership(actors.bob)
    for item in items:
        make_answer(bob, item, {"answer": "no"})
    again = settle(alice, items[0].pk, "answer", "no", revision=0)
    take_back(alice, again.pk, 1)
    counts, done = [], []
    for part in (items[:5], items[5:]):
        with CaptureQueriesContext(connection) as statements:
            done += settle_many(alice, [item.pk for item in part], "answer", "yes", pattern={"no": 1}).made
        counts.append(len(statements))

    assert [one.revision for one in done] == [3] + [1] * 24
    assert Resolution.objects.filter(current=True, label_class__name="yes").count() == 25
    assert Event.objects.filter(verb="adjudication.settled").count() == 26
    few, many = counts
    assert many - few <= 15 * 2


# --- Reviews ------------------------------------------------------------------------------------------


def test_reviewers_are_asked_once_and_told(
    alice: Membership, dave: Membership, frank: Membership, item: Item
) -> None:
    refer(alice, item.pk, "answer", [dave.pk], "Which?")
    (second,) = refer(alice, item.pk, "answer", [dave.pk, frank.pk])

    assert second.reviewer == frank
    told = Notice.objects.filter(kind=NoticeKind.REVIEW).order_by("pk")
    assert [one.member for one in told] == [dave, frank]
    assert told[0].data["item"] == "a"
    assert "Text of" not in str(told[0].data)
    with pytest.raises(Conflict) as refused:
        refer(alice, item.pk, "answer", [dave.pk])
    assert refused.value.code == "asked-already"


def test_only_those_who_may_review_are_asked(alice: Membership, item: Item, actors: Actors) -> None:
    eve = Membership.objects.get(user=actors.eve)
    for nobody in ([], [actors.membership(actors.bob).pk], [eve.pk], [0]):
        with pytest.raises(Invalid) as refused:
            refer(alice, item.pk, "answer", nobody)
        assert refused.value.code == "bad-reviewers"
    assert not Review.objects.exists()


def test_a_review_is_answered_once_by_whom_it_was_asked_of(
    alice: Membership, dave: Membership, item: Item
) -> None:
    (review,) = refer(alice, item.pk, "answer", [dave.pk])
    with pytest.raises(Conflict) as refused:
        answer_review(alice, review.pk, "yes")
    assert refused.value.code == "not-your-review"

    said = answer_review(dave, review.pk, "no", cause="ambiguous", comment="Both fit.")

    assert said.answered_at is not None
    assert said.label_class is not None
    assert (said.label_class.name, said.cause, said.comment) == ("no", "ambiguous", "Both fit.")
    assert not Resolution.objects.exists()
    with pytest.raises(Conflict) as refused:
        answer_review(dave, review.pk, "yes")
    assert refused.value.code == "review-answered"


def test_a_review_of_an_item_that_was_corrected_is_not_wanted_any_more(
    alice: Membership, dave: Membership, item: Item
) -> None:
    (review,) = refer(alice, item.pk, "answer", [dave.pk])
    Item.objects.filter(pk=item.pk).update(version=2)
    with pytest.raises(Conflict) as refused:
        answer_review(dave, review.pk, "yes")
    assert refused.value.code == "review-overtaken"


# --- At once ------------------------------------------------------------------------------------------


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What became of each call, let go together, each in a thread of its own."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(timeout=60)
        try:
            return call()
        except DomainError as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_of_two_leads_at_once_exactly_one_settles(actors: Actors) -> None:
    (item,) = make_items(actors.project, "a")
    leads = [
        actors.membership(actors.alice),
        add_member(actors.project, make_user("frank"), Role.LEAD),
    ]
    project = Project.objects.get(pk=actors.project.pk)
    for lead in leads:
        lead.project = project
    rounds = 20 if connection.vendor == "postgresql" else 5

    for number in range(rounds):
        found = at_once(
            [
                partial(settle, lead, item.pk, "answer", value, comment=f"round {number}", revision=number)
                for lead, value in zip(leads, ("yes", "no"), strict=True)
            ]
        )
        won = [one for one in found if isinstance(one, Resolution)]
        assert len(won) == 1, found
        assert [type(one) for one in found if one not in won] == [Stale]

    kept = Resolution.objects.filter(item=item).order_by("revision")
    assert [one.revision for one in kept] == list(range(1, rounds + 1))
    assert [one.current for one in kept] == [False] * (rounds - 1) + [True]
