"""Items, batches and images over HTTP."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.choices import QuestionKind
from core.models import Item
from tests.conftest import Actors, client_of
from tests.factories.imports import csv_items, import_file, jsonl, png, zipped
from tests.factories.project import make_question

PROJECT = "/api/v1/projects/birds"
URL = f"{PROJECT}/items"


@pytest.fixture
def alice(actors: Actors, media: Any) -> Client:
    """Alice's browser, on a project with five items and some answers."""
    member = actors.membership(actors.alice)
    rows = [
        {"id": "a", "data": {"text": "A red kite"}, "meta": {"lang": "en"}},
        {"id": "b", "data": {"text": "Ein Rotmilan"}, "meta": {"lang": "de", "7": "x"}},
        {"id": "c/1", "data": {"text": '50% "quoted" \\ _'}, "meta": {"lang": "en", "a__b": "y"}},
        {"id": "d", "data": {"text": "Ünïcödé"}, "meta": {"n": 3}},
    ]
    import_file(member, jsonl(rows), name="birds.jsonl")
    import_file(member, csv_items("e"))
    answers = (
        "a,w1,answer,yes\na,w2,answer,no\na,w3,answer,no\na,w4,answer,no\n"
        "b,w1,answer,yes\nb,w2,answer,yes\nd,w1,answer,cannot tell\n"
    )
    import_file(member, f"item_id,annotator,question,label\n{answers}", "annotations")
    return client_of(actors.alice)


def ids(client: Client, **filters: str) -> list[str]:
    response = client.get(URL, filters)
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def test_items_come_in_the_files_order_a_page_at_a_time(alice: Client) -> None:
    first = alice.get(URL, {"page_size": 2}).json()
    assert [row["id"] for row in first["results"]] == ["a", "b"]
    second = alice.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == ["c/1", "d"]
    third = alice.get(second["next"]).json()
    assert ([row["id"] for row in third["results"]], third["next"]) == (["e"], None)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"state": "done"}, ["a", "b", "d"]),
        ({"state": "open"}, ["c/1", "e"]),
        ({"state": "withdrawn"}, []),
        ({"batch": "2"}, ["e"]),
        ({"meta.lang": "en"}, ["a", "c/1"]),
        ({"meta.n": "3"}, ["d"]),
        ({"meta.7": "x"}, ["b"]),
        ({"meta.a__b": "y"}, ["c/1"]),
        ({"meta.nothing": "x"}, []),
        ({"q": "RED"}, ["a"]),
        ({"q": "50%"}, ["c/1"]),
        ({"q": "_"}, ["c/1"]),
        ({"q": '"quoted" \\'}, ["c/1"]),
        ({"q": "Ünïcödé"}, ["d"]),
        ({"q": "e"}, ["a", "b", "c/1", "d", "e"]),
        ({"q": "(a+)+$"}, []),
        ({"disagreement_min": "0.5"}, ["a"]),
        ({"disagreement_min": "0.51"}, []),
        ({"disagreement_min": "0"}, ["a", "b"]),
        ({"uncertain": "true"}, ["d"]),
        ({"uncertain": "false"}, ["a", "b", "c/1", "e"]),
        ({"flagged": "true"}, []),
        ({"meta.lang": "en", "state": "open"}, ["c/1"]),
    ],
)
def test_items_are_filtered(alice: Client, filters: dict[str, str], found: list[str]) -> None:
    names = ids(alice, **filters)
    if filters == {"q": "e"}:  # PostgreSQL also finds names of fields; the id itself is found on both
        assert "e" in names
    else:
        assert names == found


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ({"created_by__password__startswith": "pbkdf2"}, "unknown-filter"),
        ({"ordering": "user__password"}, "unknown-filter"),
        ({"tag": ""}, "bad-filter"),
        ({"split": "train"}, "unknown-filter"),
        ({"state": "odd"}, "bad-filter"),
        ({"batch": "9e9"}, "bad-filter"),
        ({"batch": "99999999999"}, "bad-filter"),
        ({"disagreement_min": "nan"}, "bad-filter"),
        ({"disagreement_min": "1e9"}, "bad-filter"),
        ({"disagreement_min": "2"}, "bad-filter"),
        ({"uncertain": "maybe"}, "bad-filter"),
        ({"q": ""}, "bad-filter"),
        ({"q": "x" * 500}, "bad-filter"),
        ({"meta.": "x"}, "unknown-filter"),
        ({"page_size": "x"}, "bad-page-size"),
        ({"cursor": "forged"}, "bad-cursor"),
    ],
)
def test_what_is_no_filter_is_refused(alice: Client, filters: dict[str, str], code: str) -> None:
    refused = alice.get(URL, filters)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


def test_a_page_of_items_takes_the_same_statements_whatever_its_length(
    alice: Client, django_assert_num_queries: Any
) -> None:
    alice.get(URL)
    with django_assert_num_queries(5):
        alice.get(URL, {"page_size": 1})
    with django_assert_num_queries(5):
        alice.get(URL, {"page_size": 5})


def test_one_item_tells_where_it_came_from_and_what_was_answered(actors: Actors, alice: Client) -> None:
    make_question(actors.project, "parts", ["wing"], kind=QuestionKind.MULTIPLE, required=False)
    import_file(actors.membership(actors.alice), "item_id,question,label\na,answer,no\n", "gold")
    response = alice.get(f"{URL}/a")
    told = response.json()
    assert response["ETag"] == '"1"'
    assert told["provenance"]["file_name"] == "birds.jsonl"
    assert (told["provenance"]["batch"], told["provenance"]["row"]) == (1, 1)
    assert len(told["provenance"]["file_hash"]) == 64
    assert [(one["annotator"], one["answers"]) for one in told["annotations"]] == [
        ("w1", {"answer": "yes"}),
        ("w2", {"answer": "no"}),
        ("w3", {"answer": "no"}),
        ("w4", {"answer": "no"}),
    ]
    assert told["gold"] == {"answer": "no"}
    assert (told["target"], told["done"], told["state"]) == (4, 4, "done")


