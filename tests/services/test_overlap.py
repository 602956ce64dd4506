"""Overlap that adapts: who gets one more person, what may not be touched, and what it costs and saves."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F

from core.access import Actor
from core.choices import AuditPart, ItemState, JobKind, JobState, Lane, ProjectState
from core.exceptions import Conflict, Invalid
from core.models import Event, Item, Job, Lease, Membership, Project
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.selectors.overlap import saving_of
from core.selectors.progress import progress_of
from core.selectors.project import document_of
from core.services.annotation import Work, submit
from core.services.job import create_job
from core.services.lease import defer, expire_leases, hand_out
from core.services.overlap import look, raise_targets, start_due
from core.services.progress import recount
from core.services.project import create_project, edit_project, set_state
from core.services.question import add_question
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(actors: Actors) -> list[Membership]:
    """Six annotators. Two people per item, up to five where it is not sure."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=2, audit_overlap=2, overlap_most=5)
    made = [add_member(actors.project, make_user(f"p{number}")) for number in range(6)]
    return list(Membership.objects.select_related("project").filter(pk__in=[one.pk for one in made]))


@pytest.fixture(autouse=True)
def _counters_agree() -> Iterator[None]:
    """After every one of these, every counter is what it counts."""
    yield
    assert [(found.rule.name, found.ids) for found in findings()] == []


def project_of(actors: Actors) -> Project:
    return Project.objects.get(pk=actors.project.pk)


def items_of(actors: Actors, n: int, **more: Any) -> list[Item]:
    made = make_items(project_of(actors), n, **more)
    recount(actors.project.pk)
    return made


def finished(actors: Actors, people: list[Membership], item: Item, *values: str) -> None:
    """These are the answers of the first people; the item wanted just so many."""
    for member, value in zip(people, values, strict=False):
        make_answer(member, item, {"answer": value})
        Membership.objects.filter(pk=member.pk).update(answered=F("answered") + 1)
    Item.objects.filter(pk=item.pk).update(done=len(values), target=len(values), free=0)
    recount(actors.project.pk)


def places(item: Item) -> tuple[Any, ...]:
    return Item.objects.values_list("target", "done", "leased", "free").get(pk=item.pk)


