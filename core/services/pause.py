"""Pausing one person's work: they get no further items, what they hold goes back, what they answered stays."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from core.access import LEADS, rank
from core.choices import NoticeKind, PausedBecause
from core.exceptions import Conflict, Missing, NotAllowed
from core.models import Membership, User
from core.selectors.gold_accuracy import RESUMED
from core.services.archive import check_open
from core.services.audit import record
from core.services.lease import release_leases_of
from core.services.notice import notify


def pause_member(membership: Membership, member_id: int) -> Membership:
    """A lead's pause. Raises Missing, NotAllowed for a role above one's own, Conflict when paused already."""
    with transaction.atomic():
        member = _lock(membership, member_id)
        if member.paused_because:
            raise Conflict("member-paused", f"{member.name} is paused already.")
        _pause(member, PausedBecause.LEAD, membership.user)
    # After the commit: leases are locked before memberships, and none is handed out from now on.
    release_leases_of(member)
    return member


def resume_member(membership: Membership, member_id: int) -> Membership:
    """Let somebody go on; their gold answers count anew from here. Raises Missing, NotAllowed, Conflict."""
    with transaction.atomic():
        member = _lock(membership, member_id)
        if not member.paused_because:
            raise Conflict("member-not-paused", f"{member.name} is not paused.")
        because = member.paused_because
        Membership.objects.filter(pk=member.pk).update(paused_because=PausedBecause.NOT, paused_at=None)
        member.paused_because, member.paused_at = PausedBecause.NOT, None
        record(membership.user, member.project, RESUMED, member.name, id=member.pk, because=because)
        notify([member.pk], NoticeKind.RESUMED)
    return member


def pause_for_gold(member: Membership, *, n: int, right: int, bound: float) -> bool:
    """Pause somebody who is surely below the bound on gold. False when they are paused or gone meanwhile."""
    with transaction.atomic():
        rows = Membership.objects.select_for_update(of=("self",), no_key=True).select_related("project")
        found = rows.filter(pk=member.pk, active=True, paused_because=PausedBecause.NOT).first()
        if found is None:
            return False
        _pause(found, PausedBecause.GOLD, None, n=n, right=right, bound=bound)
    release_leases_of(found)
    return True


def _pause(member: Membership, because: PausedBecause, actor: User | None, **why: Any) -> None:
    """The person's row is locked. They are told that, the leads also on what it rests."""
    rows = Membership.objects.filter(pk=member.pk)
    rows.update(paused_because=because, paused_at=Now())
    member.paused_because, member.paused_at = because, rows.values_list("paused_at", flat=True).get()
    record(actor, member.project, "member.paused", member.name, id=member.pk, because=because, **why)
    told = {"because": because.value, "member": member.pk, "name": member.name}
    notify([member.pk], NoticeKind.PAUSED, **told)
    leads = Membership.objects.filter(project=member.project_id, active=True, role__in=LEADS)
    if actor is None:
        others = leads.exclude(pk=member.pk).values_list("pk", flat=True)
        notify(others, NoticeKind.PAUSED, **told, **why)


def _lock(membership: Membership, member_id: int) -> Membership:
    """A member whose role is not above one's own."""
    check_open(membership.project)
    member = (
        Membership.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "user")
        .filter(project=membership.project_id, pk=member_id, active=True)
        .first()
    )
    if member is None:
        raise Missing
    if rank(member.role) > rank(membership.role):
        raise NotAllowed("Nobody decides over a role above their own.", code="role-above-own")
    return member
