"""Erasing who a person was. What they answered stays as it is, under a pseudonym that says nothing.

Who somebody was stands in the membership's name, the account, the texts that they wrote besides answers, what others
were told of them and the lines of the audit log. Their answers, also texts, are what the project consists of and stay
byte for byte, and so do all figures. The pseudonym is drawn by chance: nothing leads back to the name.
"""

import secrets

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db import transaction
from django.db.models import ManyToOneRel, Model, Q
from django.db.models.functions import Now

from core.access import rank
from core.choices import NoticeKind, PausedBecause, Role
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import (
    Annotation,
    Draft,
    Event,
    Flag,
    GuidelineVersion,
    Inquiry,
    Invitation,
    Lease,
    Membership,
    Notice,
    Project,
    RelabelPlace,
    Report,
    Resolution,
    Review,
    SignInLink,
    Token,
    User,
)
from core.selectors.erasure import TOMBSTONE, ErasureCounts, count_erasure, naming, written_as_lead
from core.services.audit import record
from core.services.item import leave_batches
from core.services.lease import release_leases_of

FEWEST_DIGITS, MOST_DIGITS = 4, 16
OWN = (Membership, Token, SignInLink)  # these belong to the account and are seen to by themselves
# Keys of what members are told that hold somebody's name.
TOLD = ("name", "by")


def erase_person(membership: Membership, member_id: int, name: str) -> tuple[Membership, ErasureCounts]:
    """Forget who a member was: the name becomes a pseudonym, the account is unlinked, and closed with its last project.

    ``name`` is the member's present name, typed by whoever asks for it: this cannot be undone. What they answered
    stays byte for byte; comments, notes, questions and drafts of theirs are emptied, their links and tokens end.

    Raises Missing; NotAllowed for a role above one's own; Invalid ``wrong-name``; Conflict ``already-erased``,
    ``last-owner``.
    """
    with transaction.atomic():
        member = _locked(membership, member_id)
        if name != member.name:
            detail = "This is not their name. Nothing was changed."
            row = {"field": "name", "pointer": "/name", "code": "wrong-name", "detail": detail}
            raise Invalid("wrong-name", detail, errors=[row])
        counts = count_erasure(membership, member)
        before, user = member.name, member.user
        lines = list(
            Event.objects.filter(naming(member, account=counts.account)).values_list("pk", flat=True)
        )
        _blank_texts(member)
        _blank_member(member)
        _retell(member, before)
        grave = None if user is None else _blank_account(member, user, close=counts.account)
        Event.objects.filter(pk__in=lines).update(thing=member.name)
        Report.objects.filter(project=member.project_id).delete()  # they name people
        actor = grave if member.pk == membership.pk else membership.user
        record(actor, member.project, "member.erased", member.name, id=member.pk, account=counts.account)
        leave_batches(member, by=membership)
    # After the commit: leases are locked before memberships, and none is handed out from now on.
    release_leases_of(member)
    return member, counts


