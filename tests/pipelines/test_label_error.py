"""Looks for wrong labels: what was planted is found, why is told, and the holdout is left alone."""

from typing import Any

import pytest
from django.db.models import F

from core.choices import AuditPart, Doubt, JobState, Stream
from core.exceptions import Conflict
from core.models import Answer, ErrorSearch, Event, Item, Job, LabelError, Membership
from core.pipelines.job import run_job
from core.selectors.check_data import findings
from core.selectors.label_error import error_documents, errors_of, last_search, search_document
from core.services.item import withdraw_item
from core.services.label_error import send_errors, start_search
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.pool import answer_items, make_pool, truth_of
from tests.factories.selection import make_round

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(media: Any) -> None:
    """Features are kept in a folder of this test."""


def look(actors: Actors) -> ErrorSearch:
    job = start_search(actors.membership(actors.alice))
    run_job(job.pk)
    job = Job.objects.get(pk=job.pk)
    assert job.state == JobState.DONE, job.error
    search = last_search(actors.project)
    assert search is not None
    assert job.result is not None
    assert job.result["search"] == search.pk
    return search


def answer_wrongly(item: Item) -> None:
    wrong = "yes" if truth_of(item.external_id) == "no" else "no"
    answer = Answer.objects.get(annotation__item=item)
    answer.label_class = answer.question.classes.get(name=wrong)
    answer.save()


def found(search: ErrorSearch, doubt: Doubt) -> list[str]:
    return [row.item.external_id for row in errors_of(search, doubt)]


def second_answer(member: Membership, item: Item, value: str) -> None:
    make_answer(member, item, {"answer": value})
    Item.objects.filter(pk=item.pk).update(done=F("done") + 1, target=F("target") + 1)


def test_planted_errors_come_first_and_the_share_of_wrong_labels_is_told(actors: Actors) -> None:
    make_pool(actors.project, 360)
    items = answer_items(actors.membership(actors.bob), 240)
    planted = items[5:240:20]
    for item in planted:
        answer_wrongly(item)
    search = look(actors)
    first_twelve = set(found(search, Doubt.CONFIDENCE)[:12])
    assert len(first_twelve & {item.external_id for item in planted}) >= 10
    told = search_document(search)
    assert (told["n_labels"], told["n_unjudged"], told["n_tied"]) == (240, 0, 0)
    low, high = told["expected"]["ci"]
    assert low < 12 / 240 < high
    assert told["expected"]["method"] == "item_bootstrap"
    assert [row["class"] for row in told["classes"]] == ["yes", "no"]
    first = error_documents(actors.membership(actors.alice), search, errors_of(search, Doubt.CONFIDENCE)[:1])[
        0
    ]
    assert first["rank"] == 1
    assert first["likely"] == truth_of(first["item"]) != first["given"]
    assert first["votes"] == [{"class": first["given"], "n": 1}]
    assert 0 <= first["score"] < 0.5
    assert Event.objects.filter(verb="errors.looked_for").count() == 1


def test_labels_that_a_strategy_chose_are_doubted_and_not_counted_as_wrong(actors: Actors) -> None:
    make_pool(actors.project, 360)
    items = answer_items(actors.membership(actors.bob), 240)
    for item in items[5:240:20]:
        answer_wrongly(item)
    make_round(actors.project, {Stream.SELECTED: items[:100], Stream.RANDOM: items[100:]})
    told = search_document(look(actors))
    assert (told["expected"]["value"], told["expected"]["reason"]) == (None, "chosen_items")
    assert {row["expected"]["reason"] for row in told["classes"]} == {"chosen_items"}
    assert told["n_doubted"] >= 10
    assert told["lists"]["confidence"] == told["n_doubted"]


def test_the_same_labels_give_the_same_list_twice(actors: Actors) -> None:
    make_pool(actors.project, 160)
    for item in answer_items(actors.membership(actors.bob), 100)[::10]:
        answer_wrongly(item)
    first, second = look(actors), look(actors)
    columns = ("item", "doubt", "rank", "score", "given", "likely", "other")
    assert list(errors_of(first).values_list(*columns)) == list(errors_of(second).values_list(*columns))
    assert first.report == second.report


