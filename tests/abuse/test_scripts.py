"""A7 to A12: nothing that somebody wrote, named or uploaded ever runs in somebody else's browser."""

import io
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from core.access import ROUTES
from core.models import Import, Project
from tests.conftest import Actors, client_of, token_client
from tests.factories.world import ALL, NAMES, PAYLOAD, PICTURE, World, body_of, plant_everywhere

pytestmark = pytest.mark.django_db
HARMLESS_TYPES = {
    *("application/json", "application/problem+json", "application/x-ndjson", "application/jsonl"),
    *("text/csv", "application/vnd.apache.parquet", "application/zip", "image/png"),
}


class Dangers(HTMLParser):
    """Collects what would run: inline scripts and styles, event handlers, script addresses, planted elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.seen: set[str] = set()
        self._script: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name, value in attrs:
            if name.startswith(("on", "hx-on")) or name == "style":
                self.found.append(f"{tag} {name}={value}")
            if (value or "").strip().lower().startswith(("javascript:", "data:text")):
                self.found.append(f"{tag} {name}={value}")
        if tag in {"iframe", "object", "embed", "base", "style"} or given.get("src") == "x":
            self.found.append(tag)
        if tag == "script":
            self._script = given

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None and self._script.get("type") != "application/json" and data.strip():
            self.found.append(f"inline script: {data[:80]}")


def dangers_in(text: str) -> list[str]:
    """What would run in a page."""
    parser = Dangers()
    parser.feed(text)
    parser.close()
    return parser.found


def test_the_search_finds_what_is_planted() -> None:
    assert len(dangers_in(PAYLOAD)) == 4
    assert dangers_in('<a href="javascript:alert(1)">x</a><p style="a">') != []


@pytest.fixture
def hostile(world: World) -> World:
    """The world with a script in everything that somebody can name or write."""
    plant_everywhere(world, PAYLOAD)
    return world


def text_of(answer: Any) -> str:
    """A body to its end."""
    return body_of(answer).decode(errors="replace")


def gets(world: World, who: str, query: str = "", *, api: bool) -> Iterator[tuple[str, Any]]:
    """Every page or every API address, asked for by somebody."""
    client = client_of(world.people[who])
    for name in ALL:
        if name.startswith("api:") == api and "GET" in ROUTES.get(name, {}):
            address = reverse(name, kwargs=world.values(who, name)) + query
            yield address, client.get(address, headers={"accept": "text/html"})


def problems_of(pages: Iterator[tuple[str, Any]]) -> list[str]:
    """What would run in any of these pages, and pages that the browser is not told to guard."""
    wrong = []
    for address, page in pages:
        body = text_of(page)
        if page.headers.get("Content-Type", "").startswith("text/html"):
            wrong += [f"{address}: {danger}" for danger in dangers_in(body)]
            policy = page.headers.get("Content-Security-Policy", "")
            if (
                "unsafe" in policy
                or "frame-ancestors 'none'" not in policy
                or "object-src 'none'" not in policy
            ):
                wrong.append(f"{address}: policy {policy!r}")
        if page.headers.get("X-Content-Type-Options") != "nosniff":
            wrong.append(f"{address}: no nosniff")
    return wrong


@pytest.mark.parametrize("who", ["owner", "reviewer", "annotator", "anonymous"])
def test_a7_what_people_write_is_shown_and_never_runs(hostile: World, who: str) -> None:
    assert problems_of(gets(hostile, who, api=False)) == []


def test_a7_it_is_shown_literally(hostile: World) -> None:
    pages = dict(gets(hostile, "owner", api=False))

    people = text_of(pages["/projects/birds/people"])
    assert "&lt;img src=x onerror=__xss=1&gt;" in people
    assert "{{7*7}}${7*7}" in people
    assert ">49<" not in people


@pytest.mark.parametrize("name", ["q", "state", "question", "level", "next", "page", "cursor", "anything"])
def test_a8_what_is_in_the_address_never_runs(world: World, name: str) -> None:
    assert problems_of(gets(world, "owner", f"?{name}={quote(PAYLOAD)}", api=False)) == []


def test_a8_what_is_posted_back_never_runs(world: World) -> None:
    browser = client_of(world.people["owner"])
    names = (
        "username",
        "display_name",
        "name",
        "slug",
        "note",
        "role",
        "days",
        "title",
        "text",
        "key",
        "document",
    )
    wrong = []
    for name in ALL:
        if not name.startswith("api:") and "POST" in ROUTES.get(name, {}) and name != "sign_out":
            address = reverse(name, kwargs=world.values("owner", name))
            answer = browser.post(address, dict.fromkeys(names, PAYLOAD))
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                wrong += [f"{address}: {danger}" for danger in dangers_in(text_of(answer))]
            browser = client_of(world.people["owner"])
    assert wrong == []


def archive(**files: bytes) -> SimpleUploadedFile:
    """A zip that claims to be a page."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, data in files.items():
            made.writestr(zipfile.ZipInfo(name), data)
    return SimpleUploadedFile("x.html", packed.getvalue(), content_type="text/html")


