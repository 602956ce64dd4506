"""Reports that are computed once and kept: nobody waits for figures that have not changed.

A report is kept under what was asked, with a marker of the project's state that it rests on. While the state
is the same it is returned as it is. When it has changed, a quick report is computed at once; a slow one is
returned as it was, said to be so, and a worker makes the newer one. Page and API come through here, so they
show the same figures.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction

from core.choices import ItemsChoice
from core.models import Job, Project, Report
from core.numerics.changes import change
from core.numerics.results import Figure, Reason
from core.pipelines.aggregation import aggregation_report
from core.pipelines.agreement import agreement_report
from core.pipelines.hlp import hlp_report
from core.pipelines.timeline import timeline_report
from core.selectors.moment import database_now
from core.selectors.report import report_with, state_of
from core.services.job import finish_job
from core.services.report import keep_report, renew_report, see_report

Json = dict[str, Any]
QUICK_SECONDS = 0.5  # what may be computed while somebody waits
LOOKED_AT_SECONDS = 3600.0
MOST_PAIRS = 200_000
NO_VALUE: Json = {"value": None, "ci": None}
PAIR_LINE = (
    "a",
    "b",
    "n_items",
    "percent",
    "percent_ci",
    "cohen_kappa",
    "cohen_kappa_ci",
    "cohen_kappa_reason",
    "weighted_kappa",
    "weighted_kappa_ci",
)


class Kind(StrEnum):
    """What is kept."""

    AGREEMENT = "agreement"  # the whole report, as the API tells it
    PAIRS = "pairs"  # every pair of people, a line each
    PART = "part"  # groups of items: the coefficients without people
    HLP = "hlp"  # human-level performance, as the API tells it
    AGGREGATION = "aggregation"  # the rules side by side, as the API tells them
    GROUP = "group"  # the means beside which people see their own record
    SPLIT = "split"  # the audit slice and the items outside it, and how far apart they are
    TIMELINE = "timeline"  # agreement over time, and whether changes helped


# Made anew from one day to the next only: who reads it after each answer of theirs would learn what that one did.
DAILY = frozenset({Kind.GROUP})


@dataclass(frozen=True, slots=True)
class Kept:
    """A report, the moment of the database that it rests on, and whether there are newer answers."""

    body: Json
    as_of: datetime
    stale: bool


def kept_report(project: Project, kind: Kind, asked: Json, *, fresh: bool = False) -> Kept:
    """The report on what is asked (the arguments of agreement_report by name).

    ``fresh`` computes now, however long it takes. Raises Invalid as agreement_report.
    """
    key, marker = key_of(asked), _marker(project, kind)
    kept = report_with(project, kind, key)
    if kept is not None and not fresh:
        if kept.marker == marker:
            _note_look(kept)
            return Kept(kept.body, kept.as_of, stale=False)
        if kept.seconds >= QUICK_SECONDS and _is_ours(kept):
            renew_report(kept)
            return Kept(kept.body, kept.as_of, stale=True)
    report = _compute(project, kind, key, asked, marker)
    return Kept(report.body, report.as_of, stale=False)


def kept_at(project: Project, kind: Kind, asked: Json) -> datetime | None:
    """The moment that the kept report rests on; None when nothing is kept."""
    kept = report_with(project, kind, key_of(asked))
    return None if kept is None else kept.as_of


def run_report(job: Job) -> None:
    """Compute a kept report anew; one that was dropped meanwhile, or is new again, needs nothing."""
    report = Report.objects.select_related("project").filter(pk=job.arguments["report"]).first()
    if report is not None:
        marker = _marker(report.project, Kind(report.kind))
        if report.marker != marker:
            _compute(report.project, Kind(report.kind), report.key, report.asked, marker)
    with transaction.atomic():
        finish_job(job)


def key_of(asked: Mapping[str, Any]) -> str:
    """A hash of what is asked; what is None or False counts as not asked."""
    said = {name: value for name, value in asked.items() if value is not None and value is not False}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _marker(project: Project, kind: Kind) -> str:
    """The state of the project (or the day) and of the code that computes."""
    state = f"{database_now(project):%Y-%m-%d}" if kind in DAILY else state_of(project)
    return f"{settings.VERSION}/{state}"


def _is_ours(report: Report) -> bool:
    """Whether this version of the code made it: another's may lack what pages read."""
    return report.marker.startswith(f"{settings.VERSION}/")


def _note_look(report: Report) -> None:
    """At most once an hour, so that reading is seldom a write."""
    if (database_now(report.project) - report.seen_at).total_seconds() > LOOKED_AT_SECONDS:
        see_report(report)


