"""Who did what: the audit log of a project."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.access import Action, get_membership
from core.selectors.audit import events_of, verbs_of
from core.web.forms.audit import AuditFilterForm
from core.web.pages import page_actor, project_page

LINES = 50


@require_safe
@login_required
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest lines first, fifty to a page."""
    viewer = get_membership(page_actor(request), slug, Action.AUDIT_READ)
    form = AuditFilterForm(verbs_of(viewer.project), request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    verb = chosen.get("verb", "")
    events = list(events_of(viewer.project, verb=verb, before=chosen.get("before"))[: LINES + 1])
    older = None
    if len(events) > LINES:
        del events[LINES:]
        older = "?" + urlencode({"verb": verb, "before": events[-1].pk})
    context = {"events": events, "form": form, "older_url": older, "narrowed": bool(verb)}
    return project_page(request, viewer, "audit", "core/audit/page.html", context)


def table(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
