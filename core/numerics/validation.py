"""What is wrong with a batch: against the schema, and against the batches before it.

Everything that is counted is compared by one argument. If the batch and the rows before it come from one source, then
of the k rows (of both) that have some trait, those in the batch are a draw without replacement: their number is
hypergeometric, and the binomial tail with q = n / (n + n before) lies above it. That needs no distribution: "the
maximum so far was exceeded k times" has the probability q^k at most. Samples of numbers and lengths are compared by
Kolmogorov and Smirnov's two-sample test, categories and types by Pearson's chi-squared test of homogeneity. All tests
of a batch share one level by Holm's correction, and beside the level each finding needs an effect of some size, so that
a million rows do not raise an alarm on nothing.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as with_default
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import betainc, chdtrc, kolmogorov

from core.numerics.duplicates import near_duplicates
from core.numerics.intervals import wilson_interval
from core.numerics.profile import (
    KINDS,
    META,
    MIXED,
    NUMBER,
    QUANTITY,
    SAMPLED,
    TEXT,
    TEXTS,
    WORDS,
    Document,
    Marks,
    Profiler,
    SampledText,
    TextSample,
    fits,
    scattered,
    word_kind,
    words_of,
)
from core.numerics.results import Figure, Method

Compared = tuple[Mapping[str, Any], Mapping[str, Any] | None]  # a field's profile, and the pooled one before

NOTE, WARN, STOP = "note", "warn", "stop"
LEVEL = 0.01  # of all tests of a batch together
GROSS = 0.2  # a share from which a finding stops an import that is to be stopped
NEAR = 0.8  # cosine of the sets of words and pairs of words
MOST_CATEGORIES = 100
FILLED_PER_CATEGORY = 10
MOST_NUMBERS = 20  # different numbers that are taken for categories
ONE_KIND = 0.98
FEWEST = 20
MOST_GRAMS = 64
FAR = 3
LEAST_D = 0.1
LEAST_SHIFT = 0.05  # total variation
LEAST_WORD = 0.15
LEAST_COPIES = 0.01
FIRST_COPIES = 0.02
FIRST_TROUBLE = 0.005
EXPECTED = 5
RATIO, DIFFERENCE = 1.5, 0.05
MOST_ROWS = 20
# Factors by which numbers grow or shrink when their unit is another one.
FACTORS = (
    10.0,
    100.0,
    1000.0,
    1e6,
    60.0,
    3600.0,
    24.0,
    2.20462,
    2.54,
    25.4,
    3.28084,
    1.60934,
    3.6,
    4.184,
    28.3495,
    453.592,
)

KIND_OF: dict[str, str] = {
    "missing-field": "missing",
    "missing-values": "missing",
    "missing-placeholders": "missing",
    "new-field": "schema-skew",
    "field-renamed": "schema-skew",
    "types-drifted": "schema-skew",
    "type-changed": "type",
    "unit-changed": "unit",
    "unit-missing": "unit",
    "unit-suspected": "unit",
    "below-minimum": "range",
    "above-maximum": "range",
    "unseen-category": "category",
    "too-short": "length",
    "too-long": "length",
    "replacement-characters": "encoding",
    "mojibake": "encoding",
    "control-characters": "encoding",
    "invisible-characters": "encoding",
    "mixed-scripts": "encoding",
    "mixed-newlines": "encoding",
    "outliers": "outlier",
    "near-duplicates": "duplicate",
    "near-duplicates-earlier": "duplicate",
    "near-duplicates-splits": "duplicate",
    "slice-balance-shifted": "balance",
    "class-balance-shifted": "balance",
    "numbers-drifted": "distribution-skew",
    "categories-drifted": "distribution-skew",
    "lengths-drifted": "distribution-skew",
    "words-drifted": "distribution-skew",
    "schema-inferred": "schema",
    "fields-left-out": "schema",
    "rule-broken": "rule",
}
TROUBLES_AT_FIRST = frozenset({"replacement-characters", "mojibake", "control-characters"})


@dataclass(frozen=True)
class Finding:
    """One thing that was found. ``said`` has what its sentence needs; ``n`` of ``of`` rows have it.

    ``p`` is the probability of as much in rows of the same source, None where nothing was tested; ``large`` says
    whether the effect is worth an alarm, ``listed`` whether it is told as a note when there is none.
    """

    code: str
    field: str = ""
    severity: str = NOTE
    slice: str = ""
    n: int = 0
    of: int = 0
    rows: Sequence[Document] = ()
    said: Document = with_default(default_factory=dict)
    figure: Figure | None = None
    p: float | None = None
    large: bool = True
    gross: bool = False
    listed: bool = True

    @property
    def share(self) -> float:
        """The share of rows that have it."""
        return self.n / self.of if self.of else 0.0


# --- Schema -------------------------------------------------------------------------------------------


def infer_schema(profile: Mapping[str, Any]) -> Document:
    """A schema that the batch fits: ``fields`` by name, and ``learnt``, the number of rows that it rests on.

    A field has ``type``, ``required``, ``minimum``, ``maximum``, ``shortest``, ``longest``, ``categories`` (null:
    any), ``unit``, and ``learnt``: from how many values its bounds were learnt. A learnt bound is crossed by some of
    any later batch, so only more crossings than chance explains are an alarm; in a field without ``learnt``
    somebody has set the bounds, and each crossing is one.
    """
    fields = {name: _inferred(found, profile["n"]) for name, found in profile["fields"].items()}
    return {"learnt": profile["n"], "fields": fields}


def _inferred(found: Mapping[str, Any], n: int) -> Document:
    kind = _kind(found["types"])
    numbers, lengths = found["numbers"], found["lengths"]
    made: Document = {
        "type": kind,
        "required": found["filled"] == n and n > 0,
        "learnt": found["filled"],
        "categories": sorted(found["values"]) if is_categorical(found) else None,
    }
    if kind in {NUMBER, QUANTITY} and numbers:
        made |= {"minimum": numbers["min"], "maximum": numbers["max"], "far": fences(numbers["sample"])}
    if kind == TEXT and lengths and made["categories"] is None:
        made |= {"shortest": int(lengths["min"]), "longest": int(lengths["max"])}
    if kind == QUANTITY:
        unit, times = max(found["units"].items(), key=lambda one: (one[1], one[0]))
        made["unit"] = unit if times >= ONE_KIND * sum(found["units"].values()) else None
    return made


def _kind(types: Mapping[str, int]) -> str:
    total = sum(types.values())
    for kind in KINDS:
        if types.get(kind, 0) >= ONE_KIND * total > 0:
            return kind
    return TEXT if TEXT in types and "list" not in types and "object" not in types else MIXED


def is_categorical(found: Mapping[str, Any]) -> bool:
    """Whether the values of a field are few and come again."""
    values = found["values"]
    if not values or len(values) * FILLED_PER_CATEGORY > found["filled"]:
        return False
    return len(values) <= (MOST_NUMBERS if _kind(found["types"]) == NUMBER else MOST_CATEGORIES)


def fences(sample: Sequence[float]) -> list[float] | None:
    """Beyond these a number is no tail but another thing: three times the width of the inner 99 % away from it.

    Numbers above zero with a long upper tail are looked at on the scale of their logarithms.
    """
    if len(sample) < FEWEST:
        return None
    values = np.asarray(sample, dtype=np.float64)
    low, middle, high = np.quantile(values, [0.005, 0.5, 0.995])
    if values.min() > 0 and high - middle > 4 * (middle - low):
        low, high = math.log(low), math.log(high)
        width = high - low
        return [float(math.exp(low - FAR * width)), float(math.exp(min(high + FAR * width, 700.0)))]
    width = high - low
    return [float(low - FAR * width), float(high + FAR * width)] if width > 0 else None


def pooled(profiles: Sequence[Mapping[str, Any]]) -> Document | None:
    """Profiles of several batches as one; None of none. Samples are drawn from each by its share of the rows."""
    if not profiles:
        return None
    total = sum(one["n"] for one in profiles)
    names = dict.fromkeys(name for one in profiles for name in one["fields"])
    return {"n": total, "fields": {name: _pooled(profiles, name, total) for name in names}}


def _pooled(profiles: Sequence[Mapping[str, Any]], name: str, total: int) -> Document:
    held = [(one["n"], one["fields"][name]) for one in profiles if name in one["fields"]]
    counts: Document = {
        key: dict(sum((Counter(found[key]) for _, found in held), Counter()))
        for key in ("types", "units", "encodings")
    }
    whole = all(found["values"] is not None for _, found in held)
    words = [found["words"] for _, found in held if found["words"]]
    return {
        **counts,
        **{key: sum(found[key] for _, found in held) for key in ("filled", "present", "placeholders")},
        "values": dict(sum((Counter(found["values"]) for _, found in held), Counter())) if whole else None,
        "numbers": _pooled_sample(held, "numbers", total),
        "lengths": _pooled_sample(held, "lengths", total),
        "words": None
        if not words
        else {
            "n": sum(one["n"] for one in words),
            "kinds": np.sum([one["kinds"] for one in words], axis=0).tolist(),
            "named": dict(sum((Counter(one["named"]) for one in words), Counter())),
        },
    }


def _pooled_sample(held: Sequence[tuple[int, Mapping[str, Any]]], key: str, total: int) -> Document | None:
    found = [(n, one[key]) for n, one in held if one[key]]
    if not found:
        return None
    sample: list[float] = []
    for n, one in found:
        # Of a sample of its 1,000 rows, or all of them, as many as its share of all rows.
        sample += one["sample"][: max(1, round(len(one["sample"]) * _part(n, total, len(held))))]
    return {
        "min": min(one["min"] for _, one in found),
        "max": max(one["max"] for _, one in found),
        "sample": sample,
    }


def _part(n: int, total: int, batches: int) -> float:
    """How much of a batch's sample enters the pooled one, so that each row of any batch has the same chance."""
    if batches == 1:
        return 1.0
    drawn = min(n, SAMPLED)
    return min(1.0, 2 * SAMPLED * n / total / drawn)


