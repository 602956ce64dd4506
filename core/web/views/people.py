"""The people of a project: roles, caps, invitations, removal, password recovery."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import Action, get_membership, rank
from core.choices import JobKind, JobState
from core.exceptions import Conflict, DomainError, Invalid, Missing, NotAllowed, TooMany
from core.models import Job, Membership
from core.selectors.erasure import ErasureCounts, count_erasure
from core.selectors.health import worker_seen
from core.selectors.job import UNFINISHED
from core.selectors.membership import find_member, open_invitations, page_of_members, resettable, roles_in
from core.selectors.site import public_address
from core.selectors.void import Span, VoidCounts, find_void_job, void_jobs_to_tell, voids_of
from core.services.account import make_reset_link
from core.services.erasure import erase_person
from core.services.job import request_cancel
from core.services.membership import (
    MemberChanges,
    change_member,
    invite,
    remove_member,
    withdraw_invitation,
)
from core.services.pause import pause_member, resume_member
from core.services.void import preview_void, start_undo, start_void, undo_void, void_annotations
from core.web.forms.people import EraseForm, InvitationForm, MemberForm, VoidForm
from core.web.pages import page_actor, project_page, tell_form

PER_PAGE = 50
LONGEST_SEARCH = 200
MOST_VOIDS = 50


def _row(viewer: Membership, member: Membership, resettable: set[int]) -> dict[str, Any]:
    decides = member.active and rank(member.role) <= rank(viewer.role)
    resets = decides and member.user_id in resettable
    initial = {"role": member.role, "cap": member.cap}
    form = MemberForm(viewer.role, initial=initial, prefix=f"member-{member.pk}") if decides else None
    facts = [
        ngettext("%d answer stays and counts.", "%d answers stay and count.", member.answered)
        % member.answered,
        ngettext(
            "%d item that they hold goes back to the others.",
            "%d items that they hold go back to the others.",
            member.held,
        )
        % member.held,
    ]
    return {
        "member": member,
        "form": form,
        "resets": resets,
        "removal_facts": facts,
        "can_pause": decides and member.user_id is not None,
        "menu": _menu(viewer.project.slug, member) if decides else [],
    }


def _menu(slug: str, member: Membership) -> list[dict[str, str]]:
    """What a lead rarely does with somebody, and only after a page that says what it does."""
    return [
        {"label": _("Take out answers…"), "url": reverse("member_void", args=[slug, member.pk])},
        {"label": _("Forget who they were…"), "url": reverse("member_erase", args=[slug, member.pk])},
    ]


def _former(viewer: Membership, member: Membership) -> dict[str, Any]:
    decides = rank(member.role) <= rank(viewer.role)
    menu = _menu(viewer.project.slug, member) if decides else []
    return {"member": member, "menu": menu[:1] if member.erased_at else menu}


def _page_url(after: int | None, named: str) -> str:
    return "" if after is None else f"?{urlencode({'after': after, 'q': named})}"


def _page(
    request: HttpRequest, viewer: Membership, form: InvitationForm | None = None, **context: Any
) -> HttpResponse:
    named = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    after = request.GET.get("after", "")
    page = page_of_members(
        viewer.project, active=True, named=named, after=int(after) if after.isdecimal() else 0, size=PER_PAGE
    )
    users = [member.user for member in page.members if member.user]
    may_reset = resettable(viewer.user, users) if viewer.user else set()
    former = page_of_members(viewer.project, active=False, named=named, size=PER_PAGE)
    jobs = void_jobs_to_tell(viewer.project_id)
    context = {
        "rows": [_row(viewer, member, may_reset) for member in page.members],
        "n_members": sum(roles_in(viewer.project).values()),
        "named": named,
        "searchable": bool(named or page.previous is not None or page.next),
        "previous_url": _page_url(page.previous, named),
        "next_url": _page_url(page.next, named),
        "former": [_former(viewer, member) for member in former.members],
        "more_former": former.next is not None,
        "invitations": open_invitations(viewer.project),
        "voids": voids_of(viewer.project_id)[:MOST_VOIDS],
        "void_jobs": [_void_job(viewer, job) for job in jobs],
        "coming_back": {job.arguments.get("void") for job in jobs if job.state in UNFINISHED},
        "form": form or InvitationForm(viewer.role),
        **context,
    }
    status = 422 if form is not None and form.errors else 200
    return project_page(request, viewer, "people", "core/people/page.html", context, status=status)


def _viewer(request: HttpRequest, slug: str, action: Action = Action.MEMBERS_EDIT) -> Membership:
    return get_membership(page_actor(request), slug, action)


@never_cache
@require_safe
@login_required
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """Everybody in the project, and the open invitations; ``void_job``: only this job."""
    viewer = _viewer(request, slug, Action.MEMBERS_READ)
    if "void_job" in request.GET:
        return _void_job_part(request, viewer)
    return _page(request, viewer)


def _void_job_part(request: HttpRequest, viewer: Membership) -> HttpResponse:
    """A job that takes answers out, asked again every second; at its end the page reloads."""
    try:
        job_id = UUID(request.GET["void_job"])
    except ValueError:
        raise Missing from None
    told = _void_job(viewer, find_void_job(viewer.project_id, job_id))
    context = {"told": told, "worker_missing": not worker_seen()[0]}
    response = render(request, "core/people/_void_job.html", context)
    if told["job"].state not in UNFINISHED:
        response["HX-Refresh"] = "true"
    return response


def _void_job(viewer: Membership, job: Job) -> dict[str, Any]:
    """What takes answers out, or puts them back, in the background."""
    slug, member_id = viewer.project.slug, job.arguments["member"]
    name = find_member(viewer.project, member_id).name
    back = job.kind == JobKind.VOID_UNDO
    if job.state == JobState.FAILED:
        title = _("The answers of %s were not put back") if back else _("No answers of %s were taken out")
    else:
        title = _("Answers of %s are being put back") if back else _("Answers of %s are being taken out")
    return {
        "job": job,
        "title": title % name,
        "poll_url": f"{reverse('people', args=[slug])}?{urlencode({'void_job': job.pk})}",
        "cancel_url": f"{reverse('member_void', args=[slug, member_id])}?cancel=1",
    }


@never_cache
@require_POST
@login_required
def invitation_create(request: HttpRequest, slug: str) -> HttpResponse:
    """Make an invitation; the answer is the only page that ever shows its link."""
    viewer = _viewer(request, slug)
    form = InvitationForm(viewer.role, request.POST)
    if form.is_valid():
        try:
            _invitation, secret = invite(viewer, **form.cleaned_data)
        except (Invalid, NotAllowed) as error:
            tell_form(form, error)
        else:
            link = public_address(request, reverse("accept_invitation", args=[secret]))
            return _page(request, viewer, new_invitation=link)
    return _page(request, viewer, form)


@require_POST
@login_required
def invitation_withdraw(request: HttpRequest, slug: str, invitation_id: int) -> HttpResponse:
    """Make an open invitation useless."""
    withdraw_invitation(_viewer(request, slug), invitation_id)
    messages.success(request, _("The invitation no longer works."))
    return redirect("people", slug)


@require_POST
@login_required
def change(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Another role or cap."""
    viewer = _viewer(request, slug)
    form = MemberForm(viewer.role, request.POST, prefix=f"member-{member_id}")
    if not form.is_valid():
        for error in form.errors.values():
            messages.error(request, " ".join(map(str, error)))
        return redirect("people", slug)
    cap = form.cleaned_data["cap"]
    try:
        member = change_member(
            viewer, member_id, MemberChanges(role=form.cleaned_data["role"], cap=cap, uncap=cap is None)
        )
    except (Conflict, NotAllowed, Invalid) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("%s was changed.") % member.name)
    return redirect("people", slug)


