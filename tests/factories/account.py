"""People and the tokens that act for them."""

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone

from core.choices import Scope
from core.models import Project, Token, User

PASSWORD = "correct horse battery"


def make_user(username: str, *, display_name: str = "", may_create_projects: bool = False) -> User:
    """Somebody who can sign in with ``PASSWORD``."""
    user = User(
        username=username,
        display_name=display_name or username.capitalize(),
        may_create_projects=may_create_projects,
    )
    user.set_password(PASSWORD)
    user.save()
    return user


def make_token(
    user: User, *scopes: str, project: Project | None = None, days: float = 30, name: str = "script"
) -> str:
    """A token for somebody and its secret; without scopes it has all of them. ``days`` below 0: expired."""
    secret = f"la_{secrets.token_urlsafe(32)}"
    Token.objects.create(
        user=user,
        project=project,
        name=name,
        prefix=secret[:11],
        digest=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=list(scopes or Scope.values),
        expires_at=timezone.now() + timedelta(days=days),
    )
    return secret
