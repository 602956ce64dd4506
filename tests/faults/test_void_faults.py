"""Answers taken out, put back, and a person forgotten, broken at every single statement: all of it is done, or nothing."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.serializers import serialize
from django.db import OperationalError
from django.db.models.functions import Now

from core.choices import JobKind, JobState
from core.models import (
    Annotation,
    Event,
    Item,
    Job,
    Lease,
    Membership,
    Notice,
    Outbox,
    Project,
    Report,
    Resolution,
    Token,
    User,
    Void,
)
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.services.adjudication import settle
from core.services.erasure import erase_person
from core.services.job import create_job, take_back_abandoned
from core.services.lease import expire_leases, hand_out
from core.services.progress import recount
from core.services.void import undo_void, void_annotations
from tests.conftest import Actors, token_client
from tests.factories.item import make_items
from tests.factories.queue import answer, fresh
from tests.faults.nth_statement import failing_statement

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MOST_STATEMENTS = 120
TABLES = (
    Annotation,
    Event,
    Item,
    Lease,
    Membership,
    Notice,
    Outbox,
    Project,
    Report,
    Resolution,
    Token,
    User,
    Void,
)


def state() -> dict[str, Any]:
    """Every row of every table that one of these touches."""
    return {table.__name__: serialize("json", table._default_manager.order_by("pk")) for table in TABLES}


@pytest.fixture
def alice(actors: Actors) -> Membership:
    """Who leads a project in which two people answer every item."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=2, audit_overlap=2)
    return actors.membership(actors.alice)


@pytest.fixture
def bob(actors: Actors, alice: Membership) -> Membership:
    """Who has answered three items, commented on one that Dave has settled since, and has a token."""
    make_items(alice.project, 4, target=2)
    recount(alice.project_id)
    bob = actors.membership(actors.bob)
    for _ in range(3):
        answer(bob, hand_out(bob, 1).leases[0], comment="hard")
    settle(actors.membership(actors.dave), bob.annotations.earliest("pk").item_id, "answer", "no", revision=0)
    token_client(actors.bob)
    return fresh(bob)


def void(alice: Membership, bob: Membership) -> None:
    void_annotations(alice, bob.pk, "in haste")


def undo(alice: Membership, bob: Membership) -> None:
    undo_void(alice, Void.objects.get(undone_at=None).pk)


def erase(alice: Membership, bob: Membership) -> None:
    erase_person(alice, bob.pk, "bob")


def statements(act: Callable[[Membership, Membership], None], alice: Membership, bob: Membership) -> int:
    """Break it at each of its statements in turn until it is done; returns how many were tried in vain.

    A break behind the commit leaves it done, but for what its person holds.
    """
    before = state()
    for number in range(1, MOST_STATEMENTS):
        with failing_statement(number), suppress(OperationalError):
            act(alice, bob)
        if state() != before:
            assert list(findings()) == [], f"half of {act.__name__} remained after statement {number}"
            return number - 1
    return pytest.fail("it takes more statements than were tried")


def test_answers_are_taken_out_and_put_back_and_a_person_forgotten_whole_or_not_at_all(
    alice: Membership, bob: Membership
) -> None:
    hand_out(bob, 1)

    assert statements(void, alice, bob) > 15
    kept = Void.objects.get()
    assert Annotation.objects.filter(voided=True, void=kept).count() == kept.n_annotations == 3
    assert list(Item.objects.order_by("pk").values_list("done", flat=True)) == [0, 0, 0, 0]
    assert fresh(bob).answered == 0
    assert Resolution.objects.get().overtaken
    assert {notice.member.name for notice in Notice.objects.all()} == {"bob", "dave"}
    assert Event.objects.filter(verb="annotations.voided").count() == 1

    assert statements(undo, alice, bob) > 15
    assert not Annotation.objects.filter(voided=True).exists()
    assert list(Item.objects.order_by("pk").values_list("done", flat=True)) == [1, 1, 1, 0]
    assert fresh(bob).answered == 3
    assert Void.objects.get().undone_at is not None
    assert Notice.objects.count() == 3  # what Dave settled stays marked, so that he is not told again
    assert Event.objects.filter(verb="annotations.restored").count() == 1

    assert statements(erase, alice, bob) > 25
    gone = Membership.objects.get(pk=bob.pk)
    assert (gone.user, gone.active, gone.name != "bob") == (None, False, True)
    assert Event.objects.filter(verb="member.erased").count() == 1
    assert not User.objects.filter(username="bob").exists()
    assert not Token.objects.exists()
    assert not Annotation.objects.exclude(comment="").exists()
    assert not Notice.objects.filter(data__name="bob").exists()
    Lease.objects.filter(state="active").update(expires_at=Now() - timedelta(seconds=1))
    assert expire_leases() == 1
    assert list(findings()) == []


def its_worker_died(job: Job) -> None:
    """What the beat does half a minute later."""
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - timedelta(minutes=1))
    take_back_abandoned()


def test_a_job_that_breaks_at_any_statement_is_done_once_later(alice: Membership, bob: Membership) -> None:
    asked = {"member": bob.pk, "reason": "in haste", "since": None, "until": None}
    for number in range(1, MOST_STATEMENTS):
        voids, fired = Void.objects.count(), False
        for kind in (JobKind.VOID, JobKind.VOID_UNDO):
            void = Void.objects.filter(undone_at=None).first()
            arguments = asked if void is None else {"member": bob.pk, "void": void.pk}
            job = create_job(alice.project, kind, arguments, alice.user, send=False)
            before = state()
            with failing_statement(number) as fault:
                run_job(job.pk)
            if fault.fired:
                fired = True
                done = Job.objects.get(pk=job.pk).state == JobState.DONE  # only the last look was broken
                assert done or state() == before, f"half of it remained after statement {number}"
                its_worker_died(job)
                run_job(job.pk)
            assert Job.objects.get(pk=job.pk).state == JobState.DONE
        assert list(findings()) == []
        assert Void.objects.count() == voids + 1
        assert fresh(bob).answered == 3
        if not fired:
            break
    assert not fired
    assert number > 20
