"""Annotations and labels as files, streamed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from django.http import StreamingHttpResponse
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import allowed_parameters, whole_number
from core.api.reports import ANNOTATORS, may_name
from core.api.serializers import export as shapes
from core.choices import FileFormat
from core.exceptions import Invalid
from core.models import Project
from core.pipelines.aggregation import RULES
from core.pipelines.exporting import Wanted, export_annotations, export_labels

CONTENT_TYPES = {
    FileFormat.JSON: "application/json",
    FileFormat.JSONL: "application/x-ndjson",
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.PARQUET: "application/vnd.apache.parquet",
}
OTHER_FORMATS = {
    (200, "application/x-ndjson"): OpenApiTypes.STR,
    (200, "text/csv"): OpenApiTypes.STR,
    (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY,
}
REVISIONS = ("current", "all")

FORMAT = OpenApiParameter("format", OpenApiTypes.STR, enum=FileFormat.values, default="json")
LOSSLESS = OpenApiParameter(
    "lossless",
    OpenApiTypes.STR,
    enum=["0", "1"],
    description="1: CSV cells as they are, without the guard against spreadsheet formulas.",
)
QUESTION = OpenApiParameter("question", OpenApiTypes.STR, description="Only this question, by its key.")
BATCH = OpenApiParameter("batch", OpenApiTypes.INT, description="Only items of the batch with this number.")
NAMES = OpenApiParameter(
    "annotators",
    OpenApiTypes.STR,
    enum=ANNOTATORS,
    default="pseudonym",
    description="What people are called; names are for leads.",
)
RULE = OpenApiParameter(
    "rule",
    OpenApiTypes.STR,
    enum=RULES,
    default="majority",
    description="How one label is made of many answers. The models are for questions with one class as the answer "
    "and are fitted to all answers of the project; `default` is chosen by answers per annotator. Every row says "
    "which rule made it.",
)


class Annotations(APIView):
    """Every answer."""

    @extend_schema(
        parameters=[
            FORMAT,
            NAMES,
            LOSSLESS,
            QUESTION,
            BATCH,
            OpenApiParameter(
                "annotator", OpenApiTypes.STR, description="Only this person, as `annotators` names them."
            ),
            OpenApiParameter(
                "since", OpenApiTypes.DATETIME, description="Submitted then or later, by our clock."
            ),
            OpenApiParameter(
                "revisions",
                OpenApiTypes.STR,
                enum=REVISIONS,
                default="current",
                description="`all` adds the answers that were corrected later.",
            ),
        ],
        responses={(200, "application/json"): shapes.AnnotationRow(many=True), **OTHER_FORMATS},
        operation_id="export_annotations",
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:
        """One row per answer, ordered by item, as a file of the format asked for. What tells gold is for leads."""
        found = allowed_parameters(
            request,
            ("format", "annotators", "lossless", "question", "batch", "annotator", "since", "revisions"),
        )
        member = get_membership(request_actor(request), slug, Action.LABELS_READ)
        wanted = Wanted(
            format=_one_of(found, "format", FileFormat.values),
            lossless=_one_of(found, "lossless", ("0", "1")) == "1",
            real_names=may_name(member, _one_of(found, "annotators", ANNOTATORS)),
            question=found.get("question"),
            batch=_batch(found),
            reader=member,
            annotator=found.get("annotator"),
            since=_moment(found["since"]) if "since" in found else None,
            all_revisions=_one_of(found, "revisions", REVISIONS) == "all",
        )
        return _file(member.project, "annotations", export_annotations, wanted)


class Labels(APIView):
    """The resolved label of every item and question."""

    @extend_schema(
        parameters=[FORMAT, NAMES, LOSSLESS, QUESTION, BATCH, RULE],
        responses={(200, "application/json"): shapes.LabelRow(many=True), **OTHER_FORMATS},
        operation_id="export_labels",
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:
        """One row per item and question that has answers or, for leads, gold. A tie is told, never broken."""
        found = allowed_parameters(request, ("format", "annotators", "lossless", "question", "batch", "rule"))
        member = get_membership(request_actor(request), slug, Action.LABELS_READ)
        wanted = Wanted(
            format=_one_of(found, "format", FileFormat.values),
            lossless=_one_of(found, "lossless", ("0", "1")) == "1",
            real_names=may_name(member, _one_of(found, "annotators", ANNOTATORS)),
            question=found.get("question"),
            batch=_batch(found),
            reader=member,
            rule=_one_of(found, "rule", RULES),
        )
        return _file(member.project, "labels", export_labels, wanted)


def _file(
    project: Project, what: str, export: Callable[[Project, Wanted], Iterator[bytes]], wanted: Wanted
) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        export(project, wanted),
        content_type=CONTENT_TYPES[FileFormat(wanted.format)],
        headers={
            "Content-Disposition": f'attachment; filename="{project.slug}-{what}.{wanted.format}"',
            "Cache-Control": "no-store",
        },
    )


_DEFAULTS = {
    "format": "json",
    "lossless": "0",
    "annotators": "pseudonym",
    "revisions": "current",
    "rule": "majority",
}


def _one_of(found: dict[str, str], name: str, values: list[str] | tuple[str, ...]) -> str:
    value = found.get(name, _DEFAULTS[name])
    if value not in values:
        raise Invalid(f"unknown-{name}", f"{name} must be one of {', '.join(values)}.")
    return value


def _batch(found: dict[str, str]) -> int | None:
    return whole_number(found["batch"], "batch", least=1) if "batch" in found else None


def _moment(text: str) -> datetime:
    """An ISO 8601 date or time; without an offset it is UTC."""
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:
        moment = day = None
    if day is not None:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise Invalid("bad-since", "since must be a time such as 2024-03-01T12:00:00Z.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
