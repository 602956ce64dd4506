"""Questions that annotators ask about items, and what leads answer."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import LEADS, Action, Actor, get_lease, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import inquiry as shapes
from core.choices import InquiryState
from core.exceptions import Invalid, Missing, PreconditionRequired
from core.models import Inquiry, Item, Membership
from core.selectors.inquiry import inquiries_of, inquiry_document, inquiry_of
from core.services.inquiry import answer_inquiry, ask, own_item, revision_of

KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="One per question.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description='The `revision` that was read, "0" where nobody has answered.',
)


class Inquiries(APIView):
    """Questions about items."""

    @extend_schema(
        parameters=[OpenApiParameter("state", str, enum=InquiryState.values), *PAGES],
        responses=shapes.InquiryList,
        operation_id="list_inquiries",
    )
    def get(self, request: Request, slug: str) -> Response:
        """The questions of the project for leads (with scope `lead`), the caller's own for others; newest first."""
        found = allowed_parameters(request, ("state",), paged=True)
        actor = request_actor(request)
        member = get_membership(actor, slug, Action.OWN_WORK_READ)
        everybody = member.role in LEADS and actor.may(Action.GUIDELINE_EDIT)
        rows = inquiries_of(member, everybody=everybody)
        if "state" in found:
            if found["state"] not in InquiryState.values:
                raise Invalid("bad-filter", f"state is one of {', '.join(InquiryState.values)}.")
            rows = rows.filter(state=found["state"])
        page, following = paginate(request, rows, descending=True)
        return Response({"next": following, "results": [_told(row, member) for row in page]})

    @extend_schema(
        request=shapes.AskRequest,
        parameters=[KEY],
        responses={200: shapes.AskedOut, 201: shapes.AskedOut},
        operation_id="ask",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask the leads about an item that the caller has in hand or has answered. 200 for the same key again."""
        actor = request_actor(request)
        member = get_membership(actor, slug, Action.ANNOTATE)
        body = shapes.AskRequest(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        asked = ask(
            member, _item(actor, member, sent), sent["text"], request.headers.get("Idempotency-Key", "")
        )
        told = _told(inquiry_of(asked.inquiry.pk), member)
        return Response({"inquiry": told}, status=201 if asked.made else 200)


def _item(actor: Actor, member: Membership, sent: dict[str, Any]) -> Item:
    if ("lease" in sent) == ("item" in sent):
        raise Invalid("lease-or-item", "Say either lease or item.")
    if "item" in sent:
        return own_item(member, sent["item"])
    lease = get_lease(actor, sent["lease"])
    if lease.annotator_id != member.pk:
        raise Missing
    return lease.item


class OneInquiry(APIView):
    """One question."""

    @extend_schema(
        request=shapes.AnswerRequest,
        parameters=[IF_MATCH],
        responses=shapes.InquiryOut,
        operation_id="answer_inquiry",
    )
    def patch(self, request: Request, inquiry_id: int) -> Response:
        """Answer it; who asked is told. To make a rule of it, publish a guideline with `inquiry`."""
        found = inquiry_of(inquiry_id)
        member = get_membership_by_project(
            request_actor(request), found.item.project_id, Action.GUIDELINE_EDIT
        )
        header = request.headers.get("If-Match")
        if header is None:
            raise PreconditionRequired("Send If-Match with the revision of the question that you read.")
        body = shapes.AnswerRequest(data=request.data)
        body.is_valid(raise_exception=True)
        seen = header.strip().removeprefix("W/").strip('"')
        answered = answer_inquiry(member, inquiry_id, body.validated_data["answer"], seen)
        return Response(_told(answered, member), headers={"ETag": f'"{revision_of(answered)}"'})


def _told(inquiry: Inquiry, reader: Membership) -> dict[str, Any]:
    return {**inquiry_document(inquiry, reader), "revision": revision_of(inquiry)}
