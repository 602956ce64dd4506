"""How far people agree: the report of one question as a page, and its tables as files."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.choices import ItemsChoice, Level, Uncertain
from core.exceptions import Missing
from core.models import Membership
from core.pipelines.agreement import agreement_report, levels_of
from core.pipelines.agreement_table import TABLES, table_csv
from core.selectors.question import QuestionSpec, Schema, schema_of
from core.templatetags.charts import decimal, interval, percent, percent_interval
from core.web.access import project_view
from core.web.pages import project_page

Json = dict[str, Any]

MOST_CLASSES = 12
MOST_PEOPLE = 30
MOST_PLOTTED = 20
LEAST_COMMON = 5  # a kappa of fewer items is noise
MOST_ROWS = 100

VERDICTS = {
    "almost_perfect": gettext_lazy("almost perfect"),
    "substantial": gettext_lazy("substantial"),
    "moderate": gettext_lazy("moderate"),
    "fair": gettext_lazy("fair"),
    "slight": gettext_lazy("slight"),
    "poor": gettext_lazy("poor"),
}
COEFFICIENTS = {
    "percent_agreement": gettext_lazy("Same answer, as a share"),
    "krippendorff_alpha": gettext_lazy("Krippendorff's alpha"),
    "gwet_ac1": gettext_lazy("Gwet's AC1"),
    "fleiss_kappa": gettext_lazy("Fleiss' kappa (Scott's pi)"),
    "brennan_prediger": gettext_lazy("Brennan-Prediger"),
    "conger_kappa": gettext_lazy("Conger's kappa"),
}
METRIC = ("percent_agreement", "krippendorff_alpha")  # the others only ask whether two answers are equal
REASONS = {
    "no_overlap": gettext_lazy("no item has answers of two people"),
    "one_class": gettext_lazy("every answer is the same, so agreement by chance cannot be told apart"),
    "one_annotator": gettext_lazy("only one person has answered"),
    "too_few_items": gettext_lazy("too few items have answers of two people"),
    "negative_values": gettext_lazy("the ratio level is not defined for numbers below zero"),
}


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The report in words and pictures."""
    schema = schema_of(membership.project)
    if not schema.questions:
        return project_page(request, membership, "agreement", "core/agreement/page.html", {"report": None})
    question = _question(request, schema)
    report = _report(request, membership, question)
    context = {
        "report": report,
        "question": question,
        "as_of": datetime.fromisoformat(report["as_of"]),
        "headline": headline(report),
        "lead": _lead(report),
        "verdict_word": VERDICTS[report["verdict"]["level"]] if report["verdict"] else "",
        "alpha_reason": REASONS.get(report["coefficients"]["krippendorff_alpha"]["reason"], ""),
        "level_label": Level(report["level"]).label,
        "is_metric": _is_metric(report),
        "steps": _steps(membership, question, report),
        "controls": _controls(schema, question, report),
        "query": urlencode(_chosen(report)),
        "warnings": _warnings(report),
        "coefficients": [
            {"name": name, "figure": report["coefficients"][key]}
            for key, name in COEFFICIENTS.items()
            if not _is_metric(report) or key in METRIC
        ],
        "classes": _class_rows(question, report),
        "confusions": _confusion_matrix(report),
        "people": _people_matrix(report),
        "annotators": _annotator_rows(report),
        "readings": _readings(report),
        "api_url": f"{reverse('api:agreement', args=[membership.project.slug])}?{urlencode(_chosen(report))}",
    }
    return project_page(request, membership, "agreement", "core/agreement/page.html", context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def table(request: HttpRequest, membership: Membership, name: str) -> StreamingHttpResponse:
    """One table of the report as CSV."""
    if name not in TABLES:
        raise Missing
    report = _report(request, membership, _question(request, schema_of(membership.project)))
    return StreamingHttpResponse(
        table_csv(report, name),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{membership.project.slug}-agreement-{name}.csv"'
        },
    )


def _question(request: HttpRequest, schema: Schema) -> QuestionSpec:
    key = request.GET.get("question")
    question = schema.question(key) if key else next(iter(schema.questions), None)
    if question is None:
        raise Missing
    return question


def _report(request: HttpRequest, membership: Membership, question: QuestionSpec) -> Json:
    level = request.GET.get("level") or None
    if level in Level.values and level not in levels_of(question):
        level = None  # chosen for another question
    return agreement_report(
        membership.project,
        question.key,
        level=level,
        uncertain=request.GET.get("uncertain") or Uncertain.CLASS,
        items=request.GET.get("items") or ItemsChoice.ALL,
        real_names=membership.role in LEADS,
        readings=any(spec.uncertain for spec in question.classes),
    )


