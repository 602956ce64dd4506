"""How one label is made of many answers: the rules side by side, the people by the model, and what would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.choices import FileFormat
from core.exceptions import Missing
from core.models import Membership
from core.pipelines.aggregation import ONE_CLASS_EACH
from core.pipelines.aggregation_table import TABLES, table_csv
from core.pipelines.report import Kept, Kind, kept_report
from core.selectors.aggregation import items_called
from core.selectors.question import QuestionSpec, Schema, schema_of
from core.web.access import project_view
from core.web.listing import Listing, Sorts, low_first
from core.web.pages import project_page

Json = dict[str, Any]

MOST_PEOPLE = 30  # in one picture; more are a table in pages
MOST_FLIPS = 50
MOST_CLASSES = 8  # of a confusion matrix on the page
LONGEST_SHOWN = 20
HALF_AN_ANSWER = 0.5  # of fewer expected answers no shares are shown
SECTION = "aggregation"

RULES = {
    "majority": gettext_lazy("majority"),
    "one_coin": gettext_lazy("one-coin"),
    "dawid_skene": gettext_lazy("Dawid-Skene"),
}
HEADLINES = {
    "no_overlap": gettext_lazy(
        "The default rule here is majority, because no item has answers of two people yet."
    ),
    "few_answers": gettext_lazy(
        "The default rule here is majority, because most people have answered too little to be told apart."
    ),
    "enough_for_accuracy": gettext_lazy(
        "The default rule here is one-coin, because people have answered enough to learn how often each is right, "
        "and too little to learn more of them."
    ),
    "enough_for_confusion": gettext_lazy(
        "The default rule here is Dawid-Skene, because people have answered enough to learn which classes each of "
        "them takes for which."
    ),
}


@dataclass(frozen=True)
class Page:
    """What one request asks for, and the kept report that answers it."""

    request: HttpRequest
    membership: Membership
    question: QuestionSpec

    @cached_property
    def kept(self) -> Kept:
        """The report; leads see names."""
        asked = {"question_key": self.question.key, "real_names": self.membership.role in LEADS}
        fresh = self.request.GET.get("fresh") == "1"
        return kept_report(self.membership.project, Kind.AGGREGATION, asked, fresh=fresh)

    @property
    def chosen(self) -> dict[str, str]:
        """The choices as parameters of an address."""
        return {"question": self.question.key}

    def address(self, name: str, *args: str, **more: Any) -> str:
        """Another address of the report with the same choices."""
        query = {**self.chosen, **{key: value for key, value in more.items() if value is not None}}
        return f"{reverse(name, args=[self.membership.project.slug, *args])}?{urlencode(query)}"


def _possible(membership: Membership) -> Schema:
    """The questions that have one class as the answer."""
    questions = schema_of(membership.project).questions
    return Schema(tuple(spec for spec in questions if spec.kind in ONE_CLASS_EACH))


def _page(request: HttpRequest, membership: Membership) -> Page:
    schema = _possible(membership)
    key = request.GET.get("question")
    question = schema.question(key) if key else next(iter(schema.questions), None)
    if question is None:
        raise Missing
    return Page(request, membership, question)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The rules, the people and what would change."""
    schema = _possible(membership)
    template = "core/aggregation/page.html"
    if not schema.questions:
        return project_page(request, membership, SECTION, template, {"report": None})
    page = _page(request, membership)
    report = page.kept.body
    if request.GET.get("fresh") == "1":
        return HttpResponseRedirect(page.address("aggregation"))
    rows = _people(page, report)
    few = len(rows) <= MOST_PEOPLE
    new = report["flips"]["new"]
    context = {
        "report": report,
        "question": page.question,
        "as_of": page.kept.as_of,
        "stale": page.kept.stale,
        "fresh_url": page.address("aggregation", fresh=1),
        "headline": headline(report),
        "lead": lead(report),
        "steps": _steps(page, report),
        "questions": schema.questions if len(schema.questions) > 1 else (),
        "rules": _rules(membership, report),
        "beside_gold": beside_gold(report),
        "has_gold": report["rules"][0]["accuracy"] is not None,
        "n_gold": (report["rules"][0]["accuracy"] or {"n_items": 0})["n_items"],
        "model": RULES[report["model"]["rule"]],
        "is_default": report["model"]["rule"] == report["default"]["rule"],
        "median": f"{report['default']['median']:g}",
        "plotted": sorted(rows, key=lambda row: low_first(row["figure"]["value"])) if few else [],
        "people": rows[:MOST_PEOPLE],
        "told": [row for row in rows[:MOST_PEOPLE] if row["confusion"]],
        "people_url": page.address("aggregation_people"),
        "classes": report["classes"],
        "new_rule": RULES[new],
        "flips": _flips(membership, report),
        "labels_url": _labels_url(membership, new),
        "query": urlencode(page.chosen),
        "api_url": _api_url(page),
    }
    return project_page(request, membership, SECTION, template, context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def people(request: HttpRequest, membership: Membership) -> HttpResponse:
    """How often each person is right by the model: a table to search, sort and leaf through."""
    page = _page(request, membership)
    report = page.kept.body
    sorts: Sorts = {
        "name": lambda row: row["id"],
        "n": lambda row: -row["n"],
        "right": lambda row: low_first(row["competence"]["value"]),
    }
    listing = Listing(
        page,
        "aggregation_people",
        report["annotators"],
        sorts=sorts,
        default="n",
        text_of=lambda row: str(row["id"]),
    )
    rows = _people(page, report, listing.rows)
    context = {
        **listing.context,
        "rows": rows,
        "told": [row for row in rows if row["confusion"]],
        "question": page.question,
        "model": RULES[report["model"]["rule"]],
        "as_of": page.kept.as_of,
        "back_url": page.address("aggregation"),
        "query": urlencode(page.chosen),
    }
    return project_page(request, membership, SECTION, "core/aggregation/people.html", context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def table(request: HttpRequest, membership: Membership, name: str) -> StreamingHttpResponse:
    """One table of the report as CSV."""
    if name not in TABLES:
        raise Missing
    page = _page(request, membership)
    filename = f"{membership.project.slug}-aggregation-{name}.csv"
    return StreamingHttpResponse(
        table_csv(page.kept.body, name),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


# --- In words -----------------------------------------------------------------------------------------


def headline(report: Json) -> str:
    """The rule by default, and why it is that."""
    return str(HEADLINES[report["default"]["why"]])


def lead(report: Json) -> str:
    """The figures that the default follows from."""
    default = report["default"]
    if not report["n_annotations"]:
        return ""
    return _(
        "The median person has given %(median)s answers. How often somebody is right is learnt from %(coin)s on, "
        "which classes they take for which from %(confusion)s on."
    ) % {
        "median": f"{default['median']:g}",
        "coin": f"{default['for_one_coin']:,}",
        "confusion": f"{default['for_dawid_skene']:,}",
    }


def _steps(page: Page, report: Json) -> list[dict[str, str]]:
    """At most three things to do next; what this reader may not do is left out."""
    membership, slug = page.membership, page.membership.project.slug
    leads = membership.role in LEADS
    steps: list[tuple[str, str]] = []
    if not report["n_annotations"]:
        return [{"label": _("Label"), "url": reverse("label", args=[slug])}]
    if report["default"]["why"] == "no_overlap" and leads:
        steps.append((_("Ask for more than one answer per item"), reverse("project_settings", args=[slug])))
    steps.append((_("Export the labels by this rule"), _labels_url(membership, report["default"]["rule"])))
    n = report["flips"]["n"]
    if n:
        words = ngettext(
            "Look at the %(n)s item that gets another label",
            "Look at the %(n)s items that get another label",
            n,
        )
        steps.append((words % {"n": f"{n:,}"}, "#flips"))
    if report["rules"][0]["accuracy"] is None and leads:
        steps.append(
            (_("Import gold, if the truth is known"), f"{reverse('import_new', args=[slug])}?kind=gold")
        )
    return [{"label": label, "url": url} for label, url in steps[:3]]


# --- In pictures --------------------------------------------------------------------------------------


def _labels_url(membership: Membership, rule: str) -> str:
    return f"{reverse('labels', args=[membership.project.slug])}?rule={rule}"


def _api_url(page: Page) -> str:
    names = "name" if page.membership.role in LEADS else None
    return page.address("api:aggregation", annotators=names)


def beside_gold(report: Json) -> list[Json]:
    """How often the label of each rule is the gold one; nothing without gold."""
    names = {rule: capfirst(name) for rule, name in RULES.items()}
    return [
        {
            "name": _("%(rule)s (default)") % {"rule": names[row["rule"]]}
            if row["default"]
            else names[row["rule"]],
            "figure": row["accuracy"],
        }
        for row in report["rules"]
        if row["accuracy"] is not None
    ]


def _rules(membership: Membership, report: Json) -> list[Json]:
    api = reverse("api:labels", args=[membership.project.slug])
    return [
        {
            **row,
            "name": RULES[row["rule"]],
            "url": f"{api}?format={FileFormat.CSV}&rule={row['rule']}",
        }
        for row in report["rules"]
    ]


def _people(page: Page, report: Json, rows: Sequence[Json] | None = None) -> list[Json]:
    """People with the address of their items and a confusion matrix that fits the page."""
    classes = report["classes"]
    frequent = sorted(range(len(classes)), key=lambda code: -report["shares"][code])[:MOST_CLASSES]
    shown = sorted(frequent)
    return [
        {
            "name": row["id"],
            "n": row["n"],
            "figure": row["competence"],
            "url": page.address("agreement_items", person=row["id"]),
            "confusion": None if row["confusion"] is None else _confusion(row, classes, shown),
        }
        for row in (report["annotators"] if rows is None else rows)
    ]


def _confusion(row: Json, classes: Sequence[str], shown: Sequence[int]) -> Json:
    """What a person answered where the model takes the class of the row for true, of about ``n`` answers."""
    rows = []
    for truth in shown:
        expected = row["expected"][truth]
        n = sum(expected)
        shares = [expected[answer] / n if n >= HALF_AN_ANSWER else None for answer in shown]
        cells = [
            {"share": share, "same": truth == answer} for answer, share in zip(shown, shares, strict=True)
        ]
        rows.append({"name": classes[truth] or _("(empty)"), "n": n, "cells": cells})
    names = [_short(classes[code]) for code in shown]
    return {"names": names, "left_out": len(classes) - len(shown), "rows": rows}


def _short(name: str) -> str:
    """A name as it fits above a column."""
    if not name:
        return _("(empty)")
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


def _flips(reader: Membership, report: Json) -> Json:
    """The first items whose label changes, without labels where the reader is still to answer them."""
    listed = report["flips"]["items"][:MOST_FLIPS]
    keys = items_called(reader, {row["item"] for row in listed})
    rows = [{**row, "key": keys.get(row["item"])} for row in listed]
    return {"n": report["flips"]["n"], "rows": rows, "more": report["flips"]["n"] - len(rows)}
