"""The page of one's tokens."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.exceptions import DomainError
from core.models import User
from core.selectors.account import tokens_of, valid_tokens_of
from core.services.token import create_token, revoke_token
from core.web.forms.token import TokenForm
from core.web.pages import page_actor, tell_form


def _page(request: HttpRequest, user: User, form: TokenForm, new_token: str = "") -> HttpResponse:
    valid = set(valid_tokens_of(user))
    tokens = [
        {
            "id": token.pk,
            "name": token.name,
            "prefix": token.prefix,
            "project": token.project,
            "scopes": token.scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
            "expired": token not in valid,
        }
        for token in tokens_of(user)
    ]
    context = {"tokens": tokens, "form": form, "new_token": new_token}
    return render(request, "core/account/tokens.html", context, status=422 if form.errors else 200)


@never_cache
@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """One's tokens, and the form for another."""
    user = page_actor(request).user
    return _page(request, user, TokenForm(user))


@never_cache
@require_POST
@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Make a token; the answer is the only page that ever shows it."""
    user = page_actor(request).user
    form = TokenForm(user, request.POST)
    if form.is_valid():
        try:
            _token, secret = create_token(user, **form.cleaned_data)
        except DomainError as error:
            tell_form(form, error)
        else:
            return _page(request, user, TokenForm(user), secret)
    return _page(request, user, form)


@require_POST
@login_required
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token at once."""
    revoke_token(page_actor(request).user, token_id)
    messages.success(request, _("The token was revoked."))
    return redirect("tokens")
