"""The page on labels from answers: the rule by default in words, people, items that change, every empty state."""

import csv
import io
import re
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from core.choices import LeaseState, QuestionKind, Role
from core.models import Item, Lease, Membership, Outbox, Project, Report
from core.pipelines.aggregation import aggregation_report
from core.selectors.pseudonym import pseudonym
from core.web import listing
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member, make_question
from tests.factories.run import label_all

N = 21


def page(actors: Actors, who: str = "alice", **query: str) -> Any:
    return client_of(getattr(actors, who)).get(reverse("aggregation", args=["birds"]), query)


def rows_of(actors: Actors, name: str) -> list[dict[str, str]]:
    response = client_of(actors.alice).get(reverse("aggregation_table", args=["birds", name]))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


@pytest.fixture
def people(actors: Actors) -> list[Membership]:
    return [add_member(actors.project, None, name=name) for name in ("Anna", "Ben", "Wim")]


@pytest.fixture
def labeled(actors: Actors, people: list[Membership]) -> list[Item]:
    """Anna and Ben are of one mind on 21 items, Wim says the opposite; on one more, Anna and Wim alone tie."""
    items = make_items(actors.project, *(f"i{n:02}" for n in range(N)))
    right = ["yes" if n % 2 else "no" for n in range(N)]
    wrong = ["no" if value == "yes" else "yes" for value in right]
    label_all(people, items, [right, right, wrong])
    (tied,) = make_items(actors.project, "tied")
    make_answer(people[0], tied, {"answer": "yes"})
    make_answer(people[2], tied, {"answer": "no"})
    return [*items, tied]


def test_the_first_line_names_the_rule_and_why(actors: Actors, labeled: list[Item]) -> None:
    """21 answers of the median person: one accuracy is learnt from 20, a confusion of two even classes from 40."""
    shown = page(actors, "dave")
    assert shown.context["headline"].startswith(
        "The default rule here is one-coin, because people have answered"
    )
    assert shown.context["lead"].startswith("The median person has given 22 answers.")
    assert "is learnt from 20 on" in shown.context["lead"]
    assert "One-coin <strong>(default)</strong>" in shown.text
    assert {"Export the labels by this rule", "Look at the 1 item that gets another label"} == {
        step["label"] for step in shown.context["steps"]
    }
    assert "/projects/birds/labels/?rule=one_coin" in shown.text
    assert "No item has gold" in shown.text
    assert "nan" not in shown.text.lower().split()


def test_leads_see_names_and_reviewers_pseudonyms(
    actors: Actors, labeled: list[Item], people: list[Membership]
) -> None:
    hidden = pseudonym(actors.project, people[0].pk)
    told, secret = page(actors).text, page(actors, "dave").text
    assert ("Anna" in told, hidden in told) == (True, False)
    assert ("Anna" in secret, hidden in secret) == (False, True)


def test_with_gold_the_rules_stand_beside_it(actors: Actors, labeled: list[Item]) -> None:
    for item in labeled[-2:]:
        make_gold(item, "answer", "yes" if item.external_id == "tied" else "no")
    shown = page(actors)
    rules = {row["name"]: row["figure"]["value"] for row in shown.context["beside_gold"]}
    assert rules == {"Majority": 0.75, "One-coin (default)": 1.0, "Dawid-Skene": 1.0}
    assert "2 items with gold" in shown.text
    assert "Import gold" not in shown.text


def test_what_changes_leads_to_the_item(actors: Actors, labeled: list[Item]) -> None:
    text = page(actors).text
    (flip,) = re.findall(r'<table class="table table-stack behind".*?</table>', text, re.DOTALL)
    assert f'href="/projects/birds/items/{labeled[-1].pk}">tied</a>' in flip
    assert re.sub(r"<.*?>|\s+", " ", flip).split()[-7:-4] == ["a", "tie", "yes"]


