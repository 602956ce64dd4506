"""Taking one person's answers out of the counts, and back: every count follows, nothing is lost, nobody is asked twice."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from core.choices import ItemState, JobKind, JobState, Lane, NoticeKind, Pass, ProjectState, Role
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import Annotation, Event, Item, Job, Membership, Notice, Project, Resolution, Void
from core.pipelines.job import run_job
from core.pipelines.void import run_void
from core.selectors.check_data import findings
from core.selectors.progress import progress_of
from core.selectors.void import Span
from core.services.adjudication import settle
from core.services.annotation import correct
from core.services.item import correct_item
from core.services.job import JobCancelled, LostClaim, claim_job, request_cancel, take_back_abandoned
from core.services.lease import hand_out
from core.services.progress import recount
from core.services.void import preview_void, start_undo, start_void, undo_void, void_annotations
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.factories.queue import answer, fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(actors: Actors) -> Membership:
    """Who leads a project in which two people answer every item."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=2, audit_overlap=2)
    return actors.membership(actors.alice)


@pytest.fixture
def bob(actors: Actors, alice: Membership) -> Membership:
    """Who has answered three of four items."""
    make_items(alice.project, 4, target=2)
    recount(alice.project_id)
    bob = actors.membership(actors.bob)
    for _ in range(3):
        answer(bob, hand_out(bob, 1).leases[0])
    return fresh(bob)


@pytest.fixture
def carol(actors: Actors, bob: Membership) -> Membership:
    """Who has answered the same three after Bob, so that they are finished."""
    carol = actors.membership(actors.carol)
    for lease in hand_out(carol, 4).leases:
        if Annotation.objects.filter(item=lease.item, annotator=bob).exists():
            answer(carol, lease, "no")
    return fresh(carol)


def facts(project: Project) -> list[tuple[int, ...]]:
    """The places of all items."""
    columns = ("pk", "target", "done", "leased", "free", "extra")
    return list(Item.objects.filter(project=project).order_by("pk").values_list(*columns))


def test_it_tells_beforehand_what_it_does(alice: Membership, bob: Membership, carol: Membership) -> None:
    told = preview_void(alice, bob.pk, Span())

    assert (told.annotations, told.items, told.places, told.finished) == (3, 3, 3, 3)
    assert fresh(bob).answered == 3
    assert carol.answered == 3


def test_every_count_follows_and_the_items_wait_for_others(
    alice: Membership, bob: Membership, carol: Membership
) -> None:
    before = progress_of(alice.project_id)

    void, counts = void_annotations(alice, bob.pk, "in haste")

    after = progress_of(alice.project_id)
    assert (void.n_annotations, counts.finished) == (3, 3)
    assert (before.items_done - after.items_done, before.annotations - after.annotations) == (3, 3)
    assert fresh(bob).answered == 0
    assert Item.objects.filter(done=1, free=1, lane=Lane.RETURNED).count() == 3
    assert list(findings()) == []
    assert Event.objects.get(verb="annotations.voided").data["annotations"] == 3
    assert Notice.objects.get(member=bob).data["answers"] == 3


def test_undone_all_is_as_it_was(alice: Membership, bob: Membership, carol: Membership) -> None:
    places, progress = facts(alice.project), progress_of(alice.project_id)
    void, _counts = void_annotations(alice, bob.pk, "in haste")

    undone, restored = undo_void(alice, void.pk)

    assert undone.undone_at is not None
    assert (restored.annotations, restored.beyond) == (3, 0)
    assert facts(alice.project) == places
    assert progress_of(alice.project_id) == progress
    assert fresh(bob).answered == 3
    assert list(findings()) == []
    with pytest.raises(Conflict, match="put back already"):
        undo_void(alice, void.pk)


