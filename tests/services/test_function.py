"""Labeling functions are written once, changed under a version, and kept in the audit log."""

import pytest

from core.choices import ProjectState
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import Event, LabelingFunction, Membership, Project
from core.services import function as service
from core.services.function import (
    NewFunction,
    create_function,
    edit_function,
    remove_function,
    start_applying,
)
from tests.conftest import Actors


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


@pytest.fixture
def new(actors: Actors) -> NewFunction:
    question = actors.project.questions.get()
    yes = question.classes.get(name="yes")
    arguments = {"words": ["sings"], "every": False, "also": [], "field": None}
    return NewFunction("sings", question.pk, "keywords", arguments, yes.pk)


def renamed(new: NewFunction, name: str) -> NewFunction:
    return NewFunction(name, new.question_id, new.kind, new.arguments, new.label_class_id)


def test_every_change_is_a_line_of_the_audit_log_and_no_change_is_none(
    alice: Membership, new: NewFunction
) -> None:
    made = create_function(alice, new)
    assert edit_function(alice, made.pk, new).version == 1
    assert edit_function(alice, made.pk, renamed(new, "song")).version == 2
    remove_function(alice, made.pk)
    lines = Event.objects.filter(verb__startswith="function.").order_by("pk").values_list("verb", "thing")
    assert list(lines) == [
        ("function.created", "sings"),
        ("function.changed", "song"),
        ("function.removed", "song"),
    ]


def test_an_edit_of_an_older_version_is_refused(alice: Membership, new: NewFunction) -> None:
    made = create_function(alice, new)
    edit_function(alice, made.pk, renamed(new, "song"), version=1)
    with pytest.raises(Stale):
        edit_function(alice, made.pk, new, version=1)


def test_a_name_is_taken_once(alice: Membership, new: NewFunction) -> None:
    create_function(alice, new)
    other = create_function(alice, renamed(new, "other"))
    with pytest.raises(Invalid, match="Another function"):
        create_function(alice, new)
    with pytest.raises(Invalid, match="Another function"):
        edit_function(alice, other.pk, new)


def test_there_is_a_most_number_of_functions(
    alice: Membership, new: NewFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_FUNCTIONS", 1)
    create_function(alice, new)
    with pytest.raises(Conflict, match="at most 1"):
        create_function(alice, renamed(new, "other"))


def test_an_archive_stays_as_it_is(alice: Membership, new: NewFunction) -> None:
    made = create_function(alice, new)
    Project.objects.filter(pk=alice.project_id).update(state=ProjectState.ARCHIVED)
    with pytest.raises(Conflict, match="archived"):
        create_function(alice, renamed(new, "other"))
    with pytest.raises(Conflict, match="archived"):
        remove_function(alice, made.pk)
    with pytest.raises(Conflict, match="archived"):
        start_applying(alice, new.question_id, "default")


def test_one_job_at_a_time_and_none_without_functions(alice: Membership, new: NewFunction) -> None:
    with pytest.raises(Conflict, match="switched on"):
        start_applying(alice, new.question_id, "default")
    made = create_function(alice, new)
    job = start_applying(alice, new.question_id, "default")
    assert start_applying(alice, new.question_id, "majority") == job
    LabelingFunction.objects.filter(pk=made.pk).update(active=False)
    with pytest.raises(Missing):
        remove_function(alice, made.pk + 1)
