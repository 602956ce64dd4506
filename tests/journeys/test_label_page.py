"""The label page in a real Chromium: one key per item, nothing lost, nothing doubled, nothing unseen."""

import json
import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import BrowserContext, Dialog, Page, Request, Route, expect

from tests.journeys.label_site import PAINTED, LabelSite

pytestmark = pytest.mark.browser

SUBMIT = re.compile(r"/api/v1/leases/[^/]+/annotation$")
HOTEL = "<html><title>Welcome</title><p>Accept the terms of the hotel</p></html>"


def shown(page: Page) -> str:
    """The id of the item on the screen."""
    return page.locator("#item").get_attribute("data-item") or ""


def status(page: Page) -> str:
    """What the bar says about the answers."""
    return page.locator("#status-text").inner_text()


def press(page: Page, key: str) -> str:
    """Press a key and wait for the item after it; returns the item that was answered."""
    before = shown(page)
    page.wait_for_timeout(100)  # the same key sooner than 80 ms is a bounce
    page.keyboard.press(key)
    page.wait_for_function("id => document.querySelector('#item').dataset.item !== id", arg=before)
    settle(page)
    return before


def settle(page: Page) -> None:
    """Two frames: what is in the page has been painted, and keys count."""
    page.evaluate(PAINTED)


def wait_saved(page: Page) -> None:
    """Until the bar says that everything is at the server."""
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved", timeout=20_000)


def fail_submits(page: Page, answer: Callable[[Route], None]) -> None:
    """Let something else than the server answer every submit."""
    page.context.route(SUBMIT, answer)


@pytest.fixture
def page(label_site: LabelSite, bob_browser: BrowserContext) -> Page:
    """Bob at his first item, the instructions read."""
    return label_site.open(bob_browser)


def test_one_key_answers_saves_and_moves_on(page: Page, label_site: LabelSite) -> None:
    seen = [press(page, key) for key in "1230"]
    wait_saved(page)
    names = ["entailed", "not entailed", "contradicted", "cannot tell"]
    assert label_site.answers() == list(zip(seen, names, strict=True))
    assert len(set(seen)) == 4


def test_an_answered_item_costs_one_small_request(page: Page) -> None:
    requests: list[Request] = []

    def note(request: Request) -> None:
        requests.append(request)

    page.on("request", note)
    for _ in range(5):
        press(page, "1")
        wait_saved(page)
    assert len(requests) == 5
    sizes = [request.sizes() for request in requests]
    assert max(size["requestHeadersSize"] + size["requestBodySize"] for size in sizes) <= 2048
    assert max(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes) <= 2048


def test_blind_typing_of_twenty_items_gives_twenty_right_answers(page: Page, label_site: LabelSite) -> None:
    keys = "1231 2013 1111 2220 3321".replace(" ", "")
    names = {"1": "entailed", "2": "not entailed", "3": "contradicted", "0": "cannot tell"}
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    wait_saved(page)
    assert [name for _item, name in label_site.answers()] == [names[key] for key in keys]


def test_a_doubled_key_answers_one_item(page: Page, label_site: LabelSite) -> None:
    first = shown(page)
    page.evaluate(
        """() => { for (let n = 0; n < 2; n++)
               document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "1", code: "Digit1", bubbles: true})) }"""
    )
    settle(page)
    second = shown(page)
    assert second != first
    wait_saved(page)
    assert label_site.answers() == [(first, "entailed")]


def test_a_held_key_answers_one_item(page: Page, label_site: LabelSite) -> None:
    first = shown(page)
    for _ in range(10):
        page.keyboard.down("1")
        page.wait_for_timeout(30)
    page.keyboard.up("1")
    wait_saved(page)
    assert label_site.answers() == [(first, "entailed")]


