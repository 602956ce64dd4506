"""Reads of data validation: reports, schema versions, rules, and the rows that are checked."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import QuerySet

from core.choices import AuditPart, ImportState
from core.exceptions import Missing
from core.models import (
    Batch,
    DataSchema,
    Import,
    Item,
    Project,
    StagedAnswer,
    StagedItem,
    Validation,
    ValidationRule,
)
from core.selectors.question import schema_of

CHUNK = 2000
MOST_EARLIER = 20
NAMES_AT_ONCE = 500


class CheckedRow(NamedTuple):
    """A row as the profiler reads it."""

    number: int
    id: str
    data: dict[str, Any]
    meta: dict[str, Any]
    audit: bool


def validations_of(project_id: int) -> QuerySet[Validation]:
    """A project's reports, newest first, without the profiles, which are large."""
    found = Validation.objects.filter(project_id=project_id).defer("profile")
    return found.select_related("batch", "source", "schema").order_by("-pk")


def validation_of(project_id: int, validation_id: int) -> Validation:
    """One report of a project. Raises Missing."""
    found = validations_of(project_id).filter(pk=validation_id).first()
    if found is None:
        raise Missing
    return found


def project_of_validation(validation_id: int) -> int:
    """The project of a report that is addressed by its own id. Raises Missing."""
    return _project(Validation.objects.filter(pk=validation_id))


def project_of_rule(rule_id: int) -> int:
    """The project of a rule that is addressed by its own id. Raises Missing."""
    return _project(ValidationRule.objects.filter(pk=rule_id))


def _project(rows: QuerySet[Any]) -> int:
    found = rows.values_list("project_id", flat=True).first()
    if found is None:
        raise Missing
    return int(found)


def validation_of_import(source: Import) -> Validation | None:
    """The report on an import's rows."""
    return validations_of(source.project_id).filter(source=source).first()


def waiting_validation(source: Import) -> Validation | None:
    """The report on an import that is not published yet, with its profile."""
    return Validation.objects.filter(source=source, batch=None).order_by("-pk").first()


def earlier_validations(project_id: int, before: int | None = None) -> list[Validation]:
    """The last report of each of the 20 newest batches (before the batch of that number), with their profiles."""
    found = Validation.objects.filter(project_id=project_id, batch__isnull=False)
    if before is not None:
        found = found.filter(batch__number__lt=before)
    newest: dict[int, int] = {}
    for pk, batch_id in found.order_by("-batch__number", "-pk").values_list("pk", "batch_id"):
        if batch_id not in newest and len(newest) == MOST_EARLIER:
            break
        newest.setdefault(batch_id, pk)
    rows = Validation.objects.filter(pk__in=newest.values()).select_related("batch").order_by("batch__number")
    return [one for one in rows if one.profile.get("fields")]


def earlier_answer_validations(source: Import) -> list[Validation]:
    """The reports on the 20 newest published files of the same kind (annotations, gold or predictions)."""
    found = Validation.objects.filter(
        project_id=source.project_id, source__kind=source.kind, source__state=ImportState.PUBLISHED
    )
    return [one for one in found.order_by("-pk")[:MOST_EARLIER] if one.profile.get("questions")]


def last_validation(project_id: int) -> Validation | None:
    """The last report on the newest batch, with its profile."""
    found = Validation.objects.filter(project_id=project_id, batch__isnull=False).select_related("batch")
    return found.order_by("-batch__number", "-pk").first()


def data_schemas_of(project_id: int) -> QuerySet[DataSchema]:
    """The versions of a project's schema, newest first."""
    return DataSchema.objects.filter(project_id=project_id).select_related("created_by").order_by("-number")


def newest_data_schema(project_id: int) -> DataSchema | None:
    """The schema in force."""
    return data_schemas_of(project_id).first()


def data_schema_document(schema: DataSchema) -> dict[str, Any]:
    """A version as the API tells it."""
    return {
        "number": schema.number,
        "document": schema.document,
        "note": schema.note,
        "created_by": schema.created_by.username if schema.created_by else None,
        "created_at": schema.created_at,
    }


