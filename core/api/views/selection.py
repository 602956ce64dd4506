"""What is labeled next: rounds, their picks, and the report."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import selection as shapes
from core.exceptions import Invalid
from core.pipelines.selection_report import round_document, round_line, selection_report
from core.selectors.job import job_document
from core.selectors.selection import round_of, rounds_of
from core.services.selection import choose_now

FIELDS = frozenset({"strategy", "size", "seed", "apply"})


class Selections(APIView):
    """A project's rounds."""

    @extend_schema(parameters=PAGES, responses=shapes.SelectionList, operation_id="list_selections")
    def get(self, request: Request, slug: str) -> Response:
        """All rounds, newest first."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        page, following = paginate(request, rounds_of(member.project), order=("number",), descending=True)
        return Response({"next": following, "results": [round_line(one) for one in page]})

    @extend_schema(
        request=shapes.SelectionRequest,
        responses={202: shapes.SelectionStarted},
        operation_id="start_selection",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Choose what to label next; one round at a time. Whether it goes on by itself is a setting of the project."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        body = body_of(request)
        unknown = [name for name in body if name not in FIELDS]
        if unknown:
            raise Invalid("unknown-field", f"There is no field {unknown[0][:60]!r} here.")
        apply = body.get("apply", True)
        if not isinstance(apply, bool):
            row = {"pointer": "/apply", "code": "bad-apply", "detail": "apply is true or false."}
            raise Invalid("bad-apply", row["detail"], errors=[row])
        started = choose_now(member, body.get("strategy"), body.get("size"), body.get("seed"), apply=apply)
        selection = round_of(member.project, started.number)
        job = None if selection.job is None else job_document(selection.job)
        return Response({"job": job, "selection": round_line(selection)}, status=202)


class SelectionReport(APIView):
    """What selection brings."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question",
                OpenApiTypes.STR,
                description="Its key; otherwise the one that items are chosen for.",
            )
        ],
        responses=shapes.SelectionReportOut,
        operation_id="read_selection_report",
    )
    def get(self, request: Request, slug: str) -> Response:
        """What waits, the learning curve, what random would have cost, what is hard, and the books."""
        found = allowed_parameters(request, ("question",))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return Response(selection_report(member.project, found.get("question")))


class OneSelection(APIView):
    """One round."""

    @extend_schema(responses=shapes.SelectionOut, operation_id="read_selection")
    def get(self, request: Request, slug: str, number: int) -> Response:
        """How it was made, and its picks with score, stream, inclusion probability and reason."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return Response(round_document(round_of(member.project, number), member))
