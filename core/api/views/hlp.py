"""How good people are, and a run beside them."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import LEADS, Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters, whole_number
from core.api.serializers import hlp as shapes
from core.choices import ItemsChoice, Uncertain
from core.exceptions import Invalid, NotAllowed
from core.pipelines.hlp import EPSILON, MARGIN
from core.pipelines.report import Kind, kept_report

PARAMETERS = (
    "question",
    "uncertain",
    "items",
    "slice",
    "by",
    "run",
    "margin",
    "epsilon",
    "annotators",
    "fresh",
)


class Hlp(APIView):
    """Human-level performance on one question."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="Its key; may be left out where there is only one."
            ),
            OpenApiParameter("uncertain", OpenApiTypes.STR, enum=Uncertain.values, default="class"),
            OpenApiParameter("items", OpenApiTypes.STR, enum=ItemsChoice.values, default="all"),
            OpenApiParameter("slice", OpenApiTypes.STR, description="`meta.<key>:<value>` or `tag:<name>`"),
            OpenApiParameter(
                "by", OpenApiTypes.STR, description="`batch` or `meta.<key>`: the model within each group."
            ),
            OpenApiParameter("run", OpenApiTypes.STR, description="Id or name: adds `model`."),
            OpenApiParameter(
                "margin",
                OpenApiTypes.FLOAT,
                default=MARGIN,
                description="The difference that does not matter.",
            ),
            OpenApiParameter(
                "epsilon",
                OpenApiTypes.FLOAT,
                default=EPSILON,
                description="Of the alternative annotator test.",
            ),
            OpenApiParameter(
                "annotators",
                OpenApiTypes.STR,
                enum=("pseudonym", "name"),
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
        responses=shapes.HlpReport,
        operation_id="read_hlp",
    )
    def get(self, request: Request, slug: str) -> Response:
        """People against gold and between each other, the noise ceiling, and with `run` the model beside them."""
        found = allowed_parameters(request, PARAMETERS)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        annotators = found.get("annotators", "pseudonym")
        if annotators not in {"pseudonym", "name"}:
            raise Invalid("unknown-annotators", "annotators must be pseudonym or name.")
        if annotators == "name" and member.role not in LEADS:
            raise NotAllowed(
                "Names are for leads; leave `annotators` out for pseudonyms.", code="names-for-leads"
            )
        asked = {
            "question_key": found.get("question"),
            "uncertain": found.get("uncertain", Uncertain.CLASS),
            "items": found.get("items", ItemsChoice.ALL),
            "slice": found.get("slice"),
            "by": found.get("by"),
            "run": found.get("run"),
            "margin": _share(found, "margin", MARGIN),
            "epsilon": _share(found, "epsilon", EPSILON),
            "real_names": annotators == "name",
        }
        fresh = whole_number(found.get("fresh", "0"), "fresh", most=1) == 1
        kept = kept_report(member.project, Kind.HLP, asked, fresh=fresh)
        return Response(kept.body, headers={"Report-State": "older" if kept.stale else "current"})


def _share(found: dict[str, str], name: str, default: float) -> float:
    text = found.get(name)
    if text is None:
        return default
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(text) > 12:  # noqa: PLR2004 -- more digits say nothing
        raise Invalid(f"bad-{name}", f"{name} must be a number such as {default}.")
    return float(text)
