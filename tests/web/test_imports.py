"""Import pages: from a file through its first rows to a decision, and who may have a batch."""

from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from core.choices import ImportState
from core.models import Asset, Import, Item, ItemVector, Prediction
from core.pipelines.job import run_job
from core.services.imports import import_folder
from core.services.job import reap
from core.services.lease import hand_out
from tests.conftest import Actors, client_of
from tests.factories.imports import import_file, png, zipped

CSV = "uid;sound;place\nb1;tweet;forest\nb2;chirp;garden\nb2;kra;sea\n"


@pytest.fixture(autouse=True)
def _files(media: Any) -> None:
    """Uploads of these tests go to a folder of their own."""


def upload(client: Client, content: str | bytes, name: str = "birds.csv", **fields: str) -> HttpResponse:
    """Send the upload form of the project birds."""
    data = content.encode() if isinstance(content, str) else content
    sent = {"kind": "items", "format": "", "encoding": "", **fields, "file": SimpleUploadedFile(name, data)}
    return client.post(reverse("import_new", args=["birds"]), sent)  # type: ignore[return-value]


def look(client: Client, content: str | bytes, name: str = "birds.csv", **fields: str) -> Any:
    """Upload a file and open the page of its first rows."""
    sent = upload(client, content, name, **fields)
    assert sent.status_code == 302, sent.text
    return client.get(sent["Location"])


def start(client: Client, page: Any, **roles: str) -> Import:
    """Start the import that a page of first rows proposes, and run its job."""
    form = page.context["form"]
    sent = {name: form[name].value() for name in form.fields} | {"upload": page.context["token"]} | roles
    response = client.post(reverse("import_columns", args=["birds"]), sent)
    assert response.status_code == 302, response.text
    source = Import.objects.get(pk=int(response["Location"].rsplit("/", 1)[-1]))
    if source.job_id:
        run_job(UUID(str(source.job_id)))
        source.refresh_from_db()
    return source


def test_the_first_rows_are_shown_and_the_columns_guessed(actors: Actors) -> None:
    page = look(client_of(actors.alice), CSV)
    form = page.context["form"]
    assert [(form[name].label, form[name].value()) for name in form.fields] == [
        ("uid", "id"),
        ("sound", "data"),
        ("place", "data"),
    ]
    assert page.context["preview"].rows[0] == ["b1", "tweet", "forest"]
    assert Import.objects.count() == 0


def test_a_held_import_is_published_when_the_lead_says_so(actors: Actors) -> None:
    alice = client_of(actors.alice)
    source = start(alice, look(alice, CSV), **{"role-2": "meta"})
    assert (source.state, source.rows, source.accepted, source.rejected) == (ImportState.HELD, 3, 2, 1)
    assert [path.name for path in import_folder().iterdir()] == [source.file]
    page = alice.get(reverse("import", args=["birds", source.pk]))
    assert "1 row was refused, 2 can be published. Nothing is published yet." in page.text
    assert "duplicate-id" in page.text
    assert Item.objects.filter(project=actors.project).count() == 0
    alice.post(reverse("import_accept", args=["birds", source.pk]))
    source.refresh_from_db()
    run_job(UUID(str(source.job_id)))
    items = Item.objects.filter(project=actors.project).order_by("pk")
    assert list(items.values_list("external_id", "data", "meta")) == [
        ("b1", {"sound": "tweet"}, {"place": "forest"}),
        ("b2", {"sound": "chirp"}, {"place": "garden"}),
    ]
    published = alice.get(reverse("import", args=["birds", source.pk]))
    assert "2 rows are published." in published.text
    again = alice.post(reverse("import_accept", args=["birds", source.pk]), follow=True)
    assert "This import is published, not held for a decision." in again.text


