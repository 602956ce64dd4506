"""The agreement page: the answer in its first line, pictures with tables, and every empty state."""

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils.html import escape

from core.choices import JobKind, QuestionKind
from core.models import GuidelineVersion, Job, Membership, Outbox, Project, Report
from core.numerics.results import Figure, Method, Reason
from core.pipelines.job import run_job
from core.selectors.pseudonym import pseudonym
from core.services.job import sign_of_life
from core.templatetags.charts import decimal, interval, percent, percent_interval, shade
from core.templatetags.figure_words import METHODS, REASONS
from core.web import listing
from core.web.agreement_words import change_sentence, cost, read_together
from core.web.pictures import COLOURS
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member, make_question
from tests.web.test_components import token

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
    assert downloads == {
        f"/projects/birds/agreement/{name}.csv" for name in (*captions, "readings", "planning")
    }
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
        ("planning", ("labels_per_item", 9)),
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

    assert set(re.findall(r'<option value="(\w+)" selected>', text)) == {
        "missing",
        "selected",
        "ordinal",
        "items",
    }
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


def test_intervals_are_for_these_people_or_for_people_like_them(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    text = page(client_of, actors.alice, interval="two_way")

    api = client_of(actors.alice).get("/api/v1/projects/birds/agreement", {"interval": "two_way"}).json()
    alpha = api["coefficients"]["krippendorff_alpha"]
    assert api["interval"] == alpha["method"] == "two_way"
    assert f"{decimal(alpha['value'])} ({interval(alpha)})" in title_of(text)
    assert re.findall(r'<option value="(\w+)" selected>for people like them', text) == ["two_way"]
    assert "<td>over items and people</td>" in text
    assert "at least" not in title_of(text)
    assert "To know it to within 0.05" not in text
    assert alpha["needed"] is None
    assert "<td>linearised and corrected for skewness, over items</td>" in page(client_of, actors.alice)
    assert client_of(actors.alice).get(URL, {"interval": "guess"}).status_code == 400


def test_two_people_say_nothing_about_people_like_them(actors: Actors, client_of: Browser) -> None:
    for item in make_items(actors.project, "a", "b", "c"):
        for user, value in ((actors.bob, "yes"), (actors.carol, "no" if item.external_id == "a" else "yes")):
            make_answer(actors.membership(user), item, {"answer": value})

    text = page(client_of, actors.alice, interval="two_way")

    why = "fewer than three people, so nothing can be said about others like them"
    assert title_of(text) == f"Cannot tell yet: {why}."
    assert f"<td>{why}</td>" in text


def test_what_it_would_cost_to_know_more(answered: Project, actors: Actors, client_of: Browser) -> None:
    text = page(client_of, actors.alice)
    plan = client_of(actors.alice).get("/api/v1/projects/birds/agreement").json()["planning"]

    assert "What it would cost to know more" in text
    assert f'<td class="numeric">{plan["rows"][2]["items_needed"]:,}</td>' in text
    assert "are expected to get the label that most people would choose" in unescape(text)
    assert "What it would cost to know more" not in page(client_of, actors.alice, level="ordinal")


@pytest.mark.parametrize(
    ("needed", "sentence"),
    [
        (1, "With 1 label per item, 95\N{NO-BREAK SPACE}% of items or more are expected to get"),
        (3, "With 3 labels per item, 95\N{NO-BREAK SPACE}% of items or more are expected to get"),
        (None, "Even with 9 labels per item, fewer than 95\N{NO-BREAK SPACE}% of items are expected to get"),
    ],
)
def test_the_cost_in_words(needed: int | None, sentence: str) -> None:
    plan = {"wanted_consensus": 0.95, "labels_needed": needed, "rows": [{"labels_per_item": 9}]}
    assert cost({"planning": plan}).startswith(sentence)
    unknown = {"planning": {**plan, "rows": [], "reason": "one_class"}}
    assert cost(unknown).startswith("Cannot tell yet: every answer is the same")


def test_every_reason_and_every_method_has_words() -> None:
    assert set(REASONS) == {reason.value for reason in Reason}
    assert set(METHODS) == {method.value for method in Method}
    for reason in Reason:
        figure = Figure.missing(reason, n_items=3).to_dict()
        text = render_to_string("components/_figure.html", {"label": "Alpha", "figure": figure})
        assert escape(str(REASONS[reason])) in text
        assert reason.value not in text


def test_pairs_have_a_weighted_kappa_where_answers_have_an_order(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    browser = client_of(actors.alice)
    asked = {"level": "ordinal", "question": "answer"}
    pair = browser.get("/api/v1/projects/birds/agreement", {**asked, "annotators": "name"}).json()["pairs"][0]

    text = browser.get("/projects/birds/agreement/pairs", {**asked, "sort": "weighted"}).content.decode()
    rows = csv.DictReader(
        io.StringIO(browser.get("/projects/birds/agreement/pairs.csv", asked).getvalue().decode())
    )

    assert "Kappa, weighted" in text
    assert f'<td class="numeric">{decimal(pair["weighted_kappa"]["value"])}</td>' in text
    told = {(row["a"], row["b"]): row["weighted_kappa"] for row in rows}
    assert told[pair["a"], pair["b"]] == str(pair["weighted_kappa"]["value"])
    assert "Kappa, weighted" not in browser.get("/projects/birds/agreement/pairs").content.decode()
    plain = browser.get("/projects/birds/agreement/pairs.csv").getvalue().decode()
    assert "weighted" not in plain


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


# Newer figures ---------------------------------------------------------------------------------------


def make_slow_and_old(project: Project) -> None:
    """As if what is kept had taken a minute, and a correction had come in since."""
    Report.objects.filter(project=project).update(seconds=60.0)
    Outbox.objects.create(project=project, changes=1)


def test_a_page_that_has_grown_old_says_so_and_asks_for_the_newer_one(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    page(client_of, actors.alice)
    make_slow_and_old(answered)

    text = page(client_of, actors.alice)

    assert "No worker is running that could make newer figures." in text
    (address,) = re.findall(r'hx-get="(.*?)"', text)
    waiting = client_of(actors.alice).get(unescape(address)).content.decode()
    assert "hx-get" in waiting
    for job in Job.objects.filter(kind=JobKind.REPORT):
        run_job(job.pk)
    ready = client_of(actors.alice).get(unescape(address)).content.decode()
    assert ("hx-get" in ready, "Show the newer figures" in ready) == (False, True)
    assert "newer figures" not in page(client_of, actors.alice)


def test_whoever_will_not_wait_for_a_worker_computes_now(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    page(client_of, actors.alice)
    make_slow_and_old(answered)

    response = client_of(actors.alice).get(URL, {"fresh": "1"})

    assert response.status_code == 302
    assert "fresh" not in response["Location"]
    assert "newer figures" not in page(client_of, actors.alice)


def test_a_living_worker_is_waited_for(answered: Project, actors: Actors, client_of: Browser) -> None:
    page(client_of, actors.alice)
    make_slow_and_old(answered)
    sign_of_life()

    assert "newer figures are being made" in page(client_of, actors.alice)


def test_the_page_shows_the_figures_of_the_api(answered: Project, actors: Actors, client_of: Browser) -> None:
    text = page(client_of, actors.alice)
    body = client_of(actors.alice).get("/api/v1/projects/birds/agreement", {"annotators": "name"}).json()

    for figure in body["coefficients"].values():
        assert f"{decimal(figure['value'])} ({interval(figure)})" in text
    for row in body["annotators"]:
        assert f">{decimal(row['leave_one_out']['value'])}<" in text
    for row in body["pairs"]:
        assert f">{decimal(row['cohen_kappa']['value'])}<" in text


# Behind the figures ------------------------------------------------------------------------------------


def test_every_figure_leads_to_the_items_behind_it(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    text = page(client_of, actors.alice)
    addresses = {
        unescape(found) for found in re.findall(r'href="(/projects/birds/agreement/items\?.*?)"', text)
    }

    asked = [set(parse_qs(urlsplit(address).query)) for address in addresses]
    for words in ({"class"}, {"a", "b"}, {"person"}, {"person", "pair"}):
        assert any(words <= names for names in asked)
    for address in addresses:
        response = client_of(actors.alice).get(address)
        assert response.status_code == 200
        assert "<tbody><tr>" in response.content.decode()


def test_the_items_show_who_said_what(answered: Project, actors: Actors, client_of: Browser) -> None:
    address = "/projects/birds/agreement/items"
    asked = {"question": "answer", "a": "yes", "b": "cannot tell"}

    text = client_of(actors.alice).get(address, asked).content.decode()

    assert "Items that one called “yes” and another “cannot tell”" in text
    (item,) = re.findall(r'href="/projects/birds/items/\d+">(.*?)</a>', text)
    assert (item, text.count(">bob<")) == ("hard", 1)
    hidden = client_of(actors.dave).get(address, asked).content.decode()
    assert ">bob<" not in hidden
    assert pseudonym(answered, actors.membership(actors.bob).pk) in hidden
    assert client_of(actors.alice).get(address, {"person": "nobody"}).status_code == 404
    assert client_of(actors.alice).get(address, {"a": "robin", "b": "yes"}).status_code == 400
    assert client_of(actors.bob).get(address).status_code == 403


@pytest.mark.parametrize(
    "asked",
    [
        {"question": "note", "a": "\0", "b": "x"},
        {"slice": "meta.k:\0"},
        {"class": "x" * 1001},
        {"cursor": "forged"},
        {"question": "size", "a": "one", "b": "two"},
        {"slice": "weather"},
        {"items": "none"},
    ],
)
def test_what_cannot_be_asked_is_refused(
    answered: Project, actors: Actors, client_of: Browser, asked: dict[str, str]
) -> None:
    make_question(answered, "note", [], kind=QuestionKind.TEXT)
    make_question(answered, "size", [], kind=QuestionKind.NUMBER, level="interval")

    assert client_of(actors.alice).get("/projects/birds/agreement/items", asked).status_code == 400


@pytest.fixture
def crowd(actors: Actors) -> Project:
    """Forty imported people in a ring: each has items in common with two others."""
    project = actors.project
    people = [add_member(project, None, name=f"w{number:03}") for number in range(40)]
    for number, item in enumerate(make_items(project, *(f"i{number:02}" for number in range(40)))):
        for member in (people[number], people[(number + 1) % 40]):
            make_answer(member, item, {"answer": "yes" if number % 3 else "no"})
    make_answer(people[0], make_items(project, "more")[0], {"answer": "yes"})
    return project


def test_many_people_are_a_table_and_no_net(
    crowd: Project, actors: Actors, client_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 15)
    text = page(client_of, actors.alice)
    assert "All 40 pairs, to search and sort" in text
    assert "All 40 people, to search and sort" in text

    address, seen = "/projects/birds/agreement/pairs?sort=a", []
    while address:
        text = client_of(actors.alice).get(unescape(address)).content.decode()
        seen += re.findall(r'<th scope="row">(w\d+)</th><td>(w\d+)</td>', text)
        address = next(iter(re.findall(r'rel="next" href="(.*?)"', text)), "")
    assert len(seen) == len(set(seen)) == 40
    assert seen == sorted(seen)


def test_the_pairs_of_the_api_are_those_of_the_page(
    crowd: Project, actors: Actors, client_of: Browser
) -> None:
    browser = client_of(actors.alice)
    address, seen = "/api/v1/projects/birds/agreement/pairs?page_size=15&annotators=name", []
    while address:
        body = browser.get(address).json()
        seen += body["results"]
        address = body["next"]

    rows = list(
        csv.DictReader(io.StringIO(browser.get("/projects/birds/agreement/pairs.csv").getvalue().decode()))
    )
    assert len(seen) == 40
    assert {(row["a"], row["b"], str(row["n_items"]), str(row["percent"])) for row in seen} == {
        (row["a"], row["b"], row["items"], row["percent"]) for row in rows
    }
    forged = browser.get("/api/v1/projects/birds/agreement/pairs", {"cursor": "x"})
    assert (forged.status_code, forged.json()["code"]) == (400, "bad-cursor")


def test_lists_are_searched_and_sorted(crowd: Project, actors: Actors, client_of: Browser) -> None:
    browser = client_of(actors.alice)

    found = browser.get("/projects/birds/agreement/pairs", {"q": "W007"}).content.decode()
    people = browser.get("/projects/birds/agreement/people", {"q": "w00", "sort": "name"}).content.decode()
    nobody = browser.get("/projects/birds/agreement/people", {"q": "x"}).content.decode()

    assert len(re.findall(r'<th scope="row">', found)) == 2
    assert re.findall(r'<th scope="row"><a .*?>(w\d+)</a>', people) == [f"w{n:03}" for n in range(10)]
    assert 'aria-sort="ascending"' in people
    assert "Nobody fits" in nobody


# Parts -------------------------------------------------------------------------------------------------


def test_slices_are_chosen_and_lead_to_the_report_of_one(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    answered.items.filter(external_id__lt="i06").update(meta={"site": "lake"})
    answered.items.filter(external_id__gte="i06").update(meta={"site": "wood & fen"})

    text = page(client_of, actors.alice, by="meta.site")
    (address,) = {
        unescape(found)
        for found in re.findall(r'href="(/projects/birds/agreement/\?.*?)"', text)
        if "fen" in found
    }
    narrowed = client_of(actors.alice).get(address).content.decode()

    assert '<figcaption id="groups">' in text
    assert "Only the items of the slice meta.site:wood &amp; fen." in narrowed
    assert "on 6 items" in narrowed


def test_guideline_versions_are_compared_in_words(
    answered: Project, people: list[Membership], actors: Actors, client_of: Browser
) -> None:
    second = GuidelineVersion.objects.create(project=answered, number=2, text="Better.")
    for number, item in enumerate(make_items(answered, *(f"n{number:02}" for number in range(40)))):
        for member in people:
            make_answer(member, item, {"answer": "yes" if number % 2 else "no"}, guideline=second)

    text = page(client_of, actors.alice)

    assert re.search(
        r"From version 1 to 2 agreement \(alpha\) rose by 0\.\d\d \(.*?\), p . 0\.\d+\.", unescape(text)
    )


def change(low: float, high: float, **more: Any) -> dict[str, Any]:
    figure = {"value": (low + high) / 2, "ci": [low, high], "needed": 0, **more}
    return {"from": "1", "to": "2", "krippendorff_alpha": {"difference": figure, "p": 0.0123}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (change(0.05, 0.19), "agreement (alpha) rose by 0.12 (0.05–0.19), p = 0.012."),  # noqa: RUF001
        (change(-0.19, -0.05), "agreement (alpha) fell by 0.12 (0.05–0.19), p = 0.012."),  # noqa: RUF001
        (change(-0.1, 0.2, needed=1234), "cannot tell yet whether agreement changed; about 1,234 more items"),
        (change(-0.02, 0.03), "changed by no more than 0.03 (p = 0.012)"),
        (change(0, 0, value=None), "From version 1 to 2: cannot tell yet."),
    ],
)
def test_a_change_is_told_as_far_as_it_is_known(found: dict[str, Any], words: str) -> None:
    assert words in change_sentence(found)


@pytest.mark.parametrize(
    ("intra", "inter", "word"),
    [
        ([0.5, 0.7], [0.4, 0.6], "fatigue"),
        ([0.9, 0.98], [0.4, 0.6], "guideline"),
        ([0.85, 0.95], [0.9, 0.97], "more is hardly possible"),
        ([0.6, 0.95], [0.4, 0.6], "more retests will tell"),
    ],
)
def test_agreement_with_oneself_and_with_others_are_read_together(
    intra: list[float], inter: list[float], word: str
) -> None:
    report = {
        "intra": {"value": sum(intra) / 2, "ci": intra},
        "coefficients": {"percent_agreement": {"value": sum(inter) / 2, "ci": inter}},
    }

    assert word in read_together(report)


# Files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["coefficients", "classes", "annotators", "readings", "confusions", "pairs", "months"]
)
def test_every_picture_is_a_file_that_stands_alone(
    answered: Project, actors: Actors, client_of: Browser, name: str
) -> None:
    response = client_of(actors.dave).get(f"/projects/birds/agreement/{name}.svg")

    assert response["Content-Type"] == "image/svg+xml; charset=utf-8"
    root = ET.fromstring(response.content.decode())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("as of" in (text or "") for text in texts)
    assert not re.search(r"class=|style=|href=|\bnan\b", response.content.decode())


def test_there_is_no_picture_of_what_the_report_does_not_have(
    answered: Project, actors: Actors, client_of: Browser
) -> None:
    for name in ("groups", "split", "further", "versions", "secrets"):
        assert client_of(actors.dave).get(f"/projects/birds/agreement/{name}.svg").status_code == 404


def test_pictures_hold_hostile_names_as_text(actors: Actors, client_of: Browser) -> None:
    hostile = '"><script>alert(1)</script>'
    make_question(actors.project, "h", [hostile, "b\x07ell"], title=hostile)
    for name, value in (("a", hostile), ("b", "b\x07ell"), ("c", hostile)):
        (item,) = make_items(actors.project, name)
        for user in (actors.bob, actors.carol):
            make_answer(actors.membership(user), item, {"h": value})

    response = client_of(actors.alice).get("/projects/birds/agreement/classes.svg", {"question": "h"})

    root = ET.fromstring(response.content.decode())
    assert [element for element in root.iter() if element.tag.endswith("script")] == []


def test_pictures_have_the_colours_of_the_pages() -> None:
    light = {name: token(name, "light") for name in COLOURS}

    assert light == COLOURS
