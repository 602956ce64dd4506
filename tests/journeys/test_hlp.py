"""The page on human-level performance and the tags of items in a real Chromium."""

from collections.abc import Iterator

import numpy as np
import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from tests.conftest import Actors, client_of
from tests.factories.answers import make_items
from tests.factories.project import add_member
from tests.factories.run import label_all, make_run
from tests.journeys.test_loop import Walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
N = 400


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


def test_the_model_beside_people_is_read_by_everybody(
    walk: Walk, live_server: LiveServer, actors: Actors
) -> None:
    page, address = walk.page, f"{live_server.url}/projects/birds/hlp/"
    page.goto(address)
    walk.check("hlp-empty")
    draws = np.random.default_rng(3)
    people = [add_member(actors.project, None, name=name) for name in ("Anna", "Ben", "Cleo", "Dora")]
    items = make_items(actors.project, *(f"i{n:03}" for n in range(N)), meta={"site": "lake"})
    truth = np.where(draws.random(N) < 0.6, "yes", "no")
    said = [
        np.where(draws.random(N) < 0.8, truth, np.where(truth == "yes", "no", "cannot tell")).tolist()
        for _ in people
    ]
    label_all(people, items, said)
    page.goto(f"{address}?fresh=1")  # the answers did not come through the door that tells of them
    expect(page.get_by_role("heading", name="No model beside the people yet")).to_be_visible()
    walk.check("hlp-no-run")
    make_run(actors.project, {item.external_id: str(value) for item, value in zip(items, truth, strict=True)})
    page.goto(f"{address}?by=meta.site")
    for summary in page.locator("main details > summary").all():
        summary.click()
    expect(page.get_by_role("heading", name="“tiny” beside people")).to_be_visible()
    walk.check("hlp-run")
    make_run(
        actors.project, {item.external_id: "yes" for item in items}, name="always yes, of March, second try"
    )
    page.goto(address)
    walk.check("hlp-second-run")


def test_items_are_tagged_from_the_keyboard(walk: Walk, live_server: LiveServer, actors: Actors) -> None:
    page = walk.page
    make_items(actors.project, "a", "b", "c")
    page.goto(f"{live_server.url}/projects/birds/items")
    page.get_by_label("Tick a", exact=True).check()
    page.get_by_label("Tick c", exact=True).check()
    page.get_by_label("Tag", exact=True).fill("Car noise")
    walk.submit("Tag the ticked items")
    expect(page.get_by_text("“Car noise” is on 2 more items.")).to_be_visible()
    walk.check("items-tagged")
    page.get_by_role("link", name="a", exact=True).click()
    expect(page.get_by_role("link", name="Car noise")).to_be_visible()
    walk.check("item-tagged")
