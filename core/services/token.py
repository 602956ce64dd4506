"""Tokens for scripts: made, shown once, revoked."""

import secrets
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from core.choices import Scope
from core.exceptions import Conflict, Invalid, Missing
from core.models import Membership, Project, Token, User
from core.selectors.account import digest_of
from core.services.audit import record

PREFIX_LENGTH = 11  # "la_" and 8 of 43 characters: enough to recognise, far too few to guess the rest
LONGEST_DAYS = 366
LONGEST_NAME = 80
MOST_TOKENS = 50


def new_secret() -> str:
    """256 random bits that fit into an address."""
    return secrets.token_urlsafe(32)


@transaction.atomic
def create_token(
    user: User, *, name: str, scopes: Collection[str], days: int, project: Project | None = None
) -> tuple[Token, str]:
    """A new token and its secret, which is stored nowhere. Raises Invalid, Missing, Conflict.

    The token can do no more than its user at any time; ``project`` limits it to one project.
    """
    name = " ".join(name.split())
    unknown = sorted(set(scopes) - set(Scope.values))
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid("bad-name", f"A token's name has 1 to {LONGEST_NAME} printable characters.")
    if unknown or not scopes:
        raise Invalid("unknown-scope", f"Scopes are one or more of {', '.join(Scope.values)}.")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid("bad-days", f"A token lasts 1 to {LONGEST_DAYS} days.")
    if (
        project is not None
        and not Membership.objects.filter(project=project, user=user, active=True).exists()
    ):
        raise Missing
    now = User.objects.select_for_update().annotate(now=Now()).values_list("now", flat=True).get(pk=user.pk)
    if Token.objects.filter(user=user, revoked_at=None, expires_at__gt=now).count() >= MOST_TOKENS:
        raise Conflict(
            "too-many-tokens", f"Nobody has more than {MOST_TOKENS} valid tokens. Revoke one first."
        )
    secret = f"la_{new_secret()}"
    token = Token.objects.create(
        user=user,
        project=project,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        digest=digest_of(secret),
        scopes=[scope for scope in Scope.values if scope in scopes],
        expires_at=now + timedelta(days=days),
    )
    record(user, project, "token.created", token.prefix, scopes=token.scopes, days=days)
    return token, secret


@transaction.atomic
def revoke_token(user: User, token_id: int) -> Token:
    """End one of somebody's own tokens at once; raises Missing. Doing it twice is no error."""
    token = Token.objects.select_for_update(of=("self",)).filter(user=user, pk=token_id).first()
    if token is None:
        raise Missing
    if token.revoked_at is None:
        Token.objects.filter(pk=token.pk).update(revoked_at=Now())
        token.refresh_from_db(fields=["revoked_at"])
        record(user, token.project, "token.revoked", token.prefix)
    return token


def revoke_all(user: User) -> int:
    """End every token of somebody; how many were still valid. Call it inside a transaction."""
    return Token.objects.filter(user=user, revoked_at=None).update(revoked_at=Now())