def test_a_discarded_import_leaves_nothing(actors: Actors, django_capture_on_commit_callbacks: Any) -> None:
    alice = client_of(actors.alice)
    source = start(alice, look(alice, CSV))
    with django_capture_on_commit_callbacks(execute=True):
        response = alice.post(reverse("import_discard", args=["birds", source.pk]), follow=True)
    assert "Discarded. Nothing of birds.csv was kept." in response.text
    assert Item.objects.filter(project=actors.project).count() == 0
    assert list(import_folder().iterdir()) == []


def test_annotations_say_which_column_is_what(actors: Actors) -> None:
    import_file(actors.membership(actors.alice), "id,text\nb1,tweet\n")
    alice = client_of(actors.alice)
    page = look(alice, "thing,who,task,value\nb1,w1,answer,yes\n", "answers.csv", kind="annotations")
    form = page.context["form"]
    assert form["target-annotator"].value() == ""
    columns = {"target-item_id": "0", "target-annotator": "1", "target-question": "2", "target-label": "3"}
    source = start(alice, page, **columns)
    assert (source.state, source.accepted) == (ImportState.PUBLISHED, 1)
    assert source.columns == {"item_id": "thing", "annotator": "who", "question": "task", "label": "value"}


def test_predictions_need_the_name_of_their_run(actors: Actors) -> None:
    import_file(actors.membership(actors.alice), "id,text\nb1,tweet\n")
    alice = client_of(actors.alice)
    text = "id,question,gold,pred,prob.yes,prob.no\nb1,answer,no,yes,0.7,0.3\n"
    refused = upload(alice, text, kind="predictions")
    assert (refused.status_code, "Name the run" in refused.content.decode()) == (422, True)
    page = look(alice, text, kind="predictions", run="tiny 2")
    assert page.context["form"]["target-label"].value() == "3"
    source = start(alice, page)
    assert (source.state, source.run_name, source.accepted) == (ImportState.PUBLISHED, "tiny 2", 1)
    assert Prediction.objects.get().run.name == "tiny 2"
    shown = alice.get(reverse("import", args=["birds", source.pk])).text
    assert f'href="{reverse("hlp", args=["birds"])}?run=tiny%202"' in shown


def test_the_name_of_a_run_is_for_predictions_only(actors: Actors) -> None:
    source = start(client_of(actors.alice), look(client_of(actors.alice), CSV, run="left over"))
    assert (source.kind, source.run_name) == ("items", "")


def test_columns_that_contradict_each_other_are_told(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, CSV)
    twice = {"upload": page.context["token"], "role-0": "id", "role-1": "id", "role-2": "data"}
    response = alice.post(reverse("import_columns", args=["birds"]), twice)
    assert (response.status_code, "Only one column can be the item&#x27;s id." in response.text) == (
        422,
        True,
    )
    gold = look(alice, "a,b,c\nb1,answer,yes\n", kind="gold")
    same = {
        "upload": gold.context["token"],
        "target-item_id": "0",
        "target-question": "0",
        "target-label": "1",
    }
    response = alice.post(reverse("import_columns", args=["birds"]), same)
    assert (response.status_code, "One column cannot be two things." in response.text) == (422, True)


def test_a_column_called_id_that_is_not_the_id_gets_another_name(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, "id,uid,meta.x\n7,b1,1\n8,b2,2\n")
    source = start(alice, page, **{"role-0": "data", "role-1": "id", "role-2": "data"})
    assert source.state == ImportState.PUBLISHED
    items = Item.objects.filter(project=actors.project).order_by("pk")
    assert list(items.values_list("external_id", "data")) == [
        ("b1", {"id_in_file": "7", "x": "1"}),
        ("b2", {"id_in_file": "8", "x": "2"}),
    ]


def test_embeddings_are_brought_with_the_items_or_later(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, 'id,text,vector\nb1,tweet,"[1, 2]"\nb2,kra,\n')
    assert page.context["form"]["role-2"].value() == "embedding"
    assert start(alice, page).columns == {"embedding": "vector"}
    assert list(Item.objects.order_by("pk").values_list("data", flat=True)) == [
        {"text": "tweet"},
        {"text": "kra"},
    ]
    later = look(alice, 'id,emb\nb1,"[3, 4]"\nb2,"[5, 6]"\n', kind="embeddings")
    source = start(alice, later)
    assert (source.state, source.accepted, ItemVector.objects.count()) == (ImportState.PUBLISHED, 2, 2)
    assert "Embeddings replaced" in alice.get(reverse("import", args=["birds", source.pk])).text


