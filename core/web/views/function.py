"""Labeling functions: the list with what each is worth, a form with a live preview, labels for all items."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import LEADS, Action
from core.choices import FunctionKind, JobState
from core.exceptions import Conflict, Invalid, Missing
from core.models import Job, LabelingFunction, Membership
from core.pipelines.function import (
    KINDS,
    apply_functions,
    question_to_vote_on,
    save_function,
)
from core.pipelines.function import preview as try_out
from core.pipelines.function_report import function_report
from core.selectors.aggregation import items_called
from core.selectors.function import (
    applying,
    class_voted_for,
    field_names,
    function_of,
    functions_of,
    last_applied,
    meta_keys,
    voting_runs,
)
from core.selectors.health import worker_seen
from core.selectors.question import QuestionSpec, schema_of
from core.services.function import remove_function
from core.services.job import request_cancel
from core.templatetags.charts import percent
from core.web.access import project_view
from core.web.agreement_words import spread
from core.web.forms.function import FunctionForm, written
from core.web.pages import project_page

Json = dict[str, Any]

SECTION = "functions"
MOST_SHOWN = 20  # pairs
MOST_WORDS = 5
MOST_ADVICE = 3
MOST_RUNS = 100
REFERENCES = {
    "gold": gettext_lazy("gold"),
    "audit": gettext_lazy("people's labels of the audit slice"),
    "labels": gettext_lazy("people's labels of all labelled items"),
}
KIND_WORDS = [
    (FunctionKind.KEYWORDS, gettext_lazy("Keywords")),
    (FunctionKind.PATTERN, gettext_lazy("Regular expression")),
    (FunctionKind.META, gettext_lazy("Metadata")),
    (FunctionKind.RUN, gettext_lazy("Predictions of a run")),
]


def _questions(membership: Membership) -> list[QuestionSpec]:
    return [spec for spec in schema_of(membership.project).questions if spec.kind in KINDS]


def _question(membership: Membership, key: str | None) -> QuestionSpec:
    """The question of this key, else the first that can be voted on. Raises Invalid, Missing."""
    possible = _questions(membership)
    if not possible:
        raise Missing
    return question_to_vote_on(membership.project, key or possible[0].key)


# --- The list -----------------------------------------------------------------------------------------


@never_cache
@require_safe
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Every function with its figures, conflicts, the label model beside majority; ``part=job``: only the job."""
    if request.GET.get("part") == "job":
        return render(request, "core/function/_job.html", _job_context(membership))
    questions = _questions(membership)
    context: Json = {"questions": questions if len(questions) > 1 else []}
    if questions:
        question = _question(membership, request.GET.get("question"))
        context |= {"question": question, **_job_context(membership), **_listed(membership, question)}
    return project_page(request, membership, SECTION, "core/function/page.html", context)


def _job_context(membership: Membership) -> Json:
    job = last_applied(membership.project_id)
    shown = {
        "project": membership.project,
        "job": job,
        "worker_missing": membership.role in LEADS and not worker_seen()[0],
        "may_edit": membership.role in LEADS,
    }
    if job is None:
        return shown
    result = job.result or {}
    return {
        **shown,
        "job_detail": _job_detail(job),
        "run_url": reverse("model", args=[membership.project.slug, result["run"]]) if "run" in result else "",
    }


def _job_detail(job: Job) -> str:
    if job.state == JobState.DONE:
        n = (job.result or {}).get("n_predictions", 0)
        return (
            ngettext("%s item has a label by functions.", "%s items have a label by functions.", n) % f"{n:,}"
        )
    if job.state == JobState.CANCELLED:
        return _("It was cancelled; nothing of it was kept.")
    return ""


def _listed(membership: Membership, question: QuestionSpec) -> Json:
    functions = [one for one in functions_of(membership.project_id) if one.question_id == question.id]
    if not functions:
        return {"functions": []}
    report = function_report(membership.project, question.key)
    figures = {row["id"]: row for row in report["functions"]}
    colours = {spec.name: spec.colour for spec in question.classes}
    names = {one.pk: one.name for one in functions}
    rows = [
        {
            "function": one,
            "says": in_words(one),
            "figures": figures.get(one.pk),
            "classes": [
                {"name": name, "colour": colours[name]} for name in _classes(one, figures.get(one.pk))
            ],
        }
        for one in functions
    ]
    pairs = report["pairs"][:MOST_SHOWN]
    keys = items_called(membership, {item for pair in pairs for item in pair["items"]})
    return {
        "functions": rows,
        "report": report,
        "headline": _headline(report),
        "lead": _lead(report),
        "meta": _meta(report),
        "advice": [_advice(row, names) for row in report["advice"][:MOST_ADVICE]],
        "pairs": [
            {
                **pair,
                "a": names[pair["a"]],
                "b": names[pair["b"]],
                "items": [{"name": item, "key": keys.get(item)} for item in pair["items"]],
            }
            for pair in pairs
        ],
        "more_pairs": len(report["pairs"]) - len(pairs) + report["cut"]["pairs"],
        "reference": REFERENCES.get(report["reference"]["from"] or ""),
        "api_url": f"{reverse('api:functions-report', args=[membership.project.slug])}?question={question.key}",
    }