def _chosen(report: Json) -> dict[str, str]:
    return {name: report[name] for name in ("question", "uncertain", "items", "level")}


def _spread(figure: Json, *, shares: bool = False) -> str:
    """A figure with its interval in words."""
    value = percent(figure["value"]) if shares else decimal(figure["value"])
    ends = percent_interval(figure) if shares else interval(figure)
    return f"{value} ({ends})" if ends else value


def shown(name: str) -> str:
    """A class's name in quotation marks, also when it is empty."""
    return f"“{name}”" if name else _("(empty)")


def headline(report: Json) -> str:
    """The answer in one or two sentences."""
    same, alpha = report["coefficients"]["percent_agreement"], report["coefficients"]["krippendorff_alpha"]
    if same["value"] is None:
        return _("Cannot tell yet: %(reason)s.") % {"reason": REASONS[same["reason"]]}
    share = {"share": _spread(same, shares=True)}
    if _is_metric(report):
        equal = _("Two people give exactly the same number on %(share)s of items.") % share
        return f"{_corrected(report, alpha)} {equal}"
    equal = _("Two people give the same answer on %(share)s of items.") % share
    return f"{equal} {_corrected(report, alpha)}"


def _corrected(report: Json, alpha: Json) -> str:
    """What is left when chance is taken out, with the word for it."""
    if alpha["value"] is None:
        return _("Corrected for chance, cannot tell yet: %(reason)s.") % {"reason": REASONS[alpha["reason"]]}
    if report["verdict"] is None:
        return _("Corrected for chance: %(alpha)s.") % {"alpha": _spread(alpha)}
    level = report["verdict"]["level"]
    sentence = _("Corrected for chance: %(alpha)s, at least %(verdict)s.")
    if level in {"poor", "almost_perfect"}:  # the ends of the scale
        sentence = _("Corrected for chance: %(alpha)s, %(verdict)s.")
    return sentence % {"alpha": _spread(alpha), "verdict": VERDICTS[level]}


def _is_metric(report: Json) -> bool:
    """Whether answers are read as numbers, so that being equal says little."""
    return report["level"] in {Level.INTERVAL, Level.RATIO}


def _lead(report: Json) -> str:
    worst = next(iter(report["confusions"]), None)
    if worst is None or _is_metric(report):
        return ""
    return _("%(a)s against %(b)s costs most: %(share)s of all disagreements (%(n)d pairs of answers).") % {
        "a": shown(worst["a"]),
        "b": shown(worst["b"]),
        "share": percent(worst["share"]),
        "n": worst["n"],
    }


def _steps(membership: Membership, question: QuestionSpec, report: Json) -> list[dict[str, str]]:
    """At most three things to do next, each with its address; what this reader may not do is left out."""
    slug = membership.project.slug
    leads = membership.role in LEADS
    steps: list[tuple[str, str]] = []
    worst = next(iter(report["confusions"]), None)
    if report["n_annotations"] == 0 and leads:
        steps.append((_("Bring in items"), _address("imports", slug)))
        steps.append((_("Invite people"), _address("people", slug)))
    if report["n_annotations"] and report["n_items_used"] == 0 and leads:
        steps.append((_("Ask for more than one answer per item"), _address("project_settings", slug)))
    if worst and question.is_choice and leads:
        names = {"a": shown(worst["a"]), "b": shown(worst["b"])}
        steps.append(
            (_("Say in the guideline how to tell %(a)s from %(b)s") % names, _address("guideline_new", slug))
        )
        steps.append(
            (_("Sharpen the definitions of the classes"), _address("question_edit", slug, question.key))
        )
    if worst:
        steps.append((_("Look at the items"), _address("items", slug)))
    if report["n_annotations"] == 0:
        steps.append((_("Label"), _address("label", slug)))
    return [{"label": label, "url": url} for label, url in steps if url][:3]


