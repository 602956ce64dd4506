"""Free-text answers that are likely one: groups to tick, what rules would do, and putting them in force."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import Action, role_may
from core.choices import MappingKind, QuestionKind
from core.exceptions import DomainError, Invalid, Stale
from core.models import Membership
from core.pipelines.standard import preview as what_if
from core.pipelines.standard import text_question, variants
from core.selectors.mapping import mappings_of
from core.selectors.question import schema_of
from core.services.mapping import apply_standardise
from core.web.access import project_view
from core.web.agreement_words import spread
from core.web.forms.standard import chosen_rules, sent_rules
from core.web.pages import project_page

Json = dict[str, Any]
SECTION = "standard"
SURE = 0.8  # from this confidence on a variant is ticked to begin with
MOST_APPLIED = 50


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Groups of answers that are likely one, rules of one's own, and the rules in force."""
    return _page(request, membership, request.GET.get("question") or None)


def _page(
    request: HttpRequest, membership: Membership, key: str | None, *, refused: str = "", status: int = 200
) -> HttpResponse:
    project = membership.project
    texts = [spec for spec in schema_of(project).questions if spec.kind == QuestionKind.TEXT]
    context: Json = {
        "question": None,
        "refused": refused,
        "may_edit": role_may(membership.role, Action.PROJECT_EDIT),
    }
    if texts:
        question = text_question(project, key)
        found = variants(project, question.key)
        applied = mappings_of(project.pk).filter(kind=MappingKind.STANDARDISE, question_id=question.id)
        context |= {
            "question": question,
            "questions": texts if len(texts) > 1 else (),
            "found": found,
            "headline": headline(found),
            "clusters": [
                {
                    **row,
                    "sure": any(one["confidence"] >= SURE for one in row["variants"]),
                    "variants": [{**one, "ticked": one["confidence"] >= SURE} for one in row["variants"]],
                }
                for row in found["clusters"]
            ],
            "rows": _rows(found["all"]),
            "applied": applied[:MOST_APPLIED],
            "mapping_version": project.mapping_version,
            "own": request.POST.get("own", ""),
        }
    return project_page(request, membership, SECTION, "core/standard/page.html", context, status=status)


def headline(found: Json) -> str:
    """What the groups come to, in a sentence."""
    n = len(found["clusters"]) + found["cut"]
    if not found["n_answers"]:
        return _("Nobody has answered with a text yet")
    if not n:
        return _("No two texts look like the same answer")
    return ngettext(
        "%(n)s group of texts looks like one answer", "%(n)s groups of texts look like one answer each", n
    ) % {"n": f"{n:,}"}


def _rows(agreement: Json) -> list[Json]:
    names = (
        ("krippendorff_alpha", _("Krippendorff's alpha")),
        ("percent_agreement", _("Two people give the same answer")),
    )
    return [
        {"name": name, **{side: _cell(agreement[side][key]) for side in ("before", "after", "difference")}}
        for key, name in names
    ]


def _cell(figure: Json) -> str:
    return spread(figure) if figure["value"] is not None else _("cannot tell yet")


@require_POST
@project_view(Action.AGREEMENT_READ)
def preview(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """What the ticked groups and the lead's own rules would do."""
    key = request.POST.get("question") or None
    try:
        rules = chosen_rules(request.POST)
        if rules:
            return _preview(request, membership, key, rules)
        refused = _("Tick a group, or write a rule of your own.")
    except Invalid as error:
        refused = error.detail
    return _page(request, membership, key, refused=refused, status=422)


def _preview(
    request: HttpRequest,
    membership: Membership,
    key: str | None,
    rules: Any,
    *,
    note: str = "",
    stale: bool = False,
) -> HttpResponse:
    question = text_question(membership.project, key)
    found = what_if(membership.project, question.key, rules)
    unused = [found["rules"][row["rule"]] for row in found["per_rule"] if not row["texts"]]
    context = {
        "question": question,
        "found": found,
        "rows": _rows(found["agreement"]),
        "unused": [one.get("from", one.get("pattern")) for one in unused],
        "rules": json.dumps(found["rules"], ensure_ascii=False),
        "note": note,
        "stale": stale,
        "back_url": _address(membership, question.key),
        "may_edit": role_may(membership.role, Action.PROJECT_EDIT),
    }
    status = 412 if stale else 200
    return project_page(request, membership, SECTION, "core/standard/preview.html", context, status=status)


def _address(membership: Membership, key: str) -> str:
    return f"{reverse('standard', args=[membership.project.slug])}?{urlencode({'question': key})}"


@require_POST
@project_view(Action.PROJECT_EDIT)
def apply(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Put the rules that the preview showed in force."""
    key, note = request.POST.get("question") or None, request.POST.get("note", "")
    version = request.POST.get("version", "")
    try:
        if not (version.isascii() and version.isdigit() and len(version) < 10):  # noqa: PLR2004 -- of the column's kind
            raise Invalid("bad-rules", _("This form was not sent from the page of standard texts."))
        rules = sent_rules(request.POST)
        question = text_question(membership.project, key)
        made = apply_standardise(membership, question.key, rules, note, int(version))
    except Stale:
        membership.project.refresh_from_db()
        return _preview(request, membership, key, rules, note=note, stale=True)
    except DomainError as error:
        return _page(request, membership, key, refused=error.detail, status=422)
    n = len(made.document["rules"])
    messages.success(
        request,
        ngettext("%(n)d rule is in force.", "%(n)d rules are in force.", n) % {"n": n},
    )
    return redirect(_address(membership, question.key))
