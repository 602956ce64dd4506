"""Who did what: the audit log of a project."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from core.access import Action, get_membership
from core.exceptions import Invalid
from core.pipelines.audit import audit_file
from core.selectors.audit import LogFilter, filtered_events, verbs_of
from core.web.forms.audit import AuditFilterForm
from core.web.pages import page_actor, project_page

LINES = 50


@require_safe
@login_required
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest lines first, fifty to a page; none where a filter is refused."""
    viewer = get_membership(page_actor(request), slug, Action.AUDIT_READ)
    form = AuditFilterForm(verbs_of(viewer.project), request.GET)
    valid = form.is_valid()
    chosen = form.chosen() if valid else LogFilter()
    lines = filtered_events(viewer.project, chosen)
    if not valid:
        lines = lines.none()
    before = form.cleaned_data.get("before") if valid else None
    events = list((lines if before is None else lines.filter(pk__lt=before))[: LINES + 1])
    older = None
    if len(events) > LINES:
        del events[LINES:]
        older = f"?{form.address(before=events[-1].pk)}"
    context = {
        "lines": [
            {"event": event, "actor": event.actor and str(event.actor), "details": list(event.data.items())}
            for event in events
        ],
        "form": form,
        "older_url": older,
        "narrowed": chosen != LogFilter() or before is not None,
        "query": form.address() if valid else "",
    }
    status = 200 if valid else 422
    return project_page(request, viewer, "audit", "core/audit/page.html", context, status=status)


@require_safe
@login_required
def table(request: HttpRequest, slug: str) -> HttpResponseBase:
    """All lines that the filters of the page leave, as CSV. Raises Invalid ``bad-filter``."""
    viewer = get_membership(page_actor(request), slug, Action.AUDIT_READ)
    form = AuditFilterForm(verbs_of(viewer.project), request.GET)
    if not form.is_valid():
        raise Invalid("bad-filter", str(next(iter(form.errors.values()))[0]))
    return StreamingHttpResponse(
        audit_file(viewer.project, form.chosen(), "csv"),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{slug}-audit.csv"',
            "Cache-Control": "no-store",
        },
    )
