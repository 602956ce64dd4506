"""A round from the command line, without a worker."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.choices import Lane
from core.models import Item, Selection
from tests.conftest import Actors
from tests.factories.pool import answer_items, make_pool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _pool(actors: Actors, tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """120 texts, of which Bob has answered 20."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr("core.services.job.enqueue", lambda *_: None)
    make_pool(actors.project, 120)
    answer_items(actors.membership(actors.bob), 20)


def select(*words: str) -> str:
    out = StringIO()
    call_command("select", "birds", *words, stdout=out)
    return out.getvalue()


def test_the_same_labels_and_seed_print_the_same_bytes(actors: Actors) -> None:
    words = ("--size", "10", "--seed", "3", "--strategy", "margin", "--json")
    first = select(*words, "--dry")
    assert select(*words, "--dry") == first
    document = json.loads(first)
    assert (document["used"], document["seed"], document["labels"], document["applied"]) == (
        "margin",
        3,
        20,
        False,
    )
    assert [pick["order"] for pick in document["picks"]] == list(range(1, 13))
    assert {"item", "stream", "score", "inclusion_probability", "reason"} < set(document["picks"][0])
    assert not Item.objects.filter(lane=Lane.PICKED).exists()
    applied = json.loads(select(*words))
    assert applied["picks"] == document["picks"]
    assert Item.objects.filter(lane=Lane.PICKED).count() == 12
    assert json.loads(select(*words))["picks"] == document["picks"]


def test_many_items_are_done_in_parts_without_any_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = json.loads(select("--size", "10", "--dry", "--json"))
    monkeypatch.setattr("core.pipelines.selection.ALONE", 0)
    monkeypatch.setattr("core.selectors.selection.SHARD", 64)
    assert json.loads(select("--size", "10", "--dry", "--json")) == whole
    assert [one.report["parts"] > 1 for one in Selection.objects.order_by("number")] == [False, True]


def test_in_words(actors: Actors) -> None:
    head, *lines = select("--size", "10").splitlines()
    assert head == "round 1: 12 of 40 items, hybrid"
    assert len(lines) == 12
    assert lines[0].split()[0] == "1"


def test_what_is_refused_is_one_line(actors: Actors) -> None:
    with pytest.raises(CommandError, match="no project 'bees'"):
        call_command("select", "bees")
    with pytest.raises(CommandError, match="bad-size"):
        select("--size", "3")
    with pytest.raises(CommandError, match="no-items"):
        call_command("select", "flowers")
