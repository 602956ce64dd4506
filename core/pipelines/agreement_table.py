"""The agreement report as flat tables: what stands behind each picture, and what is downloaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.choices import FileFormat
from core.exceptions import Missing
from core.formats.writers import write_rows

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values under named columns."""

    columns: tuple[str, ...]
    rows: list[Json]


_FIGURE = ("value", "low", "high", "n_items", "n_pairs", "reason")
FROM_PARTS = (
    "groups",
    "months",
    "versions",
    "split",
)  # of the body of a part, or of the two parts of a split
TABLES = (
    "coefficients",
    "further",
    "classes",
    "confusions",
    "pairs",
    "annotators",
    "readings",
    "planning",
    *FROM_PARTS,
)
_FURTHER = ("weighted", "sets", "texts", "intraclass")


def agreement_table(body: Json, name: str) -> Table:
    """One of TABLES; raises Missing for any other name.

    ``body`` is the report, for ``pairs`` the kept lines of pairs, for FROM_PARTS the part. What the body does not
    have makes an empty table.
    """
    makers = {
        "coefficients": _coefficients,
        "further": _further,
        "classes": _classes,
        "confusions": lambda report: Table(("a", "b", "n", "share"), report["confusions"]),
        "pairs": _pairs,
        "annotators": _annotators,
        "readings": _readings,
        "planning": _planning,
        "groups": _groups,
        "months": _groups,
        "versions": _groups,
        "split": _split,
    }
    if name not in makers:
        raise Missing
    return makers[name](body)


def table_csv(report: Json, name: str) -> Iterator[bytes]:
    """The table as CSV that a spreadsheet cannot run."""
    table = agreement_table(report, name)
    return write_rows(table.rows, table.columns, FileFormat.CSV)


def _spread(figure: Json, prefix: str = "") -> Json:
    low, high = figure["ci"] or (None, None)
    values = (figure["value"], low, high, figure["n_items"], figure["n_pairs"], figure["reason"])
    return {f"{prefix}{name}": value for name, value in zip(_FIGURE, values, strict=True)}


def _named(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in _FIGURE)


def _coefficients(report: Json) -> Table:
    rows = [{"coefficient": key, **_spread(figure)} for key, figure in report["coefficients"].items()]
    return Table(("coefficient", *_FIGURE), rows)


def _further(report: Json) -> Table:
    rows = [
        {"family": family, "coefficient": key, **_spread(figure)}
        for family in _FURTHER
        for key, figure in (report.get(family) or {}).items()
    ]
    return Table(("family", "coefficient", *_FIGURE), rows)


def _readings(report: Json) -> Table:
    rows = [
        {"uncertain": key, "coefficient": coefficient, **_spread(reading[coefficient])}
        for key, reading in report.get("readings", {}).items()
        for coefficient in ("percent_agreement", "krippendorff_alpha")
    ]
    return Table(("uncertain", "coefficient", *_FIGURE), rows)


_PRECISION = ("half_width_now", "items_needed", "answers_needed")
_PLAN = (
    "labels_per_item",
    *(f"alpha_{name}" for name in _PRECISION),
    *(f"percent_{name}" for name in _PRECISION),
    "answers_now",
    "consensus",
    "support",
)


def _planning(report: Json) -> Table:
    rows = [
        {
            **row,
            **{f"alpha_{name}": row[name] for name in _PRECISION},
            **{f"percent_{name}": row["percent"][name] for name in _PRECISION},
        }
        for row in (report["planning"] or {"rows": []})["rows"]
    ]
    return Table(_PLAN, rows)


def _group_row(name: str, group: Json) -> Json:
    coefficients = group["coefficients"]
    return {
        "group": name,
        "items": group["n_items"],
        "items_used": group["n_items_used"],
        "answers": group["n_annotations"],
        "annotators": group["n_annotators"],
        **_spread(coefficients["krippendorff_alpha"], "alpha_"),
        **_spread(coefficients["percent_agreement"], "percent_"),
    }


def _group_table(rows: list[Json]) -> Table:
    counts = ("group", "items", "items_used", "answers", "annotators")
    return Table((*counts, *_named("alpha_"), *_named("percent_")), rows)


def _groups(part: Json) -> Table:
    return _group_table([_group_row(group["group"], group) for group in part.get("groups", [])])


def _split(split: Json) -> Table:
    return _group_table([_group_row(name, split[name]) for name in ("audit", "selected") if name in split])


def _classes(report: Json) -> Table:
    rows = [
        {
            "class": row["class"],
            "n": row["n"],
            **_spread(row["specific_agreement"], "specific_"),
            **_spread(row["alpha"], "alpha_"),
        }
        for row in report["per_class"]
    ]
    return Table(("class", "n", *_named("specific_"), *_named("alpha_")), rows)


_PAIR = (
    "a",
    "b",
    "items",
    "percent",
    "percent_low",
    "percent_high",
    "kappa",
    "kappa_low",
    "kappa_high",
    "kappa_reason",
)
_PAIR_WEIGHTED = ("weighted_kappa", "weighted_kappa_low", "weighted_kappa_high")


def _pairs(body: Json) -> Table:
    columns = (*_PAIR, *_PAIR_WEIGHTED)
    rows = []
    for a, b, n_items, percent, percent_ends, kappa, kappa_ends, reason, weighted, weighted_ends in body[
        "pairs"
    ]:
        ends = (*(percent_ends or (None, None)), kappa, *(kappa_ends or (None, None)))
        last = (weighted, *(weighted_ends or (None, None)))
        rows.append(dict(zip(columns, (a, b, n_items, percent, *ends, reason, *last), strict=True)))
    return Table(columns if body["weights"] else _PAIR, rows)


def _annotators(report: Json) -> Table:
    parts = {"leave_one_out": "others_", "abstention_rate": "abstention_", "intra": "self_"}
    rows = []
    for row in report["annotators"]:
        flat = {"annotator": row["id"], "n": row["n"]}
        for key, prefix in parts.items():
            flat |= _spread(row[key], prefix)
        rows.append(flat)
    columns = tuple(name for prefix in parts.values() for name in _named(prefix))
    return Table(("annotator", "n", *columns), rows)
