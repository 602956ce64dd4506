"""Labels that are likely wrong: how many, three lists with the reason of each, and the way back into the queue."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import LEADS, Action
from core.choices import Doubt, JobState
from core.exceptions import DomainError
from core.models import ErrorSearch, Item, LabelError, Membership, Project
from core.selectors.display import excerpt_of
from core.selectors.health import worker_seen
from core.selectors.label_error import (
    error_documents,
    errors_of,
    last_look,
    last_search,
    search_document,
)
from core.selectors.progress import changes_of
from core.selectors.question import schema_of
from core.selectors.relabel import Skipped
from core.selectors.selection import learnable
from core.services.label_error import send_errors, start_search
from core.services.relabel import Sent
from core.templatetags.figure_words import reason
from core.web.access import project_view
from core.web.forms.relabel import RelabelForm
from core.web.pages import project_page

Json = dict[str, Any]

PAGE = 50
SECTION = "label_errors"
UNFINISHED = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING})
SURE = 0.995
FEWEST_TO_TELL = 200  # as in numerics.label_errors

TITLES = {
    Doubt.CONFIDENCE: gettext_lazy("A model doubts"),
    Doubt.DUPLICATE: gettext_lazy("Near-duplicates"),
    Doubt.CONSENSUS: gettext_lazy("People differ"),
}
ABOUT = {
    Doubt.CONFIDENCE: gettext_lazy(
        "A model was trained on the other labels only, five times, each time without a fifth of them. Here are the "
        "labels of which it says another class, the surest first."
    ),
    Doubt.DUPLICATE: gettext_lazy(
        "Two items that are nearly the same have different labels, so that one of them is likely wrong."
    ),
    Doubt.CONSENSUS: gettext_lazy(
        "Several people have answered and do not agree, so that the label is not sure. The most even come first."
    ),
}
NOTHING = {
    Doubt.CONFIDENCE: gettext_lazy("There is no label of which a model says another class."),
    Doubt.DUPLICATE: gettext_lazy("No two items that are nearly the same have different labels."),
    Doubt.CONSENSUS: gettext_lazy("There is no item on which people differ so that the label is not sure."),
}
UNJUDGED = gettext_lazy(
    "No model was trained, because there are too few labels: it takes 50, and five of each of two classes."
)
REASONS = {
    Doubt.CONFIDENCE: gettext_lazy("Likely wrong: a model that did not see the label says another class"),
    Doubt.DUPLICATE: gettext_lazy("Likely wrong: a near-duplicate has another label"),
    Doubt.CONSENSUS: gettext_lazy("Not sure: people differ"),
}
SKIPPED = {
    Skipped.NOT_HERE: gettext_lazy("gone"),
    Skipped.NOT_OPEN: gettext_lazy("withdrawn or with the lead"),
    Skipped.NOT_ANSWERED: gettext_lazy("not answered yet"),
    Skipped.WAITS_ALREADY: gettext_lazy("in the queue already"),
    Skipped.NOBODY_LEFT: gettext_lazy("nobody is left who has not answered"),
}


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The newest look: how many labels are likely wrong, and one of the three lists, fifty at a time."""
    if request.GET.get("part") == "job":
        return _job(request, membership)
    return _page(request, membership, RelabelForm(initial={"reason": REASONS[_doubt(request.GET)]}))


