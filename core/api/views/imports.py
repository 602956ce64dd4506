"""Files on their way in."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import imports as shapes
from core.api.uploads import PARSERS, json_object, uploaded_file
from core.choices import ImportKind, ImportState, OnError
from core.models import Import
from core.pipelines.importing import refused_csv
from core.pipelines.preview import preview_upload
from core.selectors.imports import import_document, import_line, import_of, imports_of
from core.services import imports

FIELDS = frozenset({"kind", "format", "encoding", "on_error", "columns", "run"})


def import_out(slug: str, source: Import) -> dict[str, Any]:
    """An import with the address of all its refused rows."""
    return {**import_document(source), "report": f"/api/v1/projects/{slug}/imports/{source.pk}/errors"}


class Imports(APIView):
    """A project's imports."""

    parser_classes = PARSERS

    @extend_schema(parameters=PAGES, responses=shapes.ImportList, operation_id="list_imports")
    def get(self, request: Request, slug: str) -> Response:
        """All imports, newest first."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.IMPORTS_READ)
        page, following = paginate(request, imports_of(member.project_id), descending=True)
        return Response({"next": following, "results": [import_line(source) for source in page]})

    @extend_schema(
        request={"multipart/form-data": shapes.ImportRequest},
        responses={
            202: shapes.ImportOut,
            200: OpenApiResponse(
                shapes.ImportOut, description="This very file was imported before: `repeated`."
            ),
        },
        operation_id="start_import",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Take a file of items, annotations, gold or predictions; a job checks it and publishes it in one step."""
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        file, form = uploaded_file(request, FIELDS)
        source = imports.start_import(
            member,
            file,  # type: ignore[arg-type]  # it reads as a binary file does
            file.name or "",
            kind=form.get("kind", ""),
            format=form.get("format", ""),
            encoding=form.get("encoding", ""),
            columns=json_object(form.get("columns", ""), "columns"),
            on_error=form.get("on_error", OnError.PUBLISH_ACCEPTED),
            run=form.get("run", ""),
        )
        body = import_out(slug, import_of(member.project_id, source.pk))
        return Response(body, status=200 if source.state == ImportState.REPEATED else 202)


class PreviewImport(APIView):
    """A first look at a file."""

    parser_classes = PARSERS

    @extend_schema(
        request={"multipart/form-data": shapes.PreviewRequest},
        responses=shapes.PreviewOut,
        operation_id="preview_import",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Columns, first rows and a guess at the mapping; nothing is kept."""
        get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        file, form = uploaded_file(request, {"kind", "format", "encoding"})
        form.setdefault("kind", ImportKind.ITEMS)
        return Response(preview_upload(file, **form))  # type: ignore[arg-type]  # it reads as a binary file does


class OneImport(APIView):
    """One import."""

    @extend_schema(responses=shapes.ImportOut, operation_id="read_import")
    def get(self, request: Request, slug: str, import_id: int) -> Response:
        """State, counts, the first 100 refused rows, and the address of all of them."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.IMPORTS_READ)
        return Response(import_out(slug, import_of(member.project_id, import_id)))


class ImportErrors(APIView):
    """Refused rows."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR}, operation_id="read_import_errors")
    def get(self, request: Request, slug: str, import_id: int) -> StreamingHttpResponse:
        """All refused rows as CSV."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.IMPORTS_READ)
        source = import_of(member.project_id, import_id)
        response = StreamingHttpResponse(refused_csv(source), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="import-{source.pk}-errors.csv"'
        return response


class DecideImport(APIView):
    """What becomes of a held import."""

    accept = True

    @extend_schema(request=None, responses=shapes.ImportOut)
    def post(self, request: Request, slug: str, import_id: int) -> Response:
        """Publish the accepted rows, or drop them all."""
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        decide = imports.accept_import if self.accept else imports.discard_import
        source = decide(member, import_id)
        return Response(import_out(slug, import_of(member.project_id, source.pk)))
