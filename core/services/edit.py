"""Edits of rows that count their versions."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Model


def write_changes(row: Model, new: Any, names: Sequence[str]) -> list[str]:
    """Give a locked row what ``new`` has under these names, as its next version; returns which of them changed.

    Where nothing changes, its version stays.
    """
    changed = [name for name in names if getattr(row, name) != getattr(new, name)]
    if changed:
        for name in changed:
            setattr(row, name, getattr(new, name))
        row.version += 1  # type: ignore[attr-defined]
        row.save(update_fields=[*changed, "version"])
    return changed
