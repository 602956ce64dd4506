"""Accounts: the first lead's, those made by invitation, passwords and their recovery.

There is no open sign-up and no default account. A person comes in by a secret link that works once.
"""

import re
import unicodedata
from datetime import timedelta
from typing import Any

from axes.utils import reset as forget_failures
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.urls import reverse

from core.choices import Role
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import Membership, Project, SignInLink, User
from core.selectors.account import digest_of, find_first_link, find_reset_link, find_user
from core.selectors.membership import may_reset
from core.services.audit import record
from core.services.lease import release_leases_of
from core.services.token import new_secret, revoke_all

USERNAME = re.compile(r"[\w.@+-]{1,80}")
LONGEST_DISPLAY_NAME = 120
LONGEST_PASSWORD = 1000
LINK_HOURS = 24


def normal_username(text: str) -> str:
    """A sign-in name as it is stored and compared: NFKC, without blanks around it, in lower case."""
    return unicodedata.normalize("NFKC", text).strip().lower()


# --- The first lead -----------------------------------------------------------------------------------


@transaction.atomic
def first_sign_in_link() -> str | None:
    """The path of a link for the first lead, or None when somebody has an account. Only the newest works."""
    if User.objects.exists():
        return None
    SignInLink.objects.filter(user=None, used_at=None).delete()
    return reverse("first_sign_in", args=[_new_link(user=None, made_by=None)])


@transaction.atomic
def use_sign_in_link(secret: str, *, username: str, password: str, display_name: str = "") -> User:
    """Make the first account: it may create projects, and owns those that nobody owns (the demo).

    Raises Missing for a link that does not work (any more), Invalid for a name or password.
    """
    link = find_first_link(secret)
    if not _mark_used(link):
        raise Missing
    user = create_user(username, password=password, display_name=display_name, may_create_projects=True)
    for project in Project.objects.exclude(memberships__role=Role.OWNER, memberships__user__isnull=False):
        Membership.objects.create(project=project, user=user, name=free_name(project, user), role=Role.OWNER)
    record(user, None, "account.first", user.username)
    return user


def _new_link(*, user: User | None, made_by: User | None) -> str:
    secret = new_secret()
    SignInLink.objects.create(
        user=user, made_by=made_by, digest=digest_of(secret), expires_at=Now() + timedelta(hours=LINK_HOURS)
    )
    return secret


def _mark_used(link: SignInLink) -> bool:
    """True for exactly one of those who use a link at the same time."""
    return SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=Now()) == 1


# --- Accounts -----------------------------------------------------------------------------------------


def create_user(
    username: str, *, password: str, display_name: str = "", may_create_projects: bool = False
) -> User:
    """An account. Raises Invalid with a row for each field. Call it inside a transaction."""
    username = normal_username(username)
    display_name = clean_display_name(display_name)
    if not USERNAME.fullmatch(username):
        raise _wrong("username", "bad-username", "Use up to 80 letters, digits and . @ + - _")
    if find_user(username) is not None:
        raise _wrong("username", "username-taken", "This name is taken.")
    user = User(username=username, display_name=display_name, may_create_projects=may_create_projects)
    _set_password(user, password, field="password")
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # somebody was quicker
        raise _wrong("username", "username-taken", "This name is taken.") from None
    return user