def test_what_others_have_filled_meanwhile_stays_beside_what_comes_back(
    actors: Actors, alice: Membership, bob: Membership, carol: Membership
) -> None:
    void, _counts = void_annotations(alice, bob.pk, "in haste")
    dave = actors.membership(actors.dave)
    answer(dave, hand_out(dave, 1).leases[0])
    (held,) = hand_out(fresh(dave), 1).leases

    _undone, restored = undo_void(alice, void.pk)

    assert restored.beyond == 2
    filled = Item.objects.get(annotations__annotator=dave)
    assert (filled.done, filled.target, filled.free) == (3, 3, 0)
    at_it = Item.objects.get(pk=held.item_id)
    assert (at_it.done, at_it.leased, at_it.target, at_it.free) == (2, 1, 3, 0)
    assert list(findings()) == []


def test_only_a_stretch_of_time_can_be_taken_out(alice: Membership, bob: Membership) -> None:
    first = bob.annotations.earliest("pk")
    Annotation.objects.filter(pk=first.pk).update(created_at=Now() - timedelta(days=2))
    yesterday = Annotation.objects.annotate(t=Now() - timedelta(days=1)).values_list("t", flat=True)[0]

    void_annotations(alice, bob.pk, "the first day", Span(until=yesterday))

    assert list(bob.annotations.filter(voided=True)) == [first]
    with pytest.raises(Invalid, match="after since"):
        preview_void(alice, bob.pk, Span(since=yesterday, until=yesterday))
    with pytest.raises(Conflict, match="no answers"):
        void_annotations(alice, bob.pk, "again", Span(until=yesterday))


def test_a_settled_item_is_to_be_looked_at_again(actors: Actors, alice: Membership, bob: Membership) -> None:
    dave = actors.membership(actors.dave)
    item = bob.annotations.earliest("pk").item
    other = Item.objects.exclude(annotations__annotator=bob).get()
    for one in (item, other):
        settle(dave, one.pk, "answer", "yes", revision=0)

    _void, counts = void_annotations(alice, bob.pk, "in haste")

    assert counts.resolutions == 1
    assert Resolution.objects.get(item=item).overtaken
    assert not Resolution.objects.get(item=other).overtaken
    told = Notice.objects.get(member=dave, kind=NoticeKind.VOIDED)
    assert told.data["resolutions"] == 1


def test_what_was_settled_by_a_newer_answer_stands_when_the_older_one_comes_back(
    actors: Actors, alice: Membership, bob: Membership
) -> None:
    dave = actors.membership(actors.dave)
    first, second, _third = bob.annotations.order_by("pk")
    void, _counts = void_annotations(alice, bob.pk, "in haste")
    Annotation.objects.filter(pk=first.pk).update(current=False)
    make_answer(bob, first.item, {"answer": "no"}, revision=2)
    for one in (first, second):
        settle(dave, one.item_id, "answer", "no", revision=0)

    undo_void(alice, void.pk)

    assert not Resolution.objects.get(item=first.item).overtaken
    assert Resolution.objects.get(item=second.item).overtaken


def test_what_was_answered_to_an_earlier_version_counts_nowhere_already(
    alice: Membership, bob: Membership
) -> None:
    item = bob.annotations.earliest("pk").item
    correct_item(alice, item.pk, 1, data={"text": "another"})
    places = Item.objects.values_list("done", "target", "free").get(pk=item.pk)

    void, _counts = void_annotations(alice, bob.pk, "in haste")

    assert Item.objects.values_list("done", "target", "free").get(pk=item.pk) == places
    assert list(findings()) == []
    undo_void(alice, void.pk)
    assert Item.objects.values_list("done", "target", "free").get(pk=item.pk) == places
    assert list(findings()) == []


def test_an_item_with_more_answers_than_it_wants_stays_finished(alice: Membership, bob: Membership) -> None:
    item = bob.annotations.earliest("pk").item
    Item.objects.filter(pk=item.pk).update(done=3, target=3, free=0)
    for name in ("w001", "w002"):
        imported = Membership.objects.create(project=alice.project, name=name, answered=1)
        make_answer(imported, item, {"answer": "no"})
    recount(alice.project_id)

    void, counts = void_annotations(alice, bob.pk, "in haste")

    after = Item.objects.get(pk=item.pk)
    assert (after.done, after.target, after.free, counts.finished) == (2, 2, 0, 1)
    assert list(findings()) == []
    undo_void(alice, void.pk)
    assert (Item.objects.get(pk=item.pk).done, Item.objects.get(pk=item.pk).target) == (3, 3)
    assert list(findings()) == []


