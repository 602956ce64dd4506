"""Every refusal of the API as problem+json (RFC 9457) with a stable code; nothing of the inside shows."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from rest_framework import exceptions as rest
from rest_framework.request import Request
from rest_framework.response import Response

from core.exceptions import (
    Conflict,
    DomainError,
    Invalid,
    Missing,
    NotAllowed,
    PreconditionRequired,
    Stale,
    TooLarge,
    TooMany,
    Unprocessable,
)

logger = logging.getLogger("labelapp.api")

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 2
STATUSES: dict[type[DomainError], int] = {
    Invalid: 400,
    NotAllowed: 403,
    Missing: 404,
    Conflict: 409,
    Stale: 412,
    TooLarge: 413,
    Unprocessable: 422,
    PreconditionRequired: 428,
    TooMany: 429,
}
REST_CODES: dict[type[rest.APIException], str] = {
    rest.ParseError: "parse-error",
    rest.NotAuthenticated: "not-signed-in",
    rest.AuthenticationFailed: "bad-token",
    rest.PermissionDenied: "not-allowed",
    rest.NotFound: "not-found",
    rest.MethodNotAllowed: "method-not-allowed",
    rest.NotAcceptable: "not-acceptable",
    rest.UnsupportedMediaType: "unsupported-media-type",
    rest.Throttled: "too-many-requests",
}


def problem(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer for an exception of an API view; REST framework calls this."""
    request: Request = context["request"]
    if isinstance(error, DomainError):
        return _of_domain(error, request)
    if isinstance(error, rest.ValidationError):
        return _answer(
            request,
            400,
            "invalid",
            "The request is not as this address expects it.",
            errors=_fields(error.detail),
        )
    if isinstance(error, rest.APIException):
        return _of_rest(error, request)
    if isinstance(error, Http404):
        return _of_domain(Missing(), request)
    if isinstance(error, PermissionDenied):
        return _of_domain(NotAllowed(), request)
    if isinstance(error, RequestDataTooBig):
        return _answer(request, 413, "too-large", "The request is larger than this address takes.")
    if isinstance(error, SuspiciousOperation | BadRequest | UnreadablePostError):
        return _answer(request, 400, "bad-request", "The request could not be read.")
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("database unavailable: %s", type(error).__name__)
        return _unavailable(request)
    got_request_exception.send(sender=type(context["view"]), request=request)
    logger.error("unexpected %s in %s %s", type(error).__name__, request.method, request.path, exc_info=error)
    return Response(_body(500, "server-error", request.path, _SERVER_ERROR), 500, content_type=PROBLEM_JSON)


_SERVER_ERROR = "Something went wrong here, not with the request. Nothing was changed."
_WITHOUT_SESSION = {"not-signed-in", "bad-token"}


def _of_domain(error: DomainError, request: Request) -> Response:
    status = next(number for kind, number in STATUSES.items() if isinstance(error, kind))
    if error.code in _WITHOUT_SESSION:
        status = 401
    response = _answer(request, status, error.code, error.detail, errors=error.errors, more=error.data)
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Token"
    return response


def _of_rest(error: rest.APIException, request: Request) -> Response:
    code = next((code for kind, code in REST_CODES.items() if isinstance(error, kind)), "refused")
    if isinstance(error, rest.PermissionDenied) and error.get_codes() == "csrf":
        code = "csrf"
    response = _answer(request, error.status_code, code, str(error.detail))
    header = getattr(error, "auth_header", None)
    if header:
        response["WWW-Authenticate"] = header
    wait = getattr(error, "wait", None)
    if wait:
        response["Retry-After"] = str(int(wait))
    return response


def _unavailable(request: Request) -> Response:
    detail = "Nothing was lost. Send the same request again in a moment."
    body = _body(503, "unavailable", request.path, detail)
    return Response(body, 503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}, content_type=PROBLEM_JSON)


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    more: Mapping[str, Any] | None = None,
) -> Response:
    body = _body(status, code, request.path, detail, errors)
    return Response({**(more or {}), **body}, status, content_type=PROBLEM_JSON)


def _body(
    status: int, code: str, path: str, detail: str, errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": path,
        "errors": list(errors),
    }


def _fields(detail: Any, pointer: str = "") -> list[dict[str, str]]:
    """Flatten REST framework's nested field errors to rows of pointer, code and detail."""
    if isinstance(detail, Mapping):
        return [
            row
            for key, part in detail.items()
            for row in _fields(part, pointer if key == "non_field_errors" else f"{pointer}/{key}")
        ]
    if isinstance(detail, list):
        if any(isinstance(part, Mapping | list) for part in detail):
            return [row for place, part in enumerate(detail) for row in _fields(part, f"{pointer}/{place}")]
        return [row for part in detail for row in _fields(part, pointer)]
    code = str(getattr(detail, "code", "invalid")).replace("_", "-")
    field = pointer.rsplit("/", 1)[-1]
    return [{"field": field, "pointer": pointer, "code": code, "detail": str(detail)}]


def _plain(request: HttpRequest, status: int, code: str, detail: str) -> JsonResponse:
    body = _body(status, code, request.path, detail)
    return JsonResponse(body, status=status, content_type=PROBLEM_JSON)


def bad_request(request: HttpRequest) -> JsonResponse:
    """400 for what never reached a view, for example a foreign Host header."""
    return _plain(request, 400, "bad-request", "The request could not be read.")


def forbidden(request: HttpRequest) -> JsonResponse:
    """403 for what never reached a view."""
    return _plain(request, 403, "not-allowed", "This is not allowed.")


def not_found(request: HttpRequest) -> JsonResponse:
    """404 for an address that does not exist."""
    return _plain(request, 404, "not-found", "There is nothing at this address.")


def server_error(request: HttpRequest) -> JsonResponse:
    """500 for what failed outside a view."""
    return _plain(request, 500, "server-error", _SERVER_ERROR)
