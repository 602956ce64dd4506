"""Moments in words."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone

register = template.Library()


@register.filter
def is_recent(when: datetime) -> bool:
    """Whether it is less than a minute ago."""
    return timezone.now() - when < timedelta(minutes=1)