@pytest.mark.parametrize(
    "data",
    [
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        PICTURE + b"<html><script>alert(1)</script></html>",
        b"GIF89a<script>alert(1)</script>",
        b"%PDF-1.7 /JS (app.alert(1))",
    ],
)
def test_a9_only_real_pictures_are_taken(actors: Actors, media: Any, data: bytes) -> None:
    for name in ("page.html", "page.svg", "page.png"):
        answer = token_client(actors.alice).post(
            "/api/v1/projects/birds/assets", {"file": archive(**{name: data})}
        )
        assert answer.status_code == 400
    assert not actors.project.assets.exists()


def test_a9_a_picture_is_served_as_one_whatever_it_is_called(actors: Actors, media: Any) -> None:
    script = token_client(actors.alice)
    script.post("/api/v1/projects/birds/assets", {"file": archive(**{"page.html": PICTURE})})

    shown = script.get("/api/v1/projects/birds/assets/page.html", headers={"accept": "text/html"})

    text_of(shown)
    assert shown["Content-Type"] == "image/png"
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in shown["Content-Security-Policy"]


@pytest.mark.parametrize(
    "name", ["a.png\0.html", "..\\x.png", "../x.png", "/x.png", 'x"\r\nSet-Cookie: a=b.png', "C:\\x.png"]
)
def test_a10_names_of_files_are_only_names(actors: Actors, media: Any, name: str) -> None:
    script = token_client(actors.alice)
    answer = script.post("/api/v1/projects/birds/assets", {"file": archive(**{name: PICTURE})})

    assert answer.status_code in {201, 400}
    for asset in answer.json().get("results", []):
        shown = script.get(f"/api/v1/projects/birds/assets/{quote(asset['name'])}")
        text_of(shown)
        assert "Set-Cookie" not in shown.headers
        assert not set(shown.headers.get("Content-Disposition", "")) & {"\r", "\n", "\0"}
    assert [path.name for path in media.rglob("*") if path.is_file() and path.name not in _digests()] == []
    assert not list(media.parent.glob("x.png"))


def _digests() -> set[str]:
    return set(Project.objects.get(slug="birds").assets.values_list("sha256", flat=True))


@pytest.mark.parametrize(
    "name", ['items"\r\nSet-Cookie: a=b.csv', "../../items.csv", "..\\items.csv", "<script>.csv"]
)
def test_a10_an_import_keeps_a_name_and_no_path(actors: Actors, media: Any, name: str) -> None:
    upload = SimpleUploadedFile("items.csv", b"id,text\n1,Hello\n", content_type="text/html")
    vars(upload)["_name"] = name  # a browser may send anything

    answer = token_client(actors.alice).post(
        "/api/v1/projects/birds/imports", {"file": upload, "kind": "items"}
    )

    assert answer.status_code == 202
    source = Import.objects.get()
    assert not {"/", "\\", "\r", "\n", "\0"} & set(source.file_name)
    assert ".." not in source.file
    report = token_client(actors.alice).get(f"/api/v1/projects/birds/imports/{source.pk}/errors")
    text_of(report)
    assert report["Content-Disposition"] == f'attachment; filename="import-{source.pk}-errors.csv"'


def test_a11_data_for_scripts_cannot_leave_its_element(hostile: World) -> None:
    for who in ("annotator", "owner"):
        page = text_of(client_of(hostile.people[who]).get("/projects/birds/label/"))
        assert dangers_in(page) == []
        assert "</script><script>" not in page
        assert "\\u003C/script\\u003E" in page


def test_a12_the_api_is_never_a_page(hostile: World) -> None:
    for who in ("owner", "annotator", "stranger", "anonymous"):
        for query in ("", f"?q={quote(PAYLOAD)}", f"?format={quote(PAYLOAD)}"):
            for address, answer in gets(hostile, who, query, api=True):
                text_of(answer)
                kind = answer.headers["Content-Type"].split(";")[0]
                assert kind in HARMLESS_TYPES, address
                assert answer.headers["X-Content-Type-Options"] == "nosniff", address


@pytest.mark.parametrize(
    "address",
    ["/api/v1/<script>", "/api/v1/projects/<svg>", "/api/v1/projects/birds/items/<img src=x>", "/api/<x>"],
)
def test_a12_nor_are_its_refusals(actors: Actors, address: str) -> None:
    for client in (Client(), token_client(actors.alice)):
        for method in ("get", "post", "put", "delete"):
            answer = getattr(client, method)(address, headers={"accept": "text/html"})
            assert answer.status_code in {401, 404, 405}
            assert answer["Content-Type"] == "application/problem+json"


def test_every_name_in_the_world_is_used() -> None:
    assert set(NAMES) <= set(ALL)
