"""The door of a page within a project: who asks, and may they. Refusals become pages in core.web.errors."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.access import Action, actor_of, get_membership
from core.models import Membership

ProjectView = Callable[Concatenate[HttpRequest, Membership, ...], HttpResponseBase]


def project_view(action: Action) -> Callable[[ProjectView], Callable[..., HttpResponseBase]]:
    """A view of one project: it gets the reader's membership, if that may do this, in place of the slug."""

    def decorate(view: ProjectView) -> Callable[..., HttpResponseBase]:
        @login_required
        @wraps(view)
        def page(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            membership = get_membership(actor_of(request.user), slug, action)
            return view(request, membership, *args, **kwargs)

        return page

    return decorate
