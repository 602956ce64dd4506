"""Many hands on the same item, and answers that no honest page sends (abuse cases A49-A51 and A53-A56)."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from core.choices import EmptyBecause, LeaseState
from core.exceptions import Conflict
from core.models import Annotation, Draft, Item, Lease, Membership, Project
from core.selectors.check_data import findings
from core.services.lease import hand_out
from core.services.progress import recount
from tests.conftest import Actors, client_of, token_client
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.project import add_member, make_project, make_question

pytestmark = pytest.mark.django_db
real_transactions = pytest.mark.django_db(transaction=True)
YES, NO = {"answer": "yes"}, {"answer": "no"}
MOST_THREADS = 40  # PostgreSQL's usual limit is 100 connections


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of all calls, each in a thread of its own, let go together."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(timeout=60)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def one_item(actors: Actors, overlap: int = 1) -> Item:
    """An item that wants one answer, in a project of nothing else."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=overlap)
    item = make_items(Project.objects.get(pk=actors.project.pk), 1)[0]
    recount(actors.project.pk)
    return item


def crowd(project: Project, n: int) -> list[Membership]:
    return [add_member(project, make_user(f"annotator{number}")) for number in range(n)]


def submit(client: Client, lease: UUID | str, key: str, answers: Any = None, **more: Any) -> Any:
    body = {"answers": YES if answers is None else answers, **more}
    return client.post(
        f"/api/v1/leases/{lease}/annotation",
        json.dumps(body),
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


def held_by_bob(actors: Actors) -> Lease:
    return hand_out(actors.membership(actors.bob), 1, []).leases[0]


@real_transactions
def test_two_browsers_that_send_the_same_answer_store_it_once(actors: Actors) -> None:
    """A49: the same key; a double click is the same."""
    make_items(actors.project, 10)
    recount(actors.project.pk)
    for _round in range(10):
        lease, key = held_by_bob(actors), str(uuid4())
        first, second = client_of(actors.bob), client_of(actors.bob)
        answers = at_once([partial(submit, first, lease.pk, key), partial(submit, second, lease.pk, key)])
        assert sorted(answer.status_code for answer in answers) == [200, 201]
        ids = {answer.json()["annotation"]["id"] for answer in answers}
        assert ids == set(Annotation.objects.filter(lease_id=lease.pk).values_list("pk", flat=True))
        assert len(ids) == 1
    assert list(findings()) == []


@real_transactions
def test_two_browsers_that_answer_differently_store_one_answer(actors: Actors) -> None:
    """A49: each with a key of its own."""
    make_items(actors.project, 10)
    recount(actors.project.pk)
    for _round in range(10):
        lease = held_by_bob(actors)
        first, second = client_of(actors.bob), client_of(actors.bob)
        answers = at_once(
            [
                partial(submit, first, lease.pk, str(uuid4()), YES),
                partial(submit, second, lease.pk, str(uuid4()), NO),
            ]
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        refused = next(answer for answer in answers if answer.status_code == 409)
        assert refused.json()["code"] == "lease-closed"
        assert Annotation.objects.filter(lease_id=lease.pk).count() == 1
    assert list(findings()) == []


@real_transactions
@pytest.mark.parametrize("overlap", [1, 2])
def test_fifty_people_who_want_the_last_place_get_it_once(actors: Actors, overlap: int) -> None:
    """A50, and I3 for an overlap of two with one place left."""
    item = one_item(actors, overlap)
    for member in crowd(actors.project, overlap - 1):
        hand_out(member, 1)
    people = crowd_of_scripts(actors, 50)
    answers = [answer for part in (people[:25], people[25:]) for answer in at_once(part)]
    assert Counter(answer.status_code for answer in answers) == {201: 50}
    given = [lease for answer in answers for lease in answer.json()["leases"]]
    assert [lease["item"]["id"] for lease in given] == [item.external_id]
    empty = Counter(answer.json()["empty_because"] for answer in answers)
    assert empty == {None: 1, EmptyBecause.HELD_BY_OTHERS: 49}
    assert Item.objects.values_list("done", "leased", "free").get() == (0, overlap, 0)


def crowd_of_scripts(actors: Actors, n: int) -> list[Callable[[], Any]]:
    """So many people's calls for one item."""

    def call(client: Client) -> Callable[[], Any]:
        return lambda: client.post(
            "/api/v1/projects/birds/leases", '{"count": 1}', content_type="application/json"
        )

    users = [make_user(f"wanting{number}") for number in range(n)]
    for user in users:
        add_member(actors.project, user)
    return [call(token_client(user)) for user in users]


@real_transactions
def test_two_hundred_hand_outs_at_once_never_go_over_the_overlap(actors: Actors) -> None:
    """I3: five rounds of forty people at the last three places."""
    people = crowd(actors.project, MOST_THREADS)
    for number in range(5):
        item = make_items(actors.project, 1, target=3)[0]
        recount(actors.project.pk)
        given = [got.leases for got in at_once([partial(hand_out, member, 1) for member in people])]
        assert [lease.item_id for leases in given for lease in leases] == [item.pk] * 3
        assert Item.objects.filter(leased=3, free=0, done=0).count() == number + 1
    assert list(findings()) == []


@real_transactions
def test_one_person_in_many_tabs_never_holds_an_item_twice_nor_more_than_twenty(actors: Actors) -> None:
    """I4."""
    make_items(actors.project, 60)
    recount(actors.project.pk)
    bob = actors.membership(actors.bob)

    def tab() -> list[Lease]:
        try:
            return hand_out(bob, 6).leases
        except Conflict:  # twenty are held
            return []

    given = [lease.item_id for leases in at_once([tab] * 8) for lease in leases]
    assert len(given) == len(set(given)) == 20
    assert Membership.objects.get(pk=bob.pk).held == 20
    assert list(findings()) == []


@real_transactions
def test_repeats_and_gold_in_many_tabs_and_hands_are_given_once_and_take_no_place(actors: Actors) -> None:
    """Everybody has answered ten items, there is gold on ten, ten are new: six people, four tabs each."""
    project = actors.project
    Project.objects.filter(pk=project.pk).update(
        overlap=6, retest_minimum=10, retest_rate="0.4", gold_rate="0.3"
    )
    people = crowd(project, 6)
    old = make_items(Project.objects.get(pk=project.pk), 10)
    for member in people:
        for item in old:
            make_answer(member, item, YES)
    Item.objects.update(done=6, free=0)
    Annotation.objects.update(created_at=Now() - timedelta(days=30))
    Membership.objects.filter(pk__in=[member.pk for member in people]).update(answered=10)
    for item in make_items(Project.objects.get(pk=project.pk), 20)[:10]:
        make_gold(item, "answer", "yes")
    recount(project.pk)

    def tab(member: Membership) -> list[Lease]:
        try:
            return hand_out(member, 6).leases
        except Conflict:  # twenty are held
            return []

    at_once([partial(tab, member) for member in people for _tab in range(4)])
    leases = Lease.objects.values_list("annotator", "item", "pass_kind")
    assert len({(annotator, item) for annotator, item, _kind in leases}) == len(leases) >= 60
    assert {kind for _annotator, _item, kind in leases} == {"normal", "retest", "gold"}
    assert {item for _annotator, item, kind in leases if kind == "retest"} <= {item.pk for item in old}
    assert set(Item.objects.filter(pk__in=[item.pk for item in old]).values_list("leased", "free")) == {
        (0, 0)
    }
    assert list(findings()) == []


@real_transactions
def test_an_answer_races_the_end_of_its_lease_and_one_of_them_wins(actors: Actors) -> None:
    """Whoever is first: the answer counts, or the place goes to Carol and the work is kept as a draft."""
    carol = actors.membership(actors.carol)
    bobs = client_of(actors.bob)
    for _round in range(8):
        item = one_item(actors)
        lease = held_by_bob(actors)
        assert lease.item_id == item.pk
        Lease.objects.filter(pk=lease.pk).update(expires_at=Now() - timedelta(seconds=1))
        answer, given = at_once([partial(submit, bobs, lease.pk, str(lease.pk)), partial(hand_out, carol, 1)])
        stored = Annotation.objects.filter(lease_id=lease.pk).count()
        kept = Draft.objects.filter(lease_id=lease.pk).count()
        held = Lease.objects.filter(item=item, annotator=carol, state=LeaseState.ACTIVE).count()
        assert (answer.status_code, stored, kept, held) in {(201, 1, 0, 0), (409, 0, 1, 1)}
        assert len(given.leases) == held
        assert list(findings()) == []


def test_an_answer_after_the_place_went_to_somebody_else_is_kept_as_a_draft(actors: Actors) -> None:
    """A51."""
    item = one_item(actors)
    lease = held_by_bob(actors)
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert [other.item_id for other in hand_out(actors.membership(actors.carol), 1).leases] == [item.pk]
    bobs = client_of(actors.bob)

    for _attempt in range(2):
        answer = submit(bobs, lease.pk, "late", YES, comment="I was at lunch")
        assert (answer.status_code, answer.json()["code"]) == (409, "lease-expired")

    assert not Annotation.objects.exists()
    assert Item.objects.values_list("done", "leased").get() == (0, 1)
    drafts = bobs.get("/api/v1/drafts").json()
    assert [(draft["item"], draft["answers"], draft["because"]) for draft in drafts] == [
        (item.external_id, YES, "lease-expired")
    ]
    assert client_of(actors.carol).get("/api/v1/drafts").json() == []


def test_nobody_answers_an_item_that_was_not_handed_to_them(actors: Actors) -> None:
    """A53: another's lease, one that does not exist, and a stranger's attempt."""
    one_item(actors)
    lease = held_by_bob(actors)
    tries = [
        (client_of(actors.carol), lease.pk, 403, "not-your-lease"),
        (client_of(actors.alice), lease.pk, 403, "not-your-lease"),
        (client_of(actors.eve), lease.pk, 404, "not-found"),
        (client_of(actors.bob), uuid4(), 404, "not-found"),
    ]
    for client, address, status, code in tries:
        answer = submit(client, address, "k")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert submit(client_of(), lease.pk, "k").status_code in {401, 403}
    assert not Annotation.objects.exists()
    assert not Draft.objects.exists()
    assert Lease.objects.get().state == LeaseState.ACTIVE


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"answer": "perhaps"}, "unknown-class"),
        ({"answer": "rose"}, "unknown-class"),
        ({"answer": ""}, "unknown-class"),
        ({"answer": 1}, "unknown-class"),
        ({"answer": None}, "required"),
        ({"answer": ["yes"]}, "unknown-class"),
        ({"answer": ["yes"] * 10_000}, "unknown-class"),
        ({"answer": "yes", "colour": "red"}, "unknown-question"),
        ({}, "required"),
    ],
)
def test_an_answer_outside_the_classes_is_refused(actors: Actors, answers: Any, code: str) -> None:
    """A54: unknown, another project's, empty, of another kind, far too many."""
    make_question(make_project("gardens"), "flower", ["rose", "tulip"])
    one_item(actors)
    lease = held_by_bob(actors)

    answer = submit(client_of(actors.bob), lease.pk, "k", answers)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid-answers"
    assert code in [row["code"] for row in answer.json()["errors"]]
    assert len(answer.content) < 2000
    assert not Annotation.objects.exists()
    assert Lease.objects.get().state == LeaseState.ACTIVE


