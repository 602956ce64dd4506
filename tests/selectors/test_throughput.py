"""People's work by day: what counts as an answer of which day, and the median."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from core.choices import LeaseState, Pass
from core.models import Annotation, Item, Lease, Membership
from core.selectors.throughput import WorkDay, work_of
from core.services.annotation import correct
from core.services.lease import hand_out, skip
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.queue import answer, fresh, make_place

pytestmark = pytest.mark.django_db
MONDAY, TUESDAY = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 3, 9, tzinfo=UTC)


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    return make_items(actors.project, "a", "b", "c", "d")


def said(member: Membership, item: Item, at: datetime, value: str = "yes", **fields: Any) -> Annotation:
    made = make_answer(member, item, {"answer": value}, **fields)
    Annotation.objects.filter(pk=made.pk).update(created_at=at)
    return made


def test_days_come_newest_first_with_counts_and_medians(actors: Actors, items: list[Item]) -> None:
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    for item, seconds in zip(items, (4, 1, 2, 100), strict=True):
        said(bob, item, MONDAY, elapsed_ms=seconds * 1000)
    said(carol, items[0], MONDAY, "cannot tell", elapsed_ms=3000)
    said(carol, items[1], TUESDAY, voided=True)

    assert list(work_of(actors.project)) == [
        WorkDay(carol.pk, "carol", TUESDAY.date(), 1, 1, 0, None, 0.0),
        WorkDay(bob.pk, "bob", MONDAY.date(), 4, 0, 0, 3.0, 0.0),
        WorkDay(carol.pk, "carol", MONDAY.date(), 1, 0, 0, 3.0, 1.0),
    ]


def test_days_and_people_can_be_chosen(actors: Actors, items: list[Item]) -> None:
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    for member in (bob, carol):
        said(member, items[0], MONDAY)
        said(member, items[1], TUESDAY)

    assert [row.day for row in work_of(actors.project, member=bob.pk)] == [TUESDAY.date(), MONDAY.date()]
    assert {row.day for row in work_of(actors.project, since=TUESDAY.date())} == {TUESDAY.date()}
    assert {row.day for row in work_of(actors.project, until=MONDAY.date())} == {MONDAY.date()}
    assert not list(work_of(actors.project, until=date(2026, 1, 1)))


def test_an_imported_answer_is_of_the_day_that_its_file_says(actors: Actors, items: list[Item]) -> None:
    said(actors.membership(actors.bob), items[0], TUESDAY, answered_at=MONDAY)

    assert [row.day for row in work_of(actors.project)] == [MONDAY.date()]


def test_a_correction_is_no_further_answer_and_one_asked_for_again_is(
    actors: Actors, items: list[Item]
) -> None:
    bob = actors.membership(actors.bob)
    made = answer(bob, hand_out(bob, 1).leases[0], "yes").annotation
    correct(made.pk, {"answer": "no"})
    assert [row.answers for row in work_of(actors.project)] == [1]

    make_place(made.item, bob)
    (again,) = hand_out(fresh(bob), 1).leases
    answer(fresh(bob), again, "yes")

    assert [row.answers for row in work_of(actors.project)] == [2]


def test_skips_count_beside_answers_and_training_does_not(actors: Actors, items: list[Item]) -> None:
    bob = actors.membership(actors.bob)
    (lease,) = hand_out(bob, 1).leases
    skip(lease.pk, "k", "too_hard")
    said(bob, items[3], datetime.now(UTC), pass_kind=Pass.TRAINING)
    Lease.objects.create(
        item=items[2],
        item_version=1,
        annotator=bob,
        pass_kind=Pass.TRIAL,
        repeat=0,
        state=LeaseState.SKIPPED,
        expires_at=MONDAY,
        closed_at=MONDAY,
    )

    (row,) = work_of(actors.project)

    assert (row.answers, row.skips, row.median_seconds, row.uncertain) == (0, 1, None, None)


def test_it_is_one_statement(actors: Actors, items: list[Item], django_assert_num_queries: Any) -> None:
    for member in (actors.membership(actors.bob), actors.membership(actors.carol)):
        for item in items:
            said(member, item, MONDAY)
    with django_assert_num_queries(1):
        list(work_of(actors.project))