# --- Tests --------------------------------------------------------------------------------------------


def more_often(k: float, n: int, before: float, n_before: int) -> float:
    """The probability of at least k of the k + before marked rows among n of n + n_before rows, at most.

    The upper tail of the binomial distribution is the regularised incomplete beta function I_q(k, before + 1).
    """
    if k <= 0:
        return 1.0
    if n_before <= 0:
        return 1.0
    return float(betainc(k, before + 1, n / (n + n_before)))


def _clearly(k: float, n: int, before: float, n_before: int) -> bool:
    share, old = k / max(n, 1), before / max(n_before, 1)
    return share >= RATIO * old or share - old >= DIFFERENCE


def kolmogorov_smirnov(sample: npt.ArrayLike, before: npt.ArrayLike) -> tuple[float, float]:
    """The largest distance of the two distribution functions, and its asymptotic p (conservative with ties)."""
    a, b = np.sort(np.asarray(sample)), np.sort(np.asarray(before))
    both = np.concatenate([a, b])
    distance = float(
        np.abs(
            np.searchsorted(a, both, side="right") / a.size - np.searchsorted(b, both, side="right") / b.size
        ).max()
    )
    root = math.sqrt(a.size * b.size / (a.size + b.size))
    return distance, float(kolmogorov((root + 0.12 + 0.11 / root) * distance))  # Stephens (1970)


