"""The door of every page within a project: who asks, and may they."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from core.access import LEADS, Action, actor_of, get_membership
from core.exceptions import Missing, NotAllowed
from core.models import Membership


class Refused(PermissionDenied):
    """403 with a sentence that says why; core.web.errors.forbidden shows it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def membership_or_error(request: HttpRequest, slug: str, action: Action) -> Membership:
    """The reader's membership of a project if it may do this; otherwise the 404 or the 403 page."""
    try:
        return get_membership(actor_of(request.user), slug, action)
    except Missing as error:
        raise Http404 from error
    except NotAllowed as error:
        raise Refused(error.detail) from error


ProjectView = Callable[Concatenate[HttpRequest, Membership, ...], HttpResponseBase]


def project_page(action: Action) -> Callable[[ProjectView], Callable[..., HttpResponseBase]]:
    """A view of one project: it gets the reader's membership in the place of the slug."""

    def decorate(view: ProjectView) -> Callable[..., HttpResponseBase]:
        @login_required
        @wraps(view)
        def page(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return view(request, membership_or_error(request, slug, action), *args, **kwargs)

        return page

    return decorate


def render_page(  # noqa: PLR0917 -- what, for whom, where, with what
    request: HttpRequest,
    template: str,
    membership: Membership,
    section: str,
    context: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """A page within a project, with what the shell needs. That no worker runs is told to leads only."""
    shell: dict[str, Any] = {
        "project": membership.project,
        "membership": membership,
        "role": membership.role,
        "is_lead": membership.role in LEADS,
        "section": section,
    }
    if membership.role not in LEADS:
        shell["worker_missing"] = False
    return render(request, template, {**shell, **(context or {})}, status=status)
