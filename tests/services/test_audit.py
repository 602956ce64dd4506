"""The audit log cannot be changed, whoever asks the database to."""

import pytest
from django.db import DatabaseError, connection, transaction

from core.models import Event, Membership, User
from core.services.audit import record
from tests.conftest import Actors

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(actors: Actors) -> Event:
    record(actors.alice, actors.project, "member.changed", "bob", before="annotator", after="lead")
    return Event.objects.get()


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "member.added"},
        {"thing": "carol"},
        {"data": {}},
        {"created_at": "2020-01-01T00:00Z"},
        {"project": None},
    ],
)
def test_a_line_stays_as_it_is(line: Event, change: dict[str, object]) -> None:
    with pytest.raises(DatabaseError, match="kept as it is"), transaction.atomic():
        Event.objects.filter(pk=line.pk).update(**change)
    assert Event.objects.values().get() == Event.objects.filter(pk=line.pk).values().get()


def test_nobody_takes_the_place_of_who_did_it(actors: Actors, line: Event) -> None:
    with pytest.raises(DatabaseError, match="kept as it is"), transaction.atomic():
        Event.objects.filter(pk=line.pk).update(actor=actors.bob)


def test_only_who_somebody_was_can_be_lost(actors: Actors, line: Event) -> None:
    bob = Membership.objects.filter(project=actors.project, user=actors.bob)
    bob.update(name="person 7f3a", erased_at="2026-01-01T00:00Z")
    tombstone = User.objects.create(username="erased:1", display_name="person 7f3a", is_active=False)

    assert Event.objects.filter(pk=line.pk).update(thing="person 7f3a", actor=tombstone) == 1
    assert Event.objects.filter(pk=line.pk).update(actor=None) == 1


def test_no_line_goes(line: Event) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no other way to empty a test's tables than to delete")
    with pytest.raises(DatabaseError, match="kept as it is"), transaction.atomic():
        Event.objects.filter(pk=line.pk).delete()
    assert Event.objects.count() == 1
