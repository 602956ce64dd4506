"""Runs of models, and what they predict."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import run as shapes
from core.api.serializers.job import JobOut
from core.pipelines.run import model_archive, register_run, train_run
from core.selectors.job import job_document
from core.selectors.run import run_documents, run_of, runs_of
from core.services.run import start_scoring


class Runs(APIView):
    """A project's runs."""

    @extend_schema(parameters=PAGES, responses=shapes.RunList, operation_id="list_runs")
    def get(self, request: Request, slug: str) -> Response:
        """All runs, newest first."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        page, following = paginate(request, runs_of(member.project_id), descending=True)
        return Response({"next": following, "results": run_documents(page)})

    @extend_schema(
        request=shapes.RunRequest, responses={201: shapes.RunOut, 202: JobOut}, operation_id="create_run"
    )
    def post(self, request: Request, slug: str) -> Response:
        """Register an outside model's run, with its predictions or without; all of it or nothing.

        With ``train`` instead: train a model here in the background (202 and a job).
        """
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        body = body_of(request)
        if "train" in body:
            return Response(job_document(train_run(member, body)), status=202)
        run = register_run(member, body)
        return Response(run_documents([run_of(member.project_id, run.pk)], details=True)[0], status=201)


class OneRun(APIView):
    """One run."""

    @extend_schema(responses=shapes.RunOut, operation_id="read_run")
    def get(self, request: Request, slug: str, run_id: int) -> Response:
        """What made it, how good it is on the holdout, and how many predictions it has for every question."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return Response(run_documents([run_of(member.project_id, run_id)], details=True)[0])


class RunModelFile(APIView):
    """The model of a run."""

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY}, operation_id="read_run_model")
    def get(self, request: Request, slug: str, run_id: int) -> HttpResponse:
        """A zip file of plain arrays and JSON: model, features, classes (docs/models.md). 404 once it is dropped."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.LABELS_READ)
        run = run_of(member.project_id, run_id)
        return HttpResponse(
            model_archive(run),
            content_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{slug}-run-{run.pk}.zip"'},
        )


class ScoreRun(APIView):
    """Predictions of a run's model."""

    @extend_schema(request=shapes.ScoreRequest, responses={202: JobOut}, operation_id="score_run")
    def post(self, request: Request, slug: str, run_id: int) -> Response:
        """Score up to 1,000 items or data; the job's result has the predictions.

        With "items": "all" they become the run's own, to be compared with people.
        """
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        return Response(job_document(start_scoring(member, run_id, body_of(request))), status=202)
