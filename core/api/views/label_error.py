"""Labels that are likely wrong."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import label_error as shapes
from core.api.serializers.job import JobOut
from core.choices import Doubt
from core.exceptions import Invalid
from core.selectors.job import job_document
from core.selectors.label_error import (
    error_documents,
    errors_of,
    last_search,
    looking_for_errors,
    search_document,
)
from core.services.label_error import start_search


class LabelErrors(APIView):
    """Labels that are likely wrong."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "doubt",
                OpenApiTypes.STR,
                enum=Doubt.values,
                default=Doubt.CONFIDENCE,
                description="Which of the three lists.",
            ),
            *PAGES,
        ],
        responses=shapes.LabelErrorList,
        operation_id="list_label_errors",
    )
    def get(self, request: Request, slug: str) -> Response:
        """What the newest look found, the likeliest first: by confidence, near-duplicates, or consensus."""
        found = allowed_parameters(request, ("doubt",), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        doubt = found.get("doubt", Doubt.CONFIDENCE)
        if doubt not in Doubt.values:
            raise Invalid("bad-filter", f"doubt must be one of {', '.join(Doubt.values)}.")
        running, search = looking_for_errors(member.project), last_search(member.project)
        job = None if running is None else job_document(running)
        if search is None:
            return Response({"job": job, "search": None, "next": None, "results": []})
        page, following = paginate(request, errors_of(search, Doubt(doubt)), order=("rank",))
        return Response(
            {
                "job": job,
                "search": search_document(search),
                "next": following,
                "results": error_documents(member, search, page),
            }
        )

    @extend_schema(request=shapes.SearchRequest, responses={202: JobOut}, operation_id="find_label_errors")
    def post(self, request: Request, slug: str) -> Response:
        """Look for wrong labels. One job at a time: the unfinished one when there is one."""
        member = get_membership(request_actor(request), slug, Action.ITEMS_EDIT)
        return Response(job_document(start_search(member, question_key(request))), status=202)


def question_key(request: Request) -> str | None:
    """The question that a body names, its only field. Raises Invalid ``unknown-field``, ``unknown-question``."""
    body = body_of(request)
    unknown = set(body) - {"question"}
    if unknown:
        raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
    key = body.get("question")
    if key is not None and not isinstance(key, str):
        row = {
            "pointer": "/question",
            "code": "unknown-question",
            "detail": "question is the key of a question.",
        }
        raise Invalid("unknown-question", row["detail"], errors=[row])
    return key
