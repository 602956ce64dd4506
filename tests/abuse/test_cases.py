"""docs/security.md names a test for every abuse case; the tests must be there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = [*range(7, 32), *range(36, 49), *range(58, 62)]
ROW = re.compile(r"^\| A(\d+) \| `([^`]+)::([^`]+)` \|$", re.MULTILINE)


def test_every_case_has_a_test_that_exists() -> None:
    rows = ROW.findall((ROOT / "docs" / "security.md").read_text())
    missing = []
    for _case, path, name in rows:
        tree = ast.parse((ROOT / path).read_text())
        if name not in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")

    assert missing == []
    assert sorted({int(case) for case, _path, _name in rows}) == CASES
