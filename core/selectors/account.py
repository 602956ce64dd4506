"""People who sign in, and the secrets that let them: looked up by digest, never by the secret itself."""

import hashlib

from django.db.models import QuerySet
from django.db.models.functions import Now

from core.exceptions import Missing
from core.models import Invitation, SignInLink, Token, User


def digest_of(secret: str) -> str:
    """What is stored of a secret. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def links() -> QuerySet[SignInLink]:
    """Sign-in links that still work."""
    return SignInLink.objects.filter(used_at=None, expires_at__gt=Now())


def find_first_link(secret: str) -> SignInLink:
    """The link of the first lead; raises Missing when it is unknown, used or expired, or when people exist."""
    link = links().filter(digest=digest_of(secret), user=None).first()
    if link is None or User.objects.exists():
        raise Missing
    return link


def find_reset_link(secret: str) -> SignInLink:
    """A reset link with its user; raises Missing when it is unknown, used or expired."""
    link = links().select_related("user").filter(digest=digest_of(secret), user__is_active=True).first()
    if link is None:
        raise Missing
    return link


def find_invitation(secret: str) -> Invitation:
    """An invitation with its project; raises Missing when it is unknown, used or expired."""
    invitation = (
        Invitation.objects.select_related("project", "made_by")
        .filter(digest=digest_of(secret), used_at=None, expires_at__gt=Now())
        .first()
    )
    if invitation is None:
        raise Missing
    return invitation


def find_user(username: str) -> User | None:
    """Somebody by sign-in name, whatever its case."""
    return User.objects.filter(username__iexact=username).first()


def tokens_of(user: User) -> QuerySet[Token]:
    """Somebody's tokens, the newest first."""
    return Token.objects.filter(user=user).select_related("project").order_by("-pk")


def valid_tokens_of(user: User) -> QuerySet[Token]:
    """Those that still work, by the database's clock."""
    return tokens_of(user).filter(revoked_at=None, expires_at__gt=Now())
