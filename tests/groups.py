"""A pytest plugin that says which tests one process of xdist does one after the other; the rest goes to any.

python -m pytest -p tests.groups --numprocesses 3

A group is begun at once, so that its waiting for servers goes on beside the others' computing. (xdist's own
groups do nothing with pytest 9.)
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

GROUPS = {
    "browser": ("tests/journeys/",),
    "servers": (
        "tests/faults/test_kills.py",
        "tests/faults/test_load.py",
        "tests/faults/test_worker.py",
        "tests/setup/test_up.py::TestRunning",
    ),
    "migrations": ("tests/test_migrations.py",),
}


def group_of(nodeid: str) -> str:
    """The name of a test's group; a test that belongs to none is its own."""
    return next((name for name, places in GROUPS.items() if nodeid.startswith(places)), nodeid)


class Grouped(LoadScopeScheduling):  # type: ignore[misc]
    """Groups first, the largest before the others, then single tests in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Grouped:
    return Grouped(config, log)
