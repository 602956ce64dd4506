"""Middleware of the whole site."""

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

logger = logging.getLogger("labelapp.database")
RETRY_AFTER_SECONDS = 2


class UnavailableDatabase:
    """A database that is away is 503 with Retry-After, never a 500: clients wait and send again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for views; the API has its own handler with the same status and code."""
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        logger.error("database unavailable: %s", type(error).__name__)
        return unavailable(request)


def unavailable(request: HttpRequest) -> HttpResponse:
    """503 as a page or as problem+json, by path."""
    if request.path.startswith("/api/"):
        body = {
            "type": "about:blank",
            "title": "The database cannot be reached",
            "status": 503,
            "code": "unavailable",
            "detail": "Nothing was lost. Send the same request again in a moment.",
            "instance": request.path,
            "errors": [],
        }
        response: HttpResponse = JsonResponse(body, status=503, content_type="application/problem+json")
    else:
        response = render(request, "503.html", status=503)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
