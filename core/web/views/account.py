"""Signing in and out, the links that let people in, their profile and password."""

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from core.exceptions import Conflict, Invalid
from core.models import User
from core.selectors.account import find_first_link, find_invitation, find_reset_link, valid_tokens_of
from core.selectors.project import memberships_of
from core.services.account import change_password, rename, use_reset_link, use_sign_in_link
from core.services.membership import accept_invitation, sign_up_by_invitation
from core.web.forms.account import (
    ChangePasswordForm,
    JoinForm,
    NewAccountForm,
    NewPasswordForm,
    ProfileForm,
    SignInForm,
)
from core.web.pages import page_actor, tell_form

BACKEND = "django.contrib.auth.backends.ModelBackend"

# The methods are checked outside: the view itself would send signed-in people away first.
sign_in = require_http_methods(["GET", "HEAD", "POST"])(
    LoginView.as_view(
        template_name="core/account/sign_in.html",
        authentication_form=SignInForm,
        redirect_authenticated_user=True,
    )
)
sign_out = require_POST(LogoutView.as_view())


def _enter(request: HttpRequest, user: User) -> HttpResponse:
    login(request, user, backend=BACKEND)
    return redirect("projects")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def first_sign_in(request: HttpRequest, secret: str) -> HttpResponse:
    """The first lead makes an account."""
    find_first_link(secret)
    form = NewAccountForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = use_sign_in_link(
                secret,
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password"],
                display_name=form.cleaned_data["display_name"],
            )
        except Invalid as error:
            tell_form(form, error)
        else:
            return _enter(request, user)
    return render(
        request, "core/account/first_sign_in.html", {"form": form}, status=422 if form.errors else 200
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reset_password(request: HttpRequest, secret: str) -> HttpResponse:
    """Somebody sets a new password by a link that a lead made."""
    link = find_reset_link(secret)
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = use_reset_link(secret, form.cleaned_data["password"])
        except Invalid as error:
            tell_form(form, error)
        else:
            return _enter(request, user)
    context = {"form": form, "account": link.user}
    return render(request, "core/account/reset_password.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, secret: str) -> HttpResponse:
    """Somebody joins a project, with the account they are signed in to or with a new one."""
    invitation = find_invitation(secret)
    user = request.user if isinstance(request.user, User) else None
    data = request.POST if request.method == "POST" else None
    form = JoinForm(data) if user else NewAccountForm(data)
    if request.method == "POST" and form.is_valid():
        try:
            if user:
                accept_invitation(secret, user)
            else:
                user = sign_up_by_invitation(
                    secret,
                    username=form.cleaned_data["username"],
                    password=form.cleaned_data["password"],
                    display_name=form.cleaned_data["display_name"],
                )
                login(request, user, backend=BACKEND)
        except (Invalid, Conflict) as error:
            tell_form(form, error)
        else:
            return redirect("project", invitation.project.slug)
    context = {"form": form, "invitation": invitation}
    return render(request, "core/account/accept_invitation.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """One's name, and the projects one is in."""
    user = page_actor(request).user
    form = ProfileForm(
        request.POST if request.method == "POST" else None, initial={"display_name": user.display_name}
    )
    if request.method == "POST" and form.is_valid():
        try:
            rename(user, form.cleaned_data["display_name"])
        except Invalid as error:
            tell_form(form, error)
        else:
            messages.success(request, _("Your name was changed."))
            return redirect("profile")
    context = {"form": form, "memberships": memberships_of(user)}
    return render(request, "core/account/profile.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def password(request: HttpRequest) -> HttpResponse:
    """Another password: other browsers are signed out, tokens stop working."""
    user = page_actor(request).user
    form = ChangePasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            n_tokens = change_password(user, old=form.cleaned_data["old"], new=form.cleaned_data["new"])
        except Invalid as error:
            tell_form(form, error)
        else:
            update_session_auth_hash(request, user)
            told = _("Your password was changed; your other browsers are signed out.")
            if n_tokens:
                told += (
                    " " + ngettext("%d token was revoked.", "%d tokens were revoked.", n_tokens) % n_tokens
                )
            messages.success(request, told)
            return redirect("profile")
    context = {"form": form, "n_tokens": valid_tokens_of(user).count()}
    return render(request, "core/account/change_password.html", context, status=422 if form.errors else 200)