@pytest.mark.parametrize("state", [ItemState.WITH_LEAD, ItemState.WITHDRAWN])
def test_what_is_not_in_the_queue_stays_out_of_it(
    alice: Membership, bob: Membership, state: ItemState
) -> None:
    item = bob.annotations.earliest("pk").item
    Item.objects.filter(pk=item.pk).update(state=state, free=0)
    recount(alice.project_id)

    void_annotations(alice, bob.pk, "in haste")

    after = Item.objects.get(pk=item.pk)
    assert (after.state, after.done, after.free) == (state, 0, 0)
    assert list(findings()) == []


def test_a_voided_answer_cannot_be_corrected(alice: Membership, bob: Membership) -> None:
    mine = bob.annotations.earliest("pk")
    void_annotations(alice, bob.pk, "in haste")

    with pytest.raises(Conflict, match="taken out by a lead"):
        correct(mine.pk, {"answer": "no"})


def test_nobody_is_asked_about_what_was_taken_out_of_theirs(alice: Membership, bob: Membership) -> None:
    mine = set(bob.annotations.values_list("item", flat=True))
    void_annotations(alice, bob.pk, "in haste")

    given = {lease.item_id for lease in hand_out(fresh(bob), 4).leases}

    assert given
    assert not given & mine


def test_repeats_are_taken_out_too(alice: Membership, bob: Membership) -> None:
    first = bob.annotations.earliest("pk")
    make_answer(bob, first.item, {"answer": "yes"}, pass_kind=Pass.RETEST, repeat=2)
    Membership.objects.filter(pk=bob.pk).update(answered=F("answered") + 1, retested=1)
    recount(alice.project_id)

    void, counts = void_annotations(alice, bob.pk, "in haste")

    assert (counts.annotations, counts.items) == (4, 3)
    assert (fresh(bob).answered, fresh(bob).retested) == (0, 0)
    undo_void(alice, void.pk)
    assert (fresh(bob).answered, fresh(bob).retested) == (4, 1)
    assert list(findings()) == []


def test_who_may_not_is_told(actors: Actors, alice: Membership, bob: Membership) -> None:
    lead = Membership.objects.create(project=alice.project, name="frank", role="lead")

    with pytest.raises(NotAllowed):
        void_annotations(lead, alice.pk, "in haste")
    with pytest.raises(Missing):
        void_annotations(alice, 0, "in haste")
    with pytest.raises(Invalid, match="Say why"):
        void_annotations(alice, bob.pk, "  ")
    Project.objects.filter(pk=alice.project_id).update(state=ProjectState.ARCHIVED)
    archived = actors.membership(actors.alice)
    with pytest.raises(Conflict, match="archived"):
        void_annotations(archived, bob.pk, "in haste")


# --- Too many for a request ---------------------------------------------------------------------------


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two answers are a job's work."""
    monkeypatch.setattr("core.services.void.MOST_AT_ONCE", 2)


def asked(alice: Membership, bob: Membership) -> Job:
    """The job that is to take all of Bob's answers out."""
    job = start_void(alice, bob.pk, "in haste")
    assert job is not None
    return job


def untouched(bob: Membership) -> bool:
    """Whether nothing at all was done about Bob's answers."""
    return (
        not Void.objects.exists()
        and not Annotation.objects.filter(voided=True).exists()
        and not Event.objects.filter(verb="annotations.voided").exists()
        and fresh(bob).answered == 3
    )


def test_few_answers_need_no_job(alice: Membership, bob: Membership) -> None:
    assert start_void(alice, bob.pk, "in haste") is None
    void, _counts = void_annotations(alice, bob.pk, "in haste")
    assert start_undo(alice, void.pk) is None
    assert not Job.objects.exists()


