"""To be written."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def index(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def new(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def edit(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
