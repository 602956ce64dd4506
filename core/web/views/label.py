"""The label page: what its scripts start from. It writes nothing; the API hands out and takes in."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from core.access import Action
from core.models import Membership
from core.selectors.guideline import guideline_html
from core.selectors.project import question_document
from core.selectors.question import QuestionSpec, schema_of
from core.web.access import project_view

AHEAD = 5
OFFLINE_AHEAD = 20
SERVICE_WORKER = Path(settings.BASE_DIR) / "static" / "js" / "service-worker.js"


@require_safe
@never_cache
@ensure_csrf_cookie
@project_view(Action.ANNOTATE)
def label(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """One item at a time, answered by keys."""
    return render(request, "core/label/page.html", {"boot": _boot(membership), "project": membership.project})


def _boot(membership: Membership) -> dict[str, Any]:
    project = membership.project
    guideline = project.guideline
    return {
        "project": {"slug": project.slug, "name": project.name, "state": project.state},
        "member": {"id": membership.pk, "name": membership.name},
        "questions": [_question(spec) for spec in schema_of(project).questions],
        "guideline": {
            "version": guideline.number if guideline else 0,
            "html": guideline_html(project, guideline.text) if guideline else "",
            "read": membership.guideline_read,
        },
        "settings": {"auto_advance": True, "ahead": AHEAD, "offline_ahead": OFFLINE_AHEAD},
        "urls": _addresses(project.slug),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
    }


def _question(spec: QuestionSpec) -> dict[str, Any]:
    return {**question_document(spec), "min": spec.minimum, "max": spec.maximum}


def _addresses(slug: str) -> dict[str, str]:
    return {
        "leases": reverse("api:leases", args=[slug]),
        "lease": reverse("api:leases-extend").removesuffix("extend"),
        "extend": reverse("api:leases-extend"),
        "annotations": reverse("api:annotation", args=[0]).removesuffix("0"),
        "recent": reverse("api:recent", args=[slug]),
        "drafts": reverse("api:drafts"),
        "guideline_read": reverse("guideline_read", args=[slug]),
        "home": reverse("project", args=[slug]),
        "sign_in": f"{reverse('sign_in')}?next={reverse('label', args=[slug])}",
        "sign_out": reverse("sign_out"),
        "service_worker": reverse("service_worker"),
    }


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 -- every view takes it
    """The script that lets the label page open without a network; from the root, so that it may serve it."""
    return HttpResponse(
        SERVICE_WORKER.read_bytes(),
        content_type="text/javascript; charset=utf-8",
        headers={"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"},
    )


def trial(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
