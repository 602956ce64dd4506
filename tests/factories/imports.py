"""Imports that have been through their job, and the files for them."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from PIL import Image

from core.models import Import, Membership
from core.pipelines.job import run_job
from core.services.imports import start_import


def import_file(
    membership: Membership, content: str | bytes, kind: str = "items", name: str = "", **options: Any
) -> Import:
    """Import some content and run its job; the import as it ended."""
    source = queue_file(membership, content, kind, name, **options)
    if source.job_id:
        run_job(UUID(str(source.job_id)))
    return Import.objects.select_related("job", "batch", "project").get(pk=source.pk)


def queue_file(
    membership: Membership, content: str | bytes, kind: str = "items", name: str = "", **options: Any
) -> Import:
    """Upload some content; its job waits."""
    data = content.encode() if isinstance(content, str) else content
    return start_import(membership, io.BytesIO(data), name or f"{kind}.csv", kind=kind, send=False, **options)


def jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as JSON lines."""
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def csv_items(*names: str) -> str:
    """A CSV file of items with these ids."""
    return "id,text\n" + "".join(f"{name},Text of {name}\n" for name in names)


def errors_of(source: Import) -> list[tuple[int, int, str, str]]:
    """Row, line, column and code of everything that was refused, in the file's order."""
    rows = source.refused_rows.order_by("row", "pk")
    return list(rows.values_list("row", "line", "column", "code"))


def packed(content: str | bytes) -> bytes:
    """The same, as gzip."""
    return gzip.compress(content.encode() if isinstance(content, str) else content)


def png(colour: str = "red", size: int = 8) -> bytes:
    """A small image."""
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, format="PNG")
    return file.getvalue()


def zipped(members: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """An archive with these members."""
    file = io.BytesIO()
    pairs = members.items() if isinstance(members, Mapping) else members
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in pairs:
            archive.writestr(name, data)
    return file.getvalue()
