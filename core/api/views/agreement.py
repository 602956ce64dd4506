"""How far people agree."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate_list, whole_number
from core.api.reports import SHARED, answer, kept_for
from core.api.serializers import agreement as shapes
from core.choices import ItemsChoice, Level, Uncertain
from core.pipelines.agreement import INTERVALS, MOST_REPEATS, WEIGHTS
from core.pipelines.report import PAIR_LINE, Kind

PARAMETERS = (
    "question",
    "level",
    "uncertain",
    "items",
    "slice",
    "by",
    "repeat",
    "weights",
    "interval",
    "readings",
    "annotators",
    "fresh",
)
PAIR_PARAMETERS = ("question", "uncertain", "items", "slice", "annotators", "fresh")


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
            OpenApiParameter("slice", OpenApiTypes.STR, description="`meta.<key>:<value>` or `tag:<name>`"),
            OpenApiParameter(
                "by",
                OpenApiTypes.STR,
                description="`guideline`, `batch`, `month`, `tag` or `meta.<key>`. Adds `groups`, at most 50, and by "
                "guideline `changes`.",
            ),
            OpenApiParameter(
                "weights",
                OpenApiTypes.STR,
                description=f"{', '.join(f'`{name}`' for name in WEIGHTS)}, or a JSON table of numbers from 0 to 1 in "
                "the order of the classes. Default: `ordinal`, `quadratic` or `ratio` by the level, none at the "
                "nominal one.",
            ),
            OpenApiParameter(
                "interval",
                OpenApiTypes.STR,
                enum=INTERVALS,
                default="items",
                description="Of the coefficients but Conger's kappa. `items`: these labelers and other items, corrected "
                "for skewness; `linearised`: not corrected; `item_bootstrap`: items drawn again; `two_way`: other "
                "labelers like these, too (three at least).",
            ),
            OpenApiParameter(
                "readings",
                OpenApiTypes.INT,
                enum=(0, 1),
                default=0,
                description="1 adds `readings`: the three readings of uncertain answers, side by side.",
            ),
            OpenApiParameter("repeat", OpenApiTypes.INT, default=1),
            *SHARED,
        ],
        responses=shapes.AgreementReport,
        operation_id="read_agreement",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Every coefficient with its interval, classes, pairs, people, confusions and uncertainty."""
        found = allowed_parameters(request, PARAMETERS)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return answer(kept_for(member, Kind.AGREEMENT, found, _asked(found)))


class AgreementPairs(APIView):
    """Every two people with common items."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="As for the report, like what follows."
            ),
            OpenApiParameter("uncertain", OpenApiTypes.STR, enum=Uncertain.values, default="class"),
            OpenApiParameter("items", OpenApiTypes.STR, enum=ItemsChoice.values, default="all"),
            OpenApiParameter("slice", OpenApiTypes.STR),
            *SHARED,
            *PAGES,
        ],
        responses=shapes.PairList,
        operation_id="list_agreement_pairs",
    )
    def get(self, request: Request, slug: str) -> Response:
        """All pairs, a line each, by name; the report itself holds only those who share most items."""
        found = allowed_parameters(request, PAIR_PARAMETERS, paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        kept = kept_for(member, Kind.PAIRS, found, _asked(found))
        lines, following = paginate_list(request, kept.body["pairs"], lambda line: (line[0], line[1]))
        results = [dict(zip(PAIR_LINE, line, strict=True)) for line in lines]
        return answer(kept, {"as_of": kept.body["as_of"], "results": results, "next": following})


def _asked(found: Mapping[str, str]) -> dict[str, Any]:
    return {
        "question_key": found.get("question"),
        "level": found.get("level"),
        "uncertain": found.get("uncertain", Uncertain.CLASS.value),
        "items": found.get("items", ItemsChoice.ALL.value),
        "slice": found.get("slice"),
        "by": found.get("by"),
        "repeat": whole_number(found.get("repeat", "1"), "repeat", least=1, most=MOST_REPEATS),
        "weights": found.get("weights"),
        "interval": found.get("interval"),
        "readings": whole_number(found.get("readings", "0"), "readings", most=1) == 1,
    }