def clean_display_name(text: str) -> str:
    """A name as others see it: one line of printable characters. Raises Invalid."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > LONGEST_DISPLAY_NAME or not name.isprintable():
        raise _wrong(
            "display_name", "bad-display-name", f"Use up to {LONGEST_DISPLAY_NAME} printable characters."
        )
    return name


@transaction.atomic
def rename(user: User, display_name: str) -> None:
    """Change the name that others see. Raises Invalid."""
    user.display_name = clean_display_name(display_name)
    user.save(update_fields=["display_name"])
    record(user, None, "account.renamed", user.username)


def free_name(project: Project, user: User) -> str:
    """What somebody is called in a project: their name, with a number when it is taken there."""
    wanted = str(user)
    taken = set(
        Membership.objects.filter(project=project, name__startswith=wanted).values_list("name", flat=True)
    )
    numbered = (f"{wanted} ({number})" for number in range(2, len(taken) + 3))
    return next(name for name in [wanted, *numbered] if name not in taken)


# --- Passwords ----------------------------------------------------------------------------------------


@transaction.atomic
def change_password(user: User, *, old: str, new: str) -> int:
    """Set another password; the other sessions end and all tokens are revoked. How many tokens that were.

    Sessions carry a hash of the password, so they end by themselves; the caller renews its own.
    Raises Invalid when the old password is wrong or the new one too weak.
    """
    if not user.check_password(old):
        raise _wrong("old", "wrong-password", "This is not your present password.")
    n_tokens = _give_password(user, new, field="new")
    record(user, None, "account.password_changed", user.username, tokens_revoked=n_tokens)
    return n_tokens


@transaction.atomic
def make_reset_link(maker: Membership, membership: Membership) -> str:
    """The path of a link by which a member sets a new password; earlier ones stop working.

    Whoever holds the link can sign in as that person. So a lead may make one only for somebody over
    whom they could decide anyway: in every project that person is in, the maker must be a lead with a
    role not below theirs, and people who may create projects are only reset by others who may. Everybody
    else is helped by who runs the server (``manage.py account reset-link``). Raises NotAllowed, Conflict.
    """
    if membership.user is None:
        raise Conflict("cannot-sign-in", "This annotator was imported and has no account.")
    if maker.user is None or not may_reset(maker.user, membership.user):
        raise NotAllowed(
            "You may reset people only if you lead every project that they are in, with a role not below theirs."
        )
    return _reset_link(membership.user, made_by=maker)


@transaction.atomic
def make_reset_link_as_operator(user: User) -> str:
    """The path of a reset link, made by who runs the server."""
    return _reset_link(user, made_by=None)


def _reset_link(user: User, *, made_by: Membership | None) -> str:
    SignInLink.objects.filter(user=user, used_at=None).update(used_at=Now())
    maker, project = (made_by.user, made_by.project) if made_by else (None, None)
    record(maker, project, "account.reset_link", user.username)
    return reverse("reset_password", args=[_new_link(user=user, made_by=maker)])


@transaction.atomic
def use_reset_link(secret: str, password: str) -> User:
    """Set a password by a reset link; all sessions and tokens end. Raises Missing, Invalid."""
    link = find_reset_link(secret)
    if link.user is None or not _mark_used(link):
        raise Missing
    n_tokens = _give_password(link.user, password, field="password")
    record(link.user, None, "account.password_reset", link.user.username, tokens_revoked=n_tokens)
    return link.user


def _give_password(user: User, password: str, *, field: str) -> int:
    _set_password(user, password, field=field)
    user.save(update_fields=["password"])
    SignInLink.objects.filter(user=user, used_at=None).update(used_at=Now())
    forget_failures(username=user.username)
    return revoke_all(user)


def _set_password(user: User, password: str, *, field: str) -> None:
    if len(password) > LONGEST_PASSWORD:
        raise _wrong(field, "weak-password", f"Use at most {LONGEST_PASSWORD} characters.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise _wrong(field, "weak-password", *error.messages) from None
    user.set_password(password)


# --- Leaving ------------------------------------------------------------------------------------------


def deactivate(user: User) -> None:
    """Lock an account out: sessions, tokens, links and leases end at once; what was answered stays."""
    with transaction.atomic():
        user.is_active = False
        user.save(update_fields=["is_active"])
        SignInLink.objects.filter(user=user, used_at=None).update(used_at=Now())
        record(None, None, "account.deactivated", user.username, tokens_revoked=revoke_all(user))
    # After the commit: leases are locked before memberships, and none is handed out from now on.
    for membership in Membership.objects.filter(user=user):
        release_leases_of(membership)


@transaction.atomic
def activate(user: User) -> None:
    """Let somebody sign in again. Their tokens stay revoked."""
    user.is_active = True
    user.save(update_fields=["is_active"])
    record(None, None, "account.activated", user.username)


def _wrong(field: str, code: str, *details: str) -> Invalid:
    rows: list[dict[str, Any]] = [
        {"field": field, "pointer": f"/{field}", "code": code, "detail": detail} for detail in details
    ]
    return Invalid(code, " ".join(details), errors=rows)
