"""Training rounds, trials and places for one person leave the books right, and repairing finds nothing to mend."""

import pytest

from core.choices import Pass, PausedBecause, RelabelTo
from core.models import Membership, Project
from core.selectors.check_data import findings
from core.services.check_data import fix_counters
from core.services.lease import defer, hand_out, hand_out_trial, skip
from core.services.progress import recount
from core.tasks.job import reap
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.queue import answer, fresh, make_place, make_training_round, send_through

pytestmark = pytest.mark.django_db


def books(project: Project) -> list[tuple[object, ...]]:
    """The counts of items and people."""
    return [
        *project.items.order_by("pk").values_list("target", "done", "leased", "free", "extra"),
        *project.memberships.order_by("pk").values_list("answered", "held", "retested", "waiting"),
    ]


def test_the_books_are_right_at_every_step(actors: Actors) -> None:
    project = actors.project
    Project.objects.filter(pk=project.pk).update(overlap=1, audit_overlap=1)
    items = make_items(Project.objects.get(pk=project.pk), 10)
    recount(project.pk)
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    for lease in hand_out(bob, 4).leases:
        answer(bob, lease, "no")
    make_place(items[0], bob)
    make_place(items[1], bob)
    make_place(items[2], bob)
    make_place(items[9], bob, to=RelabelTo.NAMED)
    assert list(findings()) == []
    first, second, third, fourth = hand_out(bob, 4).leases
    assert list(findings()) == []
    answer(bob, first)
    skip(second.pk, "s", "too_hard")
    defer(third.pk, "d")
    assert list(findings()) == []
    answer(bob, fourth)
    tried = hand_out_trial(alice, 2).leases
    answer(alice, tried[0])
    assert list(findings()) == []
    training = make_training_round(project, items[6:8], tries=2)
    send_through(bob, training)
    for value in ("no", "no", "yes", "yes"):
        (lease,) = hand_out(fresh(bob), 1, []).leases
        assert list(findings()) == []
        answer(fresh(bob), lease, value)
    assert list(findings()) == []
    before = books(project)
    assert fix_counters() == 0
    assert books(project) == before
    Membership.objects.filter(pk=bob.pk).update(answered=0, waiting=0)
    assert {found.rule.name for found in findings()} == {"member-answered", "member-waiting"}
    assert fix_counters() == 1
    assert books(project) == before


def test_the_workers_tick_pauses_whoever_is_surely_below_the_bound(actors: Actors) -> None:
    project = actors.project
    Project.objects.filter(pk=project.pk).update(overlap=1, audit_overlap=1, gold_bound="0.8")
    bob = actors.membership(actors.bob)
    items = make_items(Project.objects.get(pk=project.pk), 21)
    recount(project.pk)
    answer(bob, hand_out(bob, 1).leases[0])
    for item in items[1:]:
        make_gold(item, "answer", "yes")
        make_answer(bob, item, {"answer": "no"}, pass_kind=Pass.GOLD)
    reap()
    assert fresh(bob).paused_because == PausedBecause.GOLD
