"""What every page needs."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from core.selectors.health import may_see_detail, worker_seen


def labelapp(request: HttpRequest) -> dict[str, Any]:
    """The version, and whether a worker is missing: asked only by pages that show it, for leads only."""

    @cache
    def worker_missing() -> bool:
        return may_see_detail(request.user) and not worker_seen()[0]

    return {"labelapp_version": settings.VERSION, "worker_missing": worker_missing}
