"""A7: a real browser walks every page while a script is planted in everything that people can write."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page
from pytest_django.live_server_helper import LiveServer

from core.access import ROUTES
from tests.conftest import client_of
from tests.factories.world import ALL, PAYLOAD, World, plant_everywhere

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Not pages, and a link that works once.
OTHERS = {"service_worker", "metrics", "livez", "readyz", "first_sign_in"}


@pytest.mark.parametrize("who", ["owner", "annotator"])
def test_a7_no_script_runs_on_any_page(
    chromium: Browser, live_server: LiveServer, world: World, who: str, media: Path
) -> None:
    plant_everywhere(world, PAYLOAD)
    context = chromium.new_context()
    client = client_of(world.people[who])
    signed_in = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": signed_in, "url": live_server.url}])
    told: list[str] = []
    page = context.new_page()
    page.on("dialog", lambda dialog: _refuse(dialog, told))
    page.on("console", lambda message: _note(message, told))
    walked = 0
    for name in ALL:
        if name.startswith("api:") or "GET" not in ROUTES[name] or name in OTHERS:
            continue
        address = reverse(name, kwargs=world.values(who, name))
        file = client.get(address)
        if "attachment" in file.headers.get("Content-Disposition", ""):  # kept on disk: nothing may run there
            if file.headers["Content-Type"].startswith("image/svg"):
                told += [
                    f"{name}: {word}" for word in ("<script", " on", "javascript:") if word in _inside(file)
                ]
            continue
        answer = page.goto(live_server.url + address)
        if answer is not None and answer.ok:
            walked += 1
            told += [f"{name}: {what}" for what in _ran(page)]
    context.close()

    assert told == []
    assert walked > (20 if who == "owner" else 8)


def _inside(file: Any) -> str:
    """The tags of a picture, without the texts between them."""
    return " ".join(re.findall("<[^>]*>", b"".join(file).decode()))


def _refuse(dialog: Dialog, told: list[str]) -> None:
    told.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _note(message: ConsoleMessage, told: list[str]) -> None:
    if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
        told.append(message.text[:300])


def _ran(page: Page) -> list[Any]:
    """What a planted script would leave behind."""
    found: list[Any] = page.evaluate(
        """() => [
          ...(window.__xss === undefined ? [] : ["a script ran"]),
          ...[...document.querySelectorAll("img[src='x'], [onerror], [onload], [onclick]")].map(e => e.outerHTML),
          ...[...document.querySelectorAll("a")].map(e => e.href).filter(h => h.startsWith("javascript:")),
        ]"""
    )
    return found