def test_an_id_with_a_slash_is_found(alice: Client) -> None:
    assert alice.get(f"{URL}/c%2F1").json()["id"] == "c/1"
    assert alice.get(f"{URL}/nothing").status_code == 404


def test_a_correction_needs_the_version_that_was_read(alice: Client) -> None:
    def patch(body: dict[str, Any], **headers: str) -> Any:
        return alice.patch(f"{URL}/a", body, content_type="application/json", headers=headers)

    assert patch({"data": {"text": "x"}}).status_code == 428
    corrected = patch({"data": {"text": "Corrected"}}, if_match='"1"')
    assert (corrected.status_code, corrected["ETag"], corrected.json()["version"]) == (200, '"2"', 2)
    assert corrected.json()["versions"][0]["data"] == {"text": "A red kite"}
    assert [one["item_version"] for one in corrected.json()["annotations"]] == [1, 1, 1, 1]
    stale = patch({"data": {"text": "y"}}, if_match='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert patch({"data": {"text": "y"}}, if_match="other").json()["code"] == "bad-etag"
    assert patch({"id": "z"}, if_match='"2"').json()["code"] == "unknown-field"
    assert patch({"data": []}, if_match='"2"').json()["code"] == "not-an-object"


def test_an_item_is_withdrawn_and_restored(alice: Client) -> None:
    assert alice.post(f"{URL}/e/withdraw").json()["state"] == "withdrawn"
    again = alice.post(f"{URL}/e/withdraw")
    assert (again.status_code, again.json()["code"]) == (409, "item-withdrawn")
    assert alice.post(f"{URL}/e/restore").json()["state"] == "open"
    assert alice.post(f"{URL}/e/return").json()["code"] == "item-not-with-lead"


def test_a_batch_is_given_to_people(actors: Actors, alice: Client) -> None:
    bob = actors.membership(actors.bob)
    assert [batch["number"] for batch in alice.get(f"{PROJECT}/batches").json()] == [1, 2]
    given = alice.patch(f"{PROJECT}/batches/2", {"members": [bob.pk]}, content_type="application/json")
    assert given.json()["members"] == [{"id": bob.pk, "name": "bob"}]
    assert Item.objects.get(external_id="e").pool == Item.objects.get(external_id="e").batch_id
    wrong = alice.patch(f"{PROJECT}/batches/2", {"members": [999999]}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "unknown-member")
    assert alice.get(f"{PROJECT}/batches/9").status_code == 404


def test_reviewers_read_items_and_annotators_do_not(actors: Actors, alice: Client) -> None:
    dave, bob, eve = client_of(actors.dave), client_of(actors.bob), client_of(actors.eve)
    assert [one.get(f"{URL}/a").status_code for one in (dave, bob, eve)] == [200, 403, 404]
    assert dave.post(f"{URL}/a/withdraw").status_code == 403
    assert eve.patch(f"{URL}/a", {}, content_type="application/json").status_code == 404


# --- Images -------------------------------------------------------------------------------------------


def upload(client: Client, archive: bytes) -> Any:
    return client.post(f"{PROJECT}/assets", {"file": SimpleUploadedFile("images.zip", archive)})


def test_images_are_served_by_what_they_are(alice: Client, media: Any) -> None:
    made = upload(alice, zipped({"kites/red.html": png("red"), "blue.png": png("blue")}))
    assert (made.status_code, made.json()["count"]) == (201, 2)
    served = alice.get(f"{PROJECT}/assets/kites%2Fred.html")
    assert served["Content-Type"] == "image/png"
    assert served["X-Content-Type-Options"] == "nosniff"
    assert served["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert served["Cache-Control"] == "private, max-age=86400"
    assert b"".join(served.streaming_content) == png("red")  # type: ignore[attr-defined]
    same = alice.get(f"{PROJECT}/assets/kites%2Fred.html", headers={"if-none-match": served["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_annotators_see_images_and_strangers_do_not(actors: Actors, alice: Client) -> None:
    upload(alice, zipped({"a.png": png()}))
    address = f"{PROJECT}/assets/a.png"
    for user, status in ((actors.bob, 200), (actors.eve, 404), (None, 401)):
        response = client_of(user).get(address)
        assert response.status_code == status
        assert (b"".join(response) == png()) == (status == 200)
    assert client_of(actors.eve).get("/api/v1/projects/flowers/assets/a.png").status_code == 404
    assert alice.get(f"{PROJECT}/assets/..%2F..%2Fdb.sqlite3").status_code == 404


def test_the_same_image_again_is_kept_once_and_another_of_its_name_is_refused(
    alice: Client, media: Any
) -> None:
    upload(alice, zipped({"a.png": png("red")}))
    upload(alice, zipped({"a.png": png("red"), "b.png": png("red")}))
    assert len([path for path in (media / "assets").rglob("*") if path.is_file()]) == 1
    other = upload(alice, zipped({"a.png": png("blue"), "c.png": png("green")}))
    assert (other.status_code, other.json()["code"]) == (409, "asset-exists")
    assert [row["name"] for row in alice.get(f"{PROJECT}/assets").json()["results"]] == ["a.png", "b.png"]
    assert len([path for path in (media / "assets").rglob("*") if path.is_file()]) == 1
