"""Make the demo projects."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.exceptions import DomainError
from core.models import Project, User
from core.pipelines.demo import seed_demo
from core.selectors.account import find_user


class Command(BaseCommand):
    """Two small projects with simulated labelers."""

    help = "Make the two demo projects, with labelers who are simulated."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Whose they are, and whether to leave a used installation alone."""
        parser.add_argument(
            "--owner", default="", help="sign-in name of their owner; else the first lead to come"
        )
        parser.add_argument(
            "--once", action="store_true", help="do nothing where there are people or projects"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 1 with the reason when they cannot be made."""
        if options["once"] and (User.objects.exists() or Project.objects.exists()):
            return
        owner = find_user(options["owner"]) if options["owner"] else None
        if options["owner"] and owner is None:
            raise CommandError(f"Nobody signs in as {options['owner']!r}.")
        try:
            made = seed_demo(owner)
        except DomainError as error:
            raise CommandError(f"{error.detail} ({error.code})") from None
        self.stdout.write(f"demo: made {', '.join(project.slug for project in made)}")
