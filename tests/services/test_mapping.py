"""Mappings: classes are read otherwise, answers stay; what may not be merged; taking back in any order."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.choices import MappingKind
from core.exceptions import Conflict, DomainError, Invalid, Missing, Stale
from core.models import Answer, Event, LabelClass, Mapping, Project, Question
from core.pipelines.standard import preview
from core.selectors.check_data import findings
from core.selectors.mapping import ClassState, Step, folded
from core.selectors.question import schema_of
from core.services.mapping import apply_merge, apply_rename, apply_standardise, revert
from core.services.question import add_question, edit_class
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question

COLOURS = ["red", "rose", "blue", "navy", "unsure", "cannot say"]


@pytest.fixture
def question(actors: Actors) -> Question:
    """A question with six classes, two of which are uncertain."""
    return make_question(actors.project, "colour", COLOURS, uncertain={"unsure", "cannot say"})


def ids(question: Question, *names: str) -> list[int]:
    return [question.classes.get(name=name).pk for name in names]


def version(question: Question) -> int:
    return Project.objects.get(pk=question.project_id).mapping_version


def merge(actors: Actors, question: Question, *names: str, **more: Any) -> Mapping:
    """Read classes as the first of them."""
    found = ids(question, *names)
    given = {"version": version(question), **more}
    return apply_merge(actors.membership(actors.alice), question.key, found, found[0], **given)


def rename(actors: Actors, question: Question, old: str, new: str) -> Mapping:
    (pk,) = ids(question, old)
    return apply_rename(actors.membership(actors.alice), question.key, pk, new, version=version(question))


def undo(actors: Actors, mapping: Mapping) -> Mapping:
    return revert(actors.membership(actors.alice), mapping.pk, version(mapping.question))


def read(question: Question) -> dict[str, str]:
    """What every class is read as, by their present names."""
    spec = schema_of(Project.objects.get(pk=question.project_id)).question(question.key)
    assert spec is not None
    own = {one.id: one.name for one in spec.classes} | {one.id: one.name for one in spec.merged}
    return {own[pk]: to.name for pk, to in spec.reads.items()}


def unchanged(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def test_merged_answers_keep_their_class_and_are_read_as_another(actors: Actors, question: Question) -> None:
    (item,) = make_items(actors.project, "a")
    make_answer(actors.membership(actors.bob), item, {"colour": "rose"})
    made = merge(actors, question, "red", "rose", name="reddish", note="Too close.")

    assert Answer.objects.get().label_class == LabelClass.objects.get(name="rose")
    assert read(question) == {
        "reddish": "reddish",
        "rose": "reddish",
        **unchanged("blue", "navy", "unsure", "cannot say"),
    }
    assert (made.number, made.kind, made.note) == (1, MappingKind.MERGE, "Too close.")
    told = Event.objects.get(verb="mapping.applied")
    assert (told.thing, told.data["mapping"]) == ("colour: red + rose", 1)

    undo(actors, made)
    assert read(question) == unchanged(*COLOURS)
    assert Event.objects.filter(verb="mapping.reverted").count() == 1
    assert version(question) == 2


def misread() -> list[int]:
    return [pk for finding in findings() if finding.rule.name == "class-mapping" for pk in finding.ids]


def test_classes_that_differ_from_their_mappings_are_found(actors: Actors, question: Question) -> None:
    merge(actors, question, "red", "rose", name="reddish")
    assert misread() == []
    rose, blue = ids(question, "rose", "blue")
    LabelClass.objects.filter(pk=rose).update(merged_into=None)
    assert misread() == [rose]
    LabelClass.objects.filter(pk=rose).update(merged_into=blue)
    assert misread() == [rose]


def test_mergers_compose_and_are_taken_back_in_any_order(actors: Actors, question: Question) -> None:
    first = merge(actors, question, "red", "rose")
    second = merge(actors, question, "blue", "red")
    assert read(question)["rose"] == "blue"

    undo(actors, first)
    assert {name: read(question)[name] for name in ("red", "rose")} == {"red": "blue", "rose": "rose"}
    undo(actors, second)
    assert read(question) == unchanged(*COLOURS)


def test_a_name_is_the_last_one_in_force(actors: Actors, question: Question) -> None:
    first, second = rename(actors, question, "red", "ruby"), rename(actors, question, "ruby", "scarlet")
    undo(actors, first)
    assert "scarlet" in read(question)
    undo(actors, second)
    assert read(question) == unchanged(*COLOURS)


def test_a_name_that_was_given_away_cannot_come_back(actors: Actors, question: Question) -> None:
    renamed = rename(actors, question, "red", "ruby")
    rename(actors, question, "blue", "red")
    with pytest.raises(Conflict) as refusal:
        undo(actors, renamed)
    assert refusal.value.code == "name-taken"
    assert Mapping.objects.get(pk=renamed.pk).reverted_at is None
    assert "ruby" in read(question)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["red"], "too-few-classes"),
        (["red", "unsure"], "mixed-uncertain"),
        (["red", "yes"], "unknown-class"),
        (["blue", "rose"], "already-merged"),
    ],
)
def test_what_cannot_be_merged(actors: Actors, question: Question, names: list[str], code: str) -> None:
    merge(actors, question, "red", "rose")
    found = [LabelClass.objects.get(question__project=actors.project, name=name).pk for name in names]
    with pytest.raises(DomainError) as refusal:
        apply_merge(actors.membership(actors.alice), "colour", found, found[0], version=1)
    assert refusal.value.code == code
    assert version(question) == 1


def test_uncertain_classes_merge_with_each_other(actors: Actors, question: Question) -> None:
    merge(actors, question, "unsure", "cannot say")
    assert read(question)["cannot say"] == "unsure"


def test_the_result_may_not_be_called_as_another_class(actors: Actors, question: Question) -> None:
    with pytest.raises(Conflict) as refusal:
        merge(actors, question, "red", "rose", name="BLUE")
    assert refusal.value.code == "name-taken"
    assert read(question) == unchanged(*COLOURS)


def test_a_scale_keeps_its_order(actors: Actors) -> None:
    scale = make_question(
        actors.project, "loud", ["1", "2", "3", "4", "?"], kind="scale", level="ordinal", uncertain={"?"}
    )
    with pytest.raises(Invalid) as refusal:
        merge(actors, scale, "1", "3")
    assert refusal.value.code == "not-neighbours"
    first = merge(actors, scale, "1", "2")
    merge(actors, scale, "3", "1")
    assert read(scale) == {"1": "3", "2": "3", "3": "3", "4": "4", "?": "?"}
    with pytest.raises(Conflict) as conflict:
        undo(actors, first)
    assert conflict.value.code == "not-neighbours"


def test_classes_on_both_sides_of_a_condition_stay_apart(actors: Actors, question: Question) -> None:
    alice = actors.membership(actors.alice)
    merge(actors, question, "red", "rose")
    when = {"question": "colour", "classes": ["red"]}
    add_question(alice, {"key": "shade", "kind": "text", "title": "Which?", "required": False, "when": when})
    with pytest.raises(Conflict) as refusal:
        merge(actors, question, "red", "blue")
    assert refusal.value.code == "splits-condition"

    undo(actors, Mapping.objects.get())
    spec = schema_of(Project.objects.get(pk=alice.project_id)).question("shade")
    assert spec is not None
    assert spec.when == ("colour", frozenset({"red", "rose"}))  # as it was asked while they were one


def test_only_what_was_seen_can_be_changed(actors: Actors, question: Question) -> None:
    made = merge(actors, question, "red", "rose")
    alice = actors.membership(actors.alice)
    with pytest.raises(Stale):
        merge(actors, question, "blue", "navy", version=0)
    with pytest.raises(Stale):
        revert(alice, made.pk, 0)
    undo(actors, made)
    with pytest.raises(Conflict) as refusal:
        undo(actors, made)
    assert refusal.value.code == "already-reverted"


def test_a_mapping_of_another_project_is_not_found(actors: Actors, question: Question) -> None:
    made = merge(actors, question, "red", "rose")
    with pytest.raises(Missing):
        revert(actors.membership(actors.alice).__class__.objects.get(user=actors.eve), made.pk, 0)


def test_another_name_for_a_class_is_a_mapping(actors: Actors, question: Question) -> None:
    alice = actors.membership(actors.alice)
    (red,) = ids(question, "red")
    edit_class(alice, "colour", red, {"name": "ruby", "definition": "Like a ruby."}, version=1)
    made = Mapping.objects.get()
    assert (made.kind, made.document) == (MappingKind.RENAME, {"class": red, "name": ["red", "ruby"]})
    undo(actors, made)
    spec = LabelClass.objects.get(pk=red)
    assert (spec.name, spec.definition) == ("red", "Like a ruby.")


def test_a_class_that_others_are_read_as_stays_certain(actors: Actors, question: Question) -> None:
    merge(actors, question, "red", "rose")
    alice = actors.membership(actors.alice)
    red, rose = ids(question, "red", "rose")
    for pk, changes, code in (
        (red, {"uncertain": True}, "has-merged"),
        (rose, {"key": "x"}, "already-merged"),
    ):
        with pytest.raises(Conflict) as refusal:
            edit_class(alice, "colour", pk, changes, version=2)
        assert refusal.value.code == code


@pytest.mark.parametrize("name", ["   ", "\u2029", "\xa0"])
def test_a_name_of_blanks_is_refused_and_the_empty_one_is_a_name(
    actors: Actors, question: Question, name: str
) -> None:
    with pytest.raises(Invalid, match="consists of blanks") as refused:
        rename(actors, question, "blue", name)
    assert refused.value.code == "bad-name"
    rename(actors, question, "blue", "")
    assert question.classes.filter(name="").exists()


def test_a_renaming_whose_old_name_is_taken_is_told_how_it_can_be_reverted(
    actors: Actors, question: Question
) -> None:
    first = rename(actors, question, "blue", "azure")
    rename(actors, question, "navy", "blue")

    with pytest.raises(Conflict) as refused:
        undo(actors, first)

    assert refused.value.code == "name-taken"
    assert "Two classes would be called 'blue'. Call one of them otherwise first" in refused.value.detail
    assert "erged" not in refused.value.detail


def test_rules_that_take_too_long_are_refused_with_the_numbers(actors: Actors) -> None:
    question = make_question(actors.project, "why", [], kind="text")
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    for number, item in enumerate(make_items(actors.project, *(f"i{n}" for n in range(5)))):
        make_answer(bob, item, {"why": f"{number}" + "a b" * 6_000})
    plain = [{"from": f"a{n}", "to": "a"} for n in range(999)]
    slow = [{"pattern": f"(.*a.{{{200 + n}}}b.*)|q", "to": "q"} for n in range(7)]

    with pytest.raises(Invalid, match="7 rules, 7 of them patterns, on 5 different texts of 90,005") as much:
        apply_standardise(alice, "why", slow, version=0)
    with pytest.raises(Invalid) as looked:
        preview(alice.project, "why", slow)
    apply_standardise(alice, "why", plain, version=0)
    apply_standardise(alice, "why", [{"pattern": "um+", "to": "um"}], version=1)
    with pytest.raises(Invalid, match="1,001 rules") as many:
        apply_standardise(alice, "why", plain[:1], version=2)

    assert (much.value.code, looked.value.code) == ("too-much-text", "too-much-text")
    assert many.value.code == "too-many-rules"
    assert version(question) == 2


def test_texts_are_read_by_rules_and_kept_as_they_are(actors: Actors) -> None:
    question = make_question(actors.project, "why", [], kind="text")
    bob = actors.membership(actors.bob)
    for item, text in zip(make_items(actors.project, "a", "b", "c"), ("um", "ummm", "so"), strict=True):
        make_answer(bob, item, {"why": text})
    alice = actors.membership(actors.alice)
    made = apply_standardise(alice, "why", [{"pattern": "um+", "to": "um"}], version=0)
    assert list(Answer.objects.order_by("pk").values_list("text", "standard")) == [
        ("um", None),
        ("ummm", "um"),
        ("so", None),
    ]
    undo(actors, made)
    assert not Answer.objects.filter(question=question, standard__isnull=False).exists()


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"from": "a"}],
        [{"pattern": "(", "to": "a"}],
        [{"from": " ", "to": "a"}],
        [{"from": 1, "to": "a"}],
    ],
)
def test_rules_that_nobody_can_read_are_refused(actors: Actors, rules: Any) -> None:
    make_question(actors.project, "why", [], kind="text")
    with pytest.raises(Invalid) as refusal:
        apply_standardise(actors.membership(actors.alice), "why", rules, version=0)
    assert refusal.value.code == "bad-rules"


STEPS = st.lists(
    st.tuples(st.sets(st.integers(0, 5), min_size=2, max_size=4), st.booleans(), st.booleans()), max_size=8
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_nothing_is_ever_read_as_a_class_that_is_read_as_another(
    drawn: list[tuple[set[int], bool, bool]],
) -> None:
    steps = [
        Step({"classes": sorted(group), "into": max(group) if last else min(group)}, in_force)
        for group, last, in_force in drawn
    ]
    states = folded({pk: f"c{pk}" for pk in range(6)}, steps)
    for state in states.values():
        assert state.into is None or states[state.into].into is None
    apart = {pk: {pk} for pk in range(6)}  # what the mergers in force put together, whatever their order
    for step in steps:
        if step.in_force:
            together = set().union(*(apart[pk] for pk in step.document["classes"]))
            apart |= dict.fromkeys(together, together)
    for pk, state in states.items():
        root = pk if state.into is None else state.into
        assert apart[pk] == {o for o, its in states.items() if (o if its.into is None else its.into) == root}


def test_no_steps_leave_all_as_it_is() -> None:
    assert folded({1: "a", 2: "b"}, []) == {1: ClassState("a"), 2: ClassState("b")}
