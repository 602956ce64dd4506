"""What texts are read as, whichever way they come in."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.choices import ImportState, QuestionKind
from core.models import Answer, Question
from core.services.mapping import apply_standardise, revert
from core.services.standard import refresh
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.imports import import_file
from tests.factories.project import make_question

pytestmark = pytest.mark.django_db
RULES = [{"from": "umm", "to": "um"}, {"pattern": "yea+h", "to": "yes"}]


@pytest.fixture
def question(actors: Actors) -> Question:
    """What people heard, with two rules in force."""
    made = make_question(actors.project, "heard", [], kind=QuestionKind.TEXT, required=False)
    apply_standardise(actors.membership(actors.alice), "heard", RULES)
    return made


def kept(question: Question) -> list[tuple[str | None, str | None]]:
    return list(Answer.objects.filter(question=question).order_by("pk").values_list("text", "standard"))


def test_imported_texts_are_read_by_the_rules_in_force(
    actors: Actors, question: Question, media: object
) -> None:
    make_items(actors.project, "a", "b", "c")
    rows = "a,w1,heard, umm\nb,w1,heard,yeaah\nc,w1,heard,no\n"

    source = import_file(
        actors.membership(actors.alice), f"item_id,annotator,question,label\n{rows}", "annotations"
    )

    assert source.state == ImportState.PUBLISHED
    assert sorted(standard or "as it is" for _text, standard in kept(question)) == ["as it is", "um", "yes"]
    assert {(text or "").strip() for text, _standard in kept(question)} == {"umm", "yeaah", "no"}


def test_every_row_is_read_and_only_what_differs_is_written(actors: Actors, question: Question) -> None:
    bob = actors.membership(actors.bob)
    texts = ["umm", "um", "yeah", "umm "]
    for item, text in zip(make_items(actors.project, "a", "b", "c", "d"), texts, strict=True):
        make_answer(bob, item, {"heard": text})

    assert refresh(question) == 3
    assert refresh(question) == 0
    assert kept(question) == [("umm", "um"), ("um", None), ("yeah", "yes"), ("umm ", "um")]
    revert(actors.membership(actors.alice), actors.project.mappings.get().pk, 1)
    assert kept(question) == [(text, None) for text in texts]


def test_what_it_costs_goes_by_the_different_texts_not_by_the_answers(
    actors: Actors, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.standard.AT_ONCE", 2)
    bob = actors.membership(actors.bob)
    texts = ["umm", " umm", "yeah", "yeaaah", "umm  ", "no"] * 3
    for item, text in zip(make_items(actors.project, *map(str, range(18))), texts, strict=True):
        make_answer(bob, item, {"heard": text})

    with CaptureQueriesContext(connection) as statements:
        assert refresh(question) == 15

    assert len([one for one in statements if one["sql"].startswith("UPDATE")]) == 3
    forms = ["um", "um", "yes", "yes", "um", None]
    assert kept(question) == list(zip(texts, forms * 3, strict=True))
