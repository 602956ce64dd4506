"""The report on human-level performance as flat tables: what stands behind each picture, to be downloaded."""

from collections.abc import Iterator
from typing import Any

from core.choices import FileFormat
from core.exceptions import Missing
from core.formats.writers import write_rows

Json = dict[str, Any]
_FIGURE = ("value", "low", "high", "n_items", "n_pairs", "reason")
_COMPARED = ("score", "human", "difference")
TABLES = ("scores", "people", "classes", "groups", "worth", "alt_test", "beaten")


def table_csv(report: Json, name: str) -> Iterator[bytes]:
    """One of TABLES as CSV that a spreadsheet cannot run; without a run those about it are empty.

    Raises Missing for any other name.
    """
    columns, rows = _table(report, name)
    return write_rows(rows, columns, FileFormat.CSV)


def _table(report: Json, name: str) -> tuple[tuple[str, ...], list[Json]]:
    model = report["model"]
    if name == "scores":
        rows = [{"measure": key, **_spread(figure)} for key, figure in _scores(report)]
        return ("measure", *_FIGURE), rows
    if name == "people":
        return ("id", *_named("gold"), *_named("leave_one_out")), _people(report)
    if name in {"classes", "groups"}:
        key, word = ("per_class", "class") if name == "classes" else ("per_group", "group")
        columns = (
            word,
            *(f"{part}_{column}" for part in _COMPARED for column in _FIGURE),
            "verdict",
            "needed",
        )
        rows = [] if model is None else [{word: row[word], **_compared(row)} for row in model[key]]
        return columns, rows
    if name == "worth":
        rows = []
        if model is not None:
            curve = model["worth_labelers"]["curve"]
            rows = [{"labelers": point["k"], **_spread(point["score"])} for point in curve]
            rows.append({"labelers": "run", **_spread(model["worth_labelers"]["score"])})
        return ("labelers", *_FIGURE), rows
    if name == "alt_test":
        columns = ("epsilon", "id", "n_items", "model_wins", "human_wins", "p", "won")
        tests = [] if model is None else [model["alt_test"], model["alt_test_strict"]]
        return columns, [{"epsilon": test["epsilon"], **row} for test in tests for row in test["people"]]
    if name == "beaten":
        columns = ("id", *(f"{part}_{column}" for part in _COMPARED for column in _FIGURE), "p", "beaten")
        people = [] if model is None else model["humans_beaten"]["people"]
        kept = ("id", "p", "beaten")
        return columns, [{**{key: row[key] for key in kept}, **_figures(row)} for row in people]
    raise Missing


def _scores(report: Json) -> list[tuple[str, Json]]:
    scores = [(key, report[key]) for key in ("gold", "between_humans", "leave_one_out")]
    scores += [(f"ceiling_{key}", report["ceiling"][key]) for key in ("split_half", "posterior", "plug_in")]
    model = report["model"]
    if model is not None:
        scores += [(f"run_{key}", model[key]) for key in _COMPARED]
        rule = model["majority_rule"]
        scores += [
            (f"majority_rule_{key}", rule[key]) for key in ("rule", "lift", "model_minus_rule", "constant")
        ]
        if model["split_item_share"] is not None:
            scores.append(("split_item_share", model["split_item_share"]))
    return scores


def _people(report: Json) -> list[Json]:
    none = _spread({"value": None, "ci": None, "n_items": 0, "n_pairs": 0, "reason": None})
    rows: dict[str, Json] = {}
    for key in ("gold", "leave_one_out"):
        for person in report[key]["annotators"]:
            row = rows.setdefault(person["id"], {"id": person["id"]})
            row |= {f"{key}_{column}": value for column, value in _spread(person["score"]).items()}
    empty = {f"{key}_{column}": value for key in ("gold", "leave_one_out") for column, value in none.items()}
    return [{**empty, **row} for row in rows.values()]


def _compared(row: Json) -> Json:
    return {**_figures(row), "verdict": row["verdict"], "needed": row["needed"]}


def _figures(row: Json) -> Json:
    return {f"{part}_{column}": value for part in _COMPARED for column, value in _spread(row[part]).items()}


def _spread(figure: Json) -> Json:
    low, high = figure["ci"] or (None, None)
    values = (figure["value"], low, high, figure["n_items"], figure["n_pairs"], figure["reason"])
    return dict(zip(_FIGURE, values, strict=True))


def _named(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for name in _FIGURE)
