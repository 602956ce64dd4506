"""Make a project from a project document."""

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.exceptions import DomainError
from core.selectors.account import find_user
from core.services.project import found_project


class Command(BaseCommand):
    """``project create FILE``."""

    help = "Make a project from a project document (JSON)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The document, and whose the project is."""
        parser.add_argument("verb", choices=["create"])
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--owner", default="", help="sign-in name of the owner; else the first lead to come"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 1 with every field that is wrong when the document is refused."""
        owner = find_user(options["owner"]) if options["owner"] else None
        if options["owner"] and owner is None:
            raise CommandError(f"Nobody signs in as {options['owner']!r}.")
        try:
            document = json.loads(options["file"].read_bytes())
            project = found_project(owner, document, "" if owner else "command line")
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        except ValueError as error:
            raise CommandError(f"{options['file']} is not JSON: {error}") from None
        except DomainError as error:
            lines = [f"{row['pointer']}: {row['detail']} ({row['code']})" for row in error.errors]
            raise CommandError("\n".join(lines or [f"{error.detail} ({error.code})"])) from None
        if options["json"]:
            self.stdout.write(json.dumps({"slug": project.slug, "name": project.name}))
        else:
            self.stdout.write(f"made {project.slug}")