def test_labels_of_an_item_in_ones_hands_stay_hidden(actors: Actors, labeled: list[Item]) -> None:
    Lease.objects.create(
        item=labeled[-1],
        item_version=1,
        annotator=actors.membership(actors.dave),
        expires_at="2099-01-01T00:00Z",
        state=LeaseState.ACTIVE,
    )
    assert "This item is in your hands: answer it first." in page(actors, "dave").text
    assert "in your hands" not in page(actors).text


def test_people_are_plotted_lowest_first_with_what_they_take_for_what(
    actors: Actors, labeled: list[Item]
) -> None:
    shown = page(actors)
    assert next(row["name"] for row in shown.context["plotted"]) == "Wim"
    assert "What Wim takes for what" in shown.text
    wim = next(row for row in shown.context["told"] if row["name"] == "Wim")
    assert [[cell["share"] > 0.5 for cell in row["cells"]] for row in wim["confusion"]["rows"]] == [
        [False, True],
        [True, False],
    ]
    assert sum(row["n"] for row in wim["confusion"]["rows"]) == pytest.approx(22)


def test_every_table_is_a_file(actors: Actors, labeled: list[Item]) -> None:
    report = aggregation_report(actors.project, "answer", real_names=True)
    assert [(row["rule"], row["default"]) for row in rows_of(actors, "rules")] == [
        ("majority", "false"),
        ("one_coin", "true"),
        ("dawid_skene", "false"),
    ]
    assert {row["person"]: float(row["competence_value"]) for row in rows_of(actors, "people")} == {
        row["id"]: pytest.approx(row["competence"]["value"]) for row in report["annotators"]
    }
    confusions = rows_of(actors, "confusions")
    assert len(confusions) == 3 * 2 * 2
    assert sum(float(row["expected"]) for row in confusions) == pytest.approx(21 * 3 + 2)
    assert [(row["item"], row["old"], row["new"]) for row in rows_of(actors, "flips")] == [
        ("tied", "", "yes")
    ]
    assert client_of(actors.alice).get("/projects/birds/aggregation/secrets.csv").status_code == 404


def test_few_answers_make_majority_the_default(actors: Actors, people: list[Membership]) -> None:
    items = make_items(actors.project, "a", "b")
    label_all(people, items, [["yes", "no"]] * 3)
    shown = page(actors)
    assert "majority, because most people have answered too little" in shown.context["headline"]
    assert "The default rule learns nothing about people; these are the figures of one-coin" in shown.text
    assert "None: one-coin and majority give every item the same label." in shown.text


def test_without_overlap_nobody_can_be_told_apart(actors: Actors, people: list[Membership]) -> None:
    for person, item in zip(people, make_items(actors.project, "a", "b", "c"), strict=True):
        make_answer(person, item, {"answer": "yes" if item.external_id == "a" else "no"})
    shown = page(actors)
    assert shown.context["headline"].endswith("because no item has answers of two people yet.")
    assert shown.context["steps"][0]["label"] == "Ask for more than one answer per item"
    assert "Cannot tell yet: no item has answers of two people" in shown.text
    assert all(
        step["label"] != "Ask for more than one answer per item"
        for step in page(actors, "dave").context["steps"]
    )


def test_before_anybody_has_answered_the_page_says_what_to_do(actors: Actors) -> None:
    shown = page(actors)
    assert "Nobody has answered this question here yet" in shown.text
    assert "<table" not in shown.text


def test_a_project_whose_questions_have_no_one_class(actors: Actors) -> None:
    actors.project.questions.all().delete()
    make_question(actors.project, "size", [], kind=QuestionKind.NUMBER)
    assert "No question has one class as its answer" in page(actors).text
    assert page(actors, question="size").status_code == 200
    assert client_of(actors.alice).get("/projects/birds/aggregation/rules.csv").status_code == 404


