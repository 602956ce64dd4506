"""Data validation: reports on batches, the schema that they are checked by, the rules of the leads."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.etags import version_from
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import validation as shapes
from core.exceptions import Invalid
from core.models import ValidationRule
from core.pipelines.validation import change_data_schema, preview_rule, save_rule
from core.selectors.validation import (
    data_schema_document,
    data_schemas_of,
    project_of_rule,
    project_of_validation,
    rule_document,
    rules_of,
    schema_difference,
    validation_document,
    validation_line,
    validation_of,
    validations_of,
)
from core.services.validation import remove_rule

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description='The ETag that was read ("0" where there is no schema yet).',
)
PREVIEW = OpenApiParameter(
    "preview", OpenApiTypes.BOOL, description="1: keep nothing, say what the rule finds in the newest items."
)


class Validations(APIView):
    """A project's reports."""

    @extend_schema(parameters=PAGES, responses=shapes.ValidationList, operation_id="list_validations")
    def get(self, request: Request, slug: str) -> Response:
        """What was found in each batch, newest first, without the findings themselves."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.IMPORTS_READ)
        page, following = paginate(request, validations_of(member.project_id), descending=True)
        return Response({"next": following, "results": [validation_line(one) for one in page]})


class OneValidation(APIView):
    """One report."""

    @extend_schema(responses=shapes.ValidationOut, operation_id="read_validation")
    def get(self, request: Request, validation_id: int) -> Response:
        """All findings with their rows, the gravest first."""
        allowed_parameters(request, ())
        project_id = project_of_validation(validation_id)
        get_membership_by_project(request_actor(request), project_id, Action.IMPORTS_READ)
        return Response(validation_document(validation_of(project_id, validation_id)))


class Schemas(APIView):
    """The versions of what items look like."""

    @extend_schema(parameters=PAGES, responses=shapes.DataSchemaList, operation_id="list_data_schemas")
    def get(self, request: Request, slug: str) -> Response:
        """All versions, newest first, each with what it changed; the ETag is that of the newest."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.IMPORTS_READ)
        versions = data_schemas_of(member.project_id)
        page, following = paginate(request, versions, order=("number",), descending=True)
        documents = dict(
            versions.filter(number__in=[one.number - 1 for one in page]).values_list("number", "document")
        )
        rows = [
            {
                **data_schema_document(one),
                "difference": schema_difference(one.document, documents.get(one.number - 1)),
            }
            for one in page
        ]
        newest = versions.first()
        etag = f'"{newest.number if newest else 0}"'
        return Response({"next": following, "results": rows}, headers={"ETag": etag})

    @extend_schema(
        request=shapes.DataSchemaRequest,
        parameters=[IF_MATCH],
        responses={201: shapes.DataSchemaOut},
        operation_id="create_data_schema",
    )
    def post(self, request: Request, slug: str) -> Response:
        """A new version; the newest batch is checked by it again unless `check` is false."""
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        body = body_of(request)
        unknown = sorted(set(body) - {"document", "note", "check"})
        if unknown:
            raise Invalid("unknown-field", f"There is no field {unknown[0][:60]!r} here.")
        note, check = body.get("note", ""), body.get("check", True)
        if not isinstance(note, str) or not isinstance(check, bool):
            raise Invalid("bad-request", "note is a text, check is true or false.")
        made = change_data_schema(member, body.get("document"), note, version_from(request), check=check)
        return Response(data_schema_document(made), status=201, headers={"ETag": f'"{made.number}"'})


def _rule(rule: ValidationRule, status: int = 200) -> Response:
    return Response(rule_document(rule), status=status, headers={"ETag": f'"{rule.version}"'})


class Rules(APIView):
    """What leads ask of every batch beyond the schema."""

    @extend_schema(parameters=PAGES, responses=shapes.RuleList, operation_id="list_validation_rules")
    def get(self, request: Request, slug: str) -> Response:
        """All rules, in the order in which they were made."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.IMPORTS_READ)
        page, following = paginate(request, rules_of(member.project_id))
        return Response({"next": following, "results": [rule_document(one) for one in page]})

    @extend_schema(
        request=shapes.RuleRequest,
        parameters=[PREVIEW],
        responses={
            201: shapes.RuleOut,
            200: OpenApiResponse(shapes.RulePreview, description="With `preview=1`."),
        },
        operation_id="create_validation_rule",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Make a rule, or try it out."""
        found = allowed_parameters(request, ("preview",))
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        if found.get("preview") in {"1", "true"}:
            return Response(preview_rule(member.project, body_of(request).get("document")))
        return _rule(save_rule(member, body_of(request)), 201)


class OneRule(APIView):
    """One rule."""

    @extend_schema(
        request=shapes.RuleRequest,
        parameters=[IF_MATCH],
        responses=shapes.RuleOut,
        operation_id="edit_validation_rule",
    )
    def patch(self, request: Request, rule_id: int) -> Response:
        """Change what is named; `document` is replaced as a whole."""
        project_id = project_of_rule(rule_id)
        member = get_membership_by_project(request_actor(request), project_id, Action.IMPORTS_EDIT)
        return _rule(save_rule(member, body_of(request), rule_id, version_from(request)))

    @extend_schema(responses={204: None}, operation_id="remove_validation_rule")
    def delete(self, request: Request, rule_id: int) -> Response:
        """Remove it; what it found stays in the reports."""
        project_id = project_of_rule(rule_id)
        member = get_membership_by_project(request_actor(request), project_id, Action.IMPORTS_EDIT)
        remove_rule(member, rule_id)
        return Response(status=204)
