"""Questions and classes: names that people can tell apart, keys that do not clash, changes midway."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from core.exceptions import Invalid, Missing
from core.models import Event, LabelClass, Project
from core.selectors.question import clean_name, schema_of
from core.services.project import create_project
from core.services.question import add_class, add_question, edit_class, edit_question
from tests.conftest import Actors

pytestmark = pytest.mark.django_db


def document(*classes: Any) -> dict[str, Any]:
    return {
        "slug": "q",
        "questions": [{"key": "q", "kind": "single", "title": "Q?", "classes": list(classes)}],
    }


def codes(refusal: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [row["code"] for row in refusal.value.errors]


@pytest.mark.parametrize("key", ["s", "l", "f", "u", "h", "?", "S"])
def test_the_label_pages_own_keys_are_refused(actors: Actors, key: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create_project(actors.alice, document({"name": "a", "key": key}, "b"))
    assert codes(refusal) == ["reserved-key"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cat", "cat"), ("caf\u00e9", "cafe\u0301"), ("a b", " a  b "), ("stra\u00dfe", "STRASSE")],
)
def test_names_that_look_the_same_are_twins(actors: Actors, one: str, other: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create_project(actors.alice, document(one, other))
    assert codes(refusal) == ["duplicate"]


@pytest.mark.parametrize("name", ["cat\u200b", "cat\u202e", "cat\x07", "x" * 201])
def test_invisible_and_endless_names_are_refused(actors: Actors, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create_project(actors.alice, document(name, "dog"))
    assert codes(refusal) == ["bad-name"]


def test_joined_emoji_and_an_empty_name_are_names() -> None:
    assert clean_name("👩\u200d🔬") == "👩\u200d🔬"
    assert clean_name("") == ""
    with pytest.raises(ValueError, match="consists of blanks"):
        clean_name("  ")


def test_classes_that_ask_for_no_key_get_free_ones(actors: Actors) -> None:
    project = create_project(
        actors.alice, document("a", {"name": "b", "key": "1"}, "c", {"name": "?", "uncertain": True})
    )
    assert [spec.key for spec in schema_of(project).questions[0].classes] == ["2", "1", "3", "0"]


def test_a_new_class_is_seen_at_once_and_takes_a_free_key(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    key = alice.project.questions.get().key
    before = schema_of(alice.project).questions[0].classes
    made = add_class(alice, key, {"name": "swan"})
    after = schema_of(Project.objects.get(pk=alice.project_id)).questions[0].classes
    assert [spec.name for spec in after] == [*[spec.name for spec in before], "swan"]
    assert made.key not in {spec.key for spec in before}
    with pytest.raises(Invalid):
        add_class(alice, key, {"name": "SWAN"})
    with pytest.raises(Missing):
        add_class(alice, "nothing", {"name": "x"})


def test_a_class_is_renamed_without_touching_answers(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    question = alice.project.questions.get()
    spec = question.classes.first()
    assert spec is not None
    renamed = edit_class(
        alice, question.key, spec.pk, {"name": "renamed", "definition": "What it is."}, version=1
    )
    assert (renamed.pk, renamed.name, renamed.definition) == (spec.pk, "renamed", "What it is.")
    others = question.classes.exclude(pk=spec.pk)
    with pytest.raises(Invalid):
        edit_class(
            alice,
            question.key,
            spec.pk,
            {"name": others[0].name},
            version=Project.objects.get(pk=alice.project_id).version,
        )


def test_the_log_keeps_what_a_class_said_before_and_after(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    spec = LabelClass.objects.get(question__project=actors.project, name="yes")
    edit_class(alice, "answer", spec.pk, {"definition": "It sings."}, version=1)
    changes = {"name": "sure", "definition": "x" * 501, "key": "y"}
    edit_class(alice, "answer", spec.pk, changes, version=2)
    line = Event.objects.filter(verb="class.edited").latest("pk")
    assert line.data == {
        "before": {"name": "yes", "definition": "It sings.", "key": spec.key},
        "after": {"name": "sure", "definition": "x" * 500, "key": "y"},
    }
    version = Project.objects.get(pk=actors.project.pk).version
    edit_question(alice, "answer", {"title": "Does it sing?"}, version=version)
    told = Event.objects.get(verb="question.edited").data
    assert (told["before"]["title"] != told["after"]["title"], told["after"]["title"]) == (
        True,
        "Does it sing?",
    )


def test_a_project_takes_only_so_many_questions(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.services.question.MOST_QUESTIONS", 1)
    with pytest.raises(Invalid) as refusal:
        add_question(actors.membership(actors.alice), {"key": "more", "kind": "text"})
    assert refusal.value.code == "too-many"


def test_a_condition_names_an_earlier_choice_question(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    with pytest.raises(Invalid) as refusal:
        add_question(alice, {"key": "why", "kind": "text", "when": {"question": "nothing", "classes": ["x"]}})
    assert codes(refusal) == ["unknown-question"]


def test_a_question_keeps_its_kind(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    key = alice.project.questions.get().key
    assert edit_question(alice, key, {"title": "Which  bird?"}, version=1).title == "Which bird?"
    with pytest.raises(Invalid) as refusal:
        edit_question(alice, key, {"kind": "text"}, version=2)
    assert codes(refusal) == ["unknown-field"]


def test_the_database_itself_refuses_a_twin(actors: Actors) -> None:
    spec = LabelClass.objects.first()
    assert spec is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        LabelClass.objects.create(question=spec.question, name="x", name_key=spec.name_key, order=99)
