"""A person's own record: their figures beside the group's, and nothing that would unblind anybody."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from core.choices import Pass
from core.models import Annotation, Item, Membership, Project
from core.pipelines.record import own_record
from core.selectors.moment import database_now
from core.services.progress import recount
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member

N = 12


@pytest.fixture
def people(actors: Actors) -> list[Membership]:
    imported = add_member(actors.project, None, name="w001")
    return [actors.membership(actors.bob), actors.membership(actors.carol), imported]


@pytest.fixture
def answered(people: list[Membership], project: Project) -> Project:
    """Yesterday all three answered twelve items; Carol alone differs, on every third."""
    for number, item in enumerate(make_items(project, *(f"i{number:02}" for number in range(N)))):
        for member in people:
            other = member == people[1] and number % 3 == 0
            make_answer(member, item, {"answer": "no" if other else "yes"})
        make_gold(item, "answer", "yes")
    yesterday(project)
    return project


def yesterday(project: Project) -> None:
    """Finish every item, and move every answer back by a day."""
    Annotation.objects.filter(item__project=project).update(created_at=Now() - timedelta(days=1))
    Item.objects.filter(project=project).update(done=3, free=0)


def record_of(member: Membership) -> dict[str, Any]:
    (row,) = own_record(member)["questions"]
    return dict(row)


def test_people_see_themselves_beside_the_group(answered: Project, people: list[Membership]) -> None:
    bob, carol = record_of(people[0]), record_of(people[1])

    # On a third of the items Bob's others are split, which gives him half a point each.
    assert bob["with_others"]["value"] == pytest.approx((8 + 4 / 2) / N)
    assert carol["with_others"]["value"] == pytest.approx(8 / N)
    assert carol["with_others"]["ci"][0] < 8 / N < carol["with_others"]["ci"][1]
    assert bob["group"]["with_others"] == pytest.approx((10 + 8 + 10) / 3 / N)
    assert (bob["gold"]["value"], carol["gold"]["value"]) == (1.0, pytest.approx(8 / N))


def test_nothing_tells_of_items_that_are_open(answered: Project, people: list[Membership]) -> None:
    Item.objects.filter(project=answered).update(done=2, free=1)

    found = record_of(people[1])["with_others"]

    assert (found["value"], found["reason"]) == (None, "too_few_items")


def test_what_is_answered_today_shows_tomorrow(answered: Project, people: list[Membership]) -> None:
    before = record_of(people[1])
    (item,) = make_items(answered, "today")
    for member in people:
        make_answer(member, item, {"answer": "yes"})
    make_gold(item, "answer", "yes")
    Item.objects.filter(pk=item.pk).update(done=3, free=0)

    after = record_of(people[1])

    assert (after["with_others"], after["gold"]) == (before["with_others"], before["gold"])
    yesterday(answered)
    assert record_of(people[1])["gold"]["n_items"] == N + 1


def test_a_correction_moves_nothing_until_tomorrow(answered: Project, people: list[Membership]) -> None:
    """Else whoever corrects an answer would see whether it rests on gold, on a repeat, and what others said."""
    bob = people[0]
    one = answered.items.order_by("pk")[1]
    for item in answered.items.order_by("pk"):
        make_answer(bob, item, {"answer": "yes"}, repeat=2, pass_kind=Pass.RETEST)
    yesterday(answered)
    before = record_of(bob)
    for repeat in (1, 2):
        Annotation.objects.filter(annotator=bob, item=one, repeat=repeat).update(current=False)
        kind = Pass.NORMAL if repeat == 1 else Pass.RETEST
        make_answer(bob, one, {"answer": "no"}, repeat=repeat, revision=2, pass_kind=kind)

    assert record_of(bob) == before
    Annotation.objects.update(created_at=F("created_at") - timedelta(days=1))
    after = record_of(bob)
    assert after["gold"]["value"] == pytest.approx((N - 1) / N)
    assert (after["gold"]["n_items"], after["with_oneself"]["n_items"]) == (N, N)
    assert after["with_others"]["value"] != before["with_others"]["value"]


def test_the_means_of_the_group_move_from_day_to_day_only(
    answered: Project, people: list[Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = record_of(people[0])["group"]
    make_answer(people[0], Item.objects.earliest("pk"), {"answer": "no"}, repeat=2, pass_kind=Pass.RETEST)
    recount(answered.pk)

    assert before["with_oneself"] is None
    assert record_of(people[0])["group"] == before
    tomorrow = database_now(answered) + timedelta(days=1)
    monkeypatch.setattr("core.pipelines.report.database_now", lambda _project: tomorrow)
    assert record_of(people[0])["group"] != before


def test_a_handful_of_items_tells_nothing(people: list[Membership], project: Project) -> None:
    for item in make_items(project, *(f"i{number}" for number in range(9))):
        for member in people:
            make_answer(member, item, {"answer": "yes"})
        make_gold(item, "answer", "yes")
    yesterday(project)

    found = record_of(people[0])

    assert (found["with_others"]["value"], found["gold"], found["abstention_rate"]["value"]) == (
        None,
        None,
        None,
    )


def test_gold_passes_count_against_gold_only(answered: Project, people: list[Membership]) -> None:
    (item,) = make_items(answered, "secret")
    make_gold(item, "answer", "no")
    make_answer(people[0], item, {"answer": "yes"}, pass_kind=Pass.GOLD)
    yesterday(answered)

    found = record_of(people[0])

    assert (found["gold"]["value"], found["gold"]["n_items"]) == (pytest.approx(N / (N + 1)), N + 1)
    assert found["with_others"]["n_items"] == N


def test_people_are_held_against_themselves(answered: Project, people: list[Membership]) -> None:
    for number, item in enumerate(answered.items.order_by("pk")):
        again = "no" if number % 4 == 0 else "yes"
        make_answer(people[0], item, {"answer": again}, repeat=2, pass_kind=Pass.RETEST)

    assert record_of(people[0])["with_oneself"]["value"] is None
    yesterday(answered)
    found = record_of(people[0])["with_oneself"]
    assert (found["value"], found["n_items"]) == (pytest.approx(9 / N), N)


def test_who_has_answered_nothing_has_an_empty_record(answered: Project, actors: Actors) -> None:
    found = record_of(actors.membership(actors.alice))

    assert (found["n"], found["with_others"]["value"], found["gold"]) == (0, None, None)
