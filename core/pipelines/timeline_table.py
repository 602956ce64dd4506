"""The agreement timeline as flat tables, to be downloaded."""

from collections.abc import Iterator
from typing import Any

from core.choices import FileFormat
from core.exceptions import Missing
from core.formats.writers import write_rows

Json = dict[str, Any]
TABLES = ("course", "changes")
_FIGURE = ("value", "low", "high", "n_items", "reason")
_COURSE = ("alpha", "percent")
_SIDES = ("before", "after", "difference")
_CHANGE = ("kind", "id", "at", "until", "about", "design", "scope", "measure")


def table_csv(report: Json, name: str) -> Iterator[bytes]:
    """One of TABLES as CSV that a spreadsheet cannot run. Raises Missing for any other name."""
    columns: tuple[str, ...]
    if name == "course":
        columns = ("at", *(f"{part}_{column}" for part in _COURSE for column in _FIGURE))
        rows = [{"at": point["at"], **_spread(point, _COURSE)} for point in report["course"]]
    elif name == "changes":
        figures = (f"{part}_{column}" for part in _SIDES for column in _FIGURE)
        columns = (*_CHANGE, *figures, "p", "outcome", "more_items")
        rows = [row for change in report["changes"] for row in _change(change)]
    else:
        raise Missing
    return write_rows(rows, columns, FileFormat.CSV)


def _change(change: Json) -> Iterator[Json]:
    """A line per scope and measure; one alone where nothing is compared."""
    names = change.get("touches") or change.get("classes") or []
    known = {name: change.get(name) for name in ("kind", "id", "at", "until")} | {"about": "|".join(names)}
    found = change["comparison"]
    if found is None:
        yield _empty() | known
        return
    for scope in ("overall", "touched"):
        for measure, compared in (found[scope] or {}).items():
            yield {
                **known,
                "design": found["design"],
                "scope": scope,
                "measure": measure,
                **_spread(compared, _SIDES),
                **{name: compared[name] for name in ("p", "outcome", "more_items")},
            }


def _empty() -> Json:
    figures = (f"{part}_{column}" for part in _SIDES for column in _FIGURE)
    return dict.fromkeys((*_CHANGE, *figures, "p", "outcome", "more_items"))


def _spread(figures: Json, parts: tuple[str, ...]) -> Json:
    row: Json = {}
    for part in parts:
        figure = figures[part]
        low, high = figure["ci"] or (None, None)
        values = (figure["value"], low, high, figure["n_items"], figure["reason"])
        row |= {f"{part}_{column}": value for column, value in zip(_FIGURE, values, strict=True)}
    return row
