"""GET /projects/{slug}/hlp, and the command beside it."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse

from core.choices import Scope
from core.models import Item, Project, Report
from core.pipelines.hlp import hlp_report
from core.services.audit import record
from tests.conftest import Actors, client_of, token_client
from tests.factories.answers import make_answer, make_items
from tests.factories.run import make_run

URL = "/api/v1/projects/birds/hlp"


@pytest.fixture
def answered(actors: Actors) -> Project:
    """Bob and Carol have answered two items, a run as well."""
    items = make_items(actors.project, "a", "b", meta={"site": "lake"})
    for item, values in zip(items, (("yes", "yes"), ("no", "yes")), strict=True):
        for user, value in zip((actors.bob, actors.carol), values, strict=True):
            make_answer(actors.membership(user), item, {"answer": value})
    make_run(actors.project, {"a": "yes", "b": "no"})
    return actors.project


def test_the_report_is_what_the_pipeline_says(answered: Project, actors: Actors) -> None:
    asked = {"question": "answer", "run": "tiny", "by": "meta.site", "margin": "0.1", "epsilon": "0.2"}
    body = token_client(actors.dave, Scope.LABELS_READ).get(URL, asked).json()
    expected = hlp_report(answered, "answer", run="tiny", by="meta.site", margin=0.1, epsilon=0.2)
    assert {**body, "as_of": ""} == {**json.loads(json.dumps(expected)), "as_of": ""}
    assert (body["model"]["margin"], body["model"]["alt_test"]["epsilon"]) == (0.1, 0.2)
    assert body["between_humans"]["value"] == 0.5


def test_names_are_for_leads(answered: Project, actors: Actors) -> None:
    told = client_of(actors.alice).get(URL, {"annotators": "name"}).json()
    assert [row["id"] for row in told["leave_one_out"]["annotators"]] == ["bob", "carol"]
    refused = client_of(actors.dave).get(URL, {"annotators": "name"})
    assert (refused.status_code, refused.json()["code"]) == (403, "names-for-leads")
    assert "bob" not in client_of(actors.dave).get(URL).content.decode()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"run": "none"}, "unknown-run"),
        ({"margin": "-1"}, "bad-margin"),
        ({"margin": "1e-3"}, "bad-margin"),
        ({"epsilon": "much"}, "bad-epsilon"),
        ({"epsilon": "0.6"}, "bad-epsilon"),
        ({"annotators": "all"}, "unknown-annotators"),
        ({"level": "ordinal"}, "unknown-filter"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    answered: Project, actors: Actors, asked: dict[str, str], code: str
) -> None:
    refused = client_of(actors.alice).get(URL, asked)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


def run_command(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("hlp", "birds", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_one_document_or_a_few_lines(answered: Project) -> None:
    told = json.loads(run_command("--question", "answer", "--run", "tiny", "--json"))
    assert {**told, "as_of": ""} == {
        **json.loads(json.dumps(hlp_report(answered, "answer", run="tiny"))),
        "as_of": "",
    }
    lines = run_command("--run", "tiny").splitlines()
    assert lines[0] == "answer: 4 answers of 2 people on 2 items"
    assert [line for line in lines if line.startswith("score")] == [
        "score                0.750 (0.000 to 1.000), 2 items"
    ]
    assert lines[-1].startswith("verdict              cannot tell (too_few_items)")


def test_the_command_says_why_it_refuses(answered: Project) -> None:
    with pytest.raises(CommandError, match="There is no run 'none' here"):
        run_command("--run", "none")


def test_a_slow_report_is_the_one_of_before_until_a_worker_has_made_a_newer(
    answered: Project, actors: Actors
) -> None:
    alice = client_of(actors.alice)
    first = alice.get(URL)
    assert first["Report-State"] == "current"
    Report.objects.update(seconds=60)
    make_answer(actors.membership(actors.dave), Item.objects.get(external_id="a"), {"answer": "no"})
    record(actors.alice, answered, "answer.made")
    older = alice.get(URL)
    assert (older["Report-State"], older.json()["n_annotations"]) == ("older", 4)
    page = alice.get(reverse("hlp", args=["birds"]), {"run": "-"})  # asked for with names: another report
    assert "Compute it now" not in page.text
    Report.objects.update(seconds=60)
    record(actors.alice, answered, "answer.made")
    assert "Compute it now" in alice.get(reverse("hlp", args=["birds"]), {"run": "-"}).text
    assert alice.get(URL, {"fresh": "1"}).json()["n_annotations"] == 5
