"""What every page needs."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def labelapp(request: HttpRequest) -> dict[str, Any]:
    """The version shown in the footer."""
    return {"labelapp_version": settings.VERSION}
