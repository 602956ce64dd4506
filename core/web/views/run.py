"""Models: every run, several side by side on the holdout, one in full, and training one now."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import LEADS, Action
from core.choices import JobKind, JobState, RunKind
from core.exceptions import DomainError, Missing
from core.models import Job, Membership, Run
from core.pipelines.run import model_archive
from core.pipelines.run_report import runs_on_holdout
from core.selectors.health import worker_seen
from core.selectors.job import jobs_of, unfinished_jobs
from core.selectors.question import QuestionSpec
from core.selectors.run import run_documents, run_of, runs_of
from core.selectors.selection import learnable_questions
from core.selectors.selection_report import latest_job
from core.services.job import request_cancel
from core.services.run import WEAK_KINDS, start_training
from core.services.spreading import start_spreading
from core.templatetags.charts import DASH
from core.web import selection_words as words
from core.web.access import project_view
from core.web.pages import project_page
from core.web.views.suggestion import section as suggestions_of

Json = dict[str, Any]
SECTION = "models"
MOST_RUNS = 50
MOST_COMPARED = 6
MOST_CLASSES = 12  # of a confusion matrix
MOST_ROWS = 100
MOST_JOBS = 5
JOBS = {
    JobKind.TRAIN: (gettext_lazy("A model is being trained"), "model_train"),
    JobKind.SPREAD: (gettext_lazy("Labels are being spread to near neighbours"), "model_spread"),
}
UNFINISHED = {JobState.QUEUED, JobState.RUNNING, JobState.WAITING}


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """All runs, newest first, with their figures on the holdout of today; the ticked ones side by side.

    With ``part=job`` only the card of the ``job`` under way.
    """
    if request.GET.get("part") == "job":
        return _job(request, membership)
    project = membership.project
    questions = learnable_questions(project)
    runs = list(runs_of(project.pk)[:MOST_RUNS])
    chosen = _chosen(request, runs)
    question = _question(request, questions, chosen)
    context: Json = {
        "questions": questions,
        "question": question,
        "may_edit": membership.role in LEADS,
        "rows": _rows(membership, runs, question, chosen),
        "jobs": _under_way(membership),
        "ended": _all_ended(membership),
        "more": len(runs) == MOST_RUNS,
        "headline": _headline(runs),
        "most": MOST_COMPARED,
    }
    if question is not None and len(chosen) > 1:
        context |= _side_by_side(membership, question, chosen)
    return project_page(request, membership, SECTION, "core/run/page.html", context)


def _chosen(request: HttpRequest, runs: Sequence[Run]) -> list[Run]:
    """The ticked runs, oldest first."""
    asked = set(request.GET.getlist("run"))
    return [run for run in reversed(runs) if str(run.pk) in asked][:MOST_COMPARED]


def _question(
    request: HttpRequest, questions: Sequence[QuestionSpec], chosen: Sequence[Run]
) -> QuestionSpec | None:
    """The question of the address, else that of the ticked runs, else the first."""
    key = request.GET.get("question")
    of_runs = {run.question_id for run in chosen}
    asked = (spec for spec in questions if spec.key == key)
    theirs = (spec for spec in questions if spec.id in of_runs)
    return next(asked, None) or next(theirs, None) or next(iter(questions), None)


def _headline(runs: Sequence[Run]) -> str:
    trained = sum(run.kind == RunKind.TRAINED for run in runs)
    if not runs:
        return _("There is no model yet")
    if not trained:
        return _("No model was trained here yet")
    newest = next(run for run in runs if run.kind == RunKind.TRAINED)
    weak = (newest.metrics or {}).get("weak", 0)
    numbers = {"name": newest.name, "n": f"{newest.n_labels:,}", "weak": f"{weak:,}"}
    if weak:
        return (
            _("The newest model, %(name)s, learnt from %(n)s labels of people and %(weak)s of no person")
            % numbers
        )
    return _("The newest model, %(name)s, learnt from %(n)s labels") % numbers


def _rows(
    membership: Membership, runs: Sequence[Run], question: QuestionSpec | None, chosen: Sequence[Run]
) -> list[Json]:
    found = (
        {}
        if question is None
        else {row["run"]: row for row in runs_on_holdout(membership.project, question, runs)}
    )
    return [
        {
            "run": run,
            "kind": words.RUN_KINDS.get(run.kind, run.kind),
            "figures": found.get(run.pk) if found.get(run.pk, {}).get("n") else None,
            "ticked": run in chosen,
        }
        for run in runs
    ]


def _under_way(membership: Membership) -> list[Json]:
    """What trains or spreads just now."""
    jobs = unfinished_jobs(membership.project_id).filter(kind__in=list(JOBS)).reverse()
    return [_card(membership, job) for job in jobs[:MOST_JOBS]]


def _card(membership: Membership, job: Job) -> Json:
    """What the card of a job needs besides what the page has."""
    title, address = JOBS[JobKind(job.kind)]
    slug = membership.project.slug
    cancel_url = f"{reverse(address, args=[slug])}?cancel={job.pk}" if membership.role in LEADS else ""
    poll_url = f"{reverse('models', args=[slug])}?part=job&job={job.pk}"
    return {"job": job, "title": title, "cancel_url": cancel_url, "poll_url": poll_url}


def _job(request: HttpRequest, membership: Membership) -> HttpResponse:
    """One job under way, asked again every second; at its end the page reloads."""
    job = _job_named(membership, request.GET.get("job", ""), list(JOBS))
    context = {
        "project": membership.project,
        "one": _card(membership, job),
        "worker_missing": membership.role in LEADS and not worker_seen()[0],
    }
    response = render(request, "core/run/_job.html", context)
    if job.state not in UNFINISHED:
        response["HX-Refresh"] = "true"
    return response


def _job_named(membership: Membership, text: str, kinds: Sequence[JobKind]) -> Job:
    """The project's job with this number. Raises Missing."""
    try:
        number = UUID(text)
    except ValueError:
        raise Missing from None
    job = jobs_of(membership.project_id).filter(pk=number, kind__in=kinds).first()
    if job is None:
        raise Missing
    return job


