"""The audit log of a project."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import audit as shapes
from core.selectors.audit import events_of

VERB = OpenApiParameter("verb", str, description="Only lines of one kind, for example `member.removed`.")


class Events(APIView):
    """Who did what."""

    @extend_schema(parameters=[VERB, *PAGES], responses=shapes.EventPage, operation_id="list_events")
    def get(self, request: Request, slug: str) -> Response:
        """Lines of the log, the newest first."""
        chosen = allowed_parameters(request, {"verb"}, paged=True)
        viewer = get_membership(request_actor(request), slug, Action.AUDIT_READ)
        page, following = paginate(
            request, events_of(viewer.project, verb=chosen.get("verb", "")), descending=True
        )
        return Response({"results": [shapes.event_out(event) for event in page], "next": following})


class AuditFile(APIView):
    """To be written."""
