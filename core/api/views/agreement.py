"""How far people agree."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import LEADS, Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters, whole_number
from core.api.serializers import agreement as shapes
from core.choices import ItemsChoice, Level, Uncertain
from core.exceptions import Invalid, NotAllowed
from core.pipelines.agreement import GROUPINGS, MOST_REPEATS, agreement_report


class Agreement(APIView):
    """The agreement report of one question."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="Its key; may be left out where there is only one."
            ),
            OpenApiParameter(
                "level", OpenApiTypes.STR, enum=Level.values, description="Default: by the kind."
            ),
            OpenApiParameter("uncertain", OpenApiTypes.STR, enum=Uncertain.values, default="class"),
            OpenApiParameter("items", OpenApiTypes.STR, enum=ItemsChoice.values, default="all"),
            OpenApiParameter("slice", OpenApiTypes.STR, description="`meta.<key>:<value>`"),
            OpenApiParameter("by", OpenApiTypes.STR, enum=GROUPINGS, description="Adds `groups`."),
            OpenApiParameter("repeat", OpenApiTypes.INT, default=1),
            OpenApiParameter(
                "annotators",
                OpenApiTypes.STR,
                enum=("pseudonym", "name"),
                default="pseudonym",
                description="What people are called; names are for leads.",
            ),
        ],
        responses=shapes.AgreementReport,
        operation_id="read_agreement",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Every coefficient with its interval, classes, pairs, people, confusions and uncertainty."""
        found = allowed_parameters(
            request, ("question", "level", "uncertain", "items", "slice", "by", "repeat", "annotators")
        )
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        annotators = found.get("annotators", "pseudonym")
        if annotators not in {"pseudonym", "name"}:
            raise Invalid("unknown-annotators", "annotators must be pseudonym or name.")
        if annotators == "name" and member.role not in LEADS:
            raise NotAllowed(
                "Names are for leads; leave `annotators` out for pseudonyms.", code="names-for-leads"
            )
        report = agreement_report(
            member.project,
            found.get("question"),
            level=found.get("level"),
            uncertain=found.get("uncertain", Uncertain.CLASS),
            items=found.get("items", ItemsChoice.ALL),
            slice=found.get("slice"),
            by=found.get("by"),
            repeat=whole_number(found.get("repeat", "1"), "repeat", least=1, most=MOST_REPEATS),
            real_names=annotators == "name",
        )
        return Response(report)
