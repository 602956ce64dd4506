"""Background work."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership_by_project
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.serializers import job as shapes
from core.selectors.job import job_by_id, job_document
from core.services.job import request_cancel


class OneJob(APIView):
    """One job."""

    @extend_schema(responses=shapes.JobOut, operation_id="read_job")
    def get(self, request: Request, job_id: UUID) -> Response:
        """How far it is, what it gave, or why it failed."""
        allowed_parameters(request, ())
        job = job_by_id(job_id)
        get_membership_by_project(request_actor(request), job.project_id, Action.JOBS_READ)
        return Response(job_document(job))


class CancelJob(APIView):
    """End a job."""

    @extend_schema(request=None, responses=shapes.JobOut, operation_id="cancel_job")
    def post(self, request: Request, job_id: UUID) -> Response:
        """At once when it waits, at its next step when it runs; nothing of it is published."""
        job = job_by_id(job_id)
        get_membership_by_project(request_actor(request), job.project_id, Action.JOBS_EDIT)
        return Response(job_document(request_cancel(job.pk)))
