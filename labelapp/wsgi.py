"""The web server's entry point."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

from labelapp.celery import app as celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
# A request that waits for a long import's rows is answered 503 and sent again, before it holds up the others.
os.environ.setdefault("LABELAPP_LOCK_TIMEOUT", "10s")

application = get_wsgi_application()
# Loads the code of every page now, once, before the server forks, and not within somebody's first request.
resolve("/livez")
# The same for what sends jobs: it would cost the first request that begins one a quarter of a second.
celery.finalize()
celery.amqp.queues  # noqa: B018 -- read to be built
celery.connection_for_write().get_transport_cls()
# What is loaded now stays: a full collection of it would hold up every request of a process for a tenth of a second.
gc.freeze()
