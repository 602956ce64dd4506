"""What members are told within the app."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import notice as shapes
from core.exceptions import Invalid
from core.selectors.notice import n_unread, notices_of, told_to
from core.services.notice import read_notices


class Notices(APIView):
    """The caller's own notices."""

    @extend_schema(
        parameters=[OpenApiParameter("unread", bool, description="Only those that are unread."), *PAGES],
        responses=shapes.NoticeList,
        operation_id="list_notices",
    )
    def get(self, request: Request, slug: str) -> Response:
        """What the caller was told in this project, newest first; the last 200 are kept."""
        found = allowed_parameters(request, ("unread",), paged=True)
        member = get_membership(request_actor(request), slug, Action.OWN_WORK_READ)
        wanted = found.get("unread", "false")
        if wanted not in {"true", "false"}:
            raise Invalid("bad-filter", "unread is true or false.")
        page, following = paginate(request, notices_of(member, unread=wanted == "true"), descending=True)
        results = [
            {
                "id": row.pk,
                "kind": row.kind,
                "data": told_to(member, row),
                "created_at": row.created_at,
                "read_at": row.read_at,
            }
            for row in page
        ]
        return Response({"next": following, "unread": n_unread(member), "results": results})

    @extend_schema(request=shapes.ReadRequest, responses=shapes.ReadOut, operation_id="read_notices")
    def post(self, request: Request, slug: str) -> Response:
        """Mark one, those up to one, or all as read."""
        member = get_membership(request_actor(request), slug, Action.OWN_WORK_READ)
        body = shapes.ReadRequest(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        read = read_notices(member, notice_id=sent.get("notice"), until=sent.get("until"))
        return Response({"read": read, "unread": n_unread(member)})