def test_one_of_several_questions_is_chosen(actors: Actors, labeled: list[Item]) -> None:
    make_question(actors.project, "second", ["a", "b"])
    assert page(actors).context["report"]["question"] == "answer"
    assert page(actors, question="second").context["report"]["question"] == "second"
    assert '<option value="second" selected>' in page(actors, question="second").text
    assert page(actors, question="third").status_code == 404


@pytest.fixture
def crowd(actors: Actors) -> Project:
    """Forty people, two of them on each of forty items, everybody once in a while wrong."""
    crowd = [add_member(actors.project, None, name=f"w{n:03}") for n in range(40)]
    for n, item in enumerate(make_items(actors.project, *(f"i{n:02}" for n in range(40)))):
        for person in (crowd[n], crowd[(n + 1) % 40]):
            make_answer(person, item, {"answer": "yes" if n % 3 else "no"})
    return actors.project


def test_many_people_are_a_list_in_pages(
    crowd: Project, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 15)
    shown = page(actors)
    assert shown.context["plotted"] == []
    assert "All 40 people, to search and sort" in shown.text
    browser, address, seen = client_of(actors.alice), "/projects/birds/aggregation/people?sort=name", []
    while address:
        text = browser.get(unescape(address)).content.decode()
        seen += re.findall(r'<th scope="row"><a href=".*?">(w\d+)</a>', text)
        address = next(iter(re.findall(r'rel="next" href="(.*?)"', text)), "")
    assert seen == [f"w{n:03}" for n in range(40)]
    found = browser.get("/projects/birds/aggregation/people", {"q": "W007"}).content.decode()
    assert re.findall(r"What (\w+) takes for what", found) == ["w007"]
    assert "Nobody fits" in browser.get("/projects/birds/aggregation/people", {"q": "x"}).content.decode()


def test_a_slow_report_is_shown_as_it_was_until_it_is_asked_for(actors: Actors, labeled: list[Item]) -> None:
    before = page(actors).context["report"]["n_items"]
    Report.objects.update(seconds=60.0)
    (item,) = make_items(actors.project, "new")
    make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
    Outbox.objects.create(project=actors.project, annotations=1, changes=1)

    shown = page(actors)
    assert shown.context["report"]["n_items"] == before
    assert "Newer answers have come in" in shown.text
    answer = page(actors, fresh="1")
    assert (answer.status_code, answer["Location"]) == (302, "/projects/birds/aggregation/?question=answer")
    assert page(actors).context["report"]["n_items"] == before + 1


def test_what_another_version_of_the_code_kept_is_never_shown(actors: Actors, labeled: list[Item]) -> None:
    page(actors)
    Report.objects.update(seconds=60.0, marker="0.0.1/x", body={"as_of": "2001-01-01T00:00:00+00:00"})
    assert "The default rule here is one-coin" in page(actors).text


def test_hostile_names_are_shown_as_text(actors: Actors) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    actors.project.questions.all().delete()
    make_question(actors.project, "answer", [hostile, "no"])
    people = [add_member(actors.project, None, name=f"{hostile}{n}") for n in range(2)]
    for item in make_items(actors.project, hostile):
        for person, value in zip(people, (hostile, "no"), strict=True):
            make_answer(person, item, {"answer": value})
    for address in ("aggregation", "aggregation_people"):
        text = client_of(actors.alice).get(reverse(address, args=["birds"])).content.decode()
        assert "<img src=x" not in text


def test_annotators_and_strangers_stay_out(actors: Actors, labeled: list[Item]) -> None:
    for name in ("aggregation", "aggregation_people"):
        address = reverse(name, args=["birds"])
        assert client_of(actors.bob).get(address).status_code == 403
        assert client_of(actors.eve).get(address).status_code == 404
    assert "Labels from answers" not in client_of(actors.bob).get("/projects/birds/").content.decode()
    assert actors.membership(actors.dave).role == Role.REVIEWER
    assert "Labels from answers" in client_of(actors.dave).get("/projects/birds/agreement/").content.decode()
