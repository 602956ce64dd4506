"""JSON as people read it."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def plain(value: Any) -> str:
    """A value of a JSON document in a line: lists by commas, documents as "name value", nothing as a dash."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        return " ".join(f"{name} {plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return (", " if not any(isinstance(one, dict) for one in value) else "; ").join(map(plain, value))
    return str(value)
