"""Selection switched on and off, when a round begins by itself, and what is refused."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from core.choices import AuditPart, JobKind, JobState, Lane, ProjectState, Strategy
from core.exceptions import Conflict, Invalid
from core.models import Event, Item, Job, Membership, Outbox, Project, Selection
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.selectors.progress import progress_of
from core.selectors.project import document_of
from core.selectors.selection import queue_left
from core.services.check_data import fix_counters
from core.services.lease import hand_out
from core.services.pick import _lock as lock_items
from core.services.pick import stop_choosing
from core.services.project import clone_project, create_project, edit_project, set_state
from core.services.question import add_question
from core.services.selection import cancel, choose_now, start_due, switch
from tests.conftest import Actors
from tests.factories.pool import answer_items, make_pool
from tests.factories.project import make_question

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Any, settings: Any, actors: Actors) -> Iterator[None]:
    """The features of this test; and after every one of these, every counter is what it counts."""
    settings.DATA_DIR = tmp_path
    yield
    assert [(found.rule.name, found.ids) for found in findings()] == []


@pytest.fixture
def pool(actors: Actors) -> list[Item]:
    """120 texts, of which Bob has answered 20."""
    items = make_pool(actors.project, 120, holdout=10, stream=20)
    answer_items(actors.membership(actors.bob), 20)
    return items


def lead(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def project_of(actors: Actors) -> Project:
    return Project.objects.get(pk=actors.project.pk)


def jobs() -> list[Job]:
    return list(Job.objects.filter(kind=JobKind.SELECT).order_by("created_at"))


def run_all() -> None:
    """Whatever waits is done."""
    for job in jobs():
        run_job(job.pk)


def ended(seconds: float) -> None:
    """The last round's job ended so long ago."""
    last = jobs()[-1]
    ago = Now() - timedelta(seconds=seconds)
    Job.objects.filter(pk=last.pk).update(finished_at=ago, started_at=ago)


def answered(actors: Actors, n: int) -> None:
    """So many new answers, as submits leave them in the outbox (counting anew is one change of them)."""
    answer_items(actors.membership(actors.carol), n)
    Outbox.objects.create(project=actors.project, changes=n - 1)


def test_switched_on_the_first_round_begins_at_once(actors: Actors, pool: list[Item]) -> None:
    before = project_of(actors).version
    project = switch(lead(actors), on=True, strategy=Strategy.MARGIN, size=10, seed=4, question="answer")
    assert project.version == before + 1
    assert document_of(project)["selection"] == {
        "on": True,
        "strategy": "margin",
        "size": 10,
        "seed": 4,
        "question": "answer",
    }
    assert Event.objects.filter(verb="project.edited", project=project).count() == 1
    selection = Selection.objects.get()
    assert (selection.strategy, selection.size, selection.seed, selection.created_by) == (
        "margin",
        10,
        4,
        None,
    )
    run_all()
    assert queue_left(project) == 12


def test_other_settings_hold_from_the_next_round_on(actors: Actors, pool: list[Item]) -> None:
    switch(lead(actors), on=True, size=10)
    switch(lead(actors), on=True, strategy=Strategy.ENTROPY)
    assert Selection.objects.get().strategy == "hybrid"
    run_all()
    switch(lead(actors), size=20)
    assert Selection.objects.count() == 1
    project = project_of(actors)
    assert (project.selection_on, project.selection_strategy, project.selection_size) == (True, "entropy", 20)


def test_switched_off_the_round_is_cancelled_and_the_queue_is_as_before(
    actors: Actors, pool: list[Item]
) -> None:
    switch(lead(actors), on=True, size=10)
    run_all()
    (lease,) = hand_out(actors.membership(actors.carol), 1).leases
    choose_now(lead(actors))
    switch(lead(actors), on=False)
    assert jobs()[-1].state == JobState.CANCELLED
    assert set(Item.objects.filter(lane=Lane.PICKED).values_list("pk", flat=True)) == {lease.item_id}
    assert queue_left(project_of(actors)) == 0
    assert start_due() == 0
    assert len(hand_out(actors.membership(actors.bob), 5).leases) == 5


