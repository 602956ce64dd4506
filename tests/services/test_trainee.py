"""Training rounds in the queue: their items first and alone, feedback on each, and the outcome at the end."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from core.access import Actor
from core.choices import EmptyBecause, ItemState, LeaseState, NoticeKind, Pass, QuestionKind, TrainingState
from core.exceptions import Conflict
from core.models import (
    Annotation,
    Event,
    Gold,
    Item,
    Lease,
    Membership,
    Notice,
    Project,
    Trainee,
    TrainingRound,
)
from core.selectors.annotation import recent_of
from core.selectors.progress import changes_of, progress_of
from core.services.annotation import Work, correct, submit
from core.services.item import correct_item, restore_item, withdraw_item
from core.services.lease import Stopped, defer, expire_leases, hand_out, skip
from core.services.trainee import Feedback, Outcome, try_again
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items, make_waiting
from tests.factories.project import make_question
from tests.factories.queue import answer, fresh, make_training_round, send_through

pytestmark = pytest.mark.django_db


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Seven items that want one answer each."""
    return make_waiting(actors.project, 7)


@pytest.fixture
def training(actors: Actors, items: list[Item]) -> TrainingRound:
    """The last four items are a round with two tries; eight in ten are to be right."""
    return make_training_round(actors.project, items[3:])


@pytest.fixture
def bob(actors: Actors, training: TrainingRound) -> Membership:
    """Bob, who has the round before him."""
    return send_through(actors.membership(actors.bob), training)


def next_lease(member: Membership) -> Lease:
    (lease,) = hand_out(fresh(member), 5, []).leases
    return lease


def goes_through(member: Membership, *values: str) -> list[Feedback]:
    """What somebody is told when they answer the next items so."""
    told = []
    for value in values:
        feedback = answer(fresh(member), next_lease(member), value).feedback
        assert feedback is not None
        told.append(feedback)
    return told


def test_the_items_come_one_at_a_time_in_order_and_nothing_else(bob: Membership, items: list[Item]) -> None:
    seen = []
    for _ in range(4):
        lease = next_lease(bob)
        assert (lease.pass_kind, lease.repeat) == (Pass.TRAINING, 1)
        assert hand_out(bob, 5, [lease.pk]).leases == []
        assert next_lease(bob).pk == lease.pk
        seen.append(lease.item_id)
        answer(bob, lease)
    assert seen == [item.pk for item in items[3:]]


def test_the_next_item_comes_with_the_reply(bob: Membership, items: list[Item]) -> None:
    stored = answer(bob, next_lease(bob), count=5)
    assert [lease.item_id for lease in stored.next.leases] == [items[4].pk]


def test_each_answer_is_told_right_or_wrong_with_the_gold_and_why(bob: Membership, items: list[Item]) -> None:
    right, wrong = goes_through(bob, "yes", "no")
    assert right == Feedback({"answer": True}, {"answer": "yes"}, "because of item-4", 1, 4)
    assert wrong == Feedback({"answer": False}, {"answer": "yes"}, "because of item-5", 2, 4)


def test_it_counts_nowhere(bob: Membership, items: list[Item]) -> None:
    before = (progress_of(bob.project_id), changes_of(bob.project))
    goes_through(bob, "yes", "yes")
    member = fresh(bob)
    assert (member.answered, member.answered_today, member.held) == (0, 0, 0)
    assert (progress_of(bob.project_id), changes_of(bob.project)) == before
    assert set(Item.objects.values_list("done", "leased", "free", "target")) == {(0, 0, 1, 1)}
    assert recent_of(member) == []


def test_whoever_passes_goes_on_to_normal_items(bob: Membership, items: list[Item]) -> None:
    goes_through(bob, "yes", "yes", "yes")
    stored = answer(bob, next_lease(bob), count=2)
    assert stored.feedback is not None
    assert stored.feedback.outcome == Outcome(TrainingState.PASSED, 4, 4, 0.8, again=False)
    assert fresh(bob).training_round_id is None
    assert [lease.item_id for lease in stored.next.leases] == [items[0].pk, items[1].pk]
    assert {lease.pass_kind for lease in stored.next.leases} == {Pass.NORMAL}
    row = Trainee.objects.get()
    assert (row.state, row.answered, row.right, row.ended_at is not None) == (
        TrainingState.PASSED,
        4,
        4,
        True,
    )
    notice = Notice.objects.get()
    assert (notice.member_id, notice.kind, notice.data["state"], notice.data["right"]) == (
        bob.pk,
        NoticeKind.TRAINING,
        "passed",
        4,
    )
    assert Event.objects.get(verb="training.passed").data == {"id": bob.pk, "right": 4, "n": 4, "attempt": 1}


