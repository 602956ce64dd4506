"""A question about an item becomes a rule of the guideline, and who asked reads what changed.

With the keyboard alone, in a real Chromium.
"""

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from core.models import GuidelineVersion, Inquiry
from core.services.job import sign_of_life
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.journeys.label_site import PAINTED
from tests.journeys.test_label_page import press, wait_saved
from tests.journeys.test_loop import Walk
from tests.journeys.test_relabel import reach, use

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
QUESTION = "Only a feather is to be seen. Is that a bird?"
RULE = "A feather alone is a no."


@pytest.fixture
def walks(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[dict[str, Walk]]:
    """Alice and Bob at their browsers."""
    errors: list[str] = []
    found = {}
    for name, user in (("alice", actors.alice), ("bob", actors.bob)):
        found[name] = Walk(chromium, name, errors)
        session = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
        found[name].context.add_cookies([cookie])  # type: ignore[list-item]
    yield found
    for walk in found.values():
        walk.context.close()
    assert errors == []


def test_a_question_becomes_a_rule(walks: dict[str, Walk], live_server: LiveServer, actors: Actors) -> None:
    items = make_items(actors.project, 3, target=3)
    for item in items:
        make_answer(actors.membership(actors.carol), item, {"answer": "no"})
    sign_of_life()
    url = f"{live_server.url}/projects/birds"
    _bob_asks(walks["bob"], url)
    _bob_answers(walks["bob"], n=3)
    _alice_makes_a_rule(walks["alice"], url)
    _bob_reads_what_changed(walks["bob"], url)


def _bob_asks(bob: Walk, url: str) -> None:
    page = bob.page
    page.goto(f"{url}/label/")
    page.locator("#item").wait_for()
    if page.locator("#guideline").is_visible():
        page.keyboard.press("Escape")  # closing the instructions says that they were read
    page.evaluate(PAINTED)
    page.keyboard.press("f")
    page.keyboard.type(QUESTION)
    use(page, page.get_by_role("button", name="Ask about it"))
    wait_saved(page)
    assert Inquiry.objects.get().text == QUESTION


def _bob_answers(bob: Walk, n: int) -> None:
    """He has labelled the item before it becomes an example: nobody is shown the answer before."""
    for _ in range(n - 1):
        press(bob.page, "1")
    bob.page.wait_for_timeout(100)
    bob.page.keyboard.press("1")
    expect(bob.page.locator("#empty")).to_be_visible()
    wait_saved(bob.page)


def _alice_makes_a_rule(alice: Walk, url: str) -> None:
    page = alice.page
    page.goto(f"{url}/notices/")
    expect(
        page.get_by_role("navigation", name="Project").get_by_role("link", name="Notices 1")
    ).to_be_visible()
    expect(page.get_by_text("bob asks about item-")).to_be_visible()
    alice.check("notices")
    use(page, page.get_by_role("button", name="Answer"))
    expect(page.get_by_role("heading", level=2)).to_have_text(QUESTION)
    expect(page.get_by_text("no: 1")).to_be_visible()
    alice.check("inquiries")
    reach(page, page.locator("[name=answer]"))
    page.keyboard.type(RULE)
    use(page, page.get_by_role("button", name="Make it a rule"))

    expect(page.get_by_role("heading", level=1)).to_have_text("New version of the guideline")
    expect(page.locator("[name=text]")).to_have_value(f"Look closely.\n\n{RULE}\n")
    expect(page.locator("[name=examples-0-item]")).to_have_value(Inquiry.objects.get().item.external_id)
    use(page, page.get_by_role("checkbox", name="no", exact=True), "Space")
    reach(page, page.locator("[name=examples-0-label_class]"))
    page.keyboard.type("no")
    reach(page, page.locator("[name=examples-0-note]"))
    page.keyboard.type("Only a feather")
    alice.check("guideline-new")
    use(page, page.get_by_role("button", name="Publish"))
    page.wait_for_url(f"{url}/guideline")
    version = GuidelineVersion.objects.latest("number")
    assert (version.number, [spec.name for spec in version.touches.all()]) == (2, ["no"])
    expect(page.get_by_text("This version changes the rules of no.")).to_be_visible()
    alice.check("guideline-lead")
    use(page, page.get_by_role("link", name="Label again what it touches"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Send items out again")
    expect(page.locator("[name=guideline]")).to_have_value("2")


def _bob_reads_what_changed(bob: Walk, url: str) -> None:
    page = bob.page
    page.goto(f"{url}/label/")
    dialog = page.get_by_role("dialog", name="Instructions")
    expect(dialog.get_by_text("Changed since you last read them")).to_be_visible()
    expect(dialog.get_by_text("New since you last read")).to_be_visible()
    bob.check("label-examples")
    use(page, dialog.locator("summary"))
    expect(dialog.get_by_text("Only a feather")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Only a feather")).to_be_visible()
    page.goto(f"{url}/notices/")
    expect(page.locator(".notice-unread")).to_have_count(3)  # an answer, a rule, a version
    use(page, page.get_by_role("button", name="What changed"))
    expect(page.get_by_role("heading", name="What changed since you read version 1")).to_be_visible()
    expect(page.locator(".since ins").last).to_contain_text(RULE)
    expect(page.locator(".since .example")).to_contain_text("Only a feather")
    bob.check("guideline-since")
    use(page, page.get_by_role("button", name="I have read version 2"))
    expect(page.get_by_role("heading", name="What changed since you read version 1")).to_have_count(0)
    page.goto(f"{url}/inquiries/")
    expect(page.get_by_text("A rule since version 2 of the guideline")).to_be_visible()
    bob.check("inquiries-own")
    page.goto(f"{url}/guideline/2")
    bob.check("guideline-version")
