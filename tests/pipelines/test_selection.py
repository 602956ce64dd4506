"""A round of choosing: the same picks however it is done, mixed as promised, and told in the books."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.choices import AuditPart, ImportState, JobKind, JobState, Lane, Role, Strategy, Stream
from core.models import Answer, Item, Job, LabelClass, Membership, Pick, Project, RunModel, Selection
from core.pipelines.job import run_job
from core.pipelines.selection_report import round_document
from core.selectors.check_data import findings
from core.selectors.job import parts_of
from core.selectors.progress import progress_of
from core.selectors.selection import picks_of, queue_left
from core.services.imports import start_import
from core.services.lease import hand_out, skip
from core.services.project import create_project
from core.services.selection import choose_now, switch
from tests.conftest import Actors
from tests.factories.answers import make_gold
from tests.factories.pool import answer_items, make_pool, text_of, truth_of
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Any, settings: Any, actors: Actors) -> Iterator[None]:
    """The features of this test; and after every one of these, every counter is what it counts."""
    settings.DATA_DIR = tmp_path
    yield
    assert [(found.rule.name, found.ids) for found in findings()] == []


def lead(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def run(actors: Actors, **asked: Any) -> Selection:
    """A round to its end, in this process."""
    selection = choose_now(lead(actors), send=False, **asked)
    assert selection.job is not None
    run_job(selection.job.pk)
    selection.job.refresh_from_db()
    assert selection.job.state == JobState.DONE, selection.job.error
    return Selection.objects.get(pk=selection.pk)


def told(selection: Selection) -> list[tuple[Any, ...]]:
    """The picks as they are compared: all but row ids."""
    return [
        (pick.item.external_id, pick.order, pick.stream, pick.score, pick.inclusion_probability, pick.reason)
        for pick in picks_of(selection)
    ]


def by_stream(selection: Selection) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {stream: [] for stream in Stream.values}
    for pick in picks_of(selection):
        found[pick.stream].append(pick.item)
    return found


@pytest.fixture
def pool(actors: Actors) -> list[Item]:
    """300 texts, 20 of them in the holdout and 40 in the audit stream; Bob has answered 30 others."""
    items = make_pool(actors.project, 300)
    answer_items(actors.membership(actors.bob), 30)
    return items


def test_a_batch_is_mixed_of_the_strategys_picks_and_the_audit_stream_with_some_of_the_holdout_beside(
    actors: Actors, pool: list[Item]
) -> None:
    chosen = by_stream(run(actors, size=20))
    assert {stream: len(items) for stream, items in chosen.items()} == {
        Stream.SELECTED: 16,
        Stream.AUDIT: 4,
        Stream.HOLDOUT: 4,
        Stream.RANDOM: 0,
    }
    parts = {stream: {item.audit for item in items} for stream, items in chosen.items() if items}
    assert parts == {
        Stream.SELECTED: {AuditPart.NONE},
        Stream.AUDIT: {AuditPart.STREAM},
        Stream.HOLDOUT: {AuditPart.HOLDOUT},
    }
    picks = Pick.objects.values_list("stream", "inclusion_probability").distinct()
    assert set(picks) == {(Stream.SELECTED, 1.0), (Stream.AUDIT, 4 / 40), (Stream.HOLDOUT, 4 / 20)}


def test_the_books_tell_what_a_round_rests_on(actors: Actors, pool: list[Item]) -> None:
    answer_items(actors.membership(actors.carol), 10, audit=AuditPart.HOLDOUT)
    selection = run(actors, size=20, seed=5)
    assert selection.run is not None
    assert (selection.run.n_labels, selection.n_labels, selection.run.seed) == (30, 30, 5)
    assert (selection.used, selection.n_pool) == ("hybrid", 210)
    report = selection.report
    assert (report["holdout"], report["stream_left"]) == ({"n": 20, "labelled": 10}, 40)
    assert {row["class"]: row["n"] for row in report["classes"]}.keys() == {"yes", "no"}
    assert sum(row["n"] for row in report["classes"]) == 30
    assert report["hard"] == [{"a": "no", "b": "yes", "n": 16}]
    reasons = [pick.reason for pick in picks_of(selection).filter(stream=Stream.SELECTED)]
    assert {reason["why"] for reason in reasons} == {"hybrid"}
    assert {reason["first"] for reason in reasons} == {"yes", "no"}
    assert all(reason["p_first"] >= reason["p_second"] for reason in reasons)
    assert selection.run.predictions.filter(item__audit=AuditPart.HOLDOUT).count() == 20


@pytest.mark.parametrize("strategy", Strategy.values)
def test_the_same_labels_and_seed_give_the_same_picks_in_one_part_or_in_many(
    actors: Actors, pool: list[Item], strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(actors, strategy=strategy, size=20, seed=7, apply=False)
    monkeypatch.setattr("core.pipelines.selection.ALONE", 0)
    monkeypatch.setattr("core.selectors.selection.SHARD", 64)
    cut = run_in_parts(actors, strategy=strategy, size=20, seed=7, apply=False)
    assert whole.report["parts"] == 1
    assert cut.report["parts"] > 3
    assert told(cut) == told(whole)
    assert (cut.pool_digest, cut.n_pool, cut.predicted) == (whole.pool_digest, whole.n_pool, whole.predicted)


def run_in_parts(actors: Actors, **asked: Any) -> Selection:
    """A round whose parts are done the last one first, as other workers would."""
    selection = choose_now(lead(actors), send=False, **asked)
    assert selection.job is not None
    run_job(selection.job.pk)
    for part in reversed(parts_of(selection.job)):
        run_job(part)
    run_job(selection.job.pk)
    selection.job.refresh_from_db()
    assert selection.job.state == JobState.DONE, selection.job.error
    assert not selection.parts.exists()
    return Selection.objects.get(pk=selection.pk)


def test_a_worker_reads_the_model_of_a_round_once_for_all_of_its_parts(
    actors: Actors, pool: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.pipelines.selection.ALONE", 0)
    monkeypatch.setattr("core.selectors.selection.SHARD", 64)
    selection = choose_now(lead(actors), send=False)
    assert selection.job is not None
    run_job(selection.job.pk)
    parts = parts_of(selection.job)
    with CaptureQueriesContext(connection) as asked:
        for part in parts:
            run_job(part)
    read = [row for row in asked if row["sql"].startswith('SELECT "core_selectionpart"."content"')]
    assert (len(parts) > 3, len(read)) == (True, 1)


def test_a_part_whose_model_is_gone_fails_and_says_so(
    actors: Actors, pool: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.pipelines.selection.ALONE", 0)
    selection = choose_now(lead(actors), send=False)
    assert selection.job is not None
    run_job(selection.job.pk)
    RunModel.objects.all().delete()
    run_job(parts_of(selection.job)[0])
    selection.job.refresh_from_db()
    assert (selection.job.state, (selection.job.error or {})["code"]) == (JobState.FAILED, "model-dropped")


def test_another_seed_draws_others(actors: Actors, pool: list[Item]) -> None:
    one, other = (by_stream(run(actors, size=20, seed=seed, apply=False)) for seed in (1, 2))
    assert one[Stream.AUDIT] != other[Stream.AUDIT]
    assert one[Stream.HOLDOUT] != other[Stream.HOLDOUT]


def test_a_spent_audit_stream_is_made_up_for_at_random_from_the_rest(
    actors: Actors, pool: list[Item]
) -> None:
    answer_items(actors.membership(actors.bob), 38, audit=AuditPart.STREAM)
    answer_items(actors.membership(actors.bob), 19, audit=AuditPart.HOLDOUT)
    selection = run(actors, size=20)
    streams = {stream: len(items) for stream, items in by_stream(selection).items()}
    assert streams == {Stream.SELECTED: 16, Stream.AUDIT: 2, Stream.RANDOM: 2, Stream.HOLDOUT: 1}
    assert selection.report["streams"] == streams
    at_random = picks_of(selection).filter(stream=Stream.RANDOM)
    assert {pick.inclusion_probability for pick in at_random} == {2 / (210 - 16)}


def test_a_pool_that_is_nearly_labelled_gives_all_that_is_left(actors: Actors) -> None:
    make_pool(actors.project, 40, holdout=2, stream=5)
    answer_items(actors.membership(actors.bob), 30)
    selection = run(actors, size=20)
    assert {stream: len(items) for stream, items in by_stream(selection).items()} == {
        Stream.SELECTED: 3,
        Stream.AUDIT: 5,
        Stream.RANDOM: 0,
        Stream.HOLDOUT: 2,
    }


def test_picks_by_chance_alone_are_told_as_such(actors: Actors, pool: list[Item]) -> None:
    selection = run(actors, strategy=Strategy.RANDOM, size=20)
    at_random = list(picks_of(selection).filter(stream=Stream.RANDOM))
    assert {pick.inclusion_probability for pick in at_random} == {16 / 210}


def test_an_item_drawn_from_its_cluster_has_the_probability_of_that_draw(
    actors: Actors, pool: list[Item]
) -> None:
    selection = run(actors, strategy=Strategy.CLUSTER, size=20)
    drawn = list(picks_of(selection).filter(stream=Stream.SELECTED))
    assert len(drawn) == 16
    assert [pick.inclusion_probability for pick in drawn] == [
        1 / pick.reason["cluster_size"] for pick in drawn
    ]
    assert sum(pick.reason["cluster_size"] for pick in drawn) == selection.n_pool


@pytest.mark.parametrize("strategy", [Strategy.BADGE, Strategy.REGION])
def test_a_probability_that_nobody_knows_is_told_as_none(
    actors: Actors, pool: list[Item], strategy: Strategy
) -> None:
    selection = run(actors, strategy=strategy, size=20)
    picks = round_document(selection, lead(actors))["picks"]
    for pick in picks:
        by_chance = "random" if strategy == Strategy.REGION else None
        unknown = pick["stream"] == Stream.SELECTED and pick["reason"].get("by") == by_chance
        assert (pick["inclusion_probability"] is None) == unknown
    assert strategy == Strategy.REGION or sum(one["inclusion_probability"] is None for one in picks) == 16


def test_without_labels_of_two_classes_it_begins_with_what_is_typical(actors: Actors) -> None:
    make_pool(actors.project, 120)
    first = run(actors, size=20)
    assert (first.used, first.run, first.n_labels, first.kappa) == ("cold_start", None, 0, None)
    assert len(by_stream(first)[Stream.SELECTED]) == 16
    answer_items(actors.membership(actors.bob), 5, only="yes")
    second = run(actors, size=20)
    assert (second.used, second.n_labels, second.report["unseen"]) == ("cold_start", 5, ["no"])


def test_items_that_are_held_skipped_or_known_are_not_picked(actors: Actors) -> None:
    """Who holds an item, who has given it back, and gold: of 30 items 27 are left."""
    held, skipped, gold, *_rest = make_pool(actors.project, 30, holdout=0, stream=0)
    bob = actors.membership(actors.bob)
    leases = {lease.item_id: lease for lease in hand_out(bob, 2).leases}
    assert set(leases) == {held.pk, skipped.pk}
    skip(leases[skipped.pk].pk, "k", "too_hard")
    make_gold(gold, "answer", "yes")
    selection = run(actors, size=40)
    assert selection.n_pool == 27
    assert not {held.pk, skipped.pk, gold.pk} & {item.pk for item in by_stream(selection)[Stream.SELECTED]}


def test_picks_are_handed_out_first_and_the_rest_of_the_queue_follows(
    actors: Actors, pool: list[Item]
) -> None:
    selection = run(actors, size=10)
    wanted = [pick.item_id for pick in picks_of(selection)]
    assert queue_left(actors.project) == len(wanted) == 12
    bob = actors.membership(actors.bob)
    given = [lease.item_id for lease in hand_out(bob, 20).leases]
    assert given[:12] == wanted
    assert len(given) == 20
    assert queue_left(actors.project) == 0


def test_the_next_round_puts_back_what_nobody_has_touched(actors: Actors, pool: list[Item]) -> None:
    first = run(actors, size=10)
    bob = actors.membership(actors.bob)
    (lease,) = hand_out(bob, 1).leases
    second = run(actors, size=10, strategy=Strategy.RANDOM, seed=9)
    first.refresh_from_db()
    assert first.ended_at is not None
    assert second.ended_at is None
    lane = dict(Item.objects.values_list("pk", "lane"))
    chosen = {pick.item_id for pick in picks_of(second)}
    assert {pk for pk, where in lane.items() if where == Lane.PICKED} == chosen | {lease.item_id}
    assert Project.objects.get(pk=actors.project.pk).picked == 24
    assert lease.item_id not in chosen


def test_an_item_goes_back_to_where_its_import_had_put_it(actors: Actors, media: Any) -> None:
    """With an id of its own, and without one."""
    import_items(actors.project, "text\n" + "".join(f"{text_of(str(n))}\n" for n in range(40)))
    import_items(actors.project, "id,text\n" + "".join(f"own-{n},{text_of(str(n))}\n" for n in range(40)))
    before = dict(Item.objects.values_list("pk", "position"))
    run(actors, size=20, seed=1)
    picked = Item.objects.filter(lane=Lane.PICKED)
    assert picked.count() >= 20
    assert set(picked.values_list("batch__number", flat=True)) == {1, 2}
    switch(lead(actors), on=False)
    assert not picked.exists()
    assert dict(Item.objects.values_list("pk", "position")) == before


def test_items_that_come_in_while_it_is_on_get_their_features_at_once(actors: Actors, media: Any) -> None:
    lines = "text\n" + "".join(f"{text_of(str(n))}\n" for n in range(20))
    import_items(actors.project, lines)
    assert not Job.objects.filter(kind=JobKind.FEATURES).exists()
    switch(lead(actors), on=True)
    import_items(actors.project, lines + "one more\n")
    made = Job.objects.get(kind=JobKind.FEATURES)
    run_job(made.pk)
    made.refresh_from_db()
    assert (made.state, (made.result or {})["items"]) == (JobState.DONE, 41)


def import_items(project: Project, text: str) -> None:
    member = Membership.objects.select_related("project", "user").get(project=project, role=Role.OWNER)
    source = start_import(member, io.BytesIO(text.encode()), "items.csv", kind="items", send=False)
    assert source.job_id is not None
    run_job(source.job_id)
    source.refresh_from_db()
    assert source.state == ImportState.PUBLISHED, source.error


def test_the_same_file_items_labels_and_seed_give_the_same_picks_in_another_project(
    actors: Actors, media: Any
) -> None:
    """As in another installation: the first one gives up its name, for the key of the slice depends on it."""
    document = {
        "slug": "texts",
        "audit_fraction": 0.3,
        "seed": 42,
        "questions": [
            {
                "key": "answer",
                "kind": "single",
                "title": "Good?",
                "classes": [{"name": "yes"}, {"name": "no"}],
            }
        ],
    }
    lines = [f"t-{n},{text_of(f't-{n}')}\n" for n in range(200)]
    chosen = []
    for place in range(2):
        project = create_project(actors.alice, document)
        import_items(project, "id,text\n" + "".join(lines))
        answer_items(add_member(project, actors.bob), 40)
        member = Membership.objects.select_related("project", "user").get(project=project, role=Role.OWNER)
        selection = choose_now(member, size=20, seed=3, send=False)
        run_job(selection.job.pk)  # type: ignore[union-attr]
        chosen.append((told(selection), Selection.objects.get(pk=selection.pk).pool_digest))
        Project.objects.filter(pk=project.pk).update(slug=f"texts-{place}")
    assert len(chosen[0][0]) > 20
    assert chosen[0] == chosen[1]


def test_label_again_opens_an_answered_item_once_and_closes_it_when_nobody_takes_it(actors: Actors) -> None:
    """Two answers that contradict what the others teach are the likeliest to be wrong."""
    make_pool(actors.project, 120, holdout=0, stream=0)
    items = answer_items(actors.membership(actors.bob), 110)
    for item in items[:6]:
        Answer.objects.filter(annotation__item=item).update(label_class=wrong_class(item))
    selection = run(actors, strategy=Strategy.LABEL_AGAIN, size=10)
    again = [pick for pick in picks_of(selection) if pick.reason.get("again")]
    assert {pick.item_id for pick in again} & {item.pk for item in items[:6]}
    places = Item.objects.filter(pk__in=[pick.item_id for pick in again]).values_list(
        "target", "done", "free", "extra", "lane"
    )
    assert set(places) == {(2, 1, 1, 1, Lane.PICKED)}
    assert progress_of(actors.project.pk).items_done == 110 - len(again)
    assert list(findings()) == []
    once_more = run(actors, strategy=Strategy.LABEL_AGAIN, size=10)
    assert {pick.item_id for pick in again} <= {pick.item_id for pick in picks_of(once_more)}
    assert progress_of(actors.project.pk).items_done == 110 - len(again)
    carol = actors.membership(actors.carol)
    given = {lease.item_id for lease in hand_out(carol, 1).leases}
    switch(lead(actors), on=False)
    back = [pick.item_id for pick in again if pick.item_id not in given]
    closed = Item.objects.filter(pk__in=back).values_list("target", "done", "free", "extra", "lane")
    assert set(closed) == {(1, 1, 0, 0, Lane.MAIN)}


def wrong_class(item: Item) -> LabelClass:
    wrong = "no" if truth_of(item.external_id) == "yes" else "yes"
    return LabelClass.objects.get(question__project=item.project_id, name=wrong)


def test_kappa_compares_with_the_model_of_fifty_labels_before_on_the_same_items(
    actors: Actors, pool: list[Item]
) -> None:
    first, second = run(actors, size=10), run(actors, size=10)
    assert (first.kappa, second.kappa) == (None, None)
    answer_items(actors.membership(actors.bob), 60)
    third = run(actors, size=10)
    assert third.kappa is not None
    assert third.kappa < 1


def test_what_chance_would_have_cost_is_replayed_every_few_rounds_or_when_the_quality_changed(
    actors: Actors, pool: list[Item]
) -> None:
    answer_items(actors.membership(actors.carol), 20, audit=AuditPart.HOLDOUT)
    replayed = [run(actors, size=5).report["replay"]["round"] for _ in range(6)]
    assert replayed == [1, 1, 1, 1, 1, 6]


def test_a_project_without_items_says_so(actors: Actors) -> None:
    selection = choose_now(lead(actors), send=False)
    assert selection.job is not None
    run_job(selection.job.pk)
    selection.job.refresh_from_db()
    assert (selection.job.state, (selection.job.error or {})["code"]) == (JobState.FAILED, "no-items")
