"""The people of a project: invited, given another role, capped, removed.

Nobody grants, changes or removes a role above their own, and a project always keeps an owner.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from core.access import rank
from core.choices import Role
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import Invitation, Membership, Project, RelabelPlace, User
from core.selectors.account import digest_of, find_invitation
from core.selectors.membership import find_colleague
from core.services.account import create_user, free_name
from core.services.audit import record
from core.services.item import leave_batches
from core.services.lease import release_leases_of
from core.services.token import new_secret
from core.services.training_round import begin_training

LONGEST_INVITATION_DAYS = 90
LONGEST_NOTE = 120
LARGEST_CAP = 2**31 - 1


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """What to change of a member; None leaves it as it is. ``uncap`` takes the cap away."""

    role: str | None = None
    cap: int | None = None
    uncap: bool = False


# --- Coming in ----------------------------------------------------------------------------------------


@transaction.atomic
def invite(membership: Membership, *, role: str, note: str = "", days: int = 7) -> tuple[Invitation, str]:
    """A link's secret that makes one person a member, once. Raises Invalid, NotAllowed."""
    _may_decide_on(membership, _known(role))
    note = " ".join(note.split())
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise Invalid("bad-note", f"A note has at most {LONGEST_NOTE} printable characters.")
    if not 1 <= days <= LONGEST_INVITATION_DAYS:
        raise Invalid("bad-days", f"An invitation lasts 1 to {LONGEST_INVITATION_DAYS} days.")
    secret = new_secret()
    invitation = Invitation.objects.create(
        project=membership.project,
        role=role,
        note=note,
        digest=digest_of(secret),
        made_by=membership.user,
        expires_at=Now() + timedelta(days=days),
    )
    invitation.refresh_from_db(fields=["expires_at"])
    record(membership.user, membership.project, "invitation.created", note, role=role, days=days)
    return invitation, secret


@transaction.atomic
def withdraw_invitation(membership: Membership, invitation_id: int) -> None:
    """Make an unused invitation useless. Raises Missing."""
    open_ones = Invitation.objects.filter(project=membership.project_id, pk=invitation_id, used_at=None)
    invitation = open_ones.first()
    if invitation is None or not open_ones.update(expires_at=Now(), used_at=Now()):
        raise Missing
    record(membership.user, membership.project, "invitation.withdrawn", invitation.note, role=invitation.role)


@transaction.atomic
def sign_up_by_invitation(secret: str, *, username: str, password: str, display_name: str = "") -> User:
    """Make an account and join with it. Raises Missing for the link, Invalid for a field."""
    invitation = _take(secret)
    user = create_user(username, password=password, display_name=display_name)
    _join(invitation, user)
    return user


@transaction.atomic
def accept_invitation(secret: str, user: User) -> Membership:
    """Join with an account that exists. Raises Missing, and Conflict for somebody who is in already."""
    return _join(_take(secret), user)


def _take(secret: str) -> Invitation:
    """The invitation, for exactly one of those who use it at the same time."""
    invitation = find_invitation(secret)
    if not Invitation.objects.filter(pk=invitation.pk, used_at=None).update(used_at=Now()):
        raise Missing
    return invitation


def _join(invitation: Invitation, user: User) -> Membership:
    member = _enter(invitation.project, user, invitation.role)
    Invitation.objects.filter(pk=invitation.pk).update(used_by=user)
    record(user, invitation.project, "member.joined", member.name, role=member.role)
    return member


def _enter(project: Project, user: User, role: str) -> Membership:
    """A new membership, or the old one of somebody who had left."""
    member = Membership.objects.select_for_update(of=("self",)).filter(project=project, user=user).first()
    if member is None:
        try:
            with transaction.atomic():
                member = Membership.objects.create(
                    project=project, user=user, role=role, name=free_name(project, user)
                )
                return _begin(member)
        except IntegrityError:
            raise Conflict("try-again", "Somebody joined under this name just now. Try again.") from None
    if member.active:
        raise Conflict("already-member", f"{member.name} is a member of this project already.")
    member.active, member.role = True, role
    member.save(update_fields=["active", "role"])
    return _begin(member)


