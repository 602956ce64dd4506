"""From a file to a label that a script pulls, as people do it: every page in a real Chromium."""

import io
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from core.services.account import first_sign_in_link
from tests.factories.account import PASSWORD
from tests.journeys.label_site import PAINTED

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

N_ITEMS = 20
ROWS = "id,text,meta.source\n" + "".join(
    f"s{n:02},Sentence number {n} says it.,{n % 3}\n" for n in range(N_ITEMS)
)
PHONE = {"width": 360, "height": 740}
SHOTS = os.environ.get("LABELAPP_SHOTS")  # a folder to keep pictures of every page in


class Walk:
    """One person's browser: every page is checked by axe, every word on the console is kept."""

    def __init__(self, browser: Browser, name: str, errors: list[str]) -> None:
        self.name = name
        self.errors = errors
        self.context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 800})
        self.context.set_default_timeout(20_000)
        self.context.on("weberror", lambda problem: errors.append(f"{name}: {problem.error}"))
        self.context.on("console", lambda message: errors.append(f"{name}: {message.text}"))
        self.page: Page = self.context.new_page()
        self.axe = Axe()

    def check(self, title: str) -> None:
        """axe in light and dark, and no sideways scrolling on a phone; pictures where they are asked for."""
        self.page.evaluate(PAINTED)
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.evaluate(PAINTED)
            found = self.axe.run(self.page)
            assert found.violations_count == 0, f"{title}, {scheme}: {found.generate_report()}"
            self.picture(f"{title}-{scheme}")
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        self.page.evaluate(PAINTED)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], f"{title} is {width} px wide on a phone"
        self.picture(f"{title}-phone")
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.emulate_media(color_scheme="light")

    def picture(self, title: str) -> None:
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(SHOTS) / f"{title}.png"), full_page=True)

    def submit(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).first.click()
        self.page.wait_for_load_state()

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.locator(f"[name='{name.replace('__', '-')}']").fill(value)


@pytest.fixture
def errors() -> Iterator[list[str]]:
    said: list[str] = []
    yield said
    assert [one for one in said if "net::ERR_INTERNET_DISCONNECTED" not in one] == []


def test_from_a_file_to_a_label_that_a_script_pulls(
    chromium: Browser, live_server: LiveServer, errors: list[str], media: Path
) -> None:
    lead = Walk(chromium, "alice", errors)
    _first_sign_in(lead, live_server.url)
    _make_project(lead)
    _upload(lead)
    bob, carol = (_invite(lead, chromium, live_server.url, name, errors) for name in ("bob", "carol"))
    _label_online(carol)
    _label_half_offline(bob)
    _read_agreement(lead)
    secret = _make_token(lead)
    _pull(live_server.url, secret)
    _look_around(lead)


def _first_sign_in(lead: Walk, url: str) -> None:
    link = first_sign_in_link()
    assert link is not None
    lead.page.goto(url + link)
    lead.check("first-sign-in")
    lead.fill(username="alice", password=PASSWORD, again=PASSWORD)
    lead.page.keyboard.press("Enter")
    lead.page.wait_for_url("**/projects/")
    lead.check("projects-empty")


def _make_project(lead: Walk) -> None:
    page = lead.page
    page.goto(page.url + "new/")
    lead.check("project-new")
    lead.fill(name="Sentences", overlap="2", q__0__title="Is it about numbers?")
    lead.fill(q__0__c__0__name="yes", q__0__c__1__name="no")
    lead.page.locator("[name=audit_percent]").fill("10")
    lead.page.locator("[name=guideline]").fill("# Numbers\n\nSay *yes* when a number is meant.")
    lead.submit("Make the project")
    page.wait_for_url("**/projects/sentences/")
    lead.check("project-home-empty")


def _upload(lead: Walk) -> None:
    page = lead.page
    page.goto(page.url + "imports/new")
    lead.check("import-new")
    file: Any = {"name": "sentences.csv", "mimeType": "text/csv", "buffer": ROWS.encode()}
    page.locator("[name=file]").set_input_files(file)
    page.locator("[name=kind][value=items]").check()
    lead.submit("Upload and look at it")
    lead.check("import-columns")
    lead.submit("Start the import")
    expect(page.get_by_text("published").first).to_be_visible()
    lead.check("import")


