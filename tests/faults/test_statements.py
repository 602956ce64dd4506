"""Submit and hand-out, broken at every single statement and at the commit: all or nothing, and then once."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from core.access import Actor
from core.choices import Pass
from core.exceptions import Conflict
from core.models import Annotation, Answer, Draft, Item, Lease, Membership, Outbox, Project
from core.selectors.check_data import findings
from core.services.annotation import Work, submit
from core.services.lease import HandOut, expire_leases, hand_out, skip
from core.services.progress import recount
from tests.conftest import Actors, client_of, token_client
from tests.factories.account import make_user
from tests.factories.answers import make_gold
from tests.factories.item import make_items
from tests.factories.project import add_member
from tests.faults.nth_statement import failing_statement

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MOST_STATEMENTS = 60
ANSWERS = {"answer": "yes"}
Scenario = Callable[[Membership], Lease]


@pytest.fixture
def bob(actors: Actors) -> Membership:
    """Bob, in a project with enough items for every statement that can fail."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=1)
    make_items(Project.objects.get(pk=actors.project.pk), 3 * MOST_STATEMENTS)
    recount(actors.project.pk)
    return actors.membership(actors.bob)


def state() -> dict[str, list[Any]]:
    """Everything that a hand-out or a submit may touch."""
    return {
        "annotations": list(Annotation.objects.values_list("pk", "idempotency_key", "current")),
        "answers": list(Answer.objects.order_by("pk").values_list("pk", "label_class")),
        "drafts": list(Draft.objects.order_by("pk").values_list("pk", "answers")),
        "items": list(
            Item.objects.order_by("pk").values_list("pk", "done", "leased", "free", "lane", "position")
        ),
        "leases": list(
            Lease.objects.order_by("pk").values_list("pk", "state", "idempotency_key", "expires_at")
        ),
        "members": list(
            Membership.objects.values_list(
                "pk", "answered", "answered_today", "held", "handed", "retested", "cursors"
            )
        ),
        "outbox": list(Outbox.objects.order_by("pk").values_list("pk", "annotations", "items_done")),
        "projects": list(Project.objects.order_by("pk").values_list("pk", "returned")),
    }


def actor(member: Membership) -> Actor:
    assert member.user is not None
    return Actor(member.user)


def held(bob: Membership) -> Lease:
    """A lease that Bob holds."""
    return hand_out(bob, 1, []).leases[0]


def run_out(bob: Membership) -> Lease:
    """A lease that ran out; nobody else has taken the place."""
    lease = held(bob)
    Lease.objects.filter(pk=lease.pk).update(expires_at=Now() - timedelta(hours=1))
    expire_leases()
    return lease


def gone(bob: Membership) -> Lease:
    """A lease that ran out, and somebody else holds the only place."""
    lease = run_out(bob)
    somebody = add_member(bob.project, make_user(uuid4().hex[:8]))
    assert [other.item_id for other in hand_out(somebody, 1).leases] == [lease.item_id]
    return lease


def again(bob: Membership) -> Lease:
    """A lease by which Bob holds something that he answered a month ago; a repeat or gold may come next."""
    Project.objects.filter(pk=bob.project_id).update(retest_rate="0.4", gold_rate="0.4")
    first = held(bob)
    while first.pass_kind != Pass.NORMAL:
        skip(first.pk, uuid4().hex, "other")
        first = held(bob)
    submit(actor(bob), first.pk, uuid4().hex, Work(ANSWERS, count=0))
    Annotation.objects.filter(lease_id=first.pk).update(created_at=Now() - timedelta(days=30))
    Membership.objects.filter(pk=bob.pk).update(cursors={}, held=F("held") + 1, handed=F("handed") + 1)
    make_gold(Item.objects.filter(done=0, leased=0, gold=None).latest("pk"), "answer", "yes")
    return Lease.objects.create(
        item=first.item,
        item_version=1,
        annotator=bob,
        pass_kind=Pass.RETEST,
        repeat=2,
        expires_at=Now() + timedelta(hours=1),
    )


@contextmanager
def failing_commit(moment: str) -> Iterator[None]:
    """The connection breaks at the first COMMIT: "before" it, or "after" it, when only the reply is lost."""
    real = connection.commit
    broken = False

    def commit() -> None:
        nonlocal broken
        if broken:
            return real()
        broken = True
        if moment == "after":
            real()
        raise OperationalError("the connection broke at COMMIT (on purpose)")

    with mock.patch.object(connection, "commit", commit):
        yield


def submit_once(bob: Membership, lease: Lease, key: str) -> None:
    """Bob's submit; that the work is kept as a draft is an answer too."""
    with suppress(Conflict):
        submit(actor(bob), lease.pk, key, Work(ANSWERS, count=1))


def is_complete(lease: Lease, key: str) -> bool:
    """Whether the work is stored exactly once, as an annotation or as a draft, and everything else agrees."""
    stored = Annotation.objects.filter(idempotency_key=key, answers__isnull=False).count()
    kept = Draft.objects.filter(lease_id=lease.pk).count()
    assert stored + kept in {0, 1}
    assert list(findings()) == []
    return stored + kept == 1


