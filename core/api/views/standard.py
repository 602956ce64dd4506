"""Free-text answers that are likely one, and what rules would do. Rules are applied as a mapping."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.parsers import body_of
from core.api.serializers import standard as shapes
from core.choices import ItemsChoice
from core.exceptions import Invalid
from core.pipelines.standard import preview, variants

FIELDS = frozenset({"rules", "items"})


class Variants(APIView):
    """Variants of texts."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "items", OpenApiTypes.STR, enum=ItemsChoice.values, default=ItemsChoice.ALL.value
            )
        ],
        responses=shapes.TextVariants,
        operation_id="list_text_variants",
    )
    def get(self, request: Request, slug: str, key: str) -> Response:
        """Groups of answers to a text question that are likely one, with the form to read them as."""
        asked = allowed_parameters(request, ("items",))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return Response(variants(member.project, key, items=asked.get("items", ItemsChoice.ALL)))


class StandardPreview(APIView):
    """What-ifs of rules."""

    @extend_schema(
        request=shapes.StandardPreviewRequest,
        responses=shapes.StandardPreviewOut,
        operation_id="preview_text_rules",
        examples=[OpenApiExample("Two rules", shapes.PREVIEW_EXAMPLE, request_only=True)],
    )
    def post(self, request: Request, slug: str, key: str) -> Response:
        """Which answers rules would read otherwise, and agreement before and after. Nothing is written."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        body = body_of(request)
        unknown = set(body) - FIELDS
        if unknown:
            raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
        items = body.get("items", ItemsChoice.ALL)
        if not isinstance(items, str):
            raise Invalid("bad-items", f"items is one of {', '.join(ItemsChoice.values)}.")
        return Response(preview(member.project, key, body.get("rules"), items=items))
