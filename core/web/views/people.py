"""The people of a project: roles, caps, invitations, removal, password recovery."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import Action, get_membership, rank
from core.exceptions import Conflict, DomainError, Invalid, NotAllowed
from core.models import Membership
from core.selectors.membership import find_member, open_invitations, page_of_members, resettable, roles_in
from core.selectors.site import public_address
from core.services.account import make_reset_link
from core.services.membership import (
    MemberChanges,
    change_member,
    invite,
    remove_member,
    withdraw_invitation,
)
from core.web.forms.people import InvitationForm, MemberForm
from core.web.pages import page_actor, project_page, tell_form

PER_PAGE = 50
LONGEST_SEARCH = 200


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
    return {"member": member, "form": form, "resets": resets, "removal_facts": facts}


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
    context = {
        "rows": [_row(viewer, member, may_reset) for member in page.members],
        "n_members": sum(roles_in(viewer.project).values()),
        "named": named,
        "searchable": bool(named or page.previous is not None or page.next),
        "previous_url": _page_url(page.previous, named),
        "next_url": _page_url(page.next, named),
        "former": former.members,
        "more_former": former.next is not None,
        "invitations": open_invitations(viewer.project),
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
    """Everybody in the project, and the open invitations."""
    return _page(request, _viewer(request, slug, Action.MEMBERS_READ))


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


def pause(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def resume(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def void(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def void_undo(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404


def erase(request: HttpRequest, **_values: Any) -> HttpResponse:
    """To be written."""
    raise Http404
