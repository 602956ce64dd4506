"""What is labeled next, and what it brings: the page on selection, its settings, its rounds and their picks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import LEADS, Action
from core.choices import AuditPart, JobState, Strategy
from core.exceptions import DomainError, Missing
from core.models import ItemVector, Membership, Project
from core.pipelines.selection_report import TABLES, round_document, selection_report, table_csv
from core.selectors.aggregation import items_called
from core.selectors.health import worker_seen
from core.selectors.progress import progress_of
from core.selectors.question import QuestionSpec
from core.selectors.selection import choosing, has_pool, learnable_questions, round_of, rounds_of
from core.services import selection as service
from core.web import selection_words as words
from core.web.access import project_view
from core.web.forms.selection import SelectionForm
from core.web.listing import Listing, Sorts, low_first
from core.web.pages import project_page, tell_form

Json = dict[str, Any]
SECTION = "selection"
NEWEST = 5  # rounds among which the last one in the queue is looked for
SHOWN = 5  # rounds that are not folded away


# --- The page -----------------------------------------------------------------------------------------


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """What waits in the queue, how good the model is, the curve, and the books."""
    return _page(request, membership)


def _page(
    request: HttpRequest, membership: Membership, form: SelectionForm | None = None, status: int = 200
) -> HttpResponse:
    project = membership.project
    questions = learnable_questions(project)
    context: Json = {"questions": questions, "may_edit": membership.role in LEADS}
    if questions:
        if project.selection_on:
            context["worker_missing"] = False  # the page says itself what that means here
        report = selection_report(project, _asked(request, questions))
        context |= _told(membership, report, questions)
        context["form"] = form or SelectionForm(project, questions)
        context["strategies"] = _strategies(context["form"])
    return project_page(request, membership, SECTION, "core/selection/page.html", context, status=status)


def _asked(request: HttpRequest, questions: Sequence[QuestionSpec]) -> str | None:
    """The question of the address, where there is such a one."""
    key = request.GET.get("question")
    return key if any(spec.key == key for spec in questions) else None


def _told(membership: Membership, report: Json, questions: Sequence[QuestionSpec]) -> Json:
    """The report in words and pictures."""
    project = membership.project
    question = next(spec for spec in questions if spec.key == report["question"])
    colours = {spec.name: spec.colour for spec in question.classes}
    model = report["model"]
    standing = _standing(project)
    rounds = [_round_row(membership, row) for row in report["rounds"]]
    return {
        "report": report,
        "as_of": datetime.fromisoformat(report["as_of"]),
        "question": question,
        "headline": words.headline(report, standing),
        "lead": words.lead(report, standing),
        "steps": _steps(membership, report, standing),
        "nothing_left": not standing.items or (standing.everything and not has_pool(project)),
        "model": model,
        "macro_over": words.macro_over(model) if model else "",
        "features": _features(project),
        "stream_note": _stream_note(project, report, standing),
        "curves": words.curves(report),
        "saved": words.saved(report),
        "saved_how": words.saved_how(report),
        "stop": words.stop(report),
        "naive": words.naive(report),
        "naive_rows": words.naive_rows(report),
        "classes": [
            {**row, "name": row["class"], "figure": row["f1"], "colour": colours.get(row["class"])}
            for row in report["hard"]["classes"]
        ],
        "rounds": rounds,
        "books": [("", rounds[:SHOWN]), (_older(rounds[SHOWN:]), rounds[SHOWN:])],
        "query": urlencode({"question": report["question"]}),
        **_state(membership, report["question"]),
        "api_url": f"{reverse('api:selection-report', args=[project.slug])}?"
        + urlencode({"question": report["question"]}),
    }


def _standing(project: Project) -> words.Standing:
    done = progress_of(project.pk)
    return words.Standing(
        items=project.items.exists(),
        everything=0 < done.items <= done.items_done,
        sliced=project.audit_fraction > 0,
    )


def _features(project: Project) -> str:
    """What models read of an item, once there are features."""
    spec = project.feature_sets.values_list("spec", flat=True).first()
    if spec is None:
        return ""
    n_vectors = 0 if spec.get("n_vector") else ItemVector.objects.filter(item__project=project).count()
    return words.features(spec, n_vectors, progress_of(project.pk).items if n_vectors else 0)


def _stream_note(project: Project, report: Json, standing: words.Standing) -> str:
    """That no item of the audit stream is left to be drawn, or that there never was one."""
    if report["stream_left"] != 0:
        return ""
    if project.items.filter(audit=AuditPart.STREAM).exists():
        return _(
            "The audit stream is spent: random items come from all that are left, and estimates rest on the labels "
            "taken before."
        )
    return words.no_slice(standing)


def _older(rounds: Sequence[Json]) -> str:
    return ngettext("%(n)s older round", "%(n)s older rounds", len(rounds)) % {"n": len(rounds)}


def _state(membership: Membership, key: str, since: int | None = None) -> Json:
    """What the part of the page that asks again by itself says: a round is being made, failed, or is new."""
    project = membership.project
    job = choosing(project)
    newest = list(rounds_of(project)[:NEWEST])
    number = next((one.number for one in newest if one.applied_at is not None), 0)
    last = newest[0].job if newest else None
    shown = number if since is None else since
    slug = project.slug
    leads = membership.role in LEADS
    error = last.error if last is not None and last.state == JobState.FAILED else None
    alive = worker_seen()[0]
    return {
        "job": job,
        "newest": number,
        "fresh": number > shown,
        "error": error,
        "empty": error is not None and error.get("code") == "no-items" and not project.items.exists(),
        "import_url": reverse("import_new", args=[slug]) if leads else "",
        "alive": alive,
        "no_worker": "" if alive else words.no_worker(waits=job is not None),
        "on": project.selection_on,
        "newer_url": f"{reverse('selection_newer', args=[slug])}?"
        + urlencode({"question": key, "since": shown}),
        "show_url": f"{reverse('selection', args=[slug])}?{urlencode({'question': key})}",
        "cancel_url": reverse("selection_cancel", args=[slug]) if leads else "",
    }


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def newer(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Whether a newer round is there: a part of the page that asks again by itself."""
    since = request.GET.get("since", "")
    number = int(since) if since.isascii() and since.isdigit() and len(since) < 9 else 0  # noqa: PLR2004 -- of the column's kind
    context = {
        **_state(membership, request.GET.get("question", "")[:60], number),
        "project": membership.project,
    }
    return render(request, "core/selection/_newer.html", context)


