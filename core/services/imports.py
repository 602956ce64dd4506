"""Imports: a file comes in, is held or published by its job, accepted or discarded by a lead."""

import hashlib
import os
import time
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from core.choices import FileFormat, ImportKind, ImportState, JobKind, JobState, OnError, Severity
from core.exceptions import Conflict, Invalid, Missing, TooLarge
from core.models import Import, Job, Membership, Project, RefusedRow, StagedAnswer, StagedItem
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import beat, create_job, end_cancelled, fail_job, finish_job
from core.services.run import checked_run_name

CHUNK_BYTES = 2**20
LONGEST_NAME = 255
LONGEST_COLUMN = 200
MOST_COLUMNS = 1000
ORPHAN_SECONDS = 3600
FORMATS = frozenset(FileFormat.values)
# What a repeat of the same file is compared with: everything that has been or may yet be published.
KNOWN = [
    ImportState.WAITING,
    ImportState.CHECKING,
    ImportState.HELD,
    ImportState.PUBLISHING,
    ImportState.PUBLISHED,
]
UNFINISHED = [ImportState.WAITING, ImportState.CHECKING, ImportState.PUBLISHING]


def start_import(
    membership: Membership,
    upload: BinaryIO,
    name: str,
    *,
    kind: str,
    format: str = "",  # noqa: A002 -- the word of the outer contract
    encoding: str = "",
    columns: Mapping[str, str] | None = None,
    on_error: str = OnError.PUBLISH_ACCEPTED,
    run: str = "",
    send: bool = True,
) -> Import:
    """Store a file with its hash and queue the job that reads it (``send=False``: the caller runs it).

    ``run`` names the run that a file of predictions belongs to. The same file again, with the same kind,
    columns and run, is answered with state ``repeated`` and adds nothing. Raises Invalid for wrong parameters, TooLarge, Conflict in an archive. Whatever goes wrong,
    no file stays behind.
    """
    columns = checked_options(kind, format, encoding, columns, on_error)
    run = _checked_run(kind, run)
    check_open(membership.project)
    path = import_folder() / uuid4().hex
    try:
        digest, size = _store(upload, path)
        source = Import(
            project=membership.project,
            kind=kind,
            on_error=on_error,
            file=path.name,
            file_name=safe_name(name),
            file_hash=digest,
            file_size=size,
            format=format,
            encoding=encoding,
            columns=columns,
            run_name=run,
            created_by=membership.user,
        )
        _enter(source, membership, send=send)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if source.state == ImportState.REPEATED:
        path.unlink(missing_ok=True)
    return source


@transaction.atomic
def _enter(source: Import, membership: Membership, *, send: bool) -> None:
    """Write the rows; the lock on the project lets two uploads of one file see each other."""
    Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    same = Import.objects.filter(
        project=source.project,
        kind=source.kind,
        file_hash=source.file_hash,
        columns=source.columns,
        run_name=source.run_name,
        state__in=KNOWN,
    ).first()
    if same is not None:
        source.state = ImportState.REPEATED
        source.file = ""
        source.error = {
            "code": "repeated",
            "detail": "This very file was imported already; nothing was added.",
            "import": same.pk,
        }
        source.save()
        return
    source.save()
    source.job = create_job(
        membership.project, JobKind.IMPORT, {"import": source.pk}, membership.user, send=send
    )
    source.save(update_fields=["job"])
    record(
        membership.user,
        membership.project,
        "import.started",
        source.file_name,
        id=source.pk,
        kind=source.kind,
    )


def checked_options(
    kind: str,
    format: str,  # noqa: A002 -- the word of the outer contract
    encoding: str,
    columns: Mapping[str, str] | None,
    on_error: str = OnError.PUBLISH_ACCEPTED,
) -> dict[str, str]:
    """The column mapping (target to source), when all options are permitted. Raises Invalid."""
    if kind not in ImportKind.values:
        raise Invalid("unknown-kind", f"kind is one of {', '.join(ImportKind.values)}")
    if format and format not in FORMATS:
        raise Invalid("unknown-format", f"format is one of {', '.join(sorted(FORMATS))}")
    if len(encoding) > 40 or not encoding.isprintable():  # noqa: PLR2004 -- the column's length
        raise Invalid("unknown-encoding", "There is no such encoding")
    if on_error not in OnError.values:
        raise Invalid("unknown-on-error", f"on_error is one of {', '.join(OnError.values)}")
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or len(columns) > MOST_COLUMNS:
        raise Invalid("bad-columns", "columns is an object: our name to the file's name")
    for target, wanted in columns.items():
        for word in (target, wanted):
            if not isinstance(word, str) or len(word) > LONGEST_COLUMN or "\0" in word:
                raise Invalid("bad-columns", "columns is an object: our name to the file's name")
    return {target: wanted for target, wanted in columns.items() if wanted}


def _checked_run(kind: str, run: str) -> str:
    """The name of the run, as it is kept. Raises Invalid ``run-needed``, ``run-not-possible``, ``bad-run``."""
    if kind != ImportKind.PREDICTIONS:
        if run:
            raise Invalid("run-not-possible", "Only predictions belong to a run.")
        return ""
    if not run.strip():
        raise Invalid("run-needed", "Name the run that these predictions come from, in `run`.")
    return checked_run_name(run)


