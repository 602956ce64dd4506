"""Who did how much on which day."""

from datetime import date

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import LEADS, Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.serializers import throughput as shapes
from core.api.views.audit import day_of
from core.exceptions import Invalid
from core.pipelines.throughput import work_file
from core.selectors.throughput import work_of

FORMATS = ("json", "csv")


class Work(APIView):
    """People's work."""

    @extend_schema(
        parameters=[
            OpenApiParameter("from", OpenApiTypes.DATE, description="From this day on (UTC)."),
            OpenApiParameter("to", OpenApiTypes.DATE, description="Up to this day (UTC)."),
            OpenApiParameter("format", str, enum=FORMATS, default="json"),
        ],
        responses={
            (200, "application/json"): shapes.WorkOut(many=True),
            (200, "text/csv"): OpenApiTypes.STR,
        },
        operation_id="read_work",
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        """Answers, skips, median seconds and uncertain answers per person and day; leads see all, others themselves."""
        chosen = allowed_parameters(request, ("from", "to", "format"))
        kind = chosen.get("format", "json")
        if kind not in FORMATS:
            raise Invalid("unknown-format", f"format is one of {', '.join(FORMATS)}.", allowed=list(FORMATS))
        viewer = get_membership(request_actor(request), slug, Action.OWN_WORK_READ)
        rows = work_of(
            viewer.project,
            member=None if viewer.role in LEADS else viewer.pk,
            since=day_of(chosen, "from") or date.min,
            until=day_of(chosen, "to") or date.max,
        )
        if kind == "json":
            return Response([shapes.work_out(row) for row in rows])
        return StreamingHttpResponse(
            work_file(rows),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{slug}-work.csv"',
                "Cache-Control": "no-store",
            },
        )
