"""The pages on models: the list, several side by side, one in full, its file, and training one now."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.choices import JobKind, JobState, RunKind
from core.models import Item, Job, Project, Run, RunModel, User
from core.selectors.selection_report import trained_runs
from core.services.job import sign_of_life
from tests.conftest import Actors
from tests.factories.answers import make_items
from tests.factories.run import make_run
from tests.factories.selection import make_trained_run
from tests.web.test_selection import learn, plain, text_of

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
PAGE = "/projects/birds/models/"


@pytest.fixture
def learnt(actors: Actors) -> Project:
    return learn(actors)


def run_called(name: str) -> Run:
    return Run.objects.get(name=name)


def test_without_a_model_the_page_says_how_to_get_one(actors: Actors, client_of: Browser) -> None:
    page = text_of(client_of(actors.alice).get(PAGE))

    assert "There is no model yet" in page
    assert "A model can be trained here as soon as items of two classes have labels" in page


def test_every_run_stands_in_the_list_with_its_figures_of_today(
    learnt: Project, dave: User, client_of: Browser
) -> None:
    make_run(learnt, {"p01": "yes"}, name="from outside")
    page = text_of(client_of(dave).get(PAGE))

    assert "The newest model, model 5, learnt from 250 labels" in page
    assert "0.90 (0.77-0.96)" in page
    assert "0.50 (0.35-0.65)" in page
    assert page.index("from outside") < page.index(">model 5<") < page.index(">model 1<")
    assert "cannot tell yet" in page  # the holdout has no prediction of the one from outside


def test_two_models_are_compared_on_the_items_that_both_answered(
    learnt: Project, dave: User, client_of: Browser
) -> None:
    first, last = run_called("model 1"), run_called("model 5")
    last.predictions.filter(item__external_id__in=["h00", "h01"]).delete()
    page = text_of(client_of(dave).get(f"{PAGE}?run={first.pk}&run={last.pk}&run=x&run=999999"))

    assert "Side by side" in page
    assert "38 items of the holdout that all of them say something of" in page
    assert "model 5 against model 1" in page
    assert "F1 of no" in page


def test_models_without_a_common_item_are_not_compared(
    learnt: Project, dave: User, client_of: Browser
) -> None:
    outside = make_run(learnt, {"p01": "yes"}, name="from outside")
    page = text_of(client_of(dave).get(f"{PAGE}?run={outside.pk}&run={run_called('model 1').pk}"))

    assert "These cannot be compared" in page


def test_one_model_says_what_it_takes_for_what_and_how_it_was_made(
    learnt: Project, dave: User, client_of: Browser
) -> None:
    run = run_called("model 5")
    page = text_of(client_of(dave).get(f"{PAGE}{run.pk}"))

    assert "It is right on 90 % (77-96 %) of 40 labelled items of the holdout." in page
    assert '<td class="seq-9 heat-same">27</td><td class="seq-1">3</td>' in page
    assert "trained here in round 5 of selection" in page
    assert run.labels_digest in page
    assert f"/projects/birds/hlp/?run={run.pk}&amp;question=answer" in page
    assert client_of(dave).get(f"{PAGE}999999").status_code == 404


def test_a_model_can_be_downloaded_until_it_is_dropped(
    learnt: Project, dave: User, client_of: Browser
) -> None:
    run = run_called("model 5")
    browser = client_of(dave)

    file = browser.get(f"{PAGE}{run.pk}/model")
    assert {"model.json", "model.npz"} <= set(zipfile.ZipFile(io.BytesIO(file.content)).namelist())
    RunModel.objects.filter(run=run).delete()
    assert browser.get(f"{PAGE}{run.pk}/model").status_code == 404
    assert "not kept; its run, figures and predictions are" in text_of(browser.get(f"{PAGE}{run.pk}"))


def test_alice_trains_a_model_now(
    actors: Actors, learnt: Project, client_of: Browser, monkeypatch: Any
) -> None:
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)
    browser = client_of(actors.alice)

    browser.post(f"{PAGE}train", {"question": "answer"})
    job = Job.objects.get(kind=JobKind.TRAIN)
    assert (job.state, job.arguments["question"]) == (JobState.QUEUED, "answer")
    page = text_of(browser.get(PAGE))
    assert "It is queued. It starts by itself as soon as a worker is running." in page
    assert "It shows here when it is ready." not in page
    assert "No worker is running, so this waits." in page
    Job.objects.update(state=JobState.FAILED, error={"code": "x", "detail": "There are too few classes."})
    assert "The last training failed: There are too few classes." in text_of(browser.get(PAGE))


def test_what_trains_or_spreads_shows_how_far_it_is_and_can_be_cancelled(
    actors: Actors, learnt: Project, client_of: Browser, monkeypatch: Any
) -> None:
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)
    sign_of_life()
    browser = client_of(actors.alice)
    assert "A model is being trained. It shows here when it is ready." in text_of(
        browser.post(f"{PAGE}train", {"question": "answer"}, follow=True)
    )
    browser.post(f"{PAGE}spread")
    training, spreading = Job.objects.get(kind=JobKind.TRAIN), Job.objects.get(kind=JobKind.SPREAD)
    Job.objects.filter(pk=training.pk).update(state=JobState.RUNNING, progress=0.4)

    page = text_of(browser.get(PAGE))
    assert "40 %" in page
    assert page.count('hx-trigger="every 1s"') == 2
    assert f"{PAGE}spread?cancel={spreading.pk}" in page
    assert "Cancel" not in text_of(client_of(actors.dave).get(PAGE))
    part = browser.get(PAGE, {"part": "job", "job": str(training.pk)})
    assert (part.status_code, "HX-Refresh" in part) == (200, False)

    cancelled = text_of(browser.post(f"{PAGE}spread?cancel={spreading.pk}", follow=True))
    assert "It is cancelled; nothing of it was kept." in cancelled
    spreading.refresh_from_db()
    assert spreading.state == JobState.CANCELLED
    assert browser.get(PAGE, {"part": "job", "job": str(spreading.pk)})["HX-Refresh"] == "true"
    assert Job.objects.count() == 2
    for wrong in ("x", "00000000-0000-0000-0000-000000000000", training.pk):
        assert browser.post(f"{PAGE}spread?cancel={wrong}").status_code == 404


@pytest.mark.parametrize("kind", [RunKind.WEAK, RunKind.SPREAD])
def test_a_lead_trains_a_model_with_the_labels_of_a_run_besides(
    kind: RunKind, actors: Actors, learnt: Project, client_of: Browser, monkeypatch: Any
) -> None:
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)
    run = make_run(learnt, {"p01": "yes"}, name="of no person")
    Run.objects.filter(pk=run.pk).update(
        kind=kind, metrics={"n_predictions": 1}, question=run.predictions.get().question
    )
    browser, words = client_of(actors.alice), "Train a model with these labels besides"

    page = text_of(browser.get(f"{PAGE}{run.pk}"))
    assert words in page
    assert f'name="weak_run" value="{run.pk}"' in page
    assert words not in text_of(client_of(actors.dave).get(f"{PAGE}{run.pk}"))
    assert words not in text_of(browser.get(f"{PAGE}{run_called('model 5').pk}"))
    browser.post(f"{PAGE}train", {"question": "answer", "weak_run": run.pk})
    assert Job.objects.get(kind=JobKind.TRAIN).arguments["weak_run"] == run.pk


@pytest.mark.parametrize("weak_run", ["x", "9" * 30, "model 5"])
def test_a_model_does_not_learn_from_what_another_model_says(
    weak_run: str, actors: Actors, learnt: Project, client_of: Browser
) -> None:
    number = run_called(weak_run).pk if weak_run == "model 5" else weak_run
    page = client_of(actors.alice).post(f"{PAGE}train", {"weak_run": number}, follow=True)
    assert "weak_run is the number of a run of labeling functions or of spreading" in text_of(page)
    assert not Job.objects.exists()


def test_a_model_that_learnt_from_labels_of_no_person_says_so_and_stays_out_of_the_curve(
    learnt: Project, dave: User, client_of: Browser
) -> None:
    question = learnt.questions.get(key="answer")
    held = dict.fromkeys(Item.objects.filter(project=learnt, audit="holdout"), "yes")
    make_trained_run(
        learnt, held, n_labels=6, name="with functions", metrics={"weak": 5000}, parameters={"weak_run": 3}
    )
    page = text_of(client_of(dave).get(PAGE))
    assert "The newest model, with functions, learnt from 6 labels of people and 5,000 of no person" in page
    assert ">with functions<" in page
    assert [run.n_labels for run in trained_runs(learnt, question.pk)] == [50, 100, 150, 200, 250]


@pytest.mark.parametrize(("temperature", "shown"), [(1.2, "(temperature 1.20) n = 44"), (None, "n = 44")])
def test_the_calibration_error_says_how_many_items_it_rests_on(
    temperature: float | None, shown: str, learnt: Project, dave: User, client_of: Browser
) -> None:
    run = run_called("model 5")
    run.metrics = {"calibration": {"temperature": temperature, "ece": 0.031, "n": 44}}
    run.save()
    page = text_of(client_of(dave).get(f"{PAGE}{run.pk}"))
    assert f'<dd>0.031 <span class="muted">{shown}</span></dd>' in page


def test_what_cannot_be_trained_is_said(actors: Actors, client_of: Browser) -> None:
    browser = client_of(actors.alice)

    page = browser.post(f"{PAGE}train", {"question": "nothing"}, follow=True)
    assert "There is no question" in text_of(page)
    assert not Job.objects.exists()


def test_spreading_that_is_worse_is_not_offered(learnt: Project, alice: User, client_of: Browser) -> None:
    result = {"offered": False, "why": "worse", "difference": {"value": -0.034, "ci": [-0.06, -0.01]}}
    Job.objects.create(project=learnt, kind=JobKind.SPREAD, state=JobState.DONE, result=result)

    page = text_of(client_of(alice).get(PAGE))
    assert "Labels of near neighbours are not offered: they are right less often than a trained model" in page
    assert "\N{MINUS SIGN}3.4 points of accuracy" in plain(page)


def test_the_list_costs_the_same_whatever_its_length(
    learnt: Project, alice: User, client_of: Browser, django_assert_max_num_queries: Any
) -> None:
    browser = client_of(alice)
    browser.get(PAGE)
    with django_assert_max_num_queries(25) as few:
        browser.get(PAGE)
    items = list(Item.objects.filter(audit="holdout"))
    for number in range(6, 16):
        make_trained_run(learnt, dict.fromkeys(items, "yes"), n_labels=number, name=f"model {number}")

    with django_assert_max_num_queries(len(few)):
        browser.get(PAGE)


def test_an_item_that_left_the_holdout_counts_no_more(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    Item.objects.filter(external_id__in=["h00", "h01", "h02", "h03"]).update(state="withdrawn", free=0)
    make_items(learnt, "late", audit="holdout")

    assert "of 36 labelled items of the holdout" in text_of(
        client_of(alice).get(f"{PAGE}{run_called('model 5').pk}")
    )
