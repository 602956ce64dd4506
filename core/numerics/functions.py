"""Rules that look at one item and say whether they apply: keywords, regular expressions, metadata.

Regular expressions are those of re2, whose time grows with the text and never with how the pattern is nested; what
re2 cannot promise that for (lookarounds, back-references) it refuses.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import re2  # type: ignore[import-untyped]

LONGEST_PATTERN = 1000
# Instructions of a compiled pattern: with the memory below, the slowest of them take a blink for the longest text.
LARGEST_PROGRAM = 2000
MEMORY = 8 << 20
LONGEST_TEXT = 100_000  # characters of an item that rules look at
MOST_SPANS = 20
_DEEPEST = 20
_TOKEN = re.compile(r"\w+|[^\w\s]")
_TRUTHS = {True: "true", False: "false"}

Span = tuple[int, int]


class BadPattern(ValueError):  # noqa: N818 -- reads as what happened
    """A regular expression that is not one, or that cannot be matched in bounded time."""


class Operator(StrEnum):
    """What a rule asks of one key of the metadata."""

    EQUAL = "="
    DIFFERENT = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    CONTAINS = "contains"
    MISSING = "missing"


@dataclass(frozen=True)
class Words:
    """A text as its words: ``folded`` has a blank around each of them, ``spans`` says where each stands."""

    folded: str
    spans: Sequence[Span]

    @classmethod
    def of(cls, text: str) -> "Words":
        """Words are runs of letters and digits, every other sign is a word of its own; case is folded."""
        found = list(_TOKEN.finditer(text))
        return cls(
            f" {' '.join(match.group().casefold() for match in found)} ", [match.span() for match in found]
        )


@dataclass(frozen=True, eq=False)
class Subject:
    """One item as rules see it. Its text is in Unicode's composed form (NFC), so that equal words are equal."""

    data: Mapping[str, Any]
    meta: Mapping[str, Any]
    _texts: dict[str | None, str] = field(default_factory=dict)
    _words: dict[str | None, Words] = field(default_factory=dict)

    def text(self, name: str | None) -> str:
        """The text of one field, or of all of them with a line break between; cut at LONGEST_TEXT."""
        if name not in self._texts:
            values = self.data.values() if name is None else [self.data.get(name)]
            whole = "\n".join(leaf for value in values for leaf in _leaves(value))
            self._texts[name] = unicodedata.normalize("NFC", whole[:LONGEST_TEXT])
        return self._texts[name]

    def words(self, name: str | None) -> Words:
        """The same as words."""
        if name not in self._words:
            self._words[name] = Words.of(self.text(name))
        return self._words[name]


class Rule(Protocol):
    """What a labeling function asks of an item."""

    def matches(self, subject: Subject) -> bool:
        """Whether it applies."""

    def spans(self, subject: Subject) -> list[Span]:
        """Where in ``subject.text(…)`` of its field it does; nothing where it does not look at a text."""


@dataclass(frozen=True)
class Keywords:
    """Any of these words or phrases (``every``: all of them), as whole words whatever their case.

    Where ``also`` has any, one of them must occur, too.
    """

    words: tuple[str, ...]
    every: bool = False
    also: tuple[str, ...] = ()
    name: str | None = None

    @cached_property
    def _wanted(self) -> tuple[str, ...]:
        return _folded(self.words)

    @cached_property
    def _besides(self) -> tuple[str, ...]:
        return _folded(self.also)

    def matches(self, subject: Subject) -> bool:
        """Whether the text has any (or every one) of the words, and one of those beside them."""
        folded = subject.words(self.name).folded
        found = (word in folded for word in self._wanted)
        if not (all(found) if self.every else any(found)):
            return False
        return not self._besides or any(word in folded for word in self._besides)

    def spans(self, subject: Subject) -> list[Span]:
        """Where the words stand."""
        words = subject.words(self.name)
        found: list[Span] = []
        for word in (*self._wanted, *self._besides):
            n = word.count(" ") - 1
            at = words.folded.find(word)
            while at >= 0:
                first = words.folded.count(" ", 0, at)
                found.append((words.spans[first][0], words.spans[first + n - 1][1]))
                at = words.folded.find(word, at + 1)
        return _merged(found)


