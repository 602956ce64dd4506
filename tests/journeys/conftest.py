"""A real Chromium for the journeys, and the people's windows in it."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.journeys.label_site import LabelSite

QUIET_LOOKS = 5  # of a hundredth of a second each: a request that has arrived is being answered by then
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless; without one these tests are skipped by name."""
    path = os.environ.get("LABELAPP_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        pytest.skip("no chromium on this machine")
    # Playwright's loop lives in this thread, which makes Django take every query for one from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def answering() -> Iterator[set[int]]:
    """The threads that are answering a request just now, by their identifiers."""
    threads: set[int] = set()

    def begun(**_told: Any) -> None:
        threads.add(threading.get_ident())

    def ended(**_told: Any) -> None:
        threads.discard(threading.get_ident())

    request_started.connect(begun)
    request_finished.connect(ended)
    yield threads
    request_started.disconnect(begun)
    request_finished.disconnect(ended)


@pytest.fixture(autouse=True)
def all_requests_ended(request: pytest.FixtureRequest, answering: set[int]) -> Iterator[None]:
    """The tables are emptied when no request of a closed browser is being answered any more."""
    if "live_server" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("transactional_db")
    server = request.getfixturevalue("live_server").thread
    yield
    # Connections are accepted in their order: when this one is closed, all earlier ones have their thread.
    with socket.create_connection((server.host, server.port), timeout=30) as last:
        last.shutdown(socket.SHUT_WR)
        last.recv(1)
    quiet, until = 0, time.monotonic() + 30
    while quiet < QUIET_LOOKS and time.monotonic() < until:
        time.sleep(0.01)
        alive = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        quiet = 0 if answering & alive else quiet + 1
    assert quiet == QUIET_LOOKS, "a request is being answered for half a minute"


@pytest.fixture
def label_site(live_server: LiveServer) -> LabelSite:
    """A running server with two projects to label, and what it has stored."""
    return LabelSite(live_server.url)


@pytest.fixture
def bob_browser(chromium: Browser, label_site: LabelSite) -> Iterator[BrowserContext]:
    """Bob's window, signed in. Any error of a script, and any word on the console, fails the test."""
    context = chromium.new_context(has_touch=True)
    context.set_default_timeout(10_000)
    errors: list[str] = []
    context.on("weberror", lambda problem: errors.append(str(problem.error)))
    context.on("console", lambda message: errors.append(message.text))
    label_site.sign_in(context, "bob")
    yield context
    context.close()
    assert [error for error in errors if "Failed to load resource" not in error] == []