def test_ten_thousand_labels_on_a_question_of_several_are_refused(actors: Actors) -> None:
    """A54: where a list is permitted."""
    make_question(actors.project, "colours", ["red", "blue"], kind="multiple")
    one_item(actors)
    lease = held_by_bob(actors)

    for answers, code in (
        ({"answer": "yes", "colours": ["red"] * 10_000}, "too-many-classes"),
        ({"answer": "yes", "colours": ["red", "rose"]}, "unknown-class"),
        ({"answer": "yes", "colours": "red"}, "not-a-list"),
        ({f"q{n}": "yes" for n in range(10_000)}, "unknown-question"),
    ):
        answer = submit(client_of(actors.bob), lease.pk, "k", answers)
        assert answer.status_code == 400
        assert code in {row["code"] for row in answer.json()["errors"]}
        assert len(answer.content) < 10_000
    assert not Annotation.objects.exists()


@pytest.mark.parametrize(("elapsed", "stored"), [(-5, 0), (10 * 365 * 86_400_000, 86_400_000), (1200, 1200)])
def test_a_nonsense_clock_changes_nothing(actors: Actors, elapsed: int, stored: int) -> None:
    """A55: kept within a day; when it was answered is the database's to say."""
    one_item(actors)
    lease = held_by_bob(actors)
    before = timezone.now()

    answer = submit(
        client_of(actors.bob),
        lease.pk,
        "k",
        elapsed_ms=elapsed,
        created_at="2099-01-01T00:00:00Z",
        annotator=actors.membership(actors.carol).pk,
        id=7_000_000,
    )

    assert answer.status_code == 201
    row = Annotation.objects.get()
    assert (row.elapsed_ms, row.annotator_id) == (stored, actors.membership(actors.bob).pk)
    assert row.pk != 7_000_000
    assert abs(row.created_at - before) < timedelta(minutes=5)


