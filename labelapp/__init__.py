"""labelapp: the Django project. The Celery app is loaded with it, so that services can send tasks."""

from labelapp.celery import app as celery_app

__all__ = ["celery_app"]
