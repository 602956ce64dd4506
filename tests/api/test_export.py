"""GET /projects/{slug}/annotations and /labels, and the command beside them."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from core.choices import Pass, QuestionKind, Scope
from core.models import Project, User
from core.selectors.pseudonym import pseudonym
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import make_question

ANNOTATIONS = "/api/v1/projects/birds/annotations"
LABELS = "/api/v1/projects/birds/labels"
Script = Callable[..., Client]
TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


@pytest.fixture
def answered(actors: Actors) -> Project:
    """Two people have answered two items; they agree on the first."""
    for item, values in zip(
        make_items(actors.project, "a", "b"), (("yes", "yes"), ("no", "yes")), strict=True
    ):
        for user, value in zip((actors.bob, actors.carol), values, strict=True):
            make_answer(actors.membership(user), item, {"answer": value}, comment="from bob@example.org")
    return actors.project


def body_of(response: Any) -> bytes:
    assert response.streaming
    return b"".join(response.streaming_content)


@pytest.mark.parametrize("address", [ANNOTATIONS, LABELS])
@pytest.mark.parametrize("kind", TYPES)
def test_every_format_is_a_file_that_no_browser_runs(
    answered: Project, actors: Actors, token_client: Script, address: str, kind: str
) -> None:
    response = token_client(actors.dave, Scope.LABELS_READ).get(
        address, {"format": kind}, headers={"accept": "text/html"}
    )

    what = address.rsplit("/", 1)[-1]
    assert response.status_code == 200
    assert response["Content-Type"] == TYPES[kind]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"] == f'attachment; filename="birds-{what}.{kind}"'
    assert len(body_of(response)) > 100


def test_files_for_reviewers_do_not_tell_which_items_have_gold(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    first, _second, third = *answered.items.order_by("pk"), make_items(answered, "untouched")[0]
    make_answer(actors.membership(actors.alice), first, {"answer": "no"}, pass_kind=Pass.GOLD)
    make_answer(actors.membership(actors.dave), first, {"answer": "no"}, pass_kind=Pass.GOLD)
    for item in (first, third):
        make_gold(item, "answer", "yes")

    def read(address: str, user: User) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(body_of(token_client(user).get(address)))
        return rows

    assert [row["pass"] for row in read(ANNOTATIONS, actors.alice)].count(Pass.GOLD) == 2
    told = read(ANNOTATIONS, actors.dave)
    assert {row["pass"] for row in told} == {Pass.NORMAL}
    assert len(told) == len(read(ANNOTATIONS, actors.alice)) - 1  # his own is among them
    assert [row["gold"] for row in read(LABELS, actors.alice)] == ["yes", None, "yes"]
    labels = read(LABELS, actors.dave)
    assert [(row["how"], row["gold"]) for row in labels] == [("majority", None)] * 2


def test_json_is_the_default_and_the_formats_say_the_same(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    script = token_client(actors.alice)
    rows = json.loads(body_of(script.get(LABELS)))
    lines = body_of(script.get(LABELS, {"format": "jsonl"})).decode().splitlines()
    cells = list(csv.DictReader(io.StringIO(body_of(script.get(LABELS, {"format": "csv"})).decode())))

    assert [row["value"] for row in rows] == ["yes", None]
    assert [json.loads(line) for line in lines] == rows
    assert [(row["item"], row["value"], row["tied"]) for row in cells] == [
        ("a", "yes", ""),
        ("b", "", "yes|no"),
    ]


def test_people_are_pseudonyms_and_comments_stay_here(
    answered: Project, actors: Actors, token_client: Script
) -> None:
    text = body_of(token_client(actors.dave).get(ANNOTATIONS)).decode()

    assert {row["annotator"] for row in json.loads(text)} == {
        pseudonym(answered, actors.membership(user).pk) for user in (actors.bob, actors.carol)
    }
    assert "bob" not in text.lower()


def test_names_are_for_leads(answered: Project, actors: Actors, token_client: Script) -> None:
    asked = {"annotators": "name"}
    refused = token_client(actors.dave).get(ANNOTATIONS, asked)

    assert (refused.status_code, refused.json()["code"]) == (403, "names-for-leads")
    named = json.loads(body_of(token_client(actors.alice).get(ANNOTATIONS, asked)))
    assert {row["annotator"] for row in named} == {"bob", "carol"}


def test_filters_narrow(answered: Project, actors: Actors, token_client: Script) -> None:
    script = token_client(actors.alice)

    def values(**asked: str) -> list[str]:
        return [row["value"] for row in json.loads(body_of(script.get(ANNOTATIONS, asked)))]

    bob = pseudonym(answered, actors.membership(actors.bob).pk)
    assert values() == ["yes", "yes", "no", "yes"]
    assert values(annotator=bob) == ["yes", "no"]
    assert values(question="answer", batch="1") == ["yes", "yes", "no", "yes"]
    assert values(batch="2") == []
    assert values(since="2200-01-01") == []
    assert values(since="2020-01-01T00:00:00+02:00") == ["yes", "yes", "no", "yes"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"format": "xlsx"}, "unknown-format"),
        ({"format": "html"}, "unknown-format"),
        ({"annotators": "email"}, "unknown-annotators"),
        ({"lossless": "maybe"}, "unknown-lossless"),
        ({"question": "colour"}, "unknown-question"),
        ({"batch": "first"}, "bad-filter"),
        ({"batch": "9e999999"}, "bad-filter"),
        ({"annotator": "bob"}, "unknown-annotator"),
        ({"since": "yesterday"}, "bad-since"),
        ({"since": "2024-13-40"}, "bad-since"),
        ({"revisions": "none"}, "unknown-revisions"),
        ({"annotator__user__password__startswith": "pbkdf2"}, "unknown-filter"),
        ({"ordering": "annotator__user__password"}, "unknown-filter"),
        ({"page_size": "1000000000"}, "unknown-filter"),
    ],
)
def test_a_wrong_parameter_is_told_before_the_first_byte(
    answered: Project, actors: Actors, token_client: Script, asked: dict[str, str], code: str
) -> None:
    response = token_client(actors.alice).get(ANNOTATIONS, asked, headers={"accept": "text/html"})

    assert (response.status_code, response.json()["code"]) == (400, code)
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("address", [ANNOTATIONS, LABELS])
def test_annotators_and_strangers_get_nothing(
    answered: Project, actors: Actors, token_client: Script, address: str
) -> None:
    people = {"bob": actors.bob, "dave": actors.dave, "alice": actors.alice, "eve": actors.eve}
    statuses = {name: token_client(user).get(address).status_code for name, user in people.items()}

    assert statuses == {"bob": 403, "dave": 200, "alice": 200, "eve": 404}
    assert token_client(actors.alice, Scope.ANNOTATE).get(address).status_code == 403
    assert Client().get(address).status_code == 401


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "＋1", "－1", "＠x"])  # noqa: RUF001
def test_a_cell_is_text_in_a_spreadsheet_and_exact_for_machines(
    actors: Actors, token_client: Script, start: str
) -> None:
    make_question(actors.project, "note", [], kind=QuestionKind.TEXT)
    (item,) = make_items(actors.project, start)
    make_answer(actors.membership(actors.bob), item, {"note": start})
    script = token_client(actors.alice)

    def cells(**asked: str) -> list[str]:
        text = body_of(script.get(ANNOTATIONS, {"format": "csv", **asked})).decode()
        (row,) = csv.DictReader(io.StringIO(text, newline=""))
        return [row["item"], row["value"]]

    assert cells() == [f"'{start}"] * 2
    assert cells(lossless="1") == [start] * 2
    (exact,) = json.loads(body_of(script.get(ANNOTATIONS)))
    assert [exact["item"], exact["value"]] == [start] * 2


def test_the_command_writes_the_file_when_it_is_complete(answered: Project, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    told = io.StringIO()
    call_command(
        "export",
        "birds",
        "--what",
        "labels",
        "--format",
        "csv",
        "--output",
        str(path),
        stdout=told,
        stderr=told,
    )

    assert [row["item"] for row in csv.DictReader(path.read_text().splitlines())] == ["a", "b"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.csv"]


def test_the_command_takes_a_rule(answered: Project, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    words = ("--what", "labels", "--format", "csv", "--rule", "one_coin", "--output", str(path))
    call_command("export", "birds", *words, stderr=io.StringIO())
    with path.open(newline="") as file:
        assert {row["rule"] for row in csv.DictReader(file)} == {"one_coin"}


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        (("nobirds",), "There is no project 'nobirds'."),
        (("birds", "--question", "colour"), "There is no question 'colour' here."),
    ],
)
def test_the_command_refuses_in_one_line(
    answered: Project, tmp_path: Path, words: tuple[str, ...], detail: str
) -> None:
    with pytest.raises(CommandError, match=detail):
        call_command(
            "export", *words, "--what", "labels", "--format", "csv", "--output", str(tmp_path / "labels.csv")
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(answered: Project, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "labels.csv"
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export", "birds", "--what", "labels", "--format", "csv", "--output", str(path))


def test_pandas_reads_every_format(answered: Project, actors: Actors, token_client: Script) -> None:
    import pandas as pd

    script = token_client(actors.alice)
    files = {kind: io.BytesIO(body_of(script.get(LABELS, {"format": kind}))) for kind in TYPES}
    frames = {
        "json": pd.read_json(files["json"]),
        "jsonl": pd.read_json(files["jsonl"], lines=True),
        "csv": pd.read_csv(files["csv"], keep_default_na=False, na_values=[""]),
        "parquet": pd.read_parquet(files["parquet"]),
    }

    for frame in frames.values():
        assert list(frame["item"]) == ["a", "b"]
        assert frame["value"].iloc[0] == "yes"
        assert pd.isna(frame["value"].iloc[1])
