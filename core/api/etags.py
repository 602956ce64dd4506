"""Versions as ETags, so that no edit is lost to another."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from core.exceptions import Invalid, PreconditionRequired
from core.models import Item, Project

LONGEST_VERSION = 9
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag that was read.",
)


def etag_of(thing: Item | Project) -> str:
    """The version of a project's settings or of an item's data."""
    return f'"{thing.version}"'


def version_from(request: Request) -> int:
    """The version in If-Match. Raises PreconditionRequired without one, Invalid when it is no version."""
    header = request.headers.get("If-Match")
    if header is None:
        raise PreconditionRequired("Send If-Match with the ETag that you read, so that no edit is lost.")
    digits = header.strip().removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit()) or len(digits) > LONGEST_VERSION:
        raise Invalid("bad-etag", "If-Match is not an ETag of this address")
    return int(digits)
