"""People's work: how much, how fast, how often skipped or uncertain, day by day."""

from datetime import date

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.exceptions import Invalid
from core.models import Membership
from core.pipelines.throughput import work_file
from core.selectors.throughput import WorkDay, work_of
from core.web.access import project_view
from core.web.forms.throughput import WorkForm
from core.web.pages import project_page

MOST_ROWS = 500


def _rows(request: HttpRequest, membership: Membership) -> tuple[WorkForm, date, date, list[WorkDay]]:
    form = WorkForm(request.GET)
    since, until = form.span(now().date())
    if not form.is_valid():
        return form, since, until, []
    member = None if membership.role in LEADS else membership.pk
    return form, since, until, list(work_of(membership.project, member=member, since=since, until=until))


@require_safe
@project_view(Action.OWN_WORK_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Leads see everybody, others themselves."""
    form, since, until, rows = _rows(request, membership)
    context = {
        "form": WorkForm(initial={"since": since, "until": until}) if form.is_valid() else form,
        "rows": rows[:MOST_ROWS],
        "n_rows": len(rows),
        "n_answers": sum(row.answers for row in rows),
        "n_people": len({row.member for row in rows}),
        "since": since,
        "until": until,
        "all_people": membership.role in LEADS,
    }
    status = 422 if form.errors else 200
    return project_page(request, membership, "work", "core/throughput/page.html", context, status=status)


@require_safe
@project_view(Action.OWN_WORK_READ)
def table(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The same as CSV. Raises Invalid ``bad-filter``."""
    form, _since, _until, rows = _rows(request, membership)
    if form.non_field_errors():
        raise Invalid("bad-filter", str(form.non_field_errors()[0]))
    if form.errors:
        raise Invalid("bad-filter", _("The days are not of the form 2026-03-01, or too early."))
    return StreamingHttpResponse(
        work_file(rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{membership.project.slug}-work.csv"',
            "Cache-Control": "no-store",
        },
    )
