"""The items behind a figure: which ones, in which order, page by page, and blind for whoever holds one."""

from typing import Any

import pytest

from core.choices import LeaseState, QuestionKind
from core.exceptions import Invalid
from core.models import Lease, Membership, Project
from core.selectors.agreement import Scope
from core.selectors.disagreement import Behind, SplitPage, items_behind
from core.selectors.question import schema_of
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member, make_question

# What bob, carol and w001 said; three people on each item but the last two.
SAID = {
    "same": ("yes", "yes", "yes"),
    "two-one": ("yes", "yes", "no"),
    "apart": ("yes", "no", "cannot tell"),
    "pair": ("no", "yes"),
    "alone": ("yes",),
}


@pytest.fixture
def people(actors: Actors) -> list[Membership]:
    imported = add_member(actors.project, None, name="w001")
    return [actors.membership(actors.bob), actors.membership(actors.carol), imported]


@pytest.fixture
def answered(people: list[Membership], project: Project) -> Project:
    for item, said in zip(make_items(project, *SAID), SAID.values(), strict=True):
        for member, value in zip(people, said, strict=False):
            make_answer(member, item, {"answer": value})
    return project


def found(project: Project, actors: Actors, key: str = "answer", **asked: Any) -> SplitPage:
    question = schema_of(project).question(key)
    assert question is not None
    page = {name: asked.pop(name) for name in ("cursor", "page_size") if name in asked}
    reader = actors.membership(actors.alice)
    return items_behind(project, question, Scope(), Behind(**asked), reader, **page)


def names(page: SplitPage) -> list[str]:
    return [row.item.external_id for row in page.items]


def test_what_people_differ_on_most_comes_first(answered: Project, actors: Actors) -> None:
    page = found(answered, actors)

    assert [(row.item.external_id, round(row.share, 3)) for row in page.items] == [
        ("apart", 1.0),
        ("pair", 1.0),
        ("two-one", 0.667),
        ("same", 0.0),
    ]
    assert [said.value for said in page.items[0].said or ()] == ["yes", "no", "cannot tell"]


def test_a_cell_of_the_confusions_has_its_items(answered: Project, actors: Actors) -> None:
    assert names(found(answered, actors, a="yes", b="no")) == ["apart", "pair", "two-one"]
    assert names(found(answered, actors, a="no", b="cannot tell")) == ["apart"]
    assert names(found(answered, actors, a="yes", b="yes")) == ["two-one", "same"]
    assert names(found(answered, actors, label="cannot tell")) == ["apart"]


def test_a_person_is_held_against_the_others(
    answered: Project, actors: Actors, people: list[Membership]
) -> None:
    rows = found(answered, actors, person=people[1].pk).items

    # Carol: alone against two, alone against one, one of two with her, both with her.
    assert [(row.item.external_id, row.share) for row in rows] == [
        ("apart", 1.0),
        ("pair", 1.0),
        ("two-one", 0.5),
        ("same", 0.0),
    ]


def test_two_people_are_held_against_each_other(
    answered: Project, actors: Actors, people: list[Membership]
) -> None:
    rows = found(answered, actors, person=people[0].pk, other=people[2].pk).items

    assert [(row.item.external_id, row.share) for row in rows] == [
        ("two-one", 1.0),
        ("apart", 1.0),
        ("same", 0.0),
    ]


def test_pages_follow_each_other_without_gap_or_repeat(answered: Project, actors: Actors) -> None:
    seen, cursor = [], None
    for _page in range(4):
        page = found(answered, actors, page_size=1, cursor=cursor)
        seen += names(page)
        cursor = page.next_cursor

    assert seen == names(found(answered, actors))
    assert cursor is None
    with pytest.raises(Invalid, match="not made here"):
        found(answered, actors, cursor="forged")


def test_whoever_holds_an_item_sees_no_answers(answered: Project, actors: Actors) -> None:
    item = answered.items.get(external_id="apart")
    Lease.objects.create(
        item=item,
        item_version=item.version,
        annotator=actors.membership(actors.alice),
        expires_at="2099-01-01T00:00Z",
        state=LeaseState.ACTIVE,
    )

    rows = {row.item.external_id: row.said for row in found(answered, actors).items}

    assert rows["apart"] is None
    assert rows["pair"] is not None


def test_sets_numbers_and_texts_have_items_too(actors: Actors, people: list[Membership]) -> None:
    project = actors.project
    make_question(project, "parts", ["beak", "wing"], kind=QuestionKind.MULTIPLE)
    make_question(project, "size", [], kind=QuestionKind.NUMBER, level="interval")
    make_question(project, "note", [], kind=QuestionKind.TEXT)
    first, second = make_items(project, "first", "second")
    for member, ticked, size in zip(
        people, (["wing", "beak"], ["beak", "wing"], []), (1, 1, 2.5), strict=True
    ):
        make_answer(member, first, {"parts": ticked, "size": size, "note": "a lark"})
        make_answer(member, second, {"parts": ["beak"], "size": 3, "note": member.name})

    assert names(found(project, actors, "parts")) == ["first", "second"]
    (row,) = found(project, actors, "parts", a="beak|wing", b="").items
    assert sorted(said.value for said in row.said or ()) == ["", "beak|wing", "beak|wing"]
    assert names(found(project, actors, "size", a="1", b="2.5")) == ["first"]
    assert names(found(project, actors, "note")) == ["second", "first"]
    with pytest.raises(Invalid, match="no class"):
        found(project, actors, "parts", label="tail")
    with pytest.raises(Invalid, match="not a number"):
        found(project, actors, "size", label="big")


def test_the_scope_of_the_report_is_kept(answered: Project, actors: Actors) -> None:
    answered.items.filter(external_id="apart").update(state="withdrawn", free=0)
    answered.items.filter(external_id="pair").update(audit="stream")
    question = schema_of(answered).questions[0]
    reader = actors.membership(actors.alice)

    page = items_behind(answered, question, Scope(items="audit"), Behind(), reader)

    assert names(page) == ["pair"]
    assert "apart" not in names(found(answered, actors))
