"""Selection in a real Chromium: every page is fit to be seen in each state; and a lead's way from off to a curve."""

from collections.abc import Iterator

import numpy as np
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from core.choices import AuditPart, JobKind
from core.models import Item, Job, Run, WorkerSign
from core.pipelines.job import run_job
from core.selectors.job import unfinished_jobs
from core.services import selection as service
from core.services.job import reap, sign_of_life
from tests.conftest import Actors, client_of
from tests.factories.answers import make_items
from tests.factories.selection import make_round
from tests.journeys.label_site import PAINTED
from tests.journeys.test_label_page import press, wait_saved
from tests.journeys.test_loop import Walk
from tests.web.test_selection import learn

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG_AGO = "2020-01-01T00:00:00Z"
N_ITEMS, N_HOLDOUT, N_STREAM = 240, 20, 30
WORDS = {
    "yes": ["robin", "sparrow", "heron", "finch", "wings", "feathers", "nest", "song"],
    "no": ["engine", "piston", "brake", "clutch", "diesel", "gearbox", "wheel", "exhaust"],
}
COMMON = [
    "seen",
    "on",
    "monday",
    "near",
    "the",
    "old",
    "harbour",
    "by",
    "two",
    "people",
    "who",
    "stayed",
    "long",
]


class Site:
    """The project birds in two browsers: Alice's and Bob's."""

    def __init__(self, browser: Browser, server: LiveServer, actors: Actors) -> None:
        self.actors, self.project = actors, actors.project
        self.url = f"{server.url}/projects/birds"
        self.errors: list[str] = []
        self.alice = Walk(browser, "alice", self.errors)
        self.bob = Walk(browser, "bob", self.errors)
        for walk, user in ((self.alice, actors.alice), (self.bob, actors.bob)):
            session = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
            walk.context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}]
            )

    def work(self) -> None:
        """What a worker does after a while: it takes what is due and what waits, and shows that it lives.

        Rounds keep their distance, so the last one is moved into the past.
        """
        Job.objects.filter(kind=JobKind.SELECT).update(started_at=LONG_AGO, finished_at=LONG_AGO)
        sign_of_life()
        reap()
        service.start_due()
        for job in list(unfinished_jobs(self.project.pk)):
            run_job(job.pk)

    def label(self, n: int) -> None:
        """Bob reads and answers with a key."""
        page = self.bob.page
        for _ in range(n):
            text = page.locator("#item").inner_text()
            press(page, "1" if any(word in text for word in WORDS["yes"]) else "2")
        wait_saved(page)

    def close(self) -> None:
        for walk in (self.alice, self.bob):
            walk.context.close()


@pytest.fixture
def site(chromium: Browser, live_server: LiveServer, actors: Actors) -> Iterator[Site]:
    found = Site(chromium, live_server, actors)
    yield found
    found.close()
    assert found.errors == []


def unfold(page: Page) -> None:
    for summary in page.locator("main details > summary").all():
        summary.click()


def test_every_page_is_fit_to_be_seen(site: Site) -> None:
    walk, page = site.alice, site.alice.page
    page.goto(f"{site.url}/models/")
    walk.check("models-empty")
    page.goto(f"{site.url}/selection/")
    expect(page.get_by_role("heading", name="What this is for")).to_be_visible()
    walk.check("selection-off")
    learn(site.actors)
    sign_of_life()
    page.goto(f"{site.url}/selection/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("After 250 labels the model is right on")
    walk.check("selection")
    unfold(page)
    walk.check("selection-unfolded")
    for _ in range(3):
        make_round(site.project, {})
    page.reload()
    expect(page.locator("summary", has_text="3 older rounds")).to_be_visible()
    expect(page.get_by_role("link", name="Round 3", exact=True)).to_be_hidden()
    page.locator("summary", has_text="3 older rounds").click()
    walk.check("selection-older-rounds")
    page.get_by_role("link", name="Round 5").click()
    expect(page.get_by_text("The model hesitates between yes (0.48) and no (0.45).").first).to_be_visible()
    walk.check("selection-round")
    runs = list(Run.objects.order_by("pk").values_list("pk", flat=True))
    page.goto(f"{site.url}/models/?run={runs[0]}&run={runs[-1]}")
    expect(page.get_by_role("heading", name="Side by side")).to_be_visible()
    walk.check("models")
    page.goto(f"{site.url}/models/{runs[-1]}")
    walk.check("model")
    picked = Item.objects.get(external_id="p33")
    page.goto(f"{site.url}/items/{picked.pk}")
    expect(page.get_by_role("heading", name="Why it was picked")).to_be_visible()
    walk.check("item-picked")


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes what it is sent, and no worker behind it."""
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)


@pytest.fixture
def sightings(actors: Actors) -> list[Item]:
    """Sentences about birds and about engines, in a project that asks for one answer to each."""
    draws = np.random.default_rng(5)
    parts = [AuditPart.HOLDOUT] * N_HOLDOUT + [AuditPart.STREAM] * N_STREAM
    items = make_items(actors.project, *(f"s{n:03}" for n in range(N_ITEMS)), target=1, free=1)
    for place, item in enumerate(items):
        item.audit = parts[place] if place < len(parts) else AuditPart.NONE
        told = [*draws.choice(WORDS["yes" if draws.random() < 0.5 else "no"], 3), *draws.choice(COMMON, 6)]
        item.data = {"text": " ".join(map(str, draws.permutation(told)))}
    Item.objects.bulk_update(items, ["audit", "data"])
    return items


@pytest.mark.usefixtures("nobody_listens", "sightings")
def test_a_lead_switches_it_on_and_the_queue_refreshes_by_itself(site: Site) -> None:
    alice, page = site.alice, site.alice.page
    page.goto(f"{site.url}/selection/")
    alice.submit("Switch selection on")
    expect(page.get_by_text("No worker is running, so nothing new is chosen.")).to_be_visible()
    alice.check("selection-no-worker")
    site.work()
    expect(page.get_by_text("Round 1 is in the queue.")).to_be_visible()
    page.get_by_role("link", name="Show it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("40 items that stand for many others and")
    alice.check("selection-cold-start")

    site.bob.page.goto(f"{site.url}/label/")
    site.bob.page.locator("#item").wait_for()
    site.bob.page.keyboard.press("Escape")  # the instructions are read
    site.bob.page.evaluate(PAINTED)
    site.label(30)
    site.work()
    expect(page.get_by_text("Round 2 is in the queue.")).to_be_visible()
    site.label(30)
    site.work()
    expect(page.get_by_text("Round 3 is in the queue.")).to_be_visible()
    page.get_by_role("link", name="Show it").click()
    page.wait_for_load_state()
    expect(page.get_by_role("heading", level=1)).to_contain_text("chosen by margin within clusters")
    expect(page.get_by_role("heading", level=1)).to_contain_text("the model is right on")
    expect(page.locator("figcaption#accuracy")).to_be_visible()
    alice.check("selection-first-curve")

    page.get_by_role("link", name="Round 3").click()
    expect(page.get_by_text("The model hesitates between").first).to_be_visible()
    expect(page.get_by_text("By chance, from the audit stream").first).to_be_visible()

    WorkerSign.objects.update(seen_at=LONG_AGO)
    page.goto(f"{site.url}/selection/")
    expect(page.get_by_text("No worker is running, so nothing new is chosen.")).to_be_visible()