def test_ten_answers_given_offline_survive_a_reload_and_are_sent_once(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Work offline").click()
    expect(page.locator("#work-offline")).to_contain_text("20 items at hand")
    page.keyboard.press("Escape")
    label_site.wait_for_shell(page)
    bob_browser.set_offline(True)
    seen = [press(page, key) for key in "12301"]
    assert status(page) == "offline · 5 waiting"
    page.reload()
    expect(page.locator("#item")).to_be_visible()
    settle(page)
    seen += [press(page, key) for key in "12301"]
    expect(page.locator("#status-text")).to_have_text("offline · 10 waiting")
    assert label_site.answers() == []
    bob_browser.set_offline(False)
    wait_saved(page)
    names = ["entailed", "not entailed", "contradicted", "cannot tell", "entailed"] * 2
    assert label_site.answers() == list(zip(seen, names, strict=True))


def test_what_was_clicked_is_stored_though_classes_swap_their_names_meanwhile(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    bob_browser.set_offline(True)
    seen = [press(page, key) for key in "13"]
    label_site.rename("entailed", "follows")
    label_site.rename("contradicted", "entailed")
    bob_browser.set_offline(False)
    wait_saved(page)
    assert label_site.answers() == list(zip(seen, ["follows", "entailed"], strict=True))


def test_all_leased_items_can_be_answered_offline_and_the_end_is_told(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    bob_browser.set_offline(True)
    for _ in range(4):
        press(page, "1")
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="No items left at hand")).to_be_visible()
    expect(page.locator("#empty-text")).to_contain_text("Answers waiting here, and safe: 5.")
    bob_browser.set_offline(False)
    expect(page.locator("#item")).to_be_visible(timeout=20_000)
    wait_saved(page)
    assert [name for _item, name in label_site.answers()] == ["entailed"] * 4 + ["not entailed"]


def test_a_lost_reply_is_sent_again_and_counted_once(page: Page, label_site: LabelSite) -> None:
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    fail_submits(page, lose_first)
    item = press(page, "1")
    expect(page.locator("#status-text")).to_have_text("offline · 1 waiting")
    wait_saved(page)
    assert len(lost) == 1
    assert label_site.answers() == [(item, "entailed")]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ({"status": 200, "content_type": "text/html", "body": HOTEL}, "server busy · 1 waiting"),
        ({"status": 200, "json": {"annotation": {"id": 1, "item": "another"}}}, "server busy · 1 waiting"),
        (
            {"status": 502, "content_type": "text/html", "body": "<h1>Bad gateway</h1>"},
            "server busy · 1 waiting",
        ),
        (
            {"status": 503, "json": {"code": "unavailable"}, "headers": {"Retry-After": "1"}},
            "server busy · 1 waiting",
        ),
        ({"status": 429, "json": {"code": "too-many-requests"}}, "server busy · 1 waiting"),
        ({"status": 401, "json": {"code": "not-signed-in"}}, "signed out · 1 waiting"),
        ({"status": 302, "headers": {"Location": "/livez"}}, "server busy · 1 waiting"),
    ],
    ids=["captive portal", "wrong id", "bad gateway", "busy", "throttled", "session ended", "redirect"],
)
def test_nothing_but_the_server_can_say_saved(
    page: Page, label_site: LabelSite, reply: dict[str, object], says: str
) -> None:
    fail_submits(page, lambda route: route.fulfill(**reply))  # type: ignore[arg-type]
    item = press(page, "1")
    expect(page.locator("#status-text")).to_have_text(says)
    press(page, "2")
    assert label_site.answers() == []
    page.context.unroute(SUBMIT)
    page.locator("#status-button").click()
    if says.startswith("signed out"):
        expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
        page.reload()
        settle(page)
    else:
        page.get_by_role("button", name="Try now").click()
    wait_saved(page)
    assert [answer for answer in label_site.answers() if answer[0] == item] == [(item, "entailed")]
    assert len(label_site.answers()) == 2


def test_a_refused_answer_says_why_and_can_be_corrected(page: Page, label_site: LabelSite) -> None:
    refusal = {"status": 400, "code": "invalid-answers", "detail": "It does not fit.", "errors": []}
    fail_submits(page, lambda route: route.fulfill(status=400, json=refusal))
    item = press(page, "1")
    expect(page.locator("#status-text")).to_have_text("1 refused")
    page.context.unroute(SUBMIT)
    other = press(page, "2")
    page.locator("#status-button").click()
    expect(page.locator("#refused-list")).to_contain_text("The answer does not fit the question")
    page.locator("#refused-list").get_by_role("button", name="Open").click()
    settle(page)
    assert shown(page) == item
    press(page, "3")
    wait_saved(page)
    assert sorted(label_site.answers()) == sorted([(item, "contradicted"), (other, "not entailed")])