def _all_ended(membership: Membership) -> list[str]:
    """What became of the last ones, in words."""
    told = []
    for kind in JOBS:
        job = latest_job(membership.project, kind)
        if job is not None and (said := _ended(kind, job)):
            told.append(said)
    return told


def _ended(kind: JobKind, job: Job) -> str:
    """What became of the last one, where that is not a run in the list."""
    if job.state == JobState.FAILED and job.error:
        said = (
            _("The last training failed: %s") if kind == JobKind.TRAIN else _("The last spreading failed: %s")
        )
        return said % str(job.error["detail"])
    if kind == JobKind.SPREAD and job.state == JobState.DONE and job.result and not job.result.get("offered"):
        return words.not_offered(job.result)
    return ""


def _side_by_side(membership: Membership, question: QuestionSpec, chosen: Sequence[Run]) -> Json:
    """The ticked runs in columns, on the items of the holdout of which all of them say something."""
    documents = run_documents(chosen)
    found = runs_on_holdout(membership.project, question, chosen, together=True)
    names = [run.name for run in chosen]
    facts = (
        (_("Labels learnt from"), [f"{run.n_labels:,}" for run in chosen]),
        (_("Features"), [one["features"] or DASH for one in documents]),
        (_("Seed"), [DASH if run.seed is None else run.seed for run in chosen]),
        (_("Code"), [run.code_version or DASH for run in chosen]),
        (_("Hash of the labels"), [run.labels_digest[:12] or DASH for run in chosen]),
    )
    certain = [spec.name for spec in question.classes if not spec.uncertain]
    return {
        "compared": [
            {"name": run.name, "figure": one["accuracy"]} for run, one in zip(chosen, found, strict=True)
        ],
        "compared_f1": [
            {"name": run.name, "figure": one["macro_f1"]} for run, one in zip(chosen, found, strict=True)
        ],
        "differences": [
            {
                "name": _("%(name)s against %(first)s") % {"name": run.name, "first": names[0]},
                "figure": one["difference"],
            }
            for run, one in zip(chosen[1:], found[1:], strict=True)
        ],
        "names": names,
        "n_compared": found[0]["n"],
        "facts": facts,
        "by_class": [
            {"name": name, "figures": [one["per_class"][code]["f1"] for one in found]}
            for code, name in enumerate(certain[:MOST_ROWS])
        ],
    }


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def one(request: HttpRequest, membership: Membership, run_id: int) -> HttpResponse:
    """One run: how it was made, how good it is by class, and what it takes for what."""
    project = membership.project
    run = run_of(project.pk, run_id)
    questions = learnable_questions(project)
    document = run_documents([run], details=True)[0]
    keys = [run.question.key] if run.question else [row["question"] for row in document["questions"]]
    question = next((spec for spec in questions if spec.key in keys), None)
    figures = runs_on_holdout(project, question, [run])[0] if question else None
    metrics = run.metrics or {}
    context: Json = {
        "run": run,
        "document": document,
        "kind": words.RUN_KINDS.get(run.kind, run.kind),
        "figures": figures if figures and figures["n"] else None,
        "classes": _classes(question, figures),
        "confusion": _confusion(figures) if figures and figures["n"] else None,
        "parameters": sorted(run.parameters.items()),
        "calibration": metrics.get("calibration"),
        "unseen": metrics.get("unseen", []),
        "naive": (metrics.get("selected_cv") or {}).get("accuracy"),
        "teaches": question if run.kind in WEAK_KINDS and membership.role in LEADS else None,
        "lead": _lead(figures),
        "steps": _steps(membership, run, document, question),
        "rounds": list(run.selections.order_by("number").values_list("number", flat=True)),
        "back_url": reverse("models", args=[project.slug]),
        **suggestions_of(membership, run),
    }
    return project_page(request, membership, SECTION, "core/run/one.html", context)


