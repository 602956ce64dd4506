"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")

application = get_wsgi_application()
# Loads the code of every page now, once, before the server forks, and not within somebody's first request.
resolve("/livez")