def homogeneous(now: Mapping[str, int], before: Mapping[str, int]) -> tuple[float, float, str] | None:
    """Total variation of two distributions, Pearson's p, and the category that moved most; None of one category.

    Categories with fewer than five expected rows count as one.
    """
    names = sorted({*now, *before})
    a = np.array([now.get(name, 0) for name in names], dtype=np.float64)
    b = np.array([before.get(name, 0) for name in names], dtype=np.float64)
    if not a.sum() or not b.sum():
        return None
    least = min(a.sum(), b.sum()) / (a.sum() + b.sum())
    common = (a + b) * least >= EXPECTED
    rest = ~common
    pooled_a, pooled_b = np.append(a[common], a[rest].sum()), np.append(b[common], b[rest].sum())
    if (pooled_a[-1] + pooled_b[-1]) * least < EXPECTED:
        pooled_a, pooled_b = pooled_a[:-1], pooled_b[:-1]
    if pooled_a.size < 2 or not pooled_a.sum() or not pooled_b.sum():  # noqa: PLR2004 -- nothing to compare
        return None
    table = np.stack([pooled_a, pooled_b])
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    difference = a / a.sum() - b / b.sum()
    most = names[int(np.argmax(np.abs(np.where(common, difference, 0.0))))]
    shift = float(np.abs(pooled_a / pooled_a.sum() - pooled_b / pooled_b.sum()).sum() / 2)
    return shift, float(chdtrc(pooled_a.size - 1, statistic)), most