def _steps(membership: Membership, report: Json, standing: words.Standing) -> list[dict[str, str]]:
    """At most three things to do next; what this reader may not do is left out."""
    slug = membership.project.slug
    leads = membership.role in LEADS
    model, holdout = report["model"], report["holdout"]
    steps = []
    if leads and not standing.items:
        steps.append((_("Import items"), reverse("import_new", args=[slug])))
    if standing.everything:
        steps.append((_("Export the labels"), reverse("labels", args=[slug])))
    elif leads and not report["on"] and report["rounds"]:
        steps.append((_("Switch selection on"), "#settings"))
    if report["on"] and sum(report["waiting"].values()):
        steps.append((_("Label what waits"), reverse("label", args=[slug])))
    if model is not None:
        if words.stops(report) and not standing.everything:
            steps.append((_("More labels hardly pay: export the labels"), reverse("labels", args=[slug])))
        if holdout["labelled"]:
            beside = urlencode({"run": model["run"], "question": report["question"]})
            steps.append((_("Compare the model with people"), f"{reverse('hlp', args=[slug])}?{beside}"))
        steps.append((_("Look for labels that are likely wrong"), reverse("label_errors", args=[slug])))
    return [{"label": label, "url": url} for label, url in steps[:3]]


def _strategies(form: SelectionForm) -> Json:
    """The strategies with what was measured of them, those for experts apart."""
    chosen = form["strategy"].value()
    rows = [
        {
            "value": strategy.value,
            "label": strategy.label,
            "about": said.about,
            "measured": words.measured(said),
            "warning": said.warning,
            "chosen": strategy.value == chosen,
            "default": strategy == Strategy.HYBRID,
        }
        for strategy, said in words.STRATEGIES.items()
    ]
    experts = [row for row in rows if row["warning"]]
    return {
        "usual": [row for row in rows if not row["warning"]],
        "experts": experts,
        "expert_chosen": any(row["chosen"] for row in experts),
    }


def _round_row(membership: Membership, row: Json) -> Json:
    return {
        **row,
        "url": reverse("selection_round", args=[membership.project.slug, row["number"]]),
        "by": words.USED.get(row["used"] or row["strategy"], row["used"]),
        "run_url": reverse("model", args=[membership.project.slug, row["run"]]) if row["run"] else "",
        "state_word": JobState(row["state"]).label if row["state"] else "",
        "total_seconds": sum(row["seconds"].values()) if row["seconds"] else None,
        "at_random": sum(row["streams"].values()) - row["streams"].get("selected", 0),
    }


# --- What a lead does ---------------------------------------------------------------------------------


