"""Reads of imports: the items that rows speak of, the list, the refused rows."""

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import QuerySet

from core.choices import Role
from core.exceptions import Missing
from core.models import Import, Item, Membership, RefusedRow

INLINE_ERRORS = 100
REFUSED_COLUMNS = ("row", "line", "column", "byte", "code", "detail")


def item_ids(project_id: int, external_ids: Collection[str]) -> dict[str, int]:
    """The ids of a project's items by their names in files. One statement."""
    found = Item.objects.filter(project_id=project_id, external_id__in=external_ids)
    return dict(found.values_list("external_id", "pk"))


def owner_of(slug: str) -> Membership | None:
    """For whom a command imports: the project's first owner."""
    return (
        Membership.objects.select_related("project", "user")
        .filter(project__slug=slug, role=Role.OWNER, active=True)
        .order_by("pk")
        .first()
    )


def imports_of(project_id: int) -> QuerySet[Import]:
    """A project's imports, newest first, with their job and batch."""
    return Import.objects.filter(project_id=project_id).select_related("job", "batch").order_by("-pk")


def import_of(project_id: int, import_id: int) -> Import:
    """One import of a project. Raises Missing."""
    found = imports_of(project_id).filter(pk=import_id).first()
    if found is None:
        raise Missing
    return found


def refused_rows(source: Import) -> QuerySet[RefusedRow]:
    """What was refused, in the file's order."""
    return RefusedRow.objects.filter(source=source).order_by("row", "pk")


def refused_table(source: Import) -> Iterator[dict[str, Any]]:
    """All refused rows as records; read as they are asked for."""
    yield from refused_rows(source).values(*REFUSED_COLUMNS).iterator(chunk_size=2000)


def import_document(source: Import) -> dict[str, Any]:
    """An import as the API and the command tell it, with its first 100 refused rows."""
    errors = [
        {**row, "column": row["column"] or None}
        for row in refused_rows(source).values(*REFUSED_COLUMNS)[:INLINE_ERRORS]
    ]
    return {
        **import_line(source),
        "validation": source.validations.values_list("pk", flat=True).first(),
        "errors": errors,
        "errors_truncated": source.rejected > len(errors),
    }


def import_line(source: Import) -> dict[str, Any]:
    """An import without its errors, for lists."""
    return {
        "id": source.pk,
        "kind": source.kind,
        "state": source.state,
        "on_error": source.on_error,
        "file_name": source.file_name,
        "file_hash": source.file_hash,
        "file_size": source.file_size,
        "format": source.format,
        "encoding": source.encoding,
        "columns": source.columns,
        "run": source.run_name or None,
        "rows": source.rows,
        "accepted": source.accepted,
        "rejected": source.rejected,
        "duplicates": source.duplicates,
        "replaced": replaced_by(source),
        "batch": source.batch.number if source.batch else None,
        "job": str(source.job_id) if source.job_id else None,
        "progress": source.job.progress if source.job else None,
        "error": source.error,
        "created_at": source.created_at,
    }


def replaced_by(source: Import) -> int:
    """How many earlier predictions of its run, or embeddings, a published import has replaced."""
    told = source.job.result if source.job else None
    return int(told.get("replaced", 0)) if told else 0