def test_items_of_the_round_are_not_handed_out_again_as_normal_ones(bob: Membership) -> None:
    goes_through(bob, "yes", "yes", "yes", "yes")
    assert len(hand_out(fresh(bob), 20).leases) == 3


def test_after_a_failed_try_the_same_items_come_once_more(bob: Membership, items: list[Item]) -> None:
    told = goes_through(bob, "no", "no", "yes", "yes")
    assert told[-1].outcome == Outcome(TrainingState.FAILED, 2, 4, 0.8, again=True)
    lease = next_lease(bob)
    assert (lease.item_id, lease.repeat) == (items[3].pk, 2)
    told = goes_through(bob, "yes", "yes", "yes", "yes")
    assert told[-1].outcome == Outcome(TrainingState.PASSED, 4, 4, 0.8, again=False)
    assert list(Trainee.objects.values_list("attempt", "right", "state")) == [
        (1, 2, TrainingState.FAILED),
        (2, 4, TrainingState.PASSED),
    ]


def test_without_a_try_left_one_waits_for_the_lead(actors: Actors, bob: Membership) -> None:
    goes_through(bob, *["no"] * 7)
    stored = answer(bob, next_lease(bob), "no", count=1)
    assert stored.feedback is not None
    assert stored.feedback.outcome == Outcome(TrainingState.FAILED, 0, 4, 0.8, again=False)
    assert (stored.next.empty_because, stored.next.stopped) == (EmptyBecause.PAUSED, Stopped.TRAINING)
    given = hand_out(fresh(bob), 5)
    assert (given.leases, given.stopped) == ([], Stopped.TRAINING)
    assert {notice.member.name for notice in Notice.objects.all()} == {"alice", "bob"}
    alice = actors.membership(actors.alice)
    assert try_again(alice, bob.pk).attempt == 3
    with pytest.raises(Conflict):
        try_again(alice, bob.pk)
    goes_through(bob, "yes", "yes", "yes", "yes")
    assert fresh(bob).training_round_id is None


def test_the_same_submit_again_tells_the_same(bob: Membership) -> None:
    first = answer(bob, next_lease(bob), "no", key="k")
    lease = Lease.objects.get(state=LeaseState.SUBMITTED)
    goes_through(bob, "yes")
    again = answer(bob, lease, "no", key="k")
    assert (again.replayed, again.feedback) == (True, first.feedback)
    assert Trainee.objects.get().answered == 2


def test_the_last_submit_again_tells_the_outcome(bob: Membership) -> None:
    goes_through(bob, "yes", "yes", "yes")
    lease = next_lease(bob)
    first = answer(bob, lease, key="k")
    assert answer(bob, lease, key="k").feedback == first.feedback
    assert first.feedback is not None
    assert first.feedback.outcome is not None


def test_what_is_put_aside_comes_again_at_the_end(bob: Membership, items: list[Item]) -> None:
    skip(next_lease(bob).pk, "a", "too_hard")
    defer(next_lease(bob).pk, "b")
    seen = []
    for _ in range(4):
        lease = next_lease(bob)
        seen.append(lease.item_id)
        answer(bob, lease)
    assert seen == [items[place].pk for place in (5, 6, 3, 4)]
    assert fresh(bob).training_round_id is None


def test_what_was_in_hand_goes_back_when_a_round_comes(actors: Actors, training: TrainingRound) -> None:
    carol = actors.membership(actors.carol)
    held = hand_out(carol, 3).leases
    send_through(carol, training)
    assert next_lease(carol).pass_kind == Pass.TRAINING
    assert {Lease.objects.get(pk=lease.pk).state for lease in held} == {LeaseState.RELEASED}
    assert fresh(carol).held == 1


def test_an_item_that_was_answered_before_can_be_in_the_round(
    actors: Actors, items: list[Item], training: TrainingRound
) -> None:
    carol = actors.membership(actors.carol)
    make_answer(carol, items[3], {"answer": "no"})
    send_through(carol, training)
    lease = next_lease(carol)
    assert (lease.item_id, lease.repeat) == (items[3].pk, 2)
    answer(carol, lease)
    assert Annotation.objects.filter(annotator=carol, current=True).count() == 2


def test_an_expired_item_of_the_round_comes_again(bob: Membership) -> None:
    lease = next_lease(bob)
    Lease.objects.filter(pk=lease.pk).update(expires_at=Now() - timedelta(seconds=1))
    assert expire_leases() == 1
    again = next_lease(bob)
    assert (again.item_id, again.pk != lease.pk) == (lease.item_id, True)
    answer(bob, again)
    with pytest.raises(Conflict, match="kept as a draft"):
        answer(bob, lease)
    assert Trainee.objects.get().answered == 1


def test_told_answers_cannot_be_corrected(bob: Membership) -> None:
    stored = answer(bob, next_lease(bob), "no")
    with pytest.raises(Conflict, match="it stays as it is"):
        correct(stored.annotation.pk, {"answer": "yes"})


