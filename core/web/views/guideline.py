"""The guideline: read by everybody, written by leads, compared version by version."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import Action, role_may
from core.exceptions import Invalid
from core.models import Membership
from core.selectors.guideline import guideline_html, line_diff, versions_of
from core.services.guideline import mark_read, publish_guideline
from core.web.access import project_view
from core.web.forms.guideline import GuidelineForm
from core.web.pages import project_page, tell_form


@require_safe
@project_view(Action.GUIDELINE_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The version in force, and the list of all."""
    project = membership.project
    guideline = project.guideline
    context = {
        "guideline": guideline,
        "html": guideline_html(project, guideline.text) if guideline else "",
        "versions": versions_of(project),
        "may_edit": role_may(membership.role, Action.GUIDELINE_EDIT),
        "unread": guideline is not None and membership.guideline_read < guideline.number,
    }
    return project_page(request, membership, "guideline", "core/guideline/page.html", context)


@require_safe
@project_view(Action.GUIDELINE_READ)
def version(request: HttpRequest, membership: Membership, number: int) -> HttpResponseBase:
    """One version, and what it changed against another (``against``, else the one before it)."""
    versions = {one.number: one for one in versions_of(membership.project)}
    shown = versions.get(number)
    if shown is None:
        raise Http404
    against = request.GET.get("against", "")
    other = versions.get(int(against) if against.isdecimal() and len(against) < 10 else number - 1)  # noqa: PLR2004 -- digits of a number of versions
    context = {
        "version": shown,
        "in_force": membership.project.guideline_id == shown.pk,
        "other": other,
        "lines": line_diff(other.text, shown.text) if other else [],
        "others": [one for one in versions.values() if one.number != number],
        "html": guideline_html(membership.project, shown.text),
    }
    return project_page(request, membership, "guideline", "core/guideline/version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.GUIDELINE_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Write a new version; ``preview`` shows it without putting it in force."""
    newest = membership.project.guideline
    if request.method != "POST":
        initial = {"text": newest.text, "based_on": newest.number} if newest else {"based_on": 0}
        return _form_page(request, membership, GuidelineForm(initial=initial))
    form = GuidelineForm(request.POST)
    if not form.is_valid():
        return _form_page(request, membership, form, status=422)
    fields = form.cleaned_data
    if "preview" in request.POST:
        html = guideline_html(membership.project, fields["text"])
        return _form_page(request, membership, form, preview=html)
    if newest and fields["based_on"] != newest.number:
        return _form_page(request, membership, _passed_by(request, newest.number), status=422)
    try:
        made = publish_guideline(membership, fields["text"], fields["note"])
    except Invalid as error:
        tell_form(form, error)
        return _form_page(request, membership, form, status=422)
    messages.success(request, _("Version %d is in force. Answers from now on carry it.") % made.number)
    return redirect("guideline", membership.project.slug)


def _passed_by(request: HttpRequest, number: int) -> GuidelineForm:
    """What was typed, with the news that somebody else published first; sent again, it is a decision."""
    data = request.POST.copy()
    data["based_on"] = str(number)
    form = GuidelineForm(data)
    words = _("Version %d was published while you wrote. Compare it with yours, then publish again.")
    form.add_error(None, words % number)
    return form


def _form_page(
    request: HttpRequest, membership: Membership, form: GuidelineForm, *, status: int = 200, **context: Any
) -> HttpResponse:
    context = {"form": form, **context}
    return project_page(request, membership, "guideline", "core/guideline/new.html", context, status=status)


@require_POST
@project_view(Action.GUIDELINE_READ)
def read(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Note that the reader has read a version (``version``, else the one in force). 204 for scripts."""
    guideline = membership.project.guideline
    number = request.POST.get("version", "")
    newest = guideline.number if guideline else 0
    mark_read(membership, min(int(number), newest) if number.isdecimal() and len(number) < 10 else newest)  # noqa: PLR2004 -- as above
    if "application/json" in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return redirect("guideline", membership.project.slug)
