"""Items that were sent out again: every queue with its reason, how far it is, and what it changed."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import Action
from core.models import Membership
from core.selectors.relabel import progress_of_relabels, relabels_of
from core.web.access import project_view
from core.web.pages import project_page

PAGE = 25
SECTION = "label_errors"


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The queues, newest first, twenty-five at a time."""
    project = membership.project
    before = request.GET.get("before", "")
    queues = relabels_of(project.pk)
    narrowed = before.isascii() and before.isdigit() and len(before) < 19  # noqa: PLR2004 -- fits the column
    if narrowed:
        queues = queues.filter(pk__lt=int(before))
    found = list(queues[: PAGE + 1])
    shown = found[:PAGE]
    context: dict[str, Any] = {
        "rows": progress_of_relabels(project, shown),
        "previous_url": reverse("relabels", args=[project.slug]) if narrowed else None,
        "next_url": f"?before={shown[-1].pk}" if len(found) > PAGE else None,
        "api_url": reverse("api:relabels", args=[project.slug]),
    }
    return project_page(request, membership, SECTION, "core/relabel/page.html", context)


def new(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def close(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
