"""What a batch's columns look like, whatever the chunks that they come in."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from core.numerics.profile import (
    SAMPLED,
    TEXTS,
    Profiler,
    classified,
    min_hashes,
    troubles,
)


@dataclass
class ReadRow:
    """A row as an import reads it."""

    number: int
    id: str | None
    data: dict[str, Any]
    meta: dict[str, Any]


def read(data: list[dict[str, Any]], chunk: int = 5000, schema: Any = None) -> Profiler:
    profiler = Profiler(schema)
    rows = [ReadRow(number, None, one, {}) for number, one in enumerate(data, 1)]
    for start in range(0, len(rows), chunk):
        some = rows[start : start + chunk]
        profiler.add(some, [row.number % 8 == 0 for row in some])
    return profiler


@pytest.mark.parametrize(
    ("text", "kind", "number", "unit"),
    [
        ("12", "number", 12.0, ""),
        ("-1.5e3", "number", -1500.0, ""),
        ("12 kg", "quantity", 12.0, "kg"),
        ("12.5km/h", "quantity", 12.5, "km/h"),
        ("40 %", "quantity", 40.0, "%"),
        ("$ 3.50", "quantity", 3.5, "$"),
        ("3 €", "quantity", 3.0, "€"),
        ("2026-11-21", "date", None, ""),
        ("2026-11-21T08:00:00Z", "date", None, ""),
        ("21/11/2026", "other date", None, ""),
        ("1.234,5", "decimal comma", None, ""),
        ("12,5", "decimal comma", None, ""),
        ("true", "boolean", None, ""),
        ("Rome", "text", None, ""),
        ("7 wonders of the world", "text", None, ""),
        ("+", "text", None, ""),
    ],
)
def test_what_a_short_text_holds(text: str, kind: str, number: float | None, unit: str) -> None:
    assert classified(text) == (kind, number, unit)


def test_a_profile_does_not_depend_on_the_chunks() -> None:
    draw = random.Random(3)
    data = [
        {
            "text": "".join(draw.choices("abcd ", k=30 + draw.randint(0, 90))),
            "n": draw.randint(0, 9),
            "x": draw.random(),
        }
        for _ in range(6000)
    ]
    for number in range(0, 6000, 7):
        data[number]["late"] = "12 kg"
    whole = read(data, 6000).profile()
    assert read(data, 501).profile() == whole
    assert len(whole["fields"]["x"]["numbers"]["sample"]) == SAMPLED
    assert len(whole["texts"]["keys"]) == TEXTS
    assert whole["texts"]["n_looked"] == 6000
    assert max(whole["texts"]["keys"]) <= whole["texts"]["limit"]


def test_counts_are_exact() -> None:
    data: list[dict[str, Any]] = [{"a": "x"}, {"a": " "}, {"a": None}, {}, {"a": "N/A"}, {"a": 3}, {"a": [1]}]
    found = read(data, 2).profile()["fields"]["a"]
    assert (found["filled"], found["present"], found["placeholders"]) == (4, 5, 1)
    assert found["types"] == {"number": 1, "text": 2, "list": 1}


def test_rows_that_the_schema_asks_about_are_named() -> None:
    schema = {"fields": {"a": {"type": "number", "required": True, "maximum": 5}}}
    profiler = read([{"a": 1}, {"a": 9}, {"a": "many"}, {"a": None}, {}], 2, schema)
    told = {code: [row["row"] for row in marked.rows] for (code, _), marked in profiler.marks.items()}
    assert told == {"above-maximum": [2], "type-changed": [3], "missing-values": [4, 5]}
    assert profiler.marks["type-changed", "a"].rows[0]["value"] == "many"


def test_numbers_that_no_float_holds_do_not_stop_it() -> None:
    found = read([{"a": 10**400}, {"a": 1}]).profile()["fields"]["a"]
    assert (found["numbers"]["min"], found["numbers"]["max"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("caf\ufffd", "replacement-characters"),
        ("cafÃ©", "mojibake"),
        ("donâ€™t", "mojibake"),
        ("a\x07b", "control-characters"),
        ("a\x85b", "control-characters"),
        ("\ufeffa", "invisible-characters"),
        ("a\u200bb", "invisible-characters"),
        ("p\u0430ypal", "mixed-scripts"),
        ("a\r\nb", "mixed-newlines"),
    ],
)
def test_troubles_are_told_by_the_text_that_has_them(text: str, trouble: str) -> None:
    found = dict(troubles(["plain\ttext\nof two lines", text, "“naïve” café \u2013 3 µm", "Привет, мир"]))
    assert {name: at.tolist() for name, at in found.items()} == {trouble: [1]}


def test_honest_texts_have_no_trouble() -> None:
    assert troubles(["", "plain", "Straße »à la« “café” São Paulo", "日本語 text", "Ελλάδα and Greece"]) == []


def test_texts_alike_share_their_smallest_hash_as_often_as_they_share_stretches() -> None:
    draw = random.Random(4)
    texts = ["".join(draw.choices("abcdefghij ", k=200)) for _ in range(2000)]
    near = [text[:150] + "".join(draw.choices("abcdefghij ", k=50)) for text in texts]
    same = float(np.mean(min_hashes(texts) == min_hashes(near)))
    expected = 146 / (196 + 50)  # stretches of five bytes: shared ones, and all
    assert abs(same - expected) < 0.04


def test_hashes_do_not_depend_on_what_stands_beside() -> None:
    texts = ["one text that is long enough", "another", "Ünïcödé", ""]
    assert min_hashes(texts).tolist() == [int(min_hashes([text])[0]) for text in texts]