@require_POST
@project_view(Action.PROJECT_EDIT)
def settings(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Switch selection on or off (``do``), or change how it chooses."""
    project = membership.project
    do = request.POST.get("do")
    if do == "off":
        said = _("Selection is off. Items are handed out at random; what was chosen goes back to its place.")
        return _done(request, membership, partial(service.switch, membership, on=False), said)
    form = SelectionForm(project, learnable_questions(project), request.POST)
    if not form.is_valid():
        return _page(request, membership, form, status=422)
    try:
        service.switch(membership, on=do == "on" or project.selection_on, **form.changes())
    except DomainError as error:
        tell_form(form, error)
        return _page(request, membership, form, status=422)
    messages.success(request, _on(project) if do == "on" else _("Saved. It holds from the next round on."))
    return redirect("selection", project.slug)


def _on(project: Project) -> str:
    """What happens now that it is on: nothing is promised that no worker is there to do."""
    if not project.items.exists():
        return _("Selection is on. There are no items yet: import some, and the first ones are chosen.")
    if not worker_seen()[0]:
        return _("Selection is on. Until there is a worker, items come at random.")
    return _("Selection is on. The first items are being chosen; until then items come at random.")


@require_POST
@project_view(Action.PROJECT_EDIT)
def now(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Choose now, whatever has changed."""
    alive = worker_seen()[0]
    said = (
        _("The next items are being chosen.") if alive else _("A round is asked for: it waits for a worker.")
    )
    return _done(request, membership, partial(service.choose_now, membership), said)


@require_POST
@project_view(Action.PROJECT_EDIT)
def cancel(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """End the round that is being made; the queue stays as it is."""
    said = _("The round is being cancelled. The queue stays as it is.")
    return _done(request, membership, partial(service.cancel, membership), said)


def _done(
    request: HttpRequest, membership: Membership, change: Callable[[], object], said: str
) -> HttpResponse:
    """Do it, say so or why not, and show the page again."""
    try:
        change()
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, said)
    return redirect("selection", membership.project.slug)


# --- The books ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    """One round of the address, for the list of its picks."""

    request: HttpRequest
    membership: Membership
    number: int

    @property
    def chosen(self) -> dict[str, str]:
        """The choices as parameters of an address: none."""
        return {}

    def address(self, name: str, *args: str, **more: Any) -> str:
        """Another address of the list."""
        query = {key: value for key, value in more.items() if value is not None}
        return f"{reverse(name, args=[self.membership.project.slug, self.number, *args])}?{urlencode(query)}"


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def one(request: HttpRequest, membership: Membership, number: int) -> HttpResponse:
    """One round: how it was made, and every pick with its stream, probability, score and reason."""
    project = membership.project
    told = round_document(round_of(project, number), membership)
    keys = items_called(membership, {row["item"] for row in told["picks"]})
    rows = [_pick_row(row, keys.get(row["item"])) for row in told["picks"]]
    sorts: Sorts = {
        "order": lambda row: row["order"],
        "score": lambda row: low_first(None if row["score"] is None else -row["score"]),
        "item": lambda row: row["item"],
        "stream": lambda row: (row["stream"], row["order"]),
    }
    page = Round(request, membership, number)
    listing = Listing(
        page,
        "selection_round",
        rows,
        sorts=sorts,
        default="order",
        text_of=lambda row: f"{row['item']} {row['stream_word']} {row['why']}",
    )
    context = {
        **listing.context,
        "round": _round_row(membership, told),
        "stages": [(words.STAGES.get(name, name), value) for name, value in told["seconds"].items()],
        "streams": [(words.STREAMS.get(name, name), n) for name, n in told["streams"].items() if n],
        "score_words": words.SCORES.get(told["used"], ""),
        "words": ngettext("%(n)s pick", "%(n)s picks", len(rows)) % {"n": f"{len(rows):,}"},
        "back_url": reverse("selection", args=[project.slug]),
    }
    return project_page(request, membership, SECTION, "core/selection/round.html", context)


def _pick_row(row: Json, key: int | None) -> Json:
    return {
        **row,
        "key": key,
        "stream_word": words.STREAMS.get(row["stream"], row["stream"]),
        "why": "" if row["reason"] is None else words.pick_reason(row["stream"], row["reason"]),
    }


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def table(request: HttpRequest, membership: Membership, name: str) -> StreamingHttpResponse:
    """One table of the report as CSV."""
    project = membership.project
    questions = learnable_questions(project)
    if name not in TABLES or not questions:
        raise Missing
    report = selection_report(project, _asked(request, questions))
    return StreamingHttpResponse(
        table_csv(report, name),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{project.slug}-selection-{name}.csv"'},
    )
