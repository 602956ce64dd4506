"""Data validation in a real Chromium: a held import, what changed, the schema and a rule, by keyboard alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from core.choices import Gate, ImportState
from core.models import DataSchema, Import, Project, ValidationRule
from core.pipelines.job import run_job
from core.selectors.job import unfinished_jobs
from core.services.job import sign_of_life
from tests.conftest import Actors, client_of
from tests.journeys.test_loop import Walk
from tests.pipelines.test_validation import bring, rows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def alice_browses(chromium: Browser, live_server: LiveServer, actors: Actors, media: Any) -> Iterator[Walk]:
    """Alice's browser, signed in."""
    errors: list[str] = []
    walk = Walk(chromium, "alice", errors)
    session = client_of(actors.alice).cookies[settings.SESSION_COOKIE_NAME].value
    walk.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
    )
    yield walk
    walk.context.close()
    assert errors == []


def test_a_lead_looks_at_a_held_import_and_adds_a_rule(
    alice_browses: Walk, live_server: LiveServer, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)
    walk, page, url = alice_browses, alice_browses.page, f"{live_server.url}/projects/birds"
    alice = actors.membership(actors.alice)
    Project.objects.update(validation_gate=Gate.STOP)
    sign_of_life()
    page.goto(f"{url}/validation/")
    expect(page.get_by_text("Nothing checked yet")).to_be_visible()
    bring(alice, rows("a"))
    faulty = rows("b", seed=2)
    for row in faulty[:90]:
        row["data"]["weight"] = row["data"]["weight"].replace("kg", "lb")
        row["data"]["text"] += " cafÃ©"
    held = bring(alice, faulty)
    page.goto(f"{url}/imports/{held.pk}")
    expect(page.get_by_role("heading", name="What to look at in these rows")).to_be_visible()
    walk.check("validation-held")
    page.get_by_role("button", name="Publish the 200 accepted rows").press("Enter")
    expect(page.get_by_text("The accepted rows are being published.")).to_be_visible()
    for job in list(unfinished_jobs(actors.project.pk)):
        run_job(job.pk)
    assert Import.objects.get(pk=held.pk).state == ImportState.PUBLISHED
    page.goto(f"{url}/validation/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("in this batch call for attention")
    page.locator("main details > summary").first.press("Enter")
    walk.check("validations")
    page.get_by_role("link", name="The whole report").press("Enter")
    expect(page.get_by_role("button", name="Check this batch again")).to_be_visible()
    walk.check("validation")
    page.goto(f"{url}/validation/rules/new")
    page.get_by_label("Name", exact=True).fill("grown up")
    page.get_by_label("Field").fill("age")
    page.get_by_label("What is asked").select_option("range")
    page.get_by_label("Minimum").fill("18")
    page.get_by_role("button", name="Preview on the newest items").press("Enter")
    expect(
        page.get_by_role("status").filter(has_text="0 of the newest 400 items break this rule")
    ).to_be_visible()
    walk.check("validation-rule")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("The rule “grown up” is kept.")).to_be_visible()
    assert ValidationRule.objects.get().document["args"] == {"minimum": 18.0, "maximum": None}
    page.get_by_role("link", name="Schema").press("Enter")
    page.locator("summary", has_text="weight").press("Enter")
    weight = page.get_by_role("group", name="weight")
    weight.get_by_label("Unit").fill("lb")
    page.get_by_role("button", name="Try it on the newest batch").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Nothing is kept yet.")).to_be_visible()
    expect(weight.get_by_text("values have another unit or none (kg).")).to_be_visible()
    walk.check("validation-schema-tried")
    weight.get_by_label("Lowest number").fill("90")
    weight.get_by_label("Highest number").fill("9")
    page.get_by_label("Why").fill("it is pounds now")
    page.get_by_role("button", name="Save as a new version").press("Enter")
    page.get_by_role("link", name="maximum is below minimum.").press("Enter")
    expect(weight.get_by_label("Highest number")).to_be_focused()
    walk.check("validation-schema-error")
    assert ["422" in told for told in walk.errors] == [True]  # the browser tells of the refusal
    walk.errors.clear()
    weight.get_by_label("Lowest number").fill("9")
    weight.get_by_label("Highest number").fill("220")
    page.get_by_role("button", name="Save as a new version").press("Enter")
    expect(page.get_by_text("Version 2 of the schema is in force.")).to_be_visible()
    assert DataSchema.objects.latest("pk").document["fields"]["weight"]["unit"] == "lb"
    page.goto(f"{url}/validation/schema")
    page.get_by_role("link", name="Edit as JSON").press("Enter")
    area = page.get_by_label("Schema")
    area.fill(area.input_value().replace('"maximum": 220.0', '"maximum": 250'))
    walk.check("validation-schema-json")
    page.get_by_role("button", name="Save as a new version").press("Enter")
    expect(page.get_by_text("Version 3 of the schema is in force.")).to_be_visible()
    assert DataSchema.objects.count() == 3
    page.goto(f"{url}/validation/schema")
    page.locator("summary", has_text="Version 2").press("Enter")
    expect(page.get_by_text("“weight”, unit: kg became lb.")).to_be_visible()
    walk.check("validation-schema")