def _compute(project: Project, kind: Kind, key: str, asked: Json, marker: str) -> Report:
    """The marker was read before, so whatever comes in meanwhile makes the report an old one."""
    started = time.perf_counter()
    body = _BODIES[kind](project, asked)
    seconds = time.perf_counter() - started
    as_of = datetime.fromisoformat(body["as_of"])
    keep_report(project, kind, key, asked=asked, body=body, marker=marker, as_of=as_of, seconds=seconds)
    return Report(project=project, kind=kind, key=key, body=body, as_of=as_of)


def _whole(project: Project, asked: Json) -> Json:
    return agreement_report(project, **asked)


def _hlp(project: Project, asked: Json) -> Json:
    return hlp_report(project, **asked)


def _aggregation(project: Project, asked: Json) -> Json:
    return aggregation_report(project, **asked)


def _timeline(project: Project, asked: Json) -> Json:
    return timeline_report(project, **asked)


def _group(project: Project, asked: Json) -> Json:
    """The means over all people: of leave-one-out agreement, of agreement with oneself, of abstaining."""
    body = agreement_report(project, **asked)
    others = [row["leave_one_out"]["value"] for row in body["annotators"]]
    known = [value for value in others if value is not None]
    return {
        "as_of": body["as_of"],
        "with_others": sum(known) / len(known) if known else None,
        "with_oneself": body["intra"]["value"],
        "abstention_rate": body["uncertainty"]["rate"]["value"],
    }


_PART = (
    "question",
    "items",
    "slice",
    "by",
    "as_of",
    "n_items",
    "n_items_used",
    "n_annotations",
    "n_annotators",
)


def _part(project: Project, asked: Json) -> Json:
    """The coefficients of some items, and of the groups that they fall into, without people and classes."""
    body = agreement_report(project, **asked, details=False)
    kept = {name: body[name] for name in (*_PART, "coefficients", "verdict")}
    kept["groups"] = [
        {name: value for name, value in group.items() if name != "per_class"}
        for group in body.get("groups", [])
    ]
    return {**kept, "changes": body.get("changes", []), "cut": body["cut"]["groups"]}


def _split(project: Project, asked: Json) -> Json:
    """The audit slice beside the items outside it, and by how much alpha is higher in the audit slice."""
    audit = _part(project, {**asked, "items": ItemsChoice.AUDIT.value})
    selected = _part(project, {**asked, "items": ItemsChoice.SELECTED.value})
    alphas = [_figure(part["coefficients"]["krippendorff_alpha"]) for part in (selected, audit)]
    found = change(*alphas)
    return {
        "as_of": audit["as_of"],
        "audit": audit,
        "selected": selected,
        "change": {"difference": found.difference.to_dict(), "p": found.p},
    }


def _figure(said: Json) -> Figure:
    """A figure from its JSON."""
    if said["value"] is None:
        return Figure.missing(Reason(said["reason"]), n_items=said["n_items"], n_pairs=said["n_pairs"])
    return Figure.estimate(
        said["value"], se=said["se"], ci=said["ci"], n_items=said["n_items"], n_pairs=said["n_pairs"]
    )


def _pairs(project: Project, asked: Json) -> Json:
    """Every pair of people with common items, a short line each: 35,000 lines must open in a blink.

    ``pairs``: lists of what PAIR_LINE names; ``weights``: what the weighted kappas weigh by, None without them.
    """
    body = agreement_report(project, **asked, most_pairs=MOST_PAIRS)
    lines = [
        [
            row["a"],
            row["b"],
            row["n_items"],
            row["percent"]["value"],
            row["percent"]["ci"],
            row["cohen_kappa"]["value"],
            row["cohen_kappa"]["ci"],
            row["cohen_kappa"]["reason"],
            row.get("weighted_kappa", NO_VALUE)["value"],
            row.get("weighted_kappa", NO_VALUE)["ci"],
        ]
        for row in body["pairs"]
    ]
    weights = body["weights"]
    return {"as_of": body["as_of"], "weights": weights, "pairs": lines, "cut": body["cut"]["pairs"]}


_BODIES: Mapping[Kind, Callable[[Project, Json], Json]] = {
    Kind.AGREEMENT: _whole,
    Kind.GROUP: _group,
    Kind.HLP: _hlp,
    Kind.PAIRS: _pairs,
    Kind.PART: _part,
    Kind.SPLIT: _split,
    Kind.AGGREGATION: _aggregation,
    Kind.TIMELINE: _timeline,
}
