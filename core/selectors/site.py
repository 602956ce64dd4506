"""How this installation is called from outside."""

from django.conf import settings
from django.http import HttpRequest


def public_address(request: HttpRequest, path: str) -> str:
    """A link for other people: on LABELAPP_URL when it is set, else on the host of the request.

    A Host header can be forged where ALLOWED_HOSTS is wide, so installations that send links set LABELAPP_URL.
    """
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
