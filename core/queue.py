"""Wake workers by task name, after the transaction that asked for it has been committed."""

import logging
from enum import StrEnum

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger("labelapp.queue")


class TaskName(StrEnum):
    """Every task that exists; a test compares this with what workers have registered."""

    RUN_JOB = "core.run_job"
    REAP = "core.reap"
    CANARY = "core.canary"


def enqueue(task: TaskName, *args: str | int) -> None:
    """Send a task once the current transaction is durable.

    A broker that is away loses nothing: the row that the task is about stays in the database, and
    the reaper sends it again.
    """

    def send() -> None:
        try:
            current_app.signature(str(task), args=args).apply_async()
        except (OperationalError, OSError) as error:
            logger.warning("broker away, the reaper will send %s again: %s", task, type(error).__name__)

    transaction.on_commit(send)