def _address(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def _controls(schema: Schema, question: QuestionSpec, report: Json) -> list[Json]:
    """The choices of the form above the report; what offers no choice is left out."""
    controls: list[tuple[str, str, list[tuple[Any, Any]]]] = [
        ("question", _("Question"), [(spec.key, spec.title or spec.key) for spec in schema.questions]),
        ("items", _("Items"), list(ItemsChoice.choices)),
        ("level", _("Answers read as"), [(level.value, level.label) for level in levels_of(question)]),
    ]
    if any(spec.uncertain for spec in question.classes):
        controls.insert(1, ("uncertain", _("Uncertain answers count"), list(Uncertain.choices)))
    return [
        {"name": name, "label": label, "options": options, "chosen": report[name]}
        for name, label, options in controls
        if len(options) > 1
    ]


def _warnings(report: Json) -> list[str]:
    sentences = []
    if "skewed_classes" in report["warnings"]:
        sentences.append(
            _(
                "Most answers fall into few classes, so people would often agree by chance. That is why alpha is "
                "far from the share of equal answers and from AC1, which judges chance more mildly. Look at the "
                "agreement on the rare classes below before you trust either."
            )
        )
    if report["dropped"]["one_annotation"]:
        n = report["dropped"]["one_annotation"]
        sentences.append(
            ngettext(
                "%d item has one answer only and says nothing about agreement.",
                "%d items have one answer only and say nothing about agreement.",
                n,
            )
            % n
        )
    if report["uncertain"] == Uncertain.MISSING and report["dropped"]["uncertain"]:
        n = report["dropped"]["uncertain"]
        sentences.append(
            ngettext(
                "%d uncertain answer is left out. People are uncertain on hard items, so agreement looks better "
                "than it is.",
                "%d uncertain answers are left out. People are uncertain on hard items, so agreement looks better "
                "than it is.",
                n,
            )
            % n
        )
    return sentences


def _class_rows(question: QuestionSpec, report: Json) -> list[Json]:
    colours = {spec.name: spec.colour for spec in question.classes}
    rows = report["per_class"][:MOST_ROWS]  # a scale keeps its order
    if report["level"] == Level.NOMINAL:
        rows = sorted(report["per_class"], key=lambda row: -row["n"])[:MOST_ROWS]
    return [
        {
            "name": row["class"] or _("(empty)"),
            "figure": row["specific_agreement"],
            "alpha": row["alpha"],
            "n": row["n"],
            "colour": colours.get(row["class"]),
        }
        for row in rows
    ]


def _confusion_matrix(report: Json) -> Json | None:
    """How often two people's answers to one item were this class and that; None with fewer than two classes.

    A row's shares add up to one over all classes: of the people whose partner gave the row's class. Two who
    agree are each other's partner, so their pair counts twice there, as in the specific agreement of a class.
    """
    pairs_with = {row["class"]: row["specific_agreement"]["n_pairs"] for row in report["per_class"]}
    apart: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in report["confusions"]:
        apart[row["a"]][row["b"]] = row["n"]
        apart[row["b"]][row["a"]] = row["n"]
    if len(pairs_with) < 2 or _is_metric(report):  # noqa: PLR2004 -- a confusion takes two
        return None
    frequent = sorted(pairs_with, key=lambda name: -pairs_with[name])[:MOST_CLASSES]
    names = [name for name in pairs_with if name in frequent]
    rows = []
    for name in names:
        total = pairs_with[name]
        same = total - sum(apart[name].values())
        counts = [same if other == name else apart[name].get(other, 0) for other in names]
        cells = [
            {
                "n": n,
                "share": (2 * n if other == name else n) / (total + same) if total else None,
                "same": other == name,
            }
            for other, n in zip(names, counts, strict=True)
        ]
        rows.append({"name": name or _("(empty)"), "n": total, "cells": cells})
    return {
        "names": [name or _("(empty)") for name in names],
        "rows": rows,
        "left_out": len(pairs_with) - len(names) + report["cut"]["per_class"],
    }


def _people_matrix(report: Json) -> Json | None:
    """Cohen's kappa of every two of the most active people; None where no two have enough in common."""
    busiest = sorted(report["annotators"], key=lambda row: -row["n"])[:MOST_PEOPLE]
    names = [row["id"] for row in busiest]
    if len(names) < 2 or not report["pairs"]:  # noqa: PLR2004 -- a pair takes two
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
            "cells": [pairs.get(frozenset((name, other))) if other != name else None for other in names],
        }
        for number, name in enumerate(names, start=1)
    ]
    return {"rows": rows, "left_out": len(report["annotators"]) - len(names), "least": LEAST_COMMON}


def _annotator_rows(report: Json) -> Json:
    busiest = sorted(report["annotators"], key=lambda row: -row["n"])
    rows = [{"name": row["id"], "figure": row["leave_one_out"], **row} for row in busiest]
    plotted = sorted(rows[:MOST_PLOTTED], key=lambda row: row["leave_one_out"]["value"] or 0.0)
    return {
        "plotted": plotted,
        "rows": rows[:MOST_ROWS],
        "left_out": len(rows) - len(plotted),
        "repeats": report["intra"]["value"] is not None,
    }


def _readings(report: Json) -> Sequence[Json]:
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
        {"name": words[key], "note": notes[key], "chosen": key == report["uncertain"], **found[key]}
        for key in words
        if key in found
    ]
