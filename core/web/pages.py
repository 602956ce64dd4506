"""What page views share: who asks, and the shell around a page of a project."""

from typing import Any

from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.access import LEADS, Actor, actor_of
from core.exceptions import DomainError
from core.models import Membership
from core.selectors.health import worker_seen


def page_actor(request: HttpRequest) -> Actor:
    """The actor of a page request; raises NotAllowed when nobody is signed in."""
    return actor_of(request.user)


def project_page(
    request: HttpRequest,
    membership: Membership,
    section: str,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """A page of a project, with what the shell reads: project, the reader's role, the section of the menu."""
    shell = {
        "project": membership.project,
        "membership": membership,
        "role": membership.role,
        "section": section,
        "worker_missing": membership.role in LEADS and not worker_seen()[0],
    }
    return render(request, template, {**shell, **(context or {})}, status=status)


def tell_form(form: BaseForm, error: DomainError) -> None:
    """Show a service's refusal in a form: beside the fields that it names, else above the form."""
    for row in error.errors:
        field = row.get("field")
        form.add_error(field if field in form.fields else None, row["detail"])
    if not error.errors:
        form.add_error(None, error.detail)
