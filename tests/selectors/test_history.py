"""The history of an item: every event in order, told as its reader may see it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.choices import Cause, LeaseState, Pass, QuestionKind, RelabelTo
from core.models import Item, Lease, Membership, Project
from core.selectors.adjudication import resolution_document, resolution_of
from core.selectors.gold_accuracy import gold_answers
from core.selectors.history import HistoryEvent, item_history
from core.selectors.item import item_of
from core.selectors.pseudonym import pseudonym
from core.services.adjudication import answer_review, refer, settle, take_back
from core.services.annotation import correct
from core.services.gold import set_gold
from core.services.item import correct_item, restore_item, withdraw_item
from core.services.lease import flag, hand_out, skip
from core.services.mapping import apply_merge, apply_rename, apply_standardise, revert
from core.services.relabel import Order, send_again
from core.services.tag import add_tag
from core.services.void import undo_void, void_annotations
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question
from tests.factories.queue import answer, fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(actors: Actors) -> Item:
    return make_items(actors.project, "a", target=2, free=2)[0]


@pytest.fixture
def lead(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def told(item: Item, reader: Membership) -> list[HistoryEvent]:
    events = item_history(item_of(item.project_id, item.pk), fresh(reader))
    assert events is not None
    return events


def kinds(item: Item, reader: Membership) -> list[str]:
    return [event.kind for event in told(item, reader)]


def one(item: Item, reader: Membership, kind: str) -> HistoryEvent:
    return next(event for event in told(item, reader) if event.kind == kind)


def test_only_leads_are_told_what_tells_gold(actors: Actors, item: Item, lead: Membership) -> None:
    bob, carol, dave = (actors.membership(who) for who in (actors.bob, actors.carol, actors.dave))
    answer(bob, hand_out(bob, 1).leases[0])
    set_gold(lead, item.pk, "answer", "no")
    for member in (carol, dave):
        Lease.objects.create(
            item=item,
            annotator=member,
            item_version=1,
            pass_kind=Pass.GOLD,
            state=LeaseState.SUBMITTED,
            expires_at=timezone.now(),
        )
        make_answer(member, item, {"answer": "yes"}, pass_kind=Pass.GOLD)
    assert "gold-set" in kinds(item, lead)
    assert kinds(item, lead).count("answered") == kinds(item, lead).count("handed-out") == 3
    events = told(item, dave)
    assert [event.kind for event in events if event.kind.startswith("gold")] == []
    for kind in ("handed-out", "answered"):
        seen = [event for event in events if event.kind == kind]
        assert len(seen) == 2  # Bob's, and his own, which does not tell either
        assert {event.data["pass"] for event in seen} == {Pass.NORMAL}
        assert seen[-1].who == "dave"


def test_everything_that_happened_is_told(actors: Actors, item: Item, lead: Membership) -> None:
    bob, carol, dave = (actors.membership(who) for who in (actors.bob, actors.carol, actors.dave))
    (lease,) = hand_out(bob, 1).leases
    flag(lease.pk, "f", "dark", broken=False)
    made = answer(bob, lease, comment="hm").annotation
    correct(made.pk, {"answer": "no"})
    (other,) = hand_out(carol, 1).leases
    skip(other.pk, "s", "too_hard", "no idea")
    void, _counts = void_annotations(lead, bob.pk, "in haste")
    undo_void(lead, void.pk)
    (review,) = refer(lead, item.pk, "answer", [dave.pk], "look")
    answer_review(dave, review.pk, "yes")
    settled = settle(dave, item.pk, "answer", "yes", cause=Cause.SLIP, revision=0)
    take_back(dave, settled.pk, 1)
    add_tag(lead, "blurry", ["a"])
    send_again(lead, [item.pk], "a new rule", order=Order(to=RelabelTo.SAME))
    withdraw_item(lead, item.pk)
    restore_item(lead, item.pk)

    assert sorted(kinds(item, lead)) == sorted(
        [
            "imported",
            "handed-out",
            "flagged",
            "answered",
            "changed",
            "handed-out",
            "skipped",
            "voided",
            "void-undone",
            "review-asked",
            "reviewed",
            "settled",
            "settlement-undone",
            "tagged",
            "sent-again",
            "withdrawn",
            "restored",
        ]
    )
    said = one(item, lead, "answered")
    assert (said.who, said.guideline, said.data["answers"]) == ("bob", 1, {"answer": "yes"})
    assert said.data["counts"] is False
    assert one(item, lead, "voided").data["reason"] == "in haste"
    assert [event.at for event in told(item, lead)] == sorted(event.at for event in told(item, lead))


def test_mappings_that_touch_its_answers_are_told_and_others_are_not(
    actors: Actors, item: Item, lead: Membership
) -> None:
    bob = actors.membership(actors.bob)
    answer(bob, hand_out(bob, 1).leases[0], "yes")
    classes = {spec.name: spec.pk for spec in actors.project.questions.get().classes.all()}
    apply_rename(lead, "answer", classes["cannot tell"], "unclear", version=0)
    merge = apply_merge(
        fresh(lead), "answer", list({classes["yes"], classes["no"]}), classes["no"], version=1
    )

    assert kinds(item, lead) == ["imported", "handed-out", "answered", "mapped"]
    assert one(item, lead, "mapped").undo == "mapping"
    assert one(item, lead, "answered").data["answers"] == {"answer": "no"}
    revert(fresh(lead), merge.pk, 2)
    assert kinds(item, lead)[-1] == "mapping-reverted"
    assert one(item, lead, "mapped").undo == ""


def test_a_resolution_is_told_as_everywhere_else(actors: Actors, item: Item, lead: Membership) -> None:
    make_question(actors.project, "seen", ["beak", "wing"], kind=QuestionKind.MULTIPLE)
    make_question(actors.project, "size", [], kind=QuestionKind.NUMBER)
    make_question(actors.project, "heard", [], kind=QuestionKind.TEXT)
    apply_standardise(fresh(lead), "heard", [{"from": "umm", "to": "um"}])
    lead = fresh(lead)
    values = {"size": 5, "heard": " umm", "seen": ["wing"]}
    made = [settle(lead, item.pk, key, value, revision=0) for key, value in values.items()]

    said = [event.data["value"] for event in told(item, lead) if event.kind == "settled"]

    assert repr(said) == "[5, 'um', ['wing']]"
    assert said == [resolution_document(resolution_of(row.pk), lead)["value"] for row in made]


def test_the_log_is_read_by_an_index(actors: Actors, item: Item, lead: Membership) -> None:
    """Not all lines of a project, for one item or for those who were let go on."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a small table as a whole")
    with CaptureQueriesContext(connection) as statements:
        told(item, lead)
        gold_answers(actors.project, [lead])
    plans = []
    for statement in statements:
        if 'FROM "core_event"' in statement["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {statement['sql']}")
                plans.append(str(cursor.fetchall()))
    of_item, of_verb = plans
    assert "event_thing (project_id=? AND thing=?)" in of_item
    assert "event_verb (project_id=? AND verb=?)" in of_verb


