"""Fail the Nth statement that a piece of work sends to the database, as a broken connection would."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection


@dataclass
class Fault:
    """How many statements were seen, and whether the one to fail was among them."""

    seen: int = 0
    fired: bool = False


@contextmanager
def failing_statement(n: int) -> Iterator[Fault]:
    """Raise OperationalError in place of the Nth statement (from 1) within the block.

    The ends of transactions are let through: they are not statements of the work. COPY goes past Django's
    cursors and is not counted.
    """
    fault = Fault()

    def execute(call: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 -- Django's signature
        if sql.startswith(("ROLLBACK", "RELEASE", "COMMIT")):
            return call(sql, params, many, context)
        fault.seen += 1
        if fault.seen == n:
            fault.fired = True
            raise OperationalError("the connection broke (on purpose)")
        return call(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield fault