def test_a_column_called_embedding_may_be_shown_instead(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, "id,embedding,vector\nb1,in foam,[1]\n")
    both = {"upload": page.context["token"], "role-0": "id", "role-1": "embedding", "role-2": "embedding"}
    refused = alice.post(reverse("import_columns", args=["birds"]), both)
    assert (refused.status_code, "Only one column can be the embedding." in refused.text) == (422, True)
    source = start(alice, page, **{"role-1": "data", "role-2": "embedding"})
    assert source.state == ImportState.PUBLISHED
    assert Item.objects.get().data == {"embedding_in_file": "in foam"}
    assert ItemVector.objects.count() == 1


def test_nested_rows_need_no_mapping(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, '{"id": "b1", "data": {"text": "tweet"}, "meta": {"x": 1}}\n', "birds.jsonl")
    assert list(page.context["form"].fields) == []
    assert start(alice, page).state == ImportState.PUBLISHED


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"id,text\nb1,\xff\n", "x.csv", ""),
        (b"PK\x03\x04" + b"\0" * 60, "x.csv", ""),
        (b"", "x.csv", "The submitted file is empty."),
        (b'{"a": 1, "a": 2}\n', "x.jsonl", ""),
    ],
    ids=["not utf-8", "a zip", "empty", "a key twice"],
)
def test_a_file_that_cannot_be_read_is_told_at_once_and_not_kept(
    actors: Actors, content: bytes, name: str, said: str
) -> None:
    response = upload(client_of(actors.alice), content, name)
    if response.status_code == 302:  # refused row by row, on the page of the first rows
        assert client_of(actors.alice).get(response["Location"]).context["preview"].problems != []
        return
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["file"]  # type: ignore[attr-defined]
    assert said in response.text
    assert list(import_folder().iterdir()) == []


def test_an_upload_is_of_the_one_who_made_it_and_does_not_last(actors: Actors) -> None:
    address = upload(client_of(actors.alice), CSV)["Location"]
    add = actors.membership(actors.dave)
    add.role = "lead"
    add.save()
    for client, where in (
        (client_of(actors.dave), address),
        (client_of(actors.alice), address[:-1]),
        (client_of(actors.alice), reverse("import_columns", args=["birds"])),
    ):
        response = client.get(where, follow=True)
        assert "That upload is no longer here" in response.text
    for path in import_folder().iterdir():
        path.unlink()
    assert "That upload is no longer here" in client_of(actors.alice).get(address, follow=True).text


def test_the_same_file_again_is_recognised(actors: Actors) -> None:
    alice = client_of(actors.alice)
    first = start(alice, look(alice, "id,text\nb1,tweet\n"))
    again = start(alice, look(alice, "id,text\nb1,tweet\n"))
    assert again.state == ImportState.REPEATED
    page = alice.get(reverse("import", args=["birds", again.pk]))
    assert reverse("import", args=["birds", first.pk]) in page.text


def test_the_fragment_asks_again_while_the_job_runs_and_then_reloads_the_page(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, CSV)
    form = page.context["form"]
    sent = {name: form[name].value() for name in form.fields} | {"upload": page.context["token"]}
    alice.post(reverse("import_columns", args=["birds"]), sent)
    source = Import.objects.get()
    fragment = alice.get(reverse("import_job", args=["birds", source.pk]))
    assert 'hx-trigger="every 1s"' in fragment.text
    assert "No worker is running" in fragment.text
    assert "HX-Refresh" not in fragment.headers
    run_job(UUID(str(source.job_id)))
    assert alice.get(reverse("import_job", args=["birds", source.pk]))["HX-Refresh"] == "true"


