"""The people of a project, and the links that let people in."""

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_member, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import membership as shapes
from core.exceptions import Invalid
from core.selectors.erasure import count_erasure
from core.selectors.membership import find_member, members_of, open_invitations
from core.selectors.site import public_address
from core.services import membership as members
from core.services.account import make_reset_link
from core.services.erasure import erase_person
from core.services.pause import pause_member, resume_member

ACTIVE = OpenApiParameter("active", bool, description="Only present (true) or only former members (false).")


class Members(APIView):
    """Everybody who is or was in a project."""

    @extend_schema(parameters=[ACTIVE, *PAGES], responses=shapes.MemberPage, operation_id="list_members")
    def get(self, request: Request, slug: str) -> Response:
        """Members in the order in which they came."""
        chosen = allowed_parameters(request, {"active"}, paged=True)
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_READ)
        rows = members_of(viewer.project)
        if "active" in chosen:
            if chosen["active"] not in {"true", "false"}:
                raise Invalid("bad-filter", "active is true or false.")
            rows = rows.filter(active=chosen["active"] == "true")
        page, following = paginate(request, rows)
        return Response({"results": [shapes.member_out(member) for member in page], "next": following})

    @extend_schema(request=shapes.MemberIn, responses={201: shapes.MemberOut}, operation_id="add_member")
    def post(self, request: Request, slug: str) -> Response:
        """Add somebody who works in another project that the caller leads; invite everybody else by link."""
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_EDIT)
        body = shapes.MemberIn(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(shapes.member_out(members.add_member(viewer, **body.validated_data)), status=201)


class OneMember(APIView):
    """One member."""

    @extend_schema(responses=shapes.MemberOut, operation_id="read_member")
    def get(self, request: Request, slug: str, member_id: int) -> Response:
        """One member."""
        allowed_parameters(request, ())
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_READ)
        return Response(shapes.member_out(find_member(viewer.project, member_id)))

    @extend_schema(request=shapes.MemberPatch, responses=shapes.MemberOut, operation_id="change_member")
    def patch(self, request: Request, slug: str, member_id: int) -> Response:
        """Give another role (never above the caller's own) or another cap."""
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_EDIT)
        body = shapes.MemberPatch(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        changes = members.MemberChanges(
            role=given.get("role"), cap=given.get("cap"), uncap="cap" in given and given["cap"] is None
        )
        return Response(shapes.member_out(members.change_member(viewer, member_id, changes)))

    @extend_schema(responses={204: None}, operation_id="remove_member")
    def delete(self, request: Request, slug: str, member_id: int) -> Response:
        """Take somebody out. What they hold goes back; what they answered stays."""
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_EDIT)
        members.remove_member(viewer, member_id)
        return Response(status=204)


class MemberResetLink(APIView):
    """Password recovery without e-mail."""

    @extend_schema(request=None, responses={201: shapes.LinkOut}, operation_id="make_reset_link")
    def post(self, request: Request, member_id: int) -> Response:
        """A link, valid once and for a day, by which the member chooses a new password."""
        viewer, member = get_member(request_actor(request), member_id, Action.MEMBERS_EDIT)
        path = make_reset_link(viewer, member)
        return _secret({"link": public_address(request, path)})


class Invitations(APIView):
    """Links that make somebody a member, once."""

    @extend_schema(responses=shapes.InvitationOut(many=True), operation_id="list_invitations")
    def get(self, request: Request, slug: str) -> Response:
        """The open invitations, the newest first, without their links."""
        allowed_parameters(request, ())
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_READ)
        return Response([shapes.invitation_out(one) for one in open_invitations(viewer.project)])

    @extend_schema(
        request=shapes.InvitationIn, responses={201: shapes.NewInvitation}, operation_id="create_invitation"
    )
    def post(self, request: Request, slug: str) -> Response:
        """A link for one person; it is told in this answer only."""
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_EDIT)
        body = shapes.InvitationIn(data=request.data)
        body.is_valid(raise_exception=True)
        invitation, secret = members.invite(viewer, **body.validated_data)
        link = public_address(request, reverse("accept_invitation", args=[secret]))
        return _secret({**shapes.invitation_out(invitation), "link": link})


class OneInvitation(APIView):
    """An open invitation."""

    @extend_schema(responses={204: None}, operation_id="withdraw_invitation")
    def delete(self, request: Request, slug: str, invitation_id: int) -> Response:
        """Make it useless."""
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_EDIT)
        members.withdraw_invitation(viewer, invitation_id)
        return Response(status=204)


def _secret(body: dict[str, object]) -> Response:
    return Response(body, status=201, headers={"Cache-Control": "no-store"})


class PauseMember(APIView):
    """Somebody's work, stopped."""

    @extend_schema(request=None, responses=shapes.MemberOut, operation_id="pause_member")
    def post(self, request: Request, member_id: int) -> Response:
        """They get no further items, what they hold goes back, and they are told. What they answered stays."""
        viewer, member = get_member(request_actor(request), member_id, Action.MEMBERS_EDIT)
        pause_member(viewer, member.pk)
        return Response(shapes.member_out(find_member(viewer.project, member.pk)))


class ResumeMember(APIView):
    """And let go on."""

    @extend_schema(request=None, responses=shapes.MemberOut, operation_id="resume_member")
    def post(self, request: Request, member_id: int) -> Response:
        """They get items again; their gold answers count anew from here."""
        viewer, member = get_member(request_actor(request), member_id, Action.MEMBERS_EDIT)
        resume_member(viewer, member.pk)
        return Response(shapes.member_out(find_member(viewer.project, member.pk)))


class ErasePerson(APIView):
    """Who somebody was, forgotten."""

    @extend_schema(
        request=shapes.ErasureIn,
        responses={200: shapes.ErasureOut},
        operation_id="erase_person",
    )
    def post(self, request: Request, member_id: int) -> Response:
        """Put a pseudonym in place of a person; what they answered stays. It cannot be undone."""
        viewer, member = get_member(request_actor(request), member_id, Action.MEMBERS_EDIT)
        body = shapes.ErasureIn(data=request.data)
        body.is_valid(raise_exception=True)
        if body.validated_data["dry_run"]:
            counts = count_erasure(viewer, member)
            return Response(shapes.erasure_out(member.name, counts))
        erased, counts = erase_person(viewer, member.pk, body.validated_data.get("name", ""))
        return Response(shapes.erasure_out(erased.name, counts))
