"""How good people are, and a run beside them."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.reports import SHARED, answer, kept_for
from core.api.serializers import hlp as shapes
from core.choices import ItemsChoice, Uncertain
from core.exceptions import Invalid
from core.pipelines.hlp import EPSILON, MARGIN
from core.pipelines.report import Kind

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
            *SHARED,
        ],
        responses=shapes.HlpReport,
        operation_id="read_hlp",
    )
    def get(self, request: Request, slug: str) -> Response:
        """People against gold and between each other, the noise ceiling, and with `run` the model beside them."""
        found = allowed_parameters(request, PARAMETERS)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        asked = {
            "question_key": found.get("question"),
            "uncertain": found.get("uncertain", Uncertain.CLASS),
            "items": found.get("items", ItemsChoice.ALL),
            "slice": found.get("slice"),
            "by": found.get("by"),
            "run": found.get("run"),
            "margin": _share(found, "margin", MARGIN),
            "epsilon": _share(found, "epsilon", EPSILON),
        }
        return answer(kept_for(member, Kind.HLP, found, asked))


def _share(found: dict[str, str], name: str, default: float) -> float:
    text = found.get(name)
    if text is None:
        return default
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(text) > 12:  # noqa: PLR2004 -- more digits say nothing
        raise Invalid(f"bad-{name}", f"{name} must be a number such as {default}.")
    return float(text)
