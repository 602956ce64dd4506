"""Pauses: by the accuracy on gold, the same for everybody and beside the submits; by a lead; and their end."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from core.choices import DraftState, EmptyBecause, LeaseState, NoticeKind, Pass, PausedBecause
from core.exceptions import Conflict, Missing, NotAllowed
from core.models import Annotation, Draft, Event, Gold, Item, LabelClass, Lease, Membership, Notice, Project
from core.numerics.sequential import FIRST_LOOK
from core.pipelines.gold import OnGold, gold_people, pause_due
from core.services.annotation import submit_draft
from core.services.lease import Stopped, hand_out
from core.services.pause import pause_for_gold, pause_member, resume_member
from core.services.progress import fold_outbox, recount
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.queue import answer, fresh

pytestmark = pytest.mark.django_db
BOUND = "0.8"


@pytest.fixture
def bob(actors: Actors) -> Membership:
    """Bob, who has worked today in a project that asks for eight right in ten."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=1, audit_overlap=1, gold_bound=BOUND)
    bob = actors.membership(actors.bob)
    make_items(bob.project, 4)
    recount(bob.project_id)
    answer(bob, hand_out(bob, 1).leases[0])
    return fresh(bob)


def meets_gold(member: Membership, n: int, *, right: int) -> list[Item]:
    """What is left of so many gold passes, the right ones first."""
    project = Project.objects.get(pk=member.project_id)
    items = make_items(project, n, target=1)
    for place, item in enumerate(items):
        make_gold(item, "answer", "yes")
        value = "yes" if place < right else "no"
        make_answer(member, item, {"answer": value}, pass_kind=Pass.GOLD)
    return items


def on_gold(member: Membership) -> OnGold:
    return next(one for one in gold_people(fresh(member).project) if one.member.pk == member.pk)


def test_half_right_is_paused_and_told_and_so_are_the_leads(actors: Actors, bob: Membership) -> None:
    meets_gold(bob, 40, right=20)
    lease = hand_out(bob, 1).leases[0]
    assert pause_due() == 1
    bob = fresh(bob)
    assert (bob.paused_because, bob.paused_at is not None, bob.held) == (PausedBecause.GOLD, True, 0)
    assert Lease.objects.get(pk=lease.pk).state == LeaseState.RELEASED
    told = {notice.member.name: notice.data for notice in Notice.objects.all()}
    assert told == {
        "bob": {"because": "gold", "member": bob.pk, "name": "bob"},
        "alice": {"because": "gold", "member": bob.pk, "name": "bob", "n": 40, "right": 20, "bound": 0.8},
    }
    line = Event.objects.get(verb="member.paused")
    assert (line.actor, line.data["because"], line.data["n"]) == (None, "gold", 40)
    given = hand_out(bob, 1)
    assert (given.leases, given.empty_because, given.stopped) == ([], EmptyBecause.PAUSED, Stopped.GOLD)
    assert pause_due() == 0


def test_enough_right_goes_on(bob: Membership) -> None:
    meets_gold(bob, 40, right=34)
    assert pause_due() == 0
    assert hand_out(bob, 1).leases


def test_without_a_bound_nobody_is_paused(bob: Membership) -> None:
    Project.objects.filter(pk=bob.project_id).update(gold_bound=None)
    meets_gold(bob, 40, right=0)
    assert pause_due() == 0


def test_before_the_first_look_nobody_is_judged(bob: Membership) -> None:
    meets_gold(bob, FIRST_LOOK - 1, right=0)
    assert pause_due() == 0
    assert on_gold(bob).accuracy.ci is None


def test_a_project_in_which_nobody_worked_since_costs_one_statement(bob: Membership) -> None:
    meets_gold(bob, 40, right=0)
    fold_outbox(bob.project_id)
    with CaptureQueriesContext(connection) as statements:
        assert pause_due() == 0
    assert len(statements) == 1


def test_a_submit_costs_the_same_whether_it_is_gold_or_not(bob: Membership) -> None:
    """The verdict is never part of a submit."""
    meets_gold(bob, 39, right=10)
    (item,) = make_items(bob.project, 1)
    make_gold(item, "answer", "yes")
    gold = Lease.objects.create(
        item=item, item_version=1, annotator=bob, pass_kind=Pass.GOLD, expires_at=Now() + timedelta(hours=1)
    )
    normal = hand_out(bob, 1).leases[0]
    Membership.objects.filter(pk=bob.pk).update(held=2)
    counts = []
    for lease in (gold, normal):
        with CaptureQueriesContext(connection) as statements:
            answer(bob, lease, "no", count=1)
        counts.append([query["sql"].split()[0] for query in statements])
    assert counts[0] == counts[1]
    assert fresh(bob).paused_because == PausedBecause.NOT


