"""What labeling feels like: the label page in a headless Chromium against a real server of its own.

    python -m benchmarks.label_page [--items 1000] [--answers 30] [--json]

One project, four classes, texts of 200 characters, embedded database, gunicorn, no network delay. Prints the
figures of the issue beside their limits and ends with 1 when one is missed. Requests are counted by the server's
own log, so those of the service worker count too; times are taken in the page from the key event to the paint.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
django.setup()

from django.conf import settings  # noqa: E402 -- needs the settings
from playwright.sync_api import BrowserContext, Page, Request, expect, sync_playwright  # noqa: E402

from tests.journeys.label_site import PAINTED, LabelSite  # noqa: E402

CLASSES = {"1": "entailed", "2": "not entailed", "3": "contradicted", "0": "cannot tell"}
# Notes for every key the time of its event, and when the next text was in the page and on the screen.
STOPWATCH = """() => {
  window.taken = [];
  let pressed = null;
  addEventListener("keydown", event => { pressed = event.timeStamp }, {capture: true});
  new MutationObserver(() => {
    if (pressed === null) return;
    const key = pressed, inPage = performance.now() - key;
    pressed = null;
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => window.taken.push([inPage, performance.now() - key]);
      after.port2.postMessage(null);
    });
  }).observe(document.querySelector("#item"), {subtree: true, childList: true, characterData: true});
}"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result; without a limit it is only told."""

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    exact: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value keeps to its limit (or equals it)."""
        if self.limit is None:
            return True
        return self.value == self.limit if self.exact else self.value <= self.limit


class Server:
    """gunicorn on a free port, with its access log."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "access.log"
        words = [sys.executable, "-m", "gunicorn", "labelapp.wsgi", "--bind", f"127.0.0.1:{self.port}"]
        words += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--keep-alive", "30"]
        words += ["--access-logfile", str(self.log), "--access-logformat", "%(m)s %(U)s %(s)s %(B)s"]
        environment = os.environ | {
            "LABELAPP_DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": "labelapp.settings",
        }
        self.process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit("the server did not start")

    def lines(self) -> list[str]:
        """All requests so far."""
        time.sleep(0.3)  # gunicorn writes its log after the reply
        return self.log.read_text().splitlines()

    def weight(self, line: list[str]) -> int:
        """Bytes of a logged reply. The log has none for files, so these are fetched as a browser would."""
        method, path, _status, size = line
        if method != "GET" or not path.startswith("/static/"):
            return int(size)
        request = urllib.request.Request(self.url + path, headers={"Accept-Encoding": "gzip, br"})
        with urllib.request.urlopen(request) as reply:
            return len(reply.read())

    def warm_up(self) -> None:
        """Let both processes load their code: the first visitor after a start is not what is measured."""
        for _ in range(20):
            with urllib.request.urlopen(f"{self.url}/sign-in") as reply:
                reply.read()

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(10)


