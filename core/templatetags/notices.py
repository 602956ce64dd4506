"""The number beside the link to a member's notices."""

from django import template

from core.models import Membership
from core.selectors.notice import n_unread

register = template.Library()


@register.simple_tag
def unread_notices(membership: Membership | None) -> int:
    """How many notices the reader has not read."""
    return n_unread(membership) if membership else 0
