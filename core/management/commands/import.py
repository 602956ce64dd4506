# ruff: noqa: N999 -- the command's name is part of the outer contract
"""Import a file of items, annotations, gold or predictions: the same job that the page and the API start, run here."""

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from core.choices import FileFormat, ImportKind, ImportState, OnError
from core.exceptions import DomainError
from core.models import Import, Membership
from core.pipelines.job import run_job
from core.selectors.imports import import_document, import_of, owner_of
from core.selectors.job import job_by_id
from core.services.imports import start_import

SHOWN_ERRORS = 20
POLL_SECONDS = 0.5
GOOD = {ImportState.PUBLISHED, ImportState.HELD, ImportState.REPEATED}


class Command(BaseCommand):
    """Read a file, show its progress, say what became of it."""

    help = "Import a file of items, annotations, gold or predictions into a project."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the API's form takes, as words."""
        parser.add_argument("slug")
        parser.add_argument("file", type=Path)
        parser.add_argument("--kind", required=True, choices=ImportKind.values)
        parser.add_argument("--format", default="", choices=["", *FileFormat.values])
        parser.add_argument(
            "--encoding", default="", help="a legacy code page; else UTF-8, or as the file's mark says"
        )
        parser.add_argument(
            "--column", action="append", default=[], metavar="OURS=THEIRS", help="map a column"
        )
        parser.add_argument("--run", default="", help="the run that a file of predictions belongs to")
        parser.add_argument("--hold", action="store_true", help="publish nothing when rows are refused")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 0: published, held or known already; 1: refused or failed; 2: wrong usage."""
        member = owner_of(options["slug"])
        if member is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        try:
            source = self._import(member, options)
        except DomainError as error:
            raise CommandError(f"{error.detail} ({error.code})") from None
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        self._tell(source, as_json=options["json"])

    def _import(self, member: Membership, options: dict[str, Any]) -> Import:
        with options["file"].open("rb") as file:
            source = start_import(
                member,
                file,
                options["file"].name,
                kind=options["kind"],
                format=options["format"],
                encoding=options["encoding"],
                columns=_columns(options["column"]),
                on_error=OnError.HOLD if options["hold"] else OnError.PUBLISH_ACCEPTED,
                run=options["run"],
                send=False,
            )
        if source.job_id:
            with _shown_progress(source.job_id):
                run_job(source.job_id)
        return import_of(member.project_id, source.pk)

    def _tell(self, source: Import, *, as_json: bool) -> None:
        document = import_document(source)
        if as_json:
            self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder))
        else:
            counts = ", ".join(
                f"{document[name]:,} {name}" for name in ("rows", "accepted", "rejected", "duplicates")
            )
            self.stdout.write(f"{source.file_name}: {source.get_state_display()}; {counts}")
        for error in document["errors"][:SHOWN_ERRORS]:
            where = f"row {error['row']}, line {error['line']}"
            self.stderr.write(f"{where}, {error['column'] or '-'}: {error['code']}: {error['detail']}")
        if source.error:
            self.stderr.write(f"{source.error['detail']} ({source.error['code']})")
        if source.state not in GOOD:
            sys.exit(1)


def _columns(pairs: list[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise CommandError(f"--column takes OURS=THEIRS, not {pair!r}", returncode=2)
        columns[ours] = theirs
    return columns


@contextmanager
def _shown_progress(job_id: UUID) -> Iterator[None]:
    """Show the job's progress on a terminal while it runs; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(job_id, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        sys.stderr.write("\r\x1b[K")


def _watch(job_id: UUID, ended: threading.Event) -> None:
    try:
        while not ended.wait(POLL_SECONDS):
            sys.stderr.write(f"\r{job_by_id(job_id).progress:4.0%}")
            sys.stderr.flush()
    finally:
        connection.close()