def lead(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def answer(member: Membership, lease: Lease, value: str = "yes") -> None:
    assert member.user is not None
    submit(Actor(member.user), lease.pk, str(uuid4()), Work({"answer": value}, count=0))


def run(actors: Actors) -> dict[str, Any]:
    job = create_job(project_of(actors), JobKind.OVERLAP, {}, actors.alice, send=False)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    return dict(job.result or {})


def test_items_on_which_people_differ_get_one_more_person(actors: Actors, people: list[Membership]) -> None:
    """Forty items on which all agree, two on which the two people differ: those two, and no other."""
    agreed, split = items_of(actors, 40), items_of(actors, 2)
    for number, item in enumerate(agreed):
        finished(actors, people, item, *(["yes", "no"][number % 2] for _person in range(2)))
    for item in split:
        finished(actors, people, item, "yes", "no")
    told = run(actors)
    assert (told["question"], told["items"], told["sure"], told["raised"]) == ("answer", 42, 40, 2)
    assert [places(item) for item in split] == [(3, 2, 0, 1)] * 2
    assert {places(item) for item in agreed} == {(2, 2, 0, 0)}
    project = project_of(actors)
    assert project.overlap_bought == 2
    assert progress_of(project.pk).items_done == 40
    assert Event.objects.filter(verb="overlap.raised", data={"n": 2}).count() == 1
    leases = hand_out(people[2], 5).leases  # somebody else
    assert sorted(lease.item_id for lease in leases) == [item.pk for item in split]
    assert hand_out(people[0], 5).leases == []


def test_a_third_answer_settles_it_or_asks_for_a_fourth_and_never_for_more_than_the_most(
    actors: Actors, people: list[Membership]
) -> None:
    agreed, (split,) = items_of(actors, 40), items_of(actors, 1)
    for number, item in enumerate(agreed):
        finished(actors, people, item, *(["yes", "no"][number % 2] for _person in range(2)))
    finished(actors, people, split, "yes", "no")
    targets = []
    for person, value in zip(people[2:], ["cannot tell"] * 4, strict=True):
        run(actors)
        targets.append(places(split)[0])
        if leases := hand_out(person, 1).leases:
            answer(person, leases[0], value)
    assert targets == [3, 4, 5, 5]  # who cannot tell settles nothing
    assert places(split) == (5, 5, 0, 0)
    run(actors)
    assert places(split) == (5, 5, 0, 0)


def test_the_audit_slice_is_never_touched(actors: Actors, people: list[Membership]) -> None:
    items = items_of(actors, 6)
    for item in items:
        finished(actors, people, item, "yes", "no")
    Item.objects.filter(pk__in=[item.pk for item in items[:3]]).update(audit=AuditPart.STREAM)
    Item.objects.filter(pk=items[3].pk).update(audit=AuditPart.HOLDOUT)
    assert run(actors)["raised"] == 2
    ids = [item.pk for item in items]
    assert raise_targets(project_of(actors), ids[:4]) == 0
    assert [places(item)[0] for item in items] == [2, 2, 2, 2, 3, 3]


def test_the_budget_goes_to_the_items_of_which_an_answer_tells_most(
    actors: Actors, people: list[Membership]
) -> None:
    """One to one is less certain than two to one."""
    clear, torn = items_of(actors, 5), items_of(actors, 2)
    for item in clear:
        finished(actors, people, item, "yes", "yes", "no")
    for item in torn:
        finished(actors, people, item, "yes", "no")
    Project.objects.filter(pk=actors.project.pk).update(overlap_budget=2)
    assert run(actors)["raised"] == 2
    assert [places(item)[3] for item in torn] == [1, 1]
    assert run(actors)["raised"] == 0
    assert project_of(actors).overlap_bought == 2


def test_before_two_people_have_answered_the_same_item_everything_gets_a_second(
    actors: Actors, people: list[Membership]
) -> None:
    """Nothing is known of anybody yet, so nothing is sure."""
    Project.objects.filter(pk=actors.project.pk).update(overlap=1)
    items = items_of(actors, 3, target=1)
    for item in items:
        finished(actors, people, item, "yes")
    told = run(actors)
    assert (told["raised"], told["sure"], told["gold"]["reason"]) == (3, 0, "no_overlap")


def test_only_finished_items_are_raised_each_once_a_look(actors: Actors, people: list[Membership]) -> None:
    items = items_of(actors, 5)
    for item in items[:4]:
        finished(actors, people, item, "yes", "no")
    held, withdrawn, waiting, fine, _open = items
    Item.objects.filter(pk=held.pk).update(target=3, free=1)
    Item.objects.filter(pk=withdrawn.pk).update(state=ItemState.WITHDRAWN)
    Item.objects.filter(pk=waiting.pk).update(state=ItemState.WITH_LEAD)
    recount(actors.project.pk)
    ids = [item.pk for item in items]
    assert raise_targets(project_of(actors), ids) == 1
    assert places(fine) == (3, 2, 0, 1)
    assert raise_targets(project_of(actors), ids) == 0


def test_no_place_is_bought_where_nobody_is_left_to_take_it(actors: Actors, people: list[Membership]) -> None:
    """All but Alice have answered: she leads, and labels as soon as she has answered anything."""
    item, fine = items_of(actors, 2)
    crowd = [*people, actors.membership(actors.bob), actors.membership(actors.carol)]
    Project.objects.filter(pk=actors.project.pk).update(overlap_most=20)
    finished(actors, crowd, item, *["yes", "no"] * 4)
    finished(actors, crowd, fine, "yes", "no", "yes")
    assert run(actors)["raised"] == 1
    assert [places(item), places(fine)] == [(8, 8, 0, 0), (4, 3, 0, 1)]
    other = items_of(actors, 1)[0]
    finished(actors, [lead(actors)], other, "yes")
    assert raise_targets(project_of(actors), [item.pk]) == 1
    assert item.pk in {lease.item_id for lease in hand_out(lead(actors), 2).leases}


def test_who_has_reached_their_cap_is_nobody_to_buy_a_place_for(
    actors: Actors, people: list[Membership]
) -> None:
    item, fine = items_of(actors, 2)
    Membership.objects.filter(project=actors.project).exclude(pk__in=[one.pk for one in people[:3]]).update(
        cap=0
    )
    finished(actors, people, item, "yes", "no", "no")
    finished(actors, people, fine, "yes", "no")
    assert raise_targets(project_of(actors), [item.pk, fine.pk]) == 1
    assert [places(item)[3], places(fine)[3]] == [0, 1]


def test_a_raised_place_is_handed_out_first_and_stays_when_it_comes_back(
    actors: Actors, people: list[Membership]
) -> None:
    item, *_rest = items_of(actors, 3)
    finished(actors, people, item, "yes", "no")
    raise_targets(project_of(actors), [item.pk])
    third = people[2]
    for way in ("defer", "expire"):
        (lease,) = hand_out(people[2] if way == "defer" else people[3], 1).leases
        assert lease.item_id == item.pk
        if way == "defer":
            defer(lease.pk, "k")
        else:
            Lease.objects.filter(pk=lease.pk).update(expires_at=F("expires_at") - timedelta(days=1))
            expire_leases()
        assert places(item) == (3, 2, 0, 1)
        assert Item.objects.get(pk=item.pk).lane == Lane.RETURNED
    add_question(lead(actors), {"key": "why", "kind": "text", "title": "Why?", "required": False})
    assert places(item) == (3, 2, 0, 1)
    assert third.pk not in {one.annotator_id for one in Lease.objects.filter(state="active")}


def test_clearing_the_setting_closes_what_nobody_has_taken_and_gives_it_back_to_the_budget(
    actors: Actors, people: list[Membership]
) -> None:
    taken, free, answered = items_of(actors, 3)
    for item in (taken, free, answered):
        finished(actors, people, item, "yes", "no")
    project = project_of(actors)
    assert raise_targets(project, [taken.pk, free.pk, answered.pk]) == 3
    answer(people[2], next(one for one in hand_out(people[2], 1).leases))
    first = Item.objects.get(done=3)
    (lease,) = hand_out(people[3], 1).leases
    assert raise_targets(project, [first.pk]) == 1
    edit_project(lead(actors), {"adaptive": None})
    held = Item.objects.get(pk=lease.item_id)
    assert places(first) == (3, 3, 0, 0)
    assert places(held) == (3, 2, 1, 0)
    (left,) = {taken.pk, free.pk, answered.pk} - {first.pk, held.pk}
    assert places(Item.objects.get(pk=left)) == (2, 2, 0, 0)
    assert project_of(actors).overlap_bought == 2  # four were bought; two of them had nobody yet
    assert project_of(actors).overlap_most is None
    assert raise_targets(project_of(actors), [left]) == 0
    defer(lease.pk, "k")
    assert places(held) == (2, 2, 0, 0)


def test_lowering_the_most_and_changing_the_overlap_keep_what_was_bought_within_them(
    actors: Actors, people: list[Membership]
) -> None:
    items = items_of(actors, 3)
    for item in items:
        finished(actors, people, item, "yes", "no")
    Item.objects.filter(pk=items[0].pk).update(target=5, free=3)
    Item.objects.filter(pk=items[1].pk).update(target=3, free=1)
    Project.objects.filter(pk=actors.project.pk).update(overlap_bought=4)
    recount(actors.project.pk)
    edit_project(lead(actors), {"adaptive": {"most": 4}})
    assert [places(item)[0] for item in items] == [4, 3, 2]
    assert project_of(actors).overlap_bought == 3
    edit_project(lead(actors), {"overlap": 3})
    assert [places(item)[0] for item in items] == [4, 3, 3]
    edit_project(lead(actors), {"overlap": 1})
    assert [places(item)[0] for item in items] == [4, 2, 2]
    assert progress_of(actors.project.pk).items_done == 2


def test_the_most_is_at_least_the_overlap_and_bad_settings_are_refused(
    actors: Actors, people: list[Membership]
) -> None:
    alice = lead(actors)
    for bad, where in (
        ({"adaptive": {"most": 1}}, "/adaptive/most"),
        ({"adaptive": {"most": 101}}, "/adaptive/most"),
        ({"overlap": 6}, "/adaptive/most"),
        ({"adaptive": {"most": 5, "sure": 1}}, "/adaptive/sure"),
        ({"adaptive": {"most": 5, "sure": 0.4}}, "/adaptive/sure"),
        ({"adaptive": {"most": 5, "budget": -1}}, "/adaptive/budget"),
        ({"adaptive": {"more": 5}}, "/adaptive/more"),
        ({"adaptive": 5}, "/adaptive"),
        ({"retest": {"rate": 0.6}}, "/retest/rate"),
        ({"retest": {"per_person_minimum": -1}}, "/retest/per_person_minimum"),
    ):
        with pytest.raises(Invalid) as refusal:
            edit_project(alice, bad)
        assert [error["pointer"] for error in refusal.value.errors] == [where]
    edit_project(alice, {"adaptive": {"most": 4, "sure": 0.9, "budget": 7}})
    told = document_of(project_of(actors))
    assert told["adaptive"] == {"most": 4, "sure": 0.9, "budget": 7}
    made = create_project(actors.alice, {**told, "slug": "again"})
    assert document_of(made)["adaptive"] == told["adaptive"]
    with pytest.raises(Invalid):
        create_project(actors.alice, {**told, "slug": "other", "overlap": 9})


def test_what_was_saved_is_told_with_the_accuracy_on_gold(actors: Actors, people: list[Membership]) -> None:
    """Forty items with two answers each, one with three: 83 answers instead of 205; gold is right on 30 of 31."""
    assert saving_of(Project.objects.get(slug="flowers")) is None
    items = items_of(actors, 41)
    for number, item in enumerate(items[:40]):
        value = ["yes", "no"][number % 2]
        finished(actors, people, item, value, value)
        if number < 31:
            make_gold(item, "answer", value if number else "no")
    finished(actors, people, items[40], "yes", "yes", "yes")
    before = saving_of(project_of(actors))
    assert before is not None
    assert (before.sure, before.gold, before.as_of) == (None, None, None)
    run(actors)
    told = saving_of(project_of(actors))
    assert told is not None
    assert (told.items, told.used, told.everywhere, told.saved, told.sure) == (41, 83, 205, 122, 41)
    assert told.gold is not None
    assert told.gold["value"] == pytest.approx(30 / 31)
    assert told.gold["n_items"] == 31
    assert told.as_of is not None


def test_looks_start_by_themselves_when_enough_was_answered_and_one_at_a_time(
    actors: Actors, people: list[Membership]
) -> None:
    items = items_of(actors, 2)
    assert start_due() == 1  # the items were counted: something has changed
    job = Job.objects.get(kind=JobKind.OVERLAP)
    assert start_due() == 0
    assert look(lead(actors)) == job
    run_job(job.pk)
    assert start_due() == 0
    long_ago = F("finished_at") - timedelta(minutes=6)
    Job.objects.update(finished_at=long_ago)
    assert start_due() == 0  # nothing new
    finished(actors, people, items[0], "yes", "no")
    assert start_due() == 1
    set_state(lead(actors), ProjectState.PAUSED)
    run_job(Job.objects.get(state=JobState.QUEUED).pk)
    finished(actors, people, items[1], "yes", "no")
    Job.objects.update(finished_at=long_ago)
    assert start_due() == 0  # paused


def test_a_look_is_refused_where_nothing_adapts(actors: Actors, people: list[Membership]) -> None:
    edit_project(lead(actors), {"adaptive": {"most": None}})
    with pytest.raises(Conflict) as refusal:
        look(lead(actors))
    assert refusal.value.code == "not-adaptive"
    assert run(actors)["raised"] == 0


def test_a_chunk_that_breaks_is_not_raised_at_all(
    actors: Actors, people: list[Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.overlap.AT_ONCE", 2)
    items = items_of(actors, 4)
    for item in items:
        finished(actors, people, item, "yes", "no")
    original, calls = Project.objects.filter, []

    def break_at_the_second(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        if len(calls) == 2:
            raise RuntimeError("on purpose")
        return original(*args, **kwargs)

    project = project_of(actors)
    monkeypatch.setattr(Project.objects, "filter", break_at_the_second)
    with pytest.raises(RuntimeError):
        raise_targets(project, [item.pk for item in items])
    monkeypatch.undo()
    assert [places(item)[0] for item in items] == [3, 3, 2, 2]
    assert project_of(actors).overlap_bought == 2