def test_an_item_that_was_corrected_meanwhile_is_asked_again(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    goes_through(bob, "yes")
    correct_item(actors.membership(actors.alice), items[3].pk, 1, data={"text": "another"})

    lease = next_lease(bob)

    assert (lease.item_id, lease.item_version) == (items[3].pk, 2)
    (told,) = goes_through(bob, "yes")
    assert (told.answered, told.total) == (2, 5)


def test_a_round_that_is_switched_off_holds_nobody(bob: Membership, items: list[Item]) -> None:
    TrainingRound.objects.update(active=False)
    assert hand_out(fresh(bob), 1).leases[0].item_id == items[0].pk


def test_a_round_without_gold_holds_nobody(bob: Membership) -> None:
    Gold.objects.all().delete()
    assert hand_out(fresh(bob), 1).leases[0].pass_kind == Pass.NORMAL


def test_items_taken_out_meanwhile_are_not_waited_for(bob: Membership, items: list[Item]) -> None:
    goes_through(bob, "yes", "yes", "yes")
    Item.objects.filter(pk=items[6].pk).update(state=ItemState.WITHDRAWN, free=0)
    assert hand_out(fresh(bob), 1).leases[0].pass_kind == Pass.NORMAL
    assert (Trainee.objects.get().state, Trainee.objects.get().answered) == (TrainingState.PASSED, 3)


def test_an_attempt_ends_with_the_last_item_of_its_round(bob: Membership, items: list[Item]) -> None:
    goes_through(bob, "yes", "yes")
    Item.objects.filter(pk__in=[item.pk for item in items[3:]]).update(state=ItemState.WITHDRAWN, free=0)

    assert hand_out(fresh(bob), 1).leases[0].pass_kind == Pass.NORMAL

    assert (Trainee.objects.get().state, Trainee.objects.get().answered) == (TrainingState.PASSED, 2)
    assert fresh(bob).training_round is None


def test_an_attempt_without_an_answer_never_was_when_its_round_loses_all_items(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    next_lease(bob)
    alice = actors.membership(actors.alice)
    for item in items[3:]:
        withdraw_item(alice, item.pk)

    assert hand_out(fresh(bob), 1).leases[0].pass_kind == Pass.NORMAL
    assert not Trainee.objects.exists()

    restore_item(alice, items[3].pk)
    answer(fresh(bob), Lease.objects.get(state=LeaseState.ACTIVE), "yes")
    assert next_lease(bob).pass_kind == Pass.TRAINING


def test_whoever_is_sent_through_again_begins_anew(bob: Membership, training: TrainingRound) -> None:
    goes_through(bob, "yes", "yes", "yes", "yes")
    send_through(bob, training)
    told = goes_through(bob, "no", "no", "no", "no")
    assert told[-1].outcome is not None
    assert told[-1].outcome.again
    assert list(Trainee.objects.filter(member=bob).values_list("attempt", "state")) == [
        (1, TrainingState.PASSED),
        (2, TrainingState.FAILED),
        (3, TrainingState.RUNNING),
    ]


def test_taught_items_are_no_gold_for_them(actors: Actors, bob: Membership, items: list[Item]) -> None:
    goes_through(bob, "yes")
    TrainingRound.objects.update(active=False)
    Project.objects.filter(pk=bob.project_id).update(gold_rate="0.9")
    given = hand_out(fresh(bob), 20).leases
    assert Pass.GOLD not in {lease.pass_kind for lease in given}
    carol = actors.membership(actors.carol)
    assert Pass.GOLD in {lease.pass_kind for lease in hand_out(carol, 20).leases}


def test_numbers_texts_and_several_classes_are_judged_too(actors: Actors) -> None:
    project = actors.project
    make_question(project, "age", [], kind=QuestionKind.NUMBER)
    make_question(project, "kind", ["big", "small", "tame"], kind=QuestionKind.MULTIPLE)
    make_question(project, "name", [], kind=QuestionKind.TEXT)
    (item,) = make_items(project, 1)
    training = make_training_round(project, [item])
    for key, value in (("age", 3), ("kind", ["big", "tame"]), ("name", "a  robin")):
        make_gold(item, key, value)
    bob = send_through(actors.membership(actors.bob), training)
    lease = next_lease(bob)
    work = {"answer": "yes", "age": 3.0, "kind": ["tame", "big"], "name": "a robin "}
    told = submit(Actor(actors.bob), lease.pk, "k", Work(work, count=0)).feedback
    assert told is not None
    assert told.right == {"answer": True, "age": True, "kind": True, "name": True}
    assert told.gold == {"answer": "yes", "age": 3.0, "kind": ["big", "tame"], "name": "a robin"}
