"""Taking in: acknowledged once, stored once, and never lost when it comes too late."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from core.access import Actor
from core.choices import DraftState, ProjectState
from core.exceptions import Conflict, Invalid, Missing, NotAllowed, Unprocessable
from core.models import Annotation, Answer, Draft, Item, Lease, Membership, Outbox, Project
from core.selectors.annotation import answers_of, drafts_of, recent_of
from core.selectors.progress import progress_of
from core.services.annotation import Work, correct, discard_draft, submit, submit_draft
from core.services.lease import expire_leases, hand_out
from core.services.progress import fold_outbox, recount
from core.services.project import set_state
from core.services.question import add_question, edit_question
from tests.conftest import Actors
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(actors: Actors) -> Membership:
    Project.objects.filter(pk=actors.project.pk).update(overlap=1)
    make_items(Project.objects.get(pk=actors.project.pk), 3)
    recount(actors.project.pk)
    return actors.membership(actors.bob)


@pytest.fixture
def carol(actors: Actors) -> Membership:
    return actors.membership(actors.carol)


def key_of(member: Membership) -> str:
    return member.project.questions.get().key


def classes_of(member: Membership) -> list[str]:
    return [spec.name for spec in member.project.questions.get().classes.all()]


def good(member: Membership, place: int = 0) -> dict[str, str]:
    return {key_of(member): classes_of(member)[place]}


def actor(member: Membership) -> Actor:
    assert member.user is not None
    return Actor(member.user)


def test_an_answer_is_stored_with_its_person_guideline_and_time(bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    stored = submit(actor(bob), lease.pk, "k", Work(good(bob), elapsed_ms=1200, comment="sure"))
    row = Annotation.objects.get()
    assert (row.annotator_id, row.revision, row.repeat, row.current) == (bob.pk, 1, 1, True)
    assert (row.elapsed_ms, row.comment, row.lease_id) == (1200, "sure", lease.pk)
    assert row.guideline_id == Project.objects.get(pk=bob.project_id).guideline_id
    assert answers_of(row) == good(bob) == stored.answers
    assert [one.item.external_id for one in stored.next.leases] == ["item-2"]
    member = Membership.objects.get(pk=bob.pk)
    assert (member.answered, member.answered_today, member.held) == (1, 1, 1)
    assert Item.objects.values_list("done", "leased", "free").get(pk=row.item_id) == (1, 0, 0)


def test_the_same_key_and_body_is_answered_with_what_is_stored(bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    first = submit(actor(bob), lease.pk, "k", Work(good(bob)))
    again = submit(actor(bob), lease.pk, "k", Work(good(bob)))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.annotation.pk == first.annotation.pk
    assert Annotation.objects.count() == Outbox.objects.count() == 1


def test_the_same_key_with_another_body_changes_nothing(bob: Membership) -> None:
    one, other = hand_out(bob, 2).leases
    submit(actor(bob), one.pk, "k", Work(good(bob)))
    for lease, place in ((one, 1), (other, 0)):
        with pytest.raises(Unprocessable) as refusal:
            submit(actor(bob), lease.pk, "k", Work(good(bob, place)))
        assert refusal.value.code == "idempotency-mismatch"
    assert Annotation.objects.count() == 1
    assert Lease.objects.get(pk=other.pk).state == "active"


def test_an_answered_lease_takes_no_second_answer(bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    submit(actor(bob), lease.pk, "k", Work(good(bob)))
    with pytest.raises(Conflict) as refusal:
        submit(actor(bob), lease.pk, "k2", Work(good(bob, 1)))
    assert refusal.value.code == "lease-closed"


@pytest.mark.parametrize("answers", [{}, {"nothing": "x"}, None, [], "x"])
def test_answers_that_do_not_fit_are_refused_and_leave_the_lease(bob: Membership, answers: object) -> None:
    lease = hand_out(bob, 1).leases[0]
    with pytest.raises(Invalid) as refusal:
        submit(actor(bob), lease.pk, "k", Work(answers))
    assert refusal.value.code == "invalid-answers"
    assert Lease.objects.get(pk=lease.pk).state == "active"
    assert not Annotation.objects.exists()


def test_nobody_submits_under_somebody_elses_lease(
    bob: Membership, carol: Membership, actors: Actors
) -> None:
    lease = hand_out(bob, 1).leases[0]
    with pytest.raises(NotAllowed):
        submit(actor(carol), lease.pk, "k", Work(good(bob)))
    with pytest.raises(Missing):
        submit(Actor(actors.eve), lease.pk, "k", Work(good(bob)))
    with pytest.raises(Missing):
        submit(actor(bob), uuid4(), "k", Work(good(bob)))


def test_a_late_answer_is_taken_while_the_place_is_free(bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    Lease.objects.update(expires_at=Now() - timedelta(hours=1))
    expire_leases()
    submit(actor(bob), lease.pk, "k", Work(good(bob), count=0))
    assert Item.objects.values_list("done", "leased", "free").get(pk=lease.item_id) == (1, 0, 0)
    assert Membership.objects.get(pk=bob.pk).held == 0


def test_a_late_answer_on_a_place_that_is_gone_becomes_a_draft(bob: Membership, carol: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    Lease.objects.update(expires_at=Now() - timedelta(hours=1))
    theirs = hand_out(carol, 1).leases
    while theirs[-1].item_id != lease.item_id:
        theirs += hand_out(carol, 1).leases
    for _attempt in range(2):
        with pytest.raises(Conflict) as refusal:
            submit(actor(bob), lease.pk, "k", Work(good(bob)))
        assert refusal.value.code == "lease-expired"
    draft = Draft.objects.get()
    assert (draft.annotator_id, draft.answers, draft.because) == (bob.pk, good(bob), "lease-expired")
    assert not Annotation.objects.exists()
    with pytest.raises(Conflict):
        submit_draft(bob, draft.pk)
    assert list(drafts_of(actor(bob).user)) == [draft]
    assert not drafts_of(actor(carol).user).exists()


def test_a_draft_is_submitted_when_a_place_is_free_again(bob: Membership, carol: Membership) -> None:
    Lease.objects.all().delete()
    lease = hand_out(bob, 1).leases[0]
    Lease.objects.update(expires_at=Now() - timedelta(hours=1))
    theirs = hand_out(carol, 1).leases
    while theirs[-1].item_id != lease.item_id:
        theirs += hand_out(carol, 1).leases
    with pytest.raises(Conflict):
        submit(actor(bob), lease.pk, "k", Work(good(bob)))
    Item.objects.filter(pk=lease.item_id).update(target=2, free=1)
    made = submit_draft(bob, Draft.objects.get().pk)
    assert answers_of(made) == good(bob)
    assert Draft.objects.get().state == DraftState.SUBMITTED
    assert submit(actor(bob), lease.pk, "k", Work(good(bob))).replayed


def test_a_draft_can_be_discarded_by_its_author_only(
    bob: Membership, carol: Membership, actors: Actors
) -> None:
    lease = hand_out(bob, 1).leases[0]
    set_state(actors.membership(actors.alice), ProjectState.ARCHIVED)
    with pytest.raises(Conflict) as refusal:
        submit(actor(bob), lease.pk, "k", Work(good(bob)))
    assert refusal.value.code == "project-archived"
    with pytest.raises(Missing):
        discard_draft(carol, Draft.objects.get().pk)
    discard_draft(bob, Draft.objects.get().pk)
    assert Draft.objects.get().state == DraftState.DISCARDED


def test_a_correction_is_a_new_revision_and_keeps_the_old(bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    old = submit(actor(bob), lease.pk, "k", Work(good(bob), count=0)).annotation
    new = correct(old.pk, good(bob, 1), key="fix").annotation
    newest = correct(old.pk, good(bob, 0), key="fix2").annotation
    assert correct(old.pk, good(bob, 1), key="fix").replayed
    assert [row.revision for row in Annotation.objects.order_by("pk")] == [1, 2, 3]
    assert list(Annotation.objects.filter(current=True)) == [newest]
    assert answers_of(new) == good(bob, 1)
    assert Item.objects.get(pk=lease.item_id).done == 1
    assert [row.pk for row, _answers in recent_of(bob)] == [newest.pk]


def test_a_nonsense_clock_is_kept_within_a_day(bob: Membership) -> None:
    one, other = hand_out(bob, 2).leases
    submit(actor(bob), one.pk, "k1", Work(good(bob), elapsed_ms=-5, count=0))
    submit(actor(bob), other.pk, "k2", Work(good(bob), elapsed_ms=10**12, count=0))
    assert {row.elapsed_ms for row in Annotation.objects.all()} == {0, 86_400_000}


def test_progress_is_true_before_and_after_a_worker_folded_it(bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    submit(actor(bob), lease.pk, "k", Work(good(bob), count=0))
    before = progress_of(bob.project_id)
    assert (before.items, before.items_done, before.annotations) == (3, 1, 1)
    assert fold_outbox(bob.project_id) == 1
    assert progress_of(bob.project_id) == before
    recount(bob.project_id)
    assert progress_of(bob.project_id) == before


def test_a_new_question_opens_finished_items_and_keeps_what_was_said(bob: Membership, actors: Actors) -> None:
    lease = hand_out(bob, 1).leases[0]
    submit(actor(bob), lease.pk, "k", Work(good(bob), count=0))
    add_question(
        actors.membership(actors.alice),
        {"key": "sure", "kind": "single", "title": "How sure?", "classes": ["very", "hardly"]},
    )
    assert progress_of(bob.project_id).items_done == 0
    first_key = Answer.objects.get().question.key
    while lease.item.external_id not in [one.item.external_id for one in hand_out(bob, 1).leases]:
        pass
    again = Lease.objects.filter(annotator=bob, item=lease.item, state="active").get()
    stored = submit(
        actor(bob), again.pk, "k2", Work({first_key: good_value(bob, first_key), "sure": "very"}, count=0)
    )
    assert stored.annotation.revision == 2
    assert Annotation.objects.filter(current=True, item=lease.item).count() == 1
    assert Membership.objects.get(pk=bob.pk).answered == 1
    assert progress_of(bob.project_id).annotations == 1


def good_value(member: Membership, key: str) -> str:
    return member.project.questions.get(key=key).classes.first().name  # type: ignore[union-attr]


SURE = {"key": "sure", "kind": "single", "title": "How sure?", "classes": ["very", "hardly"]}


def test_who_corrected_an_answer_is_asked_again_after_a_question_was_added(
    bob: Membership, actors: Actors
) -> None:
    lease = hand_out(bob, 1).leases[0]
    old = submit(actor(bob), lease.pk, "k", Work(good(bob), count=0)).annotation
    correct(old.pk, good(bob, 1), key="fix")
    add_question(actors.membership(actors.alice), SURE)
    given = hand_out(bob, 3).leases + hand_out(bob, 3).leases
    assert lease.item_id in [one.item_id for one in given]


def test_a_correction_after_a_question_was_added_takes_its_place_again(
    bob: Membership, carol: Membership, actors: Actors
) -> None:
    lease = hand_out(bob, 1).leases[0]
    old = submit(actor(bob), lease.pk, "k", Work(good(bob), count=0)).annotation
    add_question(actors.membership(actors.alice), SURE)
    correct(old.pk, {**good_all(bob), "sure": "very"})
    assert Item.objects.values_list("done", "free").get(pk=lease.item_id) == (1, 0)
    assert lease.item_id not in [one.item_id for one in hand_out(carol, 3).leases]


def test_a_correction_is_refused_when_others_have_the_place_meanwhile(
    bob: Membership, carol: Membership, actors: Actors
) -> None:
    lease = hand_out(bob, 1).leases[0]
    old = submit(actor(bob), lease.pk, "k", Work(good(bob), count=0)).annotation
    add_question(actors.membership(actors.alice), SURE)
    assert lease.item_id in [one.item_id for one in hand_out(carol, 3).leases]
    with pytest.raises(Conflict) as refusal:
        correct(old.pk, {**good_all(bob), "sure": "very"})
    assert refusal.value.code == "no-place"


def test_answers_that_need_no_more_stay_finished_when_a_question_is_added(
    bob: Membership, actors: Actors
) -> None:
    alice = actors.membership(actors.alice)
    key = key_of(bob)
    one, other = hand_out(bob, 2).leases
    submit(actor(bob), one.pk, "k1", Work(good(bob, 0), count=0))
    submit(actor(bob), other.pk, "k2", Work(good(bob, 1), count=0))
    add_question(alice, {**SURE, "when": {"question": key, "classes": [classes_of(bob)[1]]}})
    assert Item.objects.get(pk=one.item_id).done == 1
    assert Item.objects.get(pk=other.item_id).done == 0
    edit_question(alice, "sure", {"required": False}, version=2)
    assert Item.objects.get(pk=other.item_id).done == 1
    assert progress_of(bob.project_id).items_done == 2


def test_a_second_late_answer_replaces_the_draft_of_the_first(bob: Membership, carol: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    Item.objects.filter(pk=lease.item_id).update(target=1, leased=0, done=1, free=0)
    Lease.objects.update(state="expired")
    for place in (0, 1):
        with pytest.raises(Conflict):
            submit(actor(bob), lease.pk, f"k{place}", Work(good(bob, place)))
    assert Draft.objects.get().answers == good(bob, 1)


def test_a_key_of_another_answer_cannot_be_used_for_a_correction(bob: Membership) -> None:
    one, other = hand_out(bob, 2).leases
    first = submit(actor(bob), one.pk, "k1", Work(good(bob), count=0)).annotation
    submit(actor(bob), other.pk, "k2", Work(good(bob), count=0))
    with pytest.raises(Unprocessable):
        correct(first.pk, good(bob, 1), key="k2")
    assert Annotation.objects.count() == 2


def good_all(member: Membership) -> dict[str, str]:
    question = member.project.questions.order_by("order").first()
    assert question is not None
    return {question.key: good_value(member, question.key)}
