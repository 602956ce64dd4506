"""Refusals of the API: one shape, stable codes, nothing of the inside."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


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


def test_the_schema_is_json_whatever_the_browser_would_like() -> None:
    answer = Client().get("/api/v1/schema", headers={"accept": "text/html"})

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["openapi"] == "3.1.1"
