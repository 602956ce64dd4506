"""What votes for a label, and the gold beside it."""

from typing import Any

import pytest

from core.choices import Pass, QuestionKind
from core.models import Item, Membership, Project
from core.selectors.export import AnswerFilter, item_chunks
from core.selectors.label import gold_values, questions_with_gold, voting_rows
from core.selectors.question import schema_of
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import make_question


@pytest.fixture
def bob(actors: Actors) -> Membership:
    return actors.membership(actors.bob)


def test_first_answers_in_normal_passes_to_the_present_version_vote(
    bob: Membership, project: Project
) -> None:
    (item,) = make_items(project, "a", version=2)
    counted = make_answer(bob, item, {"answer": "yes"})
    make_answer(bob, item, {"answer": "yes"}, item_version=1)
    make_answer(bob, item, {"answer": "yes"}, repeat=2)
    make_answer(bob, item, {"answer": "yes"}, repeat=3, pass_kind=Pass.RETEST)
    make_answer(bob, item, {"answer": "yes"}, repeat=4, pass_kind=Pass.GOLD)

    (chunk,) = item_chunks(project)
    rows = voting_rows(chunk, AnswerFilter(project.pk, schema_of(project).questions))

    assert [row.pk for row in rows] == [counted.answers.get().pk]


@pytest.mark.parametrize(
    ("kind", "classes", "truth"),
    [
        (QuestionKind.SINGLE, ["a", "b"], "b"),
        (QuestionKind.SCALE, ["1", "2"], "2"),
        (QuestionKind.MULTIPLE, ["a", "b", "c"], ["a", "c"]),
        (QuestionKind.MULTIPLE, ["a", "b", "c"], []),
        (QuestionKind.NUMBER, [], 2.5),
        (QuestionKind.TEXT, [], "wren"),
    ],
)
def test_gold_of_every_kind(project: Project, kind: QuestionKind, classes: list[str], truth: Any) -> None:
    made = make_question(project, "truth", classes, kind=kind)
    items: list[Item] = make_items(project, "a", "b")
    make_gold(items[0], "truth", truth)

    questions = questions_with_gold(project, schema_of(project).questions)
    (chunk,) = item_chunks(project)

    assert [question.key for question in questions] == ["truth"]
    assert gold_values(chunk, AnswerFilter(project.pk, tuple(questions)), questions) == {
        (items[0].pk, made.pk): truth
    }
