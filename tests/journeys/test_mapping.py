"""Classes that look like one, in a real Chromium and without a mouse: suggestion, what-if, merger, report, reversal."""

from collections.abc import Iterator

import numpy as np
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from core.models import LabelClass
from core.services.question import add_class
from tests.conftest import Actors, client_of
from tests.factories.answers import make_items
from tests.factories.project import add_member
from tests.factories.run import label_all
from tests.journeys.test_loop import Walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
N = 240
HEADLINE = "People hardly tell “no” from “not really”"


@pytest.fixture
def walk(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[Walk]:
    """Alice's browser, signed in; any error of a script fails the test."""
    errors: list[str] = []
    alice = Walk(chromium, "alice", errors)
    session = client_of(actors.alice).cookies[settings.SESSION_COOKIE_NAME].value
    alice.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
    )
    yield alice
    alice.context.close()
    assert errors == []


def by_key(page: Page, name: str, role: str = "link") -> None:
    """Go to a link or a button with the tab key, and follow it with enter."""
    for _ in range(80):
        page.keyboard.press("Tab")
        here = page.evaluate("() => document.activeElement.innerText || ''")
        if " ".join(here.split()).startswith(name):
            with page.expect_navigation():
                page.keyboard.press("Enter")
            return
    raise AssertionError(f"no {role} {name!r} within reach of the tab key")


def test_two_classes_that_nobody_tells_apart_become_one_and_come_back(
    walk: Walk, live_server: LiveServer, actors: Actors
) -> None:
    page, address = walk.page, f"{live_server.url}/projects/birds/classes/"
    page.goto(address)
    walk.check("mapping-empty")
    add_class(actors.membership(actors.alice), "answer", {"name": "not really", "definition": "Rather not."})
    draws = np.random.default_rng(3)
    people = [add_member(actors.project, None, name=name) for name in ("Anna", "Ben", "Cleo")]
    items = make_items(actors.project, *(f"i{n:03}" for n in range(N)))
    truth = draws.random(N) < 0.5
    no = np.where(draws.random((3, N)) < 0.5, "no", "not really")
    said = np.where(draws.random((3, N)) < 0.1, "cannot tell", np.where(truth, "yes", no))
    label_all(people, items, said.tolist())

    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text(HEADLINE)
    walk.check("mapping")
    by_key(page, "What if")
    expect(page.get_by_role("heading", level=1)).to_have_text("What if “no”, “not really” were one class?")
    walk.check("mapping-preview")
    after = page.get_by_role("row", name="Krippendorff's alpha").get_by_role("cell").nth(1).inner_text()
    page.get_by_label("Why").focus()
    page.keyboard.type("A coin decides between them.")
    by_key(page, "Merge", "button")
    expect(page.get_by_text("Merged: “not really” read as “no”.")).to_be_visible()
    walk.check("mapping-merged")
    assert LabelClass.objects.filter(merged_into__isnull=False).count() == 1
    page.goto(f"{live_server.url}/projects/birds/agreement/?fresh=1")
    expect(page.get_by_text(after.replace("(", "").replace(")", "").split()[0]).first).to_be_visible()

    page.goto(address)
    by_key(page, "Revert", "button")
    expect(page.get_by_text("Reverted: “not really” read as “no”.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(HEADLINE)
    walk.check("mapping-reverted")
    assert not LabelClass.objects.filter(merged_into__isnull=False).exists()
