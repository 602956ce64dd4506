"""The people of a project, and who may decide over whom."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from core.access import LEADS, rank
from core.exceptions import Missing
from core.models import Invitation, Membership, Project, User


def members_of(project: Project) -> QuerySet[Membership]:
    """Everybody who is or was in a project, with account and batches, in the order in which they came."""
    return (
        Membership.objects.filter(project=project)
        .select_related("user", "project")
        .prefetch_related("batches")
        .order_by("pk")
    )


def open_invitations(project: Project) -> QuerySet[Invitation]:
    """Invitations that still work, the newest first."""
    return (
        Invitation.objects.filter(project=project, used_at=None, expires_at__gt=Now())
        .select_related("made_by")
        .order_by("-pk")
    )


def roles_in(project: Project) -> dict[str, int]:
    """How many active members have each role."""
    counted = Membership.objects.filter(project=project, active=True).values_list("role")
    return dict(counted.annotate(n=Count("pk")).order_by())


def may_reset(maker: User, user: User) -> bool:
    """Whether somebody may make a reset link for another.

    They must lead every project that the other is in, with a role not below the other's there: the link
    lets its holder act as that person, and must open no door that is closed to its maker.
    """
    return user.pk in resettable(maker, [user])


def resettable(maker: User, users: Iterable[User]) -> set[int]:
    """The ids of those for whom ``maker`` may make a reset link (see may_reset), in two statements."""
    allowed = {
        user.pk
        for user in users
        if user.is_active and (maker.may_create_projects or not user.may_create_projects)
    }
    own = dict(Membership.objects.filter(user=maker, active=True).values_list("project_id", "role"))
    theirs = Membership.objects.filter(user__in=allowed, active=True)
    for user, project, role in theirs.values_list("user_id", "project_id", "role"):
        leads = project in own and own[project] in LEADS and rank(own[project]) >= rank(role)
        if not leads and user is not None:
            allowed.discard(user)
    return allowed


class MemberPage(NamedTuple):
    """Some members; ``next`` and ``previous`` are the ``after`` of the pages around it, None at the ends."""

    members: list[Membership]
    next: int | None
    previous: int | None


def page_of_members(
    project: Project, *, active: bool, named: str = "", after: int = 0, size: int = 50
) -> MemberPage:
    """Members whose name or sign-in name holds ``named``, in the order in which they came, behind an id."""
    rows = members_of(project).filter(active=active)
    if named:
        rows = rows.filter(Q(name__icontains=named) | Q(user__username__icontains=named))
    found = list(rows.filter(pk__gt=after)[: size + 1])
    previous = None
    if after:
        earlier = rows.filter(pk__lte=after).order_by("-pk").values_list("pk", flat=True)[size : size + 1]
        previous = next(iter(earlier), 0)
    return MemberPage(found[:size], found[size - 1].pk if len(found) > size else None, previous)


def find_colleague(lead: User, username: str) -> User | None:
    """Somebody by sign-in name, if they are in a project that ``lead`` leads; strangers cannot be looked up."""
    led = Membership.objects.filter(user=lead, active=True, role__in=LEADS).values("project")
    shared = Membership.objects.filter(user=OuterRef("pk"), active=True, project__in=led)
    return User.objects.filter(Exists(shared), username__iexact=username, is_active=True).first()


def find_member(project: Project, member_id: int) -> Membership:
    """Somebody of a project by the membership's id; raises Missing."""
    member = members_of(project).filter(pk=member_id).first()
    if member is None:
        raise Missing
    return member