@pytest.mark.parametrize("elapsed", [1.5, "soon", 2**70, True, [1]])
def test_a_time_that_is_no_whole_number_is_refused_or_kept_within_a_day(actors: Actors, elapsed: Any) -> None:
    """A55: never a 5xx."""
    one_item(actors)
    lease = held_by_bob(actors)
    answer = submit(client_of(actors.bob), lease.pk, "k", elapsed_ms=elapsed)
    assert answer.status_code == 400
    assert not Annotation.objects.exists()


def test_an_old_key_with_another_body_changes_nothing(actors: Actors) -> None:
    """A56: the key is as good on the next day as at once, for what was sent with it and for nothing else."""
    make_items(actors.project, 2)
    recount(actors.project.pk)
    first, second = hand_out(actors.membership(actors.bob), 2).leases
    bobs = client_of(actors.bob)
    assert submit(bobs, first.pk, "k", YES).status_code == 201
    Annotation.objects.update(created_at=Now() - timedelta(days=1))

    for lease, answers in ((first, NO), (second, YES), (second, NO)):
        answer = submit(bobs, lease.pk, "k", answers)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
    again = submit(bobs, first.pk, "k", YES)

    assert again.status_code == 200
    assert again.json()["annotation"]["answers"] == YES
    assert Annotation.objects.count() == 1
    assert Lease.objects.get(pk=second.pk).state == LeaseState.ACTIVE
    assert list(findings()) == []
