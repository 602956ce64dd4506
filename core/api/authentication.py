"""Who asks: a token in the Authorization header, or the browser's session with its CSRF token."""

import hashlib

from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from core.access import Actor, actor_of
from core.models import Token, User

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
LONGEST_TOKEN = 200


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Token <token>``. One statement finds the token by its digest, with its user."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """The user and the token; None without the header; 401 for a wrong, expired or revoked token."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"token":
            return None
        if len(words) != 2 or len(words[1]) > LONGEST_TOKEN:  # noqa: PLR2004 -- scheme and token
            raise AuthenticationFailed("The Authorization header must read: Token <token>")
        try:
            token = Token.objects.select_related("user").get(
                digest=hashlib.sha256(words[1]).hexdigest(),
                revoked_at=None,
                expires_at__gt=Now(),
                user__is_active=True,
            )
        except Token.DoesNotExist:
            raise AuthenticationFailed("This token is unknown, expired or revoked.") from None
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 -- the framework's signature
        """What a 401 asks for."""
        return "Token"


class BrowserAuthentication(SessionAuthentication):
    """The session of a signed-in browser. Changes need the CSRF token and say where they come from."""

    def enforce_csrf(self, request: HttpRequest) -> None:
        """403 without a valid CSRF token in the header, and for a change that names no origin or a foreign one."""
        checked = request.method not in SAFE_METHODS and not getattr(
            request, "_dont_enforce_csrf_checks", False
        )
        if checked and "X-CSRFToken" not in request.headers:
            raise PermissionDenied("Send the CSRF token in the header X-CSRFToken.", code="csrf")
        if checked and "Origin" not in request.headers and "Referer" not in request.headers:
            raise PermissionDenied("The request names no Origin.", code="csrf")
        try:
            super().enforce_csrf(request)  # type: ignore[arg-type]
        except PermissionDenied:
            raise PermissionDenied("The CSRF token or the Origin is wrong.", code="csrf") from None


def request_actor(request: Request) -> Actor:
    """The actor of an API request, for services and getters."""
    return actor_of(request.user, request.auth if isinstance(request.auth, Token) else None)
