"""What a question takes, and what it refuses, with a code."""

from typing import Any

import pytest

from core.exceptions import Invalid
from core.selectors.question import ClassSpec, QuestionSpec, Schema
from core.services.answer import ValueRefused, check_answers, check_value


def classes(*names: str) -> tuple[ClassSpec, ...]:
    return tuple(
        ClassSpec(place, name, "", 0, "", place, uncertain=False) for place, name in enumerate(names, 1)
    )


def question(kind: str, *, key: str = "q", names: tuple[str, ...] = (), **more: Any) -> QuestionSpec:
    fields = {"required": True, "minimum": None, "maximum": None, "when": None, **more}
    return QuestionSpec(
        id=1, key=key, kind=kind, level="nominal", title=key, classes=classes(*names), **fields
    )


@pytest.mark.parametrize("value", ["duck", "Duck", " duck "])
def test_a_class_is_found_whatever_its_case(value: str) -> None:
    assert check_value(question("single", names=("duck", "swan")), value).class_id == 1


@pytest.mark.parametrize(
    ("asked", "value", "code"),
    [
        (question("single", names=("duck",)), "goose", "unknown-class"),
        (question("single", names=("duck",)), "", "unknown-class"),
        (question("single", names=("duck",)), 1, "unknown-class"),
        (question("single", names=("duck",)), ["duck"], "unknown-class"),
        (question("multiple", names=("duck", "swan")), "duck", "not-a-list"),
        (question("multiple", names=("duck", "swan")), ["duck"] * 10_000, "too-many-classes"),
        (question("multiple", names=("duck", "swan")), ["goose"], "unknown-class"),
        (question("number"), "5", "not-a-number"),
        (question("number"), True, "not-a-number"),
        (question("number"), float("nan"), "not-a-number"),
        (question("number", minimum=0.0), -1, "too-small"),
        (question("number", maximum=10.0), 11, "too-large"),
        (question("text"), 5, "not-a-text"),
        (question("text"), "x" * 20_001, "text-too-long"),
        (question("text"), "a\0b", "bad-character"),
        (question("text"), "\ud800", "bad-character"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_code(
    asked: QuestionSpec, value: object, code: str
) -> None:
    with pytest.raises(ValueRefused) as refusal:
        check_value(asked, value)
    assert refusal.value.code == code


def test_none_of_them_is_an_answer_to_a_multiple_question() -> None:
    asked = question("multiple", names=("duck", "swan"))
    assert check_value(asked, []).value == []
    assert check_value(asked, ["swan", "duck"]).value == ["duck", "swan"]


def schema() -> Schema:
    return Schema(
        (
            question("single", key="bird", names=("duck", "other")),
            question("text", key="which", when=("bird", frozenset({"other"}))),
            question("number", key="count", required=False),
        )
    )


def test_a_conditional_question_is_asked_only_when_its_condition_holds() -> None:
    assert [one.value for one in check_answers(schema(), {"bird": "duck"})] == ["duck"]
    assert [one.value for one in check_answers(schema(), {"bird": "other", "which": "swan"})] == [
        "other",
        "swan",
    ]


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ({}, [("bird", "required")]),
        ({"bird": None}, [("bird", "required")]),
        ({"bird": "other"}, [("which", "required")]),
        ({"bird": "duck", "which": "swan"}, [("which", "not-asked")]),
        ({"bird": "duck", "colour": "red"}, [("colour", "unknown-question")]),
        ({"bird": "x", "count": "y"}, [("bird", "unknown-class"), ("count", "not-a-number")]),
    ],
)
def test_every_wrong_field_is_named(answers: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid) as refusal:
        check_answers(schema(), answers)
    assert [(row["field"], row["code"]) for row in refusal.value.errors] == errors