def _begin(member: Membership) -> Membership:
    """Annotators who come while a training round is asked of newcomers begin with it."""
    if member.role == Role.ANNOTATOR:
        begin_training(member)
    return member


@transaction.atomic
def add_member(membership: Membership, *, username: str, role: str) -> Membership:
    """Add somebody who works with the lead in another project; strangers are invited by link instead.

    Raises Invalid for an unknown name (the same answer for strangers), NotAllowed, Conflict.
    """
    _may_decide_on(membership, _known(role))
    user = find_colleague(membership.user, username) if membership.user else None
    if user is None:
        detail = "Nobody of this name works in a project that you lead. Invite them by link."
        row = {"field": "username", "pointer": "/username", "code": "unknown-person", "detail": detail}
        raise Invalid("unknown-person", detail, errors=[row])
    member = _enter(membership.project, user, role)
    record(membership.user, membership.project, "member.added", member.name, role=role)
    return member


# --- Being in -----------------------------------------------------------------------------------------


@transaction.atomic
def change_member(membership: Membership, member_id: int, changes: MemberChanges) -> Membership:
    """Give a member another role or cap. Raises Missing, Invalid, NotAllowed, Conflict for the last owner."""
    member = _lock(membership, member_id)
    before = {"role": member.role, "cap": member.cap}
    if changes.role is not None and changes.role != member.role:
        _may_decide_on(membership, _known(changes.role))
        _keep_an_owner(member)
        member.role = changes.role
    if changes.uncap:
        member.cap = None
    elif changes.cap is not None:
        if not 0 <= changes.cap <= LARGEST_CAP:
            raise Invalid("bad-cap", "A cap is a whole number, 0 or more.")
        member.cap = changes.cap
    after = {"role": member.role, "cap": member.cap}
    if after != before:
        member.save(update_fields=["role", "cap"])
        record(membership.user, membership.project, "member.changed", member.name, before=before, after=after)
    return member


def remove_member(membership: Membership, member_id: int) -> int:
    """Take somebody out: they see nothing from now on, what they hold goes back, what they answered stays.

    Returns how many leases were given back. Raises Missing, NotAllowed, Conflict for the last owner.
    """
    with transaction.atomic():
        member = _lock(membership, member_id)
        if not member.active:
            raise Missing
        _keep_an_owner(member)
        member.active, member.waiting = False, 0
        member.save(update_fields=["active", "waiting"])
        RelabelPlace.objects.filter(annotator=member, annotation=None, dropped=False).update(dropped=True)
        record(membership.user, membership.project, "member.removed", member.name)
    # After the commit: leases are locked before memberships, and none is handed out from now on.
    leave_batches(member, by=membership)
    return release_leases_of(member)


def _lock(membership: Membership, member_id: int) -> Membership:
    """A member whose role is not above one's own, with the owners locked so that the last one stays."""
    owners = Membership.objects.filter(project=membership.project_id, active=True, role=Role.OWNER)
    list(owners.select_for_update().order_by("pk").values_list("pk"))
    member = (
        Membership.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user", "project")
        .filter(project=membership.project_id, pk=member_id)
        .first()
    )
    if member is None:
        raise Missing
    _may_decide_on(membership, member.role)
    return member


def _may_decide_on(membership: Membership, role: str) -> None:
    # Read again: the actor's own role may have changed since the request was let in.
    own = Membership.objects.filter(pk=membership.pk, active=True).values_list("role", flat=True).first()
    if own is None or rank(role) > rank(own):
        raise NotAllowed("Nobody decides over a role above their own.", code="role-above-own")


def _keep_an_owner(member: Membership) -> None:
    if member.role != Role.OWNER or not member.active:
        return
    others = Membership.objects.filter(
        project=member.project_id, active=True, role=Role.OWNER, user__is_active=True
    ).exclude(pk=member.pk)
    if not others.exists():
        raise Conflict("last-owner", "A project keeps at least one owner. Make somebody else an owner first.")


def _known(role: str) -> str:
    if role not in Role.values:
        raise Invalid("unknown-role", f"A role is one of {', '.join(Role.values)}.")
    return role
