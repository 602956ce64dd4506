"""GET /projects/{slug}/agreement, and the command beside it."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from core.choices import Scope
from core.models import Project
from core.pipelines.agreement import agreement_report
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items

URL = "/api/v1/projects/birds/agreement"
Script = Callable[..., Client]


@pytest.fixture
def answered(actors: Actors) -> Project:
    """Two people have answered two items."""
    for item, values in zip(
        make_items(actors.project, "a", "b", meta={"site": "lake"}),
        (("yes", "yes"), ("no", "yes")),
        strict=True,
    ):
        for user, value in zip((actors.bob, actors.carol), values, strict=True):
            make_answer(actors.membership(user), item, {"answer": value})
    return actors.project


def test_the_report_is_what_the_pipeline_says(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    body = token_client(actors.dave, Scope.LABELS_READ).get(URL, {"question": "answer"}).json()

    expected = agreement_report(answered, "answer")
    assert {**body, "as_of": ""} == {**expected, "as_of": ""}
    assert body["coefficients"]["percent_agreement"]["value"] == 0.5


def test_every_parameter_reaches_the_report(answered: Project, actors: Actors, token_client: Script) -> None:
    asked = {
        "question": "answer",
        "level": "ordinal",
        "uncertain": "disagree",
        "items": "selected",
        "slice": "meta.site:lake",
        "by": "batch",
        "repeat": "1",
        "weights": "linear",
        "interval": "item_bootstrap",
    }
    body = token_client(actors.alice).get(URL, {**asked, "readings": "1"}).json()

    assert {name: str(body[name]) for name in asked} == asked
    assert [group["group"] for group in body["groups"]] == ["1"]
    assert list(body["readings"]) == ["class", "missing", "disagree"]


def test_a_kept_report_is_kept_under_its_interval(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    client = token_client(actors.alice)
    shown = [client.get(URL, {"interval": name}).json()["interval"] for name in ("two_way", "linearised")]
    assert [*shown, client.get(URL).json()["interval"]] == ["two_way", "linearised", "items"]


def test_names_are_for_leads(answered: Project, actors: Actors, token_client: Script) -> None:
    asked = {"annotators": "name"}
    refused = token_client(actors.dave).get(URL, asked)

    assert (refused.status_code, refused.json()["code"]) == (403, "names-for-leads")
    seen = token_client(actors.alice).get(URL, asked).json()
    assert [row["id"] for row in seen["annotators"]] == ["bob", "carol"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"question": "colour"}, "unknown-question"),
        ({"level": "interval"}, "level-not-possible"),
        ({"level": "metric"}, "bad-level"),
        ({"uncertain": "x"}, "bad-uncertain"),
        ({"items": "x"}, "bad-items"),
        ({"by": "x"}, "bad-by"),
        ({"repeat": "-1"}, "bad-filter"),
        ({"repeat": "9e999"}, "bad-filter"),
        ({"slice": "item__project__owner__password:x"}, "bad-slice"),
        ({"slice": "tag:x"}, "unknown-tag"),
        ({"weights": "cubic"}, "bad-weights"),
        ({"interval": "bayes"}, "bad-interval"),
        ({"readings": "perhaps"}, "bad-filter"),
        ({"annotators": "email"}, "unknown-annotators"),
        ({"annotator__user__password__startswith": "pbkdf2"}, "unknown-filter"),
    ],
)
def test_a_wrong_parameter_is_told(
    answered: Project, actors: Actors, token_client: Script, asked: dict[str, str], code: str
) -> None:
    response = token_client(actors.alice).get(URL, asked, headers={"accept": "text/html"})

    assert (response.status_code, response.json()["code"]) == (400, code)
    assert response["Content-Type"] == "application/problem+json"


def test_annotators_and_strangers_see_nothing(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    statuses = {
        name: token_client(user).get(URL).status_code
        for name, user in (("bob", actors.bob), ("dave", actors.dave), ("eve", actors.eve))
    }
    assert statuses == {"bob": 403, "dave": 200, "eve": 404}
    assert Client().get(URL).status_code == 401


def test_the_command_prints_one_document_and_nothing_else(answered: Project) -> None:
    told, aside = io.StringIO(), io.StringIO()
    call_command("agreement", "birds", "--question", "answer", "--json", stdout=told, stderr=aside)

    assert json.loads(told.getvalue())["n_annotations"] == 4
    assert aside.getvalue() == ""


def test_the_command_takes_what_the_api_takes(answered: Project) -> None:
    told = io.StringIO()
    words = ["--level", "ordinal", "--weights", "linear", "--by", "meta.site", "--readings", "--json"]
    call_command("agreement", "birds", *words, "--interval", "linearised", stdout=told)

    report = json.loads(told.getvalue())
    expected = agreement_report(
        answered, level="ordinal", weights="linear", by="meta.site", readings=True, interval="linearised"
    )
    assert {**report, "as_of": ""} == {**expected, "as_of": ""}


def test_the_command_in_words(answered: Project) -> None:
    told = io.StringIO()
    call_command("agreement", "birds", "--weights", "linear", stdout=told)

    lines = told.getvalue().splitlines()
    assert "linear percent_agreement 0.500" in told.getvalue()
    assert "(Landis and Koch, probability" in told.getvalue()
    assert lines[0] == (
        "answer (nominal, uncertain answers as class): 4 answers of 2 people on 2 items, 2 with two or more"
    )
    assert lines[1].split()[:2] == ["percent_agreement", "0.500"]


@pytest.mark.parametrize(
    "words", [("nobirds",), ("birds", "--question", "colour"), ("birds", "--slice", "x")], ids=str
)
def test_the_command_refuses_in_one_line(answered: Project, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("agreement", *words, "--json")
    assert (refused.value.returncode, len(str(refused.value).splitlines())) == (1, 1)


def test_numbers_of_the_report_are_finite(answered: Project, actors: Actors, token_client: Script) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    text = token_client(actors.alice).get(URL).content
    json.loads(text, parse_constant=refuse)