def judged(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with their severity: those that are tested by Holm's correction over all tests.

    The gravest come first; what was tested and is neither an alarm nor to be listed is left out.
    """
    tested = sorted((one for one in findings if one.p is not None), key=lambda one: one.p or 0.0)
    told: list[Finding] = []
    alarm = True
    for place, one in enumerate(tested):
        alarm = alarm and (one.p or 0.0) * (len(tested) - place) <= LEVEL
        if alarm and one.large and (one.n or not one.listed):
            told.append(replace(one, severity=STOP if one.gross else WARN))
        elif one.listed and one.n:
            told.append(replace(one, severity=NOTE))
    told += [one for one in findings if one.p is None]
    order = {STOP: 0, WARN: 1, NOTE: 2}
    return sorted(told, key=lambda one: (order[one.severity], -one.share, one.code, one.field, one.slice))


def _share(n: int, of: int) -> Figure | None:
    if not of:
        return None
    low, high = wilson_interval(n / of, of)
    return Figure.estimate(
        n / of,
        se=math.sqrt(n / of * (1 - n / of) / of),
        ci=(float(low), float(high)),
        method=Method.WILSON,
        n_items=of,
        n_pairs=0,
    )


# --- Against the schema -------------------------------------------------------------------------------

_COUNTED = {
    "type-changed": "type",
    "unit-changed": "unit",
    "unit-missing": "unit",
    "below-minimum": "minimum",
    "above-maximum": "maximum",
    "too-short": "shortest",
    "too-long": "longest",
    "unseen-category": "categories",
}


def compare(
    profile: Mapping[str, Any],
    schema: Mapping[str, Any] | None,
    marks: Marks,
    reference: Mapping[str, Any] | None,
) -> list[Finding]:
    """Every field against the schema; ``marks`` is what the profiler saw of it, ``reference`` the pooled profile before.

    Without a schema (the first batch) only troubles that need none are told.
    """
    known = {} if schema is None else schema["fields"]
    found: list[Finding] = []
    for name, wanted in known.items():
        found += _field_findings(name, wanted, profile, marks, reference)
    if schema is not None:
        found += _new_fields(profile, schema, reference)
        found += _renamed(found, profile, reference)
    for name, field_profile in profile["fields"].items():
        found += _troubles(name, field_profile, profile["n"], marks, reference)
    if profile.get("left_out"):
        names = profile["left_out"]
        found.append(
            Finding("fields-left-out", n=len(names), of=len(names), said={"names": ", ".join(names)})
        )
    return found


def _field_findings(
    name: str,
    wanted: Mapping[str, Any],
    profile: Mapping[str, Any],
    marks: Marks,
    reference: Mapping[str, Any] | None,
) -> list[Finding]:
    n = profile["n"]
    held = profile["fields"].get(name)
    before = None if reference is None else reference["fields"].get(name)
    learnt = int(wanted.get("learnt") or 0)
    n_before = reference["n"] if reference is not None else learnt
    absent = n - (held["filled"] if held else 0)
    absent_before = n_before - before["filled"] if before is not None else 0
    found: list[Finding] = []
    sure = bool(wanted.get("required")) and not learnt
    p = 0.0 if sure and absent else more_often(absent, n, absent_before, n_before)
    if held is None or not held["filled"]:
        if absent and n_before - absent_before:
            gross = bool(wanted.get("required")) or absent_before <= n_before / 2
            p = 0.0 if wanted.get("required") else p
            found.append(Finding("missing-field", name, n=n, of=n, p=p, gross=gross))
        return found
    seen = marks.get(("missing-values", name))
    found.append(
        Finding(
            "missing-values",
            name,
            n=absent,
            of=n,
            rows=seen.rows if seen else (),
            said={"before": absent_before / n_before if n_before else 0.0},
            figure=_share(absent, n),
            p=p,
            large=sure or _clearly(absent, n, absent_before, n_before),
            gross=absent >= n / 2,
            listed=bool(wanted.get("required")),
        )
    )
    for code, bound in _COUNTED.items():
        if wanted.get(bound) is not None:
            found.append(_counted(code, name, wanted, (held, before), marks))
    if wanted.get("far"):
        found.append(_outliers(name, wanted["far"], held, before, marks))
    return found


def _counted(code: str, name: str, wanted: Mapping[str, Any], now_before: Compared, marks: Marks) -> Finding:
    """How often a bound is crossed, against the rows that it was learnt from."""
    held, before = now_before
    seen = marks.get((code, name))
    k, of = (seen.n if seen else 0), max(held["filled"], 1)
    learnt = int(wanted.get("learnt") or 0)
    k_before = 0
    if before is not None and code == "type-changed":
        k_before = sum(times for kind, times in before["types"].items() if not fits(kind, wanted["type"]))
        learnt = learnt and before["filled"]
    if before is not None and code == "unit-changed":
        k_before = sum(times for unit, times in before["units"].items() if unit != wanted["unit"])
    if before is not None and code == "unit-missing":
        k_before = before["types"].get(NUMBER, 0)
    p = (0.0 if k else 1.0) if not learnt else more_often(k, of, k_before, learnt)
    if learnt and code == "unseen-category":
        p = _unseen(k, held, wanted, learnt)
    bound = wanted[_COUNTED[code]]
    said: Document = {"bound": len(bound) if isinstance(bound, list) else bound}
    if code == "type-changed":
        wrong = {kind: times for kind, times in held["types"].items() if not fits(kind, wanted["type"])}
        said["found"] = max(sorted(wrong), key=lambda kind: wrong[kind]) if wrong else ""
    if code == "unit-changed":
        others = {unit: times for unit, times in held["units"].items() if unit != wanted["unit"]}
        said["found"] = max(sorted(others), key=lambda unit: others[unit]) if others else ""
    if code == "unseen-category":
        said["found"] = _quoted(held["values"], bound)
    return Finding(
        code,
        name,
        n=k,
        of=of,
        rows=seen.rows if seen else (),
        said=said,
        figure=_share(min(k, of), of),
        p=p,
        large=not learnt or _clearly(k, of, k_before, learnt),
        gross=k >= GROSS * of,
    )


def _unseen(k: int, held: Mapping[str, Any], wanted: Mapping[str, Any], learnt: int) -> float:
    """Categories that the learnt rows do not have. What comes together in one category is no independent evidence.

    The most frequent unseen one alone has probability q^m, times the number of categories; those seen once are as
    likely on either side.
    """
    if not k:
        return 1.0
    categories = set(map(str, wanted["categories"]))
    if held["values"] is None:
        return 0.0  # a field with few categories that has a thousand
    unseen = {value: times for value, times in held["values"].items() if value not in categories}
    if not unseen:
        return 1.0
    of = held["filled"]
    n_all = len(categories) + len(unseen)
    one = n_all * more_often(max(unseen.values()), of, 0, learnt)
    # Each of the categories seen at all; those of the learnt rows had at least ten values each on average.
    several = more_often(len(unseen), of, len(categories), learnt)
    return min(1.0, 2 * min(one, several))


def _quoted(values: Mapping[str, int] | None, known: Sequence[object]) -> str:
    seen = set(map(str, known))
    those = sorted((-times, value) for value, times in (values or {}).items() if value not in seen)
    return ", ".join(value[:40] for _, value in those[:5])


def _outliers(
    name: str,
    far: Sequence[float],
    held: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    marks: Marks,
) -> Finding:
    seen = marks.get(("outliers", name))
    k, of = (seen.n if seen else 0), max(held["filled"], 1)
    clean = (
        not before
        or not before["numbers"]
        or (before["numbers"]["min"] >= far[0] and before["numbers"]["max"] <= far[1])
    )
    return Finding(
        "outliers",
        name,
        n=k,
        of=of,
        rows=seen.rows if seen else (),
        said={"low": far[0], "high": far[1]},
        figure=_share(k, of),
        p=0.0 if k else 1.0,
        large=clean,
        gross=k >= GROSS * of,
    )


def _new_fields(
    profile: Mapping[str, Any], schema: Mapping[str, Any], reference: Mapping[str, Any] | None
) -> list[Finding]:
    found = []
    learnt = int(schema.get("learnt") or 0)
    for name, held in profile["fields"].items():
        if name in schema["fields"]:
            continue
        before = 0 if reference is None else reference["fields"].get(name, {"present": 0})["present"]
        n_before = max(learnt, 0 if reference is None else reference["n"])
        p = 0.0 if not learnt else more_often(held["present"], profile["n"], before, n_before)
        large = _clearly(held["present"], profile["n"], before, n_before)
        found.append(Finding("new-field", name, n=held["present"], of=profile["n"], p=p, large=large))
    return found


def _renamed(
    found: Sequence[Finding], profile: Mapping[str, Any], reference: Mapping[str, Any] | None
) -> list[Finding]:
    """A missing field beside a new one that looks the same."""
    if reference is None:
        return []
    gone = [one.field for one in found if one.code == "missing-field"]
    new = [one.field for one in found if one.code == "new-field"]
    told = []
    for name in gone:
        before = reference["fields"].get(name)
        for other in new:
            if (
                before
                and other.startswith(META) == name.startswith(META)
                and _alike(profile["fields"][other], before)
            ):
                n = profile["fields"][other]["present"]
                told.append(Finding("field-renamed", name, n=n, of=profile["n"], said={"to": other}, p=0.0))
                break
    return told


def _alike(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    if _kind(now["types"]) != _kind(before["types"]) or not now["filled"]:
        return False
    if is_categorical(before):
        return is_categorical(now) and len(set(now["values"]) & set(before["values"])) * 2 > len(
            now["values"]
        )
    for key in ("numbers", "lengths"):
        if now[key] and before[key]:
            return kolmogorov_smirnov(now[key]["sample"], before[key]["sample"])[0] < 2 * LEAST_D
    return False


def _troubles(
    name: str, held: Mapping[str, Any], n: int, marks: Marks, reference: Mapping[str, Any] | None
) -> list[Finding]:
    """Encodings and placeholders, which need no schema."""
    before = None if reference is None else reference["fields"].get(name)
    n_before = 0 if reference is None else reference["n"]
    counts = {**held["encodings"], "missing-placeholders": held["placeholders"]}
    found = []
    for code, k in counts.items():
        if not k:
            continue
        old = (
            0
            if before is None
            else {**before["encodings"], "missing-placeholders": before["placeholders"]}.get(code, 0)
        )
        seen = marks.get(("placeholders" if code == "missing-placeholders" else code, name))
        finding = Finding(
            code,
            name,
            n=k,
            of=n,
            rows=seen.rows if seen else (),
            figure=_share(k, n),
            said={"before": old / n_before if n_before else 0.0},
        )
        if n_before:
            gross = code in TROUBLES_AT_FIRST and k >= GROSS * n
            large = _clearly(k, n, old, n_before)
            finding = replace(finding, p=more_often(k, n, old, n_before), large=large, gross=gross)
        elif code in TROUBLES_AT_FIRST and k >= FIRST_TROUBLE * n:
            finding = replace(finding, severity=STOP if k >= GROSS * n else WARN)
        found.append(finding)
    return found


# --- Against the batches before -----------------------------------------------------------------------


def drift(
    profile: Mapping[str, Any],
    reference: Mapping[str, Any] | None,
    classes: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Schema skew and distribution skew of every field against the batches before it.

    A field whose categories are names of ``classes`` is told as a balance of classes, one of the metadata as a
    balance of slices.
    """
    if reference is None:
        return []
    found: list[Finding] = []
    for name, before in reference["fields"].items():
        now = profile["fields"].get(name)
        if now is None or not now["filled"] or not before["filled"]:
            continue
        found += _types(name, now, before)
        if is_categorical(before) and now["values"]:
            found += balance(name, now["values"], before["values"], _balance_code(name, before, classes))
            continue
        found += _numbers(name, now, before)
        found += _lengths(name, now, before)
        found += _vocabulary(name, now, before)
    return found


def _balance_code(name: str, before: Mapping[str, Any], classes: frozenset[str]) -> str:
    values = set(before["values"])
    if len(values) > 1 and 2 * len(values & classes) > len(values):
        return "class-balance-shifted"
    return "slice-balance-shifted" if name.startswith(META) else "categories-drifted"


def balance(name: str, now: Mapping[str, int], before: Mapping[str, int], code: str) -> list[Finding]:
    """Whether categories have the shares that they had, and which of them moved most."""
    tested = homogeneous(now, before)
    if tested is None:
        return []
    shift, p, most = tested
    n, total = now.get(most, 0), sum(now.values())
    old = before.get(most, 0) / sum(before.values())
    said = {"category": most[:60], "before": old, "shift": shift}
    return [
        Finding(
            code,
            name,
            slice=f"{name}:{most}" if name.startswith(META) else "",
            n=n,
            of=total,
            said=said,
            figure=_share(n, total),
            p=p,
            large=shift >= LEAST_SHIFT,
            listed=False,
        )
    ]


def _types(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Finding]:
    tested = homogeneous(now["types"], before["types"])
    if tested is None:
        return []
    shift, p, most = tested
    said = {"category": most, "before": before["types"].get(most, 0) / sum(before["types"].values())}
    n, of = now["types"].get(most, 0), sum(now["types"].values())
    large, gross = shift >= LEAST_SHIFT, shift >= 0.5  # noqa: PLR2004 -- most of them are another thing
    return [
        Finding(
            "types-drifted",
            name,
            n=n,
            of=of,
            said=said,
            figure=_share(n, of),
            p=p,
            large=large,
            gross=gross,
            listed=False,
        )
    ]


def _numbers(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Finding]:
    if not now["numbers"] or not before["numbers"]:
        return []
    a, b = np.asarray(now["numbers"]["sample"]), np.asarray(before["numbers"]["sample"])
    if min(a.size, b.size) < FEWEST:
        return []
    distance, p = kolmogorov_smirnov(a, b)
    said = {"median": float(np.median(a)), "before": float(np.median(b)), "distance": distance}
    drifted = Finding(
        "numbers-drifted",
        name,
        n=int(a.size),
        of=int(a.size),
        said=said,
        p=p,
        large=distance >= LEAST_D,
        listed=False,
    )
    if a.min() <= 0 or b.min() <= 0:
        return [drifted]
    ratio = float(np.median(a) / np.median(b))
    factor = min(FACTORS, key=lambda one: abs(abs(math.log(ratio)) - math.log(one)))
    scaled = kolmogorov_smirnov(a / (factor if ratio > 1 else 1 / factor), b)[0]
    if abs(abs(math.log(ratio)) - math.log(factor)) < math.log(1.25) and scaled < distance / 2:
        told = {**said, "factor": factor, "larger": ratio > 1}
        suspected = Finding(
            "unit-suspected",
            name,
            n=int(a.size),
            of=int(a.size),
            said=told,
            p=p,
            large=distance >= LEAST_D,
            gross=factor >= EXPECTED,
            listed=False,
        )
        return [suspected, drifted]
    return [drifted]


def _lengths(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Finding]:
    if not now["lengths"] or not before["lengths"] or _kind(before["types"]) not in {TEXT, MIXED}:
        return []
    a, b = now["lengths"]["sample"], before["lengths"]["sample"]
    if min(len(a), len(b)) < FEWEST:
        return []
    distance, p = kolmogorov_smirnov(a, b)
    said = {"median": float(np.median(a)), "before": float(np.median(b)), "distance": distance}
    return [
        Finding(
            "lengths-drifted",
            name,
            n=len(a),
            of=len(a),
            said=said,
            p=p,
            large=distance >= LEAST_D,
            listed=False,
        )
    ]


def _vocabulary(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Finding]:
    """Whether some kind of word stands in clearly more or fewer texts than before (texts are the unit)."""
    a, b = now["words"], before["words"]
    if not a or not b or min(a["n"], b["n"]) < FEWEST:
        return []
    x, y = np.asarray(a["kinds"], dtype=np.float64), np.asarray(b["kinds"], dtype=np.float64)
    q = a["n"] / (a["n"] + b["n"])
    upper = np.where(x > 0, betainc(np.maximum(x, 1), y + 1, q), 1.0)
    lower = np.where(y > 0, betainc(np.maximum(y, 1), x + 1, 1 - q), 1.0)
    p = float(min(1.0, 2 * WORDS * min(upper.min(), lower.min())))
    difference = x / a["n"] - y / b["n"]
    at = int(np.argmax(np.abs(difference)))
    word = max(
        (word for word in sorted({*a["named"], *b["named"]}) if word_kind(word) == at),
        key=lambda word: a["named"].get(word, 0) + b["named"].get(word, 0),
        default="",
    )
    share = x[at] / a["n"]
    said = {"word": word[:40], "before": float(y[at] / b["n"]), "share": float(share)}
    return [
        Finding(
            "words-drifted",
            name,
            n=int(x[at]),
            of=a["n"],
            said=said,
            figure=_share(int(x[at]), a["n"]),
            p=p,
            large=float(np.abs(difference[at])) >= LEAST_WORD,
            listed=False,
        )
    ]


# --- Near-duplicates ----------------------------------------------------------------------------------


def duplicate_findings(batch: TextSample, earlier: Sequence[SampledText], limit: int | None) -> list[Finding]:
    """Texts that are nearly the same: within the batch, as earlier ones, and across the audit slice and the rest.

    ``earlier`` are sampled texts of the batches before, all with a key below ``limit`` (None: no limit). Rows of the
    same source have partners among the earlier rows as often as the earlier rows have among themselves; only more
    than that is an alarm.
    """
    limits = [one for one in (batch.limit, limit) if one is not None]
    cut = min(limits, default=None)
    new = [one for one in batch.texts if cut is None or one.key < cut]
    old = [one for one in earlier if cut is None or one.key < cut]
    if not new:
        return []
    pairs = near_duplicates(_word_sets([*(one.text for one in new), *(one.text for one in old)]), NEAR)
    group = pairs.groups()
    audit = np.array([one.audit for one in (*new, *old)], dtype=np.bool_)
    fresh = np.arange(group.size) < len(new)
    n_groups = int(group.max()) + 1
    in_new = np.bincount(group[fresh], minlength=n_groups)
    in_old = np.bincount(group[~fresh], minlength=n_groups)
    held = {
        (is_new, split): np.bincount(group[(fresh == is_new) & (audit == split)], minlength=n_groups) > 0
        for is_new in (True, False)
        for split in (True, False)
    }
    within = held[True, True] & held[True, False]
    across = (held[True, True] & held[False, False]) | (held[True, False] & held[False, True])
    crossed = held[False, True] & held[False, False]
    said = {
        "sampled": len(new),
        "looked": batch.n_looked,
        "earlier": len(old),
        "complete": pairs.complete,
        "whole": batch.limit is None and limit is None,
    }
    seen = _Copies(new, len(old), group, fresh, said)
    growth = max(1.0, len(new) / max(len(old), 1))
    return [
        *seen.finding("near-duplicates", [(in_new > 1, in_old > 1, growth)]),
        *(
            seen.finding("near-duplicates-earlier", [((in_new > 0) & (in_old > 0), in_old > 1, 1.0)])
            if old
            else ()
        ),
        *seen.finding("near-duplicates-splits", [(across, crossed, 1.0), (within, crossed, growth)]),
    ]


_Compared = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], float]


