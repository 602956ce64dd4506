"""The labeling loop: hand out, take in, put aside, correct."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_lease, get_membership, get_own_annotation
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters
from core.api.serializers import annotation as shapes
from core.choices import Pass
from core.exceptions import Invalid, Missing, NotAllowed
from core.models import Lease, Membership
from core.selectors.annotation import answers_of, drafts_of, recent_of
from core.selectors.display import item_payload
from core.selectors.progress import Progress, progress_of, told_to
from core.services import annotation as annotations
from core.services import lease as leases

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True, description="One per answer."
)
LONGEST_KEY = 64


def _key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Invalid("idempotency-key", f"Send an Idempotency-Key header of 1 to {LONGEST_KEY} characters")
    return key


def _mine(member: Membership) -> dict[str, int]:
    return {"mine": member.answered, "mine_today": member.answered_today}


def _handed(given: leases.HandOut, member: Membership, team: Progress) -> dict[str, Any]:
    return {
        "leases": shapes.leases_out(given, member),
        "empty_because": given.empty_because,
        "stopped": given.stopped,
        "until": given.until,
        "held": given.held_by_others,
        "progress": {**_mine(member), "done": team.items_done, "total": team.items},
    }


class Leases(APIView):
    """Hand-outs of one project."""

    @extend_schema(
        request=shapes.LeaseRequest, responses={201: shapes.HandOutOut}, operation_id="lease_items"
    )
    def post(self, request: Request, slug: str) -> Response:
        """Hand out up to ``count`` items to the caller."""
        member = get_membership(request_actor(request), slug, Action.ANNOTATE)
        wanted = shapes.LeaseRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = leases.hand_out(member, wanted.validated_data["count"], wanted.validated_data.get("have"))
        team = told_to(member, progress_of(member.project_id))
        return Response(_handed(given, member, team), status=201)


class ExtendLeases(APIView):
    """Keep leases alive."""

    @extend_schema(
        request=shapes.ExtendRequest, responses=shapes.LeaseOut(many=True), operation_id="extend_leases"
    )
    def post(self, request: Request) -> Response:
        """Give the caller's leases another lease time; those that ran out are left out of the reply."""
        wanted = shapes.ExtendRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        actor = request_actor(request)
        kept = []
        ids: list[UUID] = wanted.validated_data["leases"]
        if ids:
            member = get_lease(actor, ids[0]).annotator
            kept = leases.extend_leases(member, ids)
        return Response([{"id": str(lease.pk), "expires_at": lease.expires_at} for lease in kept])


