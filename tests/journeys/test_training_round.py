"""A training round in a real Chromium: told right or wrong after each answer, passed, and on to the first item; by keys."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from core.choices import Pass, RelabelTo, TrainingState
from core.models import Annotation, Item, Membership, Trainee
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer
from tests.factories.item import make_waiting
from tests.factories.queue import make_place, make_training_round, send_through
from tests.journeys.label_site import PAINTED
from tests.journeys.test_label_page import press, settle, shown, wait_saved
from tests.journeys.test_loop import Walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Desk:
    """Somebody's browser, signed in."""

    def __init__(self, browser: Browser, server: LiveServer, actors: Actors, name: str) -> None:
        self.url = f"{server.url}/projects/birds"
        self.errors: list[str] = []
        self.walk = Walk(browser, name, self.errors)
        session = client_of(getattr(actors, name)).cookies[settings.SESSION_COOKIE_NAME].value
        self.walk.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}]
        )

    def open(self, path: str) -> None:
        """The label page, its instructions read."""
        page = self.walk.page
        page.goto(f"{self.url}/{path}")
        page.locator("#item").wait_for()
        page.keyboard.press("Escape")
        settle(page)


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Six items that want one answer each."""
    return make_waiting(actors.project, 6)


@pytest.fixture
def bob(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[Desk]:
    desk = Desk(chromium, live_server, actors, "bob")
    yield desk
    desk.walk.context.close()
    assert [error for error in desk.errors if "Failed to load resource" not in error] == []


@pytest.fixture
def alice(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[Desk]:
    desk = Desk(chromium, live_server, actors, "alice")
    yield desk
    desk.walk.context.close()
    assert [error for error in desk.errors if "Failed to load resource" not in error] == []


def test_a_training_round_by_keys(bob: Desk, actors: Actors, items: list[Item]) -> None:
    member = actors.membership(actors.bob)
    training = make_training_round(actors.project, items[4:], pass_mark="0.9", tries=2)
    make_answer(actors.membership(actors.carol), items[1], {"answer": "no"})
    make_place(items[1], member, to=RelabelTo.NAMED, blind=False)
    send_through(member, training)
    walk, page = bob.walk, bob.walk.page
    bob.open("label/")
    expect(page.locator("#training-note")).to_contain_text("Training round: first steps.")
    walk.check("training-item")

    def answers(key: str, item: str, verdict: str) -> None:
        assert shown(page) == item
        page.keyboard.press(key)
        expect(page.locator("#lesson")).to_be_visible()
        expect(page.locator("#lesson-title")).to_have_text(verdict)
        settle(page)

    answers("2", "item-5", "Not right")
    expect(page.locator("#lesson-answers")).to_have_text("Your answer: no. Right is: yes")
    expect(page.locator("#lesson-why")).to_have_text("because of item-5")
    expect(page.locator("#lesson-progress")).to_have_text("1 of 2 items of the round")
    expect(page.locator("#lesson-on")).to_be_focused()
    walk.check("training-wrong")
    page.keyboard.press("1")  # keys of classes do nothing here
    page.keyboard.press("Enter")
    expect(page.locator("#lesson")).to_be_hidden()
    settle(page)
    answers("1", "item-6", "Right")
    expect(page.locator("#lesson-outcome")).to_contain_text("Not passed yet: 1 of 2 right, 2 are asked.")
    walk.check("training-again")
    page.keyboard.press("Enter")
    for item in ("item-5", "item-6"):
        page.wait_for_function("id => document.querySelector('#item').dataset.item === id", arg=item)
        expect(page.locator("#lesson")).to_be_hidden()
        settle(page)
        answers("1", item, "Right")
        if item == "item-5":
            page.keyboard.press("Enter")
    expect(page.locator("#lesson-outcome")).to_contain_text("You have passed: 2 of 2 right")
    walk.check("training-passed")
    page.keyboard.press("Enter")
    page.wait_for_function("id => document.querySelector('#item').dataset.item === id", arg="item-2")
    expect(page.locator("#training-note")).to_have_count(0)
    settle(page)
    expect(page.locator("#earlier")).to_have_text("Earlier answer: no")
    walk.check("sent-again")
    press(page, "1")  # what was sent to just Bob, and then the queue
    assert shown(page) == "item-1"
    expect(page.locator("#earlier")).to_be_hidden()
    wait_saved(page)
    assert list(Trainee.objects.values_list("attempt", "right", "state")) == [
        (1, 1, TrainingState.FAILED),
        (2, 2, TrainingState.PASSED),
    ]
    kinds = list(
        Annotation.objects.filter(annotator=member).order_by("pk").values_list("pass_kind", flat=True)
    )
    assert kinds == [Pass.TRAINING] * 4 + [Pass.NORMAL]
    assert Membership.objects.get(pk=member.pk).waiting == 0


def test_a_lead_tries_the_project_out(alice: Desk, items: list[Item]) -> None:
    walk, page = alice.walk, alice.walk.page
    alice.open("label/trial")
    expect(page.locator("#trial-note")).to_contain_text("Trial: nothing counts.")
    walk.check("trial")
    assert press(page, "1") == "item-1"
    assert press(page, "2") == "item-2"
    wait_saved(page)
    page.evaluate(PAINTED)
    page.locator("#menu-button").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="My last answers").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#recent-list li")).to_have_count(2)
    page.keyboard.press("Escape")
    assert set(Annotation.objects.values_list("pass_kind", "repeat")) == {(Pass.TRIAL, 0)}
