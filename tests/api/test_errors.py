"""Refusals of the API: one shape, stable codes, nothing of the inside."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework import exceptions as rest
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.exceptions import (
    Conflict,
    Invalid,
    Missing,
    NotAllowed,
    PreconditionRequired,
    Stale,
    TooMany,
    Unprocessable,
)
from labelapp.urls import urlpatterns as real_patterns
from tests.conftest import Actors, client_of, token_client

pytestmark = pytest.mark.django_db


class Failing(APIView):
    """Raises what the test asks for."""

    permission_classes = (AllowAny,)
    error: Exception = RuntimeError()

    def get(self, _request: Request) -> Response:
        raise type(self).error


def broken_page(request: HttpRequest) -> HttpResponse:
    raise Failing.error


urlpatterns = [
    path("api/v1/failing", Failing.as_view()),
    path("failing", broken_page),
    *real_patterns,
]
handler400 = "labelapp.errors.bad_request"
handler403 = "labelapp.errors.forbidden"
handler404 = "labelapp.errors.not_found"
handler500 = "labelapp.errors.server_error"
SECRET = "SELECT password FROM core_user at /srv/labelapp/core.py on db.internal"


@pytest.fixture
def failing(settings: Any) -> Iterator[type[Failing]]:
    settings.ROOT_URLCONF = "tests.api.test_errors"
    yield Failing
    Failing.error = RuntimeError()


def answer_to(error: Exception) -> Any:
    Failing.error = error
    return Client(raise_request_exception=False).get("/api/v1/failing", headers={"accept": "text/html,*/*"})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("bad-cap", "x"), 400, "bad-cap"),
        (NotAllowed(), 403, "not-allowed"),
        (NotAllowed("x", code="not-signed-in"), 401, "not-signed-in"),
        (Missing(), 404, "not-found"),
        (Conflict("last-owner", "x"), 409, "last-owner"),
        (Stale("stale", "x"), 412, "stale"),
        (Unprocessable("other-body", "x"), 422, "other-body"),
        (PreconditionRequired(), 428, "precondition-required"),
        (TooMany("busy", "x", retry_after=7), 429, "busy"),
        (rest.ParseError(), 400, "parse-error"),
        (rest.NotAuthenticated(), 401, "not-signed-in"),
        (rest.AuthenticationFailed(), 401, "bad-token"),
        (rest.PermissionDenied(), 403, "not-allowed"),
        (rest.NotFound(), 404, "not-found"),
        (rest.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
        (rest.NotAcceptable(), 406, "not-acceptable"),
        (rest.UnsupportedMediaType("text/plain"), 415, "unsupported-media-type"),
        (rest.Throttled(wait=7), 429, "too-many-requests"),
        (rest.ValidationError({"role": ["no"]}), 400, "invalid"),
        (Http404("inner"), 404, "not-found"),
        (PermissionDenied("inner"), 403, "not-allowed"),
        (RequestDataTooBig("inner"), 413, "too-large"),
        (SuspiciousOperation("inner"), 400, "bad-request"),
        (BadRequest("inner"), 400, "bad-request"),
        (OperationalError("inner"), 503, "unavailable"),
        (InterfaceError("inner"), 503, "unavailable"),
        (RuntimeError("inner"), 500, "server-error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_exception_has_its_status_and_code(
    failing: type[Failing], error: Exception, status: int, code: str
) -> None:
    answer = answer_to(error)

    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert set(answer.json()) >= {"type", "title", "status", "code", "detail", "instance", "errors"}
    assert "inner" not in answer.content.decode()
    assert ("Retry-After" in answer) == (status in {429, 503})
    assert ("WWW-Authenticate" in answer) == (status == 401)


def test_a_refusal_carries_its_rows_and_data(failing: type[Failing]) -> None:
    rows = [{"row": 118, "code": "invalid-utf8"}]

    body = answer_to(Invalid("import-rows", "37 rows", errors=rows, rejected=37, status=200)).json()

    assert (body["errors"], body["rejected"], body["status"]) == (rows, 37, 400)


def test_field_errors_say_where(failing: type[Failing]) -> None:
    nested = rest.ValidationError({"people": [{}, {"role": [rest.ErrorDetail("no", code="invalid_choice")]}]})

    assert answer_to(nested).json()["errors"] == [
        {"field": "role", "pointer": "/people/1/role", "code": "invalid-choice", "detail": "no"}
    ]


@pytest.mark.parametrize("error", [RuntimeError(SECRET), OperationalError(SECRET), KeyError(SECRET)])
def test_a_failure_tells_nothing_of_the_inside(
    failing: type[Failing], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A58."""
    answer = answer_to(error)

    assert answer.status_code in {500, 503}
    for word in (
        "SELECT",
        "password",
        "/srv",
        "db.internal",
        "Traceback",
        "Error",
        "django",
        "3.11",
        "0.1.0",
    ):
        assert word not in answer.content.decode().replace("Server Error", "")
        assert word not in str(dict(answer.headers))
    errors = [record.name for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["labelapp.api", "django.request"]


def test_a_failing_page_tells_nothing_of_the_inside(failing: type[Failing]) -> None:
    """A58."""
    for error, status in ((RuntimeError(SECRET), 500), (OperationalError(SECRET), 503)):
        Failing.error = error
        answer = Client(raise_request_exception=False).get("/failing")

        assert answer.status_code == status
        assert "SELECT" not in answer.content.decode()
        assert "Traceback" not in answer.content.decode()


def test_an_unknown_address_is_a_problem_with_a_code() -> None:
    answer = Client().get("/api/v1/nowhere", headers={"accept": "text/html"})

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "not-found",
        "detail": "There is nothing at this address.",
        "instance": "/api/v1/nowhere",
        "errors": [],
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"role": "lead", "role": "owner"}', "duplicate-key"),
        ('{"role": NaN}', "non-finite-number"),
        ('{"role": 1e400}', "number-out-of-range"),
        ('{"role": 9007199254740993}', "number-out-of-range"),
        ('{"role": "\\u0000"}', "nul-character"),
        ('{"role": "\\ud800"}', "lone-surrogate"),
        ("[" * 100_000, "too-deep"),
        ('{"a":' * 100_000, "too-deep"),
        ('{"role": ', "invalid-json"),
        (b'{"role": "\xff"}', "invalid-utf8"),
        ('["role"]', "not-an-object"),
        ("7" * 5_000, "number-out-of-range"),
    ],
)
def test_a_body_is_one_strict_object(actors: Actors, body: str | bytes, code: str) -> None:
    answer = token_client(actors.alice).post(
        "/api/v1/projects/birds/invitations", body, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_body_has_a_largest_size(actors: Actors, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = '{"note": "' + "x" * 200 + '"}'

    answer = token_client(actors.alice).post(
        "/api/v1/projects/birds/invitations", body, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    "media_type",
    ["application/x-python-serialize", "application/yaml", "application/msgpack", "text/plain", ""],
)
def test_other_media_types_are_refused(actors: Actors, media_type: str) -> None:
    answer = token_client(actors.alice).post(
        "/api/v1/projects/birds/invitations", b"role: lead", content_type=media_type
    )

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("created_by__password__startswith=pbkdf2", "unknown-filter"),
        ("ordering=user__password", "unknown-filter"),
        ("fields=owner__auth_token", "unknown-filter"),
        ("active=true&active=false", "repeated-filter"),
        ("active=" + "x" * 1001, "bad-filter"),
        ("active=%00", "bad-filter"),
        ("active=maybe", "bad-filter"),
        ("page_size=many", "bad-page-size"),
        ("page_size=1e9", "bad-page-size"),
        ("page_size=" + "9" * 30, "bad-page-size"),
        ("cursor=invented", "bad-cursor"),
    ],
)
def test_only_listed_parameters_are_read(actors: Actors, query: str, code: str) -> None:
    answer = token_client(actors.alice).get(f"/api/v1/projects/birds/members?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_pages_follow_each_other_to_the_end(actors: Actors) -> None:
    script = token_client(actors.alice)
    address: str | None = "/api/v1/projects/birds/members?page_size=3&active=true"
    pages = []
    while address:
        body = script.get(address).json()
        pages.append([member["name"] for member in body["results"]])
        address = body["next"]

    assert pages == [["alice", "bob", "carol"], ["dave"]]
    for size, shown in (("0", 1), ("-5", 1), ("999999", 4)):
        body = script.get(f"/api/v1/projects/birds/members?page_size={size}").json()
        assert len(body["results"]) == shown


def test_a_cursor_of_one_list_is_refused_by_another(actors: Actors) -> None:
    script = token_client(actors.alice)
    address = script.get("/api/v1/projects/birds/members?page_size=1").json()["next"]
    cursor = address.split("cursor=")[1].split("&")[0]

    answer = script.get(f"/api/v1/projects/birds/members?cursor={cursor}x")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-cursor")


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "BREW"])
def test_other_methods_are_not_allowed(actors: Actors, method: str) -> None:
    """A61."""
    for address in ("/api/v1/projects/birds/members", "/api/v1/tokens"):
        answer = token_client(actors.alice).generic(method, address)

        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert client_of(actors.alice).generic(method, "/sign-in").status_code in {302, 405}
    assert client_of(actors.alice).generic(method, "/profile").status_code == 405