@require_POST
@login_required
def remove(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Take somebody out of the project."""
    viewer = _viewer(request, slug)
    try:
        released = remove_member(viewer, member_id)
    except (Conflict, NotAllowed) as error:
        messages.error(request, error.detail)
        return redirect("people", slug)
    words = ngettext("Removed. %d item went back.", "Removed. %d items went back.", released)
    messages.success(request, words % released)
    return redirect(
        "projects" if member_id == viewer.pk else "people", *([] if member_id == viewer.pk else [slug])
    )


@never_cache
@require_POST
@login_required
def reset_link(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Make a password link; the answer is the only page that ever shows it."""
    viewer = _viewer(request, slug)
    member = find_member(viewer.project, member_id)
    try:
        path = make_reset_link(viewer, member)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("people", slug)
    return _page(request, viewer, new_reset_link=public_address(request, path), reset_of=member)


@require_POST
@login_required
def pause(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Stop somebody's work."""
    viewer = _viewer(request, slug)
    try:
        member = pause_member(viewer, member_id)
    except (Conflict, NotAllowed) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("%s gets no further items, and is told so.") % member.name)
    return redirect("people", slug)


@require_POST
@login_required
def resume(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Let somebody go on."""
    viewer = _viewer(request, slug)
    try:
        member = resume_member(viewer, member_id)
    except (Conflict, NotAllowed) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("%s gets items again.") % member.name)
    return redirect("people", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def void(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Take somebody's answers out of the counts: what it would do, in numbers, then do it.

    Posted with ``cancel``, end the job that is at it.
    """
    viewer = _viewer(request, slug)
    member = find_member(viewer.project, member_id)
    under_way = [
        job
        for job in void_jobs_to_tell(viewer.project_id)
        if job.state in UNFINISHED and job.arguments["member"] == member.pk
    ]
    if request.method == "POST" and "cancel" in request.GET:
        return _void_cancel(request, slug, under_way)
    asked = request.POST if request.method == "POST" else request.GET
    form = VoidForm(asked or None, looks=request.method != "POST")
    counts = None
    if form.is_valid():
        span = form.span()
        try:
            if request.method == "POST":
                reason = form.cleaned_data["reason"]
                if start_void(viewer, member.pk, reason, span) is not None:
                    messages.info(request, _("That many answers are taken out in the background."))
                    return redirect(f"{reverse('people', args=[slug])}#voids")
                _void, done = void_annotations(viewer, member.pk, reason, span)
                words = ngettext(
                    "%d answer is taken out of the counts. It can be put back below.",
                    "%d answers are taken out of the counts. They can be put back below.",
                    done.annotations,
                )
                messages.success(request, words % done.annotations)
                return redirect(f"{reverse('people', args=[slug])}#voids")
            counts = preview_void(viewer, member.pk, span)
        except (Invalid, Conflict, NotAllowed, TooMany) as error:
            tell_form(form, error)
    if not form.is_bound:
        counts = preview_void(viewer, member.pk, Span()) if rank(member.role) <= rank(viewer.role) else None
    context = {
        "member": member,
        "form": form,
        "counts": counts,
        "facts": _void_facts(counts),
        "void_jobs": [_void_job(viewer, job) for job in under_way],
    }
    status = 422 if form.errors else 200
    return project_page(request, viewer, "people", "core/people/void.html", context, status=status)


def _void_cancel(request: HttpRequest, slug: str, jobs: list[Job]) -> HttpResponse:
    try:
        for job in jobs:
            request_cancel(job.pk)
    except Conflict as error:  # it has ended meanwhile
        messages.error(request, error.detail)
    else:
        messages.info(request, _("It is being cancelled; nothing of it is done."))
    return redirect(f"{reverse('people', args=[slug])}#voids")


def _void_facts(counts: VoidCounts | None) -> list[str]:
    if counts is None:
        return []
    return [
        ngettext(
            "%(n)d answer leaves every figure; it is kept.",
            "%(n)d answers leave every figure; they are kept.",
            counts.annotations,
        )
        % {"n": counts.annotations},
        ngettext(
            "%(places)d place of %(n)d item is free for others.",
            "%(places)d places of %(n)d items are free for others.",
            counts.items,
        )
        % {"places": counts.places, "n": counts.items},
        ngettext("%d finished item waits again.", "%d finished items wait again.", counts.finished)
        % counts.finished,
        ngettext(
            "%d settled item is marked to be looked at again.",
            "%d settled items are marked to be looked at again.",
            counts.resolutions,
        )
        % counts.resolutions,
    ]


@require_POST
@login_required
def void_undo(request: HttpRequest, slug: str, void_id: int) -> HttpResponse:
    """Put answers back into the counts."""
    viewer = _viewer(request, slug)
    try:
        if start_undo(viewer, void_id) is not None:
            messages.info(request, _("That many answers are put back in the background."))
            return redirect(f"{reverse('people', args=[slug])}#voids")
        _void, restored = undo_void(viewer, void_id)
    except (Conflict, NotAllowed, TooMany) as error:
        messages.error(request, error.detail)
    else:
        words = ngettext("%d answer counts again.", "%d answers count again.", restored.annotations)
        beyond = ngettext(
            "%d of them is beyond what its item asks for.",
            "%d of them are beyond what their items ask for.",
            restored.beyond,
        )
        told = words % restored.annotations
        messages.success(request, f"{told} {beyond % restored.beyond}" if restored.beyond else told)
    return redirect("people", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def erase(request: HttpRequest, slug: str, member_id: int) -> HttpResponse:
    """Forget who somebody was: the page says what goes and what stays, and wants the name typed."""
    viewer = _viewer(request, slug)
    member = find_member(viewer.project, member_id)
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            erased, _counts = erase_person(viewer, member.pk, form.cleaned_data["name"])
        except (Invalid, Conflict, NotAllowed) as error:
            tell_form(form, error)
        else:
            if member.pk == viewer.pk:
                return redirect("projects")
            messages.success(request, _("Forgotten. From now on they are called %s here.") % erased.name)
            return redirect("people", slug)
    context = {
        "member": member,
        "form": form,
        "facts": _erase_facts(count_erasure(viewer, member)),
        "may": rank(member.role) <= rank(viewer.role) and member.erased_at is None,
    }
    status = 422 if form.errors else 200
    return project_page(request, viewer, "people", "core/people/erase.html", context, status=status)


def _erase_facts(counts: ErasureCounts) -> list[str]:
    facts = [
        ngettext(
            "%d answer stays as it is, under a pseudonym, and keeps counting.",
            "%d answers stay as they are, under a pseudonym, and keep counting.",
            counts.answers,
        )
        % counts.answers,
        ngettext(
            "%d comment, note, question or reply of theirs is emptied.",
            "%d comments, notes, questions and replies of theirs are emptied.",
            counts.texts,
        )
        % counts.texts,
        ngettext("%d draft is deleted.", "%d drafts are deleted.", counts.drafts) % counts.drafts,
        ngettext("%d item that they hold goes back.", "%d items that they hold go back.", counts.held)
        % counts.held,
        ngettext(
            "%d line of the audit log names the pseudonym in place of them.",
            "%d lines of the audit log name the pseudonym in place of them.",
            counts.lines,
        )
        % counts.lines,
    ]
    if counts.account:
        facts.append(_("Their account is closed: they are in no other project."))
    return facts
