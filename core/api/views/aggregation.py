"""How one label is made of many answers, and what that says of the people."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters, whole_number
from core.api.serializers import aggregation as shapes
from core.api.views.export import ANNOTATORS, may_name
from core.exceptions import Invalid
from core.pipelines.report import Kind, kept_report


class Aggregation(APIView):
    """The rules of aggregation for one question."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="Its key; may be left out where there is only one."
            ),
            OpenApiParameter(
                "annotators",
                OpenApiTypes.STR,
                enum=ANNOTATORS,
                default="pseudonym",
                description="What people are called; names are for leads.",
            ),
            OpenApiParameter(
                "fresh",
                OpenApiTypes.INT,
                enum=(0, 1),
                default=0,
                description="1 computes now. Otherwise a report that takes long may be the one as of before "
                "(`as_of`; header `Report-State: older`) while a worker makes the newer one.",
            ),
        ],
        responses=shapes.AggregationReport,
        operation_id="read_aggregation",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Majority, one-coin and Dawid-Skene beside gold, competence of people, and items whose label changes."""
        found = allowed_parameters(request, ("question", "annotators", "fresh"))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        annotators = found.get("annotators", "pseudonym")
        if annotators not in ANNOTATORS:
            raise Invalid("unknown-annotators", "annotators must be pseudonym or name.")
        asked = {"question_key": found.get("question"), "real_names": may_name(member, annotators)}
        fresh = whole_number(found.get("fresh", "0"), "fresh", most=1) == 1
        kept = kept_report(member.project, Kind.AGGREGATION, asked, fresh=fresh)
        return Response(kept.body, headers={"Report-State": "older" if kept.stale else "current"})
