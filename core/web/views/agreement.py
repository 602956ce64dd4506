"""How far people agree: the report of one question as a page, its pictures and tables as files, and the items behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.choices import ItemsChoice, Level, Uncertain
from core.exceptions import Invalid, Missing
from core.models import Membership
from core.pipelines.agreement import check_asked, levels_of
from core.pipelines.agreement_table import FROM_PARTS, TABLES, table_csv
from core.pipelines.report import Kept, Kind, kept_at, kept_report
from core.selectors.disagreement import Behind, SplitItem, items_behind
from core.selectors.display import excerpt_of
from core.selectors.health import worker_seen
from core.selectors.pseudonym import annotator_names
from core.selectors.question import QuestionSpec, Schema, schema_of
from core.selectors.report import has_audit_slice, has_tags, meta_keys, n_guidelines
from core.templatetags.charts import decimal, percent
from core.templatetags.figure_words import reason
from core.web import agreement_plots as plots
from core.web import agreement_words as words
from core.web.access import project_view
from core.web.listing import Listing, Sorts, low_first
from core.web.pages import project_page
from core.web.pictures import picture_of

Json = dict[str, Any]

SHOWN_PAIRS = 20
LONGEST_VALUE = 1000
CHOICES = ("question", "uncertain", "items", "level", "interval", "slice", "by")


@dataclass(frozen=True)
class Page:
    """What one request asks for, and the kept reports that answer it; each is fetched when it is needed."""

    request: HttpRequest
    membership: Membership
    question: QuestionSpec

    @property
    def asked(self) -> Json:
        """The arguments of the report."""
        interval = self.request.GET.get("interval") or words.THESE_PEOPLE
        level = self.request.GET.get("level") or None
        if level == self.question.level or (level in Level.values and level not in levels_of(self.question)):
            level = None  # the default, or chosen for another question
        return {
            "question_key": self.question.key,
            "level": level,
            "uncertain": self.request.GET.get("uncertain") or Uncertain.CLASS.value,
            "items": self.request.GET.get("items") or ItemsChoice.ALL.value,
            "interval": None if interval == words.THESE_PEOPLE else interval,
            "slice": self.request.GET.get("slice") or None,
            "repeat": 1,
            "real_names": self.membership.role in LEADS,
        }

    def kept(self, kind: Kind, **more: Any) -> Kept:
        """A kept report on the same question."""
        fresh = self.request.GET.get("fresh") == "1"
        return kept_report(self.membership.project, kind, {**self.asked, **more}, fresh=fresh)

    @cached_property
    def whole(self) -> Kept:
        """The report itself."""
        return self.kept(Kind.AGREEMENT, **self.readings)

    @property
    def readings(self) -> Json:
        """Three readings where there is something to read in three ways."""
        return {"readings": True} if any(spec.uncertain for spec in self.question.classes) else {}

    @cached_property
    def report(self) -> Json:
        """What the API says of it."""
        return self.whole.body

    @cached_property
    def parts(self) -> dict[str, Kept]:
        """Groups of items: those asked for, months, guideline versions, the audit slice beside the rest."""
        if not self.report["n_items_used"]:
            return {}
        project = self.membership.project
        part = {"real_names": False, "interval": None}  # parts are compared among the same people
        found = {"months": self.kept(Kind.PART, by="month", **part)}
        if n_guidelines(project) > 1:
            found["versions"] = self.kept(Kind.PART, by="guideline", **part)
        if self.by:
            found["groups"] = self.kept(Kind.PART, by=self.by, **part)
        if self.asked["items"] == ItemsChoice.ALL and has_audit_slice(project):
            found["split"] = self.kept(Kind.SPLIT, **part)
        return found

    @property
    def by(self) -> str:
        """What the slices are made by."""
        return self.request.GET.get("by", "")

    @property
    def chosen(self) -> dict[str, str]:
        """The choices as parameters of an address."""
        said = {name: self.report[name] for name in ("question", "uncertain", "items", "level")}
        more = {"interval": self.asked["interval"], "slice": self.asked["slice"], "by": self.by}
        return {**said, **{name: value for name, value in more.items() if value}}

    def address(self, name: str, *args: str, **more: Any) -> str:
        """Another address of the report with the same choices."""
        query = {**self.chosen, **{key: value for key, value in more.items() if value is not None}}
        return f"{reverse(name, args=[self.membership.project.slug, *args])}?{urlencode(query)}"

    def behind(self, label: str | None = None, **more: str) -> str:
        """The items behind a figure."""
        return self.address("agreement_items", **({"class": label} if label is not None else {}), **more)

    @property
    def stale(self) -> bool:
        """Whether a newer one of the shown reports is being made."""
        return self.whole.stale or any(part.stale for part in self.parts.values())


def _page(request: HttpRequest, membership: Membership) -> Page:
    if any(len(value) > LONGEST_VALUE or "\0" in value for value in request.GET.values()):
        raise Invalid("bad-filter", "A part of the address is too long or holds a NUL.")
    schema = schema_of(membership.project)
    key = request.GET.get("question")
    question = schema.question(key) if key else next(iter(schema.questions), None)
    if question is None:
        raise Missing
    return Page(request, membership, question)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The report in words and pictures."""
    schema = schema_of(membership.project)
    if not schema.questions:
        return project_page(request, membership, "agreement", "core/agreement/page.html", {"report": None})
    page = _page(request, membership)
    report, parts = page.report, page.parts
    if request.GET.get("fresh") == "1":
        return HttpResponseRedirect(page.address("agreement"))
    groups = parts["groups"].body if "groups" in parts else None
    verdict = words.verdict_of(report)
    context = {
        "report": report,
        "question": page.question,
        "as_of": page.whole.as_of,
        "headline": words.headline(report),
        "lead": words.lead(report),
        "how_sure": words.how_sure(report),
        "verdict": verdict,
        "verdict_word": words.VERDICTS[verdict["level"]] if verdict else "",
        "verdicts": words.verdict_rows(report),
        "alpha_reason": reason(report["coefficients"]["krippendorff_alpha"]),
        "level_label": Level(report["level"]).label,
        "is_metric": plots.is_metric(report),
        "steps": _steps(page),
        "controls": _controls(schema, page),
        "narrowed": page.asked["slice"],
        "all_url": page.address("agreement", slice=""),
        "query": urlencode(page.chosen),
        "warnings": words.warnings(report),
        "coefficients": plots.coefficient_rows(report),
        "further": plots.further_rows(report),
        "classes": plots.class_rows(page.question, report, page.behind),
        "confusions": plots.confusion_matrix(page.question, report, page.behind),
        "worst": _worst(page),
        "people": plots.people_matrix(report, page.behind),
        "annotators": plots.annotator_rows(report, page.behind),
        "n_pairs": len(report["pairs"]) + report["cut"]["pairs"],
        "pairs": _pair_lines(page, sorted(report["pairs"], key=lambda row: -row["n_items"])[:SHOWN_PAIRS]),
        "people_url": page.address("agreement_people"),
        "pairs_url": page.address("agreement_pairs"),
        "readings": plots.reading_rows(report),
        "planning": report["planning"],
        "cost": words.cost(report),
        "for_others": report["interval"] == words.PEOPLE_LIKE_THEM,
        "leans_on": words.leans_on(report),
        "together": words.read_together(report),
        "by": page.by,
        "groups": plots.group_rows(groups, partial(page.address, "agreement", by=page.by))
        if groups
        else None,
        "groups_cut": groups["cut"] if groups else 0,
        "months": plots.group_rows(parts["months"].body, page.address) if "months" in parts else [],
        "versions": plots.group_rows(parts["versions"].body, page.address) if "versions" in parts else [],
        "changes": list(map(words.change_sentence, parts["versions"].body["changes"]))
        if "versions" in parts
        else [],
        "split": _split(parts["split"].body) if "split" in parts else None,
        "moments": {name: part.as_of for name, part in parts.items()},
        "stale": page.stale,
        "worker_gone": page.stale and not worker_seen()[0],
        "fresh_url": page.address("agreement", fresh=1),
        "newer_url": page.address("agreement_newer", since=page.whole.as_of.isoformat()),
        "api_url": _api_url(page),
    }
    return project_page(request, membership, "agreement", "core/agreement/page.html", context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def newer(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Whether the newer figures are ready: a line that asks again by itself until they are."""
    page = _page(request, membership)
    as_of = kept_at(membership.project, Kind.AGREEMENT, {**page.asked, **page.readings})
    context = {
        "ready": as_of is not None and as_of.isoformat() > request.GET.get("since", ""),
        "worker_gone": not worker_seen()[0],
        "show_url": f"{reverse('agreement', args=[membership.project.slug])}?{_kept_query(request)}",
        "fresh_url": f"{reverse('agreement', args=[membership.project.slug])}?{_kept_query(request)}&fresh=1",
        "newer_url": request.get_full_path(),
    }
    return render(request, "core/agreement/_newer.html", context)


def _kept_query(request: HttpRequest) -> str:
    return urlencode({name: value for name in CHOICES if (value := request.GET.get(name))})


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def people(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Everybody against the others: a table to search, sort and leaf through."""
    page = _page(request, membership)
    found = plots.annotator_rows(page.report, page.behind)
    sorts: Sorts = {
        "name": lambda row: row["name"],
        "n": lambda row: -row["n"],
        "others": lambda row: low_first(row["leave_one_out"]["value"]),
        "unsure": lambda row: -(row["abstention_rate"]["value"] or 0.0),
        "self": lambda row: low_first(row["intra"]["value"]),
    }
    listing = Listing(
        page,
        "agreement_people",
        found["rows"],
        sorts=sorts,
        default="n",
        text_of=lambda row: str(row["name"]),
    )
    context = {
        **listing.context,
        "question": page.question,
        "as_of": page.whole.as_of,
        "repeats": found["repeats"],
        "back_url": page.address("agreement"),
        "query": urlencode(page.chosen),
    }
    return project_page(request, membership, "agreement", "core/agreement/people.html", context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def pairs(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Every two people with common items: a table to search, sort and leaf through."""
    page = _page(request, membership)
    kept = page.kept(Kind.PAIRS, interval=None)
    sorts: Sorts = {
        "items": lambda line: (-line[2], line[0], line[1]),
        "percent": lambda line: (low_first(line[3]), -line[2]),
        "kappa": lambda line: (low_first(line[5]), -line[2]),
        "weighted": lambda line: (low_first(line[8]), -line[2]),
        "a": lambda line: (line[0], line[1]),
    }
    listing = Listing(
        page,
        "agreement_pairs",
        kept.body["pairs"],
        sorts=sorts,
        default="items",
        text_of=lambda line: f"{line[0]} {line[1]}",
    )
    context = {
        **listing.context,
        "question": page.question,
        "as_of": kept.as_of,
        "rows": _pair_lines(page, [_pair(line) for line in listing.rows]),
        "weights": kept.body["weights"],
        "cut": kept.body["cut"],
        "back_url": page.address("agreement"),
        "query": urlencode(page.chosen),
    }
    return project_page(request, membership, "agreement", "core/agreement/pairs.html", context)


def _pair(line: Sequence[Any]) -> Json:
    """A line of the kept pairs as the report tells a pair."""
    a, b, n_items, share, share_ends, kappa, kappa_ends, why, weighted, weighted_ends = line
    return {
        "a": a,
        "b": b,
        "n_items": n_items,
        "percent": {"value": share, "ci": share_ends, "reason": None},
        "cohen_kappa": {"value": kappa, "ci": kappa_ends, "reason": why},
        "weighted_kappa": {"value": weighted, "ci": weighted_ends},
    }


def _pair_lines(page: Page, rows: Sequence[Json]) -> list[Json]:
    return [{**row, "url": page.behind(person=row["a"], pair=row["b"])} for row in rows]


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def items(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The items behind a figure, most split first, with what people answered."""
    page = _page(request, membership)
    project, said = membership.project, request.GET
    asked = {name: value for name, value in page.asked.items() if name != "real_names"}
    scope = check_asked(project, by=None, **asked).scope
    names = annotator_names(project, real=page.asked["real_names"])
    codes = {name: pk for pk, name in names.items()}
    person, other = (_person(codes, said.get(name)) for name in ("person", "pair"))
    behind = Behind(a=said.get("a"), b=said.get("b"), label=said.get("class"), person=person, other=other)
    found = items_behind(project, page.question, scope, behind, membership, cursor=said.get("cursor"))
    colours = {spec.name: spec.colour for spec in page.question.classes}
    kept = [(name, value) for name, value in said.items() if name != "cursor" and value]
    first_url = f"{request.path}?{urlencode(kept)}" if said.get("cursor") else ""
    next_url = (
        f"{request.path}?{urlencode([*kept, ('cursor', found.next_cursor)])}" if found.next_cursor else ""
    )
    context = {
        "question": page.question,
        "title": _behind_title(behind, said),
        "order_note": _("Where the others differ from this person most comes first.")
        if person is not None and other is None
        else _("What people differ on most comes first."),
        "rows": [_split_row(membership, row, names, colours, {person, other}) for row in found.items],
        "back_url": f"{reverse('agreement', args=[project.slug])}?{_kept_query(request)}",
        "first_url": first_url,
        "next_url": next_url,
    }
    return project_page(request, membership, "agreement", "core/agreement/items.html", context)


def _person(codes: dict[str, int], name: str | None) -> int | None:
    if name is None:
        return None
    if name not in codes:
        raise Missing
    return codes[name]


def _behind_title(behind: Behind, said: Any) -> str:
    if behind.other is not None:
        return _("Items that %(a)s and %(b)s both answered") % {"a": said["person"], "b": said["pair"]}
    if behind.person is not None:
        return _("Items that %(person)s answered") % {"person": said["person"]}
    if behind.a is not None and behind.b is not None:
        names = {"a": words.shown(behind.a), "b": words.shown(behind.b)}
        if behind.a == behind.b:
            return _("Items that two people called %(a)s") % names
        return _("Items that one called %(a)s and another %(b)s") % names
    if behind.label is not None:
        return _("Items that somebody called %(label)s") % {"label": words.shown(behind.label)}
    return _("Items that two people or more answered")


def _split_row(
    reader: Membership, row: SplitItem, names: Any, colours: dict[str, int], marked: set[int | None]
) -> Json:
    return {
        "item": row.item,
        "text": excerpt_of(reader.project, row.item),
        "share": row.share,
        "said": None
        if row.said is None
        else [
            {
                "name": names[one.annotator],
                "value": one.value,
                "colour": colours.get(one.value),
                "marked": one.annotator in marked,
            }
            for one in row.said
        ],
    }


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def table(request: HttpRequest, membership: Membership, name: str) -> StreamingHttpResponse:
    """One table of the report as CSV."""
    if name not in TABLES:
        raise Missing
    page = _page(request, membership)
    if name == "pairs":
        body = page.kept(Kind.PAIRS, interval=None).body
    elif name in FROM_PARTS:
        body = page.parts[name].body if name in page.parts else {}
    else:
        body = page.report
    return StreamingHttpResponse(
        table_csv(body, name),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{membership.project.slug}-agreement-{name}.csv"'
        },
    )


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def picture(request: HttpRequest, membership: Membership, name: str) -> HttpResponse:
    """One picture of the report as an SVG file that stands alone."""
    page = _page(request, membership)
    plot = _plot(page, name)
    if plot is None:
        raise Missing
    note = _(
        "%(question)s · %(items)s items with two answers or more · as of %(moment)s UTC · %(project)s"
    ) % {
        "question": page.question.title or page.question.key,
        "items": f"{page.report['n_items_used']:,}",
        "moment": f"{page.parts.get(name, page.whole).as_of:%Y-%m-%d %H:%M}",
        "project": membership.project.name,
    }
    return HttpResponse(
        render_to_string("core/agreement/picture.svg", {"picture": picture_of(plot, note)}),
        content_type="image/svg+xml; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{membership.project.slug}-agreement-{name}.svg"'
        },
    )


def _plot(page: Page, name: str) -> plots.Forest | plots.Heat | plots.Course | None:
    """The picture of this name, if the report has it."""
    report = page.report
    forest = partial(plots.Forest, summary="", reference=None)
    if name == "coefficients":
        title = _("How far people agree, before and after chance is taken out")
        rows = plots.coefficient_rows(report)
        return forest(title, axis=_("0: no more than by chance; 1: always"), rows=rows, reference=0.0)
    if name == "further":
        rows = plots.further_rows(report)
        return forest(_("Figures for this kind of answer"), axis="", rows=rows) if rows else None
    if name == "classes":
        rows = plots.class_rows(page.question, report, page.behind)
        axis = _("When one said it, how often did the other?")
        return forest(_("How far people agree on each class"), axis=axis, rows=rows) if rows else None
    if name == "annotators":
        rows = plots.annotator_rows(report, page.behind)["plotted"]
        axis = _("Says what most others say: share of items")
        return forest(_("How far each person agrees with the others"), axis=axis, rows=rows) if rows else None
    if name == "readings":
        rows = plots.reading_rows(report)
        return (
            forest(_("What uncertain answers count as"), axis=_("Krippendorff's alpha"), rows=rows)
            if rows
            else None
        )
    if name == "confusions":
        return _confusion_heat(page)
    if name == "pairs":
        return _pair_heat(page)
    if name == "months" and "months" in page.parts:
        points = plots.group_rows(page.parts["months"].body, page.address)
        return plots.Course(_("Agreement by month of the answer"), "", _("Krippendorff's alpha"), points)
    if name in {"groups", "versions"} and name in page.parts:
        rows = plots.group_rows(page.parts[name].body, page.address)
        title = _("Agreement by guideline version") if name == "versions" else _("Agreement by slice")
        return forest(title, axis=_("Krippendorff's alpha"), rows=rows)
    if name == "split" and "split" in page.parts:
        rows = _split(page.parts["split"].body)["rows"]
        return forest(_("The audit slice and the other items"), axis=_("Krippendorff's alpha"), rows=rows)
    return None


def _confusion_heat(page: Page) -> plots.Heat | None:
    found = plots.confusion_matrix(page.question, page.report, page.behind)
    if found is None:
        return None
    rows = [
        {
            "name": row["name"],
            "cells": [
                {"value": cell["share"], "text": percent(cell["share"]), "same": cell["same"]}
                for cell in row["cells"]
            ],
        }
        for row in found["rows"]
    ]
    title = _("When one person said the class of the row, what did the other say?")
    return plots.Heat(title, found["names"], rows, _("never"), _("always"))


def _pair_heat(page: Page) -> plots.Heat | None:
    found = plots.people_matrix(page.report, page.behind)
    if found is None:
        return None
    rows = [
        {
            "name": f"{row['number']} {row['name']}",
            "cells": [
                cell
                and {"value": cell["cohen_kappa"]["value"], "text": decimal(cell["cohen_kappa"]["value"])}
                for cell in row["cells"]
            ],
        }
        for row in found["rows"]
    ]
    title = _("How far every two people agree, corrected for chance (Cohen's kappa)")
    return plots.Heat(title, [row["number"] for row in found["rows"]], rows, _("0 or less"), _("1"))


def _split(body: Json) -> Json:
    """The audit slice beside the rest, with a sentence on their difference."""
    names = {"audit": _("The audit slice: drawn at random"), "selected": _("All other items")}
    rows = [
        {
            "name": name,
            "figure": body[key]["coefficients"]["krippendorff_alpha"],
            "percent": body[key]["coefficients"]["percent_agreement"],
            "n_items_used": body[key]["n_items_used"],
        }
        for key, name in names.items()
    ]
    return {"rows": rows, "sentence": words.split_sentence(body)}


def _worst(page: Page) -> list[Json]:
    """The confusions that cost most, with the items behind them; numbers differ by how much, not by class."""
    if plots.is_metric(page.report):
        return []
    linked = page.question.is_choice
    return [
        {**row, "url": page.behind(a=row["a"], b=row["b"]) if linked else ""}
        for row in page.report["confusions"][:20]
    ]


def _api_url(page: Page) -> str:
    query = {name: value for name, value in page.chosen.items() if name != "by"}
    if page.membership.role in LEADS:
        query["annotators"] = "name"
    return f"{reverse('api:agreement', args=[page.membership.project.slug])}?{urlencode(query)}"


def _steps(page: Page) -> list[dict[str, str]]:
    """At most three things to do next, each with its address; what this reader may not do is left out."""
    report, question, slug = page.report, page.question, page.membership.project.slug
    leads = page.membership.role in LEADS
    steps: list[tuple[str, str]] = []
    worst = next(iter(report["confusions"]), None)
    if report["n_annotations"] == 0 and leads:
        steps.append((_("Bring in items"), reverse("imports", args=[slug])))
        steps.append((_("Invite people"), reverse("people", args=[slug])))
    if report["n_annotations"] and report["n_items_used"] == 0 and leads:
        steps.append((_("Ask for more than one answer per item"), reverse("project_settings", args=[slug])))
    if worst:
        names = {"a": words.shown(worst["a"]), "b": words.shown(worst["b"])}
        if question.is_choice:
            steps.append(
                (
                    _("Look at the items between %(a)s and %(b)s") % names,
                    page.behind(a=worst["a"], b=worst["b"]),
                )
            )
        else:
            steps.append((_("Look at the items that people differ on"), page.behind()))
        if question.is_choice and leads:
            steps.append(
                (
                    _("Say in the guideline how to tell %(a)s from %(b)s") % names,
                    reverse("guideline_new", args=[slug]),
                )
            )
            steps.append(
                (
                    _("Sharpen the definitions of the classes"),
                    reverse("question_edit", args=[slug, question.key]),
                )
            )
    if report["n_annotations"] == 0:
        steps.append((_("Label"), reverse("label", args=[slug])))
    return [{"label": label, "url": url} for label, url in steps][:3]


def _controls(schema: Schema, page: Page) -> list[Json]:
    """The choices of the form above the report; what offers no choice is left out."""
    report, question = page.report, page.question
    controls: list[tuple[str, str, list[tuple[Any, Any]]]] = [
        ("question", _("Question"), [(spec.key, spec.title or spec.key) for spec in schema.questions]),
        ("items", _("Items"), list(ItemsChoice.choices)),
        ("level", _("Answers read as"), [(level.value, level.label) for level in levels_of(question)]),
    ]
    if any(spec.uncertain for spec in question.classes):
        controls.insert(1, ("uncertain", _("Uncertain answers count"), list(Uncertain.choices)))
    found = [
        {"name": name, "label": label, "options": options, "chosen": report[name]}
        for name, label, options in controls
        if len(options) > 1
    ]
    if report["n_items_used"]:
        people = [
            (words.THESE_PEOPLE, _("for these people")),
            (words.PEOPLE_LIKE_THEM, _("for people like them")),
        ]
        chosen = {
            "name": "interval",
            "label": _("Intervals"),
            "options": people,
            "chosen": report["interval"],
        }
        found.append(chosen)
    return [*found, {"name": "by", "label": _("Slices by"), "options": _groupings(page), "chosen": page.by}]


def _groupings(page: Page) -> list[tuple[str, Any]]:
    """What slices can be made by here."""
    project = page.membership.project
    found: list[tuple[str, Any]] = [
        ("", _("none")),
        ("batch", _("batch")),
        ("month", _("month")),
        ("guideline", _("guideline version")),
    ]
    if has_tags(project):
        found.append(("tag", _("tag")))
    return [*found, *((f"meta.{key}", key) for key in meta_keys(project))]
