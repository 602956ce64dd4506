"""A lead takes somebody's answers out and puts them back, reads an item's history and the work, in a real Chromium."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from core.choices import JobKind
from core.models import Membership
from core.pipelines.job import run_job
from core.services.job import create_job
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_items
from tests.journeys.test_loop import Walk
from tests.journeys.test_mapping import by_key

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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


def test_work_is_taken_out_put_back_and_told(walk: Walk, live_server: LiveServer, actors: Actors) -> None:
    page, project = walk.page, f"{live_server.url}/projects/birds"
    for number, item in enumerate(make_items(actors.project, "a", "b", "c", target=2, done=2, free=0)):
        for who, value in ((actors.bob, "yes"), (actors.carol, ("no", "cannot tell", "yes")[number])):
            member = actors.membership(who)
            make_answer(member, item, {"answer": value}, elapsed_ms=1000 * (3 + number), comment="Hm.")
    Membership.objects.filter(project=actors.project, user__in=[actors.bob, actors.carol]).update(answered=3)

    page.goto(f"{project}/people")
    walk.check("people")
    by_key(page, "Take out answers… (bob)")
    walk.check("people-void")
    page.get_by_label("Why").fill("in haste")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_text("3 answers are taken out of the counts")).to_be_visible()
    walk.check("people-voided")
    page.goto(f"{project}/items/{actors.project.items.earliest('pk').pk}/history")
    expect(page.get_by_role("rowheader", name="Answer taken out of the counts")).to_be_visible()
    walk.check("item-history")
    by_key(page, "Put back")
    by_key(page, "Put back")
    expect(page.get_by_text("3 answers count again")).to_be_visible()
    asked = {"member": actors.membership(actors.bob).pk, "reason": "in haste", "since": None, "until": None}
    job = create_job(actors.project, JobKind.VOID, asked, actors.alice, send=False)
    page.goto(f"{project}/people")
    expect(page.get_by_text("Answers of bob are being taken out")).to_be_visible()
    walk.check("people-voiding")
    run_job(job.pk)
    expect(page.get_by_text("Answers of bob are being taken out")).not_to_be_attached()
    expect(page.get_by_role("button", name="Put back the answers of bob")).to_be_visible()
    page.goto(f"{project}/work")
    walk.check("work")
    page.goto(f"{project}/audit")
    walk.check("audit")
    page.goto(f"{project}/people/{actors.membership(actors.bob).pk}/erase")
    walk.check("people-erase")
