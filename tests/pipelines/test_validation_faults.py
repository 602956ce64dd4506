"""Planted faults: each is caught by its own code, as an alarm; the same batch without the fault raises none.

Rows are made, two batches of 1,000 of the same source; the second gets the fault.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from core.numerics.class_balance import AnswerProfiler, ItemAnswer, class_balance, pooled_answers
from core.numerics.findings import KIND_OF, STOP, Finding
from core.numerics.profile import Profiler
from core.numerics.validation import infer_schema, pooled, validated

WORDS = ["".join(random.Random(n).choices("abcdefghijklmnop", k=2 + n % 8)) for n in range(1200)]
CLASSES = frozenset({"yes", "no"})
FAULTS = 1000


@dataclass
class MadeRow:
    """A row of a made batch."""

    number: int
    id: str
    data: dict[str, Any]
    meta: dict[str, Any]
    audit: bool = False


@dataclass
class Batches:
    """The batch before and the one that gets a fault."""

    first: list[MadeRow]
    second: list[MadeRow]
    draw: random.Random = field(default_factory=lambda: random.Random(5))

    def some(self, share: float) -> list[MadeRow]:
        """A share of the second batch's rows."""
        return self.draw.sample(self.second, round(share * len(self.second)))


def made(n: int, seed: int) -> list[MadeRow]:
    """Rows of an honest source: a text, numbers, a quantity, a category, dates, metadata."""
    draw = random.Random(seed)
    rows = []
    for number in range(1, n + 1):
        data = {
            "text": " ".join(draw.choices(WORDS, k=draw.randint(8, 40))),
            "age": draw.randint(18, 80),
            "income": round(draw.lognormvariate(10, 1), 2),
            "weight": f"{draw.gauss(70, 12):.1f} kg",
            "price": f"{draw.randint(5, 90)} €",
            "city": draw.choices(["Rome", "Oslo", "Bern", "Linz"], [50, 30, 15, 5])[0],
            "day": f"2026-0{draw.randint(1, 9)}-{draw.randint(10, 28)}",
            "comment": " ".join(draw.choices(WORDS, k=draw.randint(4, 9))) if draw.random() < 0.6 else "",
        }
        meta = {
            "country": draw.choice("abcd"),
            "source": draw.choices(["web", "app"], [8, 2])[0],
            "guess": draw.choices(["yes", "no"], [3, 7])[0],
        }
        rows.append(MadeRow(number, f"{seed}-{number}", data, meta, audit=draw.random() < 0.12))
    return rows


@cache
def honest(seed: int) -> tuple[MadeRow, ...]:
    """The rows of a batch without a fault, made once."""
    return tuple(made(FAULTS, seed))


def two(seed: int = 2) -> Batches:
    """Two honest batches, the second of them to be changed."""
    second = [replace(row, data=dict(row.data), meta=dict(row.meta)) for row in honest(seed)]
    return Batches(list(honest(1)), second)


@cache
def before() -> Profiler:
    """What is known of the first batch."""
    first = Profiler()
    first.add(honest(1), [row.audit for row in honest(1)])
    return first


def found_in(batches: Batches) -> list[Finding]:
    """What the validation of the second batch finds, as an import would."""
    profile, texts = before().profile(), before().texts()
    schema = infer_schema(profile)
    second = Profiler(schema)
    second.add(batches.second, [row.audit for row in batches.second])
    return validated(second, schema, pooled([profile]), (texts.texts, texts.limit), CLASSES)


def put(name: str, value: Any, share: float) -> Callable[[Batches], None]:
    """A fault that gives a field another value in a share of the rows; ``value`` may be made from the old one."""

    def plant(batches: Batches) -> None:
        for row in batches.some(share):
            where, key = (row.meta, name[5:]) if name.startswith("meta.") else (row.data, name)
            where[key] = value(where[key]) if callable(value) else value

    return plant


def drop(name: str, share: float) -> Callable[[Batches], None]:
    """A fault that leaves a field out."""

    def plant(batches: Batches) -> None:
        for row in batches.some(share):
            (row.meta.pop(name[5:]) if name.startswith("meta.") else row.data.pop(name))

    return plant


def add(name: str, value: Any) -> Callable[[Batches], None]:
    """A fault that adds a field to every row."""

    def plant(batches: Batches) -> None:
        for row in batches.second:
            row.data[name] = value

    return plant


def renamed(batches: Batches) -> None:
    for row in batches.second:
        row.data["years"] = row.data.pop("age")