def test_a_job_takes_many_out_and_puts_them_back(
    alice: Membership, bob: Membership, carol: Membership, few_at_once: None
) -> None:
    places = facts(alice.project)
    job = asked(alice, bob)
    assert untouched(bob)

    run_job(job.pk)

    job.refresh_from_db()
    void = Void.objects.get()
    assert (job.state, void.reason, void.created_by) == (JobState.DONE, "in haste", alice.user)
    counts = {"annotations": 3, "items": 3, "places": 3, "finished": 3, "resolutions": 0}
    assert job.result == {"void": void.pk, **counts}
    assert fresh(bob).answered == 0
    assert list(findings()) == []

    back = start_undo(alice, void.pk)
    assert back is not None
    run_job(back.pk)

    back.refresh_from_db()
    assert back.result == {"void": void.pk, "annotations": 3, "beyond": 0}
    assert facts(alice.project) == places
    assert list(findings()) == []


def test_a_job_takes_out_the_stretch_of_time_that_was_asked_for(
    alice: Membership, bob: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.void.MOST_AT_ONCE", 0)
    first = bob.annotations.earliest("pk")
    Annotation.objects.filter(pk=first.pk).update(created_at=Now() - timedelta(days=2))
    yesterday = Annotation.objects.annotate(t=Now() - timedelta(days=1)).values_list("t", flat=True)[0]

    job = start_void(alice, bob.pk, "the first day", Span(until=yesterday))
    assert job is not None
    run_job(job.pk)

    assert list(bob.annotations.filter(voided=True)) == [first]
    assert Void.objects.get().until == yesterday


def test_asked_twice_it_is_one_job_and_nothing_else_is_begun_meanwhile(
    alice: Membership, bob: Membership, few_at_once: None
) -> None:
    job = asked(alice, bob)

    assert asked(alice, bob) == job
    with pytest.raises(Conflict, match="just now"):
        start_void(alice, bob.pk, "another reason")
    assert Job.objects.count() == 1

    run_job(job.pk)
    run_job(job.pk)
    assert Void.objects.count() == 1


def test_cancelled_in_the_midst_of_it_nothing_is_done(
    alice: Membership, bob: Membership, few_at_once: None
) -> None:
    job = claim_job(asked(alice, bob).pk)
    assert job is not None
    request_cancel(job.pk)

    with pytest.raises(Conflict, match="just now"):
        start_void(alice, bob.pk, "in haste")
    with pytest.raises(JobCancelled):
        run_void(job)

    assert untouched(bob)
    assert list(findings()) == []


def test_a_worker_that_was_given_up_does_nothing_and_the_next_does_it_once(
    alice: Membership, bob: Membership, few_at_once: None
) -> None:
    slow = claim_job(asked(alice, bob).pk)
    assert slow is not None
    Job.objects.filter(pk=slow.pk).update(heartbeat_at=Now() - timedelta(minutes=1))
    take_back_abandoned()
    again = claim_job(slow.pk)
    assert again is not None

    with pytest.raises(LostClaim):
        run_void(slow)
    assert untouched(bob)

    run_void(again)
    assert Void.objects.get().n_annotations == 3
    assert Job.objects.get().state == JobState.DONE


def test_who_may_no_longer_decide_is_refused_when_the_job_runs(
    alice: Membership, bob: Membership, few_at_once: None
) -> None:
    job = asked(alice, bob)
    Membership.objects.filter(pk=alice.pk).update(role=Role.ANNOTATOR)

    run_job(job.pk)

    job.refresh_from_db()
    assert (job.state, (job.error or {})["code"]) == (JobState.FAILED, "not-allowed")
    assert untouched(bob)


def test_what_cannot_be_done_is_told_before_a_job_is_made(
    actors: Actors, alice: Membership, bob: Membership, few_at_once: None
) -> None:
    lead = Membership.objects.create(project=alice.project, name="frank", role="lead")

    with pytest.raises(NotAllowed):
        start_void(lead, alice.pk, "in haste")
    with pytest.raises(Missing):
        start_void(alice, 0, "in haste")
    with pytest.raises(Missing):
        start_undo(alice, 0)
    with pytest.raises(Invalid, match="Say why"):
        start_void(alice, bob.pk, "  ")
    assert not Job.objects.filter(kind=JobKind.VOID).exists()
