"""All addresses: the API under /api/v1, the pages at the root."""

from django.urls import include, path

from core.web.views import health

urlpatterns = [
    path("livez", health.live, name="livez"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("core.api.urls")),
    path("", include("core.web.urls")),
]
handler400 = "labelapp.errors.bad_request"
handler403 = "labelapp.errors.forbidden"
handler404 = "labelapp.errors.not_found"
handler500 = "labelapp.errors.server_error"
