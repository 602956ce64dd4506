"""Labels spread to near neighbours."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.serializers import spreading as shapes
from core.api.serializers.job import JobOut
from core.api.views.label_error import question_key
from core.selectors.job import job_document
from core.selectors.spreading import last_spreading, spreading_now
from core.services.spreading import start_spreading


class Spreading(APIView):
    """Label spreading."""

    @extend_schema(responses=shapes.SpreadingOut, operation_id="read_spreading")
    def get(self, request: Request, slug: str) -> Response:
        """How spreading compares with plain training, and the run that it made where it is not worse."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        running, last = spreading_now(member.project), last_spreading(member.project)
        return Response(
            {
                "job": None if running is None else job_document(running),
                "result": None if last is None else last.result,
            }
        )

    @extend_schema(request=shapes.SpreadingRequest, responses={202: JobOut}, operation_id="spread_labels")
    def post(self, request: Request, slug: str) -> Response:
        """Spread labels to near neighbours. One job at a time: the unfinished one when there is one."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        return Response(job_document(start_spreading(member, question_key(request))), status=202)
