"""Runs over HTTP: outside models are registered; models are trained here, downloaded and asked."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.choices import AuditPart, ProjectState, QuestionKind, RunKind
from core.models import Event, Item, Job, Prediction, Project, Run, RunModel
from core.pipelines.features import ready_features
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question
from tests.factories.run import make_run

URL = "/api/v1/projects/birds/runs"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
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
        "kind": "outside",
        "question": None,
        "features": None,
        "labels_digest": "",
        "n_labels": 0,
        "n_uncertain": 0,
        "metrics": None,
        "has_model": False,
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


class TestTrainedHere:
    """Runs that are trained on the project's own labels."""

    @pytest.fixture(autouse=True)
    def _own_folder(self, settings: Any, tmp_path: Any) -> None:
        settings.DATA_DIR = tmp_path

    @pytest.fixture
    def texts(self, actors: Actors) -> None:
        """Twenty texts about birds or cars, all labelled by Bob, the last eight of them the holdout."""
        items = make_items(actors.project, *(f"i{place}" for place in range(20)))
        bob = actors.membership(actors.bob)
        for place, item in enumerate(items):
            item.data = {"text": ("wing feather nest", "engine wheel road")[place % 2]}
            item.audit = AuditPart.HOLDOUT if place >= 12 else AuditPart.NONE
            make_answer(bob, item, {"answer": ("yes", "no")[place % 2]})
        Item.objects.bulk_update(items, ["data", "audit"])

    def train(self, actors: Actors, django_capture_on_commit_callbacks: Any, **asked: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            sent = send(actors, train=asked)
        assert sent.status_code == 202
        return client_of(actors.alice).get(f"/api/v1/jobs/{sent.json()['id']}").json()

    @pytest.mark.usefixtures("texts")
    def test_a_model_is_trained_told_downloaded_and_used(
        self, actors: Actors, django_capture_on_commit_callbacks: Any
    ) -> None:
        job = self.train(actors, django_capture_on_commit_callbacks, seed=4)
        assert (job["kind"], job["state"]) == ("train", "done")
        url = f"{URL}/{job['result']['run']}"
        run = client_of(actors.dave).get(url).json()
        assert (run["kind"], run["question"], run["name"]) == ("trained", "answer", "model 1")
        assert (run["n_labels"], run["features"], run["has_model"]) == (12, 1, True)
        assert run["metrics"]["holdout"]["accuracy"]["value"] == 1
        assert len(run["metrics"]["holdout"]["per_class"]) == 2
        listed = client_of(actors.dave).get(URL).json()["results"][0]["metrics"]["holdout"]
        assert set(listed) == {"n", "accuracy", "macro_f1"}

        with django_capture_on_commit_callbacks(execute=True):
            body = {"data": [{"text": "a wing"}, {"text": "a wheel"}]}
            sent = client_of(actors.alice).post(f"{url}/score", body, content_type="application/json")
        assert (sent.status_code, sent.json()["kind"]) == (202, "predict")
        done = client_of(actors.alice).get(f"/api/v1/jobs/{sent.json()['id']}").json()
        assert [row["label"] for row in done["result"]["predictions"]] == ["yes", "no"]

    @pytest.mark.usefixtures("texts")
    def test_the_file_of_a_model_scores_as_the_documentation_shows(
        self,
        actors: Actors,
        django_capture_on_commit_callbacks: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        job = self.train(actors, django_capture_on_commit_callbacks)
        url = f"{URL}/{job['result']['run']}"
        answer = client_of(actors.alice).get(f"{url}/model")
        assert answer["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert sorted(archive.namelist()) == ["basis.npz", "features.json", "model.json", "model.npz"]
            archive.extractall(tmp_path)
        features = ready_features(actors.project)
        assert features is not None
        assert json.loads((tmp_path / "features.json").read_text()) == json.loads(
            json.dumps(features.feature_set.spec)
        )
        item = Item.objects.get(project=actors.project, external_id="i0")
        told: dict[str, Any] = {"rows": features.rows(np.array([item.pk]), np.array([1])).sparse}
        monkeypatch.chdir(tmp_path)
        (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        exec(compile(block, PAGE.name, "exec"), told)
        classes = json.loads((tmp_path / "model.json").read_text())["classes"]
        assert classes[told["best"][0]] == "yes"
        with django_capture_on_commit_callbacks(execute=True):
            sent = client_of(actors.alice).post(
                f"{url}/score", {"items": ["i0"]}, content_type="application/json"
            )
        done = client_of(actors.alice).get(f"/api/v1/jobs/{sent.json()['id']}").json()
        said = done["result"]["predictions"][0]["probabilities"]["yes"]
        assert said == pytest.approx(float(told["shares"].max()), abs=1e-3)

    @pytest.mark.usefixtures("texts")
    def test_whoever_only_labels_gets_no_model(
        self, actors: Actors, django_capture_on_commit_callbacks: Any
    ) -> None:
        job = self.train(actors, django_capture_on_commit_callbacks)
        assert client_of(actors.bob).get(f"{URL}/{job['result']['run']}/model").status_code == 403

    @pytest.mark.usefixtures("texts")
    def test_a_dropped_model_says_so(self, actors: Actors, django_capture_on_commit_callbacks: Any) -> None:
        job = self.train(actors, django_capture_on_commit_callbacks)
        RunModel.objects.all().delete()
        url = f"{URL}/{job['result']['run']}"
        for answer in (
            client_of(actors.alice).get(f"{url}/model"),
            client_of(actors.alice).post(f"{url}/score", {"items": "all"}, content_type="application/json"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "model-dropped")
        assert client_of(actors.alice).get(url).json()["has_model"] is False

    @pytest.mark.parametrize(
        ("asked", "status", "code"),
        [
            ([], 400, "bad-train"),
            ({"depth": 3}, 400, "unknown-field"),
            ({"question": "colour"}, 400, "unknown-question"),
            ({"question": 3}, 400, "unknown-question"),
            ({"seed": -1}, 400, "bad-seed"),
            ({"seed": 2**31}, 400, "bad-seed"),
            ({"seed": True}, 400, "bad-seed"),
            ({"name": " "}, 400, "bad-run"),
            ({"name": "baseline"}, 409, "run-exists"),
            ({"weak_run": 10**6}, 400, "bad-weak-run"),
            ({"weak_run": "tiny"}, 400, "bad-weak-run"),
        ],
    )
    def test_wrong_trainings_are_refused_with_a_code(
        self, actors: Actors, asked: Any, status: int, code: str
    ) -> None:
        Run.objects.create(project=actors.project, name="baseline")
        sent = send(actors, train=asked)
        assert (sent.status_code, sent.json()["code"]) == (status, code)
        assert not Job.objects.exists()

    def test_only_runs_of_functions_and_of_spreading_can_be_learnt_from(self, actors: Actors) -> None:
        make_items(actors.project, "a")
        run = make_run(actors.project, {"a": "yes"}, "says something")
        for kind in (RunKind.TRAINED, RunKind.OUTSIDE):
            Run.objects.filter(pk=run.pk).update(kind=kind)
            sent = send(actors, train={"weak_run": run.pk})
            assert (sent.status_code, sent.json()["code"]) == (400, "bad-weak-run")
        for kind in (RunKind.WEAK, RunKind.SPREAD):
            Run.objects.filter(pk=run.pk).update(kind=kind, metrics={})
            assert send(actors, train={"weak_run": run.pk}).status_code == 202

    def test_train_stands_alone(self, actors: Actors) -> None:
        assert send(actors, train={}, name="tiny").json()["code"] == "unknown-field"

    def test_an_archive_trains_nothing(self, actors: Actors) -> None:
        Project.objects.update(state=ProjectState.ARCHIVED)
        assert send(actors, train={}).json()["code"] == "project-archived"

    @pytest.mark.usefixtures("items")
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "bad-items"),
            ({"items": "all", "data": []}, "bad-items"),
            ({"items": []}, "bad-items"),
            ({"items": "some"}, "bad-items"),
            ({"items": [3]}, "bad-items"),
            ({"items": ["a"] * 1001}, "bad-items"),
            ({"items": ["a", "z"]}, "unknown-item"),
            ({"data": [1]}, "bad-data"),
            ({"data": {"text": "a"}}, "bad-data"),
            ({"rows": []}, "unknown-field"),
        ],
    )
    def test_wrong_scorings_are_refused_with_a_code(
        self, actors: Actors, body: dict[str, Any], code: str
    ) -> None:
        run = Run.objects.create(project=actors.project, name="tiny")
        RunModel.objects.create(run=run, content=b"", sha256="")
        url = f"{URL}/{run.pk}/score"
        sent = client_of(actors.alice).post(url, body, content_type="application/json")
        assert (sent.status_code, sent.json()["code"]) == (400, code)
        assert not Job.objects.exists()
