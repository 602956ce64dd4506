"""Spreading labels: judged first, kept as a run of its own kind, never as answers of people."""

from hashlib import sha256
from typing import Any

import pytest

from core.choices import AuditPart, JobKind, JobState, RunKind
from core.exceptions import Invalid
from core.models import Answer, Item, Job, Prediction, Run
from core.pipelines.job import run_job
from core.selectors.spreading import last_spreading, spreading_now
from core.services.spreading import start_spreading
from tests.conftest import Actors
from tests.factories.pool import answer_items, make_pool, truth_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(media: Any) -> None:
    """Features are kept in a folder of this test."""


def write_topics(items: list[Item]) -> None:
    """Texts of twelve topics instead, each of one class: neighbours speak of the same."""
    for item in items:
        own = [row for row in range(12) if (row % 4 == 0) == (truth_of(item.external_id) == "no")]
        topic = own[item.pk % len(own)]
        words = [sha256(f"{topic} {(item.pk >> n) % 7}".encode()).hexdigest()[:8] for n in range(5)]
        item.data = {"text": " ".join(words)}
    Item.objects.bulk_update(items, ["data"])


def spread(actors: Actors) -> Job:
    job = start_spreading(actors.membership(actors.alice))
    run_job(job.pk)
    return Job.objects.get(pk=job.pk)


def test_where_it_is_not_worse_the_labels_are_kept_as_predictions(actors: Actors) -> None:
    write_topics(make_pool(actors.project, 600, holdout=200))
    bob = actors.membership(actors.bob)
    answer_items(bob, 200, audit=AuditPart.HOLDOUT)
    labelled = answer_items(bob, 80)
    n_answers = Answer.objects.count()
    told = spread(actors).result or {}
    assert (told["judged_on"], told["n_labels"], told["n_items"], told["n_left_out"]) == (
        "holdout",
        80,
        600,
        0,
    )
    assert told["difference"]["n_items"] == 200
    assert told["offered"], (told["spread"], told["trained"], told["difference"])
    run = Run.objects.get()
    assert (run.kind, run.name, run.pk) == (RunKind.SPREAD, "spreading 1", told["run"])
    assert run.metrics is not None
    assert run.metrics["spreading"]["why"] == told["why"]
    assert run.metrics["holdout"]["accuracy"]["value"] == told["spread"]["value"]
    said = Prediction.objects.filter(run=run)
    assert not said.filter(item__in=labelled).exists()
    assert said.filter(item__audit=AuditPart.HOLDOUT).count() == 200
    new = said.exclude(item__audit=AuditPart.HOLDOUT).select_related("item", "label_class")
    assert new.count() == told["n_spread"] > 50
    right = sum(
        one.label_class is not None and one.label_class.name == truth_of(one.item.external_id) for one in new
    )
    assert right >= 0.9 * told["n_spread"]
    assert Answer.objects.count() == n_answers
    assert Item.objects.filter(done__gt=0).count() == 280
    assert last_spreading(actors.project) == Job.objects.get()
    assert (spread(actors).result or {})["name"] == "spreading 2"


def test_with_too_few_labels_to_judge_by_no_run_is_made_and_why_is_told(actors: Actors) -> None:
    make_pool(actors.project, 120)
    answer_items(actors.membership(actors.bob), 10)
    told = spread(actors).result or {}
    assert (told["offered"], told["why"], told["judged_on"]) == (False, "too_few_labels", "labels")
    assert told["difference"]["value"] is None
    assert "run" not in told
    assert not Run.objects.exists()


def test_without_items_or_labels_the_job_fails_and_says_so(actors: Actors) -> None:
    assert (spread(actors).error or {})["code"] == "no-items"
    make_pool(actors.project, 70)
    assert (spread(actors).error or {})["code"] == "no-labels"
    assert last_spreading(actors.project) is None


def test_one_at_a_time_and_only_for_a_question_that_is_there(actors: Actors) -> None:
    make_pool(actors.project, 70)
    first = start_spreading(actors.membership(actors.alice))
    Job.objects.filter(pk=first.pk).update(state=JobState.QUEUED)
    assert start_spreading(actors.membership(actors.alice)).pk == first.pk
    assert spreading_now(actors.project) == first
    assert Job.objects.get(kind=JobKind.SPREAD).arguments == {"question": "answer"}
    with pytest.raises(Invalid) as refused:
        start_spreading(actors.membership(actors.alice), "other")
    assert refused.value.code == "unknown-question"
