"""How one label is made of many answers, and what that says of the people."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.reports import SHARED, answer, kept_for
from core.api.serializers import aggregation as shapes
from core.pipelines.report import Kind


class Aggregation(APIView):
    """The rules of aggregation for one question."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="Its key; may be left out where there is only one."
            ),
            *SHARED,
        ],
        responses=shapes.AggregationReport,
        operation_id="read_aggregation",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Majority, one-coin and Dawid-Skene beside gold, competence of people, and items whose label changes."""
        found = allowed_parameters(request, ("question", "annotators", "fresh"))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return answer(kept_for(member, Kind.AGGREGATION, found, {"question_key": found.get("question")}))
