"""Whether this process lives and whether it can serve, for load balancers and for monitors."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from core.selectors import health


@require_safe
def live(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 -- every view takes it
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain; charset=utf-8")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The database answers, holds its promises, and is migrated. Detail only for signed-in leads."""
    checks = health.readiness()
    fine = all(check.ok for check in checks)
    body: dict[str, object] = {"ready": fine}
    if health.may_see_detail(request.user):
        body["checks"] = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
    return JsonResponse(body, status=200 if fine else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, for signed-in leads only."""
    if not health.may_see_detail(request.user):
        return HttpResponse(status=404)
    return HttpResponse(health.metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")
