"""A18 to A20: a name never becomes a path."""

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.models import Annotation, Answer, Item
from tests.conftest import Actors, client_of, token_client
from tests.factories.item import make_items
from tests.factories.world import PICTURE, body_of

pytestmark = pytest.mark.django_db


def archive(*members: zipfile.ZipInfo) -> SimpleUploadedFile:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for member in members:
            made.writestr(member, PICTURE)
    return SimpleUploadedFile("pictures.zip", packed.getvalue(), content_type="application/zip")


def link() -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("link.png")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "members",
    [
        [zipfile.ZipInfo("../../app/settings.py")],
        [zipfile.ZipInfo("/etc/passwd.png")],
        [zipfile.ZipInfo("C:/x.png")],
        [zipfile.ZipInfo("C:\\x.png")],
        [zipfile.ZipInfo("a/../../x.png")],
        [zipfile.ZipInfo("a//x.png")],
        [link()],
    ],
    ids=lambda members: members[0].filename,
)
def test_a18_an_archive_writes_nothing_outside(
    actors: Actors, media: Path, members: list[zipfile.ZipInfo]
) -> None:
    answer = token_client(actors.alice).post("/api/v1/projects/birds/assets", {"file": archive(*members)})

    assert (answer.status_code, answer.json()["code"]) in {(400, "unsafe-path"), (400, "special-member")}
    assert [path for path in media.parent.rglob("*") if path.is_file()] == []
    assert not actors.project.assets.exists()


def test_a18_an_entry_stands_once(actors: Actors, media: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(zipfile.ZipInfo("x.png"), zipfile.ZipInfo("x.png"))
    answer = token_client(actors.alice).post("/api/v1/projects/birds/assets", {"file": twice})

    assert (answer.status_code, answer.json()["code"]) == (400, "duplicate-member")


@pytest.mark.parametrize(
    "name", ["../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..%2f..%2fx", "\\\\host\\x"]
)
def test_a19_what_an_item_names_is_exported_as_it_stands_and_never_opened(
    actors: Actors, media: Path, name: str
) -> None:
    (item,) = make_items(actors.project, 1)
    Item.objects.filter(pk=item.pk).update(data={"image": name})
    actors.project.display = {"image": "image"}
    actors.project.save()
    question = actors.project.questions.get()
    annotation = Annotation.objects.create(
        item=item, annotator=actors.membership(actors.bob), guideline=actors.project.guidelines.get()
    )
    Answer.objects.create(annotation=annotation, question=question, label_class=question.classes.first())
    script = token_client(actors.alice)

    shown = script.get("/api/v1/projects/birds/items/item-1").json()
    assert shown["data"] == {"image": name}
    (lease,) = script.post(
        "/api/v1/projects/birds/leases", {"count": 1}, content_type="application/json"
    ).json()["leases"]
    address = lease["item"]["display"][0]["url"]
    assert script.get(address).status_code == 404
    for what in ("annotations", "labels"):
        answer = script.get(f"/api/v1/projects/birds/{what}?format=jsonl")
        assert b"root:" not in body_of(answer)


@pytest.mark.parametrize(
    "address",
    [
        "/static../labelapp/settings.py",
        "/static/../labelapp/settings.py",
        "/static/%2e%2e/labelapp/settings.py",
        "/static/..%2flabelapp/settings.py",
        "/static//etc/passwd",
        "/media/../labelapp/settings.py",
        "/media/",
        "/files/",
        "/data/secret_key",
        "/secret_key",
        "/labelapp.sqlite3",
        "/.git/config",
        "/.env",
        "/api/v1/projects/birds/assets/../../../../labelapp/settings.py",
        "/api/v1/projects/birds/assets/%2e%2e%2f%2e%2e%2fsecret_key",
        "/api/v1/projects/birds/imports/1/../../../../etc/passwd",
        "/projects/birds/agreement/..%2f..%2fx.csv",
    ],
)
def test_a20_nothing_is_served_by_path(actors: Actors, address: str) -> None:
    for client in (Client(), client_of(actors.alice), token_client(actors.alice)):
        answer = client.get(address)
        assert answer.status_code in {401, 404}, address
        body = body_of(answer)
        assert b"SECRET" not in body
        assert b"root:" not in body


def test_a20_an_import_cannot_name_a_file_of_the_server(actors: Actors, media: Any) -> None:
    script = token_client(actors.alice)
    for field in ("path", "file", "url", "file_url", "storage", "endpoint"):
        answer = script.post(
            "/api/v1/projects/birds/imports",
            {"kind": "items", field: "/etc/passwd"},
        )
        assert answer.status_code == 400
        as_json = script.post(
            "/api/v1/projects/birds/imports",
            json.dumps({"kind": "items", field: "/etc/passwd"}),
            content_type="application/json",
        )
        assert as_json.status_code in {400, 415}