class SubmitAnnotation(APIView):
    """Answers under a lease."""

    @extend_schema(
        request=shapes.SubmitRequest,
        parameters=[KEY_HEADER],
        responses={
            201: shapes.SubmitOut,
            200: OpenApiResponse(shapes.SubmitOut, description="Sent before: the stored answer again."),
        },
        operation_id="submit_annotation",
    )
    def post(self, request: Request, lease_id: UUID) -> Response:
        """Store the answers once, however often they are sent with the same key."""
        key = _key(request)
        body = shapes.SubmitRequest(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        work = annotations.Work(
            answers=sent["answers"],
            elapsed_ms=sent.get("elapsed_ms"),
            comment=sent.get("comment", ""),
            have=[one for one in sent["have"] if one != lease_id],
            count=sent["count"],
            classes=sent["classes"],
        )
        stored = annotations.submit(request_actor(request), lease_id, key, work)
        member = stored.annotation.annotator
        answers = answers_of(stored.annotation) if stored.replayed else stored.answers
        reply = {
            "annotation": shapes.annotation_out(stored.annotation, answers),
            **shapes.next_out(stored.next, member),
            "progress": _mine(member),
            "feedback": shapes.feedback_out(stored.feedback),
        }
        return Response(reply, status=200 if stored.replayed else 201)


class PutAside(APIView):
    """What may be done with a lease instead of answering."""

    def done(self, request: Request, lease: Lease) -> Response:
        """The reply: the next items."""
        member = lease.annotator
        wanted = shapes.NextRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        have = [one for one in wanted.validated_data["have"] if one != lease.pk]
        count = wanted.validated_data["count"]
        more = leases.hand_out_trial if lease.pass_kind == Pass.TRIAL else leases.hand_out
        given = more(member, count, have) if count else leases.HandOut()
        return Response(shapes.next_out(given, member))


class SkipLease(PutAside):
    """Skip an item."""

    @extend_schema(
        request=shapes.SkipRequest,
        parameters=[KEY_HEADER],
        responses=shapes.NextOut,
        operation_id="skip_lease",
    )
    def post(self, request: Request, lease_id: UUID) -> Response:
        """Not answering, with a reason. The item goes to someone else; after two skips to the lead."""
        lease = get_lease(request_actor(request), lease_id)
        body = shapes.SkipRequest(data=request.data)
        body.is_valid(raise_exception=True)
        leases.skip(lease.pk, _key(request), body.validated_data["reason"], body.validated_data["note"])
        return self.done(request, lease)


class DeferLease(PutAside):
    """Save an item for later."""

    @extend_schema(
        request=shapes.NextRequest,
        parameters=[KEY_HEADER],
        responses=shapes.NextOut,
        operation_id="defer_lease",
    )
    def post(self, request: Request, lease_id: UUID) -> Response:
        """The item comes back to the caller when nothing else is left."""
        lease = get_lease(request_actor(request), lease_id)
        leases.defer(lease.pk, _key(request))
        return self.done(request, lease)


class FlagLease(PutAside):
    """Leave a note for the lead."""

    @extend_schema(
        request=shapes.FlagRequest,
        parameters=[KEY_HEADER],
        responses=shapes.NextOut,
        operation_id="flag_lease",
    )
    def post(self, request: Request, lease_id: UUID) -> Response:
        """A note on the item; a broken item leaves the queue until the lead has looked."""
        lease = get_lease(request_actor(request), lease_id)
        body = shapes.FlagRequest(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        leases.flag(lease.pk, _key(request), sent["note"], broken=sent["broken"])
        return self.done(request, lease)


class OneAnnotation(APIView):
    """An annotation of the caller's own."""

    @extend_schema(
        request=shapes.CorrectionRequest, responses=shapes.CorrectionOut, operation_id="correct_annotation"
    )
    def patch(self, request: Request, annotation_id: int) -> Response:
        """Correct it: a new revision, the old one is kept."""
        own = get_own_annotation(request_actor(request), annotation_id)
        body = shapes.CorrectionRequest(data=request.data)
        body.is_valid(raise_exception=True)
        key = _key(request) if "Idempotency-Key" in request.headers else ""
        sent = body.validated_data
        made = annotations.correct(own.pk, sent["answers"], key, sent.get("comment"), sent["classes"])
        return Response({"annotation": shapes.annotation_out(made.annotation, answers_of(made.annotation))})


class RecentAnnotations(APIView):
    """The caller's last answers."""

    @extend_schema(
        parameters=[OpenApiParameter("trial", OpenApiTypes.STR, enum=["1"])],
        responses=shapes.RecentOut(many=True),
        operation_id="recent_annotations",
    )
    def get(self, request: Request, slug: str) -> Response:
        """The last ten that can be corrected, newest first; with ``trial=1`` those of the caller's trial."""
        allowed_parameters(request, ("trial",))
        member = get_membership(request_actor(request), slug, Action.ANNOTATE)
        trial = request.query_params.get("trial")
        if trial not in {None, "1"}:
            raise Invalid("bad-trial", "trial is 1 or left out")
        rows: list[dict[str, Any]] = [
            {
                "annotation": row.pk,
                "item": item_payload(member.project, row.item),
                "answers": answers,
                "at": row.created_at,
            }
            for row, answers in recent_of(member, trial=trial == "1")
        ]
        return Response(rows)


class Drafts(APIView):
    """What the caller sent too late."""

    @extend_schema(responses=shapes.DraftOut(many=True), operation_id="list_drafts")
    def get(self, request: Request) -> Response:
        """All kept drafts, newest first."""
        allowed_parameters(request, ())
        actor = request_actor(request)
        if not actor.may(Action.ANNOTATE):
            raise NotAllowed("This token's scopes do not allow this.", code="scope")
        drafts = drafts_of(actor.user)
        if actor.token and actor.token.project_id:
            drafts = drafts.filter(annotator__project=actor.token.project_id)
        return Response([shapes.draft_out(draft) for draft in drafts])


class OneDraft(APIView):
    """A draft of the caller's own."""

    @extend_schema(request=None, responses={201: shapes.CorrectionOut}, operation_id="submit_draft")
    def post(self, request: Request, draft_id: int) -> Response:
        """Send it again, now that there may be a free place."""
        member = self._author(request, draft_id)
        made = annotations.submit_draft(member, draft_id)
        body = {"annotation": shapes.annotation_out(made, answers_of(made))}
        return Response(body, status=201)

    @extend_schema(responses={204: None}, operation_id="discard_draft")
    def delete(self, request: Request, draft_id: int) -> Response:
        """Its author does not want it any more."""
        annotations.discard_draft(self._author(request, draft_id), draft_id)
        return Response(status=204)

    def _author(self, request: Request, draft_id: int) -> Membership:
        actor = request_actor(request)
        draft = drafts_of(actor.user).filter(pk=draft_id).first()
        if draft is None:
            raise Missing
        return get_membership(actor, draft.annotator.project.slug, Action.ANNOTATE)


class TrialLeases(APIView):
    """Hand-outs to a lead who tries the project out."""

    @extend_schema(
        request=shapes.LeaseRequest, responses={201: shapes.HandOutOut}, operation_id="lease_trial_items"
    )
    def post(self, request: Request, slug: str) -> Response:
        """Hand out up to ``count`` items that the caller has not tried yet; what they answer counts nowhere."""
        member = get_membership(request_actor(request), slug, Action.TRIAL)
        wanted = shapes.LeaseRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = leases.hand_out_trial(
            member, wanted.validated_data["count"], wanted.validated_data.get("have")
        )
        return Response(_handed(given, member, told_to(member, progress_of(member.project_id))), status=201)
