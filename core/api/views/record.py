"""A person's own record."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.serializers import record as shapes
from core.pipelines.record import own_record


class OwnRecord(APIView):
    """How far one agrees with others, with oneself and with gold."""

    @extend_schema(responses=shapes.Record, operation_id="read_own_record")
    def get(self, request: Request, slug: str) -> Response:
        """One's own figures and the group's means; those of settled items and of answers before today."""
        allowed_parameters(request, ())
        return Response(own_record(get_membership(request_actor(request), slug, Action.OWN_WORK_READ)))
