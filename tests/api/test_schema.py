"""The OpenAPI document is valid and complete."""

import io

import pytest
from django.core.management import call_command
from django.test import Client

from core.api.urls import urlpatterns

pytestmark = pytest.mark.django_db


def test_the_document_is_valid_and_made_without_a_warning() -> None:
    document = io.StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=document)

    assert document.getvalue().startswith("openapi: 3.1.1")


def test_every_address_is_described() -> None:
    document = Client().get("/api/v1/schema", headers={"accept": "text/html"})

    assert document["Content-Type"] == "application/json"
    described = {path.removeprefix("/api/v1/") for path in document.json()["paths"]}
    assert len(described) == len(urlpatterns) - 1  # all but the document itself


def test_every_operation_says_how_it_refuses_and_who_may_ask() -> None:
    for path, operations in Client().get("/api/v1/schema").json()["paths"].items():
        for method, operation in operations.items():
            assert "4XX" in operation["responses"], f"{method} {path}"
            assert operation["security"] == [{"token": []}, {"session": []}], f"{method} {path}"
            assert operation.get("description"), f"{method} {path} says nothing"
