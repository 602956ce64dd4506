"""Runs over HTTP: an outside model is registered, with its predictions or without."""

from typing import Any

import pytest

from core.choices import ProjectState, QuestionKind
from core.models import Event, Prediction, Project, Run
from tests.conftest import Actors, client_of
from tests.factories.answers import make_items
from tests.factories.project import make_question

URL = "/api/v1/projects/birds/runs"
ROW = {"item_id": "a", "question": "answer", "label": "yes"}


@pytest.fixture
def items(project: Project) -> None:
    make_items(project, "a", "b")


def send(actors: Actors, **body: Any) -> Any:
    return client_of(actors.alice).post(URL, body, content_type="application/json")


def test_a_run_says_what_made_it(actors: Actors) -> None:
    told = {"name": "tiny", "code_version": "a1b2c3", "parameters": {"depth": 3}, "seed": 7}
    sent = send(actors, **told)
    assert sent.status_code == 201
    run = Run.objects.get()
    body = sent.json()
    assert body == {
        "id": run.pk,
        **told,
        "n_predictions": 0,
        "questions": [],
        "created_at": body["created_at"],
    }
    assert client_of(actors.dave).get(f"{URL}/{run.pk}").json() == body
    assert client_of(actors.dave).get(URL).json() == {"next": None, "results": [body]}
    event = Event.objects.latest("pk")
    assert (event.verb, event.thing, event.actor) == ("run.created", "tiny", actors.alice)


@pytest.mark.usefixtures("items")
def test_predictions_come_along(actors: Actors) -> None:
    make_question(actors.project, "parts", ["wing", "tail"], kind=QuestionKind.MULTIPLE)
    rows = [
        {**ROW, "prob": {"yes": 0.9, "no": 0.1}},
        {**ROW, "item_id": "b", "label": "no"},
        {"item_id": "a", "question": "parts", "label": ["tail"]},
    ]
    body = send(actors, name="tiny", predictions=rows).json()
    assert (body["n_predictions"], body["questions"]) == (
        3,
        [{"question": "answer", "n": 2}, {"question": "parts", "n": 1}],
    )
    classes = dict(actors.project.questions.get(key="answer").classes.values_list("name", "pk"))
    first = Prediction.objects.order_by("pk").first()
    assert first is not None
    assert (first.label_class_id, first.item_version) == (classes["yes"], 1)
    assert first.probabilities == {str(classes["yes"]): 0.9, str(classes["no"]): 0.1}


@pytest.mark.usefixtures("items")
def test_one_wrong_prediction_refuses_all_and_every_wrong_one_is_told(actors: Actors) -> None:
    rows = [ROW, {**ROW, "item_id": "z"}, ROW, {**ROW, "item_id": "b", "prob": {"yes": 2}}]
    sent = send(actors, name="tiny", predictions=rows)
    assert (sent.status_code, sent.json()["code"]) == (400, "bad-predictions")
    assert [(error["pointer"], error["code"]) for error in sent.json()["errors"]] == [
        ("/predictions/1/item_id", "unknown-item"),
        ("/predictions/2/item_id", "duplicate-prediction"),
        ("/predictions/3/prob.yes", "bad-probability"),
    ]
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad-run"),
        ({"name": " "}, 400, "bad-run"),
        ({"name": "a\nb"}, 400, "bad-run"),
        ({"name": "x" * 121}, 400, "bad-run"),
        ({"name": "tiny", "code_version": 3}, 400, "bad-code-version"),
        ({"name": "tiny", "parameters": [1]}, 400, "bad-parameters"),
        ({"name": "tiny", "parameters": {"x": "y" * 20_000}}, 400, "bad-parameters"),
        ({"name": "tiny", "seed": True}, 400, "bad-seed"),
        ({"name": "tiny", "predictions": "a.csv"}, 400, "bad-predictions"),
        ({"name": "tiny", "predictions": [ROW] * 10_001}, 400, "too-many-predictions"),
        ({"name": "tiny", "url": "https://example.org"}, 400, "unknown-field"),
        ({"name": "baseline"}, 409, "run-exists"),
    ],
)
def test_wrong_runs_are_refused_with_a_code(
    actors: Actors, body: dict[str, Any], status: int, code: str
) -> None:
    Run.objects.create(project=actors.project, name="baseline")
    sent = send(actors, **body)
    assert (sent.status_code, sent.json()["code"]) == (status, code)
    assert Run.objects.count() == 1


def test_an_archive_takes_no_runs(actors: Actors) -> None:
    Project.objects.update(state=ProjectState.ARCHIVED)
    assert send(actors, name="tiny").json()["code"] == "project-archived"


def test_runs_of_other_projects_are_not_here(actors: Actors) -> None:
    run = Run.objects.create(project=Project.objects.get(slug="flowers"), name="theirs")
    assert client_of(actors.alice).get(f"{URL}/{run.pk}").status_code == 404
    assert client_of(actors.alice).get(URL).json()["results"] == []
