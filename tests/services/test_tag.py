"""Tags: one spelling per tag, each item once, and a line in the audit log."""

from typing import Any

import pytest

from core.choices import ProjectState
from core.exceptions import Conflict, Invalid
from core.models import Event, Item, ItemTag, Membership, Project, Tag
from core.selectors.item import item_named, tag_names
from core.selectors.tag import items_tagged, tags_of
from core.services.tag import add_tag, remove_tag
from tests.conftest import Actors
from tests.factories.answers import make_items


@pytest.fixture
def dave(actors: Actors) -> Membership:
    """A reviewer of a project with the items a, b and c."""
    make_items(actors.project, "a", "b", "c")
    return actors.membership(actors.dave)


def tags(project: Project) -> dict[str, list[str]]:
    return {
        tag.name: sorted(tag.item_tags.values_list("item__external_id", flat=True))
        for tag in tags_of(project.pk)
    }


def test_a_tag_is_put_on_items_once(dave: Membership) -> None:
    assert add_tag(dave, "Car noise", ["a", "b"]) == ("Car noise", 2)
    assert add_tag(dave, "Car noise", ["c", "b", "b"]) == ("Car noise", 1)
    assert tags(dave.project) == {"Car noise": ["a", "b", "c"]}
    told = Event.objects.filter(verb="tag.added").order_by("pk").values_list("actor", "thing", "data__items")
    assert list(told) == [(dave.user_id, "Car noise", 2), (dave.user_id, "Car noise", 1)]
    assert ItemTag.objects.filter(by=dave.user).count() == 3


def test_case_unicode_form_and_blanks_do_not_make_another_tag(dave: Membership) -> None:
    add_tag(dave, "Caf\u00e9  noise", ["a"])
    assert add_tag(dave, " CAFE\u0301 NOISE ", ["b"]) == ("Caf\u00e9 noise", 1)
    assert tags(dave.project) == {"Caf\u00e9 noise": ["a", "b"]}
    assert items_tagged(dave.project_id, "cafe\u0301 noise").count() == 2


def test_a_tag_is_taken_off_and_vanishes_with_its_last_item(dave: Membership) -> None:
    add_tag(dave, "blurry", ["a", "b"])
    assert remove_tag(dave, "BLURRY", ["a", "c"]) == ("blurry", 1)
    assert tags(dave.project) == {"blurry": ["b"]}
    remove_tag(dave, "blurry", ["b"])
    assert tags(dave.project) == {}
    assert remove_tag(dave, "unheard of", ["a"]) == ("unheard of", 0)
    assert Event.objects.filter(verb="tag.removed").count() == 2


def test_an_item_lists_its_tags_by_name(dave: Membership) -> None:
    for name in ("zebra", "Alpha", "beta"):
        add_tag(dave, name, ["a"])
    assert tag_names(item_named(dave.project_id, "a")) == ["Alpha", "beta", "zebra"]


def test_the_same_name_in_another_project_is_another_tag(actors: Actors, dave: Membership) -> None:
    theirs = Membership.objects.select_related("project").get(user=actors.eve)
    make_items(theirs.project, "a")
    add_tag(theirs, "blurry", ["a"])
    assert tags(dave.project) == {}
    assert Item.objects.filter(pk__in=items_tagged(dave.project_id, "blurry")).count() == 0


@pytest.mark.parametrize(
    ("name", "items", "code"),
    [
        ("", ["a"], "bad-tag"),
        ("   ", ["a"], "bad-tag"),
        (None, ["a"], "bad-tag"),
        ("x" * 81, ["a"], "bad-tag"),
        ("\u0390" * 80, ["a"], "bad-tag"),  # case-folded it is three times as long
        ("a\u0000b", ["a"], "bad-tag"),
        ("blurry", [], "bad-items"),
        ("blurry", "a", "bad-items"),
        ("blurry", [1], "bad-items"),
        ("blurry", ["a"] * 1001, "bad-items"),
        ("blurry", ["a", "z"], "unknown-item"),
    ],
)
def test_what_is_no_tag_or_no_item_is_refused(dave: Membership, name: Any, items: Any, code: str) -> None:
    for change in (add_tag, remove_tag):
        with pytest.raises(Invalid) as refusal:
            change(dave, name, items)
        assert refusal.value.code == code
    assert not Tag.objects.exists()


def test_an_archive_keeps_its_tags(dave: Membership) -> None:
    add_tag(dave, "blurry", ["a"])
    dave.project.state = ProjectState.ARCHIVED
    for change in (add_tag, remove_tag):
        with pytest.raises(Conflict):
            change(dave, "blurry", ["a"])
