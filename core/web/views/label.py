"""The label page: what its scripts start from. It writes nothing; the API hands out and takes in."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from core.access import Action, role_may
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
    boot = {**_boot(membership), "urls": _addresses(membership), "training": _training(membership)}
    return render(request, "core/label/page.html", {"boot": boot, "project": membership.project})


@require_safe
@never_cache
@ensure_csrf_cookie
@project_view(Action.TRIAL)
def trial(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The label page for a lead who tries the project out: nothing that is answered there counts."""
    slug = membership.project.slug
    urls = {
        **_addresses(membership),
        "leases": reverse("api:trial", args=[slug]),
        "recent": f"{reverse('api:recent', args=[slug])}?trial=1",
        "label": reverse("label", args=[slug]),
        "sign_in": f"{reverse('sign_in')}?next={reverse('label_trial', args=[slug])}",
    }
    urls.pop("trial")
    boot = {**_boot(membership), "urls": urls, "trial": True}
    return render(request, "core/label/page.html", {"boot": boot, "project": membership.project})


def _training(membership: Membership) -> dict[str, str] | None:
    """The round that this person has yet to pass."""
    training = membership.training_round
    return {"name": training.name} if training is not None and training.active else None


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
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
    }


def _question(spec: QuestionSpec) -> dict[str, Any]:
    return {**question_document(spec), "min": spec.minimum, "max": spec.maximum}


def _addresses(membership: Membership) -> dict[str, str]:
    slug = membership.project.slug
    trial = role_may(membership.role, Action.TRIAL)
    return {
        **({"trial": reverse("label_trial", args=[slug])} if trial else {}),
        "leases": reverse("api:leases", args=[slug]),
        "lease": reverse("api:leases-extend").removesuffix("extend"),
        "extend": reverse("api:leases-extend"),
        "annotations": reverse("api:annotation", args=[0]).removesuffix("0"),
        "recent": reverse("api:recent", args=[slug]),
        "drafts": reverse("api:drafts"),
        "inquiries": reverse("api:inquiries", args=[slug]),
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