def test_what_can_be_taken_back_is_said(actors: Actors, item: Item, lead: Membership) -> None:
    bob = actors.membership(actors.bob)
    answer(bob, hand_out(bob, 1).leases[0])
    settled = settle(lead, item.pk, "answer", "yes", revision=0)
    void, _counts = void_annotations(lead, bob.pk, "in haste")
    withdraw_item(lead, item.pk)

    undo = {event.undo: event.undo_id for event in told(item, lead) if event.undo}
    assert undo == {"resolution": settled.pk, "void": void.pk, "withdrawal": None}


def test_reviewers_see_pseudonyms_and_not_what_leads_did_by_name(
    actors: Actors, item: Item, lead: Membership
) -> None:
    bob, dave = actors.membership(actors.bob), actors.membership(actors.dave)
    answer(bob, hand_out(bob, 1).leases[0])
    correct_item(lead, item.pk, 1, data={"text": "another"})

    assert one(item, dave, "answered").who == pseudonym(Project.objects.get(pk=item.project_id), bob.pk)
    assert one(item, dave, "corrected").who is None
    assert one(item, lead, "corrected").who == "Alice"


def test_whoever_has_it_in_hand_sees_nothing(actors: Actors, item: Item, lead: Membership) -> None:
    bob = actors.membership(actors.bob)
    answer(bob, hand_out(bob, 1).leases[0])
    hand_out(lead, 1)

    assert item_history(item, lead) is None


def test_the_api_says_the_same(actors: Actors, item: Item, client_of: Any) -> None:
    bob = actors.membership(actors.bob)
    answer(bob, hand_out(bob, 1).leases[0])

    body = client_of(actors.dave).get("/api/v1/projects/birds/items/a/history").json()

    assert (body["id"], body["hidden_because"]) == ("a", None)
    assert [event["kind"] for event in body["events"]] == ["imported", "handed-out", "answered"]
    dave = actors.membership(actors.dave)
    (lease,) = hand_out(dave, 1).leases
    assert lease.item_id == item.pk
    hidden = client_of(actors.dave).get("/api/v1/projects/birds/items/a/history").json()
    assert (hidden["hidden_because"], hidden["events"]) == ("held", [])
