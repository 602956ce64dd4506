"""What is wrong with a batch: against the schema, and against the batches before it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import betainc

from core.numerics.copies import duplicate_findings
from core.numerics.findings import (
    EXPECTED,
    FEWEST,
    STOP,
    WARN,
    Finding,
    clearly,
    homogeneous,
    judged,
    kolmogorov_smirnov,
    more_often,
    share_figure,
)
from core.numerics.profile import (
    KINDS,
    META,
    MIXED,
    NUMBER,
    QUANTITY,
    SAMPLED,
    TEXT,
    WORDS,
    Document,
    Marks,
    Profiler,
    SampledText,
    fits,
    word_kind,
)

Compared = tuple[Mapping[str, Any], Mapping[str, Any] | None]  # a field's profile, and the pooled one before

GROSS = 0.2  # a share from which a finding stops an import that is to be stopped
MOST_CATEGORIES = 100
FILLED_PER_CATEGORY = 10
MOST_NUMBERS = 20  # different numbers that are taken for categories
ONE_KIND = 0.98
FAR = 3
LEAST_D = 0.1
LEAST_SHIFT = 0.05  # total variation
LEAST_WORD = 0.15
FIRST_TROUBLE = 0.005
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

TROUBLES_AT_FIRST = frozenset({"replacement-characters", "mojibake", "control-characters"})


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


def crossed_bounds(profile: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Document]:
    """The bounds of a schema that a batch does not keep, as far as its profile tells: one document for each.

    ``field``, ``property``, ``found`` (the extreme number or length, else the most frequent values that cross it, as
    a text), and ``n`` values of ``of`` that do, null where the profile does not count them.
    """
    told: list[Document] = []
    for name, wanted in schema["fields"].items():
        found = profile["fields"].get(name)
        if found is None or not found["filled"]:
            if wanted.get("required"):
                told.append(_crossed(name, "required", profile["n"], profile["n"]))
            continue
        if wanted.get("required") and found["filled"] < profile["n"]:
            told.append(_crossed(name, "required", profile["n"] - found["filled"], profile["n"]))
        told += _crossed_counts(name, wanted, found)
        for key, low, high in (("numbers", "minimum", "maximum"), ("lengths", "shortest", "longest")):
            ends = found[key]
            if ends and wanted.get(low) is not None and ends["min"] < wanted[low]:
                told.append(_crossed(name, low, None, found["filled"], ends["min"]))
            if ends and wanted.get(high) is not None and ends["max"] > wanted[high]:
                told.append(_crossed(name, high, None, found["filled"], ends["max"]))
    return told


def _crossed_counts(name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[Document]:
    """Kinds, units and categories, of which the profile counts each."""
    told = []
    wrong = {
        kind: times
        for kind, times in found["types"].items()
        if wanted.get("type") not in {None, MIXED} and not fits(kind, wanted["type"])
    }
    if wrong:
        told.append(_crossed(name, "type", sum(wrong.values()), found["filled"], _quoted(wrong, ())))
    if wanted.get("unit"):
        others = {unit: times for unit, times in found["units"].items() if unit != wanted["unit"]}
        bare = found["types"].get(NUMBER, 0)
        if others or bare:
            n = sum(others.values()) + bare
            told.append(_crossed(name, "unit", n, found["filled"], _quoted(others, ())))
    if wanted.get("categories") is not None:
        known = set(wanted["categories"])
        if found["values"] is None:  # more different values than are kept, or longer ones
            told.append(_crossed(name, "categories", None, found["filled"]))
        elif unseen := {value: times for value, times in found["values"].items() if value not in known}:
            n = sum(unseen.values())
            told.append(_crossed(name, "categories", n, found["filled"], _quoted(unseen, ())))
    return told


def _crossed(name: str, bound: str, n: int | None, of: int, found: float | str = "") -> Document:
    return {"field": name, "property": bound, "n": n, "of": of, "found": found}


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
            figure=share_figure(absent, n),
            p=p,
            large=sure or clearly(absent, n, absent_before, n_before),
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
        figure=share_figure(min(k, of), of),
        p=p,
        large=not learnt or clearly(k, of, k_before, learnt),
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
    if held["values"] is None:  # too many different values to be kept, or hardly any that comes twice
        return more_often(k, held["filled"], len(categories), learnt)
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
        figure=share_figure(k, of),
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
        large = clearly(held["present"], profile["n"], before, n_before)
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
            figure=share_figure(k, n),
            said={"before": old / n_before if n_before else 0.0},
        )
        if n_before:
            gross = code in TROUBLES_AT_FIRST and k >= GROSS * n
            large = clearly(k, n, old, n_before)
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
            figure=share_figure(n, total),
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
            figure=share_figure(n, of),
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
            figure=share_figure(int(x[at]), a["n"]),
            p=p,
            large=float(np.abs(difference[at])) >= LEAST_WORD,
            listed=False,
        )
    ]


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
