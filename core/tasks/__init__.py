"""Celery tasks: ids in, nothing out. Importing the package registers all of them."""

from core.tasks import health, job

__all__ = ["health", "job"]