@dataclass(frozen=True)
class _Copies:
    """The sampled texts of a batch, and the group of copies that each of them and of the earlier ones is in."""

    new: Sequence[SampledText]
    n_old: int
    group: npt.NDArray[np.intp]
    fresh: npt.NDArray[np.bool_]
    said: Document

    def finding(self, code: str, compared: Sequence[_Compared]) -> list[Finding]:
        """Rows in some groups, each against the earlier rows in groups of the same sort, times a growth.

        The growth is for comparisons within a batch that is larger than what was before: a larger heap has more
        copies of each of its rows.
        """
        n_new, n_old = len(self.new), self.n_old
        of_new, of_old = self.group[self.fresh], self.group[~self.fresh]
        rows = np.flatnonzero(np.any([groups[of_new] for groups, _, _ in compared], axis=0))
        k = int(rows.size)
        if not k:
            return []
        told = [
            {"row": self.new[at].row, "id": self.new[at].id, "value": self.new[at].text[:60]}
            for at in sorted(rows.tolist(), key=lambda at: self.new[at].row)[:MOST_ROWS]
        ]
        base = max(float(before[of_old].mean()) * growth if n_old else 0.0 for _, before, growth in compared)
        said = {**self.said, "before": base}
        finding = Finding(code, n=k, of=n_new, rows=told, said=said, figure=_share(k, n_new))
        if n_old < FEWEST:
            return [replace(finding, severity=WARN if finding.share >= FIRST_COPIES else NOTE)]
        p = min(self._p(*one) for one in compared) * len(compared)
        large = finding.share >= LEAST_COPIES and _clearly(k, n_new, base * n_old, n_old)
        return [replace(finding, p=min(1.0, p), large=large, gross=finding.share >= 0.5)]  # noqa: PLR2004 -- most

    def _p(self, groups: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_], growth: float) -> float:
        """Copies come in groups, so that rows are no independent evidence: both counts are divided by the design
        effect, the mean size of the group that a marked row is in (Kish 1965).
        """
        of_new, of_old = self.group[self.fresh], self.group[~self.fresh]
        marked, marked_old = of_new[groups[of_new]], of_old[before[of_old]]
        effect = max(_mean_size(marked), _mean_size(marked_old))
        n_new = round(of_new.size * growth)
        return more_often(marked.size / effect, n_new, marked_old.size / effect, of_old.size)


