"""Training rounds: made of items with gold, changed by one lead at a time, and put before people."""

from dataclasses import replace
from typing import Any

import pytest

from core.choices import ItemState, NoticeKind, Pass, QuestionKind, TrainingState
from core.exceptions import Conflict, DomainError, Missing, Stale
from core.models import Event, Gold, Item, Membership, Notice, Trainee, TrainingItem, TrainingRound
from core.selectors.question import schema_of
from core.selectors.training_round import (
    counts_by_round,
    items_of_round,
    people_in,
    round_for_newcomers,
    round_items_drawn,
    round_items_filtered,
    round_items_named,
    sendable_to,
    version_of,
)
from core.services.lease import Stopped, hand_out
from core.services.progress import recount
from core.services.training_round import (
    RoundChanges,
    begin_training,
    create_round,
    edit_round,
    excuse_from,
    send_through,
)
from tests.conftest import Actors
from tests.factories.answers import make_gold
from tests.factories.item import make_items
from tests.factories.project import make_question
from tests.factories.queue import answer, fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Eight items; the first six have gold, yes and no in turn."""
    made = make_items(actors.project, 8, target=2)
    for place, item in enumerate(made[:6]):
        make_gold(item, "answer", "yes" if place % 2 == 0 else "no")
    recount(actors.project.pk)
    return made


@pytest.fixture
def alice(actors: Actors) -> Membership:
    """Alice, who leads."""
    return actors.membership(actors.alice)


@pytest.fixture
def training(alice: Membership, items: list[Item]) -> TrainingRound:
    """Two items, one try, all must be right; switched on."""
    return create_round(alice, wanted(items[:2], active=True))


def wanted(items: list[Item], **more: Any) -> RoundChanges:
    return RoundChanges(
        **{
            "name": "First steps",
            "pass_mark": 1,
            "items": [(item.external_id, f"because of {item.external_id}") for item in items],
            **more,
        }
    )


def refused(make: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        make()
    return caught.value


def names(items: list[Item]) -> list[str]:
    return [item.external_id for item in items]


def goes_through(member: Membership, *values: str) -> None:
    for value in values:
        (lease,) = hand_out(fresh(member), 1, []).leases
        assert lease.pass_kind == Pass.TRAINING
        answer(fresh(member), lease, value)


def test_a_round_keeps_its_items_in_their_order_and_is_off_at_first(
    alice: Membership, items: list[Item]
) -> None:
    made = create_round(alice, wanted([items[3], items[0]], name="  First   steps "))
    assert (made.name, made.active, made.tries, float(made.pass_mark)) == ("First steps", False, 1, 1.0)
    rows = items_of_round(made)
    assert [(one.item.external_id, one.gold, one.explanation) for one in rows] == [
        ("item-4", {"answer": "no"}, "because of item-4"),
        ("item-1", {"answer": "yes"}, "because of item-1"),
    ]
    assert all(one.usable for one in rows)
    assert Event.objects.get(verb="training.created").data["items"] == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": " "}, "bad-name"),
        ({"name": None}, "bad-name"),
        ({"name": 5}, "bad-name"),
        ({"pass_mark": 0}, "bad-pass-mark"),
        ({"pass_mark": 1.01}, "bad-pass-mark"),
        ({"pass_mark": True}, "bad-pass-mark"),
        ({"pass_mark": float("nan")}, "bad-pass-mark"),
        ({"tries": 0}, "bad-tries"),
        ({"active": "yes"}, "bad-active"),
        ({"items": []}, "bad-items"),
        ({"items": [("item-1", ""), ("item-1", "")]}, "bad-items"),
        ({"items": [("item-1", ""), ("robin", "")]}, "unknown-items"),
        ({"items": [("item-7", "")]}, "no-gold"),
        ({"items": [("item-6", "")]}, "item-not-open"),
        ({"items": [("item-1", "x" * 1001)]}, "bad-explanation"),
    ],
)
def test_what_makes_no_round(alice: Membership, items: list[Item], change: dict[str, Any], code: str) -> None:
    Item.objects.filter(pk=items[5].pk).update(state=ItemState.WITHDRAWN, free=0)
    error = refused(lambda: create_round(alice, replace(wanted(items[:1]), **change)))
    assert (error.code, error.errors[0]["code"]) == (code, code)
    assert not TrainingRound.objects.exists()


def test_two_rounds_have_two_names(alice: Membership, training: TrainingRound, items: list[Item]) -> None:
    assert refused(lambda: create_round(alice, wanted(items[:1]))).code == "name-taken"


def test_of_two_leads_who_change_a_round_one_is_told(
    alice: Membership, training: TrainingRound, items: list[Item]
) -> None:
    seen = version_of(training)
    more = [*((item.external_id, "") for item in items[1:3])]
    changed = edit_round(alice, training.pk, RoundChanges(tries=3, items=more), seen)
    assert [one.item.external_id for one in items_of_round(changed)] == ["item-2", "item-3"]
    assert (changed.name, changed.tries, changed.active) == ("First steps", 3, True)
    assert isinstance(refused(lambda: edit_round(alice, training.pk, RoundChanges(tries=4), seen)), Stale)
    assert isinstance(refused(lambda: edit_round(alice, training.pk + 1, RoundChanges(), seen)), Missing)
    assert version_of(TrainingRound.objects.get()) == version_of(changed)


def test_items_that_lost_their_gold_may_stay_and_are_passed_over(
    alice: Membership, training: TrainingRound, items: list[Item]
) -> None:
    Gold.objects.filter(item=items[0]).delete()
    kept = RoundChanges(items=[(item.external_id, "why") for item in items[:2]])
    edit_round(alice, training.pk, kept, version_of(training))
    assert [one.usable for one in items_of_round(training)] == [False, True]
    worse = RoundChanges(items=[(item.external_id, "") for item in [*items[:2], items[7]]])
    assert refused(lambda: edit_round(alice, training.pk, worse, version_of(training))).code == "no-gold"


def test_drawing_takes_so_many_of_every_class_and_new_ones_first(
    alice: Membership, training: TrainingRound, items: list[Item]
) -> None:
    question = schema_of(alice.project).questions[0]
    drawn = names(round_items_drawn(alice.project, question, 2))
    assert sorted(drawn) == ["item-3", "item-4", "item-5", "item-6"]
    assert names(round_items_drawn(alice.project, question, 2)) == drawn
    assert sorted(names(round_items_drawn(alice.project, question, 9))) == [f"item-{n}" for n in range(1, 7)]
    Gold.objects.all().delete()
    assert refused(lambda: round_items_drawn(alice.project, question, 2)).code == "bad-items"


def test_items_are_drawn_by_classes_only(alice: Membership, items: list[Item]) -> None:
    make_question(alice.project, "size", [], kind=QuestionKind.NUMBER)
    alice.project.schema_version += 1
    alice.project.save()
    question = schema_of(alice.project).question("size")
    assert question is not None
    assert refused(lambda: round_items_drawn(alice.project, question, 2)).code == "bad-items"


def test_a_filter_leaves_open_items_with_gold(alice: Membership, items: list[Item]) -> None:
    found = names(round_items_filtered(alice.project, {}, 3))
    assert len(found) == 3
    assert set(found) <= set(names(items[:6]))
    assert names(round_items_filtered(alice.project, {"q": "item-2"}, 3)) == ["item-2"]
    assert refused(lambda: round_items_filtered(alice.project, {"q": "item-8"}, 3)).code == "bad-items"
    assert names(round_items_named(alice.project, ["item-5", "item-1"])) == ["item-5", "item-1"]


def test_somebody_sent_through_gets_the_round_first_and_is_told(
    alice: Membership, actors: Actors, training: TrainingRound
) -> None:
    bob = actors.membership(actors.bob)
    assert send_through(alice, training.pk, [bob.pk]) == [bob.pk]
    assert send_through(alice, training.pk, [bob.pk]) == []
    notice = Notice.objects.get(member=bob, kind=NoticeKind.TRAINING)
    assert (notice.data["state"], notice.data["round"]) == ("sent", "First steps")
    assert bob.pk not in set(sendable_to(training).values_list("pk", flat=True))
    (person,) = people_in(training)
    assert (person.state, person.before_them, person.share) == (None, True, None)
    goes_through(bob, "yes", "no")
    (person,) = people_in(training)
    assert (person.state, person.before_them, person.share) == (TrainingState.PASSED, False, 1.0)
    assert counts_by_round([training]) == {training.pk: {"before": 0, "passed": 1}}


def test_whoever_failed_waits_until_a_lead_gives_another_try(
    alice: Membership, actors: Actors, training: TrainingRound
) -> None:
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    send_through(alice, training.pk, [bob.pk, carol.pk])
    goes_through(carol, "yes", "yes")
    assert [(one.member.name, one.waits, one.right, one.answered) for one in people_in(training)] == [
        ("carol", True, 1, 2),
        ("bob", False, 0, 0),
    ]
    assert send_through(alice, training.pk, [carol.pk]) == [carol.pk]
    assert [one.waits for one in people_in(training)] == [False, False]
    goes_through(carol, "yes", "no")
    assert Trainee.objects.get(member=carol, attempt=2).state == TrainingState.PASSED
    send_through(alice, training.pk, [carol.pk])
    goes_through(carol, "no", "no")
    carol_now = next(one for one in people_in(training) if one.member.pk == carol.pk)
    assert (carol_now.attempts, carol_now.waits, carol_now.state) == (3, True, TrainingState.FAILED)


def test_somebody_excused_labels_and_may_be_sent_again(
    alice: Membership, actors: Actors, training: TrainingRound
) -> None:
    bob = actors.membership(actors.bob)
    send_through(alice, training.pk, [bob.pk])
    goes_through(bob, "no", "no")
    assert hand_out(fresh(bob), 1).stopped == Stopped.TRAINING
    assert excuse_from(alice, training.pk, [bob.pk]) == [bob.pk]
    assert hand_out(fresh(bob), 1).leases[0].pass_kind == Pass.NORMAL
    assert send_through(alice, training.pk, [bob.pk]) == [bob.pk]
    goes_through(bob, "yes", "no")
    assert Trainee.objects.get(member=bob, attempt=2).state == TrainingState.PASSED
    assert excuse_from(alice, training.pk, [bob.pk]) == []


def test_whom_a_round_is_not_put_before(alice: Membership, actors: Actors, training: TrainingRound) -> None:
    eve = Membership.objects.get(user=actors.eve)
    for people in ([], [eve.pk], [alice.pk, eve.pk]):
        error = refused(lambda people=people: send_through(alice, training.pk, people))
        assert error.code == "bad-members"
    edit_round(alice, training.pk, RoundChanges(active=False), version_of(training))
    off = refused(lambda: send_through(alice, training.pk, [alice.pk]))
    assert (type(off), off.code) == (Conflict, "round-inactive")


def test_newcomers_get_the_newest_round_that_is_on_and_has_gold(
    alice: Membership, actors: Actors, training: TrainingRound, items: list[Item]
) -> None:
    bob = actors.membership(actors.bob)
    second = create_round(alice, wanted(items[2:4], name="Second", active=True))
    create_round(alice, wanted(items[4:6], name="Third"))
    begin_training(bob)
    assert fresh(bob).training_round == second
    Gold.objects.filter(item__in=items[2:4]).delete()
    assert round_for_newcomers(alice.project) == training
    TrainingRound.objects.update(active=False)
    carol = actors.membership(actors.carol)
    begin_training(carol)
    assert fresh(carol).training_round is None


def test_items_of_a_round_keep_their_row_when_they_move(
    alice: Membership, training: TrainingRound, items: list[Item]
) -> None:
    before = {row.item_id: row.pk for row in TrainingItem.objects.all()}
    turned = RoundChanges(items=[("item-2", "two"), ("item-1", "one")])
    edit_round(alice, training.pk, turned, version_of(training))
    assert {row.item_id: row.pk for row in TrainingItem.objects.all()} == before
    assert list(training.items.values_list("order", "explanation")) == [(1, "two"), (2, "one")]
