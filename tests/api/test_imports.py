"""Imports over HTTP: upload, look, decide, read what was refused."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from pytest_django import DjangoCaptureOnCommitCallbacks

from core.models import Import, Item, ItemVector
from tests.conftest import Actors, client_of, token_client
from tests.factories.imports import csv_items, import_file

URL = "/api/v1/projects/birds/imports"
Post = Callable[..., Any]


@pytest.fixture
def post(
    actors: Actors, media: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Post:
    """Upload as Alice, with the job run once the upload is durable."""
    client = client_of(actors.alice)

    def upload(content: str | bytes, name: str = "items.csv", url: str = URL, **form: str) -> Any:
        data = content.encode() if isinstance(content, str) else content
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(url, {"file": SimpleUploadedFile(name, data), **form})

    return upload


def test_an_upload_is_answered_with_the_import_and_its_job(actors: Actors, post: Post) -> None:
    sent = post(csv_items("a", "b", "a"), kind="items")
    assert sent.status_code == 202
    assert sent.json()["state"] == "waiting"
    read = client_of(actors.alice).get(f"{URL}/{sent.json()['id']}").json()
    assert (read["state"], read["rows"], read["accepted"], read["rejected"]) == ("published", 3, 2, 1)
    assert read["errors"] == [
        {
            "row": 3,
            "line": 4,
            "column": "id",
            "byte": None,
            "code": "duplicate-id",
            "detail": "An earlier row of this file has this id.",
        }
    ]
    assert read["errors_truncated"] is False
    assert read["report"] == f"{URL}/{read['id']}/errors"
    job = client_of(actors.alice).get(f"/api/v1/jobs/{read['job']}").json()
    assert (job["state"], job["progress"], job["result"]["accepted"]) == ("done", 1.0, 2)


def test_the_same_file_again_is_told(post: Post) -> None:
    first = post(csv_items("a"), kind="items")
    again = post(csv_items("a"), kind="items")
    assert again.status_code == 200
    assert (again.json()["state"], again.json()["error"]["import"]) == ("repeated", first.json()["id"])


def test_columns_and_hold_come_in_the_form(actors: Actors, post: Post) -> None:
    sent = post("nr,text\n1,x\n1,y\n", kind="items", on_error="hold", columns=json.dumps({"id": "nr"}))
    client = client_of(actors.alice)
    assert client.get(f"{URL}/{sent.json()['id']}").json()["state"] == "held"
    accepted = client.post(f"{URL}/{sent.json()['id']}/accept")
    assert (accepted.status_code, accepted.json()["state"]) == (200, "publishing")
    again = client.post(f"{URL}/{sent.json()['id']}/accept")
    assert (again.status_code, again.json()["code"]) == (409, "not-held")


def test_a_held_import_is_discarded(actors: Actors, post: Post) -> None:
    sent = post(csv_items("a", "a"), kind="items", on_error="hold")
    dropped = client_of(actors.alice).post(f"{URL}/{sent.json()['id']}/discard")
    assert dropped.json()["state"] == "discarded"
    assert not Item.objects.exists()


def test_imports_are_listed_newest_first(actors: Actors, post: Post) -> None:
    post(csv_items("a"), name="one.csv", kind="items")
    post(csv_items("b"), name="two.csv", kind="items")
    page = client_of(actors.alice).get(URL, {"page_size": 1}).json()
    assert [row["file_name"] for row in page["results"]] == ["two.csv"]
    following = client_of(actors.alice).get(page["next"]).json()
    assert [row["file_name"] for row in following["results"]] == ["one.csv"]
    assert following["next"] is None


def test_all_refused_rows_come_as_a_file_that_runs_nothing_in_a_spreadsheet(
    actors: Actors, media: Any
) -> None:
    member = actors.membership(actors.alice)
    import_file(member, csv_items("a"))
    rows = "".join(f"=cmd{n},w1,answer,yes\n" for n in range(150))
    source = import_file(member, f"item_id,annotator,question,label\n{rows}a,w1,answer,yes\n", "annotations")
    read = client_of(actors.alice).get(f"{URL}/{source.pk}").json()
    assert (len(read["errors"]), read["errors_truncated"], read["rejected"]) == (100, True, 150)
    response = client_of(actors.alice).get(read["report"])
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == 150
    assert table[0]["row"] == "1"
    assert table[0]["code"] == "unknown-item"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row.values())


def test_a_preview_shows_columns_and_rows_and_keeps_nothing(actors: Actors, post: Post, media: Any) -> None:
    seen = post("Tweet ID;text\n1;Hello\n2;World\n", url=f"{URL}/preview", kind="items")
    assert seen.status_code == 200
    body = seen.json()
    assert (body["format"], body["delimiter"], body["columns"]) == ("csv", ";", ["Tweet ID", "text"])
    assert body["rows"] == [{"Tweet ID": "1", "text": "Hello"}, {"Tweet ID": "2", "text": "World"}]
    assert body["mapping"] == {"id": "Tweet ID"}
    assert not Import.objects.exists()
    assert not (media / "imports").exists()


def test_embeddings_are_uploaded_and_their_faults_told(actors: Actors, post: Post) -> None:
    post(csv_items("a", "b"), kind="items")
    sent = post('item_id,embedding\na,"[0.5, 1]"\nb,"[0.5, x]"\n', "vectors.csv", kind="embeddings")
    read = client_of(actors.alice).get(f"{URL}/{sent.json()['id']}").json()
    assert (read["kind"], read["accepted"], read["replaced"]) == ("embeddings", 1, 0)
    assert [(error["row"], error["column"], error["code"]) for error in read["errors"]] == [
        (2, "embedding", "bad-embedding")
    ]
    assert ItemVector.objects.get().item.external_id == "a"


def test_a_preview_cuts_long_embeddings_short(post: Post) -> None:
    row = {"item_id": "a", "embedding": [0.5] * 1000}
    body = post(f"{json.dumps(row)}\n", "x.jsonl", f"{URL}/preview", kind="embeddings").json()
    assert body["mapping"] == {"item_id": "item_id", "embedding": "embedding"}
    assert body["rows"][0]["embedding"] == [0.5] * 50 + ["…"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "unknown-kind"),
        ({"kind": "labels"}, "unknown-kind"),
        ({"kind": "predictions"}, "run-needed"),
        ({"kind": "predictions", "run": "  "}, "run-needed"),
        ({"kind": "predictions", "run": "x" * 121}, "bad-run"),
        ({"kind": "gold", "run": "baseline"}, "run-not-possible"),
        ({"kind": "embeddings", "run": "baseline"}, "run-not-possible"),
        ({"kind": "items", "format": "xml"}, "unknown-format"),
        ({"kind": "items", "on_error": "ignore"}, "unknown-on-error"),
        ({"kind": "items", "columns": "[1]"}, "bad-columns"),
        ({"kind": "items", "columns": '{"id": 3}'}, "bad-columns"),
        ({"kind": "items", "project": "flowers"}, "unknown-field"),
    ],
)
def test_wrong_fields_are_refused_with_a_code(
    post: Post, media: Any, form: dict[str, str], code: str
) -> None:
    refused = post(csv_items("a"), **form)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert not Import.objects.exists()
    assert not list((media / "imports").iterdir()) if (media / "imports").exists() else True


def test_a_request_without_a_file_is_refused(actors: Actors, media: Any) -> None:
    refused = client_of(actors.alice).post(URL, {"kind": "items"})
    assert (refused.status_code, refused.json()["code"]) == (400, "no-file")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:6379/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]",
        "http://0177.0.0.1",
        "http://2130706433",
        "file:///etc/passwd",
        "gopher://x",
        "ftp://x",
        "data:text/csv,a",
        "http://[::ffff:10.0.0.1]/",
    ],
)
@pytest.mark.parametrize("field", ["url", "file"])
def test_nothing_is_ever_fetched(
    actors: Actors, media: Any, no_network: list[Any], address: str, field: str
) -> None:
    client = client_of(actors.alice)
    for sent in (
        client.post(URL, {"kind": "items", field: address}),
        client.post(URL, {"kind": "items", field: address}, content_type="application/json"),
    ):
        assert (sent.status_code, sent.json()["code"]) == (400, "url-not-allowed")
        assert address not in sent.content.decode()
    assert no_network == []


@override_settings(IMPORT_MAX_BYTES=1000)
def test_a_file_that_is_too_large_is_413(post: Post, media: Any) -> None:
    refused = post(csv_items(*(f"i{n}" for n in range(100))), kind="items")
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")
    assert list((media / "imports").iterdir()) == []


@override_settings(IMPORT_MAX_BYTES=1000)
def test_a_request_that_is_far_too_large_is_refused_before_it_is_read(post: Post, media: Any) -> None:
    refused = post("id,text\n" + "x" * 2_000_000, kind="items")
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")


def test_an_upload_that_breaks_off_leaves_nothing(actors: Actors, media: Any) -> None:
    boundary = "limit"
    whole = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="kind"\r\n\r\nitems\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\n{csv_items(*(f'i{n}' for n in range(500)))}\r\n--{boundary}--\r\n"
    ).encode()

    class Broken(io.BytesIO):
        """A connection that ends after half of what was announced."""

    for client in (client_of(actors.alice), token_client(actors.alice)):
        sent = client.generic(
            "POST",
            URL,
            whole,
            content_type=f"multipart/form-data; boundary={boundary}",
            **{"wsgi.input": Broken(whole[: len(whole) // 2])},  # type: ignore[arg-type]
        )
        assert sent.status_code == 400
        assert not Import.objects.exists()
        assert not (media / "imports").exists()


def test_a_token_needs_the_scope_and_a_stranger_sees_nothing(actors: Actors, media: Any) -> None:
    def status(client: Client) -> int:
        return int(
            client.post(URL, {"kind": "items", "file": SimpleUploadedFile("a.csv", b"text\nx\n")}).status_code
        )

    assert status(token_client(actors.alice, "labels:read")) == 403
    assert status(client_of(actors.bob)) == 403
    assert status(client_of(actors.eve)) == 404
    assert status(client_of()) == 401
    assert status(token_client(actors.alice, "items:write")) == 202


def test_another_projects_import_does_not_exist(actors: Actors, media: Any) -> None:
    source = import_file(actors.membership(actors.alice), csv_items("a"))
    eve = client_of(actors.eve)
    for address in (f"{URL}/{source.pk}", f"/api/v1/projects/flowers/imports/{source.pk}"):
        assert eve.get(address).status_code == 404
        assert eve.get(f"{address}/errors").status_code == 404
        assert eve.post(f"{address}/accept").status_code == 404
    assert eve.get(f"/api/v1/jobs/{source.job_id}").status_code == 404
    assert eve.post(f"/api/v1/jobs/{source.job_id}/cancel").status_code == 404


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("..\\..\\x.csv", "x.csv"),
        ("../../etc/passwd", "passwd"),
        ("a\u202ecsv.exe", "acsv.exe"),
    ],
)
def test_a_file_name_is_only_a_name(actors: Actors, media: Any, sent: str, kept: str) -> None:
    source = import_file(actors.membership(actors.alice), csv_items("a"), name=sent)
    assert source.file_name == kept
    assert (media / "imports").resolve().parent == media.resolve()
