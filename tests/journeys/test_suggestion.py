"""Suggestions in a real Chromium: a lead switches them on, an annotator takes one by Enter and answers another by herself."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from core.models import Annotation, Item
from core.selectors.annotation import answers_of
from core.services.suggestion import edit_suggestions
from tests.conftest import Actors, client_of
from tests.factories.item import make_waiting
from tests.factories.project import make_question
from tests.factories.run import make_run
from tests.journeys.test_label_page import press, settle, wait_saved
from tests.journeys.test_loop import Walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Four items that want one answer each, none of the audit slice."""
    return make_waiting(actors.project, 4)


@pytest.fixture
def walks(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[dict[str, Walk]]:
    """Alice's and Bob's browsers, signed in."""
    errors: list[str] = []
    found = {}
    for name in ("alice", "bob"):
        found[name] = Walk(chromium, name, errors)
        session = client_of(getattr(actors, name)).cookies[settings.SESSION_COOKIE_NAME].value
        found[name].context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
        )
    yield found
    for walk in found.values():
        walk.context.close()
    assert [error for error in errors if "Failed to load resource" not in error] == []


def test_a_suggestion_is_taken_by_enter_or_not_at_all(
    walks: dict[str, Walk], live_server: LiveServer, actors: Actors, items: list[Item]
) -> None:
    run = make_run(actors.project, {item.external_id: "yes" for item in items[:3]}, name="rules")
    url = f"{live_server.url}/projects/birds"
    lead = walks["alice"].page
    lead.goto(f"{url}/models/{run.pk}")
    lead.get_by_label("Withheld on so many").fill("0")
    lead.get_by_role("button", name="Suggest its answers").click()
    expect(lead.get_by_text("Annotators see its answers from now on.")).to_be_visible()
    walks["alice"].check("suggestion-run")

    page = walks["bob"].page
    page.goto(f"{url}/label/")
    page.locator("#item").wait_for()
    page.keyboard.press("Escape")
    settle(page)
    expect(page.locator("#suggestion")).to_contain_text("A model suggests: yes")
    walks["bob"].check("suggestion-item")
    press(page, "Enter")
    press(page, "2")
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#item")).to_contain_text("Sentence 4.")
    settle(page)
    expect(page.locator("#suggestion")).to_be_hidden()
    page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    expect(page.locator("#q0-problem")).to_have_text("Please answer this question first.")
    page.keyboard.press("2")
    expect(page.locator("#empty")).to_be_visible()
    wait_saved(page)
    told = Annotation.objects.order_by("item__position").values_list(
        "answers__label_class__name", "suggested", "suggestion__taken__answer"
    )
    assert list(told) == [("yes", True, True), ("no", True, False), ("yes", True, True), ("no", False, None)]
    lead.reload()
    expect(lead.get_by_role("table").filter(has_text="In sight")).to_contain_text("n = 3")
    walks["alice"].check("suggestion-effect")


def test_in_a_form_enter_takes_it_only_while_answers_are_missing(
    walks: dict[str, Walk], live_server: LiveServer, actors: Actors, items: list[Item]
) -> None:
    """An optional question that Bob leaves open stays open; long names fit on a phone."""
    long = "animal_of_the_forest_that_is_heard_but_never_seen"
    question = make_question(actors.project, "mood", ["calm", long], required=False)
    run = make_run(actors.project, {item.external_id: "no" for item in items[:2]}, name="rules")
    moods = make_run(actors.project, {item.external_id: long for item in items[:2]}, name="moods", key="mood")
    moods.predictions.update(run=run)
    edit_suggestions(actors.membership(actors.alice), {"run": run.pk, "withheld": 0})
    page = walks["bob"].page
    page.goto(f"{live_server.url}/projects/birds/label/")
    page.locator("#item").wait_for()
    page.keyboard.press("Escape")
    settle(page)
    told = page.locator("#suggestion")
    expect(told).to_contain_text(f"answer?: no · {question.title}: {long}")
    walks["bob"].check("suggestion-form")
    expect(told.locator("kbd")).to_be_visible()
    page.keyboard.press("1")
    expect(told).to_contain_text(f"A model suggests: {question.title}: {long}")
    expect(told.locator("kbd")).to_be_hidden()
    press(page, "Enter")
    page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    expect(told).to_be_hidden()
    press(page, "Enter")
    wait_saved(page)
    first, second = Annotation.objects.order_by("pk")
    assert answers_of(first) == {"answer": "yes"}
    assert answers_of(second) == {"answer": "no", "mood": long}
