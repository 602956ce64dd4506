"""Items that were sent to just one person: handed out first, answered anew, and never counted twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from core.choices import ItemState, LeaseState, NoticeKind, RelabelTo
from core.exceptions import Conflict
from core.models import (
    Annotation,
    Draft,
    Flag,
    Item,
    Lease,
    Membership,
    Notice,
    Project,
    RelabelPlace,
    Resolution,
)
from core.selectors.annotation import answers_of, earlier_answers
from core.selectors.progress import progress_of
from core.services.annotation import correct, submit_draft
from core.services.item import correct_item, withdraw_item
from core.services.lease import defer, expire_leases, flag, hand_out, skip
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.factories.queue import answer, fresh, make_place

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(actors: Actors) -> Membership:
    """Bob, in a project that wants two answers an item."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=2, audit_overlap=2)
    return actors.membership(actors.bob)


@pytest.fixture
def items(bob: Membership) -> list[Item]:
    made = make_items(Project.objects.get(pk=bob.project_id), 5)
    recount(bob.project_id)
    return made


@pytest.fixture
def answered(bob: Membership, items: list[Item]) -> Item:
    """The first item, which Bob has answered with no."""
    lease = hand_out(bob, 1).leases[0]
    answer(bob, lease, "no")
    return Item.objects.get(pk=lease.item_id)


def counts(item: Item) -> dict[str, int]:
    found = Item.objects.get(pk=item.pk)
    return {name: getattr(found, name) for name in ("target", "done", "leased", "free", "extra")}


def chain(item: Item, member: Membership) -> list[tuple[int, bool, dict[str, Any], int | None]]:
    rows = Annotation.objects.filter(item=item, annotator=member).order_by("revision")
    return [(row.revision, row.current, answers_of(row), row.relabel_id) for row in rows]


def test_what_was_sent_to_bob_comes_first_and_takes_no_place(bob: Membership, answered: Item) -> None:
    relabel = make_place(answered, bob)
    before = counts(answered)
    (lease,) = hand_out(bob, 3).leases
    assert (lease.item_id, lease.relabel_id, lease.pass_kind, lease.repeat) == (
        answered.pk,
        relabel.pk,
        "normal",
        1,
    )
    assert counts(answered) == before
    assert [other.relabel_id for other in hand_out(bob, 3).leases] == [None, None, None]


def test_the_oldest_place_comes_first(bob: Membership, items: list[Item]) -> None:
    for item in (items[3], items[1]):
        make_place(item, bob, to=RelabelTo.NAMED)
    assert [lease.item_id for lease in hand_out(bob, 2).leases] == [items[3].pk, items[1].pk]


def test_a_new_answer_revises_the_first_and_counts_once(bob: Membership, answered: Item) -> None:
    relabel = make_place(answered, bob)
    before, progress, own = counts(answered), progress_of(bob.project_id), fresh(bob).answered
    lease = hand_out(bob, 1).leases[0]
    stored = answer(bob, lease, "yes")
    assert chain(answered, bob) == [
        (1, False, {"answer": "no"}, None),
        (2, True, {"answer": "yes"}, relabel.pk),
    ]
    assert counts(answered) == before
    assert progress_of(bob.project_id) == progress
    assert (fresh(bob).answered, fresh(bob).waiting, fresh(bob).held) == (own, 0, 0)
    assert RelabelPlace.objects.get().annotation_id == stored.annotation.pk
    assert answer(bob, lease, "yes", key=stored.annotation.idempotency_key).replayed


def test_somebody_who_had_not_answered_adds_an_answer_beyond_the_overlap(
    bob: Membership, items: list[Item]
) -> None:
    item = items[4]
    make_place(item, bob, to=RelabelTo.NAMED)
    progress = progress_of(bob.project_id)
    answer(bob, hand_out(bob, 1).leases[0])
    assert counts(item) == {"target": 3, "done": 1, "leased": 0, "free": 2, "extra": 1}
    assert fresh(bob).answered == 1
    assert progress_of(bob.project_id).annotations == progress.annotations + 1
    assert progress_of(bob.project_id).items_done == progress.items_done
    assert item.pk not in {lease.item_id for lease in hand_out(bob, 5).leases}


def test_a_finished_item_stays_finished(actors: Actors, bob: Membership, items: list[Item]) -> None:
    for user in (actors.bob, actors.carol):
        member = actors.membership(user)
        answer(member, hand_out(member, 1).leases[0])
    done = Item.objects.get(project=bob.project_id, done=2)
    dave = actors.membership(actors.dave)
    make_place(done, dave, to=RelabelTo.NAMED)
    progress = progress_of(bob.project_id)
    answer(dave, hand_out(dave, 1).leases[0])
    assert counts(done) == {"target": 3, "done": 3, "leased": 0, "free": 0, "extra": 1}
    assert progress_of(bob.project_id).items_done == progress.items_done


