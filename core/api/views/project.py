"""Projects, their questions and classes, and the guideline."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership, may_create_projects, role_may
from core.api.authentication import request_actor
from core.api.etags import IF_MATCH, etag_of, version_from
from core.api.pagination import allowed_parameters
from core.api.parsers import body_of
from core.api.serializers import project as shapes
from core.api.serializers.job import JobOut
from core.choices import ProjectState
from core.exceptions import Conflict, NotAllowed
from core.models import Project
from core.selectors.guideline import classes_named, known_to_all, whole_versions_of
from core.selectors.job import job_document
from core.selectors.overlap import saving_of
from core.selectors.progress import progress_of, told_to
from core.selectors.project import memberships_of, question_document
from core.selectors.question import schema_of
from core.services import guideline as guidelines
from core.services import project as projects
from core.services import question as questions
from core.services.overlap import look

IF_MATCH_GUIDELINE = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag that was read; 412 when another version was published since. Optional.",
)


class Projects(APIView):
    """The caller's projects."""

    @extend_schema(responses=shapes.ProjectLine(many=True), operation_id="list_projects")
    def get(self, request: Request) -> Response:
        """Every project that the caller is a member of, by name."""
        allowed_parameters(request, ())
        actor = request_actor(request)
        rows = memberships_of(actor.user)
        if actor.token and actor.token.project_id:
            rows = rows.filter(project=actor.token.project_id)
        return Response([shapes.project_line(member) for member in rows])

    @extend_schema(
        request=shapes.ProjectDocument, responses={201: shapes.ProjectOut}, operation_id="create_project"
    )
    def post(self, request: Request) -> Response:
        """Make a project from a project document; the caller becomes its owner."""
        actor = request_actor(request)
        if not may_create_projects(actor):
            raise NotAllowed("Only people who lead a project may make another.")
        project = projects.create_project(actor.user, request.data)
        body = shapes.project_out(project, "owner", progress_of(project.pk))
        return Response(body, status=201, headers={"ETag": etag_of(project)})


class OneProject(APIView):
    """One project."""

    @extend_schema(responses=shapes.ProjectOut, operation_id="read_project")
    def get(self, request: Request, slug: str) -> Response:
        """Its document, state and progress. The ETag is what an edit must send back."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.PROJECT_READ)
        progress = told_to(member, progress_of(member.project_id))
        body = shapes.project_out(member.project, member.role, progress)
        return Response(body, headers={"ETag": etag_of(member.project)})

    @extend_schema(
        request=shapes.SettingsDocument,
        parameters=[IF_MATCH],
        responses=shapes.ProjectOut,
        operation_id="edit_project",
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change settings. Raising the overlap opens finished items again; lowering it loses nothing."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        project = projects.edit_project(member, body_of(request), version_from(request))
        body = shapes.project_out(project, member.role, progress_of(project.pk))
        return Response(body, headers={"ETag": etag_of(project)})


class ProjectStateChange(APIView):
    """Pause, resume, archive."""

    state = ProjectState.ACTIVE
    action = Action.PROJECT_EDIT

    @extend_schema(request=None, responses=shapes.ProjectLine)
    def post(self, request: Request, slug: str) -> Response:
        """Put the project into this state. What people hold may still be submitted, except into an archive."""
        member = get_membership(request_actor(request), slug, self.action)
        member.project = projects.set_state(member, self.state)
        return Response(shapes.project_line(member), headers={"ETag": etag_of(member.project)})


class CloneProject(APIView):
    """Copy a project's questions, guideline and settings."""

    @extend_schema(
        request=shapes.CloneRequest, responses={201: shapes.ProjectOut}, operation_id="clone_project"
    )
    def post(self, request: Request, slug: str) -> Response:
        """A new project without items and people."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_CLONE)
        body = shapes.CloneRequest(data=request.data)
        body.is_valid(raise_exception=True)
        project = projects.clone_project(member, body.validated_data["slug"], body.validated_data["name"])
        made = shapes.project_out(project, "owner", progress_of(project.pk))
        return Response(made, status=201, headers={"ETag": etag_of(project)})


class AdaptiveOverlap(APIView):
    """Overlap that adapts."""

    @extend_schema(responses=shapes.SavingOut, operation_id="read_overlap")
    def get(self, request: Request, slug: str) -> Response:
        """What it has saved so far. Without the setting ``adaptive`` there is nothing to tell (409)."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        saving = saving_of(member.project)
        if saving is None:
            raise Conflict("not-adaptive", "The overlap of this project does not adapt: set adaptive first.")
        return Response(shapes.saving_out(saving))

    @extend_schema(request=None, responses={202: JobOut}, operation_id="adapt_overlap")
    def post(self, request: Request, slug: str) -> Response:
        """Look now which items need one more person. One job at a time: the unfinished one when there is one."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        return Response(job_document(look(member)), status=202)


class Questions(APIView):
    """A project's questions."""

    @extend_schema(responses=shapes.QuestionDocument(many=True), operation_id="list_questions")
    def get(self, request: Request, slug: str) -> Response:
        """All questions with their current classes, in order. The ETag is what an edit of either must send back."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.PROJECT_READ)
        told = [question_document(spec) for spec in schema_of(member.project).questions]
        return Response(told, headers={"ETag": etag_of(member.project)})

    @extend_schema(
        request=shapes.QuestionDocument, responses={201: shapes.QuestionDocument}, operation_id="add_question"
    )
    def post(self, request: Request, slug: str) -> Response:
        """A further question. When it is required, finished items are open again."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        questions.add_question(member, body_of(request))
        return Response(_question(member.project, str(body_of(request).get("key"))), status=201)