def _job(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The look under way, asked again every second; at its end the page reloads."""
    job = last_look(membership.project)
    context = {"project": membership.project, "job": job, "worker_missing": not worker_seen()[0]}
    response = render(request, "core/label_error/_job.html", context)
    if job is None or job.state not in UNFINISHED:
        response["HX-Refresh"] = "true"
    return response


def _page(
    request: HttpRequest, membership: Membership, form: RelabelForm, *, status: int = 200
) -> HttpResponse:
    project, doubt = membership.project, _doubt(request.POST or request.GET)
    questions = [spec for spec in schema_of(project).questions if learnable(spec)]
    search, job = last_search(project), last_look(project)
    failed = job is not None and job.state == JobState.FAILED
    context: Json = {
        "questions": questions,
        "search": search,
        "job": job if job is not None and job.state in UNFINISHED else None,
        "error": job.error if failed and job is not None else None,
        "may_edit": membership.role in LEADS,
        "form": form,
    }
    if search is not None:
        context |= _found(request, membership, search, doubt)
    return project_page(request, membership, SECTION, "core/label_error/page.html", context, status=status)


def _found(request: HttpRequest, membership: Membership, search: ErrorSearch, doubt: Doubt) -> Json:
    report = search_document(search)
    sizes = report["lists"]
    after = _number(request.GET.get("after", ""))
    page = list(errors_of(search, doubt).filter(rank__gt=after)[: PAGE + 1])
    rows = page[:PAGE]
    query = f"?doubt={doubt}"
    title, lead = headline(report)
    has_list = doubt != Doubt.CONFIDENCE or n_judged(report) > 0
    return {
        "report": report,
        "title": title,
        "lead": lead,
        "doubt": doubt,
        "about": ABOUT[doubt] if has_list else UNJUDGED,
        "nothing": NOTHING[doubt] if has_list else "",
        "n_judged": n_judged(report),
        "tabs": [{"key": one, "title": TITLES[one], "n": sizes[one]} for one in Doubt],
        "rows": _rows(membership, search, rows),
        "total": sizes[doubt],
        "previous_url": query if after else None,
        "next_url": f"{query}&after={rows[-1].rank}" if len(page) > PAGE else None,
        "new_answers": changes_of(membership.project) - search.changes,
        "classes": [row for row in report["classes"] if row["expected"]["value"] is not None],
        "api_url": f"{reverse('api:label-errors', args=[membership.project.slug])}?doubt={doubt}",
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0  # noqa: PLR2004 -- ranks are shorter


def _doubt(query: Mapping[str, Any]) -> Doubt:
    asked = query.get("doubt")
    return Doubt(asked) if asked in Doubt.values else Doubt.CONFIDENCE


def _rows(reader: Membership, search: ErrorSearch, rows: Sequence[LabelError]) -> list[Json]:
    """Rows with the items' texts and why, in words."""
    told = error_documents(reader, search, rows)
    return [
        {
            **document,
            "key": row.item_id,
            "text": excerpt_of(reader.project, row.item),
            "other_key": row.other_id,
            "other_text": _text(reader.project, row.other),
            "why": why(document),
        }
        for row, document in zip(rows, told, strict=True)
    ]


def _text(project: Project, item: Item | None) -> str:
    return "" if item is None else excerpt_of(project, item)


# --- In words -----------------------------------------------------------------------------------------


def headline(report: Json) -> tuple[str, str]:
    """How many labels the model doubts, what share is likely wrong where that can be told, and where to begin."""
    share, judged = report["expected"], n_judged(report)
    numbers = {"n": f"{judged:,}", "doubted": f"{report['n_doubted']:,}"}
    if not judged:
        return _("How many labels are wrong cannot be told yet"), _(
            "No model could be trained: it takes 50 labels, and five of each of two classes. %(n)s were looked at; the "
            "holdout's are not."
        ) % {"n": f"{report['n_labels']:,}"}
    doubted = _("A model doubts %(doubted)s of %(n)s labels") % numbers
    if share["value"] is None:
        return doubted, _("How many of them are wrong cannot be told yet: %(why)s.") % {
            "why": _unknown(share)
        }
    first = min(round(share["value"] * judged), report["lists"][Doubt.CONFIDENCE])
    if not first:
        return _("Hardly any of %(n)s labels is likely wrong") % numbers, ""
    low, high = share["ci"] or (share["value"], share["value"])
    numbers |= {"share": _percent(share["value"]), "low": _percent(low), "high": _percent(high)}
    title = _(
        "A model doubts %(doubted)s of %(n)s labels; about %(share)s %% (%(low)s to %(high)s %%) are likely wrong"
    )
    begin = ngettext("The first one is worth looking at.", "The first %(first)s are worth looking at.", first)
    about = _(
        "The share is an estimate by a model that never saw the label that it judges. Send back what is in doubt: "
        "somebody else answers, earlier answers stay, and the label follows from all of them."
    )
    return title % numbers, f"{begin % {'first': f'{first:,}'}} {about}"


def n_judged(report: Json) -> int:
    """How many labels a model that had not seen them could judge."""
    return int(report["n_labels"] - report["n_unjudged"])


def _unknown(share: Json) -> str:
    """Why the share of wrong labels is not told."""
    if share["reason"] == "too_few_items":
        return _("it takes %(n)s labels that a model can judge") % {"n": FEWEST_TO_TELL}
    return reason(share)


def _percent(share: float) -> str:
    """A share as a whole number, or with one digit where that says nothing."""
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 9.5 or percent < 0.05 else f"{percent:.1f}".removesuffix(".0")  # noqa: PLR2004 -- two digits


def why(row: Json) -> str:
    """Why a label is in doubt, in a sentence; the same is kept with the item when it is sent back."""
    if row["held"]:
        return ""
    if row["doubt"] == Doubt.CONFIDENCE:
        return _("Labeled “%(given)s”; the model says “%(likely)s” (rank %(rank)s).") % row
    if row["doubt"] == Doubt.DUPLICATE:
        return _("Labeled “%(given)s”; the near-duplicate is “%(likely)s”.") % row
    return _("%(votes)s. The label “%(given)s” is %(share)s %% sure.") % {
        "votes": said(row["votes"]),
        "given": row["given"],
        "share": round(100 * min(row["score"], SURE)),
    }


def said(votes: Sequence[Json]) -> str:
    """Who said what: yes (2), no (1)."""
    return ", ".join(f"{vote['class']} ({vote['n']})" for vote in votes)


# --- What can be done ---------------------------------------------------------------------------------


@require_POST
@project_view(Action.ITEMS_EDIT)
def find(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Look for wrong labels now."""
    try:
        start_search(membership, request.POST.get("question") or None)
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect("label_errors", membership.project.slug)


@require_POST
@project_view(Action.ITEMS_EDIT)
def send(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Send ticked items, or all that are shown, back to be labeled again."""
    form, doubt = RelabelForm(request.POST), _doubt(request.POST)
    names = request.POST.getlist("shown" if request.POST.get("do") == "shown" else "item")
    wanted = [number for number in map(_key, names) if number]
    if form.is_valid() and not wanted:
        form.add_error(None, _("Tick the items that are to be labeled again."))
    if not form.is_valid():
        return _page(request, membership, form, status=422)
    try:
        sent = send_errors(
            membership, doubt, wanted, form.cleaned_data["reason"], words=_words(membership, doubt, wanted)
        )
    except DomainError as error:
        form.add_error(None, error.detail)
        return _page(request, membership, form, status=422)
    _tell(request, sent)
    return redirect(f"{reverse('label_errors', args=[membership.project.slug])}?doubt={doubt}")


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 -- fits the column


def _words(membership: Membership, doubt: Doubt, items: Sequence[int]) -> dict[int, str]:
    search = last_search(membership.project)
    if search is None:
        return {}
    rows = list(errors_of(search, doubt).filter(item__in=items))
    told = error_documents(membership, search, rows)
    return {row.item_id: why(document) for row, document in zip(rows, told, strict=True)}


def _tell(request: HttpRequest, sent: Sent) -> None:
    if sent.sent:
        words = ngettext(
            "%(n)s item is in front of the queue again.",
            "%(n)s items are in front of the queue again.",
            len(sent.sent),
        )
        messages.success(request, words % {"n": f"{len(sent.sent):,}"})
    if sent.skipped:
        counts = Counter(sent.skipped.values())
        reasons = ", ".join(f"{n:,} {SKIPPED[code]}" for code, n in sorted(counts.items()))
        messages.warning(request, _("Not sent: %(reasons)s.") % {"reasons": reasons})
