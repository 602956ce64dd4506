"""Add the images of a folder on this machine to a project."""

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.exceptions import DomainError
from core.pipelines.archive import import_folder
from core.selectors.imports import owner_of


class Command(BaseCommand):
    """Images that lie on the server need not be packed and uploaded."""

    help = "Add the images of a folder to a project; items name them by their path within the folder."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Where to, and from where."""
        parser.add_argument("slug")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 1 with the reason when one of them is refused: then none was added."""
        member = owner_of(options["slug"])
        if member is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        if not options["folder"].is_dir():
            raise CommandError(f"{options['folder']} is not a folder.")
        try:
            added = import_folder(member, options["folder"])
        except DomainError as error:
            raise CommandError(f"{error.detail} ({error.code})") from None
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        count = len(added)
        self.stdout.write(
            json.dumps({"images": count}) if options["json"] else f"{count} images are here now"
        )
