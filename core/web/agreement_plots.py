"""What the pictures of the agreement report show: rows, matrices and series made from the report's JSON."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.choices import Level, QuestionKind, Uncertain
from core.selectors.question import QuestionSpec

Json = dict[str, Any]

MOST_CLASSES = 12
MOST_PEOPLE = 30  # beyond, a matrix of people would be an empty net
MOST_PLOTTED = 20
UNKNOWN: Json = {"value": None}
LEAST_COMMON = 5  # a kappa of fewer items is noise
MOST_ROWS = 100

COEFFICIENTS = {
    "percent_agreement": gettext_lazy("Same answer, as a share"),
    "krippendorff_alpha": gettext_lazy("Krippendorff's alpha"),
    "gwet_ac1": gettext_lazy("Gwet's AC1"),
    "fleiss_kappa": gettext_lazy("Fleiss' kappa (Scott's pi)"),
    "brennan_prediger": gettext_lazy("Brennan-Prediger"),
    "conger_kappa": gettext_lazy("Conger's kappa"),
}
METRIC = ("percent_agreement", "krippendorff_alpha")  # the others only ask whether two answers are equal
FURTHER = {
    "weighted": {
        "percent_agreement": gettext_lazy("Weighted agreement"),
        "gwet_ac2": gettext_lazy("Gwet's AC2"),
        "fleiss_kappa": gettext_lazy("Fleiss' kappa, weighted"),
        "brennan_prediger": gettext_lazy("Brennan-Prediger, weighted"),
        "conger_kappa": gettext_lazy("Conger's kappa, weighted"),
    },
    "sets": {
        "jaccard_similarity": gettext_lazy("Shared classes (Jaccard)"),
        "alpha_jaccard": gettext_lazy("Alpha with Jaccard distances"),
        "alpha_masi": gettext_lazy("Alpha with MASI distances"),
    },
    "texts": {
        "exact": gettext_lazy("Same text"),
        "standardised": gettext_lazy("Same text but for case, blanks and marks"),
        "edit_similarity": gettext_lazy("Similarity of two texts by edits"),
        "alpha_edit": gettext_lazy("Alpha with edit distances"),
    },
    "intraclass": {
        "icc_1": gettext_lazy("ICC(1): one person's number"),
        "icc_2": gettext_lazy("ICC(2): one person, people drawn at random"),
        "icc_3": gettext_lazy("ICC(3): one person, these people"),
        "icc_1k": gettext_lazy("ICC(1,k): the mean number"),
        "icc_2k": gettext_lazy("ICC(2,k): the mean, people drawn at random"),
        "icc_3k": gettext_lazy("ICC(3,k): the mean, these people"),
    },
}


@dataclass(frozen=True)
class Forest:
    """Figures with intervals, one below the other. ``rows``: {name, figure, url}."""

    title: str
    summary: str
    axis: str
    rows: Sequence[Json]
    reference: float | None = None


@dataclass(frozen=True)
class Heat:
    """A matrix of shares or coefficients. ``rows``: {name, cells: [{value, text, same} or None]}."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Json]
    low: str
    high: str


@dataclass(frozen=True)
class Course:
    """One figure over time. ``points``: {name, figure} in order."""

    title: str
    summary: str
    axis: str
    points: Sequence[Json]


def is_metric(report: Json) -> bool:
    """Whether answers are read as numbers, so that being equal says little."""
    return report["level"] in {Level.INTERVAL, Level.RATIO}


def coefficient_rows(report: Json) -> list[Json]:
    """The coefficients that say something at this level."""
    return [
        {"name": name, "figure": report["coefficients"][key]}
        for key, name in COEFFICIENTS.items()
        if not is_metric(report) or key in METRIC
    ]


def further_rows(report: Json) -> list[Json]:
    """Coefficients that only some kinds of questions have."""
    return [
        {"name": name, "figure": figures[key]}
        for family, names in FURTHER.items()
        if (figures := report.get(family))
        for key, name in names.items()
        if key in figures
    ]


def class_rows(question: QuestionSpec, report: Json, behind: Callable[..., str]) -> list[Json]:
    """Agreement on each class, the most frequent first; a scale keeps its order."""
    colours = {spec.name: spec.colour for spec in question.classes}
    rows = report["per_class"][:MOST_ROWS]
    if report["level"] == Level.NOMINAL:
        rows = sorted(report["per_class"], key=lambda row: -row["n"])[:MOST_ROWS]
    unsure = {row["class"]: row["rate"] for row in report["uncertainty"].get("by_majority", [])}
    return [
        {
            "name": row["class"] or _("(empty)"),
            "figure": row["specific_agreement"],
            "alpha": row["alpha"],
            "n": row["n"],
            "colour": colours.get(row["class"]),
            "unsure": unsure.get(row["class"], UNKNOWN),
            "url": behind(label=row["class"]) if question.kind != QuestionKind.MULTIPLE else "",
        }
        for row in rows
    ]