def test_who_was_voided_fills_the_place_that_became_free(bob: Membership, answered: Item) -> None:
    Annotation.objects.update(voided=True)
    Item.objects.filter(pk=answered.pk).update(done=0, free=2)
    Membership.objects.filter(pk=bob.pk).update(answered=0)
    make_place(answered, bob)
    answer(bob, hand_out(bob, 1).leases[0])
    assert (counts(answered)["done"], counts(answered)["extra"], fresh(bob).answered) == (1, 0, 1)


def test_one_answer_serves_all_queues_that_wait_for_it(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    make_place(answered, bob)
    (lease,) = hand_out(bob, 5).leases
    answer(bob, lease)
    assert (fresh(bob).waiting, RelabelPlace.objects.filter(annotation=None).count()) == (0, 0)


def test_items_that_changed_since_are_dropped(actors: Actors, bob: Membership, items: list[Item]) -> None:
    for item in items[:3]:
        make_place(item, bob, to=RelabelTo.NAMED)
    alice = actors.membership(actors.alice)
    withdraw_item(alice, items[0].pk)
    correct_item(alice, items[1].pk, 1, data={"text": "Another sentence."})
    assert [lease.item_id for lease in hand_out(bob, 5).leases] == [items[2].pk]
    assert fresh(bob).waiting == 1
    assert list(RelabelPlace.objects.values_list("dropped", flat=True)) == [True, True, False]


def test_an_item_that_waits_for_the_lead_is_kept_for_later(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    Item.objects.filter(pk=answered.pk).update(state=ItemState.WITH_LEAD, free=0)
    assert answered.pk not in {lease.item_id for lease in hand_out(bob, 1).leases}
    assert fresh(bob).waiting == 1


def test_a_skip_is_the_last_word(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    before = counts(answered)
    skip(hand_out(bob, 1).leases[0].pk, "k", "broken", "torn")
    skip(Lease.objects.get(relabel__isnull=False).pk, "k", "broken", "torn")
    assert (fresh(bob).waiting, counts(answered)) == (0, before)
    assert (RelabelPlace.objects.get().dropped, Flag.objects.get().note) == (True, "torn")


def test_a_broken_item_is_dropped_and_noted(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    flag(hand_out(bob, 1).leases[0].pk, "k", "torn", broken=True)
    assert (fresh(bob).waiting, RelabelPlace.objects.get().dropped) == (0, True)


def test_later_brings_it_back_at_the_end(bob: Membership, answered: Item) -> None:
    relabel = make_place(answered, bob)
    defer(hand_out(bob, 1).leases[0].pk, "k")
    rest = hand_out(bob, 4).leases
    assert relabel.pk not in {lease.relabel_id for lease in rest}
    for lease in rest:
        answer(bob, lease)
    (back,) = hand_out(bob, 1).leases
    assert (back.item_id, back.relabel_id) == (answered.pk, relabel.pk)
    answer(bob, back)
    assert len(chain(answered, bob)) == 2


def test_what_was_put_off_does_not_come_back_once_it_is_dropped(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    defer(hand_out(bob, 1).leases[0].pk, "k")
    RelabelPlace.objects.update(dropped=True)
    Membership.objects.filter(pk=bob.pk).update(waiting=0)
    for lease in hand_out(bob, 10).leases:
        answer(bob, lease)
    assert hand_out(bob, 1).leases == []


def run_out(lease: Lease) -> None:
    Lease.objects.filter(pk=lease.pk).update(expires_at=Now() - timedelta(seconds=1))
    assert expire_leases() == 1


def test_an_expired_one_comes_again(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    before = counts(answered)
    run_out(hand_out(bob, 1).leases[0])
    assert counts(answered) == before
    assert hand_out(bob, 1).leases[0].item_id == answered.pk


def test_a_late_answer_counts_as_long_as_it_is_waited_for(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    lease = hand_out(bob, 1).leases[0]
    run_out(lease)
    answer(bob, lease, "yes")
    assert (len(chain(answered, bob)), fresh(bob).waiting, fresh(bob).held) == (2, 0, 0)


def test_a_late_answer_to_a_closed_queue_becomes_a_draft(bob: Membership, answered: Item) -> None:
    relabel = make_place(answered, bob)
    lease = hand_out(bob, 1).leases[0]
    run_out(lease)
    RelabelPlace.objects.update(dropped=True)
    Membership.objects.filter(pk=bob.pk).update(waiting=0)
    with pytest.raises(Conflict, match="kept as a draft"):
        answer(bob, lease, "yes")
    assert len(chain(answered, bob)) == 1
    RelabelPlace.objects.update(dropped=False)
    Membership.objects.filter(pk=bob.pk).update(waiting=1)
    submit_draft(fresh(bob), Draft.objects.get().pk)
    assert chain(answered, bob)[-1] == (2, True, {"answer": "yes"}, relabel.pk)
    assert fresh(bob).waiting == 0


def test_a_correction_stays_with_the_queue_it_came_from(bob: Membership, answered: Item) -> None:
    relabel = make_place(answered, bob)
    stored = answer(bob, hand_out(bob, 1).leases[0], "yes")
    correct(stored.annotation.pk, {"answer": "no"})
    assert [row[3] for row in chain(answered, bob)] == [None, relabel.pk, relabel.pk]


def test_a_cap_does_not_keep_back_what_was_sent_to_just_bob(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    Membership.objects.filter(pk=bob.pk).update(cap=1)
    assert [lease.item_id for lease in hand_out(bob, 5).leases] == [answered.pk]


def test_unless_it_is_blind_one_sees_what_one_said(bob: Membership, answered: Item) -> None:
    make_place(answered, bob, blind=False)
    (lease,) = hand_out(bob, 1).leases
    assert earlier_answers(bob, [lease]) == {lease.pk: {"answer": "no"}}
    stored = answer(bob, lease)
    assert Annotation.objects.get(pk=stored.annotation.pk).suggestion == {"earlier": {"answer": "no"}}


def test_blind_ones_show_nothing(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    (lease,) = hand_out(bob, 1).leases
    assert earlier_answers(bob, [lease]) == {}
    assert Annotation.objects.get(pk=answer(bob, lease).annotation.pk).suggestion is None


def test_whoever_is_asked_by_name_sees_the_items_label(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    for user, value in ((actors.carol, "no"), (actors.dave, "no"), (actors.alice, "yes")):
        make_answer(actors.membership(user), items[0], {"answer": value})
    make_place(items[0], bob, to=RelabelTo.NAMED, blind=False)
    (lease,) = hand_out(bob, 1).leases
    assert earlier_answers(bob, [lease]) == {lease.pk: {"answer": "no"}}
    settle(actors, items[0], "yes")
    assert earlier_answers(bob, [lease]) == {lease.pk: {"answer": "yes"}}


def test_a_tie_is_no_label(actors: Actors, bob: Membership, items: list[Item]) -> None:
    for user, value in ((actors.carol, "no"), (actors.dave, "yes")):
        make_answer(actors.membership(user), items[0], {"answer": value})
    make_place(items[0], bob, to=RelabelTo.NAMED, blind=False)
    (lease,) = hand_out(bob, 1).leases
    assert earlier_answers(bob, [lease]) == {lease.pk: {}}


# --- What was settled before ---------------------------------------------------------------------------


def settle(actors: Actors, item: Item, value: str) -> Resolution:
    question = actors.project.questions.get()
    return Resolution.objects.create(
        item=item,
        item_version=item.version,
        question=question,
        label_class=question.classes.get(name=value),
        guideline=actors.project.guidelines.latest("number"),
        settled_by=actors.membership(actors.alice),
    )


def test_a_correction_overtakes_a_resolution_and_tells_who_settled_it(
    actors: Actors, bob: Membership, answered: Item
) -> None:
    settle(actors, answered, "yes")
    correct(Annotation.objects.get(item=answered).pk, {"answer": "yes"})
    resolution = Resolution.objects.get()
    assert (resolution.overtaken, resolution.current, resolution.label_class.name) == (True, True, "yes")  # type: ignore[union-attr]
    notice = Notice.objects.get()
    assert (notice.member.name, notice.kind) == ("alice", NoticeKind.CORRECTED)
    assert notice.data == {"item": answered.external_id, "item_id": answered.pk, "questions": ["answer"]}
    correct(Annotation.objects.get(item=answered, current=True).pk, {"answer": "no"})
    assert Notice.objects.count() == 1


def test_a_new_answer_overtakes_it_too(actors: Actors, bob: Membership, items: list[Item]) -> None:
    settle(actors, items[0], "yes")
    answer(bob, hand_out(bob, 1).leases[0])
    assert Resolution.objects.get().overtaken
    assert Notice.objects.get().member.name == "alice"


def test_a_resolution_of_an_earlier_version_is_not_overtaken(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    settle(actors, items[0], "yes")
    Item.objects.filter(pk=items[0].pk).update(version=F("version") + 1)
    lease = next(one for one in hand_out(bob, 5).leases if one.item_id == items[0].pk)
    answer(bob, lease)
    assert not Resolution.objects.get().overtaken


def test_a_place_in_hand_is_not_given_twice(bob: Membership, answered: Item) -> None:
    make_place(answered, bob)
    (lease,) = hand_out(bob, 1).leases
    assert [one.pk for one in hand_out(bob, 2, []).leases if one.relabel_id] == [lease.pk]
    assert Lease.objects.filter(state=LeaseState.ACTIVE, relabel__isnull=False).count() == 1
