"""Errors as pages: what happened, what is safe, what to do, and a code to quote."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

LOCKED_SECONDS = 15 * 60


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return render(request, "403.html", {"detail": getattr(exception, "detail", "")}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: no trace, no path, no version."""
    return render(request, "500.html", status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that did not come from one of our own pages."""
    return render(
        request, "403.html", {"detail": _("This form was not sent from one of our own pages.")}, status=403
    )


def locked_out(request: HttpRequest, response: Any, credentials: dict[str, Any]) -> HttpResponse:
    """429 after too many wrong passwords; django-axes calls this."""
    page = render(request, "429.html", {"minutes": LOCKED_SECONDS // 60}, status=429)
    page["Retry-After"] = str(LOCKED_SECONDS)
    return page