def import_folder() -> Path:
    """Where uploads wait for their job."""
    folder = Path(settings.MEDIA_ROOT) / "imports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def safe_name(name: str) -> str:
    """The last part of a file name, without anything that could act where it is shown."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(mark for mark in last if not unicodedata.category(mark).startswith("C"))
    return kept.strip()[:LONGEST_NAME] or "file"


def _store(upload: BinaryIO, path: Path) -> tuple[str, int]:
    """Write the upload to disk while hashing it; returns SHA-256 and size in bytes. Raises TooLarge, Invalid."""
    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        while chunk := upload.read(CHUNK_BYTES):
            size += len(chunk)
            if size > settings.IMPORT_MAX_BYTES:
                raise TooLarge("too-large", f"A file may have {settings.IMPORT_MAX_BYTES:,} bytes.")
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        raise Invalid("empty-file", "The file is empty.")
    return digest.hexdigest(), size


@transaction.atomic
def begin_check(job: Job, source: Import) -> None:
    """Start from clean staging, whatever an earlier attempt has left."""
    beat(job, 0)
    clear_staging(source)
    RefusedRow.objects.filter(source=source).delete()
    source.state = ImportState.CHECKING
    source.rows = source.accepted = source.rejected = source.duplicates = 0
    source.save(update_fields=["state", "rows", "accepted", "rejected", "duplicates"])


def clear_staging(source: Import) -> None:
    """Drop the rows that are not published."""
    StagedItem.objects.filter(source=source).delete()
    StagedAnswer.objects.filter(source=source).delete()


@transaction.atomic
def hold_import(job: Job, source: Import) -> None:
    """Wait for a lead's decision: rows were refused, or what was found in them stops the import. Ends the job."""
    source.state = ImportState.HELD
    source.save(update_fields=["state"])
    finish_job(job, result_of(source))


def result_of(source: Import) -> dict[str, Any]:
    """What the job of an import says at its end."""
    return {
        "import": source.pk,
        "state": source.state,
        "rows": source.rows,
        "accepted": source.accepted,
        "rejected": source.rejected,
        "duplicates": source.duplicates,
    }


@transaction.atomic
def accept_import(membership: Membership, import_id: int, *, send: bool = True) -> Import:
    """Publish the accepted rows of a held import. Raises Conflict ``not-held``."""
    check_open(membership.project)
    source = _locked(membership, import_id)
    source.state = ImportState.PUBLISHING
    source.job = create_job(
        membership.project, JobKind.IMPORT, {"import": source.pk}, membership.user, send=send
    )
    source.save(update_fields=["state", "job"])
    grave = source.validations.filter(severity=Severity.STOP).values_list("pk", flat=True).first()
    told = {} if grave is None else {"validation": grave}
    record(membership.user, membership.project, "import.accepted", source.file_name, id=source.pk, **told)
    return source


@transaction.atomic
def discard_import(membership: Membership, import_id: int) -> Import:
    """Drop a held import; nothing of it was ever published. Raises Conflict ``not-held``."""
    source = _locked(membership, import_id)
    _close(source, ImportState.DISCARDED)
    record(membership.user, membership.project, "import.discarded", source.file_name, id=source.pk)
    return source


def _locked(membership: Membership, import_id: int) -> Import:
    source = (
        Import.objects.select_for_update(of=("self",))
        .filter(pk=import_id, project=membership.project_id)
        .first()
    )
    if source is None:
        raise Missing
    if source.state != ImportState.HELD:
        raise Conflict("not-held", f"This import is {source.state}, not held for a decision.")
    return source


@transaction.atomic
def fail_import(job: Job, source: Import, code: str, detail: str, **data: Any) -> None:
    """The file is refused as a whole: nothing of it is published; refused rows stay to be read."""
    fail_job(job, code, detail, **data)
    _close(source, ImportState.FAILED, {"code": code, "detail": detail, **data})


@transaction.atomic
def cancel_import(job: Job, source: Import) -> None:
    """Somebody cancelled the job."""
    end_cancelled(job)
    _close(source, ImportState.DISCARDED)


def _close(source: Import, state: ImportState, error: dict[str, Any] | None = None) -> None:
    clear_staging(source)
    forget_file(source)
    source.state = state
    source.error = error
    source.save(update_fields=["state", "error", "file"])


def forget_file(source: Import) -> None:
    """Remove the stored upload once the transaction is durable; its name and hash stay on record."""
    if source.file:
        path = import_folder() / source.file
        transaction.on_commit(partial(path.unlink, missing_ok=True))
    source.file = ""


def sweep() -> None:
    """Close imports whose job has ended without them, and remove files that no import knows."""
    ended = Q(job__state__in=[JobState.FAILED, JobState.CANCELLED]) | Q(job=None)
    for import_id in list(
        Import.objects.filter(ended, state__in=UNFINISHED).order_by("pk").values_list("pk", flat=True)
    ):
        _sweep_one(import_id)
    known = set(Import.objects.exclude(file="").values_list("file", flat=True))
    for path in import_folder().iterdir():
        with suppress(FileNotFoundError):
            if path.name not in known and time.time() - path.stat().st_mtime > ORPHAN_SECONDS:
                path.unlink()


@transaction.atomic
def _sweep_one(import_id: int) -> None:
    source = Import.objects.select_for_update(of=("self",)).select_related("job").get(pk=import_id)
    if source.state not in UNFINISHED:
        return
    failed = source.job is not None and source.job.state == JobState.FAILED
    _close(
        source,
        ImportState.FAILED if failed else ImportState.DISCARDED,
        source.job.error if failed and source.job else None,
    )
