"""Every block of docs/examples.md runs against a real server and says what it should."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.choices import Role, Scope
from tests.factories.account import make_token, make_user
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member, make_project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "examples.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def surroundings(transactional_db: None, live_server: Any, media: Any) -> dict[str, str]:
    """A project with three answered items, its address, a reviewer's token and a lead's."""
    alice = make_user("alice")
    project = make_project("birds", owner=alice)
    dave = make_user("dave")
    add_member(project, dave, Role.REVIEWER)
    people = [add_member(project, make_user(name)) for name in ("bob", "carol")]
    for item, values in zip(
        make_items(project, "a", "b", "c"), (("yes", "yes"), ("no", "no"), ("yes", "no")), strict=True
    ):
        for member, value in zip(people, values, strict=True):
            make_answer(member, item, {"answer": value})
    return {
        "LABELAPP": f"{live_server.url}/api/v1/projects/birds",
        "TOKEN": make_token(dave, Scope.LABELS_READ),
        "LEAD_TOKEN": make_token(alice, Scope.ITEMS_WRITE),
    }


@pytest.mark.parametrize("place", range(len(BLOCKS)))
def test_a_block_of_the_examples_runs(surroundings: dict[str, str], tmp_path: Path, place: int) -> None:
    language, code = BLOCKS[place]
    if "curl" in code and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = {"sh": ["sh", "-eu", "-c", code], "python": [sys.executable, "-c", code]}[language]

    done = subprocess.run(
        command, env={**os.environ, **surroundings}, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_has_the_languages_it_promises() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "python", "python", "python", "sh", "python", "sh"]
