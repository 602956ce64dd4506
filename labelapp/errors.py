"""Errors that no view answered: problem+json under /api/, a page elsewhere."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from core.api import errors as api
from core.web import errors as web
from labelapp.middleware import unavailable


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return api.bad_request(request) if _is_api(request) else web.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return api.forbidden(request) if _is_api(request) else web.forbidden(request, exception)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return api.not_found(request) if _is_api(request) else web.not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: no trace, no path, no version. 503 when a middleware or an error page missed the database."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return unavailable(request)
    return api.server_error(request) if _is_api(request) else web.server_error(request)