def keep(wanted: Callable[[MadeRow], bool]) -> Callable[[Batches], None]:
    """A fault that leaves rows out."""

    def plant(batches: Batches) -> None:
        batches.second = [row for row in batches.second if wanted(row)]

    return plant


def copied(n: int, *, near: bool = False) -> Callable[[Batches], None]:
    """Texts that stand twice in the batch, or nearly so."""

    def plant(batches: Batches) -> None:
        for old, new in zip(batches.second[:n], batches.second[n : 2 * n], strict=True):
            new.data.update(old.data)
            new.audit = old.audit
            if near:
                new.data["text"] = changed(old.data["text"])

    return plant


def pasted(n: int) -> Callable[[Batches], None]:
    """One row of the batch stands there so many times, always in the same split."""

    def plant(batches: Batches) -> None:
        one = batches.second[0]
        for row in [row for row in batches.second if row.audit == one.audit][:n]:
            row.data.update(one.data)

    return plant


def changed(text: str) -> str:
    """A text with its first word replaced."""
    return " ".join(["another", *text.split()[1:]])


def texts_of_before(wanted: Callable[[MadeRow], bool], *, near: bool) -> Callable[[Batches], None]:
    """Rows of the batch before that come again, as rows of the same split."""

    def plant(batches: Batches) -> None:
        old = [row for row in batches.first if wanted(row)][:40]
        for row, before in zip(batches.second, old, strict=False):
            row.data.update(before.data)
            row.audit = before.audit
            if near:
                row.data["text"] = changed(before.data["text"])

    return plant


def leaked(
    old: Callable[[Batches], list[MadeRow]], *, audit: bool, near: bool = False
) -> Callable[[Batches], None]:
    """Texts of one split that come again in the other."""

    def plant(batches: Batches) -> None:
        source = [row for row in old(batches) if row.audit is not audit][:40]
        target = [row for row in reversed(batches.second) if row not in source][:40]
        for row, before in zip(target, source, strict=False):
            row.data.update(before.data)
            row.audit = audit
            if near:
                row.data["text"] = changed(before.data["text"])

    return plant


