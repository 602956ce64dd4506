"""What members are told within the app, and that they have read it."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F, Window
from django.db.models.functions import Now, RowNumber

from core.choices import NoticeKind
from core.exceptions import Missing
from core.models import Membership, Notice

KEPT = 200


def notify(member_ids: Iterable[int], kind: NoticeKind, **data: Any) -> None:
    """Tell these members something, inside the transaction of what it is about.

    ``data`` holds ids, counts and names, never an item's text. Of each member the newest 200 notices are kept.
    Unread ones are counted where they are shown (selectors.notice.n_unread): a counter on the member would be a lock
    taken after that of an item, against the order of a submit.
    """
    people = sorted(set(member_ids))
    Notice.objects.bulk_create(Notice(member_id=pk, kind=kind, data=data) for pk in people)
    _prune(people)


def _prune(people: list[int]) -> None:
    """Delete what is older than the newest 200; rows that somebody else is deleting are left to them."""
    place = Window(RowNumber(), partition_by="member", order_by=F("id").desc())
    rows = Notice.objects.filter(member__in=people).order_by().annotate(place=place).filter(place__gt=KEPT)
    if old := list(rows.values_list("pk", flat=True)):
        free = Notice.objects.filter(pk__in=old).select_for_update(skip_locked=True).order_by()
        Notice.objects.filter(pk__in=list(free.values_list("pk", flat=True))).delete()


@transaction.atomic
def read_notices(membership: Membership, *, notice_id: int | None = None, until: int | None = None) -> int:
    """Mark one's own notices as read: one of them, those up to one, or all. Returns how many were unread.

    Raises Missing when ``notice_id`` is none of one's own.
    """
    own = Notice.objects.filter(member=membership)
    if notice_id is not None:
        own = own.filter(pk=notice_id)
        if not own.exists():
            raise Missing
    if until is not None:
        own = own.filter(pk__lte=until)
    return own.filter(read_at=None).update(read_at=Now())