def test_switched_on_again_a_round_begins_at_once(actors: Actors, pool: list[Item]) -> None:
    switch(lead(actors), on=True, size=10)
    run_all()
    switch(lead(actors), on=False)
    edit_project(lead(actors), {"selection": {"on": True}})
    assert start_due() == 1
    assert start_due() == 0
    run_all()
    assert queue_left(project_of(actors)) == 12


@pytest.mark.parametrize(
    ("selection", "pointer", "code"),
    [
        ("yes", "/selection", "not-an-object"),
        ({"on": 1}, "/selection/on", "not-a-flag"),
        ({"strategy": "luck"}, "/selection/strategy", "bad-strategy"),
        ({"size": 4}, "/selection/size", "bad-size"),
        ({"size": 501}, "/selection/size", "bad-size"),
        ({"size": True}, "/selection/size", "bad-size"),
        ({"seed": -1}, "/selection/seed", "bad-seed"),
        ({"seed": 2**31}, "/selection/seed", "bad-seed"),
        ({"seed": "7"}, "/selection/seed", "bad-seed"),
        ({"question": "nothing"}, "/selection/question", "no-learnable-question"),
        ({"question": "why"}, "/selection/question", "no-learnable-question"),
        ({"rate": 0.3}, "/selection/rate", "unknown-field"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(actors: Actors, selection: Any, pointer: str, code: str) -> None:
    make_question(actors.project, "why", [], kind="text")
    edit = {"selection": selection}
    with pytest.raises(Invalid) as refused:
        edit_project(lead(actors), edit)
    assert [(row["pointer"], row["code"]) for row in refused.value.errors] == [(pointer, code)]
    document = {**document_of(project_of(actors)), "slug": "other", **edit}
    with pytest.raises(Invalid) as refused:
        create_project(actors.alice, document)
    assert (pointer, code) in [(row["pointer"], row["code"]) for row in refused.value.errors]


def test_where_nothing_can_be_learnt_it_cannot_be_switched_on(actors: Actors) -> None:
    document = {
        "slug": "notes",
        "questions": [{"key": "why", "kind": "text", "title": "Why?"}],
        "selection": {"on": True},
    }
    with pytest.raises(Invalid) as refused:
        create_project(actors.alice, document)
    assert refused.value.errors[0]["code"] == "no-learnable-question"
    project = create_project(actors.alice, {**document, "selection": {"on": False}})
    member = Membership.objects.select_related("project", "user").get(project=project)
    with pytest.raises(Invalid, match="no question"):
        switch(member, on=True)
    with pytest.raises(Conflict) as conflict:
        choose_now(member)
    assert conflict.value.code == "no-learnable-question"


def test_a_document_makes_the_same_selection_and_never_tells_the_seed_of_the_slice(actors: Actors) -> None:
    selection = {"on": True, "strategy": "badge", "size": 30, "seed": 9, "question": "second"}
    document = {
        "slug": "texts",
        "seed": 5,
        "questions": [
            {"key": key, "kind": "single", "title": key, "classes": [{"name": "a"}, {"name": "b"}]}
            for key in ("first", "second")
        ],
        "selection": selection,
    }
    project = create_project(actors.alice, document)
    assert document_of(project)["selection"] == selection
    assert "seed" not in document_of(project)
    member = Membership.objects.select_related("project", "user").get(project=project)
    copy = clone_project(member, "texts-2")
    assert document_of(copy)["selection"] == selection
    assert copy.audit_key != project.audit_key
    Project.objects.filter(pk=project.pk).update(slug="old")
    assert create_project(actors.alice, document).audit_key == project.audit_key
    with pytest.raises(Invalid) as refused:
        create_project(actors.alice, {**document, "slug": "more", "seed": "5"})
    assert [(row["pointer"], row["code"]) for row in refused.value.errors] == [("/seed", "bad-seed")]
    with pytest.raises(Invalid):
        edit_project(member, {"seed": 6})


def test_a_round_now_is_one_at_a_time(actors: Actors, pool: list[Item]) -> None:
    first = choose_now(lead(actors), size=10)
    assert choose_now(lead(actors), size=10) == first
    with pytest.raises(Conflict) as refused:
        choose_now(lead(actors), size=20)
    assert refused.value.code == "already-choosing"
    job = cancel(lead(actors))
    assert job is not None
    assert job.state == JobState.CANCELLED
    assert cancel(lead(actors)) is None
    assert choose_now(lead(actors), size=20).number == 2


def test_only_looking_leaves_the_queue_alone(actors: Actors, pool: list[Item]) -> None:
    choose_now(lead(actors), size=10, apply=False)
    run_all()
    selection = Selection.objects.get()
    assert selection.picks.count() == 12
    assert (selection.applied_at, queue_left(project_of(actors))) == (None, 0)
    assert not Item.objects.filter(lane=Lane.PICKED).exists()
    assert project_of(actors).picked == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"strategy": "luck"}, "bad-strategy"), ({"size": 0}, "bad-size"), ({"seed": 2**40}, "bad-seed")],
)
def test_a_wrong_wish_is_refused(actors: Actors, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        choose_now(lead(actors), **asked)
    assert refused.value.code == code
    assert not Selection.objects.exists()


def test_an_archive_is_not_chosen_from(actors: Actors, pool: list[Item]) -> None:
    waiting = choose_now(lead(actors), size=10)
    set_state(lead(actors), ProjectState.ARCHIVED)
    with pytest.raises(Conflict) as refused:
        choose_now(lead(actors), size=20)
    assert refused.value.code == "project-archived"
    assert waiting.job is not None
    run_job(waiting.job.pk)
    assert (jobs()[0].error or {})["code"] == "project-archived"
    assert not Item.objects.filter(lane=Lane.PICKED).exists()


# --- By itself --------------------------------------------------------------------------------------


def test_ten_new_labels_are_enough(actors: Actors, pool: list[Item]) -> None:
    switch(lead(actors), on=True, size=20)
    run_all()
    ended(30)
    assert start_due() == 0
    answered(actors, 9)
    assert start_due() == 0
    answered(actors, 1)
    assert start_due() == 1
    assert start_due() == 0
    run_all()
    assert start_due() == 0


def test_a_minute_later_any_new_label_is_enough(actors: Actors, pool: list[Item]) -> None:
    switch(lead(actors), on=True, size=20)
    run_all()
    ended(61)
    assert start_due() == 0
    answered(actors, 1)
    assert start_due() == 1


def test_when_less_than_half_a_batch_waits_any_new_label_is_enough(actors: Actors, pool: list[Item]) -> None:
    switch(lead(actors), on=True, size=20)
    run_all()
    ended(30)
    answered(actors, 1)
    assert start_due() == 0
    picked = Item.objects.filter(lane=Lane.PICKED, done=0)
    picked.update(leased=1, free=0)
    Item.objects.filter(pk__in=list(picked.values_list("pk", flat=True)[:9])).update(leased=0, free=1)
    assert start_due() == 1
    picked.update(leased=0, free=1)


def test_where_a_round_takes_long_the_next_one_waits_longer(actors: Actors, pool: list[Item]) -> None:
    switch(lead(actors), on=True, size=20)
    run_all()
    answered(actors, 30)
    Job.objects.update(started_at=Now() - timedelta(seconds=100), finished_at=Now() - timedelta(seconds=80))
    assert start_due() == 0
    Job.objects.update(started_at=Now() - timedelta(seconds=130), finished_at=Now() - timedelta(seconds=110))
    assert start_due() == 1


def test_after_a_failure_the_last_good_queue_stays_and_it_is_tried_again_later(
    actors: Actors, pool: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    switch(lead(actors), on=True, size=20)
    run_all()
    ended(30)
    answered(actors, 10)
    assert start_due() == 1
    left = queue_left(project_of(actors))

    def broken(*_: Any, **__: Any) -> None:
        raise Conflict("no-luck", "It does not work.")

    with monkeypatch.context() as patched:
        patched.setattr("core.pipelines.selection.training_set", broken)
        run_all()
    assert (jobs()[-1].state, (jobs()[-1].error or {})["code"]) == (JobState.FAILED, "no-luck")
    assert queue_left(project_of(actors)) == left > 0
    ended(1000)
    assert start_due() == 0
    answered(actors, 10)
    ended(100)
    assert start_due() == 0
    ended(121)
    assert start_due() == 1
    run_all()
    assert Selection.objects.filter(applied_at__isnull=False).count() == 2


def test_nothing_begins_where_everything_is_labelled_paused_or_off(actors: Actors) -> None:
    make_pool(actors.project, 12, holdout=1, stream=3)
    assert start_due() == 0
    switch(lead(actors), on=True, size=5)
    run_all()
    answered(actors, 8)
    answer_items(actors.membership(actors.carol), 3, audit=AuditPart.STREAM)
    answer_items(actors.membership(actors.carol), 1, audit=AuditPart.HOLDOUT)
    ended(100)
    assert start_due() == 0
    make_pool(actors.project, 12, holdout=0, stream=0)
    set_state(lead(actors), ProjectState.PAUSED)
    assert start_due() == 0
    set_state(lead(actors), ProjectState.ACTIVE)
    assert start_due() == 1


def test_nobody_waits_for_a_round(actors: Actors, pool: list[Item]) -> None:
    """No picks yet, a round under way, picks spent: there is always an item."""
    carol = actors.membership(actors.carol)
    switch(lead(actors), on=True, size=5)
    assert len(hand_out(carol, 2).leases) == 2
    run_all()
    assert len(hand_out(carol, 10).leases) == 10
    assert queue_left(project_of(actors)) == 0


def test_an_item_in_the_lane_of_picks_that_no_round_put_there_is_found_and_mended(
    actors: Actors, pool: list[Item]
) -> None:
    Item.objects.filter(pk=pool[50].pk).update(lane=Lane.PICKED, position=1)
    Project.objects.filter(pk=actors.project.pk).update(picked=F("picked") + 1)
    assert [(found.rule.name, found.ids) for found in findings()] == [("item-picked", [pool[50].pk])]
    assert fix_counters() == 1
    assert Item.objects.get(pk=pool[50].pk).lane == Lane.MAIN


def test_a_question_that_was_set_is_the_one_that_is_learnt(actors: Actors, pool: list[Item]) -> None:
    add_question(
        lead(actors),
        {"key": "sort", "kind": "single", "title": "?", "required": False, "classes": ["a", "b"]},
    )
    switch(lead(actors), on=True, question="sort")
    assert Selection.objects.get().question.key == "sort"
    run_all()
    assert Selection.objects.get().used == "cold_start"
    switch(lead(actors), question=None)
    assert project_of(actors).selection_question is None


def test_a_pick_that_was_locked_when_its_round_ended_goes_back_later_and_its_place_is_closed(
    actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pool(actors.project, 120, holdout=0, stream=0)
    answer_items(actors.membership(actors.bob), 110)
    switch(lead(actors), on=True, strategy=Strategy.LABEL_AGAIN, size=10)
    run_all()
    opened = Item.objects.filter(lane=Lane.PICKED, extra=1)
    locked = opened.earliest("pk")

    def passing_over(ids: Iterable[int]) -> dict[int, Item]:
        """As where somebody else's transaction has the item."""
        return lock_items(set(ids) - {locked.pk})

    with monkeypatch.context() as patched:
        patched.setattr("core.services.pick._lock", passing_over)
        switch(lead(actors), on=False)
    assert list(opened) == [locked]

    stop_choosing(actors.project.pk)

    locked.refresh_from_db()
    assert (locked.lane, locked.target, locked.extra, locked.free) == (Lane.MAIN, 1, 0, 0)
    assert progress_of(actors.project.pk).items_done == 110
