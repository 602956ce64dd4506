"""Taking one person's answers out of the counts, and back."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_member, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import void as shapes
from core.api.serializers.job import JobOut
from core.selectors.job import job_document
from core.selectors.void import Span, find_void, voids_of
from core.services.void import preview_void, start_undo, start_void, undo_void, void_annotations


class VoidAnnotations(APIView):
    """One person's answers."""

    @extend_schema(
        request=shapes.VoidRequest,
        responses={200: shapes.VoidMade, 201: shapes.VoidMade, 202: JobOut},
        operation_id="void_annotations",
    )
    def post(self, request: Request) -> Response:
        """Take a person's answers out of every count and put their items into the queue again; kept, and reversible.

        More than 5,000 answers are a job's work (202): all of them or none; its result is ``void`` and the counts.
        """
        body = shapes.VoidRequest(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        viewer, member = get_member(request_actor(request), asked["member"], Action.MEMBERS_EDIT)
        span = Span(asked.get("since"), asked.get("until"))
        if asked["dry_run"]:
            counts = preview_void(viewer, member.pk, span)
            return Response({"void": None, "counts": shapes.counts_out(counts)})
        job = start_void(viewer, member.pk, asked.get("reason", ""), span)
        if job is not None:
            return Response(job_document(job), status=202)
        void, counts = void_annotations(viewer, member.pk, asked.get("reason", ""), span)
        made = {"void": shapes.void_out(void), "counts": shapes.counts_out(counts)}
        return Response(made, status=201)


class Voids(APIView):
    """A project's voids."""

    @extend_schema(parameters=PAGES, responses=shapes.VoidPage, operation_id="list_voids")
    def get(self, request: Request, slug: str) -> Response:
        """Every decision to take answers out, the newest first, also those that were undone."""
        allowed_parameters(request, (), paged=True)
        viewer = get_membership(request_actor(request), slug, Action.MEMBERS_READ)
        page, following = paginate(request, voids_of(viewer.project_id), descending=True)
        return Response({"results": [shapes.void_out(void) for void in page], "next": following})


class UndoVoid(APIView):
    """The way back."""

    @extend_schema(request=None, responses={200: shapes.VoidUndone, 202: JobOut}, operation_id="undo_void")
    def post(self, request: Request, void_id: int) -> Response:
        """Put the answers back into the counts, also where others have filled their places meanwhile.

        More than 5,000 answers are a job's work (202); its result is ``void`` and what is told here.
        """
        found = find_void(void_id)
        viewer = get_membership_by_project(request_actor(request), found.project_id, Action.MEMBERS_EDIT)
        job = start_undo(viewer, void_id)
        if job is not None:
            return Response(job_document(job), status=202)
        void, restored = undo_void(viewer, void_id)
        told = {"annotations": restored.annotations, "beyond": restored.beyond}
        return Response({"void": shapes.void_out(void), **told})
