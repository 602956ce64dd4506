"""The columns that agreement is computed from, and reads of one moment."""

import threading

import numpy as np
import pytest
from django.db import connection, transaction

from core.choices import QuestionKind
from core.models import Membership, Project, Question, Tag
from core.selectors.agreement import (
    LONGEST_GROUP,
    Scope,
    answer_columns,
    collapsed,
    meta_groups,
    number_name,
    set_name,
    tag_named,
)
from core.selectors.moment import database_now, one_moment
from core.selectors.question import QuestionSpec, schema_of
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member, make_project, make_question


def spec(project: Project, key: str = "answer") -> QuestionSpec:
    found = schema_of(project).question(key)
    assert found is not None
    return found


@pytest.fixture
def bob(actors: Actors) -> Membership:
    return actors.membership(actors.bob)


def test_classes_are_coded_by_their_order_not_by_their_number(bob: Membership, project: Project) -> None:
    made = make_question(project, "late", ["first", "second"])
    first = made.classes.get(name="first")
    first.order = 5
    first.save()
    one, two = make_items(project, "a", "b")
    make_answer(bob, one, {"late": "first"})
    make_answer(bob, two, {"late": "second"})

    columns = answer_columns(project, spec(project, "late"), Scope())

    assert columns.names == ("second", "first")
    by_item = dict(zip(columns.item.tolist(), columns.label.tolist(), strict=True))
    assert by_item == {one.pk: 1, two.pk: 0}
    assert set(columns.annotator.tolist()) == {bob.pk}
    assert columns.uncertain.tolist() == [False, False]


@pytest.mark.parametrize("kind", list(QuestionKind))
def test_no_answers_are_empty_columns(project: Project, kind: QuestionKind) -> None:
    classes = ["a", "b"] if kind in {"single", "multiple", "scale"} else []
    make_question(project, "empty", classes, kind=kind)

    columns = answer_columns(project, spec(project, "empty"), Scope(by="month"))

    assert (len(columns), columns.label.size, columns.group_names) == (0, 0, {})
    assert columns.group is not None
    assert [column.dtype.kind for column in (columns.item, columns.annotator, columns.label)] == ["i"] * 3


def test_answers_of_other_projects_and_questions_stay_out(
    actors: Actors, bob: Membership, project: Project
) -> None:
    flowers = Project.objects.get(slug="flowers")
    eve = Membership.objects.get(project=flowers)
    make_answer(eve, make_items(flowers, "rose")[0], {"answer": "yes"})
    make_question(project, "size", [], kind=QuestionKind.NUMBER)
    (item,) = make_items(project, "a")
    make_answer(bob, item, {"answer": "no", "size": 2.5})

    columns = answer_columns(project, spec(project), Scope())
    sizes = answer_columns(project, spec(project, "size"), Scope())

    assert (columns.item.tolist(), columns.label.tolist()) == ([item.pk], [1])
    assert sizes.values is not None
    assert sizes.values[sizes.label].tolist() == [2.5]


def test_numbers_and_texts_have_readable_names() -> None:
    assert [number_name(number) for number in (5.0, -0.5, 0.1, 1e20)] == ["5", "-0.5", "0.1", "1e+20"]
    assert collapsed("  a\t b\n\nc ") == "a b c"
    assert (set_name(["a", "b"]), set_name([])) == ("a|b", "")


def test_sets_know_which_classes_they_hold(bob: Membership, project: Project) -> None:
    make_question(project, "seen", ["wing", "beak", "tail"], kind=QuestionKind.MULTIPLE)
    one, two = make_items(project, "a", "b")
    make_answer(bob, one, {"seen": ["tail", "wing"]})
    make_answer(bob, two, {"seen": []})

    columns = answer_columns(project, spec(project, "seen"), Scope())

    assert columns.sets is not None
    assert dict(zip(columns.names, columns.sets, strict=True)) == {"wing|tail": (0, 2), "": ()}


def test_a_tag_is_found_whatever_its_case_or_unicode_form(actors: Actors, project: Project) -> None:
    made = Tag.objects.create(project=project, name="Caf\u00e9", name_key="caf\u00e9")
    assert tag_named(project, "CAFE\u0301") == made.pk
    assert tag_named(project, "cafe") is None
    assert tag_named(Project.objects.get(slug="flowers"), "Caf\u00e9") is None


def test_values_of_metadata_make_groups_with_names_of_bearable_length(project: Project) -> None:
    long, other = "x" * 500, "x" * 499 + "y"
    one, two = make_items(project, "a", "b", meta={"note": long})
    (three,) = make_items(project, "c", meta={"note": other})
    make_items(project, "d", meta={"note": None})

    groups = meta_groups(project, "note")

    assert groups.names == ("x" * LONGEST_GROUP,) * 2
    code = dict(zip(groups.item.tolist(), groups.group.tolist(), strict=True))
    assert code[one.pk] == code[two.pk] != code[three.pk]
    assert len(code) == 3


def test_the_uncertain_classes_are_known(project: Project) -> None:
    assert np.flatnonzero(answer_columns(project, spec(project), Scope()).uncertain).tolist() == [2]


def test_the_clock_is_the_database_s(project: Project) -> None:
    assert database_now(project).tzinfo is not None


@pytest.mark.django_db(transaction=True)
def test_reads_of_one_moment_do_not_see_what_others_write_meanwhile() -> None:
    project = make_project("birds", owner=make_user("alice"))
    add_member(project, make_user("bob"))

    def add_question() -> None:
        make_question(project, "new", ["a"])
        connection.close()

    with one_moment():
        before = Question.objects.count()
        writer = threading.Thread(target=add_question)
        writer.start()
        writer.join(timeout=20)
        assert not writer.is_alive()  # a reader holds nobody up
        assert Question.objects.count() == before
    assert Question.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_a_moment_ends_also_when_the_reader_goes_away() -> None:
    make_project("birds", owner=make_user("alice"))

    def read() -> None:
        with one_moment():
            Question.objects.count()
            raise KeyError

    with pytest.raises(KeyError):
        read()
    with transaction.atomic():  # a transaction can begin again
        assert Question.objects.count() == 1
