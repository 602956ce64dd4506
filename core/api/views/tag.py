"""Tags on items."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.parsers import body_of
from core.api.serializers import tag as shapes
from core.exceptions import Invalid
from core.selectors.tag import tag_lines
from core.services.tag import add_tag, remove_tag


class Tags(APIView):
    """A project's tags."""

    @extend_schema(responses=shapes.TagLine(many=True), operation_id="list_tags")
    def get(self, request: Request, slug: str) -> Response:
        """Every tag that some item has, by name."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.ITEMS_READ)
        return Response(tag_lines(member.project_id))

    @extend_schema(request=shapes.TagRequest, responses=shapes.TagChange, operation_id="add_tag")
    def post(self, request: Request, slug: str) -> Response:
        """Put a tag on up to 1,000 items; those that have it keep it."""
        member = get_membership(request_actor(request), slug, Action.ITEMS_TAG)
        name, changed = add_tag(member, *_tag_and_items(request))
        return Response({"name": name, "changed": changed})

    @extend_schema(request=shapes.TagRequest, responses=shapes.TagChange, operation_id="remove_tag")
    def delete(self, request: Request, slug: str) -> Response:
        """Take a tag off up to 1,000 items."""
        member = get_membership(request_actor(request), slug, Action.ITEMS_TAG)
        name, changed = remove_tag(member, *_tag_and_items(request))
        return Response({"name": name, "changed": changed})


def _tag_and_items(request: Request) -> tuple[Any, Any]:
    body = body_of(request)
    unknown = set(body) - {"name", "items"}
    if unknown:
        raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
    return body.get("name"), body.get("items")
