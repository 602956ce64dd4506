"""Adjudication in a real Chromium, by keys alone: from what costs most to items settled, asked about and taken back."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from core.models import Annotation, Answer, Flag, Item, Resolution, Review, User
from core.selectors.check_data import findings
from core.services.job import sign_of_life
from core.services.progress import recount
from tests.conftest import Actors, client_of
from tests.factories.answers import make_items
from tests.factories.project import add_member, make_question
from tests.journeys.test_loop import Walk
from tests.numerics.test_costs import PEOPLE, K, simulated

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KINDS = ["robin", "sparrow", "heron", "egret", "finch", "tit", "wren", "owl"]


def sign_in(walk: Walk, user: User, url: str) -> Page:
    session = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
    walk.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
    return walk.page


@pytest.fixture
def sightings(actors: Actors) -> list[Item]:
    """600 items in three causes of disagreement (tests.numerics.test_costs)."""
    project = actors.project
    project.questions.all().delete()
    question = make_question(project, "kind", KINDS, title="Which bird is it?")
    project.schema_version += 1
    project.save()
    people = [add_member(project, None, name=f"watcher {place + 1}") for place in range(PEOPLE)]
    answers = simulated(3)
    assert len(KINDS) == K
    items = make_items(
        project, *(f"sighting-{number:03}" for number in range(answers.n_items)), target=3, free=0, done=3
    )
    rows = Annotation.objects.bulk_create(
        Annotation(
            item=items[item],
            annotator=people[person],
            guideline=project.guideline,
            comment="Too far away to be sure." if place % 7 == 0 else "",
        )
        for place, (item, person) in enumerate(
            zip(answers.item.tolist(), answers.annotator.tolist(), strict=True)
        )
    )
    classes = list(question.classes.order_by("order"))
    Answer.objects.bulk_create(
        Answer(annotation=row, question=question, label_class=classes[label])
        for row, label in zip(rows, answers.label.tolist(), strict=True)
    )
    Flag.objects.bulk_create(
        Flag(item=item, annotator=people[0], note="The picture is dark.", idempotency_key=str(item.pk))
        for item in items[::3]
    )
    Item.objects.filter(pk__in=[item.pk for item in items[::3]]).update(flags=1)
    recount(project.pk)
    sign_of_life()
    return items


@pytest.fixture
def errors() -> Iterator[list[str]]:
    said: list[str] = []
    yield said
    assert said == []


def title(page: Page) -> str:
    return page.locator("h1").inner_text().split()[0]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def go(page: Page, key: str) -> None:
    """A key that leads to another page."""
    with page.expect_navigation():
        page.keyboard.press(key)


@pytest.mark.usefixtures("sightings")
def test_what_costs_most_is_settled_by_keys(
    chromium: Browser, live_server: LiveServer, actors: Actors, errors: list[str]
) -> None:
    lead, reviewer = Walk(chromium, "alice", errors), Walk(chromium, "dave", errors)
    page, daves = (
        sign_in(walk, user, live_server.url) for walk, user in ((lead, actors.alice), (reviewer, actors.dave))
    )
    url = f"{live_server.url}/projects/birds/adjudication"

    before = list(findings())
    page.goto(f"{url}/")
    expect(page.locator("ol.costs > li")).to_have_count(3)
    expect(page.locator("ol.costs")).to_contain_text("“robin” and “sparrow” a gap in the guideline")
    expect(page.locator("ol.costs")).to_contain_text("“heron” and “egret” one class or two")
    expect(page.locator("ol.costs")).to_contain_text("watcher 1 a person")
    lead.check("adjudication")

    # The first item of robin against sparrow: settled, and on to the next.
    gap = page.locator("ol.costs > li", has_text="a gap in the guideline")
    gap.get_by_role("link", name="Look at the items").focus()
    go(page, "Enter")
    go(page, "Enter")
    first = title(page)
    lead.check("adjudication-item")
    press(page, "1", "c", "c", "g")
    expect(page.get_by_label("robin")).to_be_checked()
    expect(page.get_by_label("the guideline says nothing about it")).to_be_checked()
    go(page, "Enter")
    expect(page.locator(".undo-bar")).to_contain_text(f"{first} was settled as “robin”")
    made = Resolution.objects.get()
    assert (made.item.external_id, made.cause, made.gold_candidate) == (first, "guideline_gap", True)
    assert title(page) != first

    # Taken back, and settled as something else.
    go(page, "u")
    assert title(page) == first
    expect(page.get_by_text("Taken back: the votes make the label again.")).to_be_visible()
    press(page, "2")
    go(page, "Enter")
    assert Resolution.objects.get(current=True).label_class.name == "sparrow"  # type: ignore[union-attr]

    # One is skipped, of the next Dave is asked.
    skipped = title(page)
    go(page, "n")
    asked = title(page)
    assert len({first, skipped, asked}) == 3
    press(page, "r", "Space", "Tab")
    page.keyboard.type("Which of the two?")
    lead.check("adjudication-refer")
    press(page, "Tab", "Tab")
    go(page, "Enter")
    expect(page.get_by_text("1 reviewer was asked.")).to_be_visible()

    daves.goto(f"{url}/reviews")
    daves.get_by_role("link", name=asked).focus()
    go(daves, "Enter")
    expect(daves.get_by_text("Which of the two?")).to_be_visible()
    expect(daves.get_by_text("What people said")).to_have_count(0)
    reviewer.check("adjudication-review")
    press(daves, "1", "c")
    go(daves, "Enter")
    assert Review.objects.get().label_class.name == "robin"  # type: ignore[union-attr]

    # What was answered alike is settled at once.
    page.goto(f"{url}/bulk?question=kind&a=robin&b=sparrow")
    page.get_by_role("table").get_by_role("link").first.focus()
    go(page, "Enter")
    page.get_by_role("checkbox").first.focus()
    press(page, "Space")
    n = page.locator("[name=item]:checked").count()
    lead.check("adjudication-bulk")
    press(page, "1", "c")
    go(page, "Enter")
    expect(page.get_by_text(f"{n} items were settled.")).to_be_visible()

    page.goto(f"{url}/?state=reviewed")
    expect(page.get_by_role("link", name=asked)).to_be_visible()
    page.goto(f"{url}/{Item.objects.get(external_id=first).pk}?question=kind")
    expect(page.get_by_text("watcher", exact=False).first).to_be_visible()
    lead.check("adjudication-item-settled")
    assert Annotation.objects.filter(revision__gt=1).count() == 0
    assert list(findings()) == before
    lead.context.close()
    reviewer.context.close()
