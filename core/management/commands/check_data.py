"""Check that every counter equals the facts and every row keeps its rules."""

import argparse
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand

from core.selectors.check_data import Finding, findings
from core.selectors.moment import one_moment
from core.services.check_data import fix_counters


class Command(BaseCommand):
    """Exit status 0 when all is well (or was repaired), 1 when something is wrong."""

    help = "Compare all counters with the facts; --fix repairs them."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Two switches."""
        parser.add_argument("--fix", action="store_true", help="set counters to what they count")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, repair if asked to, and look again."""
        found = _look()
        fixed = 0
        if found and options["fix"]:
            fixed = fix_counters()
            found = _look()
        if options["json"]:
            self.stdout.write(
                json.dumps({"clean": not found, "fixed": fixed, "findings": list(map(_row, found))})
            )
        else:
            self._tell(found, fixed)
        if found:
            sys.exit(1)

    def _tell(self, found: list[Finding], fixed: int) -> None:
        if fixed:
            self.stdout.write(f"{fixed} rows repaired")
        for rule, count, ids in found:
            self.stderr.write(f"{rule.name}: {count} times {rule.detail}; first: {', '.join(map(str, ids))}")
        if not found:
            self.stdout.write("clean")


def _look() -> list[Finding]:
    with one_moment():
        return list(findings())


def _row(found: Finding) -> dict[str, Any]:
    return {"code": found.rule.name, "detail": found.rule.detail, "count": found.n, "ids": found.ids}
