"""A task that only proves that tasks arrive."""

from celery import shared_task
from celery.signals import worker_ready

from core.queue import TaskName
from core.services.job import sign_of_life


@shared_task(name=TaskName.CANARY, soft_time_limit=10, time_limit=20)
def canary() -> None:
    """Leave a sign that broker and worker both live."""
    sign_of_life()


@worker_ready.connect
def tell_at_once(**_signal: object) -> None:
    """A worker that has just started says so, rather than at the first tick of the clock."""
    canary.apply_async(expires=30)
