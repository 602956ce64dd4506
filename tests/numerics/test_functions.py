"""Rules of labeling functions: words, regular expressions that cannot explode, metadata of every type."""

from typing import Any

import pytest

from core.numerics.functions import (
    LONGEST_PATTERN,
    LONGEST_TEXT,
    BadPattern,
    Keywords,
    Meta,
    Operator,
    Pattern,
    Rule,
    Subject,
    votes_of,
)

LONG = "a" * 50_000 + "!"


def text(*values: Any, **meta: Any) -> Subject:
    return Subject({f"field{place}": value for place, value in enumerate(values)}, meta)


def marked(rule: Rule, subject: Subject, name: str | None = None) -> list[str]:
    return [subject.text(name)[start:end] for start, end in rule.spans(subject)]


@pytest.mark.parametrize(
    ("words", "said", "found"),
    [
        (["free"], "FREE entry!", True),
        (["free"], "a carefree freedom", False),
        (["call now"], "Call  now,\nplease", True),
        (["call now"], "call me now", False),
        (["£"], "win £1000", True),
        (["don't"], "We DON'T know", True),
        (["straße"], "in der STRASSE", True),
        (["cafe\u0301"], "the Café", True),
        (["lost", "stolen"], "my card was stolen", True),
    ],
)
def test_keywords_are_whole_words_whatever_their_case_and_form(
    words: list[str], said: str, *, found: bool
) -> None:
    assert Keywords(tuple(words)).matches(text(said)) is found


def test_every_keyword_may_be_asked_for_and_a_field_alone() -> None:
    both = Keywords(("top", "up failed"), every=True)
    assert both.matches(text("my top", "up failed"))
    assert not both.matches(text("my top up"))
    assert not Keywords(("top",), name="field1").matches(text("my top", "up failed"))
    assert not Keywords(("top",), name="nowhere").matches(text("my top"))


def test_one_of_further_words_may_be_asked_for_too() -> None:
    cash = Keywords(("fee", "charge"), also=("cash", "atm"))
    assert cash.matches(text("A fee at the ATM?"))
    assert marked(cash, text("A fee at the ATM?")) == ["fee", "ATM"]
    assert not cash.matches(text("A fee for my card?"))
    assert not cash.matches(text("Cash from the ATM"))


def test_where_keywords_stand_is_marked_in_the_text() -> None:
    subject = text("Win! You WIN a prize: win-win, winner")
    assert marked(Keywords(("win", "a prize")), subject) == ["Win", "WIN", "a prize", "win", "win"]


def test_a_pattern_marks_characters_and_not_bytes() -> None:
    assert marked(Pattern(r"\d+p"), text("schön: £ 150p für 20p")) == ["150p", "20p"]
    assert Pattern("PRIZE").matches(text("a prize"))
    assert not Pattern("PRIZE", case=True).matches(text("a prize"))
    assert marked(Pattern("x*"), text("axxb")) == ["xx"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "(a|aa)+$", "(a?){200}a{200}b", "(.*)*x(.*)*y"])
def test_what_explodes_elsewhere_answers_at_once(pattern: str) -> None:
    """A backtracking matcher would never end here."""
    assert not Pattern(pattern).matches(text(LONG))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)b", "Lookaheads"),
        ("(?<!a)b", "Lookaheads"),
        (r"(a)\1", "back-references"),
        ("(a", "not a regular expression"),
        ("[a", "not a regular expression"),
        ("a{5000}", "too large"),
        ("((a{10}){10}){30}", "too large"),
        (r"\pL{30}", "too large"),
        ("a" * (LONGEST_PATTERN + 1), "at most"),
    ],
)
def test_patterns_without_a_bound_are_refused_with_a_sentence(pattern: str, said: str) -> None:
    with pytest.raises(BadPattern, match=said):
        Pattern(pattern)


@pytest.mark.parametrize(
    ("operator", "value", "found", "holds"),
    [
        (Operator.EQUAL, 5, 5.0, True),
        (Operator.EQUAL, 5, "5", True),
        (Operator.EQUAL, 5, "five", False),
        (Operator.EQUAL, 1, True, False),
        (Operator.EQUAL, "5", 5, True),
        (Operator.EQUAL, True, "True", True),
        (Operator.EQUAL, True, 1, False),
        (Operator.EQUAL, "en", "EN", False),
        (Operator.DIFFERENT, "en", "de", True),
        (Operator.DIFFERENT, 5, "five", True),
        (Operator.DIFFERENT, "en", None, False),
        (Operator.LESS, 10, "9", True),
        (Operator.LESS, "10", "9", False),
        (Operator.LESS, 10, 10, False),
        (Operator.AT_MOST, 10, 10, True),
        (Operator.MORE, "2026-01-31", "2026-02-01", True),
        (Operator.AT_LEAST, 3, "nan", False),
        (Operator.MORE, 3, [4], False),
        (Operator.CONTAINS, "ar", "MARCH", True),
        (Operator.CONTAINS, "b", ["a", "b"], True),
        (Operator.CONTAINS, "b", ["abc"], False),
        (Operator.CONTAINS, 3, [1, 3], True),
        (Operator.MISSING, None, None, True),
        (Operator.MISSING, None, "", True),
        (Operator.MISSING, None, 0, False),
    ],
)
def test_metadata_are_compared_by_type(operator: Operator, value: Any, found: Any, *, holds: bool) -> None:
    assert Meta("key", operator, value).matches(text("any", key=found)) is holds


def test_a_missing_key_is_missing_and_nothing_else() -> None:
    for operator in Operator:
        holds = Meta("nowhere", operator, "x").matches(text("any", key="x"))
        assert holds is (operator is Operator.MISSING)


def test_all_values_of_the_data_are_text_and_a_huge_one_is_cut() -> None:
    subject = Subject({"title": "One", "n": 2, "x": 0.5, "list": ["three", {"deep": True}], "none": None}, {})
    assert subject.text(None) == "One\n2\n0.5\nthree\ntrue"
    long = text("b" * LONGEST_TEXT + "z")
    assert not Pattern("z").matches(long)


def test_the_rules_that_apply_are_told_by_their_places() -> None:
    rules: list[Rule] = [Keywords(("win",)), Pattern(r"\d"), Meta("lang", Operator.EQUAL, "en")]
    assert votes_of(rules, text("win 5", lang="de")) == [0, 1]
