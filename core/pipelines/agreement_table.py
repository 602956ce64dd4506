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
TABLES = ("coefficients", "classes", "confusions", "pairs", "annotators", "readings")


def agreement_table(report: Json, name: str) -> Table:
    """One of TABLES; raises Missing for any other name. ``readings`` is empty unless the report has them."""
    if name == "coefficients":
        rows = [{"coefficient": key, **_spread(figure)} for key, figure in report["coefficients"].items()]
        return Table(("coefficient", *_FIGURE), rows)
    if name == "classes":
        return _classes(report)
    if name == "confusions":
        return Table(("a", "b", "n", "share"), report["confusions"])
    if name == "pairs":
        return _pairs(report)
    if name == "annotators":
        return _annotators(report)
    if name == "readings":
        rows = [
            {"uncertain": key, "coefficient": coefficient, **_spread(reading[coefficient])}
            for key, reading in report.get("readings", {}).items()
            for coefficient in ("percent_agreement", "krippendorff_alpha")
        ]
        return Table(("uncertain", "coefficient", *_FIGURE), rows)
    raise Missing


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


def _pairs(report: Json) -> Table:
    rows = [
        {
            "a": row["a"],
            "b": row["b"],
            "items": row["n_items"],
            **_spread(row["percent"], "percent_"),
            **_spread(row["cohen_kappa"], "kappa_"),
        }
        for row in report["pairs"]
    ]
    return Table(("a", "b", "items", *_named("percent_"), *_named("kappa_")), rows)


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