def _classes(function: LabelingFunction, figures: Json | None) -> list[str]:
    own = class_voted_for(function)
    if own is not None:
        return [own]
    return [] if figures is None else list(figures["classes"])


def _quoted(words: list[str]) -> str:
    """The first of some words."""
    shown, more = ", ".join(f"“{word}”" for word in words[:MOST_WORDS]), len(words) - MOST_WORDS
    return shown if more <= 0 else _("%(words)s and %(n)d more") % {"words": shown, "n": more}


def in_words(function: LabelingFunction) -> str:
    """What a function looks for, in a line."""
    said = function.arguments
    if function.kind == FunctionKind.KEYWORDS:
        words = (_("all of %s") if said["every"] else _("any of %s")) % _quoted(said["words"])
        return (
            _("%(words)s, and any of %(also)s") % {"words": words, "also": _quoted(said["also"])}
            if said["also"]
            else words
        )
    if function.kind == FunctionKind.PATTERN:
        return f"/{said['pattern']}/"
    if function.kind == FunctionKind.META:
        return " ".join(part for part in (said["key"], said["operator"], written(said["value"])) if part)
    if said["above"] is None:
        words = _("predictions of run %(run)d")
        return words % {"run": said["run"]}
    return _("predictions of run %(run)d above %(above)s") % {
        "run": said["run"],
        "above": percent(said["above"]),
    }


def _headline(report: Json) -> str:
    n = len(report["functions"])
    if not n:
        return _("No function is switched on.")
    words = ngettext(
        "%(n)d function votes on %(coverage)s of the items.",
        "%(n)d functions vote on %(coverage)s of the items; on %(conflict)s they differ.",
        n,
    )
    return words % {
        "n": n,
        "coverage": percent(report["coverage"]["value"]),
        "conflict": percent(report["conflict"]["value"]),
    }


def _lead(report: Json) -> str:
    """Whether weighing the functions pays."""
    told = report["label_model"]
    if told["difference"]["value"] is None:
        return _(
            "Nothing is known yet to judge them by: label some items of the audit slice, or import gold."
        )
    figures = {
        "model": spread(told["label_model"], shares=True),
        "majority": spread(told["majority"], shares=True),
    }
    if told["chosen"] == "majority":
        words = _(
            "Where they vote, the label model is right on %(model)s and majority on %(majority)s. Majority is the "
            "rule here, because the label model is surely below it."
        )
    else:
        words = _("Where they vote, the label model is right on %(model)s and majority on %(majority)s.")
    return words % figures


def _meta(report: Json) -> str:
    n, total = report["n_looked"], report["n_items"]
    words = (
        ngettext("Counted on %s item", "Counted on all %s items", n) % f"{n:,}"
        if n == total
        else _("Counted on a sample of %(n)s of %(total)s items") % {"n": f"{n:,}", "total": f"{total:,}"}
    )
    source = REFERENCES.get(report["reference"]["from"] or "")
    if source is None:
        return words
    judged = _("judged by %(source)s, %(n)s items") % {
        "source": source,
        "n": f"{report['reference']['n_items']:,}",
    }
    return f"{words}; {judged}"


def _advice(row: Json, names: dict[int, str]) -> Json:
    """One thing to do, in a sentence; ``edit`` is the function to open, if it is one."""
    called = [f"“{names[pk]}”" for pk in row["functions"]]
    if row["code"] == "wrong_mostly":
        words = _("%(name)s is wrong more often than right, with %(n)s votes: narrow it or switch it off.")
        return {"words": words % {"name": called[0], "n": row["n"]}, "edit": row["functions"][0]}
    if row["code"] == "never_votes":
        words = ngettext("%s never votes.", "These never vote: %s.", row["n"])
        return {"words": words % _quoted([names[pk] for pk in row["functions"]]), "edit": row["functions"][0]}
    if row["code"] == "conflict":
        words = ngettext(
            "%(a)s and %(b)s differ on %(n)d item, more than any other two.",
            "%(a)s and %(b)s differ on %(n)d items, more than any other two.",
            row["n"],
        )
        return {"words": words % {"a": called[0], "b": called[1], "n": row["n"]}, "edit": None}
    if row["code"] == "class_without_function":
        return {"words": _("Nothing votes for %s.") % _quoted(row["classes"]), "edit": None}
    return {
        "words": _("Label some items of the audit slice, or import gold: then each function can be judged."),
        "edit": None,
    }


