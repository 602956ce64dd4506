"""What members are told within the app."""

from collections.abc import Iterable
from typing import Any

from django.db.models import F

from core.choices import NoticeKind
from core.models import Membership, Notice


def notify(member_ids: Iterable[int], kind: NoticeKind, **data: Any) -> None:
    """Tell these members something, inside the transaction of what it is about.

    ``data`` holds ids, counts and names, never an item's text. Their unread notices are counted on the member.
    """
    people = sorted(set(member_ids))
    Notice.objects.bulk_create(Notice(member_id=pk, kind=kind, data=data) for pk in people)
    Membership.objects.filter(pk__in=people).update(notices=F("notices") + 1)