@contextmanager
def first_visit(site: LabelSite, name: str, browser_path: str) -> Iterator[tuple[BrowserContext, Page]]:
    """A browser that has never been here, with somebody signed in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        site.sign_in(context, name)
        yield context, context.new_page()
        browser.close()


def measure_first_load(site: LabelSite, server: Server, page: Page) -> list[Figure]:
    """Requests and kB from nothing to an item that can be answered and reloaded without a network."""
    before = len(server.lines())
    begin = time.perf_counter()
    page.goto(f"{site.url}/projects/rte/label/")
    page.locator("#item").wait_for()
    shown = (time.perf_counter() - begin) * 1000
    site.wait_for_shell(page)
    requests = [line.split() for line in server.lines()[before:]]
    return [
        Figure("first load: requests", len(requests), "", 12),
        Figure("first load", round(sum(map(server.weight, requests)) / 1000, 1), "kB", 150),
        Figure("first load: time to the first text", round(shown), "ms"),
    ]


def start(page: Page) -> None:
    """Close the instructions and wait until the item has been painted."""
    page.keyboard.press("Escape")
    page.evaluate(PAINTED)


def measure_answers(site: LabelSite, page: Page, n: int) -> list[Figure]:
    """Keys, delays, requests and bytes of ``n`` items answered one after another."""
    sent: list[Request] = []

    def note(request: Request) -> None:
        sent.append(request)

    page.on("request", note)
    page.evaluate(STOPWATCH)
    stored = len(site.answers())
    for place in range(n):
        page.keyboard.press("1230"[place % 4])
        page.wait_for_timeout(250)
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved")
    taken: list[list[float]] = page.evaluate("window.taken")
    sizes = [request.sizes() for request in sent]
    out = max(size["requestHeadersSize"] + size["requestBodySize"] for size in sizes)
    back = max(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes)
    in_page, painted = ([pair[part] for pair in taken] for part in (0, 1))
    answered = len(site.answers()) - stored
    return [
        Figure("keys per item", n / answered if answered else 0, "", 1, exact=True),
        Figure("key to next text in the page, p50", round(median(in_page), 1), "ms"),
        Figure("key to next text in the page, p95", round(quantiles(in_page, n=20)[-1], 1), "ms"),
        Figure("key to next text painted, p50", round(median(painted), 1), "ms"),
        Figure("key to next text painted, p95", round(quantiles(painted, n=20)[-1], 1), "ms", 35),
        Figure("requests per item", len(sent) / n, "", 1, exact=True),
        Figure("per item, largest request", out, "bytes", 2048),
        Figure("per item, largest reply", back, "bytes", 2048),
    ]


def measure_offline(site: LabelSite, context: BrowserContext, page: Page) -> list[Figure]:
    """Twenty answers through a cut network, with a reload in the middle."""
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Work offline").click()
    expect(page.locator("#work-offline")).to_contain_text("20 items at hand")
    page.keyboard.press("Escape")
    stored = len(site.answers())
    context.set_offline(True)
    for place in range(20):
        if place == 10:
            page.reload()
            page.locator("#item").wait_for()
            page.evaluate(PAINTED)
        page.keyboard.press("1230"[place % 4])
        page.wait_for_timeout(120)
    expect(page.locator("#status-text")).to_have_text("offline · 20 waiting")
    context.set_offline(False)
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved", timeout=30_000)
    new = site.answers()[stored:]
    right = sum(name == CLASSES["1230"[place % 4]] for place, (_item, name) in enumerate(new))
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Working offline").click()
    page.keyboard.press("Escape")
    return [
        Figure("offline with a reload: of 20, kept and right", right, "", 20, exact=True),
        Figure("offline with a reload: of 20, stored", len(new), "", 20, exact=True),
    ]


def measure_typing(site: LabelSite, page: Page) -> list[Figure]:
    """Blind typing, doubled keys, held keys, and sending nothing."""
    keys = "12312013111122203321"
    stored = len(site.answers())
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved")
    typed = site.answers()[stored:]
    right = sum(name == CLASSES[key] for key, (_item, name) in zip(keys, typed, strict=False))
    stored = len(site.answers())
    for _ in range(10):
        page.keyboard.press("1")
        page.keyboard.press("1")
        page.wait_for_timeout(200)
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved")
    doubled = len(site.answers()) - stored
    stored = len(site.answers())
    for _ in range(30):
        page.keyboard.down("1")
        page.wait_for_timeout(33)
    page.keyboard.up("1")
    expect(page.locator("#status-button")).to_have_attribute("data-state", "saved")
    held = len(site.answers()) - stored
    return [
        Figure("blind typing of 20 items at 200 ms: right", right, "", 20, exact=True),
        Figure("10 doubled keys: answers", doubled, "", 10, exact=True),
        Figure("a key held for a second: answers", held, "", 1, exact=True),
    ]


def measure_empty(site: LabelSite, page: Page) -> list[Figure]:
    """Enter on an untouched form."""
    page.goto(f"{site.url}/projects/form/label/")
    page.locator("#item").wait_for()
    start(page)
    for _ in range(3):
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
    site.project = site.form
    return [Figure("an untouched form sent three times: answers", len(site.answers()), "", 0, exact=True)]


def main() -> int:
    """Measure, print, and tell whether every limit was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    browser = os.environ.get("LABELAPP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        raise SystemExit("no chromium on this machine")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    server = Server(Path(settings.DATA_DIR))
    try:
        server.warm_up()
        site = LabelSite(server.url, options.items)
        with first_visit(site, "bob", browser) as (context, page):
            figures = measure_first_load(site, server, page)
            start(page)
            figures += measure_answers(site, page, options.answers)
            figures += measure_offline(site, context, page)
            figures += measure_typing(site, page)
            figures += measure_empty(site, page)
    finally:
        server.stop()
    if options.json:
        print(json.dumps([asdict(figure) | {"met": figure.is_met} for figure in figures], indent=1))
    else:
        for figure in figures:
            sign = "" if figure.limit is None else f"{'=' if figure.exact else '≤'} {figure.limit:g}"
            state = "" if figure.limit is None else "met" if figure.is_met else "MISSED"
            print(f"{figure.name:<46} {figure.value:>9g} {figure.unit:<6} {sign:<8} {state}")
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
