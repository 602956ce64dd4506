"""Items as a round of choosing sees them."""

from typing import Any

import pytest

from core.choices import AuditPart, ItemState, Lane
from core.models import Gold, Item, Question
from core.selectors.features import tie_of
from core.selectors.selection import HOLDOUT, STREAM, places_in
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items

pytestmark = pytest.mark.django_db


def test_only_what_nobody_has_touched_may_be_picked(actors: Actors) -> None:
    names = ("free", "held", "back", "full", "waits", "gold", "answered", "stream", "holdout", "gone")
    items = dict(zip(names, make_items(actors.project, *names), strict=True))
    question = Question.objects.get(project=actors.project)
    changes: dict[str, dict[str, Any]] = {
        "held": {"leased": 1, "free": 2},
        "back": {"lane": Lane.RETURNED},
        "full": {"target": 0, "free": 0},
        "waits": {"state": ItemState.WITH_LEAD, "free": 0},
        "stream": {"audit": AuditPart.STREAM},
        "holdout": {"audit": AuditPart.HOLDOUT},
        "gone": {"state": ItemState.WITHDRAWN, "free": 0},
    }
    for name, fields in changes.items():
        Item.objects.filter(pk=items[name].pk).update(**fields)
    make_answer(actors.membership(actors.bob), items["answered"], {"answer": "yes"})
    Item.objects.filter(pk=items["answered"].pk).update(done=1, free=2, version=2)
    Gold.objects.create(item=items["gold"], question=question, label_class=question.classes.first())

    ids = [item.pk for item in items.values()]
    places = places_in(actors.project, question.pk, min(ids), max(ids))
    name_of = {item.pk: name for name, item in items.items()}
    found = {name_of[row["item"]]: row for row in places}
    assert set(found) == set(names[:-1])
    assert {name for name, row in found.items() if row["untouched"]} == {"free", "stream", "holdout"}
    assert {name for name, row in found.items() if row["answered"]} == {"answered"}
    assert {name for name, row in found.items() if row["known"]} == {"gold", "answered"}
    parts = {name: int(row["part"]) for name, row in found.items() if row["part"]}
    assert parts == {"stream": STREAM, "holdout": HOLDOUT}
    assert found["answered"]["version"] == 2
    assert all(int(row["tie"]) == tie_of(name) for name, row in found.items())
