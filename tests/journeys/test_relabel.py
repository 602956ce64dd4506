"""A guideline change, what it touches labeled again by the same people, and the page that says whether it helped.

With the keyboard alone, in a real Chromium.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from core.access import Actor
from core.choices import AuditPart
from core.models import Annotation, GuidelineVersion, Item, LabelClass
from core.services.annotation import Work, submit
from core.services.job import sign_of_life
from core.services.lease import hand_out
from core.services.progress import recount
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.journeys.label_site import PAINTED
from tests.journeys.test_label_page import press, wait_saved
from tests.journeys.test_loop import Walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
N_ITEMS = 24
LONG_AGO = "2026-01-05T09:00:00Z"


class Site:
    """The project birds in two browsers: Alice's and Bob's. Bob and Carol differ on every third of its items."""

    def __init__(self, browser: Browser, server: LiveServer, actors: Actors) -> None:
        self.actors = actors
        self.url = f"{server.url}/projects/birds"
        self.errors: list[str] = []
        self.alice = Walk(browser, "alice", self.errors)
        self.bob = Walk(browser, "bob", self.errors)
        for walk, user in ((self.alice, actors.alice), (self.bob, actors.bob)):
            session = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}
            walk.context.add_cookies([cookie])  # type: ignore[list-item]
        self.items = make_items(actors.project, N_ITEMS, target=2, audit=AuditPart.STREAM)
        for place, item in enumerate(self.items):
            make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
            make_answer(actors.membership(actors.carol), item, {"answer": "yes" if place % 3 else "no"})
        Annotation.objects.update(created_at=LONG_AGO)
        Item.objects.update(done=2, free=0)
        recount(actors.project.pk)
        sign_of_life()

    def carol_answers(self) -> None:
        """What waits for Carol, by the same services as a page: every second item is a no."""
        while leases := hand_out(self.actors.membership(self.actors.carol), 10).leases:
            for lease in leases:
                value = self.value(lease.item.external_id)
                submit(Actor(self.actors.carol), lease.pk, uuid4().hex, Work({"answer": value}, count=0))

    @staticmethod
    def value(name: str) -> str:
        return "yes" if int(name.removeprefix("item-")) % 2 else "no"

    def close(self) -> None:
        for walk in (self.alice, self.bob):
            walk.context.close()


@pytest.fixture
def site(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[Site]:
    found = Site(chromium, live_server, actors)
    yield found
    found.close()
    assert found.errors == []


def reach(page: Page, target: Locator, *, most: int = 120) -> None:
    """Tab until something has the focus, as somebody without a mouse would."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {target}")


def use(page: Page, target: Locator, key: str = "Enter") -> None:
    reach(page, target)
    page.keyboard.press(key)


def test_a_guideline_change_is_labeled_again_and_the_timeline_says_it_helped(site: Site) -> None:
    alice, page = site.alice, site.alice.page
    page.goto(f"{site.url}/timeline/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("nothing was changed yet")
    alice.check("timeline-nothing")

    page.goto(f"{site.url}/guideline/new")
    reach(page, page.locator("[name=text]"))
    page.keyboard.press("Control+A")
    page.keyboard.type("A bird that sings is a yes; every other is a no.")
    use(page, page.get_by_role("button", name="Publish").first)
    page.wait_for_url(lambda url: not url.endswith("/new"))
    version = GuidelineVersion.objects.latest("number")
    assert version.number == 2
    if not version.touches.exists():
        version.touches.set(LabelClass.objects.filter(name__in=["yes", "no"]))

    page.goto(f"{site.url}/timeline/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("cannot be told yet")
    alice.check("timeline-cannot-tell")
    use(page, page.get_by_role("link", name="Send out again what version 2 touches"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Send items out again")
    alice.check("relabel-new")
    reach(page, page.locator("[name=reason]"))
    page.keyboard.type("What a yes is")
    use(page, page.get_by_role("button", name="Count", exact=True))
    counted = page.get_by_role("status").filter(has_text="What will happen")
    expect(counted).to_contain_text("24 items are sent out again; 48 answers are asked for.")
    expect(counted).to_contain_text("24 of them were drawn from the audit slice by chance.")
    alice.check("relabel-counted")
    use(page, page.get_by_role("button", name="Send 24 items"))
    expect(page.get_by_role("heading", level=2).first).to_have_text("What a yes is")
    alice.check("relabel-queue")

    answer_as_bob(site)
    site.carol_answers()

    page.goto(f"{site.url}/relabels/")
    expect(page.get_by_text("24 of 24").first).to_be_visible()
    use(page, page.get_by_role("link", name="What a yes is"))
    page.wait_for_load_state()
    expect(page.get_by_role("row", name="bob")).to_contain_text("12")
    alice.check("relabel-answered")

    page.goto(f"{site.url}/timeline/")
    first_line = page.get_by_role("heading", level=1)
    expect(first_line).to_contain_text("since guideline version 2: it helped.")
    expect(first_line).to_contain_text("Agreement on “yes” and “no” went from")
    use(page, page.locator("summary").filter(has_text="Figures: Guideline version 2"))
    expect(page.get_by_text("The difference is paired by item.").last).to_be_visible()
    alice.check("timeline-helped")
    assert Annotation.objects.filter(current=False).count() == 2 * N_ITEMS  # what was answered first is kept


def answer_as_bob(site: Site) -> None:
    """Bob gets the items before everything else, and answers by key."""
    page: Any = site.bob.page
    page.goto(f"{site.url}/label/")
    page.locator("#item").wait_for()
    if page.locator("#guideline").is_visible():
        page.keyboard.press("Escape")
    page.evaluate(PAINTED)
    for place in range(N_ITEMS):
        name = page.locator("#item").inner_text()
        number = int("".join(char for char in name if char.isdigit()))
        key = "1" if number % 2 else "2"
        if place + 1 < N_ITEMS:
            press(page, key)
        else:
            page.wait_for_timeout(100)
            page.keyboard.press(key)
    wait_saved(page)
