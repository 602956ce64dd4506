"""Mergers and reversals, broken at every single statement: all of it is done, or nothing."""

from typing import Any

import pytest
from django.db import OperationalError

from core.models import Event, LabelClass, Mapping, Membership, Project
from core.selectors.check_data import findings
from core.services.mapping import apply_merge, revert
from tests.conftest import Actors
from tests.faults.nth_statement import failing_statement

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MOST_STATEMENTS = 40


def state() -> dict[str, list[Any]]:
    """Everything that a mapping may touch."""
    return {
        "classes": list(
            LabelClass.objects.order_by("pk").values_list("pk", "name", "name_key", "merged_into")
        ),
        "mappings": list(Mapping.objects.order_by("pk").values_list("number", "document", "reverted_at")),
        "events": list(Event.objects.order_by("pk").values_list("verb", "thing")),
        "projects": list(
            Project.objects.order_by("pk").values_list("version", "schema_version", "mapping_version")
        ),
    }


def merge(alice: Membership) -> None:
    ids = dict(LabelClass.objects.filter(question__project=alice.project).values_list("name", "pk"))
    apply_merge(alice, "answer", [ids["yes"], ids["no"]], ids["yes"], name="either", version=0)


def undo(alice: Membership) -> None:
    revert(alice, Mapping.objects.get().pk, 1)


def test_a_mapping_is_made_and_taken_back_whole_or_not_at_all(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    for act in (merge, undo):
        before = state()
        for number in range(1, MOST_STATEMENTS):
            try:
                with failing_statement(number):
                    act(alice)
            except OperationalError:
                assert state() == before, f"{act.__name__}, statement {number}"
            else:
                break
        else:
            pytest.fail("it takes more statements than were tried")
        assert number > 5
        assert state() != before
        assert [one for one in findings() if one.rule.name == "class-mapping"] == []
