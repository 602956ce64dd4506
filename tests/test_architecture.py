"""The house as it is drawn: layers, writes, tasks, and what a web process loads."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.queue import TaskName
from labelapp.celery import app as celery_app

ROOT = Path(__file__).resolve().parent.parent
READERS = ("api", "web", "tasks", "selectors", "pipelines", "management", "numerics", "formats")
ALWAYS_WRITES = {
    *("save", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create"),
    *("asave", "acreate", "abulk_create", "abulk_update", "aget_or_create", "aupdate_or_create", "adelete"),
}
SQL_WRITES = ("insert", "update", "delete", "copy", "truncate", "alter", "drop", "create", "merge")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter with the contracts of pyproject.toml."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def writes_in(folder: Path) -> Iterator[str]:
    """Every call under core/ outside services that looks like a write to the database."""
    for layer in READERS:
        for path in sorted((folder / "core" / layer).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _writes(node):
                    yield f"{path.relative_to(folder)}:{node.lineno}: .{node.func.attr}"


def _writes(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    name = call.func.attr
    if name in ALWAYS_WRITES:
        return not _is_a_file(call.func.value)
    if name in {"update", "aupdate"}:  # of a query set: by keyword; of a dict, a set or a hash: by position
        return bool(call.keywords) and not call.args
    if name == "delete":  # of a row or a query set: without a word; of a storage: with a name
        return not call.args
    if name in {"execute", "executemany"} and call.args:
        return _sql(call.args[0]).lower().lstrip().startswith(SQL_WRITES)
    return False


def _is_a_file(receiver: ast.expr) -> bool:
    """Pictures are saved to files; they are called so."""
    return isinstance(receiver, ast.Name) and receiver.id in {"image", "picture"}


def _sql(text: ast.expr) -> str:
    if isinstance(text, ast.JoinedStr) and text.values:
        text = text.values[0]
    return text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code alone, for planting."""
    for name in ("core", "labelapp"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(path: Path, text: str) -> None:
    """A line at the end of a file."""
    path.write_text(f"{path.read_text()}\n{text}\n")


def test_the_contracts_are_kept() -> None:
    checked = lint_imports(ROOT)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("place", "line", "told"),
    [
        (
            "selectors/site.py",
            "from core.services import audit",
            "core.selectors.site -> core.services.audit",
        ),
        ("models/base.py", "def late():\n    import core.access", "core.models.base -> core.access"),
        ("web/pages.py", "from core.api import errors", "core.web.pages -> core.api.errors"),
        ("services/audit.py", "import core.numerics.alpha", "core.services.audit -> core.numerics.alpha"),
        ("numerics/table.py", "import django", "core.numerics.table -> django"),
        ("access.py", "import labelapp.env", "core.access -> labelapp.env"),
    ],
)
def test_a_planted_import_is_reported(copy: Path, place: str, line: str, told: str) -> None:
    plant(copy / "core" / place, line)

    checked = lint_imports(copy)

    assert checked.returncode == 1
    assert told in checked.stdout


def test_only_services_write() -> None:
    assert list(writes_in(ROOT)) == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("api/views/project.py", "def plant(item):\n    item.save()"),
        ("web/views/project.py", "def plant():\n    Project.objects.filter(pk=1).update(name='x')"),
        ("selectors/project.py", "def plant():\n    Project.objects.create(name='x')"),
        ("pipelines/job.py", "def plant(rows):\n    Model.objects.bulk_create(rows)"),
        ("tasks/job.py", "def plant(item):\n    item.delete()"),
        ("management/commands/token.py", "def plant():\n    Model.objects.get_or_create(pk=1)"),
        ("selectors/site.py", "def plant(cursor):\n    cursor.execute('UPDATE core_item SET done = 1')"),
        ("selectors/site.py", "def plant(cursor, t):\n    cursor.execute(f'DELETE FROM {t}')"),
    ],
)
def test_a_planted_write_is_reported(copy: Path, place: str, line: str) -> None:
    path = copy / "core" / place
    plant(path, line)

    reported = list(writes_in(copy))

    assert [line.split(":")[0] for line in reported] == [f"core/{place}"]


def test_every_task_is_known_by_name() -> None:
    registered = {name for name in celery_app.tasks if not name.startswith("celery.")}

    assert registered == set(TaskName)


def test_a_web_process_loads_no_heavy_library() -> None:
    program = """
import sys
import labelapp.wsgi
from django.urls import get_resolver

def load(patterns):
    for pattern in patterns:
        load(getattr(pattern, "url_patterns", []))

load(get_resolver().url_patterns)
print(sorted({name.split(".")[0] for name in sys.modules} & {"sklearn", "pandas", "pyarrow", "matplotlib"}))
print("scipy.stats" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[:2] == ["[]", "False"]
