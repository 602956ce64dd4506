"""Errors as pages: what happened, what is safe, what to do, and a code to quote."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from core.exceptions import DomainError, Missing, NotAllowed, TooMany

LOCKED_SECONDS = 15 * 60


class Refusals:
    """Turns a refusal that a page did not handle itself into an error page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

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
