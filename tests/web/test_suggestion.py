"""Suggestions on the page of a run: said, switched on and off, and what they did to people's answers."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils.html import strip_tags

from core.models import Project, Run
from core.services.suggestion import edit_suggestions
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.run import make_run
from tests.web.test_selection import plain, text_of

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def run(actors: Actors) -> Run:
    items = make_items(actors.project, *(f"i{place}" for place in range(10)))
    return make_run(actors.project, {item.external_id: "yes" for item in items}, name="rules")


def page_of(run: Run) -> str:
    return f"/projects/birds/models/{run.pk}"


def test_a_lead_switches_them_on_and_off(actors: Actors, run: Run, client_of: Browser) -> None:
    alice, suggest = client_of(actors.alice), f"/projects/birds/models/{run.pk}/suggest"
    assert "No. Annotators answer by themselves." in text_of(alice.get(page_of(run)))
    said = alice.post(suggest, {"suggestion-sure": "90", "suggestion-withheld": "30"}, follow=True)
    assert "Annotators see its answers from now on." in text_of(said)
    assert "at least 90 % probable, but for 30 % of these items" in text_of(said)
    other = make_run(actors.project, {"i1": "no"}, name="second")
    assert "rules is suggested now." in text_of(alice.get(page_of(other)))
    off = alice.post(suggest, {"stop": "1"}, follow=True)
    assert "Nothing is suggested any more." in text_of(off)
    assert Project.objects.get(slug="birds").suggestion_run is None


def test_a_wrong_number_changes_nothing(actors: Actors, run: Run, client_of: Browser) -> None:
    said = client_of(actors.alice).post(
        f"/projects/birds/models/{run.pk}/suggest",
        {"suggestion-sure": "101", "suggestion-withheld": "30"},
        follow=True,
    )
    assert "Not changed: how sure is a number from 0 to 100" in text_of(said)
    assert Project.objects.get(slug="birds").suggestion_run is None


def test_a_run_with_nothing_to_suggest_does_not_speak_of_it(actors: Actors, client_of: Browser) -> None:
    empty = Run.objects.create(project=actors.project, name="empty")
    assert "Suggested to annotators" not in text_of(client_of(actors.alice).get(page_of(empty)))


def test_what_they_do_stands_with_its_intervals_for_who_may_only_read(
    actors: Actors, run: Run, client_of: Browser
) -> None:
    bob = actors.membership(actors.bob)
    for place, item in enumerate(actors.project.items.order_by("pk")):
        shown = place < 6
        told = {"run": run.pk, "shown": shown, "answers": {"answer": "yes"}, "taken": {"answer": shown}}
        said = "yes" if shown else "no"
        make_answer(bob, item, {"answer": said}, suggestion=told, suggested=shown)
    page = plain(strip_tags(text_of(client_of(actors.dave).get(page_of(run)))))
    assert "100 % 61-100 %, n = 6 0 % 0-49 %, n = 4 +1.00 0.37-1.00" in page
    assert "Suggest its answers" not in page


def test_saving_leaves_what_was_not_touched(actors: Actors, run: Run, client_of: Browser) -> None:
    edit_suggestions(actors.membership(actors.alice), {"run": run.pk, "sure": 0.995})
    alice = client_of(actors.alice)
    form = alice.get(page_of(run)).context["suggestion_form"]
    assert form["sure"].value() == "99.5"
    said = {"suggestion-sure": form["sure"].value(), "suggestion-withheld": "10"}
    alice.post(f"/projects/birds/models/{run.pk}/suggest", said)
    project = Project.objects.get(slug="birds")
    assert (float(project.suggestion_sure), float(project.suggestion_withheld)) == (0.995, 0.1)


def test_the_page_says_on_how_many_items_it_is_sure_enough(
    actors: Actors, run: Run, client_of: Browser
) -> None:
    yes = actors.project.questions.get().classes.get(name="yes")
    few = list(run.predictions.values_list("pk", flat=True)[:7])
    run.predictions.filter(pk__in=few).update(probabilities={str(yes.pk): 0.5})
    page = plain(strip_tags(text_of(client_of(actors.alice).get(page_of(run)))))
    assert "at least 80 % probable on 30 % of its items" in page