def _lead(figures: Json | None) -> str:
    if figures is None or figures["accuracy"]["value"] is None:
        return _(
            "How good it is cannot be told yet: it says nothing of items of the holdout that have a label."
        )
    return _("It is right on %(share)s of %(n)s labelled items of the holdout.") % {
        "share": words.spread(figures["accuracy"]),
        "n": f"{figures['n']:,}",
    }


def _steps(
    membership: Membership, run: Run, document: Json, question: QuestionSpec | None
) -> list[dict[str, str]]:
    slug = membership.project.slug
    steps = []
    if document["n_predictions"]:
        keys = {row["question"] for row in document["questions"]}
        key = question.key if question and question.key in keys else document["questions"][0]["question"]
        beside = urlencode({"run": run.pk, "question": key})
        steps.append({"label": _("Beside people"), "url": f"{reverse('hlp', args=[slug])}?{beside}"})
    if document["has_model"]:
        steps.append({"label": _("Download the model"), "url": reverse("model_file", args=[slug, run.pk])})
    return steps


def _classes(question: QuestionSpec | None, figures: Json | None) -> list[Json]:
    """The classes, worst first."""
    if question is None or figures is None or not figures["n"]:
        return []
    colours = {spec.name: spec.colour for spec in question.classes}
    rows = [row for row in figures["per_class"] if row["f1"]["value"] is not None]
    rows.sort(key=lambda row: (row["f1"]["value"], row["class"]))
    return [
        {**row, "name": row["class"], "figure": row["f1"], "colour": colours.get(row["class"])}
        for row in rows[:MOST_ROWS]
    ]


def _confusion(figures: Json) -> Json:
    """What the model says where people say the class of the row: shares of the row, the most frequent classes."""
    cells, names = figures["confusion"], figures["classes"]
    frequent = sorted(range(len(names)), key=lambda code: (-sum(cells[code]), code))[:MOST_CLASSES]
    shown = sorted(frequent)
    rows = []
    for truth in shown:
        n = sum(cells[truth])
        row = [
            {"share": cells[truth][said] / n if n else None, "n": cells[truth][said], "same": truth == said}
            for said in shown
        ]
        rows.append({"name": names[truth], "n": n, "cells": row})
    return {"names": [names[code] for code in shown], "rows": rows, "left_out": len(names) - len(shown)}


# --- What can be done --------------------------------------------------------------------------------


@require_safe
@never_cache
@project_view(Action.LABELS_READ)
def file(request: HttpRequest, membership: Membership, run_id: int) -> HttpResponse:  # noqa: ARG001 -- every view takes it
    """The model as a zip file of plain arrays and JSON."""
    run = run_of(membership.project_id, run_id)
    name = f"{membership.project.slug}-run-{run.pk}.zip"
    return HttpResponse(
        model_archive(run),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@project_view(Action.PROJECT_EDIT)
def train(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Train a model on what is labelled now, with ``weak_run`` also on what that run says; ``cancel``: end that job."""
    if "cancel" in request.GET:
        return _cancelled(request, membership, JobKind.TRAIN)
    asked: Json = {"question": request.POST["question"]} if request.POST.get("question") else {}
    weak_run = request.POST.get("weak_run", "")
    if weak_run:
        asked["weak_run"] = int(weak_run) if _is_number(weak_run) else weak_run
    try:
        start_training(membership, asked)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        _begun(request, _("A model is being trained. It shows here when it is ready."))
    return redirect("models", membership.project.slug)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 -- fits the column


@require_POST
@project_view(Action.PROJECT_EDIT)
def spread(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Spread labels to near neighbours; kept only where that is not worse than training; ``cancel``: end that job."""
    if "cancel" in request.GET:
        return _cancelled(request, membership, JobKind.SPREAD)
    try:
        start_spreading(membership, request.POST.get("question") or None)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        _begun(
            request, _("Labels are being spread, and compared with plain training before they are offered.")
        )
    return redirect("models", membership.project.slug)


def _begun(request: HttpRequest, said: str) -> None:
    """Say that work has begun, or that nobody is there to do it."""
    if worker_seen()[0]:
        messages.success(request, said)
    else:
        messages.warning(request, _("It is queued. It starts by itself as soon as a worker is running."))


def _cancelled(request: HttpRequest, membership: Membership, kind: JobKind) -> HttpResponseBase:
    """End the job that the address names, where it has not ended."""
    job = _job_named(membership, request.GET["cancel"], [kind])
    try:
        job = request_cancel(job.pk)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        ended = job.state == JobState.CANCELLED
        messages.success(
            request,
            _("It is cancelled; nothing of it was kept.") if ended else _("It ends at its next step."),
        )
    return redirect("models", membership.project.slug)
