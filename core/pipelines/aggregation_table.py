"""The report on aggregation as flat tables: what stands behind each picture, to be downloaded."""

from collections.abc import Iterator
from typing import Any

from core.choices import FileFormat
from core.exceptions import Missing
from core.formats.writers import write_rows

Json = dict[str, Any]
_FIGURE = ("value", "low", "high", "n_items", "n_pairs", "reason")
_RULE = ("rule", "default", "n_labels", "n_tied", "confidence")
_CONFUSION = ("person", "rule", "truth", "answer", "probability", "expected")
_FLIP = ("item", "old", "new", "old_confidence", "new_confidence")
TABLES = ("rules", "people", "confusions", "flips")


def table_csv(report: Json, name: str) -> Iterator[bytes]:
    """One of TABLES as CSV that a spreadsheet cannot run; raises Missing for any other name."""
    columns, rows = _table(report, name)
    return write_rows(rows, columns, FileFormat.CSV)


def _table(report: Json, name: str) -> tuple[tuple[str, ...], list[Json]]:
    if name == "rules":
        rows = [
            {**{key: row[key] for key in _RULE}, **_spread(row["accuracy"], "accuracy_")}
            for row in report["rules"]
        ]
        return (*_RULE, *_named("accuracy_")), rows
    if name == "people":
        rows = [
            {"person": row["id"], "n": row["n"], **_spread(row["competence"], "competence_")}
            for row in report["annotators"]
        ]
        return ("person", "n", *_named("competence_")), rows
    if name == "confusions":
        return _CONFUSION, _confusions(report)
    if name == "flips":
        return _FLIP, [{key: row[key] for key in _FLIP} for row in report["flips"]["items"]]
    raise Missing


def _confusions(report: Json) -> list[Json]:
    """A row for every person whose confusion is told, true class and answer."""
    classes = report["classes"]
    return [
        {
            "person": row["id"],
            "rule": report["model"]["rule"],
            "truth": truth,
            "answer": answer,
            "probability": row["confusion"][at][place],
            "expected": row["expected"][at][place],
        }
        for row in report["annotators"]
        if row["confusion"] is not None
        for at, truth in enumerate(classes)
        for place, answer in enumerate(classes)
    ]


def _spread(figure: Json | None, prefix: str) -> Json:
    if figure is None:  # there is no gold
        return dict.fromkeys(_named(prefix))
    low, high = figure["ci"] or (None, None)
    values = (figure["value"], low, high, figure["n_items"], figure["n_pairs"], figure["reason"])
    return dict(zip(_named(prefix), values, strict=True))


def _named(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in _FIGURE)