def _locked(membership: Membership, member_id: int) -> Membership:
    owners = Membership.objects.filter(project=membership.project_id, active=True, role=Role.OWNER)
    list(owners.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    rows = Membership.objects.select_for_update(of=("self",)).select_related("user", "project")
    member = rows.filter(project=membership.project_id, pk=member_id).first()
    if member is None:
        raise Missing
    own = Membership.objects.filter(pk=membership.pk, active=True).values_list("role", flat=True).first()
    if own is None or rank(member.role) > rank(own):
        raise NotAllowed("Nobody decides over a role above their own.", code="role-above-own")
    if member.erased_at is not None:
        raise Conflict("already-erased", "Who this person was is not known any more.")
    if member.role == Role.OWNER and member.active and not owners.exclude(pk=member.pk).exists():
        raise Conflict("last-owner", "A project keeps at least one owner. Make somebody else an owner first.")
    return member


def _pseudonym(project: Project) -> str:
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        name = f"person {secrets.token_hex(8)[:digits]}"
        if not Membership.objects.filter(project=project, name=name).exists():
            return name
    raise Conflict("try-again", "No free pseudonym was found. Try again.")


def _blank_member(member: Membership) -> None:
    member.name, member.user, member.active = _pseudonym(member.project), None, False
    RelabelPlace.objects.filter(annotator=member, annotation=None).update(dropped=True)
    Notice.objects.filter(member=member).delete()
    Membership.objects.filter(pk=member.pk).update(
        name=member.name,
        user=None,
        active=False,
        erased_at=Now(),
        retested=0,  # only counted of people who can be asked again
        waiting=0,
        paused_because=PausedBecause.NOT,
        paused_at=None,
        training_round=None,
    )


def _blank_texts(member: Membership) -> None:
    """What they wrote besides answers; a row of a file may say more of them than the project asked."""
    Annotation.objects.filter(annotator=member).exclude(comment="").update(comment="")
    Annotation.objects.filter(annotator=member, extra__isnull=False).update(extra=None)
    Flag.objects.filter(annotator=member).exclude(note="").update(note="")
    Lease.objects.filter(annotator=member).exclude(note="").update(note="")
    Inquiry.objects.filter(annotator=member).exclude(text="").update(text="")
    Review.objects.filter(reviewer=member).exclude(comment="").update(comment="")
    Resolution.objects.filter(settled_by=member).exclude(comment="").update(comment="")
    answered, asked = written_as_lead(member)
    answered.update(answer="")
    asked.update(note="")
    if member.user is not None:
        _blank_told_notes(member.project, member.user)
    Draft.objects.filter(annotator=member).delete()


def _blank_told_notes(project: Project, user: User) -> None:
    """What people were told beside versions of the guideline; the versions keep their notes."""
    versions = GuidelineVersion.objects.filter(project=project, created_by=user)
    numbers = list(versions.values_list("number", flat=True))
    told = Notice.objects.filter(member__project=project, kind=NoticeKind.GUIDELINE)
    notices = list(told.filter(data__version__in=numbers))
    for notice in notices:
        notice.data["note"] = ""
    Notice.objects.bulk_update(notices, ["data"], batch_size=500)


def _retell(member: Membership, before: str) -> None:
    """What others were told of them says the pseudonym."""
    for key in TOLD:
        told = Notice.objects.filter(member__project=member.project_id, **{f"data__{key}": before})
        for notice in told:
            notice.data[key] = member.name
            notice.save(update_fields=["data"])


def _blank_account(member: Membership, user: User, *, close: bool) -> User:
    """Nothing of the project leads to the account any more; with its last project it is closed.

    Returns what stands for it from now on: itself, emptied, or an account of which nothing is known.
    """
    Invitation.objects.filter(project=member.project_id, used_by=user).update(note="")
    tombstone = f"{TOMBSTONE}{secrets.token_hex(8)}"
    if not close:
        grave = User(username=tombstone, display_name=member.name, is_active=False)
        grave.set_unusable_password()
        grave.save()
        Token.objects.filter(user=user, project=member.project_id).delete()
        _hand_over(member.project, user, grave)
        return grave
    for log in (AccessAttempt, AccessLog, AccessFailureLog):
        log.objects.filter(username__iexact=user.username).delete()
    Token.objects.filter(user=user).delete()
    SignInLink.objects.filter(user=user).delete()
    user.username, user.display_name = tombstone, member.name
    user.is_active, user.may_create_projects, user.last_login = False, False, None
    user.set_unusable_password()  # all sessions end with it
    user.save()
    return user


def _hand_over(project: Project, user: User, grave: User) -> None:
    """Every row of the project that says that the account did something says that the tombstone did."""
    for relation in User._meta.get_fields(include_hidden=True):  # noqa: SLF001 -- Django's documented way
        model = relation.related_model
        if not isinstance(relation, ManyToOneRel) or not isinstance(model, type) or model in OWN:
            continue
        if model._meta.app_label == "core":  # noqa: SLF001
            rows = model._default_manager.filter(_within(model, project), **{relation.field.name: user})  # noqa: SLF001
            rows.update(**{relation.field.name: grave})


def _within(model: type[Model], project: Project) -> Q:
    """What of a table belongs to a project."""
    if model is Project:
        return Q(pk=project.pk)
    names = {field.name for field in model._meta.get_fields()}  # noqa: SLF001
    path = next(path for path in ("project", "item", "tag", "question") if path in names)
    return Q(**{path if path == "project" else f"{path}__project": project.pk})
