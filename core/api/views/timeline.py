"""The agreement timeline: what was changed when, and whether it helped."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters, whole_number
from core.api.reports import SHARED, answer
from core.api.serializers import timeline as shapes
from core.pipelines.report import Kind, kept_report

FRESH = [parameter for parameter in SHARED if parameter.name == "fresh"]


class Timeline(APIView):
    """The agreement timeline of one question."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="Its key; may be left out where there is only one."
            ),
            *FRESH,
        ],
        responses=shapes.TimelineReport,
        operation_id="read_timeline",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Agreement on the audit slice over time, with every change: before against after, and whether it helped."""
        found = allowed_parameters(request, ("question", "fresh"))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        fresh = whole_number(found.get("fresh", "0"), "fresh", most=1) == 1
        asked = {"question": found.get("question")}
        return answer(kept_report(member.project, Kind.TIMELINE, asked, fresh=fresh))
