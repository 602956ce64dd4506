"""A lead's trial: the same loop, and nothing about it counts anywhere."""

import json
from typing import Any

import pytest
from django.test import Client

from core.choices import EmptyBecause, ItemState, Pass, ProjectState
from core.models import Annotation, Flag, Item, Lease, Membership, Project
from core.selectors.progress import changes_of, progress_of
from core.services.annotation import correct
from core.services.lease import Stopped, flag, hand_out, hand_out_trial, skip
from tests.conftest import Actors, client_of
from tests.factories.item import make_waiting
from tests.factories.queue import answer, fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Five items that want one answer each."""
    return make_waiting(actors.project, 5)


@pytest.fixture
def alice(actors: Actors, items: list[Item]) -> Membership:
    """The lead."""
    return actors.membership(actors.alice)


def test_a_trial_changes_no_count(alice: Membership, items: list[Item]) -> None:
    before = (
        list(Item.objects.order_by("pk").values()),
        progress_of(alice.project_id),
        changes_of(alice.project),
    )
    leases = hand_out_trial(alice, 3).leases
    assert {(lease.pass_kind, lease.repeat) for lease in leases} == {(Pass.TRIAL, 0)}
    stored = answer(alice, leases[0], count=3, have=[lease.pk for lease in leases[1:]])
    correct(stored.annotation.pk, {"answer": "no"})
    skip(leases[1].pk, "k", "broken", "torn")
    flag(leases[2].pk, "f", "torn", broken=True)
    assert before == (
        list(Item.objects.order_by("pk").values()),
        progress_of(alice.project_id),
        changes_of(alice.project),
    )
    assert (fresh(alice).answered, fresh(alice).answered_today) == (0, 0)
    assert not Flag.objects.exists()


def test_it_goes_through_the_items_once(alice: Membership, items: list[Item]) -> None:
    seen = []
    given = hand_out_trial(alice, 1)
    while given.leases:
        seen.append(given.leases[0].item_id)
        given = answer(alice, given.leases[0], count=1).next
    assert seen == [item.pk for item in items]
    assert given.empty_because == EmptyBecause.ALL_DONE
    assert fresh(alice).held == 0


def test_finished_items_are_tried_too_and_withdrawn_ones_not(alice: Membership, items: list[Item]) -> None:
    Item.objects.filter(pk=items[0].pk).update(done=1, free=0)
    Item.objects.filter(pk=items[1].pk).update(state=ItemState.WITHDRAWN, free=0)
    assert [lease.item_id for lease in hand_out_trial(alice, 2).leases] == [items[0].pk, items[2].pk]


def test_the_lead_may_label_the_same_items_in_earnest(alice: Membership, items: list[Item]) -> None:
    tried, skipped = hand_out_trial(alice, 2).leases
    answer(alice, tried)
    skip(skipped.pk, "k", "other")
    assert {lease.item_id for lease in hand_out(fresh(alice), 10).leases} == {item.pk for item in items}


def test_nobody_holds_an_item_twice(alice: Membership, items: list[Item]) -> None:
    tried = {lease.item_id for lease in hand_out_trial(alice, 2).leases}
    labeled = {lease.item_id for lease in hand_out(alice, 2).leases}
    assert (len(tried), len(labeled), tried & labeled) == (2, 2, set())


def test_a_reload_brings_back_what_is_tried_and_what_is_labeled_apart(
    alice: Membership, items: list[Item]
) -> None:
    tried, labeled = hand_out_trial(alice, 2).leases, hand_out(alice, 2).leases
    assert [one.pk for one in hand_out_trial(alice, 2, []).leases] == [one.pk for one in tried]
    assert [one.pk for one in hand_out(alice, 2, []).leases] == [one.pk for one in labeled]


def test_it_works_before_the_start_and_not_in_an_archive(alice: Membership, items: list[Item]) -> None:
    Project.objects.filter(pk=alice.project_id).update(state=ProjectState.PAUSED)
    first = hand_out_trial(alice, 1).leases[0]
    assert answer(alice, first, count=1).next.leases
    Project.objects.filter(pk=alice.project_id).update(state=ProjectState.ARCHIVED)
    assert hand_out_trial(alice, 1).stopped == Stopped.PROJECT


# --- Over HTTP -----------------------------------------------------------------------------------------


def post(client: Client, address: str, body: dict[str, Any], key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(
        f"/api/v1/{address}", json.dumps(body), content_type="application/json", headers=headers
    )


def test_only_leads_try_a_project_out(actors: Actors, items: list[Item]) -> None:
    assert post(client_of(actors.bob), "projects/birds/trial", {"count": 1}).status_code == 403
    assert post(client_of(actors.eve), "projects/birds/trial", {"count": 1}).status_code == 404


def test_the_loop_over_the_api_shows_ones_own_trial_answers_and_nothing_else(
    actors: Actors, items: list[Item]
) -> None:
    client = client_of(actors.alice)
    given = post(client, "projects/birds/trial", {"count": 1}).json()
    lease = given["leases"][0]["id"]
    reply = post(client, f"leases/{lease}/annotation", {"answers": {"answer": "yes"}, "count": 1}, "k")
    assert (reply.status_code, reply.json()["feedback"]) == (201, None)
    assert reply.json()["progress"] == {"mine": 0, "mine_today": 0}
    assert Lease.objects.get(pk=reply.json()["next"][0]["id"]).pass_kind == Pass.TRIAL
    recent = client.get("/api/v1/projects/birds/recent?trial=1").json()
    assert [row["answers"] for row in recent] == [{"answer": "yes"}]
    assert client.get("/api/v1/projects/birds/recent").json() == []
    assert client.get("/api/v1/projects/birds/recent?trial=2").status_code == 400
    skipped = post(client, f"leases/{reply.json()['next'][0]['id']}/skip", {"reason": "other"}, "s").json()
    assert Lease.objects.get(pk=skipped["next"][0]["id"]).pass_kind == Pass.TRIAL
    assert Annotation.objects.get().repeat == 0


def test_the_page_says_that_nothing_counts(actors: Actors, items: list[Item]) -> None:
    page = client_of(actors.alice).get("/projects/birds/label/trial")
    assert page.status_code == 200
    assert "Trial: nothing counts." in page.text
    assert "/api/v1/projects/birds/trial" in page.text
    assert client_of(actors.bob).get("/projects/birds/label/trial").status_code == 403
    assert "Try it out (nothing counts)" in client_of(actors.alice).get("/projects/birds/label/").text
    assert "Try it out" not in client_of(actors.bob).get("/projects/birds/label/").text
