"""The balance of classes in a file of answers, against the files before it: of all items, and in slices of them.

Several answers to one item are not independent: counted one by one, three people who agree would look like three items.
So one answer of each item counts, drawn by a hash. Every item then has the class shares that its answers have, however
many they are, and items are as independent as those of any batch. Shares are compared by Pearson's test of
homogeneity (core.numerics.findings); of a multiple choice each class is compared by itself, ticked or not.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from core.numerics.findings import FEWEST, Finding, homogeneous, judged, share_figure
from core.numerics.profile import META, Document
from core.numerics.validation import GROSS, LEAST_SHIFT

SLICED = 10_000  # items of a file whose metadata are looked at
MOST_SLICES = 20  # different values of a field of the metadata
MOST_FIELDS = 20
LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """One answer to an item; ``who`` tells the answers of an item apart, ``classes`` are those that it names."""

    question: str
    who: str
    classes: tuple[str, ...]


class AnswerProfiler:
    """Counts the classes of one answer per item and question; items come one by one, each with all its answers."""

    def __init__(self) -> None:
        self.n_items = 0
        self._counts: dict[str, Counter[str]] = {}
        self._n: Counter[str] = Counter()
        self._sample: list[tuple[int, str, Mapping[str, ItemAnswer]]] = []

    def add(self, item: str, answers: Iterable[ItemAnswer]) -> None:
        """An item, named as in its file, with its answers in any order."""
        by_question: dict[str, list[ItemAnswer]] = {}
        for answer in answers:
            by_question.setdefault(answer.question, []).append(answer)
        drawn = {question: _drawn(item, several) for question, several in by_question.items()}
        for question, answer in drawn.items():
            self._n[question] += 1
            self._counts.setdefault(question, Counter()).update(answer.classes)
        self.n_items += 1
        place = _hash(item)
        if len(self._sample) < SLICED or place < self._sample[-1][0]:
            insort(self._sample, (place, item, drawn), key=lambda one: one[:2])
            del self._sample[SLICED:]

    def sampled(self) -> list[str]:
        """The items whose metadata are asked for: those with the smallest hashes."""
        return [item for _, item, _ in self._sample]

    def profile(self, metadata: Mapping[str, Mapping[str, Any]]) -> Document:
        """By question: ``n`` items, ``classes`` (items by class), ``slices`` (field, value: the same of its items)."""
        fields = _slice_fields([metadata.get(item, {}) for _, item, _ in self._sample])
        slices: dict[str, dict[str, dict[str, Document]]] = {}
        for _, item, drawn in self._sample:
            for field in fields:
                value = _value(metadata.get(item, {}).get(field))
                for question, answer in drawn.items() if value else ():
                    held = slices.setdefault(question, {}).setdefault(META + field, {})
                    part = held.setdefault(value, {"n": 0, "classes": Counter()})
                    part["n"] += 1
                    part["classes"].update(answer.classes)
        questions = {
            question: {
                "n": self._n[question],
                "classes": _plain(counts),
                "slices": _plain(slices.get(question, {})),
            }
            for question, counts in sorted(self._counts.items())
        }
        return {"n": self.n_items, "questions": questions}


def _plain(counts: Mapping[str, Any]) -> Document:
    """The same with sorted names, as JSON keeps it."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else value for key, value in sorted(counts.items())
    }


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


def _drawn(item: str, answers: Sequence[ItemAnswer]) -> ItemAnswer:
    """One answer of an item: that with the smallest hash."""
    if len(answers) == 1:
        return answers[0]
    return min(answers, key=lambda one: (_hash(f"{item}\0{one.who}"), one.who, one.classes))


def _value(value: object) -> str:
    """A value of the metadata as a slice's name; empty where it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int) and len(str(value)) <= LONGEST_VALUE else ""


def _slice_fields(metadata: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields whose values are few and come again."""
    values: dict[str, set[str] | None] = {}
    for one in metadata:
        for name, value in one.items():
            seen = values.setdefault(name, set())
            if seen is not None and (text := _value(value)):
                seen.add(text)
                if len(seen) > MOST_SLICES:
                    values[name] = None
    return sorted(name for name, seen in values.items() if seen and len(seen) > 1)[:MOST_FIELDS]


