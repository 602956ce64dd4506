"""What whoever runs the server can do for people: let them choose a new password, lock them out, let them in."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.selectors.account import find_user
from core.services.account import activate, deactivate, make_reset_link_as_operator


class Command(BaseCommand):
    """One word and one name."""

    help = (
        "Help an account: print a reset link, deactivate it (sessions, tokens and leases end), activate it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What, and whose."""
        parser.add_argument("action", choices=["reset-link", "deactivate", "activate"])
        parser.add_argument("user", help="sign-in name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what was done in one line."""
        user = find_user(options["user"])
        if user is None:
            raise CommandError(f"Nobody is called {options['user']!r}.")
        if options["action"] == "deactivate":
            deactivate(user)
            self.stdout.write(f"{user.username} can no longer sign in.")
        elif options["action"] == "activate":
            activate(user)
            self.stdout.write(f"{user.username} can sign in again.")
        elif not user.is_active:
            raise CommandError(f"{user.username} is deactivated.")
        else:
            base = settings.PUBLIC_URL or f"http://{settings.BIND}"
            self.stdout.write(f"{base}{make_reset_link_as_operator(user)}")