def confusion_matrix(question: QuestionSpec, report: Json, behind: Callable[..., str]) -> Json | None:
    """How often two people's answers to one item were this class and that; None with fewer than two classes.

    A row's shares add up to one over all classes: of the people whose partner gave the row's class. Two who
    agree are each other's partner, so their pair counts twice there, as in the specific agreement of a class.
    ``cost`` is a cell's share of all disagreements.
    """
    if question.kind == QuestionKind.MULTIPLE or is_metric(report):
        return None
    pairs_with = {row["class"]: row["specific_agreement"]["n_pairs"] for row in report["per_class"]}
    apart: defaultdict[str, dict[str, Json]] = defaultdict(dict)
    for row in report["confusions"]:
        apart[row["a"]][row["b"]] = row
        apart[row["b"]][row["a"]] = row
    if len(pairs_with) < 2:  # noqa: PLR2004 -- a confusion takes two
        return None
    frequent = set(sorted(pairs_with, key=lambda name: -pairs_with[name])[:MOST_CLASSES])
    names = [name for name in pairs_with if name in frequent]
    rows = []
    for name in names:
        total = pairs_with[name]
        same = total - sum(row["n"] for row in apart[name].values())
        cells = []
        for other in names:
            row = apart[name].get(other)
            n = same if other == name else row["n"] if row else 0
            cells.append(
                {
                    "n": n,
                    "share": (2 * n if other == name else n) / (total + same) if total else None,
                    "cost": row["share"] if row else None,
                    "same": other == name,
                    "url": behind(a=name, b=other) if n else "",
                }
            )
        rows.append({"name": name or _("(empty)"), "n": total, "cells": cells})
    return {
        "names": [name or _("(empty)") for name in names],
        "rows": rows,
        "left_out": len(pairs_with) - len(names) + report["cut"]["per_class"],
    }


def people_matrix(report: Json, behind: Callable[..., str]) -> Json | None:
    """Cohen's kappa of every two people; None where they are too many or no two have enough in common."""
    names = [row["id"] for row in sorted(report["annotators"], key=lambda row: -row["n"])]
    if not 1 < len(names) <= MOST_PEOPLE:
        return None
    pairs = {
        frozenset((row["a"], row["b"])): row for row in report["pairs"] if row["n_items"] >= LEAST_COMMON
    }
    if not pairs:
        return None
    rows = [
        {
            "number": number,
            "name": name,
            "cells": [
                {**pair, "url": behind(person=name, pair=other)}
                if other != name and (pair := pairs.get(frozenset((name, other))))
                else None
                for other in names
            ],
        }
        for number, name in enumerate(names, start=1)
    ]
    return {"rows": rows, "least": LEAST_COMMON}


def annotator_rows(report: Json, behind: Callable[..., str]) -> Json:
    """Everybody against the others, the most active first; ``plotted`` are the busiest, lowest first."""
    busiest = sorted(report["annotators"], key=lambda row: -row["n"])
    rows = [
        {"name": row["id"], "figure": row["leave_one_out"], "url": behind(person=row["id"]), **row}
        for row in busiest
    ]
    plotted = sorted(rows[:MOST_PLOTTED], key=lambda row: row["leave_one_out"]["value"] or 0.0)
    return {
        "plotted": plotted,
        "rows": rows,
        "left_out": len(rows) - len(plotted),
        "repeats": report["intra"]["value"] is not None,
    }


def reading_rows(report: Json) -> list[Json]:
    """Alpha under each way of reading uncertain answers."""
    words = {
        Uncertain.CLASS: _("As a class of their own"),
        Uncertain.MISSING: _("As missing"),
        Uncertain.DISAGREE: _("As disagreement"),
    }
    notes = {
        Uncertain.CLASS: _("Two people who both cannot tell agree."),
        Uncertain.MISSING: _("Only what people were sure of: it looks better than it is."),
        Uncertain.DISAGREE: _("Whoever cannot tell agrees with nobody."),
    }
    found = report.get("readings", {})
    return [
        {
            "name": words[key],
            "note": notes[key],
            "chosen": key == report["uncertain"],
            "figure": found[key]["krippendorff_alpha"],
            **found[key],
        }
        for key in words
        if key in found
    ]


def group_rows(part: Json, report_at: Callable[..., str]) -> list[Json]:
    """The coefficients of each group; a group that the report can be narrowed to has an address."""
    rows = []
    for group in part["groups"]:
        by = part["by"]
        narrowed = f"tag:{group['group']}" if by == "tag" else f"{by}:{group['group']}"
        rows.append(
            {
                **group,
                "name": group["group"] or _("(empty)"),
                "figure": group["coefficients"]["krippendorff_alpha"],
                "percent": group["coefficients"]["percent_agreement"],
                "unsure": group.get("uncertainty", {}).get("rate", UNKNOWN),
                "url": report_at(slice=narrowed) if by == "tag" or by.startswith("meta.") else "",
            }
        )
    return rows