def pooled_answers(
    profiles: Sequence[Mapping[str, Any]], into: Mapping[str, str] | None = None
) -> Document | None:
    """Profiles of several files as one, classes read by ``into`` (merged class to the one it became); None of none."""
    if not profiles:
        return None
    read = into or {}
    questions: dict[str, Document] = {}
    for profile in profiles:
        for name, found in profile["questions"].items():
            held = questions.setdefault(name, {"n": 0, "classes": Counter(), "slices": {}})
            _add(held, found, read)
            for field, values in found["slices"].items():
                for value, part in values.items():
                    empty = {"n": 0, "classes": Counter()}
                    _add(held["slices"].setdefault(field, {}).setdefault(value, empty), part, read)
    return {"n": sum(one["n"] for one in profiles), "questions": questions}


def _add(held: Document, found: Mapping[str, Any], read: Mapping[str, str]) -> None:
    held["n"] += found["n"]
    for name, k in found["classes"].items():
        held["classes"][read.get(name, name)] += k


def class_balance(
    profile: Mapping[str, Any], reference: Mapping[str, Any] | None, multiple: frozenset[str] = frozenset()
) -> list[Finding]:
    """Questions whose classes, among all items or in a slice of them, have other shares than in the files before.

    ``multiple``: the questions of which an answer may name several classes. Each question gives a test, and so does
    each of its fields of the metadata (the slice with the smallest p, times the number of slices); all of them share
    one level (``judged``). ``said`` holds ``category``, ``before``, ``shift`` and, of a slice, its ``value``.
    """
    found: list[Finding] = []
    for question, now in profile["questions"].items() if reference is not None else ():
        before = (reference or {})["questions"].get(question)
        if before is None:
            continue
        found += _moved(question, now, before, several=question in multiple)
        for field, values in now["slices"].items():
            old = before["slices"].get(field, {})
            told = [
                (one, value)
                for value, part in values.items()
                if min(part["n"], old.get(value, {"n": 0})["n"]) >= FEWEST
                for one in _moved(question, part, old[value], several=question in multiple)
            ]
            if told:
                found.append(_slice_finding(field, told))
    return judged(found)


def _slice_finding(field: str, told: Sequence[tuple[Finding, str]]) -> Finding:
    """The slice that moved most clearly, for all slices of a field."""
    one, value = min(told, key=lambda each: (each[0].p, -each[0].said["shift"], each[1]))
    return Finding(
        "class-balance-in-slice-shifted",
        one.field,
        slice=f"{field}:{value}",
        n=one.n,
        of=one.of,
        said={**one.said, "slice": field.removeprefix(META), "value": value},
        figure=one.figure,
        p=min(1.0, (one.p or 0.0) * len(told)),
        large=one.large,
        listed=False,
    )


def _moved(
    question: str, now: Mapping[str, Any], before: Mapping[str, Any], *, several: bool
) -> list[Finding]:
    """The comparison of one question's classes; none where there is nothing to compare."""
    tables = [(now["classes"], before["classes"])]
    names = [""]
    if several:
        names = sorted({*now["classes"], *before["classes"]})
        tables = [(_ticked(now, name), _ticked(before, name)) for name in names]
    tested = [(homogeneous(*table), name) for table, name in zip(tables, names, strict=True)]
    held = [(found, name or found[2]) for found, name in tested if found is not None]
    if not held:
        return []
    (shift, p, _), category = min(held, key=lambda one: (one[0][1], -one[0][0], one[1]))
    n, of = min(now["classes"].get(category, 0), now["n"]), now["n"]
    old = min(before["classes"].get(category, 0) / before["n"], 1.0)
    said = {"category": category, "before": old, "shift": shift}
    return [
        Finding(
            "class-balance-shifted",
            question,
            n=n,
            of=of,
            said=said,
            figure=share_figure(n, of),
            p=min(1.0, p * len(held)),
            large=shift >= LEAST_SHIFT,
            gross=shift >= GROSS,
            listed=False,
        )
    ]


def _ticked(found: Mapping[str, Any], name: str) -> dict[str, int]:
    k = min(
        found["classes"].get(name, 0), found["n"]
    )  # two classes that are one by now may both have been ticked
    return {"ticked": k, "not": found["n"] - k}
