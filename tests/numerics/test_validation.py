"""The tests behind the findings: levels kept, effects asked, bounds learnt or set."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.special import betainc

from core.numerics.copies import duplicate_findings, merged_texts
from core.numerics.findings import LEVEL, Finding, homogeneous, judged, kolmogorov_smirnov, more_often
from core.numerics.profile import Document, Profiler, SampledText, TextSample
from core.numerics.validation import fences, infer_schema, pooled, validated


class CityRow(NamedTuple):
    """A row as an import reads it."""

    number: int
    id: str | None
    data: dict[str, Any]
    meta: dict[str, Any]


def test_a_maximum_exceeded_k_times_has_the_probability_q_to_the_k() -> None:
    assert more_often(3, 100, 0, 100) == pytest.approx(0.5**3)
    assert more_often(2, 100, 0, 300) == pytest.approx(0.25**2)
    assert more_often(0, 100, 5, 100) == 1.0


def test_counts_of_one_source_are_rarely_called_more_often() -> None:
    draw = np.random.default_rng(1)
    p = [more_often(int(a), 400, int(b), 1200) for a, b in draw.binomial([400, 1200], 0.03, size=(4000, 2))]
    assert np.mean(np.array(p) <= 0.05) <= 0.05


def test_it_is_the_binomial_tail() -> None:
    total = sum(
        float(betainc(k, 8 - k, 0.3)) - float(betainc(k + 1, 7 - k, 0.3)) if k < 7 else 0.3**7
        for k in (5, 6, 7)
    )
    assert more_often(5, 30, 2, 70) == pytest.approx(total)


def test_samples_of_one_source_keep_the_level() -> None:
    draw = np.random.default_rng(2)
    p = [kolmogorov_smirnov(draw.normal(size=150), draw.normal(size=400))[1] for _ in range(800)]
    assert np.mean(np.array(p) <= 0.05) <= 0.07
    distance, p_apart = kolmogorov_smirnov(draw.normal(0.5, size=400), draw.normal(size=400))
    assert distance > 0.1
    assert p_apart < 1e-4


def test_categories_of_one_source_keep_the_level() -> None:
    draw = np.random.default_rng(3)
    p = []
    for _ in range(800):
        a, b = draw.multinomial(300, [0.6, 0.3, 0.09, 0.01]), draw.multinomial(900, [0.6, 0.3, 0.09, 0.01])
        names = "abcd"
        tested = homogeneous(
            dict(zip(names, a.tolist(), strict=True)), dict(zip(names, b.tolist(), strict=True))
        )
        assert tested is not None
        p.append(tested[1])
    assert np.mean(np.array(p) <= 0.05) <= 0.07


def test_the_category_that_moved_most_is_named() -> None:
    tested = homogeneous({"a": 80, "b": 20}, {"a": 50, "b": 50})
    assert tested is not None
    shift, p, most = tested
    assert most == "a"
    assert shift == pytest.approx(0.3)
    assert p < 0.001
    assert homogeneous({"a": 3}, {"a": 5}) is None


def test_holm_shares_the_level_and_small_effects_raise_no_alarm() -> None:
    certain = Finding("too-long", "a", n=5, of=9, p=LEVEL / 10)
    weak = Finding("too-long", "b", n=5, of=9, p=LEVEL * 0.9)
    small = Finding("too-long", "c", n=5, of=9, p=0.0, large=False)
    quiet = Finding("lengths-drifted", "d", n=5, of=9, p=0.5, listed=False)
    told = {one.field: one.severity for one in judged([weak, small, certain, quiet])}
    assert told == {"a": "warn", "b": "note", "c": "note"}


def test_fences_leave_honest_tails_alone() -> None:
    draw = np.random.default_rng(4)
    for sample in (
        draw.normal(size=3000),
        draw.exponential(size=3000),
        draw.lognormal(size=3000),
        draw.pareto(1, 3000) + 1,
    ):
        ends = fences(sample[:1000].tolist())
        assert ends is not None
        assert ends[0] < sample.min()
        assert sample.max() < ends[1]
    ages = fences([float(age) for age in range(18, 81)] * 10)
    assert ages is not None
    assert ages[1] < 999
    assert fences([1.0] * 100) is None


def test_profiles_are_pooled_by_their_rows() -> None:
    def profile(n: int, value: str, numbers: list[float]) -> dict[str, object]:
        field = {
            "filled": n,
            "present": n,
            "placeholders": 0,
            "types": {"number": n},
            "units": {},
            "encodings": {},
            "values": {value: n},
            "numbers": {"min": min(numbers), "max": max(numbers), "sample": numbers},
            "lengths": None,
            "words": None,
        }
        return {"n": n, "fields": {"a": field}}

    both = pooled([profile(3000, "x", [1.0] * 1000), profile(1000, "y", [2.0] * 1000)])
    assert both is not None
    assert (both["n"], both["fields"]["a"]["values"]) == (4000, {"x": 3000, "y": 1000})
    sample = both["fields"]["a"]["numbers"]["sample"]
    assert (sample.count(1.0), sample.count(2.0)) == (1000, 500)
    assert pooled([]) is None


def text(key: int, words: str, *, audit: bool = False) -> SampledText:
    return SampledText(key, key, f"i{key}", audit, words)


def test_samples_are_merged_under_the_lowest_limit() -> None:
    first, second = [text(key, "") for key in (1, 5, 9)], [text(key, "") for key in (2, 3)]
    kept, limit = merged_texts([(10, first), (6, second)])
    assert ([one.key for one in kept], limit) == ([1, 5, 2, 3], 6)
    kept, limit = merged_texts([(None, first), (None, second)], most=3)
    assert ([one.key for one in kept], limit) == ([1, 2, 3], 5)


def test_copies_are_told_by_where_they_stand() -> None:
    copy = "the very same sentence that comes in twice over here"
    batch = TextSample(
        [
            text(1, copy),
            text(2, copy.replace("very ", "")),
            text(3, "another thing altogether is written in this row"),
        ],
        None,
        3,
    )
    told = {one.code: (one.n, one.severity) for one in duplicate_findings(batch, [], None)}
    assert told == {"near-duplicates": (2, "warn")}
    old = [text(100 + n, f"an old text number {n} about {n * 7} other {n * 13} things") for n in range(60)]
    across = duplicate_findings(batch, [*old, text(99, copy, audit=True)], None)
    assert {one.code: one.n for one in across} == {
        "near-duplicates": 2,
        "near-duplicates-earlier": 2,
        "near-duplicates-splits": 2,
    }


def test_a_handful_of_rows_with_one_rare_category_is_no_alarm() -> None:
    def batch(cities: list[str], schema: Document | None = None) -> Profiler:
        profiler = Profiler(schema)
        rows = [CityRow(number, None, {"city": city}, {}) for number, city in enumerate(cities, 1)]
        profiler.add(rows, [False] * len(rows))
        return profiler

    first = batch([f"city {n % 40}" for n in range(1000)])
    schema, reference = infer_schema(first.profile()), pooled([first.profile()])
    few = validated(batch(["city 1", "city 2", "city 3", "new town"], schema), schema, reference)
    assert [(one.code, one.severity, one.n) for one in few] == [("unseen-category", "note", 1)]
    many = validated(batch(["city 1"] * 60 + ["new town"] * 40, schema), schema, reference)
    assert ("unseen-category", "stop") in {(one.code, one.severity) for one in many}
