"""Selection by REST: rounds, their picks, and the report that the page shows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.choices import JobKind, JobState, QuestionKind, Stream
from core.models import Job, Project, Question, Selection
from core.pipelines.selection_report import selection_report
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.answers import make_items
from tests.factories.project import make_question
from tests.factories.selection import make_round
from tests.web.test_selection import learn

pytestmark = pytest.mark.django_db
Script = Callable[..., Client]
ROUNDS = "/api/v1/projects/birds/selections"


@pytest.fixture
def learnt(actors: Actors) -> Project:
    return learn(actors)


@pytest.fixture
def script(actors: Actors, token_client: Script, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Alice's script; jobs wait, as no worker listens."""
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)
    return token_client(actors.alice)


def post(script: Client, **body: Any) -> Any:
    return script.post(ROUNDS, body, content_type="application/json")


def test_a_round_is_begun_and_its_job_told(actors: Actors, script: Client) -> None:
    make_items(actors.project, "a", "b")
    answer = post(script, strategy="margin", size=20, seed=5, apply=False)

    assert answer.status_code == 202
    body = answer.json()
    assert (body["job"]["kind"], body["job"]["state"]) == (JobKind.SELECT, JobState.QUEUED)
    told = {key: body["selection"][key] for key in ("number", "strategy", "size", "seed", "apply")}
    assert told == {"number": 1, "strategy": "margin", "size": 20, "seed": 5, "apply": False}
    assert Selection.objects.get().job_id == Job.objects.get().pk


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"strategy": "best"}, "bad-strategy"),
        ({"size": 4}, "bad-size"),
        ({"size": "many"}, "bad-size"),
        ({"seed": 1.5}, "bad-seed"),
        ({"apply": "yes"}, "bad-apply"),
        ({"stratgey": "margin"}, "unknown-field"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_begins(script: Client, body: dict[str, Any], code: str) -> None:
    answer = post(script, **body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Selection.objects.exists()


def test_without_a_question_to_learn_it_is_refused(actors: Actors, script: Client) -> None:
    Question.objects.filter(project=actors.project).delete()
    make_question(actors.project, "why", [], kind=QuestionKind.TEXT)

    for answer in (post(script), script.get(f"{ROUNDS}/report")):
        assert (answer.status_code, answer.json()["code"]) == (409, "no-learnable-question")


def test_rounds_are_listed_newest_first_in_pages(learnt: Project, script: Client) -> None:
    first = script.get(f"{ROUNDS}?page_size=3").json()
    second = script.get(first["next"]).json()

    assert [row["number"] for row in first["results"] + second["results"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None
    assert first["results"][0]["streams"] == {"selected": 8, "audit": 2, "holdout": 0, "random": 0}
    assert script.get(f"{ROUNDS}?state=done").status_code == 400


def test_every_pick_keeps_its_books(learnt: Project, script: Client) -> None:
    picks = script.get(f"{ROUNDS}/5").json()["picks"]

    assert [pick["order"] for pick in picks] == list(range(10))
    assert picks[0]["item"] == "p32"
    assert (picks[0]["stream"], picks[0]["inclusion_probability"]) == ("selected", 1.0)
    assert picks[0]["reason"]["first"] == "yes"
    assert (picks[9]["stream"], picks[9]["inclusion_probability"], picks[9]["score"]) == ("audit", 0.25, None)
    assert script.get(f"{ROUNDS}/6").status_code == 404


def test_the_reason_of_an_item_in_hand_is_kept_back(actors: Actors, learnt: Project, script: Client) -> None:
    (lease,) = hand_out(actors.membership(actors.alice), 1).leases
    make_round(learnt, {Stream.SELECTED: [lease.item]}, run=learnt.runs.latest("pk"))

    assert script.get(f"{ROUNDS}/6").json()["picks"][0]["reason"] is None


def test_the_report_has_the_figures_of_the_page(learnt: Project, script: Client) -> None:
    body = script.get(f"{ROUNDS}/report?question=answer").json()

    assert body["waiting"] == {"selected": 8, "audit": 2, "holdout": 0, "random": 0}
    assert body["holdout"] == {"n": 40, "labelled": 40}
    model = body["model"]
    assert (model["n_labels"], model["accuracy"]["value"]) == (250, 0.9)
    assert model["confusion"] == [[27, 3], [1, 9]]
    assert model["naive"]["value"] == 0.61
    assert [point["n"] for point in body["curve"]["points"]] == [50, 100, 150, 200, 250]
    assert [point["accuracy"]["value"] for point in body["curve"]["points"]] == [0.5, 0.6, 0.7, 0.8, 0.9]
    fit = body["curve"]["fit"]["accuracy"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in fit)
    assert fit[-1]["n"] > 250
    assert body["stop"]["kappas"] == pytest.approx([0.92, 0.93, 0.94])
    assert body["random"]["macro_f1"]["value"] == 500
    assert body["hard"]["classes"][0]["class"] == "no"
    assert script.get(f"{ROUNDS}/report?question=nothing").json()["code"] == "unknown-question"


def test_before_the_first_round_the_report_is_empty_and_right(actors: Actors, script: Client) -> None:
    body = script.get(f"{ROUNDS}/report").json()

    assert (body["on"], body["model"], body["random"], body["stop"], body["rounds"]) == (
        False,
        None,
        None,
        None,
        [],
    )
    assert body["curve"] == {"points": [], "fit": {"accuracy": [], "macro_f1": []}}


def test_the_report_is_read_in_few_statements(learnt: Project, django_assert_max_num_queries: Any) -> None:
    selection_report(learnt)  # the questions are in memory from here on
    with django_assert_max_num_queries(11):
        selection_report(learnt)
