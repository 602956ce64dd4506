"""Make a token for somebody and print it, once."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.choices import Scope
from core.exceptions import DomainError
from core.models import Project
from core.selectors.account import find_user
from core.services.token import create_token


class Command(BaseCommand):
    """The token alone on standard output, so that scripts can read it; what it may do on standard error."""

    help = "Make an API token for USER and print it once."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Whose, for what, for how long."""
        parser.add_argument("user", help="sign-in name")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=Scope.values,
            dest="scopes",
            help="what the token may do; give it more than once for more",
        )
        parser.add_argument("--days", type=int, default=30, help="how long it lasts (default 30)")
        parser.add_argument(
            "--project", help="slug of the only project it opens (default: all of the user's)"
        )
        parser.add_argument("--name", default="command line", help="how the tokens page calls it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it; a refusal is one line on standard error and exit status 1."""
        user = find_user(options["user"])
        if user is None or not user.is_active:
            raise CommandError(f"Nobody signs in as {options['user']!r}.")
        project = Project.objects.filter(slug=options["project"]).first() if options["project"] else None
        if options["project"] and project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        try:
            token, secret = create_token(
                user, name=options["name"], scopes=options["scopes"], days=options["days"], project=project
            )
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(secret)
        self.stderr.write(
            f"{user.username}: {', '.join(token.scopes)}; until {token.expires_at:%Y-%m-%d %H:%M} UTC. "
            "It is not shown again."
        )