@pytest.mark.parametrize("scenario", [held, run_out, gone, again])
def test_a_submit_that_breaks_at_any_statement_is_all_or_nothing(bob: Membership, scenario: Scenario) -> None:
    tried = 0
    for n in range(1, MOST_STATEMENTS):
        lease, key = scenario(bob), str(uuid4())
        before = state()
        with failing_statement(n) as fault:
            try:
                submit_once(bob, lease, key)
            except OperationalError:
                assert fault.fired
        if not fault.fired:
            break
        tried += 1
        assert state() == before or is_complete(lease, key), f"half of it remained after statement {n}"
        submit_once(bob, lease, key)
        assert is_complete(lease, key)
    assert not fault.fired
    assert tried >= 8


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("scenario", [held, run_out])
def test_a_submit_that_breaks_at_the_commit_is_stored_once(
    bob: Membership, scenario: Scenario, moment: str
) -> None:
    lease, key = scenario(bob), str(uuid4())
    before = state()
    with failing_commit(moment), pytest.raises(OperationalError):
        submit_once(bob, lease, key)
    assert (state() == before) is (moment == "before")
    again = submit(actor(bob), lease.pk, key, Work(ANSWERS, count=1))
    assert again.replayed is (moment == "after")
    assert is_complete(lease, key)


def give(bob: Membership) -> HandOut:
    return hand_out(bob, 2)


def give_after_a_reload(bob: Membership) -> HandOut:
    return hand_out(bob, 4, [])


@pytest.mark.parametrize("way", [give, give_after_a_reload])
def test_a_hand_out_that_breaks_at_any_statement_is_all_or_nothing(
    bob: Membership, way: Callable[[Membership], HandOut]
) -> None:
    tried = 0
    for n in range(1, MOST_STATEMENTS):
        before = state()
        with failing_statement(n) as fault:
            try:
                way(bob)
            except OperationalError:
                assert fault.fired
        if not fault.fired:
            break
        tried += 1
        assert state() == before, f"half of it remained after statement {n}"
    assert not fault.fired
    assert tried >= 5
    assert len(way(bob).leases) in {2, 4}
    assert list(findings()) == []


def test_a_hand_out_that_breaks_while_it_takes_back_what_ran_out_leaves_no_half(actors: Actors) -> None:
    """With nothing else to give, what others held too long is taken back, lease by lease, each whole."""
    project = actors.project
    Project.objects.filter(pk=project.pk).update(overlap=1)
    make_items(Project.objects.get(pk=project.pk), 3)
    recount(project.pk)
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    tried = 0
    for n in range(1, MOST_STATEMENTS):
        hand_out(carol, 3)
        Lease.objects.filter(state="active").update(expires_at=Now() - timedelta(seconds=1))
        with failing_statement(n) as fault:
            try:
                hand_out(bob, 3)
            except OperationalError:
                assert fault.fired
        assert list(findings()) == []
        if not fault.fired:
            break
        tried += 1
        Lease.objects.filter(state="active").update(expires_at=Now() - timedelta(seconds=1))
        expire_leases()
    assert not fault.fired
    assert tried >= 20
    assert Lease.objects.filter(state="active", annotator=bob).count() == 3


def post(client: Client, address: str, body: dict[str, Any], key: str = "") -> Any:
    return client.post(
        address,
        json.dumps(body),
        content_type="application/json",
        headers={"Idempotency-Key": key} if key else {},
    )


def test_over_http_every_broken_statement_is_503_and_the_same_request_succeeds_later(
    bob: Membership, actors: Actors
) -> None:
    script = token_client(actors.bob)
    tried = 0
    for n in range(1, MOST_STATEMENTS):
        lease, key = held(bob), str(uuid4())
        before = state()
        address, body = f"/api/v1/leases/{lease.pk}/annotation", {"answers": ANSWERS}
        with failing_statement(n) as fault:
            answer = post(script, address, body, key)
        if not fault.fired:
            break
        tried += 1
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "unavailable"
        assert "on purpose" not in answer.content.decode()
        assert state() == before, f"half of it remained after statement {n}"
        assert post(script, address, body, key).status_code == 201
        assert post(script, address, body, key).status_code == 200
        assert is_complete(lease, key)
    assert answer.status_code == 201
    assert tried >= 8


def test_over_http_every_broken_hand_out_is_503(bob: Membership, actors: Actors) -> None:
    script = token_client(actors.bob)
    tried = 0
    for n in range(1, MOST_STATEMENTS):
        before = state()
        with failing_statement(n) as fault:
            answer = post(script, "/api/v1/projects/birds/leases", {"count": 1, "have": []})
        if not fault.fired:
            break
        tried += 1
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
        after = state()
        assert after == before or [len(after["leases"]), list(findings())] == [1, []]
    assert answer.status_code == 201
    assert tried >= 8


@pytest.mark.parametrize("moment", ["before", "after"])
def test_over_http_a_broken_commit_is_503_and_the_retry_is_stored_once(
    bob: Membership, actors: Actors, moment: str
) -> None:
    script = token_client(actors.bob)
    lease, key = held(bob), str(uuid4())
    address, body = f"/api/v1/leases/{lease.pk}/annotation", {"answers": ANSWERS}
    with failing_commit(moment):
        assert post(script, address, body, key).status_code == 503
    assert post(script, address, body, key).status_code == {"before": 201, "after": 200}[moment]
    assert is_complete(lease, key)


@pytest.mark.parametrize("address", ["/projects/birds/label/", "/projects/birds/", "/no/such/page"])
def test_a_page_whose_database_is_away_is_503_at_every_statement(actors: Actors, address: str) -> None:
    """Also where it is a middleware or an error page that reads it."""
    tried = 0
    for n in range(1, MOST_STATEMENTS):
        browser = client_of(actors.bob, raise_request_exception=False)
        with failing_statement(n) as fault:
            page = browser.get(address)
        if not fault.fired:
            break
        tried += 1
        assert (page.status_code, page["Retry-After"]) == (503, "2")
        assert "on purpose" not in page.content.decode()
    assert not fault.fired
    assert tried >= 2
