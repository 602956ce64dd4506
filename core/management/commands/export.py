"""Write the answers or the labels of a project to a file."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.choices import FileFormat
from core.exceptions import DomainError
from core.models import Project
from core.pipelines.aggregation import RULES
from core.pipelines.exporting import Wanted, export_annotations, export_labels

EXPORTS = {"annotations": export_annotations, "labels": export_labels}


class Command(BaseCommand):
    """The file appears under its name when it is complete, never before."""

    help = "Write annotations or labels of the project SLUG to a file."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the API takes, as options."""
        parser.add_argument("slug")
        parser.add_argument("--what", choices=EXPORTS, required=True)
        parser.add_argument("--format", choices=FileFormat.values, required=True)
        parser.add_argument("--lossless", action="store_true", help="CSV without the spreadsheet guard")
        parser.add_argument("--output", type=Path, required=True, metavar="FILE")
        parser.add_argument("--question", help="only this question, by its key")
        parser.add_argument("--batch", type=int, help="only items of this batch")
        parser.add_argument(
            "--rule", choices=RULES, default="majority", help="how labels are made of answers"
        )
        parser.add_argument("--annotators", choices=["pseudonym", "name"], default="pseudonym")

    def handle(self, *args: Any, **options: Any) -> None:
        """A refusal is one line on standard error and exit status 1."""
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        wanted = Wanted(
            format=options["format"],
            lossless=options["lossless"],
            real_names=options["annotators"] == "name",
            question=options["question"],
            batch=options["batch"],
            rule=options["rule"],
        )
        output: Path = options["output"]
        try:
            n_bytes = self._write(EXPORTS[options["what"]](project, wanted), output)
        except DomainError as error:
            raise CommandError(error.detail) from None
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from None
        self.stderr.write(f"{output}: {n_bytes:,} bytes")

    def _write(self, parts: Iterator[bytes], output: Path) -> int:
        """Write beside the name, then take the name; returns the number of bytes."""
        unfinished = output.with_name(f".{output.name}.{os.getpid()}.part")
        written = 0
        try:
            with unfinished.open("wb") as file:
                for part in parts:
                    written += file.write(part)
                    if sys.stderr.isatty():
                        self.stderr.write(f"\r{written / 2**20:,.1f} MiB", ending="")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(output)
        finally:
            unfinished.unlink(missing_ok=True)
        if sys.stderr.isatty():
            self.stderr.write("")
        return written
