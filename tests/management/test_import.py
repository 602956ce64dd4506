"""The import command: the same job, run here, with exit statuses that scripts can read."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.models import Import, Item, Job
from tests.conftest import Actors
from tests.factories.imports import csv_items


@pytest.fixture
def file(actors: Actors, media: Any, tmp_path: Path) -> Path:
    """A file of three rows, one of them refused."""
    path = tmp_path / "birds.csv"
    path.write_text(csv_items("a", "b", "a"))
    return path


def test_it_imports_and_says_what_became_of_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import", "birds", str(file), "--kind", "items")
    out, err = capsys.readouterr()
    assert out == "birds.csv: published; 3 rows, 2 accepted, 1 rejected, 0 duplicates\n"
    assert err == "row 3, line 4, id: duplicate-id: An earlier row of this file has this id.\n"
    assert Item.objects.count() == 2
    assert Job.objects.get().state == "done"


def test_predictions_name_their_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import", "birds", str(file), "--kind", "items")
    file.write_text("item_id,question,label\na,answer,yes\n")
    with pytest.raises(CommandError, match="run-needed"):
        call_command("import", "birds", str(file), "--kind", "predictions")
    call_command("import", "birds", str(file), "--kind", "predictions", "--run", "tiny", "--json")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["state"], told["run"], told["replaced"]) == ("published", "tiny", 0)


def test_json_is_one_document_and_nothing_else(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "import", "birds", str(file), "--kind", "items", "--column", "id=text", "--column", "x=id", "--json"
    )
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["columns"]) == ("published", {"id": "text", "x": "id"})
    assert Item.objects.get(external_id="Text of b").data == {"x": "b"}


def test_a_refused_file_ends_with_status_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("id,text\n")
    with pytest.raises(SystemExit) as ended:
        call_command("import", "birds", str(file), "--kind", "items")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "The file holds a header and no rows. (no-rows)\n"


def test_with_hold_nothing_is_published(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import", "birds", str(file), "--kind", "items", "--hold")
    assert Import.objects.get().state == "held"
    assert not Item.objects.exists()


def test_the_same_file_again_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import", "birds", str(file), "--kind", "items")
    capsys.readouterr()
    call_command("import", "birds", str(file), "--kind", "items")
    assert capsys.readouterr().out.startswith("birds.csv: the same file as before")
    assert Item.objects.count() == 2


@pytest.mark.parametrize(
    ("words", "reason", "status"),
    [
        (["nowhere", "{file}", "--kind", "items"], "no project 'nowhere'", 1),
        (["birds", "{file}.gone", "--kind", "items"], "No such file", 1),
        (["birds", "{file}", "--kind", "items", "--column", "id"], "OURS=THEIRS", 2),
    ],
)
def test_what_cannot_be_done_is_one_line(file: Path, words: list[str], reason: str, status: int) -> None:
    with pytest.raises(CommandError, match=reason) as refused:
        call_command("import", *(word.format(file=file) for word in words))
    assert refused.value.returncode == status
    assert not Import.objects.exists()
