"""To be written."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def index(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def table(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
