"""The one Django app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """labelapp's data, rules and doors."""

    name = "core"
    default_auto_field = "django.db.models.BigAutoField"
