"""Migrations: complete, in one line, and working both ways."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.django_db
def test_the_models_hold_nothing_that_no_migration_makes() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_they_stand_in_one_line() -> None:
    loader = MigrationLoader(connection)

    assert len(loader.graph.leaf_nodes("core")) == 1
    assert loader.detect_conflicts() == {}


BOTH_WAYS = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("migrate", "core", "zero", verbosity=0)
call_command("migrate", verbosity=0)
call_command("migrate", check_unapplied=True, verbosity=0)
"""


def test_they_work_both_ways_on_an_empty_database(tmp_path: Path) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", BOTH_WAYS],
        cwd=ROOT,
        env={**inherited, "LABELAPP_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "labelapp.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
