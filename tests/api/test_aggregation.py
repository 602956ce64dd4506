"""GET /projects/{slug}/aggregation, and labels by a rule."""

from collections.abc import Callable

import pytest
from django.test import Client

from core.choices import Scope
from core.models import Project
from core.pipelines.aggregation import aggregation_report
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items

URL = "/api/v1/projects/birds/aggregation"
LABELS = "/api/v1/projects/birds/labels"
Script = Callable[..., Client]


@pytest.fixture
def answered(actors: Actors) -> Project:
    """Two people have answered two items; they agree on the first."""
    for item, values in zip(
        make_items(actors.project, "a", "b"), (("yes", "yes"), ("no", "yes")), strict=True
    ):
        for user, value in zip((actors.bob, actors.carol), values, strict=True):
            make_answer(actors.membership(user), item, {"answer": value})
    return actors.project


def test_the_report_is_what_the_pipeline_says(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    body = token_client(actors.dave, Scope.LABELS_READ).get(URL, {"question": "answer"}).json()

    assert {**body, "as_of": ""} == {**aggregation_report(answered, "answer"), "as_of": ""}
    assert body["default"]["rule"] == "majority"


def test_names_are_for_leads(answered: Project, actors: Actors, token_client: Script) -> None:
    refused = token_client(actors.dave, Scope.LABELS_READ).get(URL, {"annotators": "name"})
    assert (refused.status_code, refused.json()["code"]) == (403, "names-for-leads")
    told = token_client(actors.alice, Scope.LABELS_READ).get(URL, {"annotators": "name"}).json()
    assert {row["id"] for row in told["annotators"]} == {
        actors.membership(actors.bob).name,
        actors.membership(actors.carol).name,
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"question": "nothing"}, "unknown-question"),
        ({"annotators": "both"}, "unknown-annotators"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    answered: Project, actors: Actors, token_client: Script, asked: dict[str, str], code: str
) -> None:
    refused = token_client(actors.dave, Scope.LABELS_READ).get(URL, asked)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


def test_labels_come_by_the_rule_that_is_asked_for(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    script = token_client(actors.dave, Scope.LABELS_READ)
    rows = script.get(LABELS, {"rule": "dawid_skene"}).getvalue()
    assert b'"rule":"dawid_skene"' in rows.replace(b" ", b"")
    plain = script.get(LABELS).getvalue()
    assert (
        plain
        == script.get(LABELS, {"rule": "majority"}).getvalue()
        == script.get(LABELS, {"rule": "default"}).getvalue()
    )
    refused = script.get(LABELS, {"rule": "best"})
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown-rule")