class OneQuestion(APIView):
    """One question."""

    @extend_schema(
        request=shapes.QuestionDocument,
        parameters=[IF_MATCH],
        responses=shapes.QuestionDocument,
        operation_id="edit_question",
    )
    def patch(self, request: Request, slug: str, key: str) -> Response:
        """Change its title, or whether it is required. The ETag is that of the project."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        questions.edit_question(member, key, body_of(request), version_from(request))
        return Response(_question(member.project, key), headers={"ETag": _etag(member.project)})


class Classes(APIView):
    """The classes of a question."""

    @extend_schema(request=shapes.ClassDocument, responses={201: shapes.ClassOut}, operation_id="add_class")
    def post(self, request: Request, slug: str, key: str) -> Response:
        """A further class; finished items stay finished."""
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        return Response(shapes.class_out(questions.add_class(member, key, body_of(request))), status=201)


class OneClass(APIView):
    """One class."""

    @extend_schema(
        request=shapes.ClassDocument,
        parameters=[IF_MATCH],
        responses=shapes.ClassOut,
        operation_id="edit_class",
    )
    def patch(self, request: Request, slug: str, key: str, class_id: int) -> Response:
        """Rename it, or change its definition, colour, key or uncertainty. Answers keep pointing at it.

        The ETag is that of the project. Another name is a mapping, which can be reverted.
        """
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        edited = questions.edit_class(member, key, class_id, body_of(request), version_from(request))
        return Response(shapes.class_out(edited), headers={"ETag": _etag(member.project)})


class Guidelines(APIView):
    """The guideline's versions; the newest is in force."""

    @extend_schema(responses=shapes.GuidelineOut(many=True), operation_id="list_guidelines")
    def get(self, request: Request, slug: str) -> Response:
        """All versions, oldest first. The ETag is what a new version may send back, so that none is passed by."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.GUIDELINE_READ)
        # Who may write sees every example: what is sent back without one would drop it.
        reader = None if role_may(member.role, Action.GUIDELINE_EDIT) else member
        versions = list(whole_versions_of(member.project, items=False, reader=reader).order_by("number"))
        newest = versions[-1].number if versions else 0
        return Response(
            [shapes.guideline_out(version) for version in versions], headers={"ETag": f'"{newest}"'}
        )

    @extend_schema(
        request=shapes.GuidelineRequest,
        parameters=[IF_MATCH_GUIDELINE],
        responses={201: shapes.GuidelineOut},
        operation_id="publish_guideline",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Put a new version in force; every member is told. Refused: items with gold as examples, and no change."""
        member = get_membership(request_actor(request), slug, Action.GUIDELINE_EDIT)
        body = shapes.GuidelineRequest(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        version = guidelines.publish_guideline(
            member,
            sent["text"],
            sent["note"],
            examples=sent.get("examples"),
            touches=classes_named(member.project, sent.get("touches", [])),
            seen=version_from(request) if "If-Match" in request.headers else None,
            inquiry_id=sent.get("inquiry"),
        )
        told = shapes.guideline_out(whole_versions_of(member.project, items=False).get(number=version.number))
        spoilt = known_to_all(member.project, [one["item"] for one in told["examples"]])
        return Response({**told, "known_to_all": spoilt}, status=201, headers={"ETag": f'"{version.number}"'})


def _etag(project: Project) -> str:
    return etag_of(Project.objects.only("version").get(pk=project.pk))


def _question(project: Project, key: str) -> dict[str, Any]:
    fresh = Project.objects.get(pk=project.pk)
    return next(question_document(spec) for spec in schema_of(fresh).questions if spec.key == key)