@dataclass(frozen=True)
class Pattern:
    """A regular expression of re2 that occurs somewhere in the text. Raises BadPattern when it is made."""

    pattern: str
    case: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        if len(self.pattern) > LONGEST_PATTERN:
            raise BadPattern(f"A pattern has at most {LONGEST_PATTERN:,} characters.")
        if self._compiled.programsize > LARGEST_PROGRAM:
            raise BadPattern("This pattern is too large: repeat less, or fewer alternatives.")

    @cached_property
    def _compiled(self) -> Any:
        options = re2.Options()
        options.case_sensitive = self.case
        options.log_errors = False
        options.max_mem = MEMORY
        try:
            return re2.compile(self.pattern, options)
        except re2.error as error:
            raise BadPattern(_told(error)) from None

    def matches(self, subject: Subject) -> bool:
        """Whether it occurs."""
        return self._compiled.search(subject.text(self.name)) is not None

    def spans(self, subject: Subject) -> list[Span]:
        """Where it first occurs (all places may take the square of the text's length); nothing marks nothing."""
        found = (match.span() for match in self._compiled.finditer(subject.text(self.name)))
        return [(start, end) for start, end in islice(found, MOST_SPANS) if end > start]


@dataclass(frozen=True)
class Meta:
    """One key of the metadata compared with a value of a type.

    A number is compared with numbers and with texts that read as one; true and false with themselves and with those
    words; a text with texts, in the order of their characters (so that dates as 2026-11-21 compare as dates do). What
    is of another type, or missing, is not equal, not less and not more; only ``!=`` holds, where the key has a value.
    ``contains`` looks into a text whatever its case, and for an element into a list.
    """

    key: str
    operator: Operator
    value: str | float | bool | None = None

    def matches(self, subject: Subject) -> bool:
        """Whether the comparison holds."""
        found = subject.meta.get(self.key)
        is_missing = found is None or found == ""
        if self.operator is Operator.MISSING:
            return is_missing
        if is_missing:
            return False
        if self.operator is Operator.CONTAINS:
            return self._contained(found)
        typed = _as_type(found, self.value)
        if self.operator is Operator.DIFFERENT:
            return typed is None or typed != self.value
        return typed is not None and _compare(self.operator, typed, self.value)

    def _contained(self, found: Any) -> bool:
        if isinstance(found, list):
            return any(_as_type(part, self.value) == self.value for part in found)
        return _plain(self.value).casefold() in _plain(found).casefold()

    def spans(self, subject: Subject) -> list[Span]:  # noqa: ARG002 -- of every rule
        """Nothing: it looks at no text."""
        return []


def votes_of(rules: Sequence[Rule], subject: Subject) -> list[int]:
    """The places of the rules that apply to an item."""
    return [place for place, rule in enumerate(rules) if rule.matches(subject)]


def _leaves(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        yield _TRUTHS[value]
    elif isinstance(value, int | float):
        yield f"{value:g}" if isinstance(value, float) else str(value)
    elif isinstance(value, list | dict) and depth < _DEEPEST:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part, depth + 1)


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(Words.of(unicodedata.normalize("NFC", word)).folded for word in words)


def _merged(spans: list[Span]) -> list[Span]:
    """Spans in their order, those that touch or overlap as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _plain(value: Any) -> str:
    return "\n".join(_leaves(value))


def _as_type(found: Any, value: Any) -> Any:
    """What was found as a value of the same type as the wanted one; None where it is none."""
    if isinstance(value, bool):
        said = found if isinstance(found, bool) else str(found).strip().casefold()
        return said if isinstance(said, bool) else {"true": True, "false": False}.get(said)
    if isinstance(value, int | float):
        if isinstance(found, bool) or not isinstance(found, int | float | str):
            return None
        try:
            return float(found)
        except (ValueError, OverflowError):
            return None
    return None if isinstance(found, list | dict) else _plain(found)


def _compare(operator: Operator, found: Any, value: Any) -> bool:
    if operator is Operator.EQUAL:
        return bool(found == value)
    if isinstance(value, bool):
        return False
    if operator in {Operator.LESS, Operator.AT_MOST}:
        return bool(found < value or (operator is Operator.AT_MOST and found == value))
    return bool(found > value or (operator is Operator.AT_LEAST and found == value))


def _told(error: Any) -> str:
    """What re2 says is wrong, and what it never takes."""
    said = error.args[0] if error.args else ""
    said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if "(?" in said or "invalid escape" in said:
        return (
            f"This pattern cannot be used ({said}). Lookaheads, lookbehinds and back-references are not possible: "
            "every pattern must be quick on every text."
        )
    if "too large" in said or "repetition" in said:
        return f"This pattern is too large ({said}): repeat less, or fewer alternatives."
    return f"This is not a regular expression: {said}."
