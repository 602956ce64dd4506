"""A13 to A17: filters read what they are meant to read, and nothing else."""

from typing import Any

import pytest

from core.models import Project
from tests.conftest import Actors, token_client
from tests.factories.item import make_items
from tests.factories.world import body_of

pytestmark = pytest.mark.django_db
LISTS = (
    "/api/v1/projects",
    "/api/v1/projects/birds",
    "/api/v1/projects/birds/members",
    "/api/v1/projects/birds/invitations",
    "/api/v1/projects/birds/audit",
    "/api/v1/projects/birds/items",
    "/api/v1/projects/birds/batches",
    "/api/v1/projects/birds/assets",
    "/api/v1/projects/birds/imports",
    "/api/v1/projects/birds/guidelines",
    "/api/v1/projects/birds/questions",
    "/api/v1/projects/birds/annotations",
    "/api/v1/projects/birds/labels",
    "/api/v1/projects/birds/agreement",
    "/api/v1/projects/birds/hlp",
    "/api/v1/projects/birds/runs",
    "/api/v1/projects/birds/tags",
    "/api/v1/projects/birds/recent",
    "/api/v1/drafts",
    "/api/v1/tokens",
)
PAGED = [
    name
    for name in LISTS
    if name.rsplit("/", 1)[-1] in {"members", "audit", "items", "assets", "imports", "runs", "tokens"}
]
LEAKS = (
    "created_by__password__startswith=pbkdf2",
    "user__password__startswith=md5",
    "annotator__user__tokens__digest__startswith=0",
    "ordering=user__password",
    "order_by=user__password",
    "fields=owner__auth_token",
    "expand=user",
    "search_fields=user__password",
    "include=user.tokens",
    "_connector=OR",
    "_negated=True",
    "pk__in=1",
    "id=9e999999",
    "meta=x",
    "data__text__regex=(a%2B)%2B%24",
    "id__in=" + "1," * 4000,
    "q=x&q=y",
)


@pytest.mark.parametrize("address", LISTS)
def test_a13_a14_a_filter_that_is_not_listed_is_refused(actors: Actors, address: str) -> None:
    script = token_client(actors.alice)
    for leak in LEAKS:
        answer = script.get(f"{address}?{leak}")
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json"), leak
        assert answer.json()["code"] in {"unknown-filter", "repeated-filter"}, leak


HOSTILE_KEYS: tuple[dict[str, Any], ...] = (
    {"_connector": "OR 1=1 --"},
    {"_negated": True},
    {"owner__password": "x"},
    {"created_by__password__startswith": "pbkdf2"},
    {"__class__": {"__init__": {"__globals__": "x"}}},
    {"__proto__": {"polluted": True}},
    {"constructor": {"prototype": {}}},
    {"pk": 1, "project_id": 2},
)


@pytest.mark.parametrize("keys", HOSTILE_KEYS, ids=lambda keys: next(iter(keys)))
def test_a15_keys_of_a_body_never_become_lookups(actors: Actors, keys: dict[str, Any]) -> None:
    script = token_client(actors.alice)
    before = list(Project.objects.order_by("pk").values())
    settings = script.patch(
        "/api/v1/projects/birds", keys, content_type="application/json", headers={"if-match": '"1"'}
    )
    document = script.post(
        "/api/v1/projects", {"name": "x", "questions": [keys], **keys}, content_type="application/json"
    )
    leases = script.post("/api/v1/projects/birds/leases", keys, content_type="application/json")
    question = script.post("/api/v1/projects/birds/questions", keys, content_type="application/json")

    assert (settings.status_code, document.status_code, question.status_code) == (400, 400, 400)
    assert leases.status_code in {201, 400}
    assert list(Project.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "key", [f"data__{word}" for word in ("text", "regex")] + ["__", "a'b\"c", "a.b", "%s", "$.x"]
)
def test_a15_a_field_of_the_metadata_is_a_name_and_no_path(actors: Actors, key: str) -> None:
    make_items(actors.project, 2)
    answer = token_client(actors.alice).get("/api/v1/projects/birds/items", {f"meta.{key}": "x"})

    assert answer.status_code == 200
    assert answer.json()["results"] == []


def test_a16_a_count_tells_nothing_of_what_is_hidden(actors: Actors) -> None:
    make_items(actors.project, 3)
    script = token_client(actors.alice)
    for hidden in (
        "audit=holdout",
        "position=1",
        "target=1",
        "created_by=1",
        "project=2",
        "batch__project__slug=flowers",
    ):
        answer = script.get(f"/api/v1/projects/birds/items?{hidden}")
        assert answer.status_code == 400
        assert "results" not in answer.json()
    assert token_client(actors.bob).get("/api/v1/projects/birds/items?state=done").status_code == 403


@pytest.mark.parametrize("address", PAGED)
def test_a17_sizes_are_bounded(actors: Actors, address: str) -> None:
    script = token_client(actors.alice)
    for refused in (
        "page_size=1e9",
        "page_size=NaN",
        "page_size=0x10",
        "cursor=-1",
        "cursor=" + "A" * 900,
        "page=-1",
    ):
        assert script.get(f"{address}?{refused}").status_code == 400, refused
    for clamped in ("page_size=1000000000", "page_size=-1", "page_size=0"):
        assert script.get(f"{address}?{clamped}").status_code == 200, clamped


@pytest.mark.parametrize(
    "text", ["(a+)+$", "%%%%%%", "_" * 200, "\\", "'; DROP TABLE core_item; --", "\U0001f426" * 50]
)
def test_a17_a_search_is_for_the_text_itself(actors: Actors, text: str) -> None:
    make_items(actors.project, 3)
    answer = token_client(actors.alice).get("/api/v1/projects/birds/items", {"q": text})

    assert answer.status_code == 200
    assert answer.json()["results"] == []


@pytest.mark.parametrize("name", ["q", "state", "batch", "disagreement_min", "uncertain", "meta.x", "cursor"])
def test_a17_a_megabyte_is_refused(actors: Actors, name: str) -> None:
    answer = token_client(actors.alice).get("/api/v1/projects/birds/items", {name: "a" * 2**20})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "number", ["9e999999", "1e400", "-1", "99999999999999999999", "0x1", "١٢", "1_000", " "]
)
def test_a17_numbers_are_plain_and_small(actors: Actors, number: str) -> None:
    script = token_client(actors.alice)
    for address in (
        f"/api/v1/projects/birds/items?batch={number}",
        f"/api/v1/projects/birds/items?disagreement_min={number}x",
        f"/api/v1/projects/birds/annotations?batch={number}",
        f"/api/v1/projects/birds/agreement?repeat={number}",
    ):
        answer = script.get(address)
        body_of(answer)
        assert answer.status_code == 400, address
    assert script.get(f"/api/v1/projects/birds/batches/{number}").status_code == 404
