"""Questions about items: asked by those who label, answered by leads, made rules of the guideline."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import LEADS, Action
from core.choices import InquiryState
from core.exceptions import DomainError, Missing, Stale
from core.models import Inquiry, Membership
from core.selectors.display import blocks_of
from core.selectors.inquiry import inquiries_of, n_open, said_on
from core.services.inquiry import answer_inquiry, revision_of
from core.web.access import project_view
from core.web.forms.inquiry import AnswerForm
from core.web.pages import project_page, tell_form

PAGE = 25
SECTION = "inquiries"
OPEN, CLOSED, OWN = "open", "answered", "own"


@require_safe
@never_cache
@project_view(Action.OWN_WORK_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """For leads what waits for an answer, the items beside; for others what they asked themselves."""
    return _page(request, membership)


def _page(
    request: HttpRequest,
    membership: Membership,
    *,
    wrong: tuple[int, AnswerForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    """``wrong`` is a question with what was typed as its answer, and what is wrong with it."""
    is_lead = membership.role in LEADS
    state = _state(request, is_lead=is_lead)
    rows = inquiries_of(membership, everybody=is_lead and state != OWN)
    if is_lead and state != OWN:
        rows = (
            rows.filter(state=InquiryState.OPEN) if state == OPEN else rows.exclude(state=InquiryState.OPEN)
        )
    if wrong is not None:
        rows = inquiries_of(membership, everybody=True).filter(pk=wrong[0])
    before = _key(request.GET.get("before", ""))
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    shown = found[:PAGE]
    said = said_on(membership, [row.item_id for row in shown]) if is_lead else {}
    context: dict[str, Any] = {
        "is_lead": is_lead,
        "state": state,
        "tabs": _tabs(membership, state) if is_lead else [],
        "rows": [
            {
                "inquiry": row,
                "blocks": blocks_of(membership.project, row.item.data),
                "said": said.get(row.item_id),
                "form": _form(row, wrong) if is_lead and state != OWN else None,
            }
            for row in shown
        ],
        "previous_url": f"?state={state}" if before else None,
        "next_url": f"?state={state}&before={shown[-1].pk}" if len(found) > PAGE else None,
    }
    return project_page(request, membership, SECTION, "core/inquiry/page.html", context, status=status)


def _state(request: HttpRequest, *, is_lead: bool) -> str:
    wanted = request.GET.get("state", OPEN)
    return wanted if is_lead and wanted in {OPEN, CLOSED, OWN} else OPEN if is_lead else OWN


def _tabs(membership: Membership, state: str) -> list[dict[str, Any]]:
    waiting = n_open(membership)
    words = ((OPEN, _("Open"), waiting), (CLOSED, _("Answered"), None), (OWN, _("Asked by me"), None))
    return [{"url": f"?state={key}", "word": word, "n": n, "current": key == state} for key, word, n in words]


def _form(row: Inquiry, wrong: tuple[int, AnswerForm] | None) -> AnswerForm:
    if wrong is not None and wrong[0] == row.pk:
        return wrong[1]
    initial = {"answer": row.answer, "seen": revision_of(row)}
    return AnswerForm(initial=initial, auto_id=f"id_{row.pk}_%s")


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 -- fits the column


@require_POST
@never_cache
@project_view(Action.GUIDELINE_EDIT)
def answer(request: HttpRequest, membership: Membership, inquiry_id: int) -> HttpResponseBase:
    """Answer a question; ``rule`` goes on to the editor of the guideline, with an answer or without one."""
    slug = membership.project.slug
    if not inquiries_of(membership, everybody=True).filter(pk=inquiry_id).exists():
        raise Missing
    to_rule = f"{reverse('guideline_new', args=[slug])}?inquiry={inquiry_id}"
    as_rule = "rule" in request.POST
    if as_rule and not request.POST.get("answer", "").strip():
        return redirect(to_rule)
    form = AnswerForm(request.POST, auto_id=f"id_{inquiry_id}_%s")
    if not form.is_valid():
        return _page(request, membership, wrong=(inquiry_id, form), status=422)
    try:
        answer_inquiry(membership, inquiry_id, form.cleaned_data["answer"], form.cleaned_data["seen"])
    except Stale:
        return _page(request, membership, wrong=(inquiry_id, _passed_by(request, inquiry_id)), status=412)
    except Missing:
        raise
    except DomainError as error:
        tell_form(form, error)
        return _page(request, membership, wrong=(inquiry_id, form), status=422)
    if as_rule:
        return redirect(to_rule)
    messages.success(request, _("Answered. Who asked is told."))
    return redirect("inquiries", slug)


def _passed_by(request: HttpRequest, inquiry_id: int) -> AnswerForm:
    """What was typed, with the news that somebody else answered first; sent again, it replaces their answer."""
    data = request.POST.copy()
    data["seen"] = revision_of(Inquiry.objects.only("answered_at").get(pk=inquiry_id))
    form = AnswerForm(data, auto_id=f"id_{inquiry_id}_%s")
    form.add_error(
        None, _("Another lead answered meanwhile: their answer is above. Sent again, yours replaces it.")
    )
    return form