def schema_difference(new: dict[str, Any], old: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What a version changes: fields added and removed, and of the others each property with both values."""
    after, before = new.get("fields", {}), (old or {}).get("fields", {})
    told: list[dict[str, Any]] = []
    for name in sorted({*after, *before}):
        if name not in before or name not in after:
            told.append({"field": name, "change": "added" if name in after else "removed"})
            continue
        for key in sorted({*after[name], *before[name]} - {"learnt", "far"}):
            if after[name].get(key) != before[name].get(key):
                values = {"before": before[name].get(key), "after": after[name].get(key)}
                told.append({"field": name, "change": "changed", "property": key, **values})
    return told


def rules_of(project_id: int) -> QuerySet[ValidationRule]:
    """A project's rules, in the order in which they were made."""
    return ValidationRule.objects.filter(project_id=project_id).select_related("created_by").order_by("pk")


def rule_of(project_id: int, rule_id: int) -> ValidationRule:
    """One rule of a project. Raises Missing."""
    found = rules_of(project_id).filter(pk=rule_id).first()
    if found is None:
        raise Missing
    return found


def rule_document(rule: ValidationRule) -> dict[str, Any]:
    """A rule as the API tells it."""
    return {
        "id": rule.pk,
        "name": rule.name,
        "severity": rule.severity,
        "document": rule.document,
        "active": rule.active,
        "version": rule.version,
        "created_at": rule.created_at,
    }


def validation_line(report: Validation) -> dict[str, Any]:
    """A report without its findings, for lists."""
    counts = dict.fromkeys(("stop", "warn", "note"), 0)
    for finding in report.findings:
        counts[finding["severity"]] += 1
    return {
        "id": report.pk,
        "batch": report.batch.number if report.batch else None,
        "import": report.source_id,
        "schema": report.schema.number if report.schema else None,
        "severity": report.severity,
        "n_items": report.n_items,
        "n_findings": counts,
        "created_at": report.created_at,
    }


def validation_document(report: Validation) -> dict[str, Any]:
    """A report with its findings."""
    return {**validation_line(report), "findings": report.findings}


def class_names(project: Project) -> frozenset[str]:
    """The names of all classes of a project's questions."""
    return frozenset(spec.name for question in schema_of(project).questions for spec in question.classes)


def staged_rows(source: Import) -> Iterator[list[CheckedRow]]:
    """The rows of an import that were not refused, in chunks."""
    columns = ("row", "external_id", "data", "meta", "audit")
    rows = StagedItem.objects.filter(source=source).order_by("row").values_list(*columns)
    yield from _chunks(rows.iterator(chunk_size=CHUNK))


class StagedChoice(NamedTuple):
    """A staged answer to a choice question; ``classes`` are ids."""

    item: str
    question: int
    who: str
    classes: tuple[str, ...]


def staged_choices(source: Import, questions: Sequence[int]) -> Iterator[list[StagedChoice]]:
    """The answers of an import to these questions that were not refused: all of an item's at once."""
    columns = ("item__external_id", "question_id", "annotator", "repeat", "label_class_id", "classes")
    rows = StagedAnswer.objects.filter(source=source, question_id__in=questions).order_by("item_id")
    found = rows.values_list(*columns).iterator(chunk_size=CHUNK)
    for _, several in groupby(found, key=itemgetter(0)):
        yield [
            StagedChoice(
                item,
                question,
                f"{annotator}\0{repeat}",
                (str(class_id),) if class_id else tuple(filter(None, classes.split("|"))),
            )
            for item, question, annotator, repeat, class_id, classes in several
        ]


def item_metadata(project_id: int, external_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The metadata of these items by their ids."""
    return _by_id(project_id, external_ids, "meta")


def batch_rows(batch: Batch) -> Iterator[list[CheckedRow]]:
    """The items of a batch, in chunks."""
    rows = Item.objects.filter(batch=batch).order_by("row")
    yield from _chunks(
        rows.values_list("row", "external_id", "data", "meta", "audit").iterator(chunk_size=CHUNK)
    )


def _chunks(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[CheckedRow]]:
    chunk: list[CheckedRow] = []
    for row, external_id, data, meta, audit in rows:
        chunk.append(CheckedRow(row, external_id, data, meta, audit != AuditPart.NONE))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def first_rows(project_id: int, n: int) -> list[CheckedRow]:
    """The newest items of a project, in the order of their rows."""
    columns = ("row", "external_id", "data", "meta", "audit")
    rows = Item.objects.filter(project_id=project_id).order_by("-pk").values_list(*columns)[:n]
    return [row for chunk in _chunks(iter(reversed(rows))) for row in chunk]


def item_data(project_id: int, external_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The data of these items by their ids."""
    return _by_id(project_id, external_ids, "data")


def _by_id(project_id: int, external_ids: Sequence[str], column: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(external_ids), NAMES_AT_ONCE):
        some = external_ids[start : start + NAMES_AT_ONCE]
        rows = Item.objects.filter(project_id=project_id, external_id__in=some)
        found.update(rows.values_list("external_id", column))
    return found


def items_named(project_id: int, external_ids: Sequence[str]) -> dict[str, int]:
    """The keys of these items by their ids."""
    rows = Item.objects.filter(project_id=project_id, external_id__in=external_ids)
    return dict(rows.values_list("external_id", "pk"))


def batches_of_project(project_id: int) -> QuerySet[Batch]:
    """A project's batches, newest first."""
    return Batch.objects.filter(project_id=project_id).order_by("-number")


def batch_called(project_id: int, number: int) -> Batch:
    """A batch by its number. Raises Missing."""
    found = batches_of_project(project_id).filter(number=number).first()
    if found is None:
        raise Missing
    return found