def foreign(text: str) -> str:
    return " ".join(f"der {word} und die" for word in text.split()[: max(2, len(text.split()) // 4)])


PLANTED: list[tuple[str, str, Callable[[Batches], None]]] = [
    # missing
    ("missing-values", "age", put("age", None, 0.05)),
    ("missing-values", "comment", put("comment", "", 0.6)),
    ("missing-field", "price", drop("price", 1.0)),
    ("missing-field", "meta.source", drop("meta.source", 1.0)),
    ("missing-placeholders", "city", put("city", "N/A", 0.04)),
    # types
    ("type-changed", "age", put("age", "about thirty", 0.04)),
    ("type-changed", "day", put("day", lambda day: "/".join(reversed(day.split("-"))), 0.3)),
    ("type-changed", "income", put("income", lambda value: f"{value:.2f}".replace(".", ","), 0.1)),
    ("type-changed", "text", put("text", lambda text: text.split(), 0.05)),
    # units
    ("unit-changed", "weight", put("weight", lambda weight: f"{float(weight[:-3]) * 2.2:.1f} lb", 0.05)),
    ("unit-changed", "price", put("price", lambda price: price.replace("€", "$"), 0.1)),
    ("unit-missing", "weight", put("weight", lambda weight: weight[:-3], 0.04)),
    ("unit-suspected", "income", put("income", lambda value: value * 1000, 1.0)),
    ("unit-suspected", "weight", put("weight", lambda weight: f"{float(weight[:-3]) * 2.20462:.1f} kg", 1.0)),
    # ranges
    ("above-maximum", "age", put("age", 95, 0.03)),
    ("below-minimum", "age", put("age", 3, 0.03)),
    ("below-minimum", "price", put("price", "-4 €", 0.04)),
    # categories
    ("unseen-category", "city", put("city", "Atlantis", 0.03)),
    ("unseen-category", "city", put("city", lambda city: city.upper(), 0.1)),
    ("unseen-category", "meta.country", put("meta.country", "zz", 0.02)),
    # lengths
    ("too-long", "text", put("text", lambda text: f"{text} " * 9, 0.03)),
    ("too-short", "text", put("text", "so", 0.03)),
    ("too-long", "comment", put("comment", lambda text: f"{text} and so on " * 6, 0.1)),
    ("lengths-drifted", "text", put("text", lambda text: " ".join(text.split()[:9]), 0.7)),
    # encodings
    ("replacement-characters", "text", put("text", lambda text: f"caf� {text[5:]}", 0.02)),
    ("mojibake", "text", put("text", lambda text: f"cafÃ© {text[6:]}", 0.02)),
    ("control-characters", "text", put("text", lambda text: f"{text[:9]}\x07{text[10:]}", 0.02)),
    ("mixed-scripts", "text", put("text", lambda text: f"p\u0430ypal {text[7:]}", 0.02)),
    ("mixed-newlines", "text", put("text", lambda text: f"{text[:9]}\r\n{text[11:]}", 0.3)),
    ("invisible-characters", "text", put("text", lambda text: f"\ufeff{text[1:]}", 0.1)),
    # outliers
    ("outliers", "age", put("age", 999, 0.003)),
    ("outliers", "weight", put("weight", "70000 kg", 0.002)),
    ("outliers", "income", put("income", 10**14, 0.002)),
    # near-duplicates within the batch, across batches, across splits
    ("near-duplicates", "", copied(60)),
    ("near-duplicates", "", copied(60, near=True)),
    ("near-duplicates", "", pasted(60)),
    ("near-duplicates-earlier", "", texts_of_before(lambda _: True, near=False)),
    ("near-duplicates-earlier", "", texts_of_before(lambda row: not row.audit, near=True)),
    ("near-duplicates-splits", "", leaked(lambda batches: batches.first, audit=False)),
    ("near-duplicates-splits", "", leaked(lambda batches: batches.first, audit=True, near=True)),
    ("near-duplicates-splits", "", leaked(lambda batches: batches.second, audit=True)),
    # balance of slices and classes
    ("slice-balance-shifted", "meta.country", put("meta.country", "a", 0.3)),
    ("slice-balance-shifted", "meta.source", put("meta.source", "app", 0.2)),
    ("slice-balance-shifted", "meta.country", keep(lambda row: row.meta["country"] != "d")),
    ("class-balance-shifted", "meta.guess", put("meta.guess", "yes", 0.3)),
    ("class-balance-shifted", "meta.guess", keep(lambda row: row.meta["guess"] == "no")),
    ("class-balance-shifted", "meta.guess", put("meta.guess", lambda _: "no", 0.6)),
    # schema skew
    ("new-field", "extra", add("extra", "x")),
    ("new-field", "nested", add("nested", {"a": 1})),
    ("field-renamed", "age", renamed),
    ("types-drifted", "comment", put("comment", lambda _: "17.5", 0.5)),
    # distribution skew
    ("numbers-drifted", "age", put("age", lambda age: min(80, age + 12), 0.8)),
    ("numbers-drifted", "income", put("income", lambda value: value * 1.7, 1.0)),
    ("categories-drifted", "city", put("city", "Oslo", 0.3)),
    ("words-drifted", "text", put("text", foreign, 0.4)),
    ("words-drifted", "comment", put("comment", lambda text: f"{text} again", 0.5)),
]


@pytest.mark.parametrize(
    ("code", "name", "plant"), PLANTED, ids=[f"{n}-{one[0]}" for n, one in enumerate(PLANTED)]
)
def test_a_planted_fault_is_caught_by_its_own_code(
    code: str, name: str, plant: Callable[[Batches], None]
) -> None:
    batches = two()
    plant(batches)
    alarms = {(one.code, one.field) for one in found_in(batches) if one.severity != "note"}
    assert (code, name) in alarms


def test_the_same_batches_without_a_fault_raise_no_alarm() -> None:
    for seed in range(2, 5):
        found = found_in(two(seed))
        assert [one for one in found if one.severity != "note"] == []


# --- Answers ------------------------------------------------------------------------------------------

Answered = tuple[str, dict[str, Any], list[ItemAnswer]]
COMMON = {"de": 0.5, "fr": 0.35, "nl": 0.15}


def answered(n: int, seed: int, yes: float = 0.3, raters: int = 3) -> list[Answered]:
    """Items with three people's answers who mostly agree: one class, and topics of which several may be ticked."""
    draw = random.Random(seed)
    made = []
    for number in range(n):
        language = draw.choices(list(COMMON), list(COMMON.values()))[0]
        truth, topics = draw.random() < yes, {one for one in "abc" if draw.random() < 0.3}
        answers = []
        for who in range(raters):
            label = "yes" if truth != (draw.random() < 0.05) else "no"
            answers.append(ItemAnswer("kind", f"w{who}", (label,)))
            answers.append(ItemAnswer("topics", f"w{who}", tuple(sorted(topics))))
        made.append((f"{seed}-{number}", {"language": language, "url": f"http://{seed}/{number}"}, answers))
    return made


def balance_found(second: list[Answered]) -> list[Finding]:
    """What is found in a file of answers after one of 1,000 items."""
    profiles = []
    for rows in (answered(FAULTS, 1), second):
        profiler = AnswerProfiler()
        for item, _, answers in rows:
            profiler.add(item, answers)
        profiles.append(profiler.profile({item: meta for item, meta, _ in rows}))
    return class_balance(profiles[1], pooled_answers(profiles[:1]), frozenset({"topics"}))


def said(
    rows: list[Answered], question: str, classes: tuple[str, ...], share: float, language: str = ""
) -> list[Answered]:
    """Some items (in one language) get other answers to a question, from all people alike."""
    draw = random.Random(5)
    return [
        (
            item,
            meta,
            [replace(one, classes=classes) if one.question == question else one for one in answers]
            if language in {"", meta["language"]} and draw.random() < share
            else answers,
        )
        for item, meta, answers in rows
    ]


ANSWER_FAULTS: list[tuple[str, str, str, Callable[[list[Answered]], list[Answered]]]] = [
    ("class-balance-shifted", "kind", "", lambda rows: said(rows, "kind", ("yes",), 0.2)),
    ("class-balance-shifted", "kind", "", lambda rows: said(rows, "kind", ("unseen",), 0.05)),
    ("class-balance-shifted", "kind", "", lambda rows: [one for one in rows if one[2][0].classes == ("no",)]),
    ("class-balance-shifted", "topics", "", lambda rows: said(rows, "topics", ("c",), 0.3)),
    ("class-balance-shifted", "topics", "", lambda rows: said(rows, "topics", (), 0.3)),
    (
        "class-balance-in-slice-shifted",
        *("kind", "meta.language:nl"),
        lambda rows: said(rows, "kind", ("yes",), 0.5, "nl"),
    ),
    (
        "class-balance-in-slice-shifted",
        *("kind", "meta.language:fr"),
        lambda rows: said(rows, "kind", ("no",), 0.9, "fr"),
    ),
    (
        "class-balance-in-slice-shifted",
        *("topics", "meta.language:de"),
        lambda rows: said(rows, "topics", ("a", "b"), 0.4, "de"),
    ),
]


@pytest.mark.parametrize(
    ("code", "question", "part", "plant"),
    ANSWER_FAULTS,
    ids=[f"{n}-{one[0]}-{one[1]}" for n, one in enumerate(ANSWER_FAULTS)],
)
def test_a_fault_in_the_balance_of_answers_is_caught(
    code: str, question: str, part: str, plant: Callable[[list[Answered]], list[Answered]]
) -> None:
    found = balance_found(plant(answered(FAULTS, 2)))
    assert (code, question, part) in {(one.code, one.field, one.slice) for one in found}


def test_a_balance_that_moved_by_a_fifth_is_grave() -> None:
    grave = balance_found(said(answered(FAULTS, 2), "kind", ("yes",), 0.5))
    assert [(one.field, one.severity) for one in grave if not one.slice] == [("kind", STOP)]
    assert grave[0].said["category"] in {"yes", "no"}
    assert grave[0].figure is not None
    assert grave[0].figure.n_items == FAULTS


def test_answers_of_the_same_source_raise_hardly_an_alarm_although_people_agree() -> None:
    """Three answers of an item are one piece of evidence: counted by themselves, eight of these files raise an alarm."""
    alarms = [seed for seed in range(100, 160) if balance_found(answered(300, seed))]
    assert len(alarms) <= 2


def test_how_many_people_answer_does_not_move_the_balance() -> None:
    assert balance_found(answered(FAULTS, 2, raters=1)) == []
    assert balance_found(answered(FAULTS, 2, raters=7)) == []


def test_the_order_of_answers_does_not_matter() -> None:
    rows = answered(200, 3)
    profiles = []
    for turned in (False, True):
        profiler = AnswerProfiler()
        for item, _, answers in reversed(rows) if turned else rows:
            profiler.add(item, reversed(answers) if turned else answers)
        profiles.append(profiler.profile({item: meta for item, meta, _ in rows}))
    assert profiles[0] == profiles[1]
    assert list(profiles[0]["questions"]["kind"]["slices"]) == ["meta.language"]


def test_every_kind_of_fault_is_planted_three_times() -> None:
    kinds = [KIND_OF[code] for code, _, _ in PLANTED]
    judged = {"missing", "type", "unit", "range", "category", "length", "encoding", "outlier", "balance"}
    for kind in judged | {"schema-skew", "distribution-skew"}:
        assert kinds.count(kind) >= 3, kind
    codes = [code for code, _, _ in PLANTED]
    assert codes.count("near-duplicates-splits") >= 3
    assert kinds.count("duplicate") >= 6
