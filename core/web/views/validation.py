"""To be written."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def index(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def one(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def schema(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def rule(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def rule_new(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def rule_remove(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