def _mean_size(group: npt.NDArray[np.intp]) -> float:
    """The mean, over rows, of how many rows are in the row's group."""
    if not group.size:
        return 1.0
    sizes = np.bincount(group).astype(np.float64)
    return float((sizes**2).sum() / sizes.sum())


def _word_sets(texts: Sequence[str]) -> sp.csr_matrix:
    """Rows of norm 1 with a column for each word and each pair of neighbours that a text has.

    Of a text with more than 64 of these those with the smallest hashes stand for it: of two texts alike, mostly the
    same ones, so that the cosine is kept to about .05.
    """
    vocabulary: dict[str, int] = {}
    held = [[vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text)] for text in texts]
    row = np.repeat(np.arange(len(texts)), [len(one) for one in held])
    word = np.fromiter(chain.from_iterable(held), dtype=np.int64, count=row.size)
    n = len(vocabulary) + 1
    follows = np.flatnonzero(row[1:] == row[:-1])
    pair = (word[follows] + 1) * n + word[follows + 1]
    gram, column = np.unique(np.concatenate([word, pair]), return_inverse=True)
    cell = np.unique(np.concatenate([row, row[follows]]) * gram.size + column)
    row, column = cell // max(gram.size, 1), cell % max(gram.size, 1)
    order = np.lexsort((scattered(column.astype(np.uint64)), row))
    row, column = row[order], column[order]
    kept = np.arange(row.size) - np.searchsorted(row, row) < MOST_GRAMS
    row, column = row[kept], column[kept]
    size = np.bincount(row, minlength=len(texts))
    data = (1 / np.sqrt(size[row])).astype(np.float32)
    return sp.csr_matrix((data, (row, column)), shape=(len(texts), max(gram.size, 1)))


def merged_texts(
    samples: Sequence[tuple[int | None, Sequence[SampledText]]], most: int = TEXTS
) -> tuple[list[SampledText], int | None]:
    """Sampled texts of several batches under one limit, at most so many; and that limit."""
    limits = [limit for limit, _ in samples if limit is not None]
    limit = min(limits, default=None)
    kept = [one for _, texts in samples for one in texts if limit is None or one.key < limit]
    if len(kept) > most:
        kept.sort(key=lambda one: one.key)
        limit = kept[most].key
        kept = [one for one in kept if one.key < limit]
    return kept, limit


def validated(
    profiler: Profiler,
    schema: Mapping[str, Any] | None,
    reference: Mapping[str, Any] | None,
    earlier: tuple[Sequence[SampledText], int | None] = ((), None),
    classes: frozenset[str] = frozenset(),
) -> list[Finding]:
    """All findings about the batch that a profiler has read, with their severity.

    ``reference`` is the pooled profile of the batches before, ``earlier`` their sampled texts and the limit of
    their keys.
    """
    profile = profiler.profile()
    return judged(
        [
            *compare(profile, schema, profiler.marks, reference),
            *drift(profile, reference, classes),
            *duplicate_findings(profiler.texts(), *earlier),
        ]
    )
