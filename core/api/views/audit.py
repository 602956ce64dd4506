"""The audit log of a project."""

from datetime import date

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import audit as shapes
from core.exceptions import Invalid
from core.pipelines.audit import FORMATS, audit_file
from core.selectors.audit import LogFilter, filtered_events

FILTERS = [
    OpenApiParameter(
        "verb", str, description="Only lines of one kind, for example `member.removed`, or of many: `member.`"
    ),
    OpenApiParameter("actor", str, description="Only what this person did, by sign-in name."),
    OpenApiParameter("thing", str, description="Only what was done to this, as the log names it."),
    OpenApiParameter("from", OpenApiTypes.DATE, description="From this day on (UTC)."),
    OpenApiParameter("to", OpenApiTypes.DATE, description="Up to this day (UTC)."),
]
NAMES = ("verb", "actor", "thing", "from", "to")
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class Events(APIView):
    """Who did what."""

    @extend_schema(parameters=[*FILTERS, *PAGES], responses=shapes.EventPage, operation_id="list_events")
    def get(self, request: Request, slug: str) -> Response:
        """Lines of the log, the newest first."""
        chosen = allowed_parameters(request, NAMES, paged=True)
        viewer = get_membership(request_actor(request), slug, Action.AUDIT_READ)
        page, following = paginate(request, filtered_events(viewer.project, _filter(chosen)), descending=True)
        return Response({"results": [shapes.event_out(event) for event in page], "next": following})


class AuditFile(APIView):
    """The log as a file."""

    @extend_schema(
        parameters=[*FILTERS, OpenApiParameter("format", str, enum=FORMATS, default="jsonl")],
        responses={(200, kind): OpenApiTypes.STR for kind in CONTENT_TYPES.values()},
        operation_id="export_events",
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:
        """All lines that the filters leave, the oldest first."""
        chosen = allowed_parameters(request, {*NAMES, "format"})
        viewer = get_membership(request_actor(request), slug, Action.AUDIT_READ)
        kind = chosen.get("format", "jsonl")
        lines = audit_file(viewer.project, _filter(chosen), kind)
        return StreamingHttpResponse(
            lines,
            content_type=CONTENT_TYPES[kind],
            headers={
                "Content-Disposition": f'attachment; filename="{slug}-audit.{kind}"',
                "Cache-Control": "no-store",
            },
        )


def _filter(chosen: dict[str, str]) -> LogFilter:
    return LogFilter(
        verb=chosen.get("verb", ""),
        actor=chosen.get("actor", ""),
        thing=chosen.get("thing", ""),
        since=day_of(chosen, "from"),
        until=day_of(chosen, "to"),
    )


def day_of(chosen: dict[str, str], name: str) -> date | None:
    """A parameter that is a day. Raises Invalid ``bad-filter``."""
    if name not in chosen:
        return None
    try:
        return date.fromisoformat(chosen[name])
    except ValueError:
        raise Invalid("bad-filter", f"{name} is a day such as 2026-03-01.") from None
