"""Errors as pages: what happened, what is safe, what to do, and a code to quote."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from core.exceptions import DomainError, Missing, NotAllowed, TooMany

LOCKED_SECONDS = 15 * 60


class Refusals:
    """Turns a refusal that a page did not handle itself into an error page, and 405 into one, too.

    A form that is sent after the session has ended leads to the sign-in page, and from there back to the page that
    it was sent from: the address that it was sent to may be none that can be opened.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/api/"):
            return response
        if isinstance(response, HttpResponseNotAllowed):
            return not_allowed(request, response["Allow"])
        if request.method == "POST":
            _come_back(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for page views; the API answers for its own."""
        if not isinstance(error, DomainError):
            return None
        if isinstance(error, Missing):
            return not_found(request, error)
        if isinstance(error, NotAllowed) and error.code == "not-signed-in":
            return redirect("sign_in")
        if isinstance(error, NotAllowed):
            return forbidden(request, error)
        if isinstance(error, TooMany):
            minutes = -(-error.retry_after // 60)
            page = render(request, "429.html", {"minutes": minutes}, status=429)
            page["Retry-After"] = str(error.retry_after)
            return page
        return bad_request(request, error)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400. Only what labelapp itself says is shown, never the text of another exception."""
    detail = exception.detail if isinstance(exception, DomainError) else ""
    return render(request, "400.html", {"detail": detail}, status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    detail = exception.detail if isinstance(exception, DomainError) else ""
    return render(request, "403.html", {"detail": detail}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 -- Django's signature
    """404."""
    return render(request, "404.html", status=404)


def not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    """405: an address that a form sends to was opened by itself, or something was sent to one that only shows."""
    match = request.resolver_match
    slug = match.kwargs.get("slug") if match is not None and request.user.is_authenticated else None
    context = {"opened": request.method in {"GET", "HEAD"}, "slug": slug}
    page = render(request, "405.html", context, status=405)
    page["Allow"] = allowed
    return page


def _come_back(request: HttpRequest, response: HttpResponse) -> None:
    """Where a form met the sign-in page: say that nothing is saved, and lead back to the page of the form."""
    to = urlsplit(response.get("Location", ""))
    if response.status_code != 302 or to.path != reverse("sign_in") or "next" not in QueryDict(to.query):  # noqa: PLR2004 -- Found
        return
    messages.warning(
        request,
        _("You are not signed in any more, so what you sent is not saved. Sign in and send it again."),
    )
    page = came_from(request)
    if page:
        response["Location"] = f"{to.path}?{urlencode({'next': page}, safe='/')}"


def came_from(request: HttpRequest) -> str:
    """The path and query of the page of this site that a request was sent from; empty where there is none."""
    referrer = request.META.get("HTTP_REFERER", "")
    here = {request.get_host()}
    if not url_has_allowed_host_and_scheme(referrer, here, require_https=request.is_secure()):
        return ""
    parts = urlsplit(referrer)
    page = urlunsplit(("", "", parts.path, parts.query, ""))
    return page if page.startswith("/") and url_has_allowed_host_and_scheme(page, None) else ""


def server_error(request: HttpRequest) -> HttpResponse:
    """500: no trace, no path, no version."""
    return render(request, "500.html", status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 -- Django's signature
    """403 for a form that did not come from one of our own pages."""
    return render(
        request, "403.html", {"detail": _("This form was not sent from one of our own pages.")}, status=403
    )


def locked_out(request: HttpRequest, response: Any, credentials: Any) -> HttpResponse:  # noqa: ARG001 -- axes' signature
    """429 after too many wrong passwords; django-axes calls this."""
    page = render(request, "429.html", {"minutes": LOCKED_SECONDS // 60}, status=429)
    page["Retry-After"] = str(LOCKED_SECONDS)
    return page
