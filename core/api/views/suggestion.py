"""What a run suggests to annotators."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.etags import IF_MATCH, etag_of, version_from
from core.api.pagination import allowed_parameters
from core.api.parsers import body_of
from core.api.serializers import suggestion as shapes
from core.models import Project
from core.pipelines.suggestion import suggestions_document
from core.services.suggestion import edit_suggestions


class Suggestions(APIView):
    """A project's suggestions."""

    @extend_schema(responses=shapes.SuggestionsOut, operation_id="read_suggestions")
    def get(self, request: Request, slug: str) -> Response:
        """Which run is suggested, of which items, and what the sight of it does to people's answers."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        return _answer(member.project)

    @extend_schema(
        request=shapes.SuggestionsRequest,
        parameters=[IF_MATCH],
        responses=shapes.SuggestionsOut,
        operation_id="edit_suggestions",
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change it. The ETag is that of the project's settings; what was handed out before stays as it is."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        version = version_from(request)
        return _answer(edit_suggestions(member, body_of(request), version))


def _answer(project: Project) -> Response:
    return Response(suggestions_document(project), headers={"ETag": etag_of(project)})
