"""Mappings: classes merged and renamed, texts standardised; what a merger would do; pairs that look like one."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.etags import LONGEST_VERSION
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import mapping as shapes
from core.choices import ItemsChoice, MappingKind, Uncertain
from core.exceptions import Invalid, PreconditionRequired
from core.models import Mapping, Membership, Project
from core.pipelines.mapping import Merge, class_called, merge_called, preview, suggest
from core.selectors.mapping import class_names, mapping_document, mapping_of, mappings_of
from core.services.mapping import apply_merge, apply_rename, apply_standardise, revert

PREVIEW_FIELDS = frozenset({"question", "merges", "uncertain", "items"})
MERGE_FIELDS = frozenset({"classes", "into", "name"})
COMMON = frozenset({"kind", "question", "note"})
FIELDS = {
    MappingKind.MERGE: MERGE_FIELDS,
    MappingKind.RENAME: frozenset({"class", "name"}),
    MappingKind.STANDARDISE: frozenset({"rules"}),
}
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description='The mapping version that was read: the ETag of the list (`"m3"`), or its number.',
)


class MergePreview(APIView):
    """What-ifs."""

    @extend_schema(
        request=shapes.MergePreviewRequest,
        responses=shapes.MergePreviewOut,
        operation_id="preview_merges",
        examples=[OpenApiExample("Two classes", shapes.PREVIEW_EXAMPLE, request_only=True)],
    )
    def post(self, request: Request, slug: str) -> Response:
        """What mergers of classes would do: agreement, human-level performance, the model, rows, information lost.

        Nothing is written. `agreement.after` is the report that a project would have whose answers were given in
        the merged classes.
        """
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        body = body_of(request)
        _known(body, PREVIEW_FIELDS)
        question = _text(body, "question", required=False)
        documents = body.get("merges")
        if not isinstance(documents, list):
            raise _wrong("merges", "required", "merges is a list of mergers.")
        merges = [_merge(member.project, question, one, f"merges/{n}") for n, one in enumerate(documents)]
        told = preview(
            member.project,
            question,
            merges,
            uncertain=_text(body, "uncertain", required=False) or Uncertain.CLASS.value,
            items=_text(body, "items", required=False) or ItemsChoice.ALL.value,
        )
        return Response(told, headers={"ETag": _etag(member.project)})


class SuggestedMerges(APIView):
    """Pairs of classes that look like one."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "question", OpenApiTypes.STR, description="Its key; may be left out where one has classes."
            ),
            OpenApiParameter("uncertain", OpenApiTypes.STR, enum=Uncertain.values, default="class"),
        ],
        responses=shapes.SuggestedMerges,
        operation_id="suggest_merges",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Pairs that were said of one item, those that people cannot tell apart first, with what a merger would do."""
        found = allowed_parameters(request, ("question", "uncertain"))
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        uncertain = found.get("uncertain", Uncertain.CLASS)
        told = suggest(member.project, found.get("question"), uncertain=uncertain)
        return Response(told, headers={"ETag": _etag(member.project)})


class Mappings(APIView):
    """A project's mappings."""

    @extend_schema(parameters=PAGES, responses=shapes.MappingList, operation_id="list_mappings")
    def get(self, request: Request, slug: str) -> Response:
        """All mappings, newest first. The ETag is what a further one, or a reversal, must send back."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        page, following = paginate(
            request, mappings_of(member.project_id), order=("number",), descending=True
        )
        names = class_names(member.project_id)
        told = {
            "mapping_version": member.project.mapping_version,
            "next": following,
            "results": [mapping_document(one, names) for one in page],
        }
        return Response(told, headers={"ETag": _etag(member.project)})

    @extend_schema(
        request=shapes.MappingRequest,
        parameters=[IF_MATCH],
        responses={201: shapes.MappingOut},
        operation_id="apply_mapping",
        examples=[
            OpenApiExample("Merge", shapes.MERGE_EXAMPLE, request_only=True),
            OpenApiExample("Rename", shapes.RENAME_EXAMPLE, request_only=True),
            OpenApiExample("Standardise", shapes.STANDARDISE_EXAMPLE, request_only=True),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Put a mapping in force. Answers stay as they were given; they are read otherwise until it is reverted."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.PROJECT_EDIT)
        version, body = mapping_version_from(request), body_of(request)
        kind = body.get("kind")
        if kind not in MappingKind.values:
            raise _wrong("kind", "unknown-kind", f"kind is one of {', '.join(MappingKind.values)}.")
        _known(body, COMMON | FIELDS[MappingKind(kind)])
        return _told(member, _applied(member, MappingKind(kind), body, version), status=201)


class RevertMapping(APIView):
    """Take a mapping back."""

    @extend_schema(
        request=None, parameters=[IF_MATCH], responses=shapes.MappingOut, operation_id="revert_mapping"
    )
    def post(self, request: Request, mapping_id: int) -> Response:
        """Answers are read as if it had never been; mappings that came later stay in force."""
        allowed_parameters(request, ())
        project_id = mapping_of(mapping_id).project_id
        member = get_membership_by_project(request_actor(request), project_id, Action.PROJECT_EDIT)
        return _told(member, revert(member, mapping_id, mapping_version_from(request)))


def mapping_version_from(request: Request) -> int:
    """The mapping version in If-Match: "m3", or a plain number. Raises PreconditionRequired, Invalid ``bad-etag``."""
    header = request.headers.get("If-Match")
    if header is None:
        raise PreconditionRequired(
            "Send If-Match with the ETag of the list of mappings, so that no edit is lost."
        )
    digits = header.strip().removeprefix("W/").strip('"').removeprefix("m")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > LONGEST_VERSION:
        raise Invalid("bad-etag", "If-Match is not a mapping version")
    return int(digits)


def _applied(member: Membership, kind: MappingKind, body: dict[str, Any], version: int) -> Mapping:
    question = _text(body, "question")
    note = _text(body, "note", required=False) or ""
    if kind == MappingKind.STANDARDISE:
        return apply_standardise(member, question, body.get("rules") or [], note, version)
    if kind == MappingKind.RENAME:
        class_id = class_called(member.project, question, _text(body, "class"))
        return apply_rename(member, question, class_id, _text(body, "name"), note=note, version=version)
    wanted = {name: body[name] for name in MERGE_FIELDS & set(body)}
    merge = _merge(member.project, question, wanted, "")
    return apply_merge(
        member, question, merge.classes, merge.into, name=merge.name, note=note, version=version
    )


def _merge(project: Project, question: str | None, document: Any, pointer: str) -> Merge:
    if not isinstance(document, dict):
        raise _wrong(pointer, "not-an-object", "A merger is an object.")
    _known(document, MERGE_FIELDS, pointer)
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise _wrong(f"{pointer}/classes".strip("/"), "required", "classes is a list of names.")
    into, name = _text(document, "into"), _text(document, "name", required=False)
    return merge_called(project, question, classes, into, name)


def _text(body: dict[str, Any], field: str, *, required: bool = True) -> Any:
    """A field that is a text; None where it may be left out and is."""
    value = body.get(field)
    if value is None and not required:
        return None
    if not isinstance(value, str):
        raise _wrong(field, "required", f"{field} is a text.")
    return value


def _known(body: dict[str, Any], names: frozenset[str], pointer: str = "") -> None:
    unknown = set(body) - names
    if unknown:
        field = f"{pointer}/{min(unknown)[:60]}".strip("/")
        raise _wrong(field, "unknown-field", f"There is no field {min(unknown)[:60]!r} here.")


def _wrong(field: str, code: str, detail: str) -> Invalid:
    row = {"field": field, "pointer": f"/{field}", "code": code, "detail": detail}
    return Invalid(code if code != "required" else "invalid-document", detail, errors=[row])


def _told(member: Membership, mapping: Mapping, status: int = 200) -> Response:
    told = mapping_document(mapping, class_names(member.project_id))
    project = Project.objects.only("mapping_version").get(pk=member.project_id)
    return Response(told, status=status, headers={"ETag": _etag(project)})


def _etag(project: Project) -> str:
    return f'"m{project.mapping_version}"'
