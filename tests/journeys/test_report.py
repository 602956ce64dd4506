"""The agreement report in a real Chromium: accessible, on paper, its pictures as files, and newer figures when asked."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.html import escape
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from core.models import GuidelineVersion, Item, Job, Outbox, Project, Report
from core.pipelines.agreement import agreement_report
from core.pipelines.job import run_job
from core.services.job import sign_of_life
from core.services.project import create_project
from core.templatetags.charts import decimal, interval
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member
from tests.journeys.label_site import PAINTED, LabelSite
from tests.pipelines.test_shared_data import DATA, DataSet, imported

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("LABELAPP_SHOTS")  # a folder to keep pictures of every page in
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}
PNG = b"\x89PNG\r\n\x1a\n"


class Reading:
    """A lead's window; every page is checked by axe in light and dark, and looked at on a phone and on paper."""

    def __init__(self, context: BrowserContext, site: LabelSite) -> None:
        self.url = f"{site.url}/projects/rte"
        self.page: Page = context.new_page()

    def check(self, title: str, path: str) -> None:
        self.page.goto(self.url + path)
        self.look(title)

    def look(self, title: str) -> None:
        page = self.page
        for scheme in ("light", "dark"):
            page.emulate_media(media="screen", color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(PAINTED)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{title}, {scheme}: {found.generate_report()}"
            self.picture(f"{title}-{scheme}")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.evaluate(PAINTED)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], f"{title} is {width} px wide on a phone"
        self.picture(f"{title}-phone")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        page.emulate_media(media="print", color_scheme="dark")
        self.picture(f"{title}-print")
        page.emulate_media(media="screen", color_scheme="light")

    def picture(self, title: str) -> None:
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(SHOTS) / f"{title}.png"), full_page=True)


@pytest.fixture
def reading(chromium: Browser, label_site: LabelSite) -> Iterator[Reading]:
    context = chromium.new_context(viewport=DESK, accept_downloads=True)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    errors: list[str] = []
    context.on("weberror", lambda problem: errors.append(str(problem.error)))
    context.on("console", lambda message: errors.append(message.text))
    label_site.sign_in(context, "alice")
    yield Reading(context, label_site)
    context.close()
    assert errors == []


@pytest.fixture
def answered(label_site: LabelSite) -> Project:
    """Four people, three classes and one that cannot tell, two guideline versions, two months, a slice, an audit part."""
    project = label_site.rte
    members = [project.memberships.get(user=label_site.people[name]) for name in ("bob", "carol")]
    members += [add_member(project, None, name=name) for name in ("w001", "w002")]
    first = project.guidelines.get()
    second = GuidelineVersion.objects.create(project=project, number=2, text="Better.")
    classes = ["entailed", "not entailed", "contradicted", "cannot tell"]
    for place, item in enumerate(project.items.order_by("pk")):
        Item.objects.filter(pk=item.pk).update(
            meta={"site": "lake" if place % 2 else "wood"}, audit="stream" if place % 4 == 0 else ""
        )
        for number, member in enumerate(members):
            wrong = (place * 7 + number * 3) % 11 < (4 if place < 20 else 2)
            answer = make_answer(
                member,
                item,
                {"entailment": classes[(place + wrong * (number + 1)) % 4]},
                guideline=first if place < 20 else second,
            )
            type(answer).objects.filter(pk=answer.pk).update(
                created_at=f"2026-0{1 + place // 20}-05T10:00:00Z"
            )
    return project


def test_every_page_of_the_report_is_fit_to_be_seen(answered: Project, reading: Reading) -> None:
    reading.check("report", "/agreement/?by=meta.site")
    for caption in (
        "coefficients",
        "confusions",
        "classes",
        "annotators",
        "pairs",
        "split",
        "versions",
        "months",
    ):
        expect(reading.page.locator(f"figcaption#{caption}")).to_be_visible()
    reading.check("report-items", "/agreement/items?class=entailed")
    reading.check("report-people", "/agreement/people")
    reading.check("report-pairs", "/agreement/pairs")
    reading.check("record", "/record/")


