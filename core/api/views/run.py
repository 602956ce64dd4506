"""Runs of models, and what they predict."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import run as shapes
from core.pipelines.run import register_run
from core.selectors.run import run_documents, run_of, runs_of


class Runs(APIView):
    """A project's runs."""

    @extend_schema(parameters=PAGES, responses=shapes.RunList, operation_id="list_runs")
    def get(self, request: Request, slug: str) -> Response:
        """All runs, newest first."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        page, following = paginate(request, runs_of(member.project_id), descending=True)
        return Response({"next": following, "results": run_documents(page)})

    @extend_schema(request=shapes.RunRequest, responses={201: shapes.RunOut}, operation_id="create_run")
    def post(self, request: Request, slug: str) -> Response:
        """Register an outside model's run, with its predictions or without; all of it or nothing."""
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        run = register_run(member, body_of(request))
        return Response(run_documents([run_of(member.project_id, run.pk)])[0], status=201)


class OneRun(APIView):
    """One run."""

    @extend_schema(responses=shapes.RunOut, operation_id="read_run")
    def get(self, request: Request, slug: str, run_id: int) -> Response:
        """What made it, and how many predictions it has for every question."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return Response(run_documents([run_of(member.project_id, run_id)])[0])