def test_all_refused_rows_come_as_a_file_that_a_spreadsheet_may_open(actors: Actors) -> None:
    alice = client_of(actors.alice)
    source = start(alice, look(alice, CSV))
    response = alice.get(reverse("import_errors", args=["birds", source.pk]))
    assert response["Content-Disposition"] == f'attachment; filename="import-{source.pk}-refused.csv"'
    lines = response.getvalue().decode().splitlines()
    assert lines[0].startswith('"row","line","column"')
    assert [line.split(",")[:2] for line in lines[1:]] == [["3", "4"]]


def test_file_names_are_shown_literally(actors: Actors) -> None:
    alice = client_of(actors.alice)
    source = start(alice, look(alice, CSV, "<img src=x onerror=alert(1)>.csv"))
    for name, arguments in (("imports", ["birds"]), ("import", ["birds", source.pk])):
        text = alice.get(reverse(name, args=arguments)).text
        assert "<img src=x" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;.csv" in text


def test_a_batch_goes_to_named_people_and_back_to_everybody(actors: Actors) -> None:
    batch = import_file(actors.membership(actors.alice), "id,text\nb1,tweet\n").batch
    assert batch is not None
    alice, bob = client_of(actors.alice), actors.membership(actors.bob)
    address = reverse("batch", args=["birds", batch.number])
    alice.post(address, {"members": [bob.pk]})
    assert hand_out(actors.membership(actors.carol), 1).leases == []
    assert "bob" in alice.get(reverse("imports", args=["birds"])).text
    alice.post(address, {})
    assert len(hand_out(actors.membership(actors.carol), 1).leases) == 1
    eve = actors.project.memberships.model.objects.get(project__slug="flowers")
    assert alice.post(address, {"members": [eve.pk]}).status_code == 422
    assert alice.get(reverse("batch", args=["birds", 99])).status_code == 404


def test_images_come_in_together_or_not_at_all(actors: Actors) -> None:
    alice = client_of(actors.alice)
    address = reverse("images", args=["birds"])
    good = SimpleUploadedFile("images.zip", zipped({"a.png": png("red"), "b.png": png("blue")}))
    assert "2 images are here." in alice.post(address, {"file": good}, follow=True).text
    bad = SimpleUploadedFile("images.zip", zipped({"c.png": png("green"), "d.png": b"<svg onload=alert(1)>"}))
    assert alice.post(address, {"file": bad}).status_code == 422
    assert list(Asset.objects.order_by("name").values_list("name", flat=True)) == ["a.png", "b.png"]


def test_annotators_and_reviewers_import_nothing(actors: Actors) -> None:
    for user in (actors.bob, actors.dave):
        assert client_of(user).get(reverse("imports", args=["birds"])).status_code == 403
        assert upload(client_of(user), CSV).status_code == 403


def test_a_lead_cancels_an_import_that_waits(actors: Actors) -> None:
    alice = client_of(actors.alice)
    page = look(alice, CSV)
    form = page.context["form"]
    sent = {name: form[name].value() for name in form.fields} | {"upload": page.context["token"]}
    alice.post(reverse("import_columns", args=["birds"]), sent)
    source = Import.objects.get()
    assert (
        reverse("import_cancel", args=["birds", source.pk])
        in alice.get(reverse("import", args=["birds", source.pk])).text
    )
    alice.post(reverse("import_cancel", args=["birds", source.pk]))
    reap()
    source.refresh_from_db()
    assert source.job is not None
    assert (source.job.state, Item.objects.filter(project__slug="birds").count()) == ("cancelled", 0)


def test_nobody_uploads_files_before_signing_in(actors: Actors) -> None:
    file = SimpleUploadedFile("large.csv", b"x" * 5_000_000)
    answer = client_of(None).post(reverse("sign_in"), {"username": "alice", "file": file})
    assert answer.status_code in {400, 413}
