"""Labeling functions: rules that vote for a class, tried out, judged, and applied to all items."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.etags import IF_MATCH, version_from
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import function as shapes
from core.api.serializers.job import JobOut
from core.exceptions import Invalid
from core.models import LabelingFunction
from core.pipelines.function import apply_functions, preview, save_function
from core.pipelines.function_report import function_report
from core.selectors.function import function_document, function_of, functions_of
from core.selectors.job import job_document
from core.services.function import remove_function

QUESTION = OpenApiParameter(
    "question", OpenApiTypes.STR, description="Its key; may be left out where there is only one."
)


def _answer(function: LabelingFunction, status: int = 200) -> Response:
    return Response(function_document(function), status=status, headers={"ETag": f'"{function.version}"'})


class Functions(APIView):
    """A project's labeling functions."""

    @extend_schema(parameters=PAGES, responses=shapes.FunctionList, operation_id="list_functions")
    def get(self, request: Request, slug: str) -> Response:
        """All functions, in the order in which they were made."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        page, following = paginate(request, functions_of(member.project_id))
        return Response({"next": following, "results": [function_document(one) for one in page]})

    @extend_schema(
        request=shapes.FunctionRequest, responses={201: shapes.FunctionOut}, operation_id="create_function"
    )
    def post(self, request: Request, slug: str) -> Response:
        """Make a function."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        return _answer(save_function(member, body_of(request)), 201)


class OneFunction(APIView):
    """One labeling function."""

    @extend_schema(responses=shapes.FunctionOut, operation_id="read_function")
    def get(self, request: Request, slug: str, function_id: int) -> Response:
        """What it looks for, and which class it votes for."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return _answer(function_of(member.project_id, function_id))

    @extend_schema(
        request=shapes.FunctionRequest,
        parameters=[IF_MATCH],
        responses=shapes.FunctionOut,
        operation_id="edit_function",
    )
    def patch(self, request: Request, slug: str, function_id: int) -> Response:
        """Change what is named; ``arguments`` are replaced as a whole."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        function_of(member.project_id, function_id)
        version = version_from(request)
        return _answer(save_function(member, body_of(request), function_id, version))

    @extend_schema(responses={204: None}, operation_id="remove_function")
    def delete(self, request: Request, slug: str, function_id: int) -> Response:
        """Remove it; runs that it has helped to make stay."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        remove_function(member, function_id)
        return Response(status=204)


class FunctionsReport(APIView):
    """What the functions of one question do together."""

    @extend_schema(
        parameters=[QUESTION], responses=shapes.FunctionReport, operation_id="read_function_report"
    )
    def get(self, request: Request, slug: str) -> Response:
        """Coverage, overlap, conflict and accuracy of functions, the label model beside majority, what to fix first."""
        found = allowed_parameters(request, ("question",))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return Response(function_report(member.project, found.get("question")))


class PreviewFunction(APIView):
    """A function that is not kept."""

    @extend_schema(
        request=shapes.FunctionRequest,
        responses={200: shapes.FunctionPreview},
        operation_id="preview_function",
    )
    def post(self, request: Request, slug: str) -> Response:
        """How many of the first items it would match, and ten of them with the match marked."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        return Response(preview(member.project, body_of(request)))


class ApplyFunctions(APIView):
    """Labels by functions, for all items."""

    @extend_schema(request=shapes.ApplyRequest, responses={202: JobOut}, operation_id="apply_functions")
    def post(self, request: Request, slug: str) -> Response:
        """Let a worker make a run of probabilistic labels; they are predictions, never anybody's answers."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        body = body_of(request)
        unknown = set(body) - {"question", "rule"}
        if unknown:
            raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
        job = apply_functions(member, body.get("question"), body.get("rule", "default"))
        return Response(job_document(job), status=202)
