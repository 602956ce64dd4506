"""The page on human-level performance: the headline in words, the model beside people, its states, its tables."""

import csv
import io
from typing import Any

import numpy as np
import pytest
from django.urls import reverse

from core.choices import QuestionKind
from core.models import Item, Project, Question
from core.pipelines.hlp_table import TABLES
from core.web.views.hlp import verdict
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member
from tests.factories.run import label_all, make_run

N = 40


def page(actors: Actors, who: str = "alice", **query: str) -> Any:
    return client_of(getattr(actors, who)).get(reverse("hlp", args=["birds"]), query)


@pytest.fixture
def labeled(actors: Actors) -> Project:
    """Anna, Ben and Cleo say yes to forty items, but Cleo says no to the last ten."""
    people = [add_member(actors.project, None, name=name) for name in ("Anna", "Ben", "Cleo")]
    items = make_items(actors.project, *(f"i{n}" for n in range(N)), meta={"site": "lake"})
    label_all(people, items, [["yes"] * N, ["yes"] * N, ["yes"] * (N - 10) + ["no"] * 10])
    return actors.project


def test_without_gold_people_are_held_against_each_other(actors: Actors, labeled: Project) -> None:
    shown = page(actors, "dave")
    # 30 items with all pairs equal, 10 with one of three: 83 %.
    assert shown.context["headline"].startswith("Two people give the same answer on 83\N{NO-BREAK SPACE}% (")
    assert "No item with answers has gold" in shown.text
    assert "No model beside the people yet" in shown.text
    assert "A lead of this project can import predictions." in shown.text
    assert "Anna" not in shown.text
    assert [row["name"] for row in shown.context["people_scores"]][:2] == [
        "Two people, the same answer",
        "A person against the others",
    ]


def test_with_gold_people_are_right_or_not(actors: Actors, labeled: Project) -> None:
    for item in Item.objects.filter(project=labeled):
        make_gold(item, "answer", "yes")
    shown = page(actors)
    assert shown.context["headline"].startswith("People are right on 92\N{NO-BREAK SPACE}% (")
    assert "The truth is known from elsewhere for 40 items" in shown.text
    assert "Anna" in shown.text


def test_a_little_gold_is_told(actors: Actors, labeled: Project) -> None:
    make_gold(Item.objects.get(external_id="i0"), "answer", "yes")
    assert "Only 1 item with answers has gold; from 30 on" in page(actors).text


def test_the_newest_run_stands_beside_the_people(actors: Actors, labeled: Project) -> None:
    make_run(labeled, dict.fromkeys((f"i{n}" for n in range(N)), "no"), name="old")
    make_run(labeled, {f"i{n}": "no" for n in range(N)} | {"i0": "yes"}, name="<b>bad</b>")
    shown = page(actors)
    assert shown.context["report"]["run"]["name"] == "<b>bad</b>"
    assert shown.context["verdict"].startswith(
        "“<b>bad</b>” is below people; the difference is \N{MINUS SIGN}0."
    )
    assert "<b>bad</b>" not in shown.text
    assert "May the model stand in for a person?" in shown.text
    controls = {control["name"]: control for control in shown.context["controls"]}
    assert [name for _pk, name in controls["run"]["options"]] == ["none", "<b>bad</b>", "old"]
    other = page(actors, run="old")
    assert other.context["report"]["run"]["name"] == "old"
    without = page(actors, run="-")
    assert (without.context["report"]["model"], "beside people" in without.text) == (None, False)


def test_parts_of_the_items_can_be_chosen(actors: Actors, labeled: Project) -> None:
    make_run(labeled, {f"i{n}": "yes" for n in range(N)})
    shown = page(actors, by="meta.site")
    assert [row["name"] for row in shown.context["parts"]["groups"]["rows"]] == ["lake"]
    by = next(control for control in shown.context["controls"] if control["name"] == "by")
    assert by["options"] == [("", "no parts"), ("batch", "batches"), ("meta.site", "site")]
    assert next(row["name"] for row in shown.context["parts"]["classes"]["rows"]) == "yes"


