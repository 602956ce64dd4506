"""check_data finds every counter that is wrong, and --fix sets it to the facts."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from core.models import (
    Annotation,
    Answer,
    Batch,
    Item,
    LabelClass,
    Membership,
    ProjectTotals,
    StagedItem,
)
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.imports import csv_items, import_file
from tests.factories.project import make_question


@pytest.fixture
def busy(actors: Actors, media: Any) -> Membership:
    """A project with items, answers, leases; Alice's membership."""
    member = actors.membership(actors.alice)
    import_file(member, csv_items("a", "b", "c", "d"))
    import_file(member, "item_id,annotator,question,label\na,w1,answer,yes\nb,w1,answer,no\n", "annotations")
    hand_out(actors.membership(actors.bob), 1)
    return member


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON of the command."""
    status = 0
    try:
        call_command("check_data", "--json", *words)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, json.loads(capsys.readouterr().out)


def codes(told: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in told["findings"]]


def test_sound_data_are_clean(busy: Membership, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (0, {"clean": True, "fixed": 0, "findings": []})
    call_command("check_data")
    assert capsys.readouterr().out == "clean\n"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda: Item.objects.filter(external_id="a").update(done=0, free=1), "item-done"),
        (lambda: Item.objects.filter(external_id="a").update(done=0, target=0), "item-done"),
        (lambda: Item.objects.filter(leased=1).update(leased=0, free=1), "item-leased"),
        (lambda: Item.objects.filter(external_id="a").update(flags=3), "item-flags"),
        (lambda: Item.objects.filter(external_id="a").update(pool=7), "item-pool"),
        (lambda: Membership.objects.filter(name="w1").update(answered=9), "member-answered"),
        (lambda: Membership.objects.filter(name="bob").update(held=0), "member-held"),
        (lambda: Membership.objects.filter(name="bob").update(has_batches=True), "member-batches"),
        (lambda: Batch.objects.update(n_items=3), "batch-items"),
        (lambda: ProjectTotals.objects.update(annotations=5), "project-totals"),
    ],
)
def test_a_wrong_counter_is_found_and_repaired(
    busy: Membership, capsys: pytest.CaptureFixture[str], spoil: Any, code: str
) -> None:
    spoil()
    status, told = run(capsys)
    assert status == 1
    assert code in codes(told)
    assert run(capsys, "--fix")[0] == 0
    assert run(capsys) == (0, {"clean": True, "fixed": 0, "findings": []})


def test_staged_rows_that_were_left_behind_are_found_and_dropped(
    busy: Membership, capsys: pytest.CaptureFixture[str]
) -> None:
    source = busy.project.imports.order_by("pk")[0]
    StagedItem.objects.create(source=source, row=1, line=1, external_id="x", data={}, meta={}, position=0)
    assert codes(run(capsys)[1]) == ["staged-rows"]
    assert run(capsys, "--fix")[0] == 0
    assert not StagedItem.objects.exists()


def test_broken_facts_are_told_and_never_repaired(
    busy: Membership, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_question(busy.project, "size", ["big"])
    wrong = LabelClass.objects.get(question=other)
    Answer.objects.filter(annotation__item__external_id="a").update(label_class=wrong)
    Annotation.objects.filter(item__external_id="b").update(item_version=9)
    status, told = run(capsys, "--fix")
    assert status == 1
    assert codes(told) == ["annotation-version", "answer-class"]
    assert Answer.objects.filter(label_class=wrong).count() == 1


def test_a_counter_that_the_database_itself_would_refuse_cannot_be_written(busy: Membership) -> None:
    assert connection.vendor in {"sqlite", "postgresql"}
    item = Item.objects.filter(external_id="a")
    from django.db import IntegrityError, transaction

    for wrong in ({"free": 1}, {"done": 2}, {"leased": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            item.update(**wrong)
