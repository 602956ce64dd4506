"""The agreement page: the answer in its first line, pictures with tables, and every empty state."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.choices import QuestionKind
from core.models import Membership, Project
from core.selectors.pseudonym import pseudonym
from core.templatetags.charts import decimal, interval, percent, percent_interval, shade
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member, make_question

URL = "/projects/birds/agreement/"
SAME_ALWAYS = "Two people give the same answer on 100\N{NO-BREAK SPACE}% of items."
Browser = Callable[..., Client]


@pytest.fixture
def people(actors: Actors) -> list[Membership]:
    """Bob, Carol and an imported annotator."""
    imported = add_member(actors.project, None, name="w001")
    return [actors.membership(actors.bob), actors.membership(actors.carol), imported]


@pytest.fixture
def answered(people: list[Membership], project: Project) -> Project:
    """Three people have answered twelve items; they disagree on every fourth, and one is too hard."""
    items = make_items(project, *(f"i{number:02}" for number in range(12)))
    for number, item in enumerate(items):
        right = "yes" if number % 2 else "no"
        for member in people:
            make_answer(member, item, {"answer": right})
    for item in items[::4]:
        item.annotations.get(annotator=people[2]).answers.update(
            label_class=project.questions.get().classes.get(name="yes")
        )
    make_gold(items[1], "answer", "yes")
    hard = make_items(project, "hard")[0]
    make_answer(people[0], hard, {"answer": "cannot tell"})
    make_answer(people[1], hard, {"answer": "yes"})
    return project


def page(client_of: Browser, user: Any, **asked: str) -> str:
    response = client_of(user).get(URL, asked)
    assert response.status_code == 200
    text: str = response.content.decode()
    return text


def title_of(text: str) -> str:
    (found,) = re.findall(r"<h1>(.*?)</h1>", text, re.DOTALL)
    return str(found)


def test_the_first_line_says_how_far_people_agree(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    text = page(client_of, actors.dave)

    assert re.fullmatch(
        r"Two people give the same answer on \d+\s% \(\d+–\d+\s%\) of items\. "  # noqa: RUF001
        r"Corrected for chance: 0\.\d\d \(.*\), at least (slight|fair|moderate|substantial)\.",
        title_of(text),
    )
    assert "“yes” against “no” costs most" in text


def test_pictures_have_tables_and_downloads(answered: Project, actors: Actors, client_of: Browser) -> None:
    text = page(client_of, actors.alice)

    captions = set(re.findall(r'<figcaption id="(\w+)">', text))
    assert captions == {"coefficients", "confusions", "classes", "annotators", "pairs"}
    downloads = set(re.findall(r'href="(/projects/birds/agreement/\w+\.csv)\?', text))
    assert downloads == {f"/projects/birds/agreement/{name}.csv" for name in (*captions, "readings")}
    assert "style=" not in text
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coefficients", ("coefficient", 7)),
        ("classes", ("class", 3)),
        ("confusions", ("a", 2)),
        ("pairs", ("a", 3)),
        ("annotators", ("annotator", 3)),
        ("readings", ("uncertain", 6)),
    ],
)
def test_every_table_is_a_file(
    answered: Project, actors: Actors, client_of: Browser, name: str, expected: tuple[str, int]
) -> None:
    response = client_of(actors.dave).get(f"/projects/birds/agreement/{name}.csv", {"question": "answer"})

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert (next(iter(rows[0])), len(rows)) == expected
    assert client_of(actors.dave).get("/projects/birds/agreement/secrets.csv").status_code == 404


def test_leads_see_names_and_reviewers_pseudonyms(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    hidden = pseudonym(answered, actors.membership(actors.bob).pk)

    assert (hidden in page(client_of, actors.dave), hidden in page(client_of, actors.alice)) == (True, False)
    assert ">bob<" not in page(client_of, actors.dave)


def test_the_form_changes_what_the_report_rests_on(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    text = page(client_of, actors.alice, uncertain="missing", items="selected", level="ordinal")

    assert set(re.findall(r'<option value="(\w+)" selected>', text)) == {"missing", "selected", "ordinal"}
    assert "1 uncertain answer is left out." in text
    assert client_of(actors.alice).get(URL, {"uncertain": "maybe"}).status_code == 400
    assert client_of(actors.alice).get(URL, {"question": "colour"}).status_code == 404


def test_three_readings_stand_side_by_side(answered: Project, actors: Actors, client_of: Browser) -> None:
    text = page(client_of, actors.alice)

    assert [
        label for label in re.findall(r'<p class="figure-label">(.*?)</p>', text) if label.startswith("As ")
    ] == ["As a class of their own", "As missing", "As disagreement"]


@pytest.mark.parametrize(
    ("answers", "title"),
    [
        ({}, "Cannot tell yet: no item has answers of two people."),
        ({"bob": "yes"}, "Cannot tell yet: only one person has answered."),
        (
            {"bob": "yes", "carol": "yes"},
            f"{SAME_ALWAYS} Corrected for chance, cannot tell yet: too few items have answers of two people.",
        ),
    ],
)
def test_what_cannot_be_told_yet_is_said(
    actors: Actors, client_of: Browser, answers: dict[str, str], title: str
) -> None:
    (item,) = make_items(actors.project, "a")
    for name, value in answers.items():
        make_answer(actors.membership(getattr(actors, name)), item, {"answer": value})

    text = page(client_of, actors.alice)

    assert title_of(text) == title
    assert ("Nobody has answered this question here yet" in text) == (not answers)


def test_numbers_have_no_table_of_confusions(
    people: list[Membership], actors: Actors, client_of: Browser
) -> None:
    make_question(actors.project, "size", [], kind=QuestionKind.NUMBER, level="interval")
    for number, item in enumerate(make_items(actors.project, "a", "b", "c")):
        for member in people:
            make_answer(member, item, {"size": number + member.pk % 2})

    text = page(client_of, actors.alice, question="size", level="ordinal")
    assert 'id="confusions"' in text
    text = page(client_of, actors.alice, question="size")
    assert ('id="confusions"' in text, 'id="classes"' in text) == (False, False)
    # A level that was chosen for another question is put back to the default.
    assert "Cannot tell yet" in page(client_of, actors.alice, question="answer", level="ratio")


def test_names_that_people_chose_are_shown_as_text(actors: Actors, client_of: Browser) -> None:
    hostile = '"><svg/onload=alert(1)>{{7*7}}'
    make_question(actors.project, "h", [hostile, "<img src=x onerror=alert(1)>"], title=hostile)
    (item,) = make_items(actors.project, "a")
    for name, value in (("bob", hostile), ("carol", "<img src=x onerror=alert(1)>")):
        make_answer(actors.membership(getattr(actors, name)), item, {"h": value})

    text = page(client_of, actors.alice, question="h")

    assert (text.count("<img"), "<svg/onload" in text, "{{7*7}}" in text) == (0, False, True)


def test_annotators_and_strangers_stay_out(actors: Actors, client_of: Browser) -> None:
    people = {"bob": actors.bob, "dave": actors.dave, "alice": actors.alice, "eve": actors.eve}
    assert {name: client_of(user).get(URL).status_code for name, user in people.items()} == {
        "bob": 403,
        "dave": 200,
        "alice": 200,
        "eve": 404,
    }
    assert client_of().get(URL).status_code == 302


def test_numbers_as_people_read_them() -> None:
    figure = {"ci": [-0.126, 0.5]}
    assert [decimal(value) for value in (0.456, -0.12, -0.001, 1.0, None)] == [
        "0.46",
        "\N{MINUS SIGN}0.12",
        "0.00",
        "1.00",
        "\N{EN DASH}",
    ]
    assert (percent(0.456), percent(None)) == ("46\N{NO-BREAK SPACE}%", "\N{EN DASH}")
    assert interval(figure) == "\N{MINUS SIGN}0.13 to 0.50"
    assert interval({"ci": [0.25, 0.5]}) == "0.25\N{EN DASH}0.50"
    assert percent_interval({"ci": [0.25, 0.5]}) == "25\N{EN DASH}50\N{NO-BREAK SPACE}%"
    assert interval({"ci": None}) == ""
    assert [shade(value) for value in (None, -0.5, 0.0, 0.55, 1.0)] == [
        "cell-none",
        "seq-0",
        "seq-0",
        "seq-5",
        "seq-9",
    ]