def _invite(lead: Walk, chromium: Browser, url: str, name: str, errors: list[str]) -> Walk:
    lead.page.goto(f"{url}/projects/sentences/people")
    lead.submit("Make an invitation link")
    link = lead.page.locator("#new-invitation").input_value()
    if name == "bob":
        lead.check("people")
    person = Walk(chromium, name, errors)
    person.page.goto(link)
    if name == "bob":
        person.check("invitation")
    person.fill(username=name, password=PASSWORD, again=PASSWORD)
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/projects/**")
    person.page.goto(f"{url}/projects/sentences/")
    if name == "bob":
        person.check("project-home-annotator")
    return person


def _open_label_page(person: Walk) -> None:
    page = person.page
    page.goto(page.url + "label/")
    page.locator("#item").wait_for()
    if page.locator("#guideline").is_visible():
        person.check(f"label-instructions-{person.name}")
        page.keyboard.press("Escape")
    page.evaluate(PAINTED)


def _answer(page: Page, key: str) -> None:
    before = page.locator("#item").get_attribute("data-item")
    page.wait_for_timeout(120)
    page.keyboard.press(key)
    page.wait_for_function("id => document.querySelector('#item').dataset.item !== id", arg=before)
    page.evaluate(PAINTED)


def _label_online(carol: Walk) -> None:
    _open_label_page(carol)
    carol.check("label")
    for number in range(N_ITEMS - 1):
        _answer(carol.page, "1" if number % 4 else "2")
    carol.page.wait_for_timeout(120)
    carol.page.keyboard.press("0")
    expect(carol.page.locator("#status-button")).to_have_attribute("data-state", "saved", timeout=20_000)
    expect(carol.page.get_by_text("20 today")).to_be_visible()
    carol.check("label-all-done")


def _label_half_offline(bob: Walk) -> None:
    page = bob.page
    _open_label_page(bob)
    for _number in range(6):
        _answer(page, "1")
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved", timeout=20_000)
    page.locator("#menu-button").click()
    page.get_by_role("button", name="Work offline").click()
    page.wait_for_timeout(1500)
    page.keyboard.press("Escape")
    bob.context.set_offline(True)
    for _number in range(10):
        _answer(page, "2")
    bob.check("label-offline")
    bob.context.set_offline(False)
    for _number in range(3):
        _answer(page, "1")
    page.wait_for_timeout(120)
    page.keyboard.press("1")
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved", timeout=30_000)
    expect(page.get_by_text("20 today")).to_be_visible()


def _read_agreement(lead: Walk) -> None:
    lead.page.goto(lead.page.url.split("/projects/")[0] + "/projects/sentences/agreement/")
    expect(lead.page.get_by_role("heading", level=1)).to_contain_text("items")
    lead.check("agreement")


def _make_token(lead: Walk) -> str:
    page = lead.page
    page.goto(page.url.split("/projects/")[0] + "/tokens")
    lead.fill(name="notebook")
    page.locator("[name=scopes][value='labels:read']").check()
    lead.submit("Make the token")
    lead.check("tokens")
    return page.locator("#new-token").input_value()


def _pull(url: str, secret: str) -> None:
    import pandas as pd

    request = urllib.request.Request(
        f"{url}/api/v1/projects/sentences/labels?format=csv", headers={"Authorization": f"Token {secret}"}
    )
    with urllib.request.urlopen(request) as reply:
        labels = pd.read_csv(io.BytesIO(reply.read()), keep_default_na=False)
    assert len(labels) == N_ITEMS
    # Carol could not tell the last one, so one vote counts there.
    assert sorted(labels["n"]) == [1] + [2] * (N_ITEMS - 1)
    assert set(labels["value"]) <= {"yes", "no", "cannot tell", ""}


def _look_around(lead: Walk) -> None:
    home = lead.page.url.split("/tokens")[0] + "/projects/sentences"
    for name, path in (
        ("project-home", "/"),
        ("items", "/items"),
        ("questions", "/questions"),
        ("guideline", "/guideline"),
        ("guideline-new", "/guideline/new"),
        ("imports", "/imports"),
        ("labels", "/labels/"),
        ("settings", "/settings"),
        ("audit", "/audit"),
    ):
        lead.page.goto(home + path)
        lead.check(name)
    lead.page.goto(home + "/items")
    lead.page.locator("main table a").first.click()
    lead.page.wait_for_load_state()
    lead.check("item")
