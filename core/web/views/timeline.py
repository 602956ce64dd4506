"""Did it help: agreement on the audit slice over time, with every change and what came of it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.exceptions import Missing
from core.models import Membership
from core.pipelines.report import Kept, Kind, kept_at, kept_report
from core.pipelines.timeline_table import TABLES, table_csv
from core.selectors.progress import progress_of
from core.selectors.question import QuestionSpec, schema_of
from core.templatetags.charts import COURSE_HEIGHT, COURSE_LEFT, course
from core.web import timeline_words as words
from core.web.access import project_view
from core.web.pages import project_page

Json = dict[str, Any]
SECTION = "timeline"
MEASURES = ("alpha", "percent")
MOST_AT_ONCE = 20_000  # answers; of more the first report is made while the page says so
TOO_NEAR = 4.0  # per cent of the width of the picture


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The timeline of one question."""
    questions = schema_of(membership.project).questions
    if not questions:
        return project_page(request, membership, SECTION, "core/timeline/page.html", {"report": None})
    question = _question(request, questions)
    if _is_long(request, membership, question):
        url = f"{request.path}?{urlencode({'question': question.key, 'wait': 1})}"
        context: Json = {"report": None, "question": question, "wait_url": url}
        return project_page(request, membership, SECTION, "core/timeline/page.html", context)
    kept = _report(request, membership, question)
    report = kept.body
    title, lead = words.headline(report)
    is_lead = membership.role in LEADS
    slug = membership.project.slug
    rows = [_row(membership, number, change) for number, change in enumerate(report["changes"], start=1)]
    context = {
        "report": report,
        "stale": kept.stale,
        "as_of": datetime.fromisoformat(report["as_of"]),
        "question": question,
        "questions": questions,
        "title": title,
        "lead": lead,
        "steps": _steps(membership, report) if is_lead else [],
        "plot": _plot(report) if report["course"] else None,
        "rows": rows[::-1],
        "settings_url": reverse("project_settings", args=[slug]) if is_lead else "",
        "query": urlencode({"question": question.key}),
        "api_url": f"{reverse('api:timeline', args=[slug])}?{urlencode({'question': question.key})}",
    }
    return project_page(request, membership, SECTION, "core/timeline/page.html", context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def table(request: HttpRequest, membership: Membership, name: str) -> StreamingHttpResponse:
    """One table of the timeline as CSV."""
    questions = schema_of(membership.project).questions
    if name not in TABLES or not questions:
        raise Missing
    kept = _report(request, membership, _question(request, questions))
    file_name = f"{membership.project.slug}-timeline-{name}.csv"
    return StreamingHttpResponse(
        table_csv(kept.body, name),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )


def _question(request: HttpRequest, questions: Sequence[QuestionSpec]) -> QuestionSpec:
    key = request.GET.get("question")
    found = next((spec for spec in questions if spec.key == key), None) if key else questions[0]
    if found is None:
        raise Missing
    return found


def _is_long(request: HttpRequest, membership: Membership, question: QuestionSpec) -> bool:
    """Whether there is no report yet, making it takes long, and nobody has said that they wait for it."""
    project = membership.project
    if {"wait", "fresh"} & request.GET.keys() or progress_of(project.pk).annotations <= MOST_AT_ONCE:
        return False
    return kept_at(project, Kind.TIMELINE, _asked(question)) is None


def _asked(question: QuestionSpec) -> Json:
    return {"question": question.key}


def _report(request: HttpRequest, membership: Membership, question: QuestionSpec) -> Kept:
    fresh = request.GET.get("fresh") == "1"
    return kept_report(membership.project, Kind.TIMELINE, _asked(question), fresh=fresh)


def _row(membership: Membership, number: int, change: Json) -> Json:
    """A change as the table shows it."""
    found = words.compared(change)
    comparison = change["comparison"]
    measures = []
    if comparison is not None:
        names = change.get("touches") or change.get("classes") or []
        scopes = [("overall", _("all classes"))]
        if comparison["touched"] is not None:
            scopes.insert(0, ("touched", words.joined(names)))
        measures = [
            {"scope": label, "measure": MEASURE_NAMES[scope][measure](), **comparison[scope][measure]}
            for scope, label in scopes
            for measure in MEASURES
        ]
    return {
        "number": number,
        "at": datetime.fromisoformat(change["at"]),
        "until": None if change["until"] is None else datetime.fromisoformat(change["until"]),
        "title": words.title(change),
        "note": change.get("note", ""),
        "url": _url(membership, change),
        "compared": found,
        "outcome": None if found is None else words.OUTCOMES[found["outcome"]],
        "reads": comparison is not None and comparison["design"] == "same_answers",
        "sentence": words.sentence(change),
        "design": "" if comparison is None else words.DESIGNS[comparison["design"]],
        "measures": measures,
        "without": words.without_intervals([one[side] for one in measures for side in ("before", "after")]),
        "elsewhere": words.elsewhere(change),
        "follows": change["kind"] == "relabel" and change["guideline"],
    }


MEASURE_NAMES = {
    "overall": {
        "alpha": lambda: _("Krippendorff's alpha"),
        "percent": lambda: _("same answer, as a share"),
    },
    "touched": {
        "alpha": lambda: _("alpha, against each other and the rest"),
        "percent": lambda: _("when one said it, how often did the other"),
    },
}


def _url(membership: Membership, change: Json) -> str:
    """Where more about a change is."""
    slug = membership.project.slug
    if change["kind"] == "guideline":
        return reverse("guideline_version", args=[slug, change["number"]])
    if change["kind"] == "relabel":
        return f"{reverse('relabels', args=[slug])}?queue={change['id']}"
    if change["kind"] in {"mapping", "reverted"}:
        return reverse("mappings", args=[slug])
    return ""


def _steps(membership: Membership, report: Json) -> list[dict[str, str]]:
    """What to do next: where it cannot be told, send items that are drawn by chance."""
    if not report["has_audit"]:
        return []
    slug = membership.project.slug
    open_ones = [
        change
        for change in report["changes"]
        if change["kind"] == "guideline" and (words.compared(change) or {}).get("outcome") == "cannot_tell"
    ]
    if open_ones:
        number = open_ones[-1]["number"]
        query = urlencode({"source": "guideline", "guideline": number, "to": "same"})
        label = _("Send out again what version %(n)s touches") % {"n": number}
        return [{"label": label, "url": f"{reverse('relabel_new', args=[slug])}?{query}"}]
    return [{"label": _("What costs most now"), "url": reverse("adjudication", args=[slug])}]


def _plot(report: Json) -> Json:
    """The course with a mark for every change."""
    days = [point["at"][:10] for point in report["course"]]
    part = slice(0, 7) if days[0][:4] != days[-1][:4] else slice(5, 10)  # a whole date does not fit a phone
    points = [
        {"name": day[part], "figure": point["alpha"]}
        for day, point in zip(days, report["course"], strict=True)
    ]
    summary = _("Agreement on the audit slice at the end of every week, with %(n)s changes") % {
        "n": len(report["changes"])
    }
    plot: Json = course(points, summary, _("alpha; the numbers are the changes"))
    ends = [datetime.fromisoformat(point["at"]).timestamp() for point in report["course"]]
    width = 98.0 - COURSE_LEFT
    marks: list[Json] = []
    for number, change in enumerate(report["changes"], start=1):
        place = _place(datetime.fromisoformat(change["at"]).timestamp(), ends)
        across = COURSE_LEFT + width * min(max((place + 0.5) / len(ends), 0.0), 1.0)
        if marks and across - marks[-1]["across"] < TOO_NEAR:  # their numbers would lie on each other
            marks[-1]["last"] = number
        else:
            marks.append({"number": number, "across": across, "x": f"{across:.2f}%"})
    return {**plot, "marks": marks, "bottom": COURSE_HEIGHT + 6}


def _place(moment: float, ends: Sequence[float]) -> float:
    """Where a moment lies among the points of the course; -0.5 for before the first."""
    if moment < ends[0]:
        return -0.5
    for place, (begin, end) in enumerate(pairwise(ends)):
        if moment < end:
            return place + (moment - begin) / (end - begin)
    return float(len(ends) - 1)
