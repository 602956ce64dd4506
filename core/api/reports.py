"""What every address of a kept report shares: people's names or pseudonyms, `fresh`, and how new the answer is."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from core.access import LEADS
from core.api.pagination import whole_number
from core.exceptions import Invalid, NotAllowed
from core.models import Membership
from core.pipelines.report import Kept, Kind, kept_report

ANNOTATORS = ("pseudonym", "name")
SHARED = [
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
]


def may_name(member: Membership, annotators: str) -> bool:
    """Whether people are to be called by their names.

    Raises Invalid ``unknown-annotators`` for another word, NotAllowed for those who may not see names.
    """
    if annotators not in ANNOTATORS:
        raise Invalid("unknown-annotators", "annotators must be pseudonym or name.")
    if annotators == "name" and member.role not in LEADS:
        raise NotAllowed(
            "Names are for leads; leave `annotators` out for pseudonyms.", code="names-for-leads"
        )
    return annotators == "name"


def kept_for(member: Membership, kind: Kind, found: Mapping[str, str], asked: Mapping[str, Any]) -> Kept:
    """The kept report on what is asked, as ``annotators`` and ``fresh`` among the parameters want it."""
    names = may_name(member, found.get("annotators", "pseudonym"))
    fresh = whole_number(found.get("fresh", "0"), "fresh", most=1) == 1
    return kept_report(member.project, kind, {**asked, "real_names": names}, fresh=fresh)


def answer(kept: Kept, body: Any = None) -> Response:
    """The report, or the part of it in ``body``, with a header that says whether there are newer answers."""
    state = "older" if kept.stale else "current"
    return Response(kept.body if body is None else body, headers={"Report-State": state})
