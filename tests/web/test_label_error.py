"""The pages of likely errors and of what was sent back: words, lists, sending back, and who sees what."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import Doubt, JobKind, JobState
from core.models import ErrorSearch, Item, Job, LabelError, Relabel, RelabelItem
from core.numerics.label_errors import FEWEST_TO_TELL
from core.services.lease import hand_out
from core.services.progress import recount
from core.web.views.label_error import headline
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
SHARE = {"value": 0.05, "ci": [0.031, 0.07], "n_items": 1240, "reason": None, "method": "item_bootstrap"}


@pytest.fixture
def search(actors: Actors) -> ErrorSearch:
    """A look that found two items that the model doubts, a pair of near-duplicates, and an item on which people differ."""
    items = make_items(actors.project, 5, target=1)
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    for item in items[:4]:
        make_answer(bob, item, {"answer": "yes"})
    make_answer(bob, items[4], {"answer": "yes"})
    make_answer(carol, items[4], {"answer": "no"})
    Item.objects.update(done=1, free=0)
    Item.objects.filter(pk=items[4].pk).update(done=2, target=2)
    recount(actors.project.pk)
    question = actors.project.questions.get(key="answer")
    yes, no = question.classes.get(name="yes"), question.classes.get(name="no")
    job = Job.objects.create(project=actors.project, kind=JobKind.ERRORS, state=JobState.DONE)
    report = {
        "n_labels": 1240,
        "n_uncertain": 0,
        "n_tied": 1,
        "n_unjudged": 0,
        "n_doubted": 2,
        "expected": SHARE,
        "classes": [{"class": "yes", "n": 1000, "expected": SHARE}],
        "complete": True,
        "rule": "majority",
    }
    found = ErrorSearch.objects.create(project=actors.project, question=question, job=job, report=report)
    rows = [
        (items[0], Doubt.CONFIDENCE, 1, 0.1, None),
        (items[1], Doubt.CONFIDENCE, 2, 0.2, None),
        (items[2], Doubt.DUPLICATE, 1, 0.3, items[3]),
        (items[4], Doubt.CONSENSUS, 1, 0.5, None),
    ]
    for item, doubt, rank, score, other in rows:
        LabelError.objects.create(
            search=found, item=item, doubt=doubt, rank=rank, score=score, given=yes, likely=no, other=other
        )
    return found


def page(client: Client, actors: Actors, doubt: str = "confidence", **more: Any) -> str:
    answer = client.get(reverse("label_errors", args=[actors.project.slug]), {"doubt": doubt, **more})
    assert answer.status_code == 200
    return answer.content.decode()


def send(client: Client, actors: Actors, **fields: Any) -> Any:
    body = {"doubt": "confidence", "do": "ticked", "reason": "Looks wrong", **fields}
    return client.post(reverse("label_errors_send", args=[actors.project.slug]), body)


def test_the_first_line_says_how_many_labels_are_likely_wrong(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    shown = page(client_of(actors.alice), actors)
    assert "A model doubts 2 of 1,240 labels; about 5 % (3.1 to 7 %) are likely wrong" in shown
    assert "The first 2 are worth looking at." in shown
    assert shown.index("item-1</a>") < shown.index("item-2</a>")
    assert "Labeled “yes”; the model says “no” (rank 1)." in shown
    assert "Sentence 1." in shown


def test_where_the_share_cannot_be_told_the_page_says_how_many_are_doubted_and_why(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    missing = {**SHARE, "value": None, "ci": None, "reason": "model_too_weak"}
    search.report |= {"expected": missing, "classes": [{"class": "yes", "n": 1000, "expected": missing}]}
    search.save()
    shown = page(client_of(actors.alice), actors)
    assert "A model doubts 2 of 1,240 labels</h1>" in shown
    assert "the model is right on too few of the held-out labels to judge people by it" in shown
    assert "are likely wrong" not in shown
    assert "How many are wrong, by class" not in shown
    assert "Labeled “yes”; the model says “no” (rank 1)." in shown


def test_with_labels_that_no_model_could_judge_nobody_says_that_one_was_trained(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    missing = {**SHARE, "value": None, "ci": None, "reason": "too_few_items"}
    search.report |= {"n_labels": 30, "n_unjudged": 30, "n_doubted": 0, "expected": missing, "classes": []}
    search.save()
    LabelError.objects.filter(doubt=Doubt.CONFIDENCE).delete()
    shown = page(client_of(actors.alice), actors)
    assert "How many labels are wrong cannot be told yet" in shown
    assert "No model was trained, because there are too few labels" in shown
    assert "A model was trained" not in shown
    assert "a model says another class" not in shown
    assert "a model that did not see it" not in shown


def test_near_duplicates_stand_side_by_side_and_votes_are_told(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    client = client_of(actors.dave)
    shown = page(client, actors, "duplicate")
    assert "Sentence 3." in shown
    assert "Sentence 4." in shown
    assert "yes (1), no (1). The label “yes” is 50 % sure." in page(client, actors, "consensus")


def test_ticked_items_go_back_with_the_reason(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    client, item = client_of(actors.alice), Item.objects.get(external_id="item-2")
    answer = send(client, actors, item=[item.pk])
    assert answer.status_code == 302
    queue = Relabel.objects.get()
    assert queue.reason == "Looks wrong"
    assert RelabelItem.objects.get().reason == "Labeled “yes”; the model says “no” (rank 2)."
    shown = page(client, actors)
    assert "1 item is in front of the queue again." in shown
    assert "in the queue again" in shown
    (lease,) = hand_out(actors.membership(actors.carol), 1).leases
    assert lease.item_id == item.pk
    relabels = client.get(reverse("relabels", args=[actors.project.slug])).content.decode()
    assert "Looks wrong" in relabels
    assert "0 of 1" in relabels


def test_all_that_is_shown_can_go_back_at_once_and_what_cannot_is_told(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    client = client_of(actors.alice)
    shown = list(Item.objects.filter(label_errors__doubt=Doubt.CONSENSUS).values_list("pk", flat=True))
    everything = [
        *Item.objects.filter(label_errors__doubt=Doubt.CONFIDENCE).values_list("pk", flat=True),
        *shown,
    ]
    assert send(client, actors, do="shown", shown=everything).status_code == 302
    assert RelabelItem.objects.count() == 2
    assert "Not sent: 1 nobody is left who has not answered." in page(client, actors)


def test_nothing_ticked_or_no_reason_is_told_beside_the_form(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    client = client_of(actors.alice)
    answer = send(client, actors)
    assert answer.status_code == 422
    assert "Tick the items that are to be labeled again." in answer.content.decode()
    answer = send(client, actors, item=["1", "x", "٣"], reason=" ")
    assert answer.status_code == 422
    assert not Relabel.objects.exists()


def test_a_reviewer_reads_and_cannot_send(actors: Actors, search: ErrorSearch, client_of: Browser) -> None:
    client = client_of(actors.dave)
    assert "Send the ticked ones back" not in page(client, actors)
    assert send(client, actors, item=[1]).status_code == 403


def test_whoever_holds_an_item_does_not_see_its_label(
    actors: Actors, search: ErrorSearch, client_of: Browser
) -> None:
    Item.objects.filter(external_id="item-1").update(target=2, free=1)
    (lease,) = hand_out(actors.membership(actors.alice), 1).leases
    assert lease.item.external_id == "item-1"
    shown = page(client_of(actors.alice), actors)
    assert "You have this item in hand." in shown
    assert "(rank 1)" not in shown
    assert "(rank 2)" in shown


def test_before_the_first_look_the_page_says_what_it_is_for_and_starts_one(
    actors: Actors, client_of: Browser
) -> None:
    client = client_of(actors.alice)
    assert "Nobody has looked yet" in page(client, actors)
    make_items(actors.project, 2)
    client.post(reverse("label_errors_find", args=[actors.project.slug]))
    job = Job.objects.get(kind=JobKind.ERRORS)
    assert job.arguments == {"question": "answer"}
    Job.objects.update(state=JobState.RUNNING, progress=0.4)
    shown = page(client, actors)
    assert "40 %" in shown
    assert "No worker is running" in shown
    part = client.get(reverse("label_errors", args=[actors.project.slug]), {"part": "job"})
    assert "HX-Refresh" not in part
    Job.objects.update(state=JobState.FAILED, error={"code": "no-items", "detail": "There are no items."})
    assert (
        client.get(reverse("label_errors", args=[actors.project.slug]), {"part": "job"})["HX-Refresh"]
        == "true"
    )
    assert "The last look failed: There are no items." in page(client, actors)


def test_lists_are_paged_by_rank(actors: Actors, search: ErrorSearch, client_of: Browser) -> None:
    yes = actors.project.questions.get(key="answer").classes.get(name="yes")
    more = make_items(actors.project, 60)
    Item.objects.filter(pk__in=[one.pk for one in more]).update(done=1, free=0, target=1)
    LabelError.objects.bulk_create(
        LabelError(search=search, item=item, doubt=Doubt.CONFIDENCE, rank=rank, score=0.3, given=yes)
        for rank, item in enumerate(more, start=3)
    )
    client = client_of(actors.alice)
    first = page(client, actors)
    assert "?doubt=confidence&amp;after=50" in first
    assert "item-54</a>" not in first
    assert "item-54</a>" in page(client, actors, after="50")
    assert "item-6</a>" in page(client, actors, after="9" * 30)


@pytest.mark.parametrize(
    ("expected", "n_listed", "words"),
    [
        ({"value": None, "ci": None, "reason": "chosen_items"}, 20, "A model doubts 20 of 200 labels"),
        ({"value": 0.0, "ci": [0.0, 0.0]}, 0, "Hardly any of 200 labels is likely wrong"),
        (
            {"value": 0.005, "ci": [0.001, 0.01]},
            3,
            "A model doubts 3 of 200 labels; about 0.5 % (0.1 to 1 %) are likely wrong",
        ),
        (
            {"value": 0.25, "ci": [0.2, 0.3]},
            20,
            "A model doubts 20 of 200 labels; about 25 % (20 to 30 %) are likely wrong",
        ),
    ],
)
def test_the_headline_by_what_was_found(expected: Any, n_listed: int, words: str) -> None:
    told = {
        "n_labels": 205,
        "n_unjudged": 5,
        "n_doubted": n_listed,
        "expected": expected,
        "lists": {Doubt.CONFIDENCE: n_listed},
    }
    assert headline(told)[0] == words


def test_with_too_few_judged_labels_the_headline_says_how_many_it_takes() -> None:
    told = {"n_labels": 90, "n_unjudged": 0, "n_doubted": 4, "lists": {Doubt.CONFIDENCE: 4}}
    told["expected"] = {"value": None, "ci": None, "reason": "too_few_items"}
    title, lead = headline(told)
    assert title == "A model doubts 4 of 90 labels"
    assert f"it takes {FEWEST_TO_TELL} labels that a model can judge" in lead


def test_the_api_tells_the_same_and_sends_back(
    actors: Actors, search: ErrorSearch, token_client: Browser
) -> None:
    client, address = token_client(actors.alice), reverse("api:label-errors", args=[actors.project.slug])
    body = client.get(address).json()
    assert [row["item"] for row in body["results"]] == ["item-1", "item-2"]
    assert body["search"]["lists"] == {"confidence": 2, "duplicate": 1, "consensus": 1}
    assert body["results"][0]["votes"] == [{"class": "yes", "n": 1}]
    duplicate = client.get(address, {"doubt": "duplicate"}).json()["results"][0]
    assert (duplicate["item"], duplicate["other"]) == ("item-3", "item-4")
    assert client.get(address, {"doubt": "other"}).json()["code"] == "bad-filter"
    made = client.post(
        reverse("api:relabels", args=[actors.project.slug]),
        json.dumps({"items": ["item-1", "item-5"], "reason": "Again"}),
        content_type="application/json",
    )
    assert made.status_code == 201
    assert made.json()["relabel"]["items"] == 1
    assert made.json()["skipped"] == [{"item": "item-5", "code": "nobody-left"}]
    assert client.get(address).json()["results"][0]["waits"]
