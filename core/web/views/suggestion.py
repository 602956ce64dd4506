"""Suggestions to annotators: switched on and off on the page of a run."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from core.access import LEADS, Action
from core.exceptions import DomainError
from core.models import Membership, Run
from core.pipelines.suggestion import suggestion_effect
from core.selectors.run import run_of
from core.selectors.suggestion import runs_to_suggest, share_suggested, suggested_questions
from core.services.suggestion import edit_suggestions
from core.web.access import project_view
from core.web.forms.suggestion import suggestion_form

Json = dict[str, Any]


def section(membership: Membership, run: Run) -> Json:
    """What the page of a run says of suggestions: nothing where it has nothing to suggest and never had."""
    project = membership.project
    effect = suggestion_effect(run)
    on = project.suggestion_run_id == run.pk
    if not effect and not on and not runs_to_suggest(project).filter(pk=run.pk).exists():
        return {}
    titles = {spec.key: spec.title or spec.key for spec in suggested_questions(project)}
    return {
        "suggests": on,
        "suggests_other": None if on else project.suggestion_run,
        "suggestion_form": suggestion_form(project) if membership.role in LEADS else None,
        "suggestion_effect": [{**row, "title": titles[row["question"]]} for row in effect],
        "suggested_share": share_suggested(project, run),
        "may_suggest": True,
    }


@require_POST
@project_view(Action.PROJECT_EDIT)
def change(request: HttpRequest, membership: Membership, run_id: int) -> HttpResponseBase:
    """Suggest this run's answers from now on, with the settings of the form; or, with ``stop``, nobody's."""
    run = run_of(membership.project_id, run_id)
    stop = "stop" in request.POST
    form = suggestion_form(membership.project, request.POST)
    if not stop and not form.is_valid():
        messages.error(
            request, _("Not changed: how sure is a number from 0 to 100, the share withheld from 0 to 90.")
        )
        return redirect("model", membership.project.slug, run.pk)
    try:
        edit_suggestions(membership, {"run": None} if stop else {"run": run.pk, **form.changes()})
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        said = _("Nothing is suggested any more.") if stop else _("Annotators see its answers from now on.")
        messages.success(request, said)
    return redirect("model", membership.project.slug, run.pk)