def test_the_first_answer_counts_whatever_was_corrected_later(bob: Membership) -> None:
    items = meets_gold(bob, 2, right=0)
    first = Annotation.objects.get(item=items[0])
    Annotation.objects.filter(pk=first.pk).update(current=False)
    make_answer(bob, items[0], {"answer": "yes"}, pass_kind=Pass.GOLD, revision=2)
    assert (on_gold(bob).n, on_gold(bob).right) == (2, 0)


def test_normal_answers_on_items_with_gold_do_not_count(bob: Membership) -> None:
    item = make_items(bob.project, 1)[0]
    make_gold(item, "answer", "yes")
    make_answer(bob, item, {"answer": "no"})
    assert on_gold(bob).n == 0


def test_gold_that_was_removed_does_not_count(bob: Membership) -> None:
    items = meets_gold(bob, 3, right=1)
    Gold.objects.filter(item=items[2]).delete()
    assert (on_gold(bob).n, on_gold(bob).right) == (2, 1)


def test_merged_classes_are_read_as_one(bob: Membership) -> None:
    meets_gold(bob, 3, right=1)
    classes = LabelClass.objects.filter(question__project=bob.project_id)
    classes.filter(name="no").update(merged_into=classes.get(name="yes"))
    Project.objects.filter(pk=bob.project_id).update(schema_version=2)
    assert (on_gold(bob).n, on_gold(bob).right) == (3, 3)


def test_after_a_resume_the_answers_count_anew(actors: Actors, bob: Membership) -> None:
    meets_gold(bob, 40, right=20)
    assert pause_due() == 1
    alice = actors.membership(actors.alice)
    resume_member(alice, bob.pk)
    assert hand_out(fresh(bob), 1).leases
    assert (on_gold(bob).n, on_gold(bob).since is not None) == (0, True)
    assert pause_due() == 0
    assert Notice.objects.filter(member=bob, kind=NoticeKind.RESUMED).count() == 1
    Annotation.objects.filter(pass_kind=Pass.GOLD).update(created_at=Now() - timedelta(days=1))
    meets_gold(bob, 20, right=0)
    assert pause_due() == 1


def test_a_lead_pauses_and_resumes(actors: Actors, bob: Membership) -> None:
    alice = actors.membership(actors.alice)
    lease = hand_out(bob, 1).leases[0]
    paused = pause_member(alice, bob.pk)
    assert (paused.paused_because, Lease.objects.get(pk=lease.pk).state) == ("lead", LeaseState.RELEASED)
    assert hand_out(bob, 1).stopped == Stopped.LEAD
    with pytest.raises(Conflict, match="paused already"):
        pause_member(alice, bob.pk)
    resume_member(alice, bob.pk)
    assert hand_out(bob, 1).stopped is None
    with pytest.raises(Conflict, match="is not paused"):
        resume_member(alice, bob.pk)
    assert list(Event.objects.filter(verb__startswith="member.").values_list("verb", flat=True)) == [
        "member.resumed",
        "member.paused",
    ]


def test_whom_a_lead_has_paused_meanwhile_is_not_paused_for_gold_as_well(
    actors: Actors, bob: Membership
) -> None:
    paused = pause_member(actors.membership(actors.alice), bob.pk)

    assert not pause_for_gold(bob, n=40, right=20, bound=0.8)

    assert (fresh(bob).paused_because, fresh(bob).paused_at) == (PausedBecause.LEAD, paused.paused_at)
    assert Event.objects.filter(verb="member.paused").count() == 1
    assert [notice.member for notice in Notice.objects.all()] == [bob]


def test_strangers_and_those_above_are_not_paused(actors: Actors, bob: Membership) -> None:
    eve = Membership.objects.get(user=actors.eve)
    with pytest.raises(Missing):
        pause_member(actors.membership(actors.alice), eve.pk)
    Membership.objects.filter(pk=bob.pk).update(role="lead")
    with pytest.raises(NotAllowed):
        pause_member(fresh(bob), actors.membership(actors.alice).pk)


def test_what_comes_in_after_the_pause_is_kept_as_a_draft_until_the_resume(
    actors: Actors, bob: Membership
) -> None:
    alice = actors.membership(actors.alice)
    lease = hand_out(bob, 1).leases[0]
    pause_member(alice, bob.pk)
    with pytest.raises(Conflict, match="Your work is paused"):
        answer(bob, lease)
    draft = Draft.objects.get()
    with pytest.raises(Conflict, match="the draft is kept"):
        submit_draft(fresh(bob), draft.pk)
    resume_member(alice, bob.pk)
    submit_draft(fresh(bob), draft.pk)
    assert Draft.objects.get().state == DraftState.SUBMITTED


def test_a_submit_under_way_counts_and_brings_nothing_new(actors: Actors, bob: Membership) -> None:
    lease = hand_out(bob, 1).leases[0]
    Membership.objects.filter(pk=bob.pk).update(paused_because=PausedBecause.GOLD)
    stored = answer(bob, lease, count=1)
    assert (stored.next.leases, stored.next.stopped) == ([], Stopped.GOLD)
