"""The audit log of a project as a file."""

from collections.abc import Iterator
from typing import Any

from core.exceptions import Invalid
from core.formats.writers import write_rows
from core.models import Project
from core.selectors.audit import LogFilter, actor_name, filtered_events

COLUMNS = ("id", "at", "actor", "verb", "thing", "data")
FORMATS = ("csv", "jsonl")
AT_ONCE = 2000


def audit_file(project: Project, chosen: LogFilter, format: str) -> Iterator[bytes]:  # noqa: A002 -- the word of the outer contract
    """The lines of the log that a filter leaves, oldest first, as CSV or JSON Lines.

    Raises Invalid ``unknown-format``, and as filtered_events, before the first byte.
    """
    if format not in FORMATS:
        raise Invalid("unknown-format", f"format is one of {', '.join(FORMATS)}.", allowed=list(FORMATS))
    events = filtered_events(project, chosen).order_by("pk")
    return write_rows(_lines(events), COLUMNS, format)


def _lines(events: Any) -> Iterator[dict[str, Any]]:
    for event in events.iterator(chunk_size=AT_ONCE):
        yield {
            "id": event.pk,
            "at": event.created_at.isoformat(),
            "actor": actor_name(event),
            "verb": event.verb,
            "thing": event.thing,
            "data": event.data,
        }