def test_near_duplicates_with_different_labels_stand_side_by_side(actors: Actors) -> None:
    items = make_pool(actors.project, 100)[60:]
    for place in (1, 2, 3):
        Item.objects.filter(pk=items[place].pk).update(data=items[0].data)
    bob = actors.membership(actors.bob)
    for item, value in zip(items[:4], ("yes", "yes", "no", "yes"), strict=True):
        make_answer(bob, item, {"answer": value})
        Item.objects.filter(pk=item.pk).update(done=1, free=0)
    search = look(actors)
    (row,) = errors_of(search, Doubt.DUPLICATE)
    assert row.item_id == items[2].pk
    assert row.other_id in {items[0].pk, items[1].pk, items[3].pk}
    assert (row.given.name, row.likely and row.likely.name) == ("no", "yes")
    assert row.score == pytest.approx(1 / 4)
    assert search.report["expected"]["reason"] == "too_few_items"
    assert search.report["n_unjudged"] == 4


def test_people_who_differ_are_listed_the_most_even_first(actors: Actors) -> None:
    items = make_pool(actors.project, 100)[60:]
    bob, carol, dave = (actors.membership(one) for one in (actors.bob, actors.carol, actors.dave))
    for item, values in zip(items, ("yn", "yyn", "yyy", "y?"), strict=False):
        Item.objects.filter(pk=item.pk).update(target=len(values), free=0, done=len(values))
        for person, value in zip((bob, carol, dave), values, strict=False):
            said = {"y": "yes", "n": "no", "?": "cannot tell"}[value]
            make_answer(person, item, {"answer": said})
    search = look(actors)
    rows = list(errors_of(search, Doubt.CONSENSUS))
    assert [row.item_id for row in rows] == [items[0].pk, items[1].pk]
    assert [row.score for row in rows] == pytest.approx([1 / 2, 2 / 3])
    assert search.report["rule"] == "majority"
    assert search.report["n_tied"] == 1


def test_the_holdout_and_withdrawn_items_are_left_alone(actors: Actors) -> None:
    make_pool(actors.project, 200)
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    held = answer_items(bob, 20, audit=AuditPart.HOLDOUT)
    wrong = answer_items(bob, 120)[:6]
    for item in [*held[:5], *wrong]:
        answer_wrongly(item)
    second_answer(carol, held[0], truth_of(held[0].external_id))
    search = look(actors)
    assert not LabelError.objects.filter(search=search, item__audit=AuditPart.HOLDOUT).exists()
    assert search.report["n_labels"] == 120
    withdraw_item(actors.membership(actors.alice), wrong[0].pk)
    assert wrong[0].external_id not in found(search, Doubt.CONFIDENCE)


def test_a_reader_who_holds_an_item_is_not_told_what_others_said(actors: Actors) -> None:
    make_pool(actors.project, 160)
    for item in answer_items(actors.membership(actors.bob), 100)[::10]:
        answer_wrongly(item)
    search, alice = look(actors), actors.membership(actors.alice)
    row = errors_of(search, Doubt.CONFIDENCE)[0]
    sent = send_errors(
        alice, Doubt.CONFIDENCE, [row.item_id], "Likely wrong", words={row.item_id: "the model"}
    )
    assert sent.relabel is not None
    (told,) = error_documents(alice, search, errors_of(search, Doubt.CONFIDENCE)[:1])
    assert (told["waits"], told["relabel"], told["held"]) == (True, sent.relabel.pk, False)
    carol = actors.membership(actors.carol)
    (lease,) = hand_out(carol, 1).leases
    assert lease.item_id == row.item_id
    (told,) = error_documents(carol, search, errors_of(search, Doubt.CONFIDENCE)[:1])
    assert told["held"]
    assert (told["given"], told["likely"], told["votes"], told["score"]) == (None, None, [], None)
    assert list(findings()) == []


def test_only_one_look_at_a_time_and_the_newest_five_are_kept(actors: Actors) -> None:
    make_pool(actors.project, 70)
    answer_items(actors.membership(actors.bob), 5)
    for _time in range(6):
        look(actors)
    assert ErrorSearch.objects.count() == 5
    Job.objects.update(state=JobState.QUEUED)
    waiting = start_search(actors.membership(actors.alice))
    assert start_search(actors.membership(actors.alice)).pk == waiting.pk


def test_a_project_without_a_question_of_classes_cannot_look(actors: Actors) -> None:
    actors.project.questions.update(kind="text")
    actors.project.schema_version += 1
    with pytest.raises(Conflict) as refused:
        start_search(actors.membership(actors.alice))
    assert refused.value.code == "no-learnable-question"


def test_without_labels_the_lists_are_empty_and_without_items_the_job_says_so(actors: Actors) -> None:
    job = start_search(actors.membership(actors.alice))
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, (job.error or {})["code"]) == (JobState.FAILED, "no-items")
    make_pool(actors.project, 70)
    search = look(actors)
    assert search.report["n_labels"] == 0
    assert not errors_of(search).exists()
