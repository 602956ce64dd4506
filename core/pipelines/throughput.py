"""People's work by day as a file."""

from collections.abc import Iterable, Iterator

from core.formats.writers import write_rows
from core.selectors.throughput import WorkDay


def work_file(rows: Iterable[WorkDay]) -> Iterator[bytes]:
    """CSV, one line per person and day."""
    return write_rows(({**row._asdict(), "day": row.day.isoformat()} for row in rows), WorkDay._fields, "csv")