@pytest.mark.shared_data
def test_thousands_of_people_fit_on_the_page(reading: Reading, label_site: LabelSite, media: Path) -> None:
    data = DataSet("ukpconvarg", texts=("reason",), left_out=("reason",))
    folder = DATA / data.name
    if not folder.is_dir():
        pytest.skip("the folder of real data sets is not here (LABELAPP_SHARED_DATA)")
    project = create_project(label_site.people["alice"], data.document())
    imported(project.slug, folder / "items.jsonl.gz", "items")
    imported(project.slug, folder / "annotations.csv.gz", "annotations")
    reading.url = f"{label_site.url}/projects/{project.slug}"

    reading.check("report-many", "/agreement/")
    body = agreement_report(project, "more_convincing", real_names=True)
    page = reading.page
    for figure in body["coefficients"].values():
        expect(page.get_by_text(f"{decimal(figure['value'])} ({interval(figure)})").first).to_be_visible()
    expect(page.get_by_role("link", name="All 3,815 people, to search and sort")).to_be_visible()
    page.get_by_role("link", name="All 35,226 pairs, to search and sort").click()
    expect(page.get_by_text("35,226 pairs · page 1 of 705")).to_be_visible()
    assert page.locator("tbody tr").count() == 50
    most = max(body["pairs"], key=lambda row: row["n_items"])
    expect(page.locator("tbody tr").first).to_contain_text(f"{most['n_items']:,}")
    page.get_by_role("searchbox", name="Find a person").fill(f"{most['b']} {most['a']}")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text(decimal(most["cohen_kappa"]["value"]))


def test_paper_is_light_and_unfolded(answered: Project, reading: Reading) -> None:
    page = reading.page
    page.goto(f"{reading.url}/agreement/")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.get_by_role("columnheader", name="Coefficient")).to_be_visible()
    expect(page.locator("form.filters")).to_be_hidden()
    expect(page.locator("nav.nav")).to_be_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.get_by_role("columnheader", name="Coefficient")).to_be_hidden()


def test_a_picture_comes_as_svg_and_as_png(answered: Project, reading: Reading) -> None:
    page = reading.page
    page.goto(f"{reading.url}/agreement/")

    for name in ("PNG of coefficients", "PNG of confusions"):
        with page.expect_download() as png:
            page.get_by_role("link", name=name).click()
        assert Path(png.value.path()).read_bytes().startswith(PNG)
        assert png.value.suggested_filename.startswith("rte-agreement-")
    with page.expect_download() as svg:
        page.get_by_role("link", name="SVG of coefficients").click()
    assert b"<svg" in Path(svg.value.path()).read_bytes()


def test_newer_figures_come_when_the_reader_asks(
    answered: Project, reading: Reading, live_server: LiveServer
) -> None:
    page = reading.page
    page.goto(f"{reading.url}/agreement/")
    headline = page.get_by_role("heading", level=1).inner_text()
    Report.objects.update(seconds=60.0)
    sign_of_life()
    people = [member for member in answered.memberships.all() if member.annotations.exists()]
    for item in make_items(answered, *(f"more-{number}" for number in range(30))):
        for member in people:
            make_answer(member, item, {"entailment": "entailed"})
    Outbox.objects.create(project=answered, annotations=120, changes=120)

    page.reload()
    expect(page.get_by_text("newer figures are being made")).to_be_visible()
    assert page.get_by_role("heading", level=1).inner_text() == headline
    for job in Job.objects.all():
        run_job(job.pk)
    page.get_by_role("link", name="Show the newer figures").click()
    page.wait_for_load_state()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(escape(headline))
    expect(page.locator(".newer")).to_have_count(0)


def test_labels_from_answers_are_fit_to_be_seen(answered: Project, reading: Reading) -> None:
    reading.check("aggregation-no-gold", "/aggregation/?fresh=1")
    for item in answered.items.order_by("pk")[:12]:
        make_gold(item, "entailment", "entailed")
    page = reading.page
    page.goto(f"{reading.url}/aggregation/?fresh=1")
    for summary in page.locator("main details > summary").all():
        summary.click()
    expect(page.locator("figcaption#rules")).to_be_visible()
    expect(page.get_by_role("heading", name="Items that get another label")).to_be_visible()
    reading.look("aggregation")
    reading.check("aggregation-people", "/aggregation/people")
    reading.check("report-for-others", "/agreement/?interval=two_way")
