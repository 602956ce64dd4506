"""The label page: what its scripts start from, and the guideline's examples.

It writes nothing; the API hands out and takes in.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from core.access import Action, role_may
from core.models import GuidelineExample, GuidelineVersion, LabelClass, Membership
from core.selectors.guideline import (
    changes_between,
    examples_by_class,
    guideline_html,
    versions_of,
    whole_versions_of,
    withheld_from,
)
from core.selectors.line_diff import line_diff
from core.selectors.project import question_document
from core.selectors.question import QuestionSpec, schema_of
from core.web.access import project_view

AHEAD = 5
OFFLINE_AHEAD = 20
N_TONES = 8
FEW_EXAMPLES = 3  # so many are shown unfolded
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


@require_safe
@never_cache
@project_view(Action.GUIDELINE_READ)
def examples(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The examples of the version in force for the instructions, asked for when they are opened: ``{"html": …}``.

    Those that were added since the reader last read the guideline are marked, as its page says what changed.
    """
    project = membership.project
    version = whole_versions_of(project, reader=membership).filter(pk=project.guideline_id or 0).first()
    if version is None:
        return JsonResponse({"html": ""})
    new = _new_to(membership, version)
    groups = examples_by_class(project, version)
    n_shown = sum(len(group.examples) for group in groups)
    context = {
        "groups": [
            {
                "label_class": group.label_class,
                "tone": _tone(group.label_class),
                "examples": [(one, one.example in new) for one in group.examples],
                "n_new": sum(one.example in new for one in group.examples),
            }
            for group in groups
        ],
        "unfolded": n_shown <= FEW_EXAMPLES,
        "withheld": withheld_from(membership, version),
    }
    return JsonResponse({"html": render_to_string("core/label/_examples.html", context, request)})


def _tone(spec: LabelClass | None) -> int | None:
    """The colour of a class as the answers below the item have it."""
    return None if spec is None else spec.colour % N_TONES


def _new_to(membership: Membership, version: GuidelineVersion) -> set[GuidelineExample]:
    """The examples that came since the version that somebody read last; none where they have read none."""
    project, read = membership.project, membership.guideline_read
    if not 0 < read < version.number:
        return set()
    old = whole_versions_of(project, reader=membership).filter(number=read).first()
    return {one.example for one in changes_between(project, old, version).added} if old else set()


def _training(membership: Membership) -> dict[str, str] | None:
    """The round that this person has yet to pass."""
    training = membership.training_round
    return {"name": training.name} if training is not None and training.active else None


def _since(membership: Membership, newest: GuidelineVersion) -> str:
    """What changed in the text since the version that somebody read last, as HTML; empty where they have read none."""
    project, read = membership.project, membership.guideline_read
    if not 0 < read < newest.number:
        return ""
    later = list(versions_of(project).filter(number__gte=read, number__lte=newest.number))
    if later[-1].number != read:
        return ""
    lines = line_diff(later[-1].text, newest.text)
    context = {
        "read": read,
        "notes": [version for version in later[:-1] if version.note],
        "lines": [one for one in lines if one.kind in {"added", "removed"} and one.text.strip()],
    }
    return render_to_string("core/label/_since.html", context)


def _boot(membership: Membership) -> dict[str, Any]:
    project = membership.project
    guideline = project.guideline
    return {
        "project": {"slug": project.slug, "name": project.name, "state": project.state},
        "member": {"id": membership.pk, "name": membership.name},
        "questions": [_question(spec) for spec in schema_of(project).questions],
        "guideline": {
            "version": guideline.number if guideline else 0,
            "html": _since(membership, guideline) + guideline_html(project, guideline.text)
            if guideline
            else "",
            "read": membership.guideline_read,
        },
        "settings": {"auto_advance": True, "ahead": AHEAD, "offline_ahead": OFFLINE_AHEAD},
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
    }


def _question(spec: QuestionSpec) -> dict[str, Any]:
    ids = {one.name: one.id for one in spec.classes}
    return {**question_document(spec), "min": spec.minimum, "max": spec.maximum, "ids": ids}


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
        "examples": reverse("label_examples", args=[slug]),
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
