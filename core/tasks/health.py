"""A task that only proves that tasks arrive."""

from celery import shared_task

from core.queue import TaskName
from core.services.job import sign_of_life


@shared_task(name=TaskName.CANARY, soft_time_limit=10, time_limit=20)
def canary() -> None:
    """Leave a sign that broker and worker both live."""
    sign_of_life()
