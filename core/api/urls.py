"""Addresses of the API, under /api/v1. Every name has its row in core.access.ROUTES."""

from django.urls import URLPattern, URLResolver, path

from core.api.schema import SchemaView

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", SchemaView.as_view(), name="schema"),
]
