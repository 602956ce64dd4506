"""The web server's entry point."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
# A request that waits for a long import's rows is answered 503 and sent again, before it holds up the others.
os.environ.setdefault("LABELAPP_LOCK_TIMEOUT", "10s")

application = get_wsgi_application()
# Loads the code of every page now, once, before the server forks, and not within somebody's first request.
resolve("/livez")
# What is loaded now stays: a full collection of it would hold up every request of a process for a tenth of a second.
gc.freeze()