def test_too_few_items_are_told_with_how_many_more(actors: Actors) -> None:
    items = make_items(actors.project, "a", "b")
    for user in (actors.bob, actors.carol):
        for item in items:
            make_answer(actors.membership(user), item, {"answer": "yes"})
    make_run(actors.project, {"a": "yes", "b": "yes"})
    shown = page(actors)
    told = "Whether “tiny” is as good as people cannot be told from 2 items; about 28 more items would tell."
    assert shown.context["verdict"] == told


def test_ngs_case_the_majoritys_imitator_is_not_above_people(actors: Actors) -> None:
    """Two labelers say yes with .7 each by themselves: they agree on 58 %, always-yes meets 70 % of answers."""
    draws = np.random.default_rng(7)
    people = [add_member(actors.project, None, name=name) for name in ("Anna", "Ben")]
    n = 1500
    items = make_items(actors.project, *(f"i{number}" for number in range(n)))
    label_all(people, items, [np.where(draws.random(n) < 0.7, "yes", "no").tolist() for _ in people])
    make_run(actors.project, {f"i{number}": "yes" for number in range(n)}, name="always yes")
    shown = page(actors)
    report = shown.context["report"]
    assert 0.55 < report["between_humans"]["value"] < 0.61
    assert 0.67 < report["model"]["score"]["value"] < 0.73
    assert verdict(report) == "“always yes” imitates the majority: not above human."
    assert shown.context["headline"].endswith("imitates the majority: not above human.")
    assert "whoever only follows the majority's habits leads them by" in shown.text
    assert "It imitates the majority there" in shown.text


def test_before_anybody_has_answered_the_page_says_what_to_do(actors: Actors) -> None:
    shown = page(actors)
    assert (shown.status_code, "Nobody has answered this question here yet" in shown.text) == (200, True)
    make_answer(actors.membership(actors.bob), make_items(actors.project, "a")[0], {"answer": "yes"})
    shown = page(actors, fresh="1")
    assert "Cannot tell yet" in shown.text
    assert [step["label"] for step in shown.context["steps"]] == [
        "Ask for more than one answer per item",
        "Import a model's predictions",
        "Import gold, if the truth is known",
    ]


def test_questions_without_same_or_not_are_not_offered(actors: Actors) -> None:
    Question.objects.filter(project=actors.project).update(kind=QuestionKind.NUMBER)
    Project.objects.filter(pk=actors.project.pk).update(schema_version=2)
    shown = page(actors)
    assert (shown.status_code, "No question can be compared yet" in shown.text) == (200, True)


def test_what_cannot_be_asked_is_said_on_the_page(actors: Actors, labeled: Project) -> None:
    shown = page(actors, run="unheard of")
    assert (shown.status_code, "There is no run" in shown.text) == (400, True)
    assert page(actors, question="colour").status_code == 404


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_downloaded(actors: Actors, labeled: Project, name: str) -> None:
    make_run(labeled, {f"i{n}": "yes" for n in range(N)})
    sent = client_of(actors.alice).get(reverse("hlp_table", args=["birds", name]), {"by": "batch"})
    rows = list(csv.DictReader(io.StringIO(b"".join(sent).decode("utf-8-sig"))))
    assert sent["Content-Disposition"] == f'attachment; filename="birds-hlp-{name}.csv"'
    first = {
        "scores": {"measure": "gold", "value": ""},
        "people": {"id": "Anna", "gold_n_items": "0", "leave_one_out_n_items": "40"},
        "classes": {"class": "yes"},
        "groups": {"group": "1", "score_n_items": "40"},
        "worth": {"labelers": "0"},
        "alt_test": {"epsilon": "0.1", "id": "Anna", "n_items": "40"},
        "beaten": {"id": "Anna"},
    }[name]
    assert {key: rows[0][key] for key in first} == first


def test_an_unknown_table_is_not_here(actors: Actors, labeled: Project) -> None:
    assert client_of(actors.alice).get(reverse("hlp_table", args=["birds", "secrets"])).status_code == 404


def test_the_page_says_the_same_as_the_api(actors: Actors, labeled: Project) -> None:
    make_run(labeled, {f"i{n}": "yes" for n in range(N)})
    shown = page(actors, by="batch")
    told = client_of(actors.alice).get(shown.context["api_url"] + "&annotators=name").json()
    assert {**told, "as_of": ""} == {**shown.context["report"], "as_of": ""}