# --- One function -------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Make a function of the kind in the address."""
    kind = _kind(request.GET.get("kind", FunctionKind.KEYWORDS.value))
    question = _question(membership, request.GET.get("question"))
    form = _form(membership, request.POST or None, kind, question)
    if request.method == "POST" and form.is_valid():
        try:
            made = save_function(membership, form.document())
        except Invalid as error:
            form.tell(error)
        except Conflict as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The function “%s” votes from now on.") % made.name)
            return _to_list(membership, question)
    return _form_page(request, membership, form)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def edit(request: HttpRequest, membership: Membership, function_id: int) -> HttpResponseBase:
    """Change a function, or switch it off."""
    function = function_of(membership.project_id, function_id)
    question = _question(membership, function.question.key)
    form = _form(membership, request.POST or None, _kind(function.kind), question, function)
    if request.method == "POST" and form.is_valid():
        try:
            save_function(membership, form.document(), function.pk)
        except Invalid as error:
            form.tell(error)
        except Conflict as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("Saved."))
            return _to_list(membership, question)
    return _form_page(request, membership, form, function)


@require_POST
@project_view(Action.PROJECT_EDIT)
def remove(request: HttpRequest, membership: Membership, function_id: int) -> HttpResponseBase:
    """Remove a function."""
    function = function_of(membership.project_id, function_id)
    try:
        remove_function(membership, function.pk)
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The function “%s” is removed.") % function.name)
    return _to_list(membership, _question(membership, function.question.key))


@require_POST
@project_view(Action.PROJECT_EDIT)
def preview(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """What a function would do, as a fragment; what is wrong with it is a sentence in its place.

    What it matches is shown before its class is chosen.
    """
    kind = _kind(request.GET.get("kind", ""))
    form = _form(membership, request.POST, kind, _question(membership, request.GET.get("question")))
    context: Json = {"project": membership.project}
    if not form.is_valid():
        context["problem"] = next((str(errors[0]) for errors in form.errors.values()), "")
    else:
        body = form.document()
        if body["class"] is None and kind is not FunctionKind.RUN:
            context["no_class"] = True
            body["class"] = next((spec.name for spec in form.question.classes if not spec.uncertain), None)
        try:
            context["shown"] = try_out(membership.project, body)
        except Invalid as error:
            context["problem"] = error.detail
    return render(request, "core/function/_preview.html", context)


@require_POST
@project_view(Action.PROJECT_EDIT)
def apply(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Let a worker label all items by functions; ``cancel=1`` ends the job that does."""
    question = _question(membership, request.GET.get("question"))
    try:
        if request.GET.get("cancel") == "1":
            running = applying(membership.project_id)
            if running is not None:
                request_cancel(running.pk)
        else:
            apply_functions(membership, question.key, request.POST.get("rule", "default"))
    except (Invalid, Conflict) as error:
        messages.error(request, error.detail)
    return _to_list(membership, question)


def _kind(value: str) -> FunctionKind:
    if value not in FunctionKind.values:
        raise Invalid("unknown-kind", f"There is no labeling function of kind {value[:60]!r}.")
    return FunctionKind(value)


def _to_list(membership: Membership, question: QuestionSpec) -> HttpResponse:
    address = reverse("functions", args=[membership.project.slug])
    several = len(_questions(membership)) > 1
    return redirect(f"{address}?question={question.key}" if several else address)


def _form(
    membership: Membership,
    data: Any,
    kind: FunctionKind,
    question: QuestionSpec,
    function: LabelingFunction | None = None,
) -> FunctionForm:
    """The form; what the function has stays among the choices, whatever the first items and runs are."""
    project_id = membership.project_id
    runs = list(voting_runs(project_id, question.id)[:MOST_RUNS]) if kind is FunctionKind.RUN else []
    fields = field_names(project_id)
    if function is not None:
        own = function.arguments
        fields += [name for name in [own.get("field")] if name and name not in fields]
        if "run" in own and own["run"] not in {run.pk for run in runs}:
            runs += voting_runs(project_id, question.id).filter(pk=own["run"])
    return FunctionForm(data, kind=kind, question=question, runs=runs, data_fields=fields, function=function)


def _form_page(
    request: HttpRequest, membership: Membership, form: FunctionForm, function: LabelingFunction | None = None
) -> HttpResponse:
    questions = _questions(membership)
    context = {
        "form": form,
        "function": function,
        "question": form.question,
        "kind": form.kind.value,
        "kinds": KIND_WORDS,
        "questions": questions if len(questions) > 1 else [],
        "meta_keys": meta_keys(membership.project_id) if form.kind is FunctionKind.META else [],
    }
    status = 422 if form.errors else 200
    return project_page(request, membership, SECTION, "core/function/edit.html", context, status=status)