def test_a_late_answer_is_kept_as_a_draft_and_told(page: Page, label_site: LabelSite) -> None:
    item = shown(page)
    label_site.take_from_bob(item)
    press(page, "1")
    expect(page.locator("#status-text")).to_have_text("1 refused")
    assert label_site.drafts() == [(item, "entailed")]
    page.locator("#status-button").click()
    expect(page.locator("#refused-list")).to_contain_text("someone else has taken the place")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#toast")).to_contain_text("There is still no free place")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#status-text")).to_have_text("saved")
    assert label_site.drafts() == []
    assert label_site.answers() == []


def test_a_slow_network_is_waiting_and_not_saved(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    network = bob_browser.new_cdp_session(page)
    slow = {"offline": False, "latency": 3000, "downloadThroughput": 2000, "uploadThroughput": 2000}
    network.send("Network.emulateNetworkConditions", slow)
    item = press(page, "1")
    expect(page.locator("#status-text")).to_have_text("1 waiting")
    wait_saved(page)
    assert label_site.answers() == [(item, "entailed")]


def test_an_ended_session_keeps_the_answers_until_the_same_person_is_back(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    bob_browser.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    item = press(page, "1")
    expect(page.locator("#status-text")).to_have_text("signed out · 1 waiting")
    page.locator("#status-button").click()
    page.get_by_role("link", name="Sign in again").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    label_site.sign_in(bob_browser, "bob")
    page = label_site.open(bob_browser)
    wait_saved(page)
    assert label_site.answers() == [(item, "entailed")]


def test_undo_reopens_the_last_answer_and_a_new_revision_is_stored(page: Page, label_site: LabelSite) -> None:
    item = press(page, "1")
    wait_saved(page)
    current = shown(page)
    page.keyboard.press("u")
    expect(page.locator("#editing-note")).to_be_visible()
    settle(page)
    assert shown(page) == item
    expect(page.get_by_role("button", name="entailed", exact=True).first).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("2")
    expect(page.locator("#editing-note")).to_be_hidden()
    assert shown(page) == current
    wait_saved(page)
    assert label_site.answers() == [(item, "not entailed")]
    assert label_site.revisions(item) == 2


def test_undo_before_sending_changes_the_waiting_answer(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    bob_browser.set_offline(True)
    first, second = press(page, "1"), press(page, "1")
    expect(page.locator("#status-text")).to_have_text("offline · 2 waiting")
    page.keyboard.press("Control+z")
    settle(page)
    assert shown(page) == second
    press(page, "3")
    expect(page.locator("#status-text")).to_have_text("offline · 2 waiting")
    bob_browser.set_offline(False)
    wait_saved(page)
    assert label_site.answers() == [(first, "entailed"), (second, "contradicted")]
    assert label_site.revisions(second) == 1


def test_the_last_ten_answers_can_be_opened_from_the_bar(page: Page, label_site: LabelSite) -> None:
    seen = [press(page, "1") for _ in range(12)]
    wait_saved(page)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="My last answers").first.click()
    records = page.locator("#recent-list button")
    expect(records).to_have_count(10)
    records.nth(9).click()
    settle(page)
    assert shown(page) == seen[2]
    press(page, "2")
    wait_saved(page)
    assert dict(label_site.answers())[seen[2]] == "not entailed"


def test_a_skip_asks_for_a_reason_and_can_be_taken_back(page: Page, label_site: LabelSite) -> None:
    item = shown(page)
    page.keyboard.press("s")
    page.keyboard.press("1")
    page.wait_for_function("id => document.querySelector('#item').dataset.item !== id", arg=item)
    settle(page)
    page.keyboard.press("u")
    page.wait_for_function("id => document.querySelector('#item').dataset.item === id", arg=item)
    settle(page)
    page.keyboard.press("s")
    page.keyboard.press("2")
    wait_saved(page)
    assert label_site.put_away() == [(item, "not_my_language")]
    assert label_site.answers() == []


def test_later_and_flag_are_apart_from_answers(page: Page, label_site: LabelSite) -> None:
    later = press(page, "l")
    flagged = shown(page)
    page.keyboard.press("f")
    page.keyboard.type("The text is cut off")
    page.keyboard.press("Enter")
    expect(page.locator("#flag")).to_be_hidden()
    assert shown(page) == flagged
    assert press(page, "1") == flagged
    wait_saved(page)
    assert label_site.answers() == [(flagged, "entailed")]
    assert label_site.flags() == [(flagged, "The text is cut off")]
    assert label_site.put_away() == [(later, "later")]


def test_a_question_goes_to_the_lead_and_the_item_stays(page: Page) -> None:
    asked: list[dict[str, str]] = []

    def take(route: Route) -> None:
        asked.append(
            {**json.loads(route.request.post_data or ""), "key": route.request.headers["idempotency-key"]}
        )
        route.fulfill(status=201, content_type="application/json", body='{"inquiry": 1}')

    page.context.route(re.compile(r"/api/v1/projects/rte/inquiries$"), take)
    item = shown(page)
    page.keyboard.press("f")
    page.get_by_role("button", name="Ask about it").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#flag-problem")).to_be_visible()
    page.keyboard.type("Does a duck count?")
    page.get_by_role("button", name="Ask about it").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#flag")).to_be_hidden()
    expect(page.locator("#toast")).to_contain_text("The lead gets your question")
    wait_saved(page)
    assert shown(page) == item
    assert [one["text"] for one in asked] == ["Does a duck count?"]
    assert set(asked[0]) == {"lease", "text", "key"}
    assert press(page, "1") == item


def test_an_empty_answer_cannot_be_sent(label_site: LabelSite, bob_browser: BrowserContext) -> None:
    page = label_site.open(bob_browser, project="form")
    before = shown(page)
    page.keyboard.press("Enter")
    topic = page.locator("[data-question=topic]")
    expect(topic.locator(".problem")).to_have_text("Please answer this question first.")
    expect(topic.get_by_role("button").first).to_be_focused()
    assert shown(page) == before
    assert label_site.answers() == []


def test_a_form_of_several_questions_goes_by_keys_alone(
    label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    page = label_site.open(bob_browser, project="form")
    fields = page.locator("[data-question=field]")
    expect(fields).to_be_hidden()
    item = shown(page)
    page.keyboard.press("2")
    expect(fields).to_be_visible()
    for key in ("1", "-", "1", "3"):  # "-" is none of them, and takes the 1 away again
        page.keyboard.press(key)
        page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    expect(page.locator("[data-question=quality]")).to_have_class(re.compile("question-active"))
    page.keyboard.press("4")
    expect(page.locator("[data-field=age]")).to_be_focused()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("[data-question=age] .problem")).to_have_text("Please give a number from 3 to 99.")
    page.locator("[data-field=age]").fill("12,5")
    page.wait_for_timeout(100)
    page.locator("[data-field=age]").press("Control+Enter")
    page.wait_for_function("id => document.querySelector('#item').dataset.item !== id", arg=item)
    wait_saved(page)
    expected = {"topic": "science", "field": ["physics", "medicine"], "quality": "excellent", "age": 12.5}
    assert label_site.whole_answers() == [(item, expected)]


def test_a_second_tab_waits_for_its_turn(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    second = bob_browser.new_page()
    second.goto(page.url)
    expect(second.get_by_role("heading", name="You are labeling in another tab")).to_be_visible()
    second.get_by_role("button", name="Label in this tab").click()
    expect(second.locator("#item")).to_be_visible()
    expect(page.get_by_role("heading", name="You are labeling in another tab")).to_be_visible()
    settle(second)
    item = press(second, "1")
    wait_saved(second)
    assert label_site.answers() == [(item, "entailed")]


def test_signing_out_warns_of_waiting_answers_and_then_forgets_them(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    fail_submits(page, lambda route: route.abort())
    press(page, "1")
    expect(page.locator("#status-text")).to_have_text("offline · 1 waiting")
    said: list[str] = []

    def answer_no(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    def answer_yes(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.accept()

    page.once("dialog", answer_no)
    page.get_by_role("button", name="Menu").click()
    with page.expect_event("dialog"):
        page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#menu")).to_be_visible()
    page.once("dialog", answer_yes)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign out").click()
    assert [re.findall(r"\d+", message) for message in said] == [["1"], ["1"]]
    kept = page.evaluate("async () => (await indexedDB.databases()).map(d => d.name)")
    assert kept == []
    assert label_site.answers() == []


def test_the_next_person_at_this_computer_sends_nothing_of_the_last(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    fail_submits(page, lambda route: route.abort())
    press(page, "1")
    expect(page.locator("#status-text")).to_have_text("offline · 1 waiting")
    page.context.unroute(SUBMIT)
    page.goto("about:blank")
    label_site.sign_in(bob_browser, "carol")
    page = label_site.open(bob_browser)
    item = press(page, "2")
    wait_saved(page)
    assert label_site.answers() == [(item, "not entailed")]
    page.goto("about:blank")
    label_site.sign_in(bob_browser, "bob")
    page = label_site.open(bob_browser)
    wait_saved(page)
    assert sorted(name for _item, name in label_site.answers()) == ["entailed", "not entailed"]


@pytest.mark.parametrize("project", ["rte", "form"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    label_site: LabelSite, bob_browser: BrowserContext, project: str, scheme: str
) -> None:
    page = label_site.open(bob_browser, project=project)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    axe = Axe()
    assert axe.run(page).response["violations"] == []
    for name in ("help", "guideline", "skip", "flag", "menu", "status", "progress", "recent"):
        page.evaluate("name => document.getElementById(name).showModal()", name)
        assert axe.run(page).response["violations"] == [], name
        page.evaluate("name => document.getElementById(name).close()", name)


@pytest.mark.parametrize("project", ["rte", "form"])
def test_twice_the_size_fits_a_laptop(
    label_site: LabelSite, bob_browser: BrowserContext, project: str
) -> None:
    page = label_site.open(bob_browser, project=project)
    page.set_viewport_size({"width": 640, "height": 360})
    assert page.evaluate("document.documentElement.scrollWidth") == 640
    page.locator(".command").first.scroll_into_view_if_needed()
    expect(page.locator(".command").first).to_be_in_viewport()


@pytest.mark.parametrize("project", ["rte", "form"])
def test_a_phone_shows_everything_without_sideways_scrolling(
    label_site: LabelSite, bob_browser: BrowserContext, project: str
) -> None:
    label_site.define("What is said of one is not said of the other, however near to each other they may be.")
    page = label_site.open(bob_browser, project=project)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    heights = page.locator(".choice:visible").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    item = shown(page)
    if project == "rte":
        box = page.get_by_role("button", name="not entailed").bounding_box()
        assert box is not None
        assert box["y"] > 740 / 2
        page.get_by_role("button", name="not entailed").tap()
        page.wait_for_function("id => document.querySelector('#item').dataset.item !== id", arg=item)
        wait_saved(page)
        assert label_site.answers() == [(item, "not entailed")]


def test_instructions_open_on_the_first_visit_and_once(
    label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    page = label_site.open(bob_browser, greet=True)
    expect(page.get_by_role("dialog", name="Instructions")).to_be_visible()
    with page.expect_response(re.compile("guideline/read$")):
        page.keyboard.press("Escape")
    assert label_site.guideline_read("bob") == 1
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator("#item")).to_be_visible()
    expect(page.get_by_role("dialog", name="Instructions")).to_be_hidden()
    page.keyboard.press("h")
    expect(page.get_by_role("dialog", name="Instructions")).to_be_visible()
    page.keyboard.press("h")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and classes")).to_contain_text(
        "The text does not say enough."
    )


def test_a_waiting_tab_goes_on_where_the_other_stopped(
    page: Page, label_site: LabelSite, bob_browser: BrowserContext
) -> None:
    second = bob_browser.new_page()
    second.goto(page.url)
    expect(second.locator("#passive")).to_be_visible()
    page.bring_to_front()
    seen = [press(page, "1") for _ in range(3)]
    wait_saved(page)
    page.close()
    expect(second.locator("#item")).to_be_visible()
    settle(second)
    seen.append(press(second, "2"))
    wait_saved(second)
    assert len(set(seen)) == 4
    assert [name for _item, name in label_site.answers()] == ["entailed"] * 3 + ["not entailed"]
