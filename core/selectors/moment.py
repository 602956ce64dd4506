"""Several reads that see the database at one moment, however long they take."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.models.functions import Now

from core.models import Project


@contextmanager
def one_moment() -> Iterator[None]:
    """A read-only transaction whose reads all see the same state; writers are not held up.

    Within a transaction that is already open the reads see what that one sees.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            if connection.connection.in_transaction:  # of a moment around this one
                yield
                return
            cursor.execute("BEGIN DEFERRED")  # Django's own begin would take the only place of a writer
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def database_now(project: Project) -> datetime:
    """The time by the database's clock."""
    return Project.objects.annotate(now=Now()).values_list("now", flat=True).get(pk=project.pk)
