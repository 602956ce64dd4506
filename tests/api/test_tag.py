"""Tags over HTTP: put on, taken off, listed, and as a filter of items."""

from typing import Any

import pytest

from tests.conftest import Actors, client_of, token_client
from tests.factories.answers import make_items

URL = "/api/v1/projects/birds/tags"
ITEMS = "/api/v1/projects/birds/items"


@pytest.fixture
def dave(actors: Actors) -> Any:
    """A reviewer's browser, in a project with the items a, b and c."""
    make_items(actors.project, "a", "b", "c")
    return client_of(actors.dave)


def send(client: Any, method: str, **body: Any) -> Any:
    return getattr(client, method)(URL, body, content_type="application/json")


def test_tags_are_put_on_listed_and_taken_off(dave: Any) -> None:
    assert send(dave, "post", name="Blurry", items=["a", "b"]).json() == {"name": "Blurry", "changed": 2}
    assert send(dave, "post", name="dark", items=["b"]).json() == {"name": "dark", "changed": 1}
    assert dave.get(URL).json() == [{"name": "Blurry", "n_items": 2}, {"name": "dark", "n_items": 1}]
    assert send(dave, "delete", name="blurry", items=["a"]).json() == {"name": "Blurry", "changed": 1}
    assert dave.get(f"{ITEMS}/b").json()["tags"] == ["Blurry", "dark"]
    assert [row["tags"] for row in dave.get(ITEMS).json()["results"]] == [[], ["Blurry", "dark"], []]


def test_items_are_filtered_by_tag(dave: Any) -> None:
    send(dave, "post", name="Blurry", items=["a", "c"])
    found = dave.get(ITEMS, {"tag": "BLURRY"}).json()["results"]
    assert [row["id"] for row in found] == ["a", "c"]
    assert dave.get(ITEMS, {"tag": "unknown"}).json()["results"] == []


def test_unknown_items_and_fields_are_refused(dave: Any) -> None:
    refused = send(dave, "post", name="blurry", items=["a", "z"])
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown-item")
    assert [row["pointer"] for row in refused.json()["errors"]] == ["/items/1"]
    assert send(dave, "post", name="blurry", items=["a"], colour="red").json()["code"] == "unknown-field"
    assert dave.get(URL).json() == []


def test_annotators_and_tokens_for_reading_tag_nothing(actors: Actors, dave: Any) -> None:
    assert send(client_of(actors.bob), "post", name="blurry", items=["a"]).status_code == 403
    reader = token_client(actors.dave, "labels:read")
    assert send(reader, "post", name="blurry", items=["a"]).status_code == 403
    assert reader.get(URL).json() == []
