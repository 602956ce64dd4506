"""What a member was told."""

from typing import Any

from django.db.models import QuerySet

from core.access import LEADS
from core.models import Membership, Notice
from core.selectors.item import shown_name

NAMES = frozenset({"name", "by"})  # what people are called, which reviewers and annotators do not see


def notices_of(membership: Membership, *, unread: bool = False) -> QuerySet[Notice]:
    """A member's own notices, the newest first."""
    rows = Notice.objects.filter(member=membership).order_by("-pk")
    return rows.filter(read_at=None) if unread else rows


def n_unread(membership: Membership) -> int:
    """How many notices a member has not read; never more than are kept."""
    return notices_of(membership, unread=True).count()


def told_to(membership: Membership, notice: Notice) -> dict[str, Any]:
    """What a notice is about, in which other people have their names for leads only."""
    data = dict(notice.data)
    if membership.role not in LEADS and data.get("member") != membership.pk:
        data = {name: value for name, value in data.items() if name not in NAMES}
    return data


def people_in(membership: Membership, notices: list[Notice]) -> dict[int, str]:
    """What the reader may call the members that notices are about, by key."""
    wanted = {notice.data["member"] for notice in notices if isinstance(notice.data.get("member"), int)}
    members = Membership.objects.filter(project=membership.project_id, pk__in=wanted)
    return {one.pk: shown_name(one, membership) for one in members}
