"""The Celery application: carries job ids, never content."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from django.db.backends.signals import connection_created

NICENESS = 19

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")

app = Celery("labelapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["core"])


@worker_process_init.connect
def give_way(**_signal: object) -> None:
    """Background work takes what people at the same machine leave: nobody waits for a selection.

    Where Linux shares the processor among sessions first, a worker with a session of its own lowers that, too.
    """
    with suppress(OSError):
        os.nice(NICENESS)
        if os.getsid(0) == os.getppid():
            Path("/proc/self/autogroup").write_text(str(NICENESS))
    connection_created.connect(one_at_a_time)


def one_at_a_time(connection: Any, **_signal: object) -> None:
    """The server, which knows no priorities, uses one process for a statement of background work."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 0")
